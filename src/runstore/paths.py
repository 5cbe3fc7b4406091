"""Portable paths inside a run: text in, the same text out or a refusal that says why (docs/format.md, section 5).

What one system takes for a plain name is a device, a stream or a climb out of the folder on another. One grammar for
all of them is the only safe reading of a path that came from a file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from runstore.errors import InvalidRunError

_ASCII = re.compile(r"[A-Za-z0-9._\-+=@, ]*\Z")
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:\..*)?\Z", re.IGNORECASE)
_SEGMENT_BYTES = 255
_PATH_BYTES = 1024


def check(path: str) -> str:
    """The path itself if it is portable and stays inside the run; raises InvalidRunError otherwise."""
    problem = _problem(path)
    if problem:
        raise InvalidRunError(f"{problem}: {path[:80]!r} is not a portable path", hint="see docs/format.md, section 5")
    return path


def _problem(path: str) -> str | None:
    if not path or len(path.encode(errors="replace")) > _PATH_BYTES:
        return "empty or too long"
    return next((problem for segment in path.split("/") if (problem := _segment_problem(segment))), None)


def _segment_problem(segment: str) -> str | None:
    if segment in ("", ".", ".."):
        return "empty segment or climb"
    if segment[0] == " " or segment[-1] in " .":
        return "space at an end or dot at the end"
    if len(segment.encode(errors="replace")) > _SEGMENT_BYTES:
        return "segment too long"
    if _DEVICE.match(segment):
        return "name of a device"
    others = "".join(char for char in segment if ord(char) > 0x7F)
    if not _ASCII.match("".join(char for char in segment if ord(char) <= 0x7F)):
        return "character that is not portable"
    if others and not (others.isalpha() and unicodedata.is_normalized("NFC", segment)):
        return "character that is not a letter, or not NFC"
    return None


def check_distinct(paths: Iterable[str]) -> None:
    """Refuse two paths that are one on a file system without case. Raises InvalidRunError."""
    seen: dict[str, str] = {}
    for path in paths:
        twin = seen.setdefault(path.casefold(), path)
        if twin is not path:
            raise InvalidRunError(f"{twin!r} and {path!r} differ only in case")
