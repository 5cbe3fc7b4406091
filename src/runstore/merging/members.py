"""A three-way merge of manifests, member by member: the JSON of three versions in, that of both sides out.

Where one side alone has changed a member, both get it; a parameter, a tag, a declaration of a metric and what else
belongs together is one member. What was accepted on either side was accepted: both lists are kept. `files` is derived,
and stays each side's own. A member that both have changed differently stays each side's own, and is told by its place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.record import JsonObject
from runstore.shape import escape

_OPEN = frozenset(("", "/identity", "/identity/params", "/metrics", "/origin", "/tags"))
"""The objects whose members are looked at one by one."""
_ORIGIN = "/origin"
_ACCEPTED = "/origin/accepted"
_DERIVED = ("files", "run_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedMembers:
    """The manifests of both sides with what could be merged; they differ in `files` and at `conflicts` alone."""

    ours: JsonObject
    theirs: JsonObject
    conflicts: tuple[str, ...]
    """JSON pointers."""


def merge(base: JsonObject | None, ours: JsonObject, theirs: JsonObject) -> MergedMembers:
    """Merge two manifests that come from a common one; None if it is not known: then every difference is a conflict."""
    merging = _Merging(is_known=base is not None)
    one, other = merging.objects(_chosen(base or {}), _chosen(ours), _chosen(theirs), "")
    return MergedMembers(
        ours=_derived(one, ours), theirs=_derived(other, theirs), conflicts=tuple(sorted(merging.conflicts))
    )


def _chosen(side: JsonObject) -> JsonObject:
    return {name: value for name, value in side.items() if name not in _DERIVED}


def _derived(members: JsonObject, side: JsonObject) -> JsonObject:
    run_id = canonical.sha256(canonical.encode(members.get("identity")))[:32]
    return {**members, "files": side.get("files", {}), "run_id": run_id}


class _Merging:
    def __init__(self, *, is_known: bool) -> None:
        self._is_known = is_known
        self.conflicts: list[str] = []

    def objects(
        self, base: JsonObject, ours: JsonObject, theirs: JsonObject, pointer: str
    ) -> tuple[JsonObject, JsonObject]:
        one: JsonObject = {}
        other: JsonObject = {}
        for name in sorted({**ours, **theirs, **base}):
            here = f"{pointer}/{escape(name)}"
            first, second = self._member(_held(base, name), _held(ours, name), _held(theirs, name), here)
            one.update((name, value) for value in first)
            other.update((name, value) for value in second)
        return one, other

    def _member(
        self, base: list[JsonValue], ours: list[JsonValue], theirs: list[JsonValue], pointer: str
    ) -> tuple[list[JsonValue], list[JsonValue]]:
        """A member of each side, in a list that is empty where it has none."""
        before, one, other = map(canonical.encode, (base, ours, theirs))
        if one == other:
            return ours, ours
        if self._is_known and before == one:
            return theirs, theirs
        if self._is_known and before == other:
            return ours, ours
        if pointer == _ACCEPTED and (lists := _lists(base, ours, theirs)):
            accepted = united(*lists)
            kept: list[JsonValue] = [accepted] if accepted else []
            return kept, kept
        absent: list[JsonValue] = [{}] if pointer == _ORIGIN else []
        before_it, mine, their = (_object(side) for side in (base or [{}], ours or absent, theirs or absent))
        if pointer in _OPEN and before_it is not None and mine is not None and their is not None:
            first, second = self.objects(before_it, mine, their, pointer)
            return [part for part in (first,) if part or ours], [part for part in (second,) if part or theirs]
        self.conflicts.append(pointer)
        return ours, theirs


def _held(side: JsonObject, name: str) -> list[JsonValue]:
    return [side[name]] if name in side else []


def _object(side: list[JsonValue]) -> JsonObject | None:
    value = side[0] if side else None
    return value if isinstance(value, dict) else None


def _lists(*sides: list[JsonValue]) -> list[list[JsonValue]] | None:
    found = [side[0] if side else [] for side in sides]
    return found if all(isinstance(value, list) for value in found) else None  # type: ignore[return-value]


def united(base: list[JsonValue], ours: list[JsonValue], theirs: list[JsonValue]) -> list[JsonValue]:
    """What our side says was accepted, less what theirs has dropped of the common list, plus what only theirs has."""
    common, mine, other = (Counter(map(canonical.encode, entries)) for entries in (base, ours, theirs))
    dropped, known = common - other, common | mine
    return [*_without(ours, dropped), *_without(theirs, known)]


def _without(entries: list[JsonValue], less: Counter[bytes]) -> list[JsonValue]:
    left = Counter(less)
    found = []
    for entry in entries:
        text = canonical.encode(entry)
        if left[text]:
            left[text] -= 1
        else:
            found.append(entry)
    return found
