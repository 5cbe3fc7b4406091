"""A run, or a tree of runs, at a commit of a git repository: blobs in, the same files out that a folder would have."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

from runstore import large_text
from runstore.errors import InvalidRunError, UsageError
from runstore.git.blobs import Blobs, missing
from runstore.git.place import GitPlace, normal
from runstore.git.repository import Entry, Repository
from runstore.git.standing import open_standing
from runstore.source import VOLATILE, checked_path, claims_to_be_run

_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_LFS_BYTES = range(len(_LFS) + 64, 1024)
_LAST = "\U0010ffff"


class GitSource:
    """The files below one path of a commit."""

    def __init__(
        self,
        blobs: Blobs,
        label: str,
        entries: Mapping[str, Entry],
        beside: Callable[[], Mapping[str, Entry]] = dict,
        standing: Path | None = None,
    ) -> None:
        """`entries`: relative path → what stands there, folders included.

        `beside` lists the large texts beside a run: path from the folder above → what stands there. `standing` is where
        the same path stands in the work tree, whose files are read where they are shown to be the very objects.
        """
        self._standing = standing
        self._blobs = blobs
        self._beside = beside
        self._label = label
        self._entries = entries
        self._paths = sorted(entries)

    @property
    def label(self) -> str:
        """The place as it was typed."""
        return self._label

    @property
    def is_run(self) -> bool:
        """Whether these files claim to be a run."""
        return claims_to_be_run(self._entries.__contains__)

    def oid(self, path: str) -> str:
        """The object id of a listed file."""
        return self._entries[path].oid

    def sizes(self) -> dict[str, int]:
        """Path → size of every file; a symbolic link or a submodule is refused (InvalidRunError).

        Raises UsageError for what is not in this clone: a blob of a partial one, or what Git LFS keeps elsewhere.
        """
        return {path: self._size(path, entry) for path, entry in self._files()}

    def _files(self) -> Iterator[tuple[str, Entry]]:
        for path in self._paths:
            entry = self._entries[checked_path(path, self._label)]
            if entry.kind != "tree" and not path.startswith(f"{VOLATILE}/"):
                yield path, entry

    def _size(self, path: str, entry: Entry) -> int:
        where = f"{self._label}/{path}"
        if not entry.is_file:
            raise InvalidRunError("neither a file nor a folder", where=where, hint="replace links by files")
        if entry.size is None:
            raise missing(where)
        if entry.size in _LFS_BYTES and self._blobs.read(entry.oid, where).startswith(_LFS):
            raise UsageError(
                "a pointer of Git LFS: the file itself is not in git",
                where=where,
                hint="a baseline stands in git itself: git lfs migrate export --include=PATH",
            )
        return entry.size

    def open(self, path: str) -> BinaryIO:
        """Open a listed file for reading."""
        entry = self._entries[path]
        if self._standing is not None and entry.size is not None:
            found = open_standing(self._standing / path, entry.oid, entry.size)
            if found is not None:
                return found
        return self._blobs.open(entry.oid, f"{self._label}/{path}")

    def open_volatile(self, name: str) -> BinaryIO | None:
        """Open a file of `volatile/`, which is in git only if someone put it there."""
        path = f"{VOLATILE}/{name}"
        entry = self._entries.get(path)
        if entry is None:
            return None
        self._size(path, entry)
        return self.open(path)

    def runs(self) -> list[str]:
        """Relative paths of the run folders below this place, sorted; hidden folders are passed over.

        Raises InvalidRunError for a link or a submodule among them: it may stand for a run.
        """
        found: list[str] = []
        inside = ""
        for path in self._paths:
            if inside and path.startswith(inside):
                continue
            if any(part.startswith(".") for part in path.split("/")):
                continue
            entry = self._entries[checked_path(path, self._label)]
            if entry.kind != "tree" and not entry.is_file:
                where = f"{self._label}/{path}"
                raise InvalidRunError("a link among runs", where=where, hint="put the folder itself there")
            if entry.kind == "tree" and self._claims(path):
                found.append(path)
                inside = f"{path}/"
        return sorted(found)

    def _claims(self, folder: str) -> bool:
        return claims_to_be_run(lambda name: f"{folder}/{name}" in self._entries)

    def child_if_run(self, path: str) -> GitSource | None:
        """The run at a relative path below this one, if there is one."""
        return self.child(path) if self._claims(path) else None

    def child(self, path: str) -> GitSource:
        """The files below a relative path."""
        start = f"{path}/"
        here = slice(bisect_left(self._paths, start), bisect_left(self._paths, f"{start}{_LAST}"))
        entries = {one.removeprefix(start): self._entries[one] for one in self._paths[here]}
        standing = self._standing and self._standing / path
        return GitSource(self._blobs, f"{self._label}/{path}", entries, lambda: self._texts_beside(path), standing)

    def _texts_beside(self, path: str) -> Mapping[str, Entry]:
        above = path.rpartition("/")[0]
        start = f"{above}/" if above else ""
        texts = f"{start}{large_text.FOLDER}/"
        here = slice(bisect_left(self._paths, texts), bisect_left(self._paths, f"{texts}{_LAST}"))
        return {one.removeprefix(start): self._entries[one] for one in self._paths[here]}

    def open_text(self, sha256: str) -> BinaryIO | None:
        """Open a large text that stands beside this run at the same commit.

        Raises InvalidRunError for a symbolic link, UsageError for what is not in this clone.
        """
        path = "/".join((large_text.FOLDER, *large_text.path_of(sha256)))
        entry = self._texts.get(path)
        if entry is None:
            return None
        if not entry.is_file:
            raise InvalidRunError("neither a file nor a folder of texts", where=path, hint="replace links by files")
        return self._blobs.open(entry.oid, path)

    @cached_property
    def _texts(self) -> Mapping[str, Entry]:
        return self._beside()


def tree_of_place(repository: Repository, place: GitPlace) -> GitSource:
    """The files below a path of a commit. Raises UsageError if there is no such commit, or no folder."""
    commit, path = repository.commit(place.at), normal(place.path, repository.prefix)
    beside = partial(_texts_beside, repository, commit, path)
    found = tree_of(repository, repository.entries(commit, [path]), path, place.text, beside)
    if found is None:
        raise no_folder(repository, commit, path, place.text)
    return found


def _texts_beside(repository: Repository, commit: str, path: str) -> Mapping[str, Entry]:
    """The large texts beside a run at a commit: path from the folder above it → what stands there."""
    above = path.rpartition("/")[0]
    start = f"{above}/" if above else ""
    found = repository.entries(commit, [f"{start}{large_text.FOLDER}"]) if path else {}
    return {one.removeprefix(start): entry for one, entry in found.items()}


def tree_of(
    repository: Repository,
    entries: Mapping[str, Entry],
    path: str,
    label: str,
    beside: Callable[[], Mapping[str, Entry]] = dict,
) -> GitSource | None:
    """The files below a path, of entries of a commit; None if there are none. Raises UsageError if it is no folder."""
    here = entries.get(path)
    if path and here is not None and here.kind != "tree":
        what = "a submodule: run the gate inside it" if here.kind == "commit" else "not a folder"
        raise UsageError(f"{label}: {what}", hint="a run is a folder with a manifest.json")
    start = f"{path}/" if path else ""
    below = {one.removeprefix(start): entry for one, entry in entries.items() if one.startswith(start) and one != path}
    standing = repository.root and repository.root / path
    return GitSource(repository.blobs, label, below, beside, standing) if below else None


def no_folder(repository: Repository, commit: str, path: str, label: str) -> UsageError:
    """The error for a path of a commit at which there is no folder."""
    return UsageError(f"{label}: no such folder at that commit", hint=_why(repository, commit, path))


def _why(repository: Repository, commit: str, path: str) -> str:
    """Why there is no folder at a path: what to look at next."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        above = "/".join(parts[:count])
        kind = repository.kind(commit, above)
        if kind == "commit":
            return f"{above} is a submodule: run the gate inside it"
        if kind != "tree":
            break
    return (
        "the path starts at the root of the repository, with ./ at the working folder; a new baseline is merged first"
    )
