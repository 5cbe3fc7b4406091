"""`.gitattributes`: which of its lines could keep the diff of a baseline from being seen. Lines in, lines out.

Nothing here decides what git would do: a line that may match is told, so that a person looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

_NAME = ".gitattributes"
_HARMLESS = frozenset(
    (b"conflict-marker-size", b"delta", b"eol", b"linguist-detectable", b"linguist-language", b"text", b"whitespace")
)
"""Attributes that hide nothing. Any other may, also a macro of the user's own."""
_LINE_CHARACTERS = 120


def places(paths: Iterable[str]) -> list[str]:
    """Where a `.gitattributes` may stand that says something of some paths: in each folder above them."""
    found: dict[str, None] = {}
    for path in paths:
        parts = path.split("/")
        for count in range(len(parts)):
            found["/".join((*parts[:count], _NAME))] = None
    return list(found)


def new_lines(old: Mapping[str, bytes | None], new: Mapping[str, bytes | None], paths: Sequence[str]) -> list[str]:
    """The lines, each with its file, that could hide a diff of one of the paths and were not there before.

    Where only their order changed, or some are gone, these are told: the last line that matches counts.
    """
    found = []
    for place, data in new.items():
        before, after = _telling(old.get(place), place, paths), _telling(data, place, paths)
        if before != after:
            told = [line for line in after if line not in before] or [line for line in before if line not in after]
            found += [f"{place}: {line.decode(errors='replace')[:_LINE_CHARACTERS]}" for line in told or after]
    return found


def _telling(data: bytes | None, place: str, paths: Sequence[str]) -> list[bytes]:
    """The lines of a file that could hide a diff, in their order."""
    folder = place.removesuffix(_NAME)
    below = [path.removeprefix(folder) for path in paths if path.startswith(folder)]
    lines = [] if data is None else data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [line.strip() for line in lines if _may_hide(line.strip(), below)]


def _may_hide(line: bytes, paths: Sequence[str]) -> bool:
    if not line or line.startswith(b"#"):
        return False
    if line.startswith((b"[attr]", b'"')):
        return True  # a macro, or a quoted pattern: neither is followed here
    pattern, *words = line.split()
    names = {word.lstrip(b"-!").partition(b"=")[0] for word in words}
    return not names <= _HARMLESS and any(_may_match(pattern.decode(errors="replace"), path) for path in paths)


def _may_match(pattern: str, path: str) -> bool:
    """Whether a pattern may match a path or its name; `*` stands for anything here, also for `/`."""
    wide = pattern.lstrip("/").replace("**/", "*")
    return any(fnmatchcase(text, wide) for text in (path, path.rpartition("/")[2])) or fnmatchcase(path, f"*/{wide}")
