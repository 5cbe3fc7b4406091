"""`gate review CURRENT [BASELINE]`: walk through what differs, and accept, skip or waive each record."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from runstore import comparison
from runstore.accepting import report
from runstore.accepting.acceptance import Side
from runstore.accepting.choice import check_matched
from runstore.accepting.refusals import Refusal, check_person, checked_reason, unfit, unjudged
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
from runstore.cli.boundary import INTERRUPTED
from runstore.cli.judging import Judging
from runstore.cli.policy_file import config_option, day, find_policy, parse
from runstore.cli.review.conversation import Conversation
from runstore.cli.review.keyboard import Keyboard
from runstore.cli.review.opening import Opener, words_of
from runstore.cli.review.screen import Screen
from runstore.cli.review.writing import Pair, Plan, PolicyFile, plan, write
from runstore.cli.terminal import ProgressLine, wants_color
from runstore.errors import RunstoreError, UsageError
from runstore.known_runs import KnownRuns
from runstore.manifest import Identity
from runstore.reports.numbers import counted
from runstore.reports.text_safety import one_line
from runstore.reviewing import chosen, policy_text, walk
from runstore.reviewing.subjects import Item, Judged, items_of
from runstore.reviewing.walk import Mode, Walk
from runstore.source import FolderSource
from runstore.store.reader import read_run

_BASELINES = Path("baselines")
_ALL = sys.maxsize
_INSTEAD = "`gate accept --only ID` accepts records without asking"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What was asked for, once for all runs of a suite."""

    baseline: Path
    judging: Judging
    sieve: Sieve
    reason: str
    commit: str | None
    config: Path | None
    tool: Sequence[str]


@click.command(name="review")
@click.argument("current", type=click.Path(readable=False, path_type=Path))
@click.argument("baseline", type=click.Path(readable=False, path_type=Path), required=False)
@only_option
@slice_option
@improved_option
@click.option("--reason", metavar="TEXT", help="Why the baseline may change, in one line. Default: it is asked.")
@commit_option
@click.option(
    "--tool",
    envvar="GATE_DIFF",
    metavar="COMMAND",
    help="Opens both sides of a record: two files are put behind it. Default: $GATE_DIFF, else $PAGER, else here.",
)
@config_option  # fmt: skip
def command(
    current: Path,
    baseline: Path | None,
    only: tuple[str, ...],
    slices: tuple[tuple[str, str], ...],
    improved: bool,
    reason: str | None,
    commit: str | None,
    tool: str | None,
    config: Path | None,
) -> int:
    """Walk through what differs between the run CURRENT and its BASELINE, and accept, skip or waive each record.

    Both are run folders, or both are folders of runs, paired by relative path. Without BASELINE it is the run below
    baselines/ of the same project, suite and name. Nothing is written before the end, and nothing is committed.

    \b
    gate review runs/today baselines/qa
    gate review runs/today baselines/qa --slice lang=de --reason "the German prompt was rewritten"
    """
    _check_person()
    policy, file = find_policy(config)
    asked = _Asked(
        baseline=baseline if baseline is not None else _baseline_of(current),
        judging=Judging(policy=policy, file=file, today=day(None)),
        sieve=Sieve(Selection(only=only, slices=slices, improved=improved)),
        reason="" if reason is None else checked_reason(reason),
        commit=commit,
        config=config,
        tool=words_of(tool, "--tool or GATE_DIFF") if tool else (),
    )
    return _review(current, asked)


def _check_person() -> None:
    """Refuse to ask where nobody can answer. Raises UsageError."""
    try:
        check_person(os.environ)
    except UsageError as error:
        raise UsageError(error.message, hint=f"review it on your machine; there, {_INSTEAD}") from None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("a review asks questions, and this is no terminal", hint=_INSTEAD)


def _baseline_of(current: Path) -> Path:
    """The baseline that a run belongs to, by its identity. Raises UsageError if it is not one, or not sure."""
    source = FolderSource(current)
    if not source.is_run:
        return _BASELINES
    there = FolderSource(_BASELINES) if _BASELINES.is_dir() else None
    paths = [] if there is None else there.runs()
    wanted = _question(read_run(source).manifest.identity)
    found = [
        _BASELINES / path
        for path in paths
        if there is not None and _question(read_run(there.child(path)).manifest.identity) == wanted
    ]
    if len(found) != 1:
        problem = f"{len(found)} runs below {_BASELINES}/ are of its project, suite and name"
        raise UsageError(f"{current}: {problem}", hint="name the baseline: gate review CURRENT BASELINE")
    return found[0]


def _question(identity: Identity) -> tuple[str, str, str]:
    return identity.project, identity.suite, identity.name


def _review(current: Path, asked: _Asked) -> int:
    if not is_taken(asked.baseline):
        raise UsageError(f"{asked.baseline}: no run stands there", hint="`gate accept --new` makes the first baseline")
    members, passed_over = members_of(current, asked.baseline, new=False, how_new="`gate accept --new` takes it in")
    for told in passed_over:
        click.echo(one_line(told))
    known = KnownRuns()
    found = [(member, _compared(member, asked, known)) for member in members]
    if refused := [(member, one) for member, one in found if isinstance(one, Refusal)]:
        return tell_refused(refused, of_many=len(members) > 1)
    pairs = {member.path: one for member, one in found if isinstance(one, Pair)}
    judged = [
        Judged(path=path, comparison=pair.judged, rules=asked.judging.policy.for_run(path))
        for path, pair in pairs.items()
    ]
    items = items_of(judged, asked.sieve)
    check_matched([(pair.baseline.run, pair.current.run) for pair in pairs.values()], asked.sieve)
    if not items:
        click.echo("nothing to review: no record differs that was asked for")
        return 0
    file = _policy_file(asked.judging)
    state = _walked(items, pairs, asked)
    if state is None or state.mode is Mode.LEFT:
        click.echo("nothing was written")
        return INTERRUPTED
    if not state.has_chosen:
        click.echo("nothing was chosen, and nothing was written")
        return 0
    return _written(plan(state, items, pairs), pairs, file, asked)


