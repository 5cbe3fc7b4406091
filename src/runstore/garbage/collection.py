"""Which large texts nobody needs: a folder in, every text below it that no run names out.

A text is needed if a run names it that stands below the folder, in the work tree, in the index of git (every side of a
conflict), at HEAD or at another commit that was asked for. All runs are read to their end before anything is removed,
and whatever leaves a doubt ends it: a run that is not what it claims to be may name anything. The folders of texts are
held alone all the while, so no writer is at work there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runstore import large_text
from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.garbage.committed import named_in_git
from runstore.garbage.naming import named_texts
from runstore.git import process
from runstore.source import FolderSource
from runstore.store.reader import Run, read_run
from runstore.store.text_folder import Sweep

_BUILT = re.compile(r"\..+\.(?:tmp|old)-[^.]+\Z", re.DOTALL)
"""The name of a folder in which a run is built, or was when its writer was killed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unneeded:
    """Texts of one folder of texts that no run names: SHA-256 and size in bytes of each, sorted."""

    sweep: Sweep
    texts: Sequence[tuple[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """What is needed no more, and how many texts are."""

    unneeded: Sequence[Unneeded]
    needed: int

    def remove(self) -> None:
        """Remove what is needed no more, durably. Raises OSError."""
        for found in self.unneeded:
            found.sweep.remove([sha256 for sha256, _ in found.texts])


@contextmanager
def collected(folder: Path, refs: Sequence[str] = ()) -> Iterator[Collection]:
    """What can be removed below a folder; while the block lasts, no run with large texts is written there.

    `refs`: commits of git whose runs are looked at beside HEAD. Raises UsageError if the folder is no place to look, a
    writer is at work, or there is no such commit; InvalidDataError for a run that cannot be read or a text folder that
    holds something else.
    """
    source = FolderSource(folder)
    if source.is_run:
        raise UsageError(f"{folder} is a run, and its texts stand beside it", hint="name the folder above it")
    parents = list(_parents(folder))
    with ExitStack() as stack:
        sweeps = []
        for parent in parents:
            sweeps.append(Sweep(parent, os.fspath(parent)))
            stack.callback(sweeps[-1].close)
            _check_nothing_is_built(parent)
        yield _collection(sweeps, _named(source, parents, refs))


def _parents(folder: Path) -> Iterator[Path]:
    """The folder, and those below it, that have a folder of texts; runs and hidden folders are passed over."""
    for base, names, _ in os.walk(folder, onerror=_raise):
        here = Path(base)
        if os.path.lexists(here / large_text.FOLDER):
            yield here
        names[:] = sorted(name for name in names if not name.startswith(".") and not FolderSource(here / name).is_run)


def _raise(error: OSError) -> None:
    raise error


def _check_nothing_is_built(parent: Path) -> None:
    for entry in sorted(parent.iterdir()):
        if _BUILT.match(entry.name) and entry.is_dir():
            raise UsageError(
                f"{entry}: a run is being written here, or its writer was killed",
                hint="wait until it is done; if nobody is at work, remove that folder and call again",
            )


def _collection(sweeps: Sequence[Sweep], named: set[str]) -> Collection:
    unneeded, needed = [], 0
    for sweep in sweeps:
        texts = sweep.texts()
        free = [text for text in texts if text[0] not in named]
        unneeded.append(Unneeded(sweep=sweep, texts=free))
        needed += len(texts) - len(free)
    return Collection(unneeded=unneeded, needed=needed)


def _named(source: FolderSource, parents: Sequence[Path], refs: Sequence[str]) -> set[str]:
    """The SHA-256 of every text that a run names."""
    named: set[str] = set()
    if not parents:
        return named
    for path in source.runs():
        named |= _named_by(source.child(path))
    for parent in parents:
        for hidden in _hidden_runs(parent):
            named |= _named_by(hidden)
        here = Path(os.path.realpath(parent))
        if process.in_work_tree(here, os.environ):
            named |= named_in_git(here, refs)
        elif refs:
            raise UsageError(f"{parent} is in no work tree of git: there is no {refs[0]}", hint="leave out --ref")
    return named


def _hidden_runs(parent: Path) -> Iterator[FolderSource]:
    """Runs that are hidden, and that nothing else looks at: their texts stand here, too."""
    for entry in sorted(parent.iterdir()):
        if entry.name.startswith(".") and entry.is_dir() and (found := FolderSource(entry)).is_run:
            yield found


def _named_by(source: FolderSource) -> set[str]:
    try:
        return _read(read_run(source))
    except InvalidDataError as error:
        raise InvalidRunError(
            f"{error.message}; a run that cannot be read may name any text, so none is removed",
            where=error.where,
            hint=error.hint,
        ) from error


def _read(run: Run) -> set[str]:
    named: set[str] = set()
    for batch in run.batches():
        for number, line in enumerate(batch.lines, start=batch.first_line):
            try:
                named |= named_texts(line, run.manifest.ranges)
            except InvalidDataError as error:
                raise run.located(error, batch.path, number) from error
    return named
