"""Putting in place: a folder or file appears whole or not at all, durably.

Files are built in a hidden temporary sibling, flushed, and renamed; then the parent folder is flushed. Nothing is
deleted before its replacement is durable. An error means that nothing changed: a folder that stands at its place but
whose parent cannot be flushed is taken back.
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
from runstore.store.durable import named_errors, sync_folder

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP)  # old kernels, sandboxes, network shares
_NAME_BYTES = 200  # of the target in the name of its sibling: the whole name must stay within 255


def _sync_tree(folder: Path) -> None:
    for base, _, _ in os.walk(folder, onerror=_raise):
        sync_folder(Path(base))


def _raise(error: OSError) -> None:
    raise error


def _make_folders(folder: Path) -> None:
    """Make a folder and its missing parents, durably. Raises UsageError if a file stands in the way."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{error.filename} is or lies in a file", hint="name another place") from None
    for made in missing:
        sync_folder(made.parent)


def _sibling_folder(target: Path, purpose: str) -> Path:
    with _blamed_on(target.parent):
        return target.parent / Path(tempfile.mkdtemp(prefix=_prefix(target, purpose), dir=target.parent)).name


def _sibling_file(target: Path) -> tuple[int, Path]:
    with _blamed_on(target.parent):
        descriptor, name = tempfile.mkstemp(prefix=_prefix(target, "tmp"), dir=target.parent)
    return descriptor, target.parent / Path(name).name


def _prefix(target: Path, purpose: str) -> str:
    return f".{os.fsdecode(os.fsencode(target.name)[:_NAME_BYTES])}.{purpose}-"


@contextmanager
def _blamed_on(folder: Path) -> Iterator[None]:
    """Have an error name a folder that people know, in place of a sibling that could not be made in it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(folder)) from None


class BuildFolder:
    """A temporary sibling of `target` that becomes it in one step."""

    def __init__(self, target: Path) -> None:
        """Make the temporary folder; missing parents are made. Raises UsageError if the target cannot be replaced."""
        if target.name in ("", ".."):
            raise UsageError(f"{target} cannot be put in place from beside it", hint="name the run's own folder")
        if target.is_symlink():
            raise UsageError(f"{target} is a symbolic link", hint="name the real folder")
        _make_folders(target.parent)
        self.target = target
        self.path = _sibling_folder(target, "tmp")
        self._holds_old = False

    def commit(self, *, replace: bool = False) -> None:
        """Make the folder durable at its target.

        Raises RunExistsError if something stands there and `replace` is not set, or if it is not a folder. With
        `replace` the two folders are exchanged in one step where the system can, and the old one is deleted only after
        that is durable.
        """
        self.path.chmod(0o777 & ~_umask())
        _sync_tree(self.path)
        self._put(replace=replace)
        try:
            sync_folder(self.target.parent)
        except BaseException:
            self._take_back()
            raise
        if self._holds_old:
            self._holds_old = False
            shutil.rmtree(self.path)

    def _put(self, *, replace: bool) -> None:
        try:
            self.path.rename(self.target)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            if not replace or not self.target.is_dir():
                hint = "choose another place, or replace it with --replace" if not replace else "it is not a folder"
                raise RunExistsError(f"{self.target} already exists", hint=hint) from None
            self._holds_old = True
            try:
                _exchange(self.path, self.target)
            except OSError:
                self._holds_old = False
                raise

    def _take_back(self) -> None:
        if self._holds_old:
            _exchange(self.path, self.target)
            self._holds_old = False
        else:
            self.target.rename(self.path)

    def discard(self) -> None:
        """Remove the temporary folder; what stands at the target is untouched."""
        if not self._holds_old:
            shutil.rmtree(self.path, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders beside each other; after an error both are where they were."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _CANNOT_EXCHANGE:
            raise OSError(code, os.strerror(code), str(other))
    _exchange_in_steps(one, other)


def _exchange_in_steps(one: Path, other: Path) -> None:
    """For systems that cannot exchange: for a moment nothing stands at `other`, and what stood there is beside it."""
    aside = _sibling_folder(other, "old")
    kept = aside / other.name
    done: list[tuple[Path, Path]] = []
    try:
        for source, place in ((other, kept), (one, other), (kept, one)):
            source.rename(place)
            done.append((source, place))
    except BaseException:
        for source, place in reversed(done):
            place.rename(source)
        raise
    finally:
        aside.rmdir()


@contextmanager
def replaced_file(target: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all, durably. Raises UsageError if the target is anything but a regular file."""
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise UsageError(f"{target} is a symbolic link, a folder or a device", hint="name a file")
    _make_folders(target.parent)
    descriptor, temporary = _sibling_file(target)
    try:
        with named_errors(target), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(descriptor, 0o666 & ~_umask())
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