def _compared(member: Member, asked: _Asked, known: KnownRuns) -> Pair | Refusal:
    """A run beside its baseline, every record that differs kept, or why the run is no baseline."""
    current = Side(run=read_run(member.current), folder=member.current_folder)
    refusal = stale(current.run, member.target, asked.commit)
    refusal = refusal or unfit(current.run.manifest, current.run.record_count)
    if refusal:
        return refusal
    baseline = Side(run=read_run(FolderSource(member.target, member.label)), folder=member.target)
    rules = replace(asked.judging.policy.for_run(member.path), reference=None)
    progress = ProgressLine("comparing", current.run.record_count)
    try:
        judged = comparison.compare_checked(
            baseline.run,
            current.run,
            rules,
            today=asked.judging.today,
            verified=known,
            limit=_ALL,
            progress=progress,
        )
    finally:
        progress.close()
    refusal = unjudged(judged, in_part=True, allowed=False)
    return refusal or Pair(path=member.path, label=member.label, baseline=baseline, current=current, judged=judged)


def _policy_file(judging: Judging) -> PolicyFile:
    """The file that waivers go to, which without a policy is a new gate.toml. Raises UsageError if it just changed."""
    if judging.file is None:
        folders = [Path.cwd(), *Path.cwd().parents]
        root = next((folder for folder in folders if (folder / ".git").exists()), folders[0])
        return PolicyFile(path=root / "gate.toml", content=None)
    content = judging.file.read_bytes()
    if parse(content, judging.file.name, judging.file.name, str(judging.file)) != judging.policy:
        raise UsageError(f"{judging.file} was changed meanwhile", hint="run again")
    return PolicyFile(path=judging.file, content=content)


def _walked(items: Sequence[Item], pairs: dict[str, Pair], asked: _Asked) -> Walk | None:
    """The walk at its end; None if it was broken off."""
    subjects = [item.subject for item in items]
    state = walk.start(subjects, asked.judging.today, asked.reason)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="gate-review-", ignore_cleanup_errors=True) as folder,
            Keyboard(sys.stdin.fileno()) as keyboard,
        ):
            talk = Conversation(
                items=items,
                comparisons={path: pair.judged for path, pair in pairs.items()},
                trees={
                    path: (FolderSource(pair.baseline.folder, pair.label), FolderSource(pair.current.folder))
                    for path, pair in pairs.items()
                },
                screen=Screen(color=wants_color(sys.stdout)),
                keyboard=keyboard,
                opener=Opener(
                    tool=asked.tool, pager=words_of(os.environ.get("PAGER", ""), "PAGER"), folder=Path(folder)
                ),
            )
            return talk.hold(state)
    except (EOFError, KeyboardInterrupt):
        click.echo()
        return None


def _written(wanted: Plan, pairs: dict[str, Pair], file: PolicyFile, asked: _Asked) -> int:
    """Write, and say what was written and what follows. What was typed is printed if it cannot be written."""
    try:
        problem = write(wanted, file)
    except (RunstoreError, OSError, KeyboardInterrupt):
        _print_waivers(wanted, file)
        raise
    _tell(wanted, pairs, asked)
    paths = [str(asked.baseline)] if wanted.accepted else []
    if wanted.waivers and not problem:
        click.echo(one_line(f"waived      {_shown(file.path)}: {counted(len(wanted.waivers), 'waiver')} more"))
        paths.append(_shown(file.path))
    if paths:
        quoted = " ".join(map(shlex.quote, paths))
        click.echo(one_line(f"review      git diff --stat -- {quoted}"))
        click.echo(one_line(f"commit      git add -- {quoted} && git commit"))
    if problem:
        _print_waivers(wanted, file)
        raise UsageError(problem)
    return 0


def _tell(wanted: Plan, pairs: dict[str, Pair], asked: _Asked) -> None:
    """What was accepted, and what the gate says now, of what stands on disk."""
    policy, file = find_policy(asked.config)
    judging = Judging(policy=policy, file=file, today=asked.judging.today)
    accepted = {pair.path: one for pair, one, _ in wanted.accepted}
    known = KnownRuns()
    for path in wanted.touched:
        pair = pairs[path]
        stands = read_run(FolderSource(pair.baseline.folder, pair.label))
        judged = judging.of_run(path)[1](stands, pair.current.run, known)
        one = accepted.get(path) or chosen.acceptance(pair.baseline, pair.current, pair.counts, (), "")
        lines = list(report.lines(pair.label, one, wanted.reason, judged))
        for line in lines if path in accepted else lines[-1:]:
            click.echo(one_line(line))


def _print_waivers(wanted: Plan, file: PolicyFile) -> None:
    """The waivers as text to paste: what somebody typed is not thrown away."""
    if wanted.waivers:
        click.echo(one_line(f"not written to {_shown(file.path)}:"))
        click.echo(f"\n{policy_text.block(wanted.waivers, file.root)}")


def _shown(path: Path) -> str:
    """A path as it is named from the working folder."""
    return os.path.relpath(path)
