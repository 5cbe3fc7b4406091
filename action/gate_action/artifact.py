"""The artifact of another run, a stranger's: the bytes of a zip in; a verdict and a comparison, or a refusal, out.

Nothing is unpacked to a place that the zip names: two members, known by their exact names, are read into memory, each
up to a limit. What they say is believed only as far as the server says the same (`publish`).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from gate_action import verdict_check, verdict_file
from gate_action.judging import FILES
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError

MAX_ZIP = 64 * 2**20
MAX_COMPARISON = 64 * 2**20
_MAX_MEMBERS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """What the zip holds of use; a comparison is bytes that nobody has looked at."""

    verdict: Mapping[str, JsonValue]
    comparison: bytes | None


def read(data: bytes) -> Artifact:
    """What stands in the zip. Raises InvalidDataError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                raise InvalidDataError(f"the artifact holds more than {_MAX_MEMBERS} files")
            verdict = _member(archive, verdict_file.NAME, verdict_file.MAX_BYTES)
            comparison = _member(archive, FILES["json"], MAX_COMPARISON)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise InvalidDataError(f"the artifact is no zip that can be read ({type(error).__name__})") from None
    if verdict is None:
        raise InvalidDataError(f"the artifact holds no {verdict_file.NAME}: the run did not get so far")
    found = verdict_check.parse(verdict)
    _check_digest(found, comparison)
    return Artifact(verdict=found, comparison=comparison)


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | None:
    """The bytes of the one member of that name; None if there is none."""
    found = [one for one in archive.infolist() if one.filename == name]
    if not found:
        return None
    if len(found) > 1:
        raise InvalidDataError(f"{name} stands twice in the artifact")
    if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidDataError(f"{name} is packed as no artifact is")  # other ways fail with errors of their own
    with archive.open(found[0]) as file:
        data = file.read(limit + 1)  # what the zip says of its size is not asked
    if len(data) > limit:
        raise InvalidDataError(f"{name} is larger than {limit:,} bytes")
    return data


def _check_digest(verdict: Mapping[str, JsonValue], comparison: bytes | None) -> None:
    reports = verdict["reports"]
    listed = reports.get(FILES["json"]) if isinstance(reports, dict) else None
    found = None if comparison is None else hashlib.sha256(comparison).hexdigest()
    if listed != found:
        raise InvalidDataError(f"{FILES['json']} is not the file that {verdict_file.NAME} lists")
