"""One format, said three times: the fast check, the check that explains, and the published schema say the same.

Values are near-valid: what a person, a bug or an attacker would make of a valid one. What a schema cannot say is named
here, message by message; for anything else the three must agree.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, manifest, record, schema, series, summary
from runstore.canonical import JsonValue
from runstore.errors import CanonicalError, InvalidDataError
from runstore.record import FIELDS, JsonObject
from runstore.summary import Tally

CORPUS = Path(__file__).parents[1] / "corpus" / "runs" / "valid"
RANGES = {"acc": (0, 1), "loss": (-math.inf, math.inf), "réponse": (-math.inf, math.inf)}

names = st.sampled_from(["", "acc", "loss", "réponse", "other", "\ue000", "\U0001f600", "\ud800", "\x00", "a/b~c"])
numbers = st.one_of(
    st.integers(-2, 3),
    st.floats(),
    st.sampled_from([0.5, 1.0, -0.0, 1e-7, 1e16, 1e21, 1e308, 2**53 - 1, 2**53, -(2**53), 10**400, math.nan, math.inf]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, names)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
deep = st.deferred(lambda: st.integers(55, 70).map(nested))


def nested(depth: int) -> JsonValue:
    value: JsonValue = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


Place = tuple[str | int, ...]


def places(value: JsonValue, place: Place = ()) -> list[Place]:
    """Every place in a value, the whole included."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, member in members for found in places(member, (*place, key)))]


NASTY: list[JsonValue] = [
    *(None, True, False, "", "x", "ok", "ok ", "lower", "mean", "1", "\x00", "\ue000", "\ud800"),
    *("0" * 64 + "\n", "0" * 65, "0" * 32 + "\n"),
    *(0, 1, 2, -1, 0.5, 1.0, -0.0, 1e-7, 1e16, 1e21, 1e308, 2**53 - 1, 2**53, -(2**53), 10**400, math.nan, math.inf),
    *([], [1], ["x"], [1, 0], ["b", "a"], ["a", "a"]),  # type: ignore[list-item]
    *({}, {"": 1}, {"": "x"}, {"a": 1}, {"a": "x"}, {"a": None}),  # type: ignore[list-item]
    *(nested(depth) for depth in (60, 61, 62, 63, 64, 65)),
]
NAMES = [
    "",
    "x",
    "first",
    "lines",
    "acc",
    "\ud800",
    "stddev",
    "artifacts/x",
    "artifacts/CON",
    "records-0001.jsonl",
    "x.jsonl",
]


Change = Callable[[Any, Any], None]
"""What is done to a container and one of its keys."""


def put(value: JsonValue) -> Change:
    return lambda parent, key: parent.__setitem__(key, value)


def remove(parent: Any, key: Any) -> None:
    del parent[key]


def renamed(name: str, *, keep: bool = False) -> Change:
    """A member renamed, or with `keep` copied; an element gets a neighbour."""

    def change(parent: Any, key: Any) -> None:
        if isinstance(parent, dict):
            parent[name] = parent[key] if keep else parent.pop(key)
        else:
            parent.append(parent[key] if keep else name)

    return change


CHANGES = [*map(put, NASTY), remove, *map(renamed, NAMES), *(renamed(name, keep=True) for name in NAMES)]


def variants(value: JsonValue) -> Iterator[JsonValue]:
    """The value with one place set to each nasty value, or removed; with one member more, or one renamed."""
    for place in places(value)[1:]:
        for change in CHANGES:
            yield changed(value, place, change)


def changed(value: JsonValue, place: Place, change: Change) -> JsonValue:
    """A copy of the value in which `change` was done to the container and the key of a place."""
    value = copy.deepcopy(value)
    parent: Any = value
    for key in place[:-1]:
        parent = parent[key]
    change(parent, place[-1])
    return value


