"""`gate calibrate RUN RUN [RUN...]`: from runs of the same code, the noise of a gate and limits that fit it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from runstore import canonical
from runstore.calibration import report
from runstore.calibration.calibration import Apart, Calibration, calibrate
from runstore.calibration.patch import diff
from runstore.cli.judging import Judging
from runstore.cli.locators import Places, locate
from runstore.cli.policy_file import config_option, day, find_policy, today_option
from runstore.cli.terminal import ProgressLine
from runstore.policy import Policy
from runstore.reports import json_report
from runstore.reports.text_safety import visible
from runstore.store.reader import Run, read_run

_RESAMPLES = 200
_QUARANTINED = 20


class _Share(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """A decimal between 0 and 1."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The exact decimal of a flag's text."""
        try:
            found = Decimal(str(value))
        except InvalidOperation:
            found = Decimal(0)
        if not (found.is_finite() and 0 < found < 1):
            self.fail(f"{value!r} is not a number between 0 and 1", param, ctx)
        return found


@click.command(name="calibrate")
@click.argument("runs", type=click.Path(readable=False), nargs=-1, required=True, metavar="RUN RUN...")
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--alpha", type=_Share(), default="0.05", show_default=True, help="Share of false alarms to aim at.")
@click.option(
    "--resamples", type=click.IntRange(20, 100_000), default=_RESAMPLES, show_default=True, metavar="N",
    help="How many pairs of runs to draw from the scores.",
)  # fmt: skip
@today_option
@click.option("--patch", is_flag=True, help="Print the proposed limits as a diff of the policy file.")
@click.option("--quarantine", is_flag=True, help="With --patch: name the flaky records in comments.")
def command(
    runs: tuple[str, ...],
    config: Path | None,
    form: str,
    alpha: Decimal,
    resamples: int,
    today: datetime | None,
    patch: bool,
    quarantine: bool,
) -> int:
    """Show the noise of RUNs of the same code, how often the gate would refuse them, and limits that fit.

    The runs must hold the same records. No policy is written: --patch prints a diff for a person to judge. Exit 0 if
    there is a calibration, 5 if the runs cannot be compared.

    \b
    gate calibrate runs/a runs/b runs/c
    gate calibrate runs/a runs/b runs/c --patch
    """
    if len(runs) < 2:
        raise click.UsageError("name two runs or more: noise is what differs between them")
    if quarantine and not patch:
        raise click.UsageError("--quarantine goes with --patch")
    policy, file = find_policy(config)
    judging = Judging(policy=policy, file=file, today=day(today))
    with Places() as places:
        opened = [read_run(places.open(locate(text))) for text in runs]
        found = _calibrated(opened, judging, alpha, resamples)
    if patch and isinstance(found, Calibration):
        click.echo(_patched(found, policy, file, quarantine=quarantine), nl=False)
    elif form == "json":
        click.echo(json_report.render(report.to_json(found)), nl=False)
    else:
        click.echo(report.text(found), nl=False)
    return report.verdict(found).value


def _calibrated(runs: list[Run], judging: Judging, alpha: Decimal, resamples: int) -> Calibration | Apart:
    judging.check([("", run) for run in runs])
    rules, judge = judging.of_run("")
    progress = ProgressLine("calibrating", sum(run.record_count for run in runs))
    try:
        return calibrate(runs, rules, judge, alpha=alpha, resamples=resamples, progress=progress)
    finally:
        progress.close()


def _patched(found: Calibration, policy: Policy, file: Path | None, *, quarantine: bool) -> str:
    name = file.name if file else "gate.toml"
    root = ("tool", "gate") if name == "pyproject.toml" else ()
    old = file.read_text(encoding="utf-8") if file else ""
    comments = _quarantine(found) if quarantine else ""
    return comments + visible(diff(old, name, found.proposals, policy.places if file else {}, root))


def _quarantine(found: Calibration) -> str:
    """What a quarantine of the flakiest records would look like; owner, reason and expiry are for a person to say."""
    lines = ["# flaky records; to quarantine some, set max_records and give each an owner, a reason and a day"]
    for one in dict.fromkeys(flaky.id for flaky in found.flaky[:_QUARANTINED]):
        lines.append(f"# [[quarantine.records]]  record = {canonical.encode(one).decode()}")
    return "".join(f"{visible(line)}\n" for line in lines)
