"""Suites: two folders of runs, compared pairwise by relative path, each pair by the rules that hold for its path."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from runstore import comparison, composition
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, PolicyError, UsageError
from runstore.judgement import NO_DAY, check_selections, check_suites
from runstore.policy import Policy
from runstore.source import Tree
from runstore.store.reader import Run, read_run
from runstore.verification import Progress, VerifiedRuns, no_progress

_Opened = Run | InvalidDataError | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """What stands at one relative path: None where there is nothing, the error where it is not what it claims to be."""

    policy: Policy
    baseline: _Opened
    current: _Opened
    reference: _Opened

    @property
    def is_faulty(self) -> bool:
        return any(isinstance(run, InvalidDataError) for run in (self.baseline, self.current, self.reference))


def compare_suites(
    baseline: Tree,
    current: Tree,
    policy: Policy,
    *,
    reference: Tree | None = None,
    today: date = NO_DAY,
    verified: VerifiedRuns,
    limit: int,
    progress: Progress = no_progress,
) -> Comparison:
    """Compare every run of two folders with the run at the same relative path; `reference` is a third such folder.

    Raises UsageError if one side is a run and the other is not, or if the baseline holds no run; PolicyError if a rule
    selects nothing.
    """
    _check_sides(baseline, current, reference)
    before, after = baseline.runs(), current.runs()
    if not before:
        raise UsageError(f"{baseline.label} holds no run", hint="a run is a folder with a manifest.json")
    members = {
        path: _Member(
            policy=policy.for_run(path),
            baseline=_open(baseline, path),
            current=_open(current, path),
            reference=_open(reference, path) if reference else None,
        )
        for path in sorted({*before, *after}, key=str.encode)
    }
    _check_policy(policy, members)
    parts = []
    for path, member in members.items():
        if member.current is None:
            part = composition.missing(path, policy)
        elif member.baseline is None:
            part = composition.unexpected(path, policy)
        else:
            part = _compared(path, member, today, verified, limit, progress)
        parts.append((path, part))
    return composition.together(parts, policy)


def _check_sides(baseline: Tree, current: Tree, reference: Tree | None) -> None:
    for one, other in ((baseline, current), (current, baseline)):
        if one.is_run:
            raise UsageError(
                f"{one.label} is a run and {other.label} is none", hint="name two runs, or two folders of runs"
            )
    if reference is not None and reference.is_run:
        raise UsageError(
            f"the pinned reference {reference.label} is a run; folders of runs are compared",
            hint="pin a folder of runs with the same relative paths",
        )


def _check_policy(policy: Policy, members: Mapping[str, _Member]) -> None:
    """Refuse rules that select nothing in any of the runs that are judged by them. Raises PolicyError.

    Runs without a baseline are judged by nothing. What a run that cannot be read holds is not known, and the verdict is
    INVALID then whatever the rules select.
    """
    if any(member.is_faulty for member in members.values()):
        return
    judged = {path: member for path, member in members.items() if member.baseline is not None}
    check_suites(policy, list(judged))
    groups: list[list[_Member]] = []
    for member in judged.values():
        group = next((group for group in groups if _same_rules(group[0].policy, member.policy)), None)
        if group is None:
            groups.append([member])
        else:
            group.append(member)
    _check_general(policy, groups)
    for group in groups:
        metrics = {name for one in group for name in (*_metrics(one.baseline), *_metrics(one.current))}
        tags = {tag for one in group if isinstance(one.baseline, Run) for tag in one.baseline.manifest.slices}
        pinned = {name for one in group for name in _metrics(one.reference)}
        check_selections(group[0].policy, metrics, tags, pinned)


def _metrics(run: _Opened) -> Collection[str]:
    return run.manifest.metrics if isinstance(run, Run) else ()


def _same_rules(one: Policy, other: Policy) -> bool:
    return (one.metrics, one.slices) == (other.metrics, other.slices)


def _check_general(policy: Policy, groups: list[list[_Member]]) -> None:
    """Refuse general rules whose place is taken for every run by those of a `[suites]` table. Raises PolicyError."""
    for name, rules in (("metrics", policy.metrics), ("slices", policy.slices)):
        if rules and not any(getattr(group[0].policy, name) == rules for group in groups):
            raise PolicyError(
                f"the rules [{name}] select no run: [suites] has others for each",
                where=policy.origin,
                hint="remove those that hold nowhere",
            )


def _open(source: Tree, path: str) -> _Opened:
    """The run at a path of one side: None where there is none, the error where it is not what it claims to be."""
    child = source.child_if_run(path)
    try:
        return None if child is None else read_run(child)
    except InvalidDataError as error:
        return error


def _compared(
    path: str, member: _Member, today: date, verified: VerifiedRuns, limit: int, progress: Progress
) -> Comparison:
    for run in (member.baseline, member.current, member.reference):
        if isinstance(run, InvalidDataError):
            return _invalid(run, path, member)
    assert isinstance(member.baseline, Run)
    assert isinstance(member.current, Run)
    try:
        return comparison.compare_checked(
            member.baseline,
            member.current,
            member.policy,
            reference=member.reference if isinstance(member.reference, Run) else None,
            today=today,
            verified=verified,
            limit=limit,
            progress=progress,
        )
    except InvalidDataError as error:
        return _invalid(error, path, member)


def _invalid(error: InvalidDataError, path: str, member: _Member) -> Comparison:
    before, after = (side if isinstance(side, Run) else None for side in (member.baseline, member.current))
    return composition.invalid(error, member.policy, path, baseline=before, current=after)