def mostly(good: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    """Three times out of four what belongs there."""
    return st.one_of(good, good, good, anything)


fields: dict[str, st.SearchStrategy[JsonValue]] = {
    "id": mostly(st.sampled_from(["a", "é", "\ue000", "x" * 300])),
    "input": st.one_of(anything, deep),
    "metadata": st.one_of(mostly(st.dictionaries(names, anything, max_size=3)), deep),
    "output": anything,
    "reason": mostly(st.dictionaries(st.sampled_from(["message", "type", "type", "kind"]), mostly(names), max_size=3)),
    "repeat": mostly(st.integers(1, 3)),
    "scores": mostly(st.dictionaries(names, mostly(numbers), max_size=3)),
    "status": mostly(st.sampled_from(["ok", "error", "skipped", "OK"])),
    "tags": mostly(st.dictionaries(names, mostly(names), max_size=3)),
    "target": anything,
    "texts": mostly(st.dictionaries(names, anything, max_size=2)),
}
records = st.fixed_dictionaries({"id": fields["id"]}, optional={name: fields[name] for name in FIELDS[1:]})
near_records = st.one_of(
    records,
    records.flatmap(lambda value: st.tuples(names, anything).map(lambda extra: {**value, extra[0]: extra[1]})),
    records.map(lambda value: {name: member for name, member in value.items() if name != "id"}),
    anything,
)


def refusal(act: Callable[[], object]) -> str | None:
    """The message with which something is refused; None if it is not."""
    try:
        act()
    except InvalidDataError as error:
        return error.message
    return None


def fits(name: str, value: JsonValue) -> bool:
    return next(schema.validate(name, value), None) is None


def only_the_code_can_say(message: str | None, *parts: str) -> bool:
    return message is not None and any(part in message for part in parts)


def canonical_line(value: JsonValue) -> bytes | None:
    try:
        return canonical.encode(value)
    except CanonicalError:
        return None


def check_fast_agrees(value: JsonValue) -> None:
    if isinstance(value, dict) and "id" in value and record.is_sound(value, RANGES):
        assert refusal(lambda: record.check(value, RANGES)) is None
        line = canonical_line(value)
        assert line == (None if line is None else canonical.dumps_plain(value))


def check_write_and_read_agree(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:
        assert not isinstance(value, dict) or refusal(lambda: record.write(value, RANGES)) is not None
        return
    read_back = canonical.decode(line)
    expected = refusal(lambda: record.check(read_back, RANGES))
    assert refusal(lambda: record.read(line, RANGES)) == expected
    if expected is None:
        assert isinstance(read_back, dict)
        assert record.write(read_back, RANGES) == line
        assert record.read(line, RANGES) == read_back


def check_schema_agrees(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:  # the law refuses it before any schema is asked
        return
    read_back = canonical.decode(line)
    message = refusal(lambda: record.check(read_back, RANGES))
    if not only_the_code_can_say(message, "declares no metric", "outside the declared range", *_OF_TEXTS):
        assert fits("record", read_back) == (message is None), message


_OF_TEXTS = ("no JSON pointer to a text of this record", "at that place")
RECORD: JsonObject = {
    "id": "a",
    "input": {"question": ["x", 1, 2.5, None, True]},
    "metadata": {"k": {"deep": 1}},
    "output": "x",
    "reason": {"message": "m", "type": "t"},
    "repeat": 2,
    "scores": {"acc": 0.5, "loss": 1},
    "status": "error",
    "tags": {"lang": "de"},
    "target": [],
}
WITH_TEXTS: JsonObject = {
    "id": "a",
    "output": ["y" * 512, {"a/b": "z" * 511, "": "é" * 256}],
    "texts": {f"/output/{place}": {"sha256": "0" * 64, "size": 513} for place in ("0", "1/a~1b", "1/")},
}
ORACLES = [check_fast_agrees, check_write_and_read_agree, check_schema_agrees]


@pytest.mark.parametrize("agree", ORACLES)
def test_a_record_with_one_place_spoilt_is_judged_alike_by_every_check(agree: Callable[[JsonValue], None]) -> None:
    for value in [RECORD, *variants(RECORD), WITH_TEXTS, *variants(WITH_TEXTS)]:
        agree(value)


@pytest.mark.parametrize("agree", ORACLES)
@given(value=near_records)
def test_a_record_near_a_valid_one_is_judged_alike_by_every_check(
    agree: Callable[[JsonValue], None], value: JsonValue
) -> None:
    agree(value)


points = st.fixed_dictionaries(
    {"name": mostly(names), "value": mostly(numbers)}, optional={"step": mostly(st.integers(-1, 3)), "time": anything}
)


def check_point_agrees(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:
        return
    read_back = canonical.decode(line)
    message = refusal(lambda: series.check(read_back, RANGES))
    assert refusal(lambda: series.read(line, RANGES)) == message
    if not only_the_code_can_say(message, "declares no metric", "outside the declared range"):
        assert fits("point", read_back) == (message is None), message


def test_a_point_with_one_place_spoilt_fits_the_schema_exactly_if_it_passes_the_check() -> None:
    for value in variants({"name": "acc", "step": 1, "value": 0.5}):
        check_point_agrees(value)


@given(st.one_of(points, anything))
def test_a_point_near_a_valid_one_fits_the_schema_exactly_if_it_passes_the_check(value: JsonValue) -> None:
    check_point_agrees(value)


def document(run: str, name: str) -> JsonObject:
    value = canonical.decode_document((CORPUS / run / f"{name}.json").read_bytes())
    assert isinstance(value, dict)
    return value


paths = st.sampled_from(
    ["artifacts/x.bin", "artifacts/CON.txt", "artifacts/../x", "records-0001.jsonl", "notes.txt", ""]
)


def spoilt(value: JsonValue) -> st.SearchStrategy[JsonValue]:
    """The value with one or two places changed, removed, renamed, or given a member more."""
    return st.tuples(one_change(value), st.booleans()).flatmap(
        lambda drawn: one_change(drawn[0]) if drawn[1] and places(drawn[0])[1:] else st.just(drawn[0])
    )


@st.composite
def one_change(draw: st.DrawFn, value: JsonValue) -> JsonValue:
    place = draw(st.sampled_from(places(value)[1:]))
    act = draw(st.sampled_from(["set", "set", "remove", "rename", "copy"]))
    if act == "set":
        return changed(value, place, put(draw(anything)))
    if act == "remove":
        return changed(value, place, remove)
    return changed(value, place, renamed(draw(st.one_of(names, paths)), keep=act == "copy"))


def with_run_id(value: JsonObject) -> JsonObject:
    """The manifest with the id of its identity: else every change of the identity would be refused for that alone."""
    if not {"identity", "run_id"} <= value.keys():
        return value
    return {**value, "run_id": hashlib.sha256(canonical.encode(value["identity"])).hexdigest()[:32]}


_ORDER_AND_NAMES = ("must be sorted", "slices must be", "lowest first", "identity gives run id", "differ only in case")


def check_manifest_agrees(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:
        return
    value = canonical.decode(line)
    assert isinstance(value, dict)
    value = with_run_id(value)
    message = refusal(lambda: manifest.from_json(value))
    if message is None:
        # The exact set of files is the reader's to check, not the manifest's: see tests/unit/test_validate_command.py.
        assert all(found.pointer.startswith("/files") for found in schema.validate("manifest", value))
    elif not only_the_code_can_say(message, *_ORDER_AND_NAMES):
        assert not fits("manifest", value), message


def check_summary_agrees(value: JsonValue) -> None:
    """What cannot be read does not fit; and what is read and gives its own bytes again fits."""
    line = canonical_line(value)
    if line is None:
        return
    value = canonical.decode(line)
    message = refusal(lambda: summary.from_json(value))
    if message is None:
        tally, series_points = summary.from_json(value)
        again = derived(tally, series_points)
        assert again != line or fits("summary", value)
    elif not only_the_code_can_say(message, "is not the sum"):
        assert not fits("summary", value), message


def derived(tally: Tally, series_points: Mapping[str, int]) -> bytes | None:
    """The bytes of a summary; None for sums that are no sums of any scores."""
    try:
        return canonical_line(summary.to_json(tally, series_points))
    except (ValueError, OverflowError, InvalidDataError):
        return None


DOCUMENTS = {"manifest": check_manifest_agrees, "summary": check_summary_agrees}
runs = pytest.mark.parametrize("run", ["v1-records", "v1-training", "v1-minimal"])


@runs
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_with_one_place_spoilt_fits_the_schema_exactly_if_it_can_be_read(run: str, name: str) -> None:
    for value in [document(run, name), *variants(document(run, name))]:
        DOCUMENTS[name](value)


@runs
@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_a_document_near_a_valid_one_fits_the_schema_exactly_if_it_can_be_read(
    run: str, name: str, data: st.DataObject
) -> None:
    DOCUMENTS[name](data.draw(spoilt(document(run, name))))
