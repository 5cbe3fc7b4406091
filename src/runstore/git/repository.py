"""A repository: refs in, commits out; a commit and paths in, what stands there out. Each question is one process."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runstore.errors import UsageError
from runstore.git import advice
from runstore.git.blobs import Blobs
from runstore.git.place import Ref
from runstore.git.process import GitError, in_work_tree, run

_FACTS = (
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--is-shallow-repository",
    "--absolute-git-dir",
    "--show-prefix",
    "--git-path",
    "shallow",
    "--git-path",
    "index",
    "--show-cdup",  # last: outside a work tree it prints no line
)
_LOOKED_UP_IN = ("refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}", "refs/remotes/{}/HEAD")
_HEX = re.compile(r"[0-9a-fA-F]{4,}\Z")
_FULL = (40, 64)
_STEPS = re.compile(r"[~^]|@\{")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What stands at a path of a commit; `size` is None for what is no file, or is not in a partial clone."""

    mode: str
    kind: str
    oid: str
    size: int | None

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file; that it may be executed changes none of its bytes."""
        return self.kind == "blob" and self.mode.startswith("100")


class Repository:
    """The repository of the working folder, or that of GIT_DIR. Close it when done."""

    def __init__(self) -> None:
        """Raises UsageError if there is none, or git refuses it."""
        facts = os.fsdecode(run("rev-parse", *_FACTS)).split("\n")
        inside_work_tree = facts[1:2] == ["true"]
        if len(facts) not in ((9,) if inside_work_tree else (8, 9)):
            raise GitError("the path of the repository holds a line feed", hint="move it")
        self.is_bare, self.is_shallow = facts[0] == "true", facts[2] == "true"
        if self.is_bare and in_work_tree(Path.cwd(), os.environ):  # versions before 2.38 do not refuse it themselves
            raise GitError("a bare repository lies in the way", hint="if it is the one you mean, set GIT_DIR to it")
        self.prefix = facts[4].rstrip("/")
        """The working folder, from the root of the repository."""
        self.root = Path(os.path.realpath(Path.cwd() / facts[7])) if inside_work_tree else None
        """The top of the work tree, if the working folder is in one."""
        self._shallow_file = Path(facts[5])
        self.index = Path(facts[6])
        """The file in which git keeps what it knows of the work tree."""
        self.blobs = Blobs()
        self._commits: dict[str, str] = {}

    def close(self) -> None:
        """End what still runs."""
        self.blobs.close()

    def commit(self, at: Ref) -> str:
        """The id of the commit that is named. Raises UsageError with the command that fetches it."""
        if at.fork is None:
            return self._commit(at.ref)
        self.look_up((at.fork, at.ref))
        return self.merge_base(self._commit(at.fork), self._commit(at.ref), at)

    def _commit(self, ref: str) -> str:
        if ref not in self._commits:
            self.look_up((ref,))
        found = self._commits[ref]
        if not found:
            raise UsageError(f"{ref}: no such commit in this clone", hint=advice.fetch(ref, is_shallow=self.is_shallow))
        return found

    def look_up(self, refs: Iterable[str]) -> None:
        """Learn the commits of refs, all by one process. Raises UsageError for a name that stands for several refs."""
        asked = [ref for ref in dict.fromkeys(refs) if ref not in self._commits]
        names = {ref: _candidates(ref) for ref in asked}
        lines = [name for ref in asked for name in (f"{ref}^{{commit}}", *names[ref])]
        if not lines:
            return
        found = _answers(lines)
        for ref in asked:
            holders = [name for name in names[ref] if found[name]]
            if len(holders) > 1 or (holders and _looks_like_commit(ref)):
                hint = f"which of them is meant? {', '.join(holders)}; or name a commit by its full id"
                raise UsageError(f"{ref} is ambiguous", hint=hint)
            self._commits[ref] = found[f"{ref}^{{commit}}"]

    def find(self, ref: str) -> str | None:
        """The commit of a ref that need not be there."""
        self.look_up((ref,))
        return self._commits[ref] or None

    def merge_bases(self, one: str, other: str) -> list[str]:
        """The best common ancestors of two commits; none if there is none, or a shallow clone cannot tell."""
        if one == other:
            return [one]
        if self._is_cut(one, other):
            return []
        return run("merge-base", "--all", one, other, codes=(0, 1)).decode().split()  # 1: there is none

    def merge_base(self, one: str, other: str, at: Ref) -> str:
        """The one merge base of two commits. Raises UsageError if there is none, or more than one."""
        found = self.merge_bases(one, other)
        if len(found) == 1:
            return found[0]
        if found:
            hint = f"merge {at.fork} into {at.ref}, or name a commit: {', '.join(found[:3])}"
            raise UsageError(f"{at.text}: there are {len(found)} merge bases", hint=hint)
        message, hint = "is not in this clone, which is shallow", advice.deepen()
        if not self.is_shallow:
            message, hint = "does not exist: their histories share nothing", "name two branches of one history"
        raise UsageError(f"the merge base of {at.fork} and {at.ref} {message}", hint=hint)

    def _is_cut(self, one: str, other: str) -> bool:
        """Whether a shallow clone ends before the histories of two commits meet: a better merge base may lie beyond."""
        if not self.is_shallow:
            return False
        cuts = set(self._shallow_file.read_text(encoding="ascii").split())
        return not cuts.isdisjoint(run("rev-list", f"{one}...{other}", "--").decode().split())

    def entries(self, commit: str, paths: Sequence[str]) -> dict[str, Entry]:
        """Path → what stands there, of the paths that a commit has, and of everything below them."""
        words = ("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit, "--")
        found = run(*words, *paths) if all(paths) else run(*words)
        return dict(map(_entry, found.split(b"\0")[:-1]))

    def kind(self, commit: str, path: str) -> str:
        """What stands at one path of a commit: `tree`, `blob`, `commit` for a submodule, or nothing."""
        found = run("ls-tree", "-z", "--full-tree", commit, "--", path)
        return found.split()[1].decode() if found else ""

    def changed(self, one: str, other: str, paths: Sequence[str]) -> list[str]:
        """Which of the paths, or of the files below them, differ between two commits. All are seen from the root."""
        # diff-tree takes paths from the working folder, and gives them from the root.
        asked = [posixpath.relpath(path, self.prefix) if self.prefix else path for path in paths if path]
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv")
        found = run(*words, one, other, "--", *asked)
        return list(map(os.fsdecode, found.split(b"\0")[:-1]))


def _candidates(ref: str) -> list[str]:
    """The full names of the refs that a short name can stand for."""
    name = _STEPS.split(ref)[0]
    return [form.format(name) for form in _LOOKED_UP_IN] if name and name not in ("@", "HEAD") else []


def _looks_like_commit(ref: str) -> bool:
    name = _STEPS.split(ref)[0]
    return _HEX.match(name) is not None and len(name) not in _FULL


def _answers(names: Sequence[str]) -> Mapping[str, str]:
    """Name → object id, empty if there is no such object."""
    text = "".join(f"{name}\n" for name in names)
    answers = run("cat-file", "--batch-check=%(objectname)", stdin=os.fsencode(text)).decode(errors="replace")
    # One line an object; what is not there is told by its name and a word, which is no object id.
    lines = answers.split("\n")[: len(names)]
    return {name: line if _is_id(line) else "" for name, line in zip(names, lines, strict=True)}


def _is_id(text: str) -> bool:
    return len(text) in _FULL and _HEX.match(text) is not None


def _entry(line: bytes) -> tuple[str, Entry]:
    """`mode kind oid size<TAB>path`."""
    head, _, path = line.partition(b"\t")
    mode, kind, oid, size = head.decode("ascii").split()
    return os.fsdecode(path), Entry(mode=mode, kind=kind, oid=oid, size=int(size) if size.isdigit() else None)
