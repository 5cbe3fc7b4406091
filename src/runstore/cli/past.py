"""Where a baseline's history is: what was typed in, a folder of the repository up to a commit out."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from runstore.canonical import JsonValue
from runstore.cli.locators import locate
from runstore.errors import UsageError
from runstore.git.log import files
from runstore.git.place import normal, read_ref
from runstore.git.repository import Repository
from runstore.history.reading import Baseline
from runstore.reports import json_report
from runstore.reports.text_safety import safe_text

_NAMED = 5
_MARKS = ("manifest.json", "summary.json")


def ref_of(typed: str | None, ref: str | None) -> str:
    """The ref to look at: that of `REF:path`, that of --ref, or HEAD. Raises UsageError if both name one."""
    place = locate(typed) if typed is not None else None
    if isinstance(place, Path) or place is None:
        return ref if ref is not None else "HEAD"
    if ref is not None:
        raise UsageError(f"{place.text} names a ref, and --ref names one, too", hint="give one of them")
    return place.at.text


class Past:
    """The repository of the working folder at a ref. Close it when done."""

    def __init__(self, ref: str) -> None:
        """Raises UsageError if there is no repository here, or no such commit."""
        if not _is_text(ref):
            raise UsageError(f"{ref!a} is no ref of git", hint="a ref is a branch, a tag or a commit: origin/main")
        self._ref = read_ref(ref)
        self.repository = Repository()
        self.tip = self.repository.commit(self._ref)

    def close(self) -> None:
        """End what still runs."""
        self.repository.close()

    @cached_property
    def runs(self) -> list[str]:
        """The folders that hold a run at the commit, from the root of the repository."""
        return _folders(files(self.tip))

    def path(self, typed: str) -> str:
        """A path as one types it in a shell, made one from the root of the repository. Raises UsageError."""
        if "\n" in typed or not _is_text(typed):
            raise UsageError(f"{typed!a} cannot be asked for", hint="rename the folder: a line feed, or no UTF-8")
        place = locate(typed)
        if not isinstance(place, Path):
            return normal(place.path, self.repository.prefix)
        path, root = Path(typed), self.repository.root
        if not path.is_absolute():
            return normal(f"./{typed}", self.repository.prefix)
        for top, prefix in ((Path.cwd(), self.repository.prefix), (root, "")):
            if top is not None and path.is_relative_to(top):
                return normal(posixpath.join(prefix, path.relative_to(top).as_posix()), "")
        raise UsageError(f"{typed} does not lie in this repository", hint="run the gate where the repository is")

    def holds(self, typed: str) -> bool:
        """Whether a run stands at a path at the commit."""
        try:
            return self.path(typed) in self.runs
        except UsageError:
            return False

    def baseline(self, typed: str | None) -> Baseline:
        """The baseline at a path, or the only one there is. Raises UsageError if there are none or several."""
        path = self.path(typed) if typed is not None else self._only()
        return Baseline(repository=self.repository, path=path, ref=self._ref.text, tip=self.tip)

    def _only(self) -> str:
        """The one baseline that there is below the working folder, or else anywhere."""
        here = f"{self.repository.prefix}/" if self.repository.prefix else ""
        found = [path for path in self.runs if f"{path}/".startswith(here)] or self.runs
        if len(found) == 1:
            return found[0]
        if not found:
            hint = "name its folder; or another commit: --ref REF"
            raise UsageError(f"there is no baseline at {self._ref.text}", hint=hint)
        raise UsageError(f"there are {len(found)} baselines at {self._ref.text}", hint=f"name one: {_some(found)}")


def _is_text(typed: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in typed)


def _folders(paths: Sequence[str]) -> list[str]:
    """The folders that hold all files that every run has, sorted; those in hidden folders are passed over."""
    known = set(paths)
    tops = [posixpath.dirname(path) for path in paths if posixpath.basename(path) == _MARKS[0]]
    return sorted(
        top
        for top in tops
        if posixpath.join(top, _MARKS[1]) in known and not any(part.startswith(".") for part in top.split("/"))
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(name or '.' for name in names[:_NAMED])}{more}"


def document(value: Mapping[str, JsonValue]) -> str:
    """A JSON document for standard output: exact for whoever reads it from a pipe, safe on a terminal."""
    text = json_report.render(value)
    return safe_text(text) if sys.stdout.isatty() else text
