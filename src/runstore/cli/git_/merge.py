"""`gate git merge`: three versions of a file of a run in, the merged one, or a conflict, in the place of ours."""

from __future__ import annotations

import os
from pathlib import Path

import click

from runstore.git import drivers
from runstore.git.merge_driver import Names, Outcome, merge_path
from runstore.reports.text_safety import one_line
from runstore.store.durable import named_errors


@click.command(name="merge")
@click.argument("base", type=click.Path(readable=False, path_type=Path))
@click.argument("ours", type=click.Path(readable=False, path_type=Path))
@click.argument("theirs", type=click.Path(readable=False, path_type=Path))
@click.argument("size", metavar="MARKER_SIZE", type=click.IntRange(1, 1000))
@click.argument("path")
@click.argument("labels", nargs=-1)
def merge(base: Path, ours: Path, theirs: Path, size: int, path: str, labels: tuple[str, ...]) -> int:
    """Merge three versions of a file of a run, for `git merge`: BASE, OURS and THEIRS of PATH in; the result in OURS.

    Exits with 0 if it is merged, with 3 if OURS now holds a conflict, with 5 if it is no file of a run and nothing was
    done.
    """
    versions = base.read_bytes(), ours.read_bytes(), theirs.read_bytes()
    names = Names.of([one_line(label) for label in labels], size)
    made = merge_path(versions, path, names, os.environ)
    if made is None:
        return drivers.NOT_OURS
    _replace(ours, made.data)
    return _told(made, path, size)


def _replace(file: Path, data: bytes) -> None:
    """Write a file of git's own beside it, and put it in place: it is whole at any moment."""
    beside = file.with_name(f"{file.name}.gate")
    try:
        with named_errors(file):
            beside.write_bytes(data)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _told(made: Outcome, path: str, size: int) -> int:
    if made.problem is None:
        return drivers.MERGED
    if size == drivers.OUTER_SIZE:  # a larger one: git merges ancestors among themselves, and nobody will see it
        click.echo(one_line(f"gate: {path}: {made.problem}"), err=True)
        click.echo(one_line(f"  then: {made.advice}"), err=True)
    return drivers.CONFLICT
