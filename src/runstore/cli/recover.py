"""`gate recover RUN...`: finish runs whose process was killed, with all that was logged."""

from __future__ import annotations

from pathlib import Path

import click

from runstore.cli.boundary import code_of
from runstore.errors import InvalidDataError, UsageError
from runstore.reports.text_safety import safe_text
from runstore.source import FolderSource
from runstore.tracking import recovery
from runstore.tracking.finishing import Finished


@click.command(name="recover")
@click.argument("runs", metavar="RUN...", type=click.Path(readable=False, path_type=Path), nargs=-1, required=True)
def command(runs: tuple[Path, ...]) -> int:
    """Make runs of what killed processes have logged: whole runs, of status `killed`.

    Each RUN is an unfinished run, or a folder in which all of them are to be finished. A line or a file that was torn
    is named, and kept in volatile/. A run whose process lives is left alone (exit 2).

    \b
    gate recover experiments/
    """
    codes = [_recover_all(place) for place in runs]
    return max(codes)


def _recover_all(place: Path) -> int:
    """Recover what a place is or holds; the exit code."""
    found = recovery.find(place)
    if not found:
        if not FolderSource(place).is_run and not FolderSource(place).runs():
            raise UsageError(f"{place} holds no run", hint="name an unfinished run, or a folder of runs")
        click.echo(safe_text(f"finished   {place}  nothing to recover"))
    code = 0
    for folder in found:
        try:
            click.echo(safe_text(_told(recovery.recover(folder))))
        except (UsageError, InvalidDataError) as error:
            click.echo(safe_text(f"gate: error: {error}"), err=True)
            code = max(code, code_of(error))
    return code


def _told(done: Finished) -> str:
    kept = ((done.points, "point"), (done.records, "record"), (done.artifacts, "artifact"))
    counts = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in kept)
    lines = [f"recovered  {done.path}  {counts}; status {done.status}"]
    lines += [f"  torn, and kept in volatile/: {what}" for what in done.torn]
    lines += [f"  not logged, and kept in volatile/: {name}" for name in done.unlogged]
    return "\n".join(lines)
