"""The manifest of a merge: bytes, with marks or without, in; one JSON object out.

Where the two sides differ only in what is derived (digests, sizes, the run id) nobody has to choose. What was accepted
on either side was accepted: both lists are kept. Any other difference is a choice, and refused by name.
"""

from __future__ import annotations

from collections.abc import Collection

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.rebuilding.marks import sides
from runstore.record import JsonObject
from runstore.shape import escape

_DERIVED = ("files", "run_id")


def resolved(data: bytes, where: str, there: Collection[str]) -> bytes:
    """The manifest without marks, as loose JSON; `there`: the files of the folder. Raises InvalidRunError."""
    both = sides(data, where)
    if both is None:
        return data
    ours, theirs = (_members(side, where) for side in both)
    accepted = _both_lists(ours, theirs)
    one, other = (_chosen(side) for side in (ours, theirs))
    _check_equal(one, other, where, "")
    merged: JsonObject = {**one, "files": _both_files(ours, theirs, there)}
    if accepted:
        origin = merged.get("origin", {})
        assert isinstance(origin, dict)
        merged["origin"] = {**origin, "accepted": accepted}
    return canonical.encode(merged)


def _members(data: bytes, where: str) -> JsonObject:
    try:
        value = canonical.parse_loose(data)
    except InvalidDataError as error:
        raise InvalidRunError(
            f"one side of the merge is no JSON: {error.message}", where=where, hint="take one side, and call again"
        ) from error
    if not isinstance(value, dict):
        raise InvalidRunError("one side of the merge is no JSON object", where=where)
    return value


def _chosen(side: JsonObject) -> JsonObject:
    """What somebody has chosen of a manifest: all but what is derived and what tells of acceptances."""
    members = {name: value for name, value in side.items() if name not in _DERIVED}
    origin = members.get("origin")
    if isinstance(origin, dict) and isinstance(origin.get("accepted"), list):
        rest = {name: value for name, value in origin.items() if name != "accepted"}
        members = {**members, "origin": rest}
        if not rest:
            del members["origin"]
    return members


def _accepted(side: JsonObject) -> list[JsonValue]:
    origin = side.get("origin")
    found = origin.get("accepted") if isinstance(origin, dict) else None
    return found if isinstance(found, list) else []


def _both_lists(ours: JsonObject, theirs: JsonObject) -> list[JsonValue]:
    """What our side has accepted, then what only theirs has."""
    mine = _accepted(ours)
    return [*mine, *(entry for entry in _accepted(theirs) if entry not in mine)]


def _both_files(ours: JsonObject, theirs: JsonObject, there: Collection[str]) -> JsonObject:
    """The files that must be there: those that both sides list, and of the others those that are."""
    one, other = (files if isinstance(files := side.get("files"), dict) else {} for side in (ours, theirs))
    return {path: entry for path, entry in {**other, **one}.items() if (path in one and path in other) or path in there}


def _check_equal(one: JsonValue, other: JsonValue, where: str, pointer: str) -> None:
    """Refuse the first difference that somebody has to decide, by its place. Raises InvalidRunError."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({**one, **other}):
            here = f"{pointer}/{escape(name)}"
            if name not in one or name not in other:
                raise _undecided(here, where)
            _check_equal(one[name], other[name], where, here)
    elif canonical.encode(one) != canonical.encode(other):
        raise _undecided(pointer, where)


def _undecided(pointer: str, where: str) -> InvalidRunError:
    return InvalidRunError(
        "the two sides of the merge differ here, and only a person can choose",
        where=f"{where} {pointer}",
        hint="edit the file: keep one side, remove the marks, and call `gate rebuild` again",
    )
