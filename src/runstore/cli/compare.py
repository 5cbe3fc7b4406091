"""`gate compare BASELINE CURRENT`: parse, compare, write the reports, exit with the verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import click

from runstore import comparison, view
from runstore.cli.outputs import Output, OutputType, chosen, write_all
from runstore.cli.policy_file import config_option, day, find_policy, reference_folder, today_option
from runstore.cli.terminal import ProgressLine
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, UsageError
from runstore.policy import Policy
from runstore.reports import FORMATS
from runstore.source import FolderSource
from runstore.store.durable import real_path
from runstore.store.reader import read_run
from runstore.suites import compare_suites
from runstore.verification import VerifiedRuns


@click.command(name="compare")
@click.argument("baseline", type=click.Path(readable=False, path_type=Path))
@click.argument("current", type=click.Path(readable=False, path_type=Path))
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
    baseline: Path,
    current: Path,
    config: Path | None,
    outputs: tuple[Output, ...],
    output: Path | None,
    limit: int,
    explain: bool,
    today: datetime | None,
    no_cache: bool,
) -> int:
    """Compare the run CURRENT with its BASELINE and exit with the verdict.

    Both are run folders, or both are folders of runs, compared pairwise by relative path.

    \b
    gate compare baseline/ current/
    gate compare baseline/ current/ --format text --format html:report.html
    """
    policy, policy_file = find_policy(config)
    reference = reference_folder(policy, policy_file)
    if reference and real_path(reference) == real_path(current):
        raise UsageError("the pinned reference is the current run itself", hint="pin another run")
    inputs = (current, baseline, *([reference] if reference else ()))
    wanted = chosen(outputs, output, inputs, [policy_file] if policy_file else [])
    if explain and not any(one.format == "text" for one in wanted):
        raise click.UsageError("--explain adds to the text report, and none is asked for; JSON always has all checks")
    asked = _Asked(
        policy=policy,
        reference=FolderSource(reference, policy.reference.path) if reference and policy.reference else None,
        today=day(today),
        limit=limit,
        verified=_cache(inputs, no_cache=no_cache),
    )
    result = _compare(FolderSource(baseline, _named(baseline)), FolderSource(current, _named(current)), asked)
    write_all(wanted, view.to_json(result), explain=explain)
    return result.verdict.value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """How to compare."""

    policy: Policy
    reference: FolderSource | None
    today: date
    limit: int
    verified: VerifiedRuns


def _named(folder: Path) -> str:
    """How reports name a folder: never by an absolute path, which tells of the machine."""
    if not folder.is_absolute():
        return str(folder)
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else folder.name


def _cache(inputs: tuple[Path, ...], *, no_cache: bool) -> VerifiedRuns:
    """Where verified runs are remembered. It is trusted: whoever can write there can vouch for a baseline."""
    if no_cache:
        return VerifiedRuns(None)
    if named := os.environ.get("RUNSTORE_CACHE_DIR"):
        if any(real_path(Path(named)).is_relative_to(real_path(folder)) for folder in inputs):
            raise UsageError(f"RUNSTORE_CACHE_DIR names a folder inside a run: {named}", hint="name one elsewhere")
        return VerifiedRuns(Path(named))
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # no home is no error
    return VerifiedRuns(Path(base) / "runstore" / "verified") if Path(base).is_absolute() else VerifiedRuns(None)


def _compare(baseline: FolderSource, current: FolderSource, asked: _Asked) -> Comparison:
    if not (baseline.is_run and current.is_run):
        return compare_suites(
            baseline,
            current,
            asked.policy,
            reference=asked.reference,
            today=asked.today,
            verified=asked.verified,
            limit=asked.limit,
        )
    try:
        before, after = read_run(baseline), read_run(current)
        pinned = read_run(asked.reference) if asked.reference else None
        progress = ProgressLine("comparing", max(before.record_count, after.record_count))
        try:
            return comparison.compare(
                before,
                after,
                asked.policy,
                reference=pinned,
                today=asked.today,
                verified=asked.verified,
                limit=asked.limit,
                progress=progress,
            )
        finally:
            progress.close()
    except InvalidDataError as error:
        return comparison.invalid(error, asked.policy)
