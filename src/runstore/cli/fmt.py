"""`gate fmt RUN...`: rewrite runs that were edited by hand, canonically, or say which ones need it."""

from __future__ import annotations

from pathlib import Path

import click

from runstore import loose
from runstore.cli.boundary import INVALID
from runstore.cli.run_folders import run_folders
from runstore.cli.sizes import large_text_option
from runstore.cli.terminal import ProgressLine
from runstore.errors import InvalidDataError
from runstore.reports.text_safety import safe_text
from runstore.source import FolderSource

_WOULD_CHANGE = 1


@click.command(name="fmt")
@click.argument("runs", metavar="RUN...", type=click.Path(readable=False, path_type=Path), nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; list the runs that would change and exit with 1.")
@large_text_option
def command(runs: tuple[Path, ...], check: bool, large_text: int | None) -> int:
    """Rewrite the files of runs canonically; derive summary, digests and run id again.

    Each RUN is a run folder or a folder of runs. What is canonical already is not touched. What cannot be kept (a key
    that stands twice, an unknown name) is refused with its place, and the run is left as it is.
    """
    done = [_format(folder, source, check=check, large_text=large_text) for folder, source in run_folders(runs)]
    if None in done:
        return INVALID
    return _WOULD_CHANGE if check and any(done) else 0


def _format(folder: Path, source: FolderSource, *, check: bool, large_text: int | None) -> bool | None:
    """Format one run; whether it changed, or would. None if it cannot be formatted."""
    progress = ProgressLine("formatting", 0)
    try:
        if not loose.is_loose(source, progress) and not loose.has_large_text(source, large_text):
            return False
        if check:
            loose.check(folder, source.label, progress)
        else:
            loose.rewrite(folder, source.label, progress, large_text)
    except InvalidDataError as error:
        click.echo(safe_text(f"gate: error: {error}"), err=True)
        return None
    finally:
        progress.close()
    click.echo(safe_text(f"{'would change' if check else 'formatted'}  {source.label}"))
    return True
