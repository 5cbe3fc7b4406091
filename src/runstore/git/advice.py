"""What to type so that a commit is there: a ref in, a git command out."""

from __future__ import annotations

import os
import re
import shlex

from runstore.git.process import GitError, run

_FULL_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_STEPS = re.compile(r"[~^]|@\{")


def fetch(ref: str, *, is_shallow: bool) -> str:
    """The command that fetches the commit of a ref that is not in this clone."""
    known = remotes()
    if not known:
        return "this clone has no remote to fetch it from; see: git branch -a"
    name = _STEPS.split(ref)[0]
    if name in ("@", "HEAD", "FETCH_HEAD", ""):
        return deepen() if is_shallow else "there is no such commit; see: git log"
    depth = ["--depth=1"] if is_shallow and name == ref else []
    words = ["git", "fetch", *depth, *_source(name, known)]
    return shlex.join(words) + (f"; {deepen()}" if is_shallow and name != ref else "")


def deepen() -> str:
    """The command that fetches the history that a shallow clone lacks."""
    known = remotes()
    return (
        f"fetch its history: {shlex.join(['git', 'fetch', '--unshallow', _first(known)])}" if known else "clone again"
    )


def remotes() -> list[str]:
    """The names of the remotes of this clone."""
    try:
        return [os.fsdecode(name) for name in run("remote").split(b"\n") if name]
    except GitError:
        return []


def _first(known: list[str]) -> str:
    return "origin" if "origin" in known else known[0]


def _source(name: str, known: list[str]) -> list[str]:
    """Where to fetch a name from, and what it is called afterwards."""
    if _FULL_ID.match(name):
        return [_first(known), name]
    short = name.removeprefix("refs/remotes/")
    for remote in sorted(known, key=len, reverse=True):
        if short.startswith(f"{remote}/"):
            branch = short.removeprefix(f"{remote}/")
            return [remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}"]
    if name.startswith("refs/tags/"):
        return [_first(known), f"{name}:{name}"]
    branch = name.removeprefix("refs/heads/")
    return [_first(known), f"{branch}:{branch}"]
