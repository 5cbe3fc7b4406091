"""`gate report COMPARISON.json`: a saved comparison in, the reports `gate compare` would have written out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from runstore.cli.outputs import Output, OutputType, chosen, write_all
from runstore.cli.saved import STDIN, load_view


@click.command(name="report")
@click.argument(
    "comparison", type=click.Path(readable=False, allow_dash=True, path_type=Path), metavar="COMPARISON.json"
)
@click.option(
    "--format",
    "outputs",
    type=OutputType(),
    multiple=True,
    metavar="FORMAT[:FILE]",
    help="Report to write, as in `gate compare`, to FILE or to stdout. Can be given several times. Default: text.",
)
@click.option(
    "-o", "--output", type=click.Path(readable=False, path_type=Path), help="Write the one report without a FILE there."
)
@click.option(
    "--explain", is_flag=True,
    help="Say in the text report of every rule what was read, the limit and where it stands, and why it holds or not.",
)  # fmt: skip
@click.option(
    "--exit-zero", is_flag=True,
    help="Exit 0 once the reports are written, whatever the verdict: for a step that does not guard anything.",
)  # fmt: skip
def command(comparison: Path, outputs: tuple[Output, ...], output: Path | None, explain: bool, exit_zero: bool) -> int:
    """Render the saved comparison COMPARISON.json again, to the bytes `gate compare` would have written.

    COMPARISON.json is what `gate compare --format json:COMPARISON.json` wrote; - is standard input. Nothing is compared
    or judged again. Exits with the saved verdict, as `gate compare` did, so that no step is green over a red one; with
    --exit-zero it exits 0 unless a report could not be written. A file that is not what it claims to be exits 3.

    \b
    gate compare baseline/ current/ --format json:comparison.json
    gate report comparison.json --format html:report.html
    gate report comparison.json --format markdown --exit-zero
    """
    wanted = chosen(outputs, output, [], [] if comparison == STDIN else [comparison])
    if explain and not any(one.format == "text" for one in wanted):
        raise click.UsageError("--explain adds to the text report, and none is asked for; JSON always has all checks")
    view = load_view(comparison)
    write_all(wanted, view, explain=explain)
    return 0 if exit_zero else cast(int, view["exit_code"])
