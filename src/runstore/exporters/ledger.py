"""What was exported where, remembered outside every run: a plan in; its progress, receipt and the export before out.

One file for each run id and target, in a folder of the user's. It saves work and links a changed run to the one before;
it is never needed: the backend is asked by the plan's key, so a lost, damaged or newer ledger is a warning. Writing is
atomic and durable, and a lock of the system, which no killed job leaves behind, keeps two jobs apart. No secret and no
clock stands in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError
from runstore.exporters.contract import Budget, Plan, Receipt
from runstore.shape import Node
from runstore.store.durable import real_path
from runstore.store.placing import replaced_file

FORMAT = 1
_KEY = re.compile(r"[0-9A-Za-z_-]{1,128}")
_MOST_BYTES = 16 * 1024 * 1024
_LOCK_TRIES = 100
_LOCK_PAUSE_S = 0.02
Warn = Callable[[str], None]
Entry = dict[str, JsonValue]
"""An export: `key`, `digest` (of the manifest), `progress` while it is unfinished, then `receipt`."""


def default_folder(environment: Mapping[str, str]) -> Path | None:
    """Where the ledger is kept: RUNSTORE_EXPORTS_DIR, else `runstore/exports` in the user's folder for state.

    None without a home: then nothing is remembered. Raises UsageError if it lies in a run.
    """
    if wanted := environment.get("RUNSTORE_EXPORTS_DIR"):
        refuse_in_run(real_path(Path(wanted)), "RUNSTORE_EXPORTS_DIR")
        return Path(wanted)
    home = environment.get("HOME", "")
    base = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    return Path(base) / "runstore" / "exports" if os.path.isabs(base) else None  # noqa: PTH117  # it may be empty


def refuse_in_run(folder: Path, what: str) -> None:
    """Refuse a folder (a real path) that is a run or lies in one, which would not be what it was. Raises UsageError."""
    for above in (folder, *folder.parents):
        if (above / "manifest.json").is_file():
            raise UsageError(f"{what} lies in a run: {above}", hint="name a folder outside of every run")


class Ledger:
    """The exports that are remembered in a folder; None remembers nothing."""

    def __init__(self, folder: Path | None, warn: Warn) -> None:
        self._folder = folder
        self._tell = warn
        self._told: set[str] = set()

    def previous(self, backend: str, target: str, run_id: str, digest: str) -> str | None:
        """The key of the finished export of the same question before, of a run with another digest; None if unknown.

        A run that was exported before keeps the link that it had.
        """
        found = None
        for entry in self._entries(self._file(backend, target, run_id)):
            if entry["digest"] == digest:
                return found
            if "receipt" in entry:
                found = str(entry["key"])
        return found

    def progress(self, plan: Plan) -> Mapping[str, JsonValue]:
        """What the last unfinished push of this plan kept; {} at first, and when it is finished."""
        entry = self._entry(plan)
        kept = entry.get("progress") if entry else None
        return kept if isinstance(kept, dict) else {}

    @contextmanager
    def turn(self, plan: Plan, budget: Budget) -> Iterator[None]:
        """Keep other jobs of this ledger from pushing the same plan; wait for one that does. Raises ExportError."""
        descriptor = self._turn_file(plan)
        if descriptor is None:
            yield
            return
        try:
            while not _try_lock(descriptor):
                budget.pause(_LOCK_PAUSE_S)
            yield
        finally:
            os.close(descriptor)

    def _turn_file(self, plan: Plan) -> int | None:
        """The file whose lock is the turn, open; None where there can be none, of which writing the ledger warns."""
        file = self._file(plan.backend, plan.target, plan.run_id)
        try:
            return None if file is None else _open_lock(file, ".turn")
        except (OSError, UsageError):
            return None

    def receipt(self, plan: Plan) -> Receipt | None:
        """The receipt of a finished push of this plan; None if it is not known to be finished."""
        entry = self._entry(plan)
        kept = entry.get("receipt") if entry else None
        if not isinstance(kept, dict):
            return None
        url = kept.get("url")
        return Receipt(
            remote_id=str(kept.get("remote_id")), url=None if url is None else str(url), requests=0, created=False
        )

    def keep(self, plan: Plan, progress: Mapping[str, JsonValue]) -> None:
        """Remember how far a push came, durably."""
        self._put(plan, {"progress": dict(progress)})

    def finish(self, plan: Plan, receipt: Receipt) -> None:
        """Remember that a push is finished."""
        self._put(plan, {"receipt": {"remote_id": receipt.remote_id, "url": receipt.url}})

    def _warn(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _entry(self, plan: Plan) -> Entry | None:
        found = self._entries(self._file(plan.backend, plan.target, plan.run_id))
        return next((entry for entry in found if entry["key"] == plan.key), None)

    def _file(self, backend: str, target: str, run_id: str) -> Path | None:
        if self._folder is None:
            return None
        digest = hashlib.sha256(canonical.encode([backend, target, run_id])).hexdigest()[:32]
        return self._folder / f"{digest}.json"

    def _entries(self, file: Path | None) -> list[Entry]:
        """The exports of a file, oldest first; none, with a warning, from one that cannot be read."""
        try:
            return _read(file) if file is not None else []
        except OSError as error:
            self._warn(f"the ledger of exports cannot be read: {error.strerror}; the backend is asked instead")
        except InvalidDataError as error:
            self._warn(f"the ledger of exports is damaged: {file}: {error.message}; the backend is asked instead")
        return []

    def _put(self, plan: Plan, state: Entry) -> None:
        """Set the state of a plan's entry. What cannot be written costs time later, and nothing else."""
        file = self._file(plan.backend, plan.target, plan.run_id)
        if file is None:
            return
        try:
            with _locked(file):
                self._write(file, plan, state)
        except (OSError, UsageError) as error:
            told = error.strerror if isinstance(error, OSError) else error.message
            self._warn(f"the ledger of exports cannot be written: {told}; the export itself goes on")
            self._folder = None
        except _NewerError as error:
            self._warn(str(error.message))
            self._folder = None

    def _write(self, file: Path, plan: Plan, state: Entry) -> None:
        try:
            entries = _read(file)
        except _NewerError:
            raise
        except InvalidDataError:
            entries = []  # it was warned of when it was read
        entry: Entry = {"key": plan.key, "digest": plan.digest, **state}
        places = [place for place, one in enumerate(entries) if one["key"] == plan.key]
        if places:
            entries[places[0]] = entry
        else:
            entries.append(entry)
        document = {
            "format": FORMAT,
            "backend": plan.backend,
            "target": plan.target,
            "run_id": plan.run_id,
            "exports": entries,
        }
        with replaced_file(file) as stream:
            stream.write(canonical.jcs_document(document))


