"""`gate accept CURRENT BASELINE`: make what a run says, or a part of it, the new baseline."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import click

from runstore import comparison, verification
from runstore.accepting import acceptance, report
from runstore.accepting.acceptance import Acceptance, Side
from runstore.accepting.choice import check_matched
from runstore.accepting.refusals import Refusal, check_person, checked_reason
from runstore.accepting.selection import Selection, Sieve
from runstore.cli.judging import Judge, Judging
from runstore.cli.policy_file import config_option, day, find_policy
from runstore.cli.terminal import ProgressLine
from runstore.cli.work_tree import staleness
from runstore.comparison import Comparison
from runstore.errors import UsageError
from runstore.findings import Verdict
from runstore.known_runs import KnownRuns
from runstore.reports.text_safety import one_line, safe_text
from runstore.source import FolderSource
from runstore.store.durable import real_path
from runstore.store.reader import Run, read_run
from runstore.store.replacement import Replacement, clear_beside

_COMMIT_LETTERS = 7
_NOT_SAID = "(a dry run needs none)"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What was asked for, once for all runs of a suite."""

    judging: Judging
    sieve: Sieve
    reason: str
    commit: str | None
    new: bool
    incomparable: bool
    dry_run: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Member:
    """One run of those to accept: its relative path in the suite (empty if it is none), and where it is to stand."""

    path: str
    current: FolderSource
    current_folder: Path
    target: Path
    label: str


class _SliceType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """`TAG=VALUE`."""

    name = "slice"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The tag and the value that a flag's text names."""
        if isinstance(value, tuple):
            return value
        tag, equals, text = str(value).partition("=")
        if not (tag and equals):
            self.fail(f"{value!r} is not TAG=VALUE", param, ctx)
        return tag, text


@click.command(name="accept")
@click.argument("current", type=click.Path(readable=False, path_type=Path))
@click.argument("baseline", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--only", multiple=True, metavar="ID", help="Only this record, or those that fit a pattern with * ? []. Repeatable."
)
@click.option(
    "--slice",
    "slices",
    type=_SliceType(),
    multiple=True,
    metavar="TAG=VALUE",
    help="Only records with this tag. Repeatable.",
)
@click.option("--improved", is_flag=True, help="Only records that got better in a score and worse in none.")
@click.option("--reason", metavar="TEXT", help="Why the baseline may change, in one line. It is kept in the manifest.")
@click.option("--new", is_flag=True, help="Also take in runs that have no baseline yet.")
@click.option(
    "--incomparable", is_flag=True, help="Accept a whole run even if the gate cannot compare it with the baseline."
)
@click.option(
    "--commit", metavar="SHA", help="The commit that the run was made from, if it is not what is checked out."
)
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be accepted.")
@config_option  # fmt: skip
def command(
    current: Path,
    baseline: Path,
    only: tuple[str, ...],
    slices: tuple[tuple[str, str], ...],
    improved: bool,
    reason: str | None,
    new: bool,
    incomparable: bool,
    commit: str | None,
    dry_run: bool,
    config: Path | None,
) -> int:
    """Make the run CURRENT, or some of its records, the new BASELINE, for a reviewer to approve in git.

    Both are run folders, or both are folders of runs, paired by relative path. With --only, --slice or --improved only
    records are accepted, each as the current run has it: changed, added or removed. Nothing is committed.

    \b
    gate accept runs/today baselines/qa --improved --reason "the new index finds more"
    gate accept runs/today baselines/qa --only refund-17 --only 'tax-*' --reason "the law has changed"
    """
    selection = Selection(only=only, slices=slices, improved=improved)
    if incomparable and not selection.is_everything:
        raise click.UsageError("--incomparable accepts a whole run: it does not go with --only, --slice or --improved")
    if not dry_run:
        check_person(os.environ)
    policy, file = find_policy(config)
    asked = _Asked(
        judging=Judging(policy=policy, file=file, today=day(None)),
        sieve=Sieve(selection),
        reason=checked_reason(reason if reason is not None or not dry_run else _NOT_SAID),
        commit=commit,
        new=new,
        incomparable=incomparable,
        dry_run=dry_run,
    )
    members, passed_over = _members(current, baseline, asked)
    for told in passed_over:
        click.echo(one_line(told))
    return _accept(members, baseline, asked)


def _members(current: Path, baseline: Path, asked: _Asked) -> tuple[list[_Member], list[str]]:
    """The runs to accept, and what is to be said of the others. Raises UsageError for places that do not fit."""
    _check_places(current, baseline)
    source = FolderSource(current)
    there = FolderSource(baseline) if _is_taken(baseline) else None
    if there is None and not asked.new:
        raise UsageError(f"{baseline}: no run stands there", hint="--new makes the first baseline of the current run")
    if there is not None and there.is_run != source.is_run:
        one, other = (current, baseline) if source.is_run else (baseline, current)
        raise UsageError(f"{one} is a run and {other} is none", hint="name two runs, or two folders of runs")
    if source.is_run:
        return [_Member(path="", current=source, current_folder=current, target=baseline, label=str(baseline))], []
    ours, theirs = set(there.runs() if there else ()), source.runs()
    members = [
        _Member(
            path=path,
            current=source.child(path),
            current_folder=current / path,
            target=baseline / path,
            label=f"{baseline}/{path}",
        )
        for path in theirs
        if asked.new or path in ours
    ]
    if not members:
        raise UsageError(f"{current} and {baseline} have no run in common", hint="runs are paired by relative path")
    told = [f"left        {baseline}/{path}: the current side has no such run" for path in sorted(ours - set(theirs))]
    told += [
        f"left        {current}/{path}: it has no baseline; --new takes it in"
        for path in theirs
        if not asked.new and path not in ours
    ]
    return members, told


