"""The folder of a TensorBoard run: a plan in, its files out; and back, what differs from the plan.

The event file comes last and in one step, so a run is there whole or not at all. A file that stands there is never
written to: with the same bytes there is nothing to do, with others it is a conflict. A file in the making has a name
that TensorBoard does not look at, and is removed by the next export if its writer was killed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runstore import canonical, series
from runstore.errors import UsageError
from runstore.exporters.contract import Attachment, ExportError, Receipt, Visit
from runstore.exporters.redaction import is_redacted, kept_record
from runstore.exporters.tensorboard import events
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.exporters.tensorboard.planning import link_texts
from runstore.store.durable import named_errors, sync_folder
from runstore.store.reader import Run

LIVE_FILE = "events.out.tfevents.0.runstore-live"
"""The one file of the folder in which a live mirror shows a run."""
_MAKING = ".making-"
_BLOCK_BYTES = 1024 * 1024
_DEPTH = 4  # of what may have been made: the target, project, run, and the files beside
_CANNOT_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


def run_folder(plan: TensorboardPlan) -> Path:
    """Where the run's files stand."""
    return Path(plan.target) / plan.folder


def write_run(plan: TensorboardPlan, run: Run, visit: Visit) -> Receipt:
    """Write what is missing. Raises ExportError for a file that holds something else, OSError, UsageError."""
    folder = run_folder(plan)
    created = [
        _put(folder / attachment.path, attachment_bytes(plan, run, attachment), visit)
        for attachment in plan.attachments
    ]
    if plan.link_file is not None:
        created.append(_put(folder / plan.link_file, events.write_texts(link_texts(plan)), visit))
    created.append(_put(folder / plan.file, events.write(plan), visit))
    return Receipt(remote_id=plan.key, url=str(folder), requests=0, created=created[-1])


def remove_live(folder: Path) -> None:
    """Remove the folder that a live mirror has left, once the finished run stands beside it.

    A mirror that lives holds its file and is left alone; so is a file that somebody else has put there.
    """
    _remove_if_left(folder / LIVE_FILE)
    with suppress(OSError):
        folder.rmdir()


def attachment_bytes(plan: TensorboardPlan, run: Run, attachment: Attachment) -> Iterator[bytes]:
    """The bytes of a file beside the event file, piece by piece."""
    if attachment.origin is None:
        yield attachment.content or b""
        return
    for batch in run.batches([attachment.origin]):
        if not plan.redact:
            yield b"\n".join([*batch.lines, b""])
        elif attachment.origin == series.FILE:
            yield b"".join(line + b"\n" for line in batch.lines if _may_leave(line, plan))
        else:
            records = (canonical.decode(line) for line in batch.lines)
            yield b"".join(canonical.encode(kept_record(one, plan.redact)) + b"\n" for one in records)


def _may_leave(line: bytes, plan: TensorboardPlan) -> bool:
    name, _ = series.line_key(line)
    return not is_redacted(name.decode(), plan.redact)


def _put(file: Path, pieces: Iterable[bytes], visit: Visit) -> bool:
    """Make a file whole or not at all; whether it was not there."""
    for left in file.parent.glob(f"{_MAKING}*"):
        _remove_if_left(left)
    if os.path.lexists(file):
        _compare(file, _digest(pieces, visit))
        return False
    _make_folder(file.parent)
    with _in_the_making(file) as (descriptor, making):
        with named_errors(file), os.fdopen(descriptor, "wb", closefd=False) as stream:
            digest = _digest(pieces, visit, stream)
            stream.flush()
            os.fsync(descriptor)
        if not _name(Path(making), file):
            _compare(file, digest)
            return False
    for folder in file.parents[:_DEPTH]:
        sync_folder(folder)
    return True


def _digest(pieces: Iterable[bytes], visit: Visit, stream: BinaryIO | None = None) -> str:
    """The SHA-256 of a file in pieces, which go to a stream if there is one. Raises ExportError without time left."""
    found = hashlib.sha256()
    for piece in pieces:
        visit.budget.left()
        if stream is not None:
            stream.write(piece)
        found.update(piece)
    return found.hexdigest()


def _name(making: Path, file: Path) -> bool:
    """Give a file its name, in one step; False if something has that name, which stays what it is."""
    try:
        os.link(making, file)  # unlike a rename, it never takes the place of another
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        if os.path.lexists(file):
            return False
        making.rename(file)
    return True


@contextmanager
def _in_the_making(file: Path) -> Iterator[tuple[int, str]]:
    """A file beside the one to be made: its descriptor and path. It is locked as long as its maker lives."""
    descriptor, making = _locked_file(file.parent)
    try:
        os.fchmod(descriptor, 0o666 & ~_umask())
        yield descriptor, making
    finally:
        Path(making).unlink(missing_ok=True)
        os.close(descriptor)


def _locked_file(folder: Path) -> tuple[int, str]:
    """A new file that is locked. One that another export took for left over, before it was locked, is made again."""
    while True:
        with named_errors(folder):
            descriptor, making = tempfile.mkstemp(prefix=_MAKING, dir=folder)
        with suppress(OSError):  # a place without locks: what is left of a killed maker stays
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(making):
            return descriptor, making
        os.close(descriptor)


def _remove_if_left(making: Path) -> None:
    """Remove a file whose maker was killed."""
    with suppress(OSError):
        descriptor = os.open(making, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            making.unlink()
        finally:
            os.close(descriptor)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{error.filename} is or lies in a file", hint="name another folder as --target") from None


def _compare(file: Path, digest: str) -> None:
    if file_digest(file) != digest:
        raise ExportError(
            "holds something else than this run; it is not overwritten",
            where=str(file),
            hint="remove its folder to export the run anew, or name another --target",
        )


def file_digest(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    found = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            found.update(block)
    return found.hexdigest()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
