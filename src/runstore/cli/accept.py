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
from runstore.cli.acceptances import (
    Member,
    commit_option,
    improved_option,
    is_taken,
    members_of,
    only_option,
    slice_option,
    stale,
    tell_refused,
)
from runstore.cli.judging import Judge, Judging
from runstore.cli.policy_file import config_option, day, find_policy
from runstore.cli.terminal import ProgressLine
from runstore.comparison import Comparison
from runstore.errors import UsageError
from runstore.known_runs import KnownRuns
from runstore.reports.text_safety import one_line
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.replacement import Replacement, clear_beside

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


@click.command(name="accept")
@click.argument("current", type=click.Path(readable=False, path_type=Path))
@click.argument("baseline", type=click.Path(readable=False, path_type=Path))
@only_option
@slice_option
@improved_option
@click.option("--reason", metavar="TEXT", help="Why the baseline may change, in one line. It is kept in the manifest.")
@click.option("--new", is_flag=True, help="Also take in runs that have no baseline yet.")
@click.option(
    "--incomparable", is_flag=True, help="Accept a whole run even if the gate cannot compare it with the baseline."
)
@commit_option
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
    members, passed_over = members_of(current, baseline, new=new)
    for told in passed_over:
        click.echo(one_line(told))
    return _accept(members, baseline, asked)


def _accept(members: list[Member], baseline: Path, asked: _Asked) -> int:
    """Plan every run, and only if none is refused write them, one after the other, each whole or not at all."""
    known = KnownRuns()
    judges = {member.path: asked.judging.of_run(member.path)[1] for member in members}
    plans = [(member, _planned(member, asked, known)) for member in members]
    if refused := [(member, plan) for member, plan in plans if isinstance(plan, Refusal)]:
        return tell_refused(refused, of_many=len(members) > 1)
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


def _planned(member: Member, asked: _Asked, known: KnownRuns) -> Acceptance | Refusal:
    current = Side(run=read_run(member.current), folder=member.current_folder)
    refusal = stale(current.run, member.target, asked.commit)
    if refusal:
        return refusal
    progress = ProgressLine("accepting", current.run.record_count)
    try:
        if asked.new and not is_taken(member.target):
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


def _written(member: Member, accepted: Acceptance, judge: Judge, known: KnownRuns) -> Comparison:
    """Build the new baseline, let the gate judge the run against it, and put it in place."""
    with Replacement(member.target, member.label) as place:
        made = acceptance.build(accepted, place.path, member.label)
        judged = judge(made, accepted.current.run, known)
        place.commit(accepted.baseline.run.digest if accepted.baseline else None)
    return judged
