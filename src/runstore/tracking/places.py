"""Where a run stands: names that people give in, a folder below `experiments/<project>/` out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from runstore import paths
from runstore.errors import InvalidRunError, UsageError
from runstore.source import FolderSource
from runstore.tracking.unfinished import is_unfinished

_ODD = re.compile(r"[^\w.\-+=@, ]+", re.ASCII)
_NAME_CHARACTERS = 120
DEFAULT_NAME = "run"


def project_folder(root: Path, project: str) -> Path:
    """The folder of a project. Raises UsageError for a name that is no portable path, or hidden."""
    _check(project, "project")
    return root / project


def exact(folder: Path, run_id: str) -> Path:
    """The place of a run that is called `run_id`. Raises UsageError if no folder can be called so everywhere."""
    _check(run_id, "run_id")
    if "/" in run_id:
        raise UsageError(f"the run_id {run_id!r:.80} holds a `/`", hint="it is the name of one folder")
    return folder / run_id


def _check(name: str, what: str) -> None:
    if not isinstance(name, str):
        raise UsageError(f"the {what} is a {type(name).__qualname__}, not a text")
    try:
        paths.check(name)
    except InvalidRunError as error:
        raise UsageError(f"the {what} {name!r:.80} cannot name a folder: {error.message}", hint=error.hint) from None
    if any(part.startswith(".") for part in name.split("/")):
        raise UsageError(f"the {what} {name!r:.80} would be hidden", hint="begin it with another character than `.`")


def check_free_of_runs(folder: Path, root: Path) -> None:
    """Refuse a folder that is a run or lies in one: what began there would damage it, or go when it is finished.

    `folder` is `root` or below it. Raises UsageError.
    """
    for place in (folder, *folder.parents):
        is_below = place != root and place.is_relative_to(root)
        if is_unfinished(place) or (is_below and place.is_dir() and FolderSource(place).is_run):
            raise UsageError(f"{place} is a run, and no other can stand in it", hint="choose another project or root")


def free(folder: Path, run_name: str) -> Iterator[Path]:
    """Places for a run of this name, the first choice first: what a folder cannot be called becomes `-`."""
    plain = _ODD.sub("-", unicodedata.normalize("NFC", run_name)).strip(" .-")[:_NAME_CHARACTERS].rstrip(" .")
    try:
        name = paths.check(plain)
    except InvalidRunError:
        name = f"{DEFAULT_NAME}-{plain}".rstrip("-")
    yield folder / name
    for number in count(2):
        yield folder / f"{name}-{number}"
