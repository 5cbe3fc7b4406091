"""`gate summarize RUN`: derive the summary of a run again and print it; nothing is written."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from runstore import canonical, loose, summary, verification
from runstore.canonical import JsonValue
from runstore.cli.terminal import ProgressLine
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.reports.text_safety import safe_text
from runstore.store.reader import Run

_HINT = "if it was edited by hand, `gate fmt` rewrites the run canonically, its summary too"


@click.command(name="summarize")
@click.argument("run", type=click.Path(readable=False, path_type=Path))
def command(run: Path) -> None:
    """Derive the summary of RUN from its records and series, and print it.

    Whatever summary.json says is not looked at, and nothing is written: `gate fmt` does that.
    """
    try:
        data = canonical.encode_document(_derive(loose.without_summary(run, str(run))))
    except InvalidDataError as error:
        raise InvalidRunError(error.message, where=error.where, hint=_HINT) from error
    click.echo(safe_text(data.decode()) if sys.stdout.isatty() else data, nl=False)


def _derive(run: Run) -> JsonValue:
    progress = ProgressLine("summarizing", run.record_count)
    try:
        tally = verification.derive(run, progress)
        points = Counter(point.name for point in run.points())
    finally:
        progress.close()
    return summary.to_json(tally, points)
