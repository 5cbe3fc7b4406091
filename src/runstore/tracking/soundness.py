"""Soundness of a journal's line: an entry that was read in, whether it has the form that this version writes out.

A line can be whole JSON and yet be damaged, or made by somebody else: it is then kept as a torn one, so that the other
lines still make a run, and nothing of it becomes a path or a value. A kind of entry that is not known is left to the
story, which says that another version wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from runstore import paths, record
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import InvalidDataError
from runstore.manifest import RUN_STATUSES, Identity, Manifest, MetricDeclaration, from_json, to_json
from runstore.tracking.journal import Entry

_Test = Callable[[JsonValue], bool]
_ANY = (-math.inf, math.inf)


def is_sound(entry: Entry) -> bool:
    """Whether an entry has the form of its kind; one of a kind that is not known passes."""
    if entry["op"] == "start" and entry.get("journal") != 1:
        return True  # of another form: the story says so
    known = _FORMS.get(str(entry["op"]))
    if known is None:
        return True
    needed, optional = known
    return all(name in entry and test(entry[name]) for name, test in needed.items()) and all(
        test(entry[name]) for name, test in optional.items() if name in entry
    )


def check_declared(
    metrics: Mapping[str, MetricDeclaration], identity: Identity | None = None, slices: tuple[str, ...] = ()
) -> None:
    """Refuse now what no manifest can say, for at the end it would be too late. Raises InvalidDataError."""
    for name, declared in metrics.items():
        if not isinstance(declared, MetricDeclaration):
            raise InvalidDataError(
                f"a {type(declared).__qualname__} declares no metric",
                where=f"metric {name!r:.80}",
                hint="pass a MetricDeclaration",
            )
    for name in slices:
        if not isinstance(name, str):
            raise InvalidDataError(f"the slice {name!r:.80} is no tag name", hint="slices are names of tags")
    from_json(to_json(Manifest(identity=identity or Identity(), metrics=metrics, files={}, slices=slices)))


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_name(value: JsonValue) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: JsonValue) -> bool:
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def _is_number(value: JsonValue) -> bool:
    """A number, or the text of one that JSON cannot carry."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return type(value) in (int, float)


def _is_scalar(value: JsonValue) -> bool:
    return value is None or isinstance(value, str | int | float)


def _members(test: _Test) -> _Test:
    return lambda value: isinstance(value, dict) and all(name and test(member) for name, member in value.items())


def _is_record(value: JsonValue) -> bool:
    if not isinstance(value, dict):
        return False
    scores = value.get("scores", {})
    try:
        record.check(value, dict.fromkeys(scores, _ANY) if isinstance(scores, dict) else {})
    except InvalidDataError:
        return False
    return not isinstance(scores, dict) or "" not in scores


def _is_artifact(value: JsonValue) -> bool:
    try:
        paths.check(f"artifacts/{value}")
    except InvalidDataError:
        return False
    return isinstance(value, str)


def _is_volatile(value: JsonValue) -> bool:
    return value == "environment"


def _is_texts(value: JsonValue) -> bool:
    return isinstance(value, list) and all(map(_is_name, value))


def _is_bounds(value: JsonValue) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(bound) in (int, float) for bound in value)


def _is_provenance(value: JsonValue) -> bool:
    forms: Mapping[str, _Test] = {
        "commit": _is_text,
        "dirty": lambda dirty: isinstance(dirty, bool),
        "environment": _is_text,
    }
    return isinstance(value, dict) and all(name in forms and forms[name](member) for name, member in value.items())


def _is_identity(value: JsonValue) -> bool:
    names = {"project", "suite", "name", "parent"}
    return isinstance(value, dict) and value.keys() <= names and all(map(_is_text, value.values()))


def _anything(_value: JsonValue) -> bool:
    return True


_FORMS: Mapping[str, tuple[Mapping[str, _Test], Mapping[str, _Test]]] = {
    "alert": ({"condition": _is_text, "metric": _is_text, "value": _is_number}, {"step": _is_count}),
    "artifact": ({"name": _is_artifact, "sha256": _is_text, "size": _is_count}, {"kind": _is_text}),
    "dataset": ({"name": _is_name, "digest": _is_text}, {"version": _is_text, "description": _is_text}),
    "declare": (
        {"name": _is_name, "direction": lambda value: value in ("higher", "lower")},
        {"unit": _is_text, "aggregate": lambda value: value in ("mean", "last", "min", "max"), "range": _is_bounds},
    ),
    "end": ({"status": lambda value: value in RUN_STATUSES, "at": _anything}, {}),
    "left_out": ({"why": _is_text, "count": _is_count}, {}),
    "measures": ({"values": _members(_is_number)}, {}),
    "metrics": ({"values": _members(_is_number)}, {"step": _is_count}),
    "mirror": ({"backend": _is_text, "remote": _members(_is_text)}, {}),
    "note": ({"text": _is_text}, {}),
    "params": ({"values": _members(_is_scalar)}, {}),
    "provenance": ({"values": _is_provenance}, {}),
    "record": ({"record": _is_record}, {}),
    "start": ({"identity": _is_identity, "slices": _is_texts}, {}),
    "tag": ({"name": _is_name, "value": _is_text}, {}),
    "volatile": ({"name": _is_volatile, "value": _anything}, {}),
}
"""Kind → the members that it must have and those that it may have, each with its form."""
