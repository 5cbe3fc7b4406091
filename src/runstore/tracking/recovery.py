"""Recovering: a run whose process was killed in, a run of the store out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runstore.errors import StorageError, UsageError
from runstore.source import FolderSource
from runstore.tracking import finishing, unfinished
from runstore.tracking.finishing import Finished


def recover(folder: str | os.PathLike[str]) -> Finished:
    """Finish a run that its process has not, with all that was logged: as killed, or as its process had said it ended.

    Raises UsageError if the process lives, InvalidRunError if this is no unfinished run, StorageError if the system
    fails: it can be called again.
    """
    place = Path(folder)
    try:
        held = unfinished.take(place)
    except OSError as error:
        raise StorageError(f"cannot open the journal: {error.strerror}", where=str(error.filename)) from error
    try:
        return finishing.finish(place)
    finally:
        held.close()


def find(folder: Path) -> list[Path]:
    """The unfinished runs that a folder is or holds, sorted; hidden folders are passed over.

    Raises UsageError if there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="name a run, or a folder of runs")
    return sorted(_below(folder))


def _below(folder: Path) -> Iterator[Path]:
    if unfinished.is_unfinished(folder):
        yield folder
        return
    for base, folders, _ in os.walk(folder, onerror=_cannot_look):
        places = [Path(base, name) for name in folders if not name.startswith(".")]
        plain = [place for place in places if not place.is_symlink()]
        yield from filter(unfinished.is_unfinished, plain)
        folders[:] = [place.name for place in plain if not FolderSource(place).is_run]  # what is in a run is its own


def _cannot_look(error: OSError) -> None:
    raise StorageError(f"cannot look for runs: {error.strerror}", where=str(error.filename)) from error
