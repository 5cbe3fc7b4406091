"""`gate compare BASELINE CURRENT`: parse, compare, write the reports, exit with the verdict."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import click

from runstore import comparison, view
from runstore.cli.outputs import Output, OutputType, write_all
from runstore.cli.policy_file import config_option, day, find_policy, reference_folder, today_option
from runstore.cli.terminal import ProgressLine
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError, UsageError
from runstore.policy import Policy
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
    help="Report to write: text, json, markdown or html, to FILE or to stdout. Can be given several times.",
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
    wanted = _wanted(outputs, output, policy_file, inputs)
    if explain and not any(one.format == "text" for one in wanted):
        raise click.UsageError("--explain adds to the text report, and none is asked for; JSON always has all checks")
    asked = _Asked(
        policy=policy,
        reference=FolderSource(reference, policy.reference.path) if reference and policy.reference else None,
        today=day(today),
        limit=limit,
        verified=_cache(inputs, no_cache=no_cache),
    )
    result = _compare(FolderSource(baseline), FolderSource(current), asked)
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


def _wanted(
    outputs: tuple[Output, ...], output: Path | None, policy_file: Path | None, inputs: tuple[Path, ...]
) -> list[Output]:
    """The reports to write, checked before any work is done."""
    wanted = list(outputs) or [Output("text", None)]
    if output is not None:
        loose = [index for index, one in enumerate(wanted) if one.path is None]
        if len(loose) != 1:
            raise click.UsageError("-o names the file of one report; give the others as --format FORMAT:FILE")
        wanted[loose[0]] = Output(wanted[loose[0]].format, output)
    if len([one for one in wanted if one.path is None]) > 1:
        raise click.UsageError("only one report can go to stdout; give the others as --format FORMAT:FILE")
    taken = [policy_file] if policy_file else []
    for one in wanted:
        one.check(inputs, taken)
        taken += [one.path] if one.path else []
    return wanted


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
