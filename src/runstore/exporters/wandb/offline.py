"""A W&B run in a folder: a plan in, the folder that W&B's own client leaves offline out, and back.

`offline-run-<time>-<id>` holds the log `run-<id>.wandb` and the files under `files/`. The time in the name is always
the same one, so that the same run has the same place. The folder appears whole or not at all; one that stands there
is never changed. `wandb sync FOLDER` sends it to a server.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from runstore.errors import InvalidDataError, RunExistsError, UsageError
from runstore.exporters.contract import Budget, ExportError, Receipt
from runstore.exporters.wandb import log
from runstore.exporters.wandb.comparing import is_whole
from runstore.exporters.wandb.planning import WandbPlan
from runstore.exporters.wandb.transactions import Found, messages, read_messages
from runstore.store.placing import BuildFolder
from runstore.store.reader import Run

_TIME = "19700101_000000"
_FILES = "files"
_BLOCK_BYTES = 256 * 1024


def folder_of(plan: WandbPlan, environment: Mapping[str, str]) -> Path:
    """Where the run stands, or will. Raises UsageError for a `~` that nothing is known to stand for."""
    base = plan.place.folder or "."
    home = environment.get("HOME", "")
    if base.startswith("~"):
        if not home or base[1:2] not in ("", "/"):
            raise UsageError("nothing is known for the ~ of the target", hint="write the folder without ~")
        base = f"{home}{base[1:]}"
    return Path(base) / f"offline-run-{_TIME}-{plan.key}"


def write_folder(plan: WandbPlan, run: Run, folder: Path, budget: Budget) -> Receipt:
    """Write the folder. Raises ExportError if another run stands there, or time is over; OSError."""
    if folder.exists():
        return _found_there(plan, folder)
    building = BuildFolder(folder)
    try:
        for attachment in plan.attachments:
            budget.left()
            place = building.path / _FILES / attachment.path
            place.parent.mkdir(parents=True, exist_ok=True)
            if attachment.origin is None:
                place.write_bytes(attachment.content or b"")
            else:
                with run.source.open(attachment.origin) as source, place.open("wb") as target:
                    shutil.copyfileobj(source, target, _BLOCK_BYTES)
        # The log comes last: `wandb sync` looks for logs in hidden folders too, such as a killed job leaves.
        (building.path / _log_name(plan)).write_bytes(log.write(messages(plan)))
        building.commit()
    except RunExistsError:  # another job was faster
        building.discard()
        return _found_there(plan, folder)
    except BaseException:
        building.discard()
        raise
    return Receipt(remote_id=plan.key, url=str(folder), requests=0, created=True)


def _found_there(plan: WandbPlan, folder: Path) -> Receipt:
    found = read_folder(plan, folder)
    if not is_whole(plan, found, len(found.rows)):
        raise ExportError(
            "something else stands at the place of this run",
            where=str(folder),
            hint="nothing was changed; move it away and export again",
        )
    return Receipt(remote_id=plan.key, url=str(folder), requests=0, created=False)


def read_folder(plan: WandbPlan, folder: Path) -> Found:
    """What a folder says. Raises ExportError if it is not there or damaged."""
    file = folder / _log_name(plan)
    try:
        found = read_messages(log.read(file.read_bytes()))
    except FileNotFoundError:
        raise ExportError("this run is not there", where=str(file), hint="export it first") from None
    except (ValueError, InvalidDataError) as error:
        raise ExportError(f"the log {error}", where=str(file), hint="remove the folder and export again") from None
    for attachment in plan.attachments:
        place = folder / _FILES / attachment.path
        if place.is_file() and not place.is_symlink():
            found.files[attachment.path] = _measure(place)
    return found


def _measure(place: Path) -> tuple[int, str]:
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return file.tell(), digest.hexdigest()


def _log_name(plan: WandbPlan) -> str:
    return f"run-{plan.key}.wandb"
