"""The versions that git merges: the blob of a file in; the run that it stands in, at some commit, out.

Git tells a merge driver the bytes of one path and not which commits are merged. Ours is HEAD; in a merge theirs is
given, and the base is where they have left each other. Where that is not so, all commits are looked at that have had
exactly that blob at that path. What a manifest says of its siblings holds wherever it stands; another file may stand in
several runs, and where these differ nothing is guessed: a stash with the same totals is not the run that is meant.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.git import process
from runstore.git.repository import Repository
from runstore.git.snapshot import Snapshot
from runstore.git.tree import GitSource

_MANIFEST = "manifest.json"
_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "refs/stash", "ORIG_HEAD")
_GIVEN = re.compile(r"GITHEAD_([0-9a-f]{40}|[0-9a-f]{64})\Z")
_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_HASHES = {40: "sha1", 64: "sha256"}
_MOST_COMMITS = 20_000
_MOST_RUNS = 20
_COUNTED = ("files", "identity", "metrics", "slices")
"""What of a manifest says which records the run holds, and what they mean."""


class Role(Enum):
    """Which of the three versions it is; the value is how people know it."""

    BASE = "the base"
    OURS = "ours"
    THEIRS = "theirs"


class Versions:
    """The commits of a repository in which versions of one path may stand. Ask as many times as needed."""

    def __init__(self, repository: Repository, path: str, environment: Mapping[str, str]) -> None:
        """`path` is seen from the root of the repository; `environment` may name the commits that are merged."""
        self._repository = repository
        self._path = path
        self._folder = posixpath.dirname(path)
        self._given = [match[1] for name in sorted(environment) if (match := _GIVEN.match(name))]

    def run_with(self, data: bytes, role: Role) -> GitSource | None:
        """The files of the run in which the path holds these bytes; None if it is not found, or not clear which."""
        for commits in self._tiers(role):
            found = self._holders(commits, data)
            if found and self._is_one(list(found)):
                commit = next(iter(found.values()))
                return Snapshot(self._repository, commit, role.value, [self._folder]).tree(self._folder)
            if found:
                return None
        return None

    def _is_one(self, manifests: Sequence[str]) -> bool:
        """Whether these manifests, by their object ids, describe the same records."""
        if len(manifests) == 1 or posixpath.basename(self._path) == _MANIFEST:
            return True
        return len(manifests) <= _MOST_RUNS and len({_counted(manifest) for manifest in manifests}) == 1

    def _tiers(self, role: Role) -> Iterator[Sequence[str]]:
        if role is Role.OURS:
            yield self._head
        elif role is Role.THEIRS:
            yield self._given
        else:
            yield [base for one in self._head for other in self._given for base in self._left(one, other)]
        yield list(dict.fromkeys([*self._head, *self._given, *self._heads, *self._bases, *self._anywhere]))

    def _left(self, one: str, other: str) -> Sequence[str]:
        return self._repository.merge_bases(one, other)

    @cached_property
    def _head(self) -> list[str]:
        return self._resolved(["HEAD"])

    @cached_property
    def _heads(self) -> list[str]:
        return self._resolved(_HEADS)

    @cached_property
    def _bases(self) -> list[str]:
        """Where the sides have left each other; and the parents, which a cherry-pick or a revert begins from."""
        others = [*self._given, *self._heads]
        found = [base for one in self._head for other in others for base in self._left(one, other)]
        parents = [f"{commit}^{number}" for commit in [*self._head, *others] for number in (1, 2)]
        return list(dict.fromkeys([*found, *self._resolved(parents)]))

    @cached_property
    def _anywhere(self) -> list[str]:
        """All commits that have changed the path, of all refs, also of what they once were; newest first.

        Those of the manifest are among them: other records can have the same summary.
        """
        words = ("rev-list", "--all", "--reflog", "--full-history", f"--max-count={_MOST_COMMITS}")
        beside = posixpath.join(self._folder, _MANIFEST)
        return process.run(*words, "--", *dict.fromkeys((self._path, beside))).decode().split()

    def _resolved(self, names: Sequence[str]) -> list[str]:
        answers = _ids([f"{name}^{{commit}}" for name in names])
        return list(dict.fromkeys(answer for answer in answers if answer))

    def _holders(self, commits: Sequence[str], data: bytes) -> dict[str, str]:
        """Object id of a manifest → the first commit that has it beside the wanted bytes."""
        if not commits:
            return {}
        wanted = _blob_id(data, len(commits[0]))
        beside = posixpath.join(self._folder, _MANIFEST)
        answers = _ids([f"{commit}:{path}" for commit in commits for path in (self._path, beside)])
        found: dict[str, str] = {}
        for commit, here, described in zip(commits, answers[::2], answers[1::2], strict=True):
            if here == wanted and described:
                found.setdefault(described, commit)
        return found


def _ids(names: Sequence[str]) -> list[str]:
    """The object id of each name; empty if there is no such object."""
    if not names:
        return []
    asked = os.fsencode("".join(f"{name}\n" for name in names))
    answers = process.run("cat-file", "--batch-check=%(objectname)", stdin=asked).decode(errors="replace").split("\n")
    return [line if _ID.match(line) else "" for line in answers[: len(names)]]


def _counted(manifest: str) -> bytes:
    """What a manifest, by its object id, says of its records; the whole of it if it cannot be read."""
    data = process.run("cat-file", "blob", manifest)
    try:
        value: JsonValue = canonical.decode_document(data)
    except InvalidDataError:
        return data
    return canonical.encode([value.get(name) for name in _COUNTED]) if isinstance(value, dict) else data


def _blob_id(data: bytes, length: int) -> str:
    """The object id of a blob, by the algorithm whose ids have so many digits."""
    return hashlib.new(_HASHES[length], b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
