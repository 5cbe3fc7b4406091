"""What `gate accept` and `gate review` have in common: which runs are paired, and whether one may become a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from runstore.accepting.refusals import Refusal
from runstore.cli.work_tree import staleness
from runstore.errors import UsageError
from runstore.findings import Verdict
from runstore.reports.text_safety import one_line, safe_text
from runstore.source import FolderSource
from runstore.store.durable import real_path
from runstore.store.reader import Run

_COMMIT_LETTERS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One run of those to accept: its relative path in the suite (empty if it is none), and where it is to stand."""

    path: str
    current: FolderSource
    current_folder: Path
    target: Path
    label: str


class SliceType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
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


commit_option = click.option(
    "--commit", metavar="SHA", help="The commit that the run was made from, if it is not what is checked out."
)
only_option = click.option(
    "--only", multiple=True, metavar="ID", help="Only this record, or those that fit a pattern with * ? []. Repeatable."
)
slice_option = click.option(
    "--slice",
    "slices",
    type=SliceType(),
    multiple=True,
    metavar="TAG=VALUE",
    help="Only records with this tag. Repeatable.",
)
improved_option = click.option(
    "--improved", is_flag=True, help="Only records that got better in a score and worse in none."
)


def members_of(
    current: Path, baseline: Path, *, new: bool, how_new: str = "--new takes it in"
) -> tuple[list[Member], list[str]]:
    """The runs to accept, and what is to be said of the others. Raises UsageError for places that do not fit.

    `new`: runs that have no baseline yet belong to them, too; `how_new` says how else they come in.
    """
    _check_places(current, baseline)
    source = FolderSource(current)
    there = FolderSource(baseline) if is_taken(baseline) else None
    if there is None and not new:
        raise UsageError(f"{baseline}: no run stands there", hint="--new makes the first baseline of the current run")
    if there is not None and there.is_run != source.is_run:
        one, other = (current, baseline) if source.is_run else (baseline, current)
        raise UsageError(f"{one} is a run and {other} is none", hint="name two runs, or two folders of runs")
    if source.is_run:
        return [Member(path="", current=source, current_folder=current, target=baseline, label=str(baseline))], []
    ours, theirs = set(there.runs() if there else ()), source.runs()
    members = [
        Member(
            path=path,
            current=source.child(path),
            current_folder=current / path,
            target=baseline / path,
            label=f"{baseline}/{path}",
        )
        for path in theirs
        if new or path in ours
    ]
    if not members:
        raise UsageError(f"{current} and {baseline} have no run in common", hint="runs are paired by relative path")
    told = [f"left        {baseline}/{path}: the current side has no such run" for path in sorted(ours - set(theirs))]
    told += [
        f"left        {current}/{path}: it has no baseline; {how_new}"
        for path in theirs
        if not new and path not in ours
    ]
    return members, told


def is_taken(place: Path) -> bool:
    """Whether anything stands at a place but an empty folder."""
    return place.exists() and not (place.is_dir() and not any(place.iterdir()))


def _check_places(current: Path, baseline: Path) -> None:
    if baseline.is_symlink():
        raise UsageError(f"{baseline} is a symbolic link", hint="name the real folder")
    one, other = real_path(current), real_path(baseline)
    if one.is_relative_to(other) or other.is_relative_to(one):
        what = "the same folder" if one == other else "one inside the other"
        raise UsageError(f"{current} and {baseline} are {what}", hint="the current run stands apart from its baseline")


def stale(current: Run, target: Path, named: str | None) -> Refusal | None:
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
    found = staleness(commit, target) if commit is not None else None
    if found is None:
        return None
    return Refusal(
        verdict=Verdict.REVIEW,
        message=found,
        hint="run the evaluation again on what is checked out, or accept that run on purpose with --commit SHA",
    )


def tell_refused(refused: list[tuple[Member, Refusal]], *, of_many: bool) -> int:
    """Say on standard error why runs are not accepted; returns the exit code of the worst reason."""
    for member, refusal in refused:
        click.echo(safe_text(f"gate: error: {one_line(member.label)}: {refusal}"), err=True)
    if of_many:
        click.echo("gate: error: none of the runs was accepted", err=True)
    return min((refusal.verdict for _, refusal in refused), key=[Verdict.REVIEW, Verdict.INCONCLUSIVE].index).value
