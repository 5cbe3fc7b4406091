"""The work tree beside a commit: what stands in it at a path, and whether that is what is committed there.

It is read for what it would change, never to judge by. Files are compared by the object id that git would give them;
of large runs, those that the index knows and that have not been touched since are not read again, as `git status` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from runstore.errors import InvalidRunError, PolicyError
from runstore.git.process import run
from runstore.git.repository import Entry
from runstore.git.standing import digest_of_blob
from runstore.git.tree import GitSource
from runstore.source import FolderSource

_FILE_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_LARGE_BYTES = 8 * 1024 * 1024
_INDEXED = re.compile(
    rb"\d+ ([0-9a-f]+) 0\t([^\0]*)\0  ctime: (\d+):(\d+)\n  mtime: (\d+):(\d+)\n"
    rb"  dev: \d+\tino: (\d+)\n  uid: \d+\tgid: \d+\n  size: (\d+)\tflags: [0-9a-f]+\n"
)
_SECOND_NS = 10**9
Known = tuple[str, tuple[int, ...]]
"""Object id; times of the change and of the edit, inode and size, by which a file is known again."""


class WorkTree:
    """The files below the top of a work tree."""

    place = "the work tree"
    is_committed = False

    def __init__(self, root: Path, index: Path) -> None:
        """`index`: the file in which git keeps what it knows of the work tree."""
        self._root = root
        self._index = index

    def tree(self, path: str) -> FolderSource | None:
        """The folder at a path; None if there is none, or a link leads to it."""
        folder = self._root / path
        if any(one.is_symlink() for one in self._steps(path)) or not folder.is_dir():
            return None
        return FolderSource(folder, f"{self.place}:{path}")

    def read(self, path: str) -> bytes | None:
        """The bytes of a small file; None if there is none. Raises PolicyError for what is no file, or not small."""
        file, where = self._root / path, f"{self.place}:{path}"
        if any(one.is_symlink() for one in self._steps(path)) or (file.exists() and not file.is_file()):
            raise PolicyError("not a file", where=where, hint="a policy that cannot be read is not passed over")
        if not file.exists():
            return None
        if file.stat().st_size > _FILE_BYTES:
            raise PolicyError(f"larger than {_FILE_BYTES} bytes", where=where)
        return file.read_bytes()

    def _steps(self, path: str) -> list[Path]:
        parts = path.split("/")
        return [self._root.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]

    def has(self, path: str, committed: Entry | None) -> bool:
        """Whether the file at a path is the one that is committed, or neither is there.

        What a sparse checkout leaves out is not missing.
        """
        try:
            found = self.read(path)
        except PolicyError:
            return False
        if found is None:
            return committed is None or self._is_sparse
        return committed is not None and committed.is_file and _id_of(found, committed.oid) == committed.oid

    def holds(self, path: str, committed: GitSource | None) -> bool:
        """Whether the runs at a path are those that are committed, byte for byte, or left out as in `has`."""
        here = self.tree(path)
        if here is None or committed is None:
            nothing = here is None and not (self._root / path).is_symlink()
            return nothing and (committed is None or self._is_sparse)
        try:
            if here.is_run != committed.is_run:
                return False
            if here.is_run:
                return self._same(path, here, committed)
            names = here.runs()
            return names == committed.runs() and all(
                self._same(f"{path}/{name}", here.child(name), committed.child(name)) for name in names
            )
        except InvalidRunError:
            return False

    def _same(self, path: str, here: FolderSource, committed: GitSource) -> bool:
        sizes = here.sizes()
        if sizes != committed.sizes():
            return False
        known = self._known(path) if sum(sizes.values()) >= _LARGE_BYTES else {}
        return all(
            _is_known(known.get(f"{path}/{name}"), self._root / path / name, committed.oid(name))
            or _is_blob(self._root / path / name, size, committed.oid(name))
            for name, size in sizes.items()
        )

    @cached_property
    def _is_sparse(self) -> bool:
        """Whether the clone checks out only a part of its files."""
        return run("config", "--get", "--type=bool", "core.sparseCheckout", codes=(0, 1)).strip() == b"true"

    def _known(self, path: str) -> Mapping[str, Known]:
        """What the index knows of the files below a path, but for those edited in the moment when it was written."""
        try:
            written = self._index.stat().st_mtime_ns
        except OSError:
            return {}
        words = ("-C", str(self._root), "ls-files", "-s", "-z", "--debug", "--", path)
        known = {}
        for found in _INDEXED.finditer(run(*words)):
            oid, name, *numbers = found.groups()
            change_s, change_ns, edit_s, edit_ns, inode, size = map(int, numbers)
            edit = edit_s * _SECOND_NS + edit_ns
            if edit < written:
                known[os.fsdecode(name)] = oid.decode(), (change_s * _SECOND_NS + change_ns, edit, inode, size)
        return known


def _is_known(known: Known | None, file: Path, oid: str) -> bool:
    """Whether a file is the one that the index knows by an object id, untouched since."""
    if known is None or known[0] != oid:
        return False
    now = file.lstat()
    return known[1] == (now.st_ctime_ns, now.st_mtime_ns, now.st_ino & 0xFFFFFFFF, now.st_size)


def _is_blob(file: Path, size: int, oid: str) -> bool:
    """Whether a file is the blob of an object id."""
    digest = digest_of_blob(oid, size)
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest() == oid


def _id_of(data: bytes, oid: str) -> str:
    """The object id of a blob, by the algorithm of another."""
    digest = digest_of_blob(oid, len(data))
    digest.update(data)
    return digest.hexdigest()
