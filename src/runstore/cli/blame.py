"""`gate blame RECORD [BASELINE]`: the commits of a baseline in, those that changed one of its records out."""

from __future__ import annotations

import sys

import click

from runstore.cli.past import Past, document, ref_of
from runstore.cli.terminal import columns, wants_color
from runstore.errors import UsageError
from runstore.history import reading, record_report
from runstore.reports.text.paper import paper


@click.command(name="blame")
@click.argument("record")
@click.argument("baseline", required=False)
@click.option("--repeat", type=click.IntRange(1), metavar="N", help="This repeat of the record.")
@click.option("--ref", metavar="REF", help="Look at the history of this ref.  [default: HEAD]")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(record: str, baseline: str | None, repeat: int | None, ref: str | None, form: str) -> None:
    """Show which commits changed RECORD of BASELINE, newest first, and since when it has each of its scores.

    BASELINE is a folder of the repository, or REF:path; it can be left out if there is only one. A merge is told only
    if it made a record that no side had. Nothing is checked out.

    \b
    gate blame sample-17
    gate blame sample-17 baselines/qa --ref origin/main
    """
    try:
        record.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{record!a} is no text", hint="the id of a record is UTF-8") from None
    past = Past(ref_of(baseline, ref))
    try:
        found = reading.blame(past.baseline(baseline), record, repeat)
    finally:
        past.close()
    if form == "json":
        click.echo(document(record_report.to_json(found)), nl=False)
        return
    sheet = paper(color=wants_color(sys.stdout), width=columns())
    click.echo(record_report.text(found, sheet), nl=False)
