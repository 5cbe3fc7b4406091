"""Where a run is: what was typed in, a folder or a place in git out.

`path` is a folder; `REF:path` and `A...B:path` are places in git. What could be either is refused where there is a
repository: a change can add a folder with any name, and must not be read in the place of a ref.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from runstore.errors import UsageError
from runstore.git.place import GitPlace, read_place
from runstore.source import FolderSource, Tree

if TYPE_CHECKING:
    from runstore.git.repository import Repository


def locate(text: str) -> Path | GitPlace:
    """The folder or the place in git that a text names. Raises UsageError."""
    if ":" not in text or (found := read_place(text)) is None:
        return Path(text)
    if not os.path.lexists(text):
        return found
    if "GIT_DIR" in os.environ or any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents)):
        message = f"{text} is a path here, and reads as a ref and a path in git"
        raise UsageError(message, hint=f"write ./{text} for what is here, or move it away to read from git")
    return Path(text)


def named(folder: Path) -> str:
    """How reports name a folder: never by an absolute path, which tells of the machine."""
    if not folder.is_absolute():
        return str(folder)
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else folder.name


class Places:
    """Opens what is named; one repository, and its processes, serve all of it; they end with the `with` block."""

    def __init__(self) -> None:
        self._repository: Repository | None = None

    @property
    def repository(self) -> Repository:
        """The repository here. Raises UsageError if there is none."""
        if self._repository is None:
            self._repository = import_module("runstore.git.repository").Repository()
        return self._repository

    def open(self, place: Path | GitPlace, label: str | None = None) -> Tree:
        """The run, or the folder of runs, at a place; `label` is how messages name a folder, else as it was typed.

        Raises UsageError if there is none.
        """
        if isinstance(place, Path):
            return FolderSource(place, label)
        found: Tree = import_module("runstore.git.tree").tree_of_place(self.repository, place)
        return found

    def runs(self, text: str) -> list[tuple[str, Tree]]:
        """Every run that a text names, as (relative path in its suite, source); the path of a single one is empty.

        Raises UsageError, before anything is done, for a place that does not exist or holds no run.
        """
        tree = self.open(locate(text))
        if tree.is_run:
            return [("", tree)]
        paths = tree.runs()
        if not paths:
            raise UsageError(f"{tree.label} holds no run", hint="a run is a folder with a manifest.json")
        return [(path, tree.child(path)) for path in paths]

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *error: object) -> None:
        """End what still runs."""
        if self._repository is not None:
            self._repository.close()
