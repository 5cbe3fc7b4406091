"""The folder of large texts beside runs: texts and their digests in, files out, durable before any run names them.

A text stands at `.texts/ab/DIGEST.txt` and never changes; what stands there already is not written again. New texts are
built in the hidden folder of the run that needs them and moved here before it takes its place. So a crash leaves at
most a text that no run names. Who adds texts holds a lock on the folder, shared with others who do, until the run is in
place; who removes texts holds it alone.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from runstore import large_text
from runstore.errors import InvalidRunError, UsageError
from runstore.large_text import Reference
from runstore.source import open_plain
from runstore.store.durable import close_synced, named_errors, sync_folder

_BLOCK_BYTES = 1024 * 1024
_REMEMBERED = 4096
_CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # some network shares


class TextFolder:
    """The large texts of the runs in one folder, `parent`. Texts are first put into `build`, which is the writer's."""

    def __init__(self, parent: Path, build: Path) -> None:
        """Touches nothing."""
        self._parent = parent
        self._folder = parent / large_text.FOLDER
        self._build = build
        self._lock: int | None = None
        self._seen: set[str] = set()
        self._relied_on: set[str] = set()
        """Where texts stand that were there already: whoever put them there may not have flushed the folder yet."""

    def add(self, text: bytes) -> None:
        """Have a text there when the run is. Raises InvalidRunError for links in the way, OSError."""
        reference = large_text.reference_of(text)
        if not self.has(reference):
            self.copy(reference, BytesIO(text), "the text")

    def has(self, reference: Reference) -> bool:
        """Whether a text need not be added: it is there, or built already."""
        self.share()
        fan, name = large_text.path_of(reference.sha256)
        return (self._build / fan / name).exists() or self._is_there(reference.sha256, reference.size)

    def copy(self, reference: Reference, source: BinaryIO, where: str) -> None:
        """Have a text there that `has` it not. Raises InvalidRunError if what the source holds is another one."""
        place = self._new_place(reference.sha256)
        digest = hashlib.sha256()
        with named_errors(place), place.open("xb") as file:
            try:
                while (block := source.read(_BLOCK_BYTES)) and file.tell() <= reference.size:
                    digest.update(block)
                    file.write(block)
                if digest.hexdigest() != reference.sha256:
                    raise InvalidRunError("the large text was changed", where=where, hint="restore it, or run again")
                close_synced(file)
            except BaseException:
                place.unlink()  # a part of a text is none
                raise

    def _is_there(self, sha256: str, size: int) -> bool:
        """Whether the text stands there whole. What is something else under its name counts as missing."""
        if self._lock is None:
            return False
        if sha256 in self._seen:  # it was whole, and nobody removes it now
            return True
        file = open_plain(self._parent, (large_text.FOLDER, *large_text.path_of(sha256)))
        if file is None:
            return False
        with file:
            if os.fstat(file.fileno()).st_size != size:
                return False
            digest = hashlib.sha256()
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
            if digest.hexdigest() != sha256:
                return False
            with named_errors(self._folder):
                os.fsync(file.fileno())  # a checkout of git, or a copy, has not flushed it
        self._relied_on.add(large_text.path_of(sha256)[0])
        if len(self._seen) == _REMEMBERED:
            self._seen.clear()
        self._seen.add(sha256)
        return True

    def _new_place(self, sha256: str) -> Path:
        fan, name = large_text.path_of(sha256)
        (self._build / fan).mkdir(parents=True, exist_ok=True)
        return self._build / fan / name

    def share(self) -> None:
        """Keep those who remove texts away until `close`, if there is a folder of texts; wait until they are done."""
        if self._lock is None and (found := _opened(self._folder)) is not None:
            self._lock = found
            with named_errors(self._folder):
                _locked(self._lock, fcntl.LOCK_SH)

    def publish(self) -> None:
        """Move what was built to its place, durably. Call it before the run takes its place."""
        fans = sorted(self._build.iterdir()) if self._build.is_dir() else []
        if not fans and not self._relied_on:
            return
        _make_folder(self._folder)
        self.share()
        for fan in fans:
            _make_folder(self._folder / fan.name)
            for text in sorted(fan.iterdir()):
                if not self._is_there(text.name.removesuffix(".txt"), text.stat().st_size):
                    text.replace(self._folder / fan.name / text.name)
            self._relied_on.add(fan.name)
        self.flush()
        if fans:
            shutil.rmtree(self._build)

    def flush(self) -> None:
        """Make durable that the texts stand there that were there already."""
        for name in sorted(self._relied_on):
            sync_folder(self._folder / name)
        if self._relied_on:
            sync_folder(self._folder)
            sync_folder(self._parent)
        self._relied_on.clear()

    def close(self) -> None:
        """Let others remove texts."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._seen.clear()


class Sweep:
    """A folder of texts, held alone: no writer that adds to it is at work, and none begins. Close it when done."""

    def __init__(self, parent: Path, label: str) -> None:
        """Raises UsageError if a writer is at work, or the file system cannot tell; InvalidRunError for a link."""
        self.folder = parent / large_text.FOLDER
        self.label = f"{label}/{large_text.FOLDER}"
        found = _opened(self.folder)
        if found is None:
            raise UsageError(f"{self.label} is gone", hint="call again")
        self._lock = found
        try:
            if not _locked(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
                raise UsageError(f"{self.label}: this file system cannot lock", hint="no text is removed in doubt")
        except BlockingIOError:
            self.close()
            raise UsageError(
                f"{self.label}: a run is being written here", hint="wait until it is done, and call again"
            ) from None
        except BaseException:
            self.close()
            raise

    def name_of(self, sha256: str) -> str:
        """The path of a text, as people know it."""
        return "/".join((self.label, *large_text.path_of(sha256)))

    def texts(self) -> list[tuple[str, int]]:
        """SHA-256 and size of every text that stands here, sorted. Raises InvalidRunError for what is no text."""
        found = []
        for fan in sorted(self.folder.iterdir()):
            if fan.name.startswith("."):
                continue  # attributes for git, or what a desktop leaves
            if not stat.S_ISDIR(fan.lstat().st_mode):
                raise self._stray(fan)
            for path in sorted(fan.iterdir()):
                facts = path.lstat()
                sha256 = path.name.removesuffix(".txt")
                if not stat.S_ISREG(facts.st_mode) or not _is_place(sha256, fan.name, path.name):
                    raise self._stray(path)
                found.append((sha256, facts.st_size))
        return found

    def _stray(self, path: Path) -> InvalidRunError:
        where = f"{self.label}/{path.relative_to(self.folder).as_posix()!a}"
        return InvalidRunError("is no text", where=where, hint="move it away: only texts belong here")

    def remove(self, digests: list[str]) -> None:
        """Remove texts, durably; a folder that is left empty goes, too."""
        for sha256 in digests:
            fan, name = large_text.path_of(sha256)
            (self.folder / fan / name).unlink()
        for fan in sorted({large_text.path_of(sha256)[0] for sha256 in digests}):
            if any((self.folder / fan).iterdir()):
                sync_folder(self.folder / fan)
            else:
                (self.folder / fan).rmdir()
        sync_folder(self.folder)

    def close(self) -> None:
        """Let writers go on."""
        os.close(self._lock)


def _is_place(sha256: str, fan: str, name: str) -> bool:
    try:
        return large_text.path_of(sha256) == (fan, name)
    except InvalidRunError:
        return False


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir()
    except FileExistsError:
        if folder.is_symlink() or not folder.is_dir():
            raise _no_folder(folder) from None


def _no_folder(folder: Path) -> InvalidRunError:
    return InvalidRunError(
        "a link or a file where large texts are to stand", where=str(folder), hint="replace it by a folder"
    )


def _opened(folder: Path) -> int | None:
    """A descriptor of a folder, None if there is none. Raises InvalidRunError for anything else."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _no_folder(folder) from None
        raise


def _locked(descriptor: int, how: int) -> bool:
    """Lock a folder; whether the file system can."""
    try:
        fcntl.flock(descriptor, how)
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise
        return False
    return True
