"""The commits that changed a path: a commit in, commits newest first out, all listed by one process of git."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from runstore.git.process import run

_FIELDS = ("%ct", "%an", "%s")
_LATEST_S = 253_402_300_800  # the year 10000


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A commit that changed the path. Author and subject are whatever someone wrote: one line each, not safe to print.

    `parents` are the nearest commits before it that changed the path; `seconds` is when it was committed, since 1970.
    """

    oid: str
    parents: tuple[str, ...]
    seconds: int | None
    author: str
    subject: str

    @property
    def time(self) -> str:
        """When it was committed, in UTC: `2026-01-31T12:00:00Z`; empty if the commit does not say so."""
        if self.seconds is None or not 0 <= self.seconds < _LATEST_S:
            return ""
        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def day(self) -> str:
        """The day of `time`."""
        return self.time[:10]


def commits(tip: str, path: str, prefix: str, *, first_parent: bool) -> list[Commit]:
    """The commits up to `tip` that changed what stands at a path, newest first. Raises GitError.

    `path` and `prefix`, the working folder, are paths from the root of the repository.

    `first_parent`: what was merged counts as one change, that of the merge. Otherwise a merge is followed to where it
    took the path from whole, and told only if it took it from nowhere, as `git log` does.
    """
    words = ["rev-list", "--topo-order", "--parents", "--encoding=UTF-8", f"--format={'%n'.join(_FIELDS)}"]
    words += ["--first-parent"] if first_parent else []
    seen = posixpath.relpath(path, prefix) if prefix else path  # git takes paths from the working folder
    found = run(*words, tip, "--", *([seen] if path else []))
    return list(_commits(iter(found.decode(errors="replace").split("\n"))))


def _commits(lines: Iterator[str]) -> Iterator[Commit]:
    """A line with the ids, and a line each for the fields: none of them can hold a line feed."""
    for head in lines:
        if not head:
            return  # after the last line feed
        _, oid, *parents = head.split(" ")
        seconds, author, subject = islice(lines, len(_FIELDS))
        yield Commit(
            oid=oid,
            parents=tuple(parents),
            seconds=int(seconds) if seconds.isdecimal() else None,
            author=author,
            subject=subject,
        )


def cuts() -> frozenset[str]:
    """The commits of a shallow clone at which its history ends, though it goes on elsewhere."""
    file = Path(os.fsdecode(run("rev-parse", "--git-path", "shallow")).removesuffix("\n"))
    return frozenset(file.read_text(encoding="ascii").split()) if file.exists() else frozenset()


def files(commit: str) -> list[str]:
    """The paths of all files of a commit."""
    found = run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    return [os.fsdecode(path) for path in found.split(b"\0")[:-1]]
