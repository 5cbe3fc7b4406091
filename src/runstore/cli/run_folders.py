"""Which runs a command line names: a path to a run, or to a folder of runs, in; the folders of the runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runstore.errors import UsageError
from runstore.source import FolderSource


def run_folders(places: Sequence[Path]) -> list[tuple[Path, FolderSource]]:
    """Every run that the places are or hold, as (its folder, a source with the label people know it by).

    Raises UsageError, before anything is done, for a place that does not exist or holds no run.
    """
    return [found for place in places for found in _runs_of(place)]


def _runs_of(place: Path) -> Iterator[tuple[Path, FolderSource]]:
    source = FolderSource(place)
    if source.is_run:
        yield place, source
        return
    paths = source.runs()
    if not paths:
        raise UsageError(f"{place} holds no run", hint="a run is a folder with a manifest.json")
    for path in paths:
        yield place / path, source.child(path)
