"""Facts: what was observed about two runs, before anyone asks what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runstore.changes import Changes
from runstore.manifest import Manifest
from runstore.measures import Measure
from runstore.summary import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many records each side has and what became of them.

    The classes `regressed`, `improved`, `changed` and `unchanged` add up to `common`.
    """

    baseline: int = 0
    current: int = 0
    common: int = 0
    added: int = 0
    removed: int = 0
    regressed: int = 0
    improved: int = 0
    changed: int = 0
    unchanged: int = 0
    newly_errored: int = 0
    newly_skipped: int = 0
    lost_scores: int = 0
    """Scores of the baseline that a record with status `ok` no longer has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything the rules may ask about."""

    baseline: Manifest
    current: Manifest
    counts: Counts
    measures: Sequence[Measure]
    changes: Changes
    totals: Tally
    """Of the current run, over all its records."""
    lost_series: Sequence[str]
    """Run-level metrics that only the baseline has."""
    only_current: Sequence[Measure]
    """Measures of metrics that only the current run has, over all its records: both sides of each are that run."""
    identical: bool
