"""A place in git: a ref, or the merge base of two, and a path there. Text in, value out; git is not asked."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from runstore.errors import UsageError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_ON_DISK = ("/", "./", "../")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ref:
    """What names a commit: `ref`, or with `fork` the commit at which `ref` left it: the merge base of both."""

    ref: str
    fork: str | None = None

    @property
    def text(self) -> str:
        """As it was typed."""
        return self.ref if self.fork is None else f"{self.fork}...{self.ref}"


@dataclass(frozen=True, kw_only=True, slots=True)
class GitPlace:
    """A path at a commit. It starts at the root of the repository; with `./` or `../` at the working folder."""

    at: Ref
    path: str

    @property
    def text(self) -> str:
        """As it was typed."""
        return f"{self.at.text}:{self.path}"


def read_ref(text: str) -> Ref:
    """`REF`, or `A...B`: the merge base of both. Raises UsageError."""
    if not text or text.startswith("-") or _CONTROL.search(text):
        raise UsageError(f"{text!r} is no ref of git", hint="a ref is a branch, a tag or a commit: origin/main")
    fork, dots, ref = text.partition("...")
    if not dots:
        if ".." in text:
            raise UsageError(f"{text} is a range of commits", hint="`A...B` is the merge base of both")
        return Ref(ref=text)
    if not fork or not ref or ref.startswith((".", "-")) or ".." in ref:
        raise UsageError(f"{text} does not name two commits", hint="for example: origin/main...HEAD")
    return Ref(ref=ref, fork=fork)


def read_place(text: str) -> GitPlace | None:
    """The place that `REF:path` or `A...B:path` names; None if the text can only be a path on disk.

    Raises UsageError for what looks like such a place and is none.
    """
    if text.startswith(_ON_DISK) or _DRIVE.match(text):
        return None
    at = _colon(text)
    if at is None:
        return None
    if at == 0:
        raise UsageError(f"{text}: there is no ref before the colon", hint=f"name one, or write ./{text} for a path")
    return GitPlace(at=read_ref(text[:at]), path=text[at + 1 :])


def _colon(text: str) -> int | None:
    """Where the ref ends: at the first colon that does not stand in braces, as in `HEAD^{/fix: it}:path`."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == ":" and depth <= 0:
            return index
    return None


def normal(path: str, prefix: str) -> str:
    """A path from the root of the repository, without `.` and `..`; the root itself is empty. Raises UsageError.

    `prefix` is the working folder from the root: where a path that begins with `./` or `../` starts.
    """
    if path.startswith("/") or "\x00" in path:
        raise UsageError(f"{path!r} is no path in a repository", hint="it starts at the root: origin/main:baselines/qa")
    relative = path.startswith(("./", "../")) or path in (".", "..")
    found = posixpath.normpath(posixpath.join(prefix if relative else "", path))
    if found == ".." or found.startswith("../"):
        raise UsageError(f"{path} leads out of the repository", hint="it starts at the root: origin/main:baselines/qa")
    return "" if found == "." else found
