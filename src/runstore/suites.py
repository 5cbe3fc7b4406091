"""Suites: two folders of runs, compared pairwise by relative path."""

from __future__ import annotations

from runstore import comparison
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, UsageError
from runstore.policy import Policy
from runstore.source import FolderSource
from runstore.store.reader import read_run
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
    parts: list[tuple[str, Comparison]] = []
    for path in sorted({*before, *after}, key=str.encode):
        if path not in after:
            part = comparison.missing(path, policy)
        elif path not in before:
            part = comparison.unexpected(path, policy)
        else:
            try:
                runs = read_run(baseline.child(path)), read_run(current.child(path))
                part = comparison.compare(*runs, policy, verified=verified, limit=limit, progress=progress)
            except InvalidDataError as error:
                part = comparison.invalid(error, policy, path)
        parts.append((path, part))
    return comparison.together(parts, policy)
