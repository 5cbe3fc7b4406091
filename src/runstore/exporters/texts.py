"""The large texts of a run, which stand beside it and which no backend gets: a run in, what is told of them out."""

from __future__ import annotations

from collections.abc import Iterator

from runstore import large_text
from runstore.exporters.contract import Change
from runstore.store.reader import Run


def left_texts(run: Run) -> Iterator[Change]:
    """One change, if the records name large texts. Raises InvalidDataError for a damaged run."""
    if any(large_text.MARK in line for batch in run.batches() for line in batch.lines):
        reason = "stand beside the run and stay there; their beginnings and digests are in the records"
        yield Change(kind="record", name="large texts", deed="dropped", sent=None, reason=reason)
