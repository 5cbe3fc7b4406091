"""`gate compare BASELINE CURRENT`: parse, compare, write the reports, exit with the verdict.

With a baseline that is read from git, so are the policy and the pinned reference (`cli.against`), and the checks of
what the change would put in their place come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runstore import comparison, composition, view
from runstore.checks import Check
from runstore.cli.locators import Places, locate, named
from runstore.cli.outputs import Output, OutputType, chosen, write_all
from runstore.cli.policy_file import config_option, day, find_policy, reference_folder, today_option
from runstore.cli.terminal import ProgressLine
from runstore.cli.verified_runs import verified_runs
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, UsageError
from runstore.git.place import GitPlace
from runstore.policy import Policy
from runstore.reports import FORMATS
from runstore.source import FolderSource, Tree
from runstore.store.durable import real_path
from runstore.store.reader import read_run
from runstore.suites import compare_suites
from runstore.verification import VerifiedRuns

if TYPE_CHECKING:
    from runstore.cli.against import Trusted


@click.command(name="compare")
@click.argument("baseline", type=click.Path(readable=False))
@click.argument("current", type=click.Path(readable=False))
@click.option(
    "--against", metavar="REF",
    help="Read BASELINE, and the policy, at REF of git; A...B is the merge base of both. The same as REF:BASELINE.",
)  # fmt: skip
@click.option(
    "--claims-approved", is_flag=True,
    help="Someone with rights approved what the change edits of its own baseline and policy: judge these claims.",
)  # fmt: skip
@click.option("--expect-commit", metavar="SHA", help="The commit that CURRENT must have been made from.")
@config_option
@click.option(
    "--format",
    "outputs",
    type=OutputType(),
    multiple=True,
    metavar="FORMAT[:FILE]",
    help=f"Report to write ({', '.join(FORMATS)}), to FILE or to stdout. Can be given several times.",
)
@click.option(
    "-o", "--output", type=click.Path(readable=False, path_type=Path), help="Write the one report without a FILE there."
)
@click.option(
    "--limit", type=click.IntRange(min=0), default=comparison.DEFAULT_LIMIT, show_default=True, metavar="N",
    help="How many records of each class the reports list. Counts and verdict do not depend on it.",
)  # fmt: skip
@click.option(
    "--explain", is_flag=True,
    help="Say in the text report of every rule what was read, the limit and where it stands, and why it holds or not.",
)  # fmt: skip
@today_option
@click.option("--no-cache", is_flag=True, help="Verify the baseline in full even if it was verified before.")
def command(
    baseline: str,
    current: str,
    against: str | None,
    claims_approved: bool,
    expect_commit: str | None,
    config: Path | None,
    outputs: tuple[Output, ...],
    output: Path | None,
    limit: int,
    explain: bool,
    today: datetime | None,
    no_cache: bool,
) -> int:
    """Compare the run CURRENT with its BASELINE and exit with the verdict.

    Both are run folders, or both are folders of runs, compared pairwise by relative path. Either can be read from git:
    REF:path is a path at a ref, from the root of the repository, A...B:path one at the merge base of both.

    \b
    gate compare baseline/ current/
    gate compare baseline/ current/ --format text --format html:report.html
    gate compare origin/main:baselines/qa runs/qa
    """
    expected = _expected(expect_commit)
    with Places() as places:
        sides = _sides(places, baseline, current, against, config)
        if claims_approved and sides.trusted is None:
            raise click.UsageError("--claims-approved is about a baseline in git: REF:BASELINE, or --against REF")
        wanted = chosen(outputs, output, sides.folders, sides.files)
        if explain and not any(one.format == "text" for one in wanted):
            raise click.UsageError(
                "--explain adds to the text report, and none is asked for; JSON always has all checks"
            )
        verified = verified_runs(sides.folders, no_cache=no_cache)
        asked = _Asked(sides=sides, today=day(today), limit=limit, verified=verified)
        result = _judged(asked, expected, is_approved=claims_approved)
    write_all(wanted, view.to_json(result), explain=explain)
    return result.verdict.value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sides:
    """What is compared, and by what; `folders` and `files` are those where no report may go."""

    baseline: Tree
    current: Tree
    policy: Policy
    reference: Tree | None
    folders: tuple[Path, ...]
    files: tuple[Path, ...] = ()
    trusted: Trusted | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """How to compare."""

    sides: _Sides
    today: date
    limit: int
    verified: VerifiedRuns


def _expected(commit: str | None) -> str | None:
    if commit is None:
        return None
    found: str = import_module("runstore.trust.provenance").expected_commit(commit)
    return found


def _sides(places: Places, baseline: str, current: str, against: str | None, config: Path | None) -> _Sides:
    before, after = locate(baseline), locate(current)
    if against is None and isinstance(before, Path):
        return _sides_on_disk(places, before, after, config)
    module = import_module("runstore.cli.against")
    if against is not None:
        if not isinstance(before, Path):
            raise click.UsageError("BASELINE names a ref, and so does --against: give one of them")
        before = module.place_at(places.repository, against, baseline)
    trusted: Trusted = module.read_trusted(places.repository, before, config)
    return _Sides(
        baseline=trusted.baseline,
        current=places.open(after, _label(after)),
        policy=trusted.policy,
        reference=trusted.reference,
        folders=(*([after] if isinstance(after, Path) else []), *trusted.folders),
        trusted=trusted,
    )


def _sides_on_disk(places: Places, baseline: Path, current: Path | GitPlace, config: Path | None) -> _Sides:
    policy, file = find_policy(config)
    reference = reference_folder(policy, file)
    here = [current] if isinstance(current, Path) else []
    if reference and here and real_path(reference) == real_path(here[0]):
        raise UsageError("the pinned reference is the current run itself", hint="pin another run")
    return _Sides(
        baseline=places.open(baseline, named(baseline)),
        current=places.open(current, _label(current)),
        policy=policy,
        reference=FolderSource(reference, policy.reference.path) if reference and policy.reference else None,
        folders=(*here, baseline, *([reference] if reference else [])),
        files=(file,) if file else (),
    )


def _label(place: Path | GitPlace) -> str | None:
    return named(place) if isinstance(place, Path) else None


def _judged(asked: _Asked, expected: str | None, *, is_approved: bool) -> Comparison:
    """The comparison, behind the checks of what the change does to what judges it and of where the run comes from."""
    sides, first = asked.sides, list[Check]()
    baseline = sides.baseline
    if sides.trusted is not None:
        change = import_module("runstore.cli.against").Change(
            trusted=sides.trusted, current=sides.current, is_approved=is_approved, verified=asked.verified
        )
        first, baseline = change.judge()
    found = _compare(baseline, sides.current, asked)
    if expected is not None:
        first.append(import_module("runstore.trust.provenance").judge_provenance(found, expected))
    if not first:
        return found
    result: Comparison = import_module("runstore.trust.edit").with_checks(found, first)
    return result


def _compare(baseline: Tree, current: Tree, asked: _Asked) -> Comparison:
    if not (baseline.is_run and current.is_run):
        return compare_suites(
            baseline,
            current,
            asked.sides.policy,
            reference=asked.sides.reference,
            today=asked.today,
            verified=asked.verified,
            limit=asked.limit,
        )
    before = after = None
    try:
        before = read_run(baseline)
        after = read_run(current)
        pinned = read_run(asked.sides.reference) if asked.sides.reference else None
        progress = ProgressLine("comparing", max(before.record_count, after.record_count))
        try:
            return comparison.compare(
                before,
                after,
                asked.sides.policy,
                reference=pinned,
                today=asked.today,
                verified=asked.verified,
                limit=asked.limit,
                progress=progress,
            )
        finally:
            progress.close()
    except InvalidDataError as error:
        return composition.invalid(error, asked.sides.policy, baseline=before, current=after)
