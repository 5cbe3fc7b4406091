"""`gate badge COMPARISON.json`: a saved JSON report in, a static SVG badge out."""

from __future__ import annotations

from pathlib import Path

import click

from runstore.cli.outputs import STDOUT
from runstore.cli.saved import STDIN, load_view
from runstore.errors import UsageError
from runstore.reports import badge
from runstore.store.durable import real_path
from runstore.store.placing import replaced_file


@click.command(name="badge")
@click.argument(
    "comparison", type=click.Path(readable=False, allow_dash=True, path_type=Path), metavar="COMPARISON.json"
)
@click.option("--metric", metavar="NAME", help="The metric to show; else the one that is closest to its limit.")
@click.option("--label", default=badge.LABEL, show_default=True, metavar="TEXT", help="What stands on the left.")
@click.option(
    "-o", "--output", type=click.Path(readable=False, path_type=Path), help="Write it there, and not to stdout."
)
def command(comparison: Path, metric: str | None, label: str, output: Path | None) -> None:
    """Draw a badge of the saved comparison COMPARISON.json: the verdict and one metric. - is standard input.

    A badge judges nothing: the exit code is 0 if it was drawn, whatever the verdict it shows.

    \b
    gate compare baselines/qa runs/today --format json:comparison.json
    gate badge comparison.json -o badge.svg
    """
    if output == STDOUT:
        output = None
    if output is not None and comparison != STDIN and real_path(output) == real_path(comparison):
        raise UsageError(f"{output} is the comparison itself", hint="name another file for the badge")
    drawn = badge.render(load_view(comparison), metric=metric, label=label)
    if output is None:
        click.echo(drawn, nl=False)
        return
    with replaced_file(output) as file:
        file.write(drawn.encode())