class _NewerError(InvalidDataError):
    """The ledger was written by a newer version: it is left alone."""


def _read(file: Path) -> list[Entry]:
    """The exports of a file, oldest first. Raises OSError, InvalidDataError."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return []
    if len(data) > _MOST_BYTES:
        raise InvalidDataError(f"larger than {_MOST_BYTES} bytes")
    value = canonical.parse_loose(data)
    version = value.get("format") if isinstance(value, dict) else None
    if type(version) is int and version > FORMAT:
        raise _NewerError(f"the ledger of exports has format {version}, of a newer version; it is left alone")
    parts = Node(value).record(("backend", "exports", "format", "run_id", "target"))
    if parts["format"].integer() != FORMAT:
        raise InvalidDataError("an unknown format")
    return [_checked(node) for node in parts["exports"].elements()]


def _checked(node: Node) -> Entry:
    parts = node.record(("digest", "key"), ("progress", "receipt"))
    parts["digest"].string()
    if not _KEY.fullmatch(parts["key"].string()):  # it goes into names of files and into requests
        parts["key"].fail("expected letters and digits")
    assert isinstance(node.value, dict)
    return dict(node.value)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file's writers; the system lets go of it when a holder dies."""
    descriptor = _open_lock(file, ".lock")
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _open_lock(file: Path, suffix: str) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    return os.open(file.with_suffix(suffix), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


def _lock(descriptor: int) -> None:
    """Wait a while for the lock, then go on without: the writing is atomic still, and what gets lost is only time."""
    for _ in range(_LOCK_TRIES):
        if _try_lock(descriptor):
            return
        time.sleep(_LOCK_PAUSE_S)


def _try_lock(descriptor: int) -> bool:
    """Whether the lock is ours, or there are none in this place."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a place without locks
        pass
    return True