def _is_taken(place: Path) -> bool:
    return place.exists() and not (place.is_dir() and not any(place.iterdir()))


def _check_places(current: Path, baseline: Path) -> None:
    if baseline.is_symlink():
        raise UsageError(f"{baseline} is a symbolic link", hint="name the real folder")
    one, other = real_path(current), real_path(baseline)
    if one.is_relative_to(other) or other.is_relative_to(one):
        what = "the same folder" if one == other else "one inside the other"
        raise UsageError(f"{current} and {baseline} are {what}", hint="the current run stands apart from its baseline")


def _accept(members: list[_Member], baseline: Path, asked: _Asked) -> int:
    """Plan every run, and only if none is refused write them, one after the other, each whole or not at all."""
    known = KnownRuns()
    judges = {member.path: asked.judging.of_run(member.path)[1] for member in members}
    plans = [(member, _planned(member, asked, known)) for member in members]
    if refused := [(member, plan) for member, plan in plans if isinstance(plan, Refusal)]:
        for member, refusal in refused:
            click.echo(safe_text(f"gate: error: {one_line(member.label)}: {refusal}"), err=True)
        if len(members) > 1:
            click.echo("gate: error: none of the runs was accepted", err=True)
        return _worst([refusal.verdict for _, refusal in refused]).value
    accepted = [(member, plan) for member, plan in plans if isinstance(plan, Acceptance)]
    check_matched([(plan.baseline.run, plan.current.run) for _, plan in accepted if plan.baseline], asked.sieve)
    written = False
    for member, plan in accepted:
        judged = None
        if not (plan.changes_nothing or asked.dry_run):
            judged = _written(member, plan, judges[member.path], known)
            written = True
        elif not asked.dry_run:
            clear_beside(member.target)
        for line in report.lines(member.label, plan, asked.reason, judged):
            click.echo(one_line(line))
    if written:
        click.echo(one_line(f"review      git diff --stat -- {shlex.quote(str(baseline))}"))
    return 0


def _worst(verdicts: list[Verdict]) -> Verdict:
    return min(verdicts, key=[Verdict.REVIEW, Verdict.INCONCLUSIVE].index)


def _planned(member: _Member, asked: _Asked, known: KnownRuns) -> Acceptance | Refusal:
    current = Side(run=read_run(member.current), folder=member.current_folder)
    refusal = _stale(current.run, member.target, asked.commit)
    if refusal:
        return refusal
    progress = ProgressLine("accepting", current.run.record_count)
    try:
        if asked.new and not _is_taken(member.target):
            if not asked.sieve.selection.is_everything:
                raise UsageError(
                    f"{member.label}: a first baseline is a whole run", hint="leave out --only, --slice and --improved"
                )
            verification.verify(current.run, progress)
            return acceptance.first(current, asked.reason)
        baseline = Side(run=read_run(FolderSource(member.target, member.label)), folder=member.target)
        rules = replace(asked.judging.policy.for_run(member.path), reference=None)
        judged = comparison.compare_checked(
            baseline.run, current.run, rules, today=asked.judging.today, verified=known, limit=0, progress=progress
        )
        return acceptance.plan(baseline, current, judged, asked.sieve, asked.reason, incomparable=asked.incomparable)
    finally:
        progress.close()


def _stale(current: Run, target: Path, named: str | None) -> Refusal | None:
    """Whether the run was made from something else than what is checked out, and not from the commit that was named."""
    commit = current.manifest.provenance.commit
    if named is not None:
        if commit is None or len(named) < _COMMIT_LETTERS or not commit.startswith(named):
            problem = f"the run was made from commit {commit}, not {named}" if commit else "the run names no commit"
            return Refusal(
                verdict=Verdict.REVIEW,
                message=problem,
                hint=f"--commit takes {_COMMIT_LETTERS} digits or more of the commit that stands in the run's manifest",
            )
        return None
    stale = staleness(commit, target) if commit is not None else None
    if stale is None:
        return None
    return Refusal(
        verdict=Verdict.REVIEW,
        message=stale,
        hint="run the evaluation again on what is checked out, or accept that run on purpose with --commit SHA",
    )


def _written(member: _Member, accepted: Acceptance, judge: Judge, known: KnownRuns) -> Comparison:
    """Build the new baseline, let the gate judge the run against it, and put it in place."""
    with Replacement(member.target, member.label) as place:
        made = acceptance.build(accepted, place.path, member.label)
        judged = judge(made, accepted.current.run, known)
        place.commit(accepted.baseline.run.digest if accepted.baseline else None)
    return judged
