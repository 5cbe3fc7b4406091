"""`gate rebuild RUN...`: derive again what follows from records that git has merged, or say what stands in the way."""

from __future__ import annotations

from pathlib import Path

import click

from runstore.cli.boundary import INVALID
from runstore.cli.run_folders import run_folders
from runstore.cli.terminal import ProgressLine
from runstore.errors import InvalidDataError
from runstore.loose import is_loose
from runstore.rebuilding import rebuild
from runstore.reports.text_safety import safe_text
from runstore.source import FolderSource
from runstore.store.replacement import clear_beside

_STALE = 1


@click.command(name="rebuild")
@click.argument("runs", metavar="RUN...", type=click.Path(readable=False, path_type=Path), nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; list the runs that need it and exit with 1.")
def command(runs: tuple[Path, ...], check: bool) -> int:
    """Derive summary.json and manifest.json again after git has merged the records of RUN.

    The records are taken as they stand: canonical, sorted, each id once. Where a merge has left conflicts, twins or a
    wrong order, it is said where and nothing is written. `gate fmt` is for lines that were edited by hand.
    """
    stale = [_rebuilt(folder, source, check=check) for folder, source in run_folders(runs)]
    if None in stale:
        return INVALID
    return _STALE if check and any(stale) else 0


def _rebuilt(folder: Path, source: FolderSource, *, check: bool) -> bool | None:
    """Rebuild one run; whether it was stale. None if a person has to put it right first."""
    progress = ProgressLine("rebuilding", 0)
    try:
        if not is_loose(source, progress):
            if not check:
                clear_beside(folder)
            return False
        (rebuild.check if check else rebuild.rebuild)(folder, source.label, progress)
    except InvalidDataError as error:
        click.echo(safe_text(f"gate: error: {error}"), err=True)
        return None
    finally:
        progress.close()
    click.echo(safe_text(f"{'stale' if check else 'rebuilt':<8} {source.label}"))
    return True
