"""Reading objects: an object id in, its bytes as a stream out, by `git cat-file --batch`.

A process serves one stream at a time. A second stream at the same time gets a process of its own, and both are used
again; so there are as many processes as streams that were ever open at once, however many files are read. A process
that was forked off starts its own.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from io import RawIOBase
from typing import BinaryIO, cast

from runstore.git.process import GitError, failure, start

_DRAINED_BYTES = 4 * 1024 * 1024
_DRAIN_BYTES = 256 * 1024


class Blobs:
    """The objects of a repository. Close it when done."""

    def __init__(self, *where: str) -> None:
        """`where`: options of git that say which repository, if it is not that of the working folder."""
        self._where = where
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: list[subprocess.Popen[bytes]] = []
        self._owner = os.getpid()
        self._inherited: list[subprocess.Popen[bytes]] = []

    def open(self, oid: str, name: str) -> BinaryIO:
        """The bytes of a blob from its start; `name` is how errors call it. Raises GitError."""
        self._leave_to_parent()
        process = self._idle.pop() if self._idle else self._start()
        try:
            size, begun = _ask(process, oid, name)
        except BaseException:
            self._end(process)
            raise
        return cast(BinaryIO, _Stream(self, process, size, begun, name))

    def read(self, oid: str, name: str) -> bytes:
        """A whole blob that is known to be small. Raises GitError."""
        with self.open(oid, name) as file:
            return b"".join(iter(lambda: file.read(_DRAIN_BYTES), b""))

    def close(self) -> None:
        """End all processes."""
        self._leave_to_parent()
        for process in list(self._all):
            self._end(process)

    def give_back(self, process: subprocess.Popen[bytes], left: int) -> None:
        """Take back the process of a stream of which some bytes, and the line feed behind them, were not read."""
        if process not in self._all:
            return
        assert process.stdout is not None
        while 0 < left <= _DRAINED_BYTES:
            data = process.stdout.read(min(left, _DRAIN_BYTES))
            left = left - len(data) if data else _DRAINED_BYTES + 1
        if left:
            self._end(process)
        else:
            self._idle.append(process)

    def _start(self) -> subprocess.Popen[bytes]:
        process = start(*self._where, "cat-file", "--batch", buffer_bytes=0)
        self._all.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._all.remove(process)
        if process in self._idle:
            self._idle.remove(process)
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):  # what was not sent is not wanted any more
                pipe.close()
        process.wait()

    def _leave_to_parent(self) -> None:
        """In a process that was forked off: what was started before it is the parent's, who uses and ends it."""
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self._inherited += self._all
            self._idle, self._all = [], []


def _ask(process: subprocess.Popen[bytes], oid: str, name: str) -> tuple[int, bytes]:
    """Ask for an object; the number of its bytes, and the first of what follows: the bytes and a line feed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):  # it has ended: it says why below
        process.stdin.write(f"{oid}\n".encode())
    begun = b""
    while b"\n" not in begun and (data := process.stdout.read(_DRAIN_BYTES)):
        begun += data
    line, _, begun = begun.partition(b"\n")
    answer = line.split()
    if len(answer) == 3:
        return int(answer[2]), begun
    if answer[1:] == [b"missing"]:
        raise missing(name)
    raise _ended(process, name)


def missing(name: str) -> GitError:
    """The error for an object that is not in the clone."""
    hint = "in a partial clone fetch all of it: git fetch --refetch --no-filter; if not, see: git fsck"
    return GitError("its bytes are not in this clone", where=name, hint=hint)


def _ended(process: subprocess.Popen[bytes], name: str) -> GitError:
    """The error for a process that ended while it was asked."""
    process.kill()
    assert process.stderr is not None
    error = failure(process.stderr.read())
    return GitError(error.message, where=name, hint=error.hint)


class _Stream(RawIOBase):
    """The bytes of one blob."""

    def __init__(self, blobs: Blobs, process: subprocess.Popen[bytes], size: int, begun: bytes, name: str) -> None:
        super().__init__()
        self._blobs = blobs
        self._process: subprocess.Popen[bytes] | None = process
        self._begun = begun
        """What was read with the answer."""
        self._left = size + 1
        """Bytes not yet handed out; a line feed stands behind those of the blob."""
        self._name = name

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, fewer only at the end; all that are left if it is negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_DRAIN_BYTES), b""))
        wanted = min(size, self._left - 1)
        if wanted == 0 or self._process is None:
            return b""
        data, self._begun = self._begun[:wanted], self._begun[wanted:]
        if len(data) < wanted:
            data = self._filled(data, wanted, self._process)
        self._left -= wanted
        return data

    def _filled(self, begun: bytes, wanted: int, process: subprocess.Popen[bytes]) -> bytes:
        """As many bytes as are wanted: a pipe hands out few at a time, and many small blocks cost more than one."""
        data, count = bytearray(wanted), len(begun)
        data[:count] = begun
        file, view = cast(RawIOBase, process.stdout), memoryview(data)
        while count < wanted:
            more = file.readinto(view[count:])
            if not more:
                self._process = None
                raise _ended(process, self._name)
            count += more
        return bytes(data)

    def close(self) -> None:
        """Give the process back; what was not read is passed over."""
        if self._process is not None:
            process, self._process = self._process, None
            self._blobs.give_back(process, self._left - len(self._begun))
        super().close()
