"""Suites: two folders of runs, compared pairwise by relative path."""

from __future__ import annotations

from runstore import comparison
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, UsageError
from runstore.policy import Policy
from runstore.source import FolderSource
from runstore.store.reader import Run, read_run
from runstore.verification import Progress, VerifiedRuns, no_progress


def compare_suites(
    baseline: FolderSource,
    current: FolderSource,
    policy: Policy,
    *,
    verified: VerifiedRuns,
    limit: int,
    progress: Progress = no_progress,
) -> Comparison:
    """Compare every run of two folders with the run at the same relative path.

    Raises UsageError if one side is a run and the other is not, or if the baseline holds no run.
    """
    for one, other in ((baseline, current), (current, baseline)):
        if one.is_run:
            raise UsageError(
                f"{one.label} is a run and {other.label} is none", hint="name two runs, or two folders of runs"
            )
    before, after = baseline.runs(), current.runs()
    if not before:
        raise UsageError(f"{baseline.label} holds no run", hint="a run is a folder with a manifest.json")
    pairs = {path: _open(baseline, current, path) for path in sorted({*before, *after}, key=str.encode)}
    runs = [run for pair in pairs.values() for run in pair if isinstance(run, Run)]
    metrics = {name for run in runs for name in run.manifest.metrics}
    parts: list[tuple[str, Comparison]] = []
    for path, (old, new) in pairs.items():
        if new is None:
            part = comparison.missing(path, policy)
        elif old is None:
            part = comparison.unexpected(path, policy)
        else:
            part = _compared(path, old, new, policy, verified, limit, metrics, progress)
        parts.append((path, part))
    return comparison.together(parts, policy)


_Opened = Run | InvalidDataError | None


def _open(baseline: FolderSource, current: FolderSource, path: str) -> tuple[_Opened, _Opened]:
    """The runs at a path on both sides: None where there is none, the error where it is not what it claims to be."""

    def side(source: FolderSource) -> _Opened:
        child = source.child_if_run(path)
        try:
            return None if child is None else read_run(child)
        except InvalidDataError as error:
            return error

    return side(baseline), side(current)


def _compared(
    path: str,
    old: Run | InvalidDataError,
    new: Run | InvalidDataError,
    policy: Policy,
    verified: VerifiedRuns,
    limit: int,
    metrics: set[str],
    progress: Progress,
) -> Comparison:
    for run in (old, new):
        if isinstance(run, InvalidDataError):
            return comparison.invalid(run, policy, path)
    assert isinstance(old, Run)
    assert isinstance(new, Run)
    try:
        return comparison.compare(
            old, new, policy, verified=verified, limit=limit, elsewhere=metrics, progress=progress
        )
    except InvalidDataError as error:
        return comparison.invalid(error, policy, path)
