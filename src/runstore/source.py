"""Where the bytes of a run come from. A source lists files and opens them; it knows nothing of what they mean."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from runstore import large_text
from runstore.errors import InvalidRunError, UsageError

VOLATILE = "volatile"
_PATH_BYTES = 1024


class Source(Protocol):
    """A tree of files that may hold a run: a folder, or an object in a git repository."""

    @property
    def label(self) -> str:
        """How messages name this source: what the user typed."""

    def sizes(self) -> dict[str, int]:
        """Path → size in bytes of every file outside `volatile/`, with `/` between segments."""

    def open(self, path: str) -> BinaryIO:
        """The bytes of one file, from its start, unbuffered."""

    def open_volatile(self, name: str) -> BinaryIO | None:
        """The bytes of a file directly in `volatile/`; None if there is none. It is in no digest and in no listing."""


class Tree(Source, Protocol):
    """A source that is a run, or holds runs at relative paths below it."""

    @property
    def is_run(self) -> bool:
        """Whether it claims to be a run itself."""

    def runs(self) -> list[str]:
        """Relative paths of the runs below this one, sorted; hidden folders are passed over."""

    def child_if_run(self, path: str) -> Tree | None:
        """The run at a relative path below this one, if there is one."""

    def child(self, path: str) -> Tree:
        """What stands at a relative path below this one."""

    def open_text(self, sha256: str) -> BinaryIO | None:
        """The bytes of a large text that stands beside this run, not yet checked; None if it is not there."""


class FolderSource:
    """A run, or a tree of runs, in a folder."""

    def __init__(self, root: Path, label: str | None = None) -> None:
        if not root.exists():
            raise UsageError(f"{root}: no such folder", hint="check the path; a run is a folder with a manifest.json")
        if not root.is_dir():
            raise UsageError(f"{root}: not a folder", hint="a run is a folder with a manifest.json")
        self._root = root
        self._label = label or str(root)

    @property
    def label(self) -> str:
        """The path as it was typed."""
        return self._label

    def sizes(self) -> dict[str, int]:
        """Path → size of every file; a symbolic link or a special file is refused (InvalidRunError)."""
        return dict(self._walk(self._root, ""))

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = checked_path(prefix + entry.name, self._label)
                if path == VOLATILE and entry.is_dir(follow_symlinks=False):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path), f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    yield path, entry.stat(follow_symlinks=False).st_size
                else:
                    raise InvalidRunError(
                        "neither a file nor a folder", where=f"{self._label}/{path}", hint="replace links by files"
                    )

    def open(self, path: str) -> BinaryIO:
        """Open a listed file for reading."""
        return (self._root / path).open("rb", buffering=0)

    def open_volatile(self, name: str) -> BinaryIO | None:
        """Open a file of `volatile/`. A symbolic link or a special file is refused (InvalidRunError)."""
        folder = self._root / VOLATILE
        try:
            is_file = not folder.is_symlink() and stat.S_ISREG((folder / name).lstat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not is_file:
            where = f"{self._label}/{VOLATILE}/{name}"
            raise InvalidRunError("neither a file nor a folder", where=where, hint="replace links by files")
        return self.open(f"{VOLATILE}/{name}")

    def runs(self) -> list[str]:
        """Relative paths of the run folders below this one, sorted; hidden folders are passed over.

        Raises InvalidRunError for a link to a folder: it may lead anywhere, and passing over it would hide a run.
        """
        return sorted(self._runs(self._root, ""))

    def _runs(self, folder: Path, prefix: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = checked_path(prefix + entry.name, self._label)
                if entry.is_symlink() and not entry.is_file():
                    raise InvalidRunError(
                        "a link among runs", where=f"{self._label}/{path}", hint="put the folder itself there"
                    )
                if not entry.is_dir():
                    continue
                if _claims_to_be_run(Path(entry.path)):
                    yield prefix + entry.name
                else:
                    yield from self._runs(Path(entry.path), f"{prefix}{entry.name}/")

    def child_if_run(self, path: str) -> FolderSource | None:
        """The run folder at a relative path below this one, if there is one."""
        return self.child(path) if _claims_to_be_run(self._root / path) else None

    def child(self, path: str) -> FolderSource:
        """The folder at a relative path below this one."""
        return FolderSource(self._root / path, f"{self._label}/{path}")

    @property
    def is_run(self) -> bool:
        """Whether this folder itself claims to be a run."""
        return _claims_to_be_run(self._root)

    def open_text(self, sha256: str) -> BinaryIO | None:
        """Open a large text that stands beside this run. Raises InvalidRunError for a symbolic link or a special file.

        If the run folder is a link, beside it means beside the folder that it leads to.
        """
        fan, name = large_text.path_of(sha256)
        return open_plain(Path(os.path.realpath(self._root)).parent, (large_text.FOLDER, fan, name))


def open_plain(folder: Path, steps: tuple[str, ...]) -> BinaryIO | None:
    """Open a regular file below a folder; None if it is not there.

    Raises InvalidRunError if it, or a folder on the way, is a symbolic link or something else.
    """
    path = folder
    for number, step in enumerate(steps, start=1):
        path /= step
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return None
        if not (stat.S_ISREG if number == len(steps) else stat.S_ISDIR)(mode):
            where = "/".join(steps[:number])
            raise InvalidRunError("neither a file nor a folder of texts", where=where, hint="replace links by files")
    return path.open("rb", buffering=0)


def checked_path(path: str, label: str) -> str:
    """A relative path that can be named in text and is no longer than the format allows. Raises InvalidRunError."""
    try:
        if len(path.encode()) <= _PATH_BYTES:
            return path
        problem = "a path that is too long"
    except UnicodeEncodeError:
        problem = "a name that is not UTF-8"
    raise InvalidRunError(problem, where=f"{label}/{path[-80:]!a}", hint="rename it")


def claims_to_be_run(holds: Callable[[str], bool]) -> bool:
    """Whether a folder claims to be a run: one that lost its manifest still does. `holds`: if it has a name."""
    return any(map(holds, ("manifest.json", "summary.json", "records.jsonl", "records-0001.jsonl")))


def _claims_to_be_run(folder: Path) -> bool:
    return claims_to_be_run(lambda name: (folder / name).exists())
