"""Flushing to disk, so that what was reported as saved survives a power cut; and where a path really leads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def named_errors(place: Path) -> Iterator[None]:
    """Give an OSError the name of the file that is written to, which the system does not tell for an open one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(place)) from None


def real_path(path: Path) -> Path:
    """The path without links; a loop of links stays in it, where `Path.resolve` raised RuntimeError before 3.13."""
    return Path(os.path.realpath(path))


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with named_errors(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def close_synced(file: IO[bytes]) -> None:
    """Flush a file to disk and close it."""
    with named_errors(Path(file.name)), file:
        file.flush()
        os.fsync(file.fileno())
