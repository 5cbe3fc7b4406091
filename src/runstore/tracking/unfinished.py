"""The working form of a run: a folder at the place of the run to be, with a journal in it and the files it has so far.

Its `manifest.json` is no manifest of a run: its status says that the run is not finished and how to finish it, so every
reader of the format refuses it with these words (exit 3). Its `.gitignore` keeps it out of commits. The finished run
takes its place in one step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from runstore import canonical, manifest
from runstore.canonical import JsonValue
from runstore.errors import InvalidRunError, RunExistsError, UsageError
from runstore.manifest import Identity, Manifest
from runstore.store.placing import BuildFolder
from runstore.tracking import journal
from runstore.tracking.journal import Journal, TornLine

STATUS = f"{manifest.NOT_FINISHED}: `gate recover` of this folder makes it a killed run, and loses nothing"
"""What stands in the place of the status; no word that the format knows."""
INCOMING = ".incoming"
"""The file in which an artifact is copied before it has a name."""


def is_unfinished(folder: Path) -> bool:
    """Whether a folder is a run in its working form."""
    path = folder / journal.FILE
    return path.is_file() and not path.is_symlink() and (folder / "manifest.json").is_file()


def create(folder: Path, identity: Identity, lines: Sequence[bytes]) -> Journal:
    """A new working folder, durable; `lines` begin its journal.

    Raises RunExistsError if something stands there.
    """
    build = BuildFolder(folder)
    descriptor = -1
    try:
        (build.path / ".gitignore").write_bytes(b"*\n")
        (build.path / "manifest.json").write_bytes(_not_yet(identity))
        opened = journal.open_locked(build.path / journal.FILE)
        assert opened is not None, "nobody else knows this folder"
        descriptor = opened
        journal.write_all(descriptor, b"\n".join((*lines, b"")))
        os.fsync(descriptor)
        build.commit()
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        build.discard()
        raise
    return Journal(folder / journal.FILE, descriptor)


def _not_yet(identity: Identity) -> bytes:
    document = manifest.to_json(Manifest(identity=identity, metrics={}, files={}))
    assert isinstance(document, dict)
    value: JsonValue = {**document, "status": STATUS}
    return canonical.encode_document(value)


def take(folder: Path) -> Journal:
    """The journal of a working folder whose process is gone.

    Raises UsageError if its process lives or it was finished meanwhile, InvalidRunError if it is no working folder.
    """
    if not is_unfinished(folder):
        raise InvalidRunError("is not an unfinished run", where=str(folder))
    path = folder / journal.FILE
    descriptor = journal.open_locked(path)
    if descriptor is None:
        raise UsageError(f"{folder} is being written by {_writer(path)}", hint="wait for it, or end it first")
    try:
        is_there = os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        is_there = False
    if not is_there:
        os.close(descriptor)
        raise UsageError(f"{folder} was finished by another process meanwhile", hint="look again: gate show")
    return Journal(path, descriptor)


def _writer(path: Path) -> str:
    """Who writes a journal, as far as it says: the process that began it, or took it up last."""
    pid: JsonValue = None
    with suppress(OSError):
        for entry in journal.read(path):
            if not isinstance(entry, TornLine):
                pid = entry.get("pid", pid)
    return f"another process ({pid})" if isinstance(pid, int) else "another process"


def refuse_taken(folder: Path) -> RunExistsError | UsageError:
    """The error for a place where a run is to begin and something stands."""
    if not is_unfinished(folder):
        return RunExistsError(
            f"{folder} already exists", hint="choose another run_id, or remove it; a finished run is never changed"
        )
    try:
        take(folder).close()
    except UsageError as error:
        return error
    return UsageError(
        f"{folder} was begun and not finished: its process was killed",
        hint="pass resume=True to go on with it, or finish it: gate recover",
    )
