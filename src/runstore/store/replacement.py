"""Replacing a run that stands in a git work tree: a new folder takes the place of the old one in a single step.

The new folder is built in a hidden sibling of which git is told to see nothing, so a killed process leaves nothing that
`git add` would pick up, and the next one clears it away. Those who replace runs here wait for each other, and a run
that was changed by somebody else in between is not overwritten.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from runstore import canonical, large_text
from runstore.errors import InvalidRunError, UsageError
from runstore.store.durable import close_synced, named_errors, real_path, sync_folder
from runstore.store.placing import BuildFolder
from runstore.store.text_folder import TextFolder

_IGNORE_FILE = ".gitignore"
_IGNORE_ALL = b"*\n"
_CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # some network shares


class Replacement:
    """A place to build in, `path`, that becomes `target` on `commit`. Use it as a context manager.

    Large texts that are built beside `path` come to stand beside the target.
    """

    def __init__(self, target: Path, label: str) -> None:
        """Make the place. Raises UsageError if the target is a link, or if the caller works inside it."""
        if target.is_symlink():
            raise UsageError(f"{label} is a symbolic link", hint="name the real folder")
        self._target = real_path(target)
        self._label = label
        if Path.cwd().is_relative_to(self._target):
            raise UsageError(
                f"{label} is the working folder, and is to be replaced", hint="call from the folder above it"
            )
        with ExitStack() as stack:
            stack.enter_context(_alone_beside(self._target))
            self._build = BuildFolder(self._target)
            self._hidden = self._build.path
            self.path = self._build.path = self._hidden / self._target.name
            stack.callback(self._discard)
            self._texts = TextFolder(self._target.parent, self._hidden / large_text.FOLDER)
            stack.callback(self._texts.close)
            self._texts.share()
            mark = self._hidden / _IGNORE_FILE
            with named_errors(mark):
                mark.write_bytes(_IGNORE_ALL)
            self._closing = stack.pop_all()

    def commit(self, expected: str | None) -> None:
        """Put what was built in place, durably.

        `expected` is the SHA-256 of the manifest.json that is replaced; None if nothing may stand there.
        Raises UsageError if another one stands there now, RunExistsError if something does and nothing may.
        """
        if expected is not None and manifest_digest(self._target) != expected:
            raise UsageError(f"{self._label} was changed meanwhile", hint="run again; nothing was written")
        self._texts.publish()
        self._build.commit(replace=expected is not None)
        shutil.rmtree(self._hidden)

    def _discard(self) -> None:
        self._build.discard()
        if not self.path.exists():  # else it is an old run that could not be put back
            shutil.rmtree(self._hidden, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()


def manifest_digest(folder: Path) -> str | None:
    """SHA-256 of the manifest.json of a folder; None if there is none."""
    try:
        return canonical.sha256((folder / "manifest.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def clear_beside(target: Path) -> None:
    """Remove what killed processes have left beside a run, if any have."""
    with _alone_beside(real_path(target)):
        pass


@contextmanager
def _alone_beside(target: Path) -> Iterator[None]:
    """Wait for others who replace runs in the same folder, clear what killed ones have left, and keep others waiting.

    Where there is no folder, or the system cannot lock, nobody waits and nothing is cleared.
    """
    try:
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    try:
        with named_errors(target.parent):
            locked = _lock(descriptor)
        if locked and target.is_dir():
            _clear(target)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise
        return False
    return True


def _clear(target: Path) -> None:
    """Remove what was left beside a run that stands; whoever lives would hold the lock."""
    left = [one for one in target.parent.glob(f"{_literal(f'.{target.name}.tmp-')}*") if _is_ours(one)]
    if left:
        sync_folder(target.parent)
    for one in left:
        shutil.rmtree(one)


def _literal(text: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def _is_ours(folder: Path) -> bool:
    mark = folder / _IGNORE_FILE
    try:
        is_plain = not folder.is_symlink() and stat.S_ISREG(mark.lstat().st_mode)
        return is_plain and mark.read_bytes() in (b"", _IGNORE_ALL)  # empty: killed while it was written
    except OSError:
        return False


def copy_volatile(source: Path, target: Path, label: str) -> None:
    """Copy a folder of volatile facts as it is, durably; nothing happens if there is none.

    Raises InvalidRunError for what is neither a file nor a folder.
    """
    if not source.is_dir() or source.is_symlink():
        return
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            copy_volatile(path, target / path.name, f"{label}/{path.name}")
        elif stat.S_ISREG(mode):
            copy_file(path, target / path.name)
        else:
            raise InvalidRunError(
                "neither a file nor a folder", where=f"{label}/{path.name}", hint="move it out of volatile/"
            )


def copy_file(source: Path, target: Path) -> None:
    """Copy one file to where nothing stands, durably."""
    with source.open("rb") as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)
        close_synced(copy)
