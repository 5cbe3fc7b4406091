"""Durable writing: a folder or file appears whole or not at all, and what was reported as saved survives a power cut.

Files are built in a hidden temporary sibling, flushed, and renamed; then the parent folder is flushed. Nothing is
deleted before its replacement is durable.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from runstore.errors import RunExistsError, UsageError

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def close_synced(file: IO[bytes]) -> None:
    """Flush a file to disk and close it."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def _sync_tree(folder: Path) -> None:
    for base, _, _ in os.walk(folder):
        sync_folder(Path(base))


class BuildFolder:
    """A temporary sibling of `target` that becomes it in one step."""

    def __init__(self, target: Path) -> None:
        """Make the temporary folder; missing parents are made. Raises UsageError if the target is a link."""
        if target.is_symlink():
            raise UsageError(f"{target} is a symbolic link", hint="name the real folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.target = target
        self.path = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-", dir=target.parent))

    def commit(self, *, replace: bool = False) -> None:
        """Make the folder durable at its target.

        Raises RunExistsError if something stands there and `replace` is not set. With `replace` the two folders are
        exchanged in one step where the system can, and the old one is deleted only after that is durable.
        """
        self.path.chmod(0o777 & ~_umask())
        _sync_tree(self.path)
        if replace and self.target.is_dir():
            old = _exchange(self.path, self.target)
            sync_folder(self.target.parent)
            shutil.rmtree(old)
            return
        try:
            self.path.rename(self.target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise RunExistsError(
                    f"{self.target} already exists", hint="choose another place, or replace it with --replace"
                ) from None
            raise
        sync_folder(self.target.parent)

    def discard(self) -> None:
        """Remove the temporary folder; what stands at the target is untouched."""
        shutil.rmtree(self.path, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _exchange(new: Path, target: Path) -> Path:
    """Put `new` at `target`; return where the old folder went."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename and rename(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _EXCHANGE) == 0:
        return new
    # Systems that cannot exchange: for a moment nothing stands at the target, and the old run is beside it, whole.
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent)) / target.name
    target.rename(aside)
    new.rename(target)
    return aside.parent


@contextmanager
def replaced_file(target: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all, durably. Raises UsageError if the target is a link or a folder."""
    if target.is_symlink() or target.is_dir():
        raise UsageError(f"{target} is a symbolic link or a folder", hint="name a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.tmp-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
