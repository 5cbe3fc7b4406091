"""Reading many objects, one after the other, through one process of `git cat-file --batch`.

Unlike `blobs`, a name may be that of a path at a commit, and one that names nothing is an answer, not an error.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from runstore.errors import InvalidRunError
from runstore.git.blobs import missing
from runstore.git.process import GitError, failure, start

_BLOCK_BYTES = 1024 * 1024
_FILE = b"100"


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """What stands in a folder under a name; only a regular file has `is_file`."""

    oid: str
    is_file: bool


class Objects:
    """The objects of a repository. Close it when done."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def folder(self, commit: str, path: str) -> Mapping[str, Member] | None:
        """Name → what stands there, directly in the folder at a path of a commit; None if there is no folder."""
        found = self._ask(f"{commit}:{path}")
        if found is None:
            return None
        oid, kind, size = found
        data = b"".join(self._blocks(size, path))
        return dict(_members(data, len(oid) // 2)) if kind == b"tree" else None

    def blocks(self, oid: str, name: str) -> Iterator[bytes]:
        """The bytes of a blob, to be read to their end. `name` is how errors call it. Raises GitError."""
        found = self._ask(oid)
        if found is None:
            raise missing(name)
        yield from self._blocks(found[2], name)

    def read(self, oid: str, name: str, most: int) -> bytes:
        """A whole blob. Raises GitError, and InvalidRunError if it is larger than `most` bytes."""
        parts: list[bytes] = []
        size = 0
        for block in self.blocks(oid, name):
            size += len(block)
            if size <= most:
                parts.append(block)
            else:
                parts.clear()
        if size > most:
            raise InvalidRunError(f"larger than {most} bytes", where=name)
        return b"".join(parts)

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                _open(pipe).close()
        process.wait()

    def _ask(self, name: str) -> tuple[str, bytes, int] | None:
        """Object id, kind and size of what is named; its bytes follow."""
        if self._process is None:
            self._process = start("cat-file", "--batch")
        process = self._process
        with suppress(BrokenPipeError):  # it has ended: it says why below
            _open(process.stdin).write(os.fsencode(name) + b"\n")
            _open(process.stdin).flush()
        answer = _open(process.stdout).readline()
        if answer.endswith(b" missing\n"):
            return None
        words = answer.split()
        if len(words) != 3:
            raise self._ended(name)
        return words[0].decode(), words[1], int(words[2])

    def _blocks(self, size: int, name: str) -> Iterator[bytes]:
        assert self._process is not None
        stream = _open(self._process.stdout)
        left = size
        while left:
            block = stream.read(min(left, _BLOCK_BYTES))
            if not block:
                raise self._ended(name)
            left -= len(block)
            yield block
        stream.read(1)  # a line feed stands behind the bytes

    def _ended(self, name: str) -> GitError:
        assert self._process is not None
        self._process.kill()
        error = failure(_open(self._process.stderr).read())
        return GitError(error.message, where=name, hint=error.hint)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _members(data: bytes, id_bytes: int) -> Iterator[tuple[str, Member]]:
    """`mode SP name NUL id`, again and again: the form of a tree in git."""
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + id_bytes
        yield os.fsdecode(name), Member(oid=data[end + 1 : at].hex(), is_file=mode.startswith(_FILE) and len(mode) == 6)
