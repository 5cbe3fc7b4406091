"""`gate selftest BASELINE`: damage copies of a baseline, judge them by the policy in force, and say what was seen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from runstore.cli.judging import Judging
from runstore.cli.locators import Places
from runstore.cli.policy_file import config_option, day, find_policy, today_option
from runstore.cli.terminal import ProgressLine
from runstore.reports import json_report
from runstore.selftest import report
from runstore.selftest.examination import Examination, examine
from runstore.store.reader import Run, read_run


@click.command(name="selftest")
@click.argument("baseline", type=click.Path(readable=False))
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@today_option
def command(baseline: str, config: Path | None, form: str, today: datetime | None) -> int:
    """Show that the gate can fail: damage copies of BASELINE and judge each by the policy in force.

    BASELINE is a run folder or a folder of runs; REF:path is one in git. Nothing is written. Exit 0 if an equal copy
    is green and everything that must be red is; 1 if the gate was fooled; 5 if nothing could be damaged.

    \b
    gate selftest baselines/qa
    gate selftest baselines/qa -c gate.toml --format json
    """
    policy, file = find_policy(config)
    judging = Judging(policy=policy, file=file, today=day(today))
    with Places() as places:
        runs = [(path, read_run(source)) for path, source in places.runs(baseline)]
        judging.check(runs)
        found = [_examined(run, path, judging) for path, run in runs]
    if form == "json":
        click.echo(json_report.render(report.to_json(found)), nl=False)
    else:
        click.echo(report.text(found), nl=False)
    return report.verdict(found).value


def _examined(run: Run, path: str, judging: Judging) -> Examination:
    rules, judge = judging.of_run(path)
    progress = ProgressLine("selftest", 0)
    try:
        return examine(run, rules, judge, path=path, progress=progress)
    finally:
        progress.close()
