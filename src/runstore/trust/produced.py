"""Whether what is claimed is what the current run produced, byte for byte: three runs in, findings out."""

from __future__ import annotations

from collections.abc import Iterator

from runstore import series
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import counted
from runstore.pairs import Join
from runstore.record import key_text, line_key
from runstore.store.reader import Run
from runstore.trust.words import listed

Key = tuple[bytes, int]


def unproduced(before: Run | None, after: Run, run: Run | None) -> Iterator[Finding]:
    """What is claimed by `after`, in the place of `before`, and is not in the current run.

    All are verified; `before` is None for a new baseline, and `run` where nothing was run.
    """
    if run is None:
        yield _broken("the change claims a baseline for which there is no current run")
        return
    claimed = None if before is None else set(_differing(before, after))
    wrong = [key for key in _differing(after, run) if claimed is None or key in claimed]
    if wrong:
        names = listed([key_text(key) for key in wrong])
        yield _broken(f"{counted(len(wrong))} claimed that this run did not produce: {names}", len(wrong))
    for what, of in (("metrics", _metrics), ("slices", _slices)):
        if (before is None or of(before) != of(after)) and of(after) != of(run):
            yield _broken(f"the {what} that are claimed are not those that this run declares")
    for path in edited_files(before, after):
        if after.manifest.files.get(path) != run.manifest.files.get(path):
            yield _broken(f"{path} is claimed, and is not what this run produced")


def _metrics(run: Run) -> object:
    return run.manifest.metrics


def _slices(run: Run) -> object:
    return list(run.manifest.slices)


def edited_files(before: Run | None, after: Run) -> list[str]:
    """The files beside records and summary, series and artifacts, that are not the same in both."""
    old, new = before.manifest.files if before else {}, after.manifest.files
    return sorted(
        path
        for path in {*old, *new}
        if (path == series.FILE or path.startswith("artifacts/")) and old.get(path) != new.get(path)
    )


def _broken(message: str, observed: int | None = None) -> Finding:
    hint = "accept from this very run, or leave these records out of the change"
    told = None if observed is None else str(observed)
    return Finding(rule=Rule.CLAIMS, level=Level.ERROR, message=message, observed=told, hint=hint)


def _differing(one: Run, other: Run) -> Iterator[Key]:
    """The keys of the records that two runs do not have in common, byte for byte."""
    join = Join(one, other)
    for ours, theirs in join:
        if not ours or not theirs:
            yield line_key((ours or theirs)[0])
            continue
        for index, (line, partner) in enumerate(zip(ours, theirs, strict=True)):
            key, other_key = line_key(line), line_key(partner)
            if key != other_key:
                join.apart(index, -1 if key < other_key else 1)
                yield min(key, other_key)
                break
            yield key
