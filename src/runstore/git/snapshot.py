"""What stands at some paths of a commit: a tree of runs, or the bytes of a file. All of it is listed by one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runstore.errors import PolicyError
from runstore.git.repository import Entry, Repository
from runstore.git.tree import GitSource, tree_of

_FILE_BYTES = 1024 * 1024


class Snapshot:
    """Some paths of a commit. `place` is how it is called: `origin/main`, `HEAD`."""

    is_committed = True

    def __init__(self, repository: Repository, commit: str, place: str, paths: Sequence[str]) -> None:
        self._repository = repository
        self.commit = commit
        self.place = place
        self._entries = repository.entries(commit, list(dict.fromkeys(paths)))

    def tree(self, path: str) -> GitSource | None:
        """The files below a path; None if there is no such folder."""
        here = self._entries.get(path)
        if here is not None and here.kind != "tree":
            return None
        return tree_of(self._repository, self._entries, path, f"{self.place}:{path}")

    def read(self, path: str) -> bytes | None:
        """The bytes of a small file; None if there is none. Raises PolicyError for what is no file, or not small."""
        entry = self._entries.get(path)
        where = f"{self.place}:{path}"
        if entry is None:
            return None
        if not entry.is_file:
            raise PolicyError("not a file", where=where, hint="a policy that cannot be read is not passed over")
        if entry.size is not None and entry.size > _FILE_BYTES:
            raise PolicyError(f"larger than {_FILE_BYTES} bytes", where=where)
        return self._repository.blobs.read(entry.oid, where)

    def below(self, path: str) -> Mapping[str, tuple[str, str]]:
        """Path → mode and object of what stands at a path and below it: equal if all of it is."""
        start = f"{path}/"
        return {
            name: (entry.mode, entry.oid)
            for name, entry in self._entries.items()
            if (name == path or name.startswith(start)) and entry.kind != "tree"
        }

    def entry(self, path: str) -> Entry | None:
        """What stands at a path."""
        return self._entries.get(path)
