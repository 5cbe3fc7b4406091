"""What git knows of the work tree that a baseline stands in: whether a run was made from what is checked out."""

from __future__ import annotations

import os
import re
from pathlib import Path

from runstore import large_text
from runstore.git import process
from runstore.store.durable import real_path

_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
_SHOWN = 12
_ANY = (0, 1, 128)


def staleness(commit: str, baseline: Path) -> str | None:
    """Why a run made from `commit` does not fit what is checked out where the baseline stands; None if it does.

    It fits if nothing outside the baseline and its texts has changed between that commit and HEAD. Outside a repository
    nothing is known and it fits. Raises UsageError if git cannot look.
    """
    place = real_path(baseline)
    folder = next(one for one in place.parents if one.is_dir())
    if not process.in_work_tree(folder, os.environ):
        return None
    made_from = f"the run was made from commit {commit[:_SHOWN]!r}"
    if not _COMMIT.match(commit):
        return f"{made_from}, which is no name of a commit in git"
    made, head = _resolved(folder, commit), _resolved(folder, "HEAD")
    if made is None or head is None:
        return f"{made_from}, which is not in this repository" if head else f"{made_from}, and there is none here yet"
    changed = [] if made == head else _changed_outside(folder, made, head, place)
    if not changed:
        return None
    more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
    return f"{made_from}; since then {changed[0]!r}{more} changed (HEAD is {head[:_SHOWN]})"


def _resolved(folder: Path, name: str) -> str | None:
    """The full name of a commit; None if the repository does not have it."""
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return process.run("-C", str(folder), *words, codes=_ANY).decode().strip() or None


def _changed_outside(folder: Path, made: str, head: str, baseline: Path) -> list[str]:
    """The paths that differ between two commits, but for those of the baseline and of large texts beside it."""
    prefix = os.fsdecode(process.run("-C", str(folder), "rev-parse", "--show-prefix")).removesuffix("\n")
    places = (baseline, baseline.parent / large_text.FOLDER)
    inside = tuple(f"{prefix}{place.relative_to(folder).as_posix()}/" for place in places)
    words = ("diff-tree", "-r", "--name-only", "--no-renames", "-z", made, head)
    names = [os.fsdecode(name) for name in process.run("-C", str(folder), *words).split(b"\0") if name]
    return [name for name in names if not name.startswith(inside)]
