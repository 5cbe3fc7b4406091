"""One format, said three times: the fast check, the check that explains, and the published schema say the same.

Values are near-valid: what a person, a bug or an attacker would make of a valid one. What a schema cannot say is named
here, message by message; for anything else the three must agree.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, manifest, record, schema, series, summary
from runstore.canonical import JsonValue
from runstore.errors import CanonicalError, InvalidDataError
from runstore.record import FIELDS, JsonObject

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


@given(near_records)
def test_a_record_is_sound_by_the_fast_check_only_if_it_is_by_the_one_that_explains(value: JsonValue) -> None:
    if isinstance(value, dict) and "id" in value and record._is_sound(value, RANGES):
        assert refusal(lambda: record.check(value, RANGES)) is None
        line = canonical_line(value)
        assert line == (None if line is None else canonical.dumps_plain(value))


@given(near_records)
def test_writing_and_reading_accept_the_same_records_as_the_law_and_the_check(value: JsonValue) -> None:
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


@given(near_records)
def test_a_record_fits_the_schema_exactly_if_it_passes_the_check(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:  # the law refuses it before any schema is asked
        return
    read_back = canonical.decode(line)
    message = refusal(lambda: record.check(read_back, RANGES))
    if not only_the_code_can_say(message, "declares no metric", "outside the declared range"):
        assert fits("record", read_back) == (message is None), message


points = st.fixed_dictionaries(
    {"name": mostly(names), "value": mostly(numbers)}, optional={"step": mostly(st.integers(-1, 3)), "time": anything}
)


@given(st.one_of(points, anything))
def test_a_point_fits_the_schema_exactly_if_it_passes_the_check(value: JsonValue) -> None:
    line = canonical_line(value)
    if line is None:
        return
    read_back = canonical.decode(line)
    message = refusal(lambda: series.check(read_back, RANGES))
    assert refusal(lambda: series.read(line, RANGES)) == message
    if not only_the_code_can_say(message, "declares no metric", "outside the declared range"):
        assert fits("point", read_back) == (message is None), message


def document(run: str, name: str) -> JsonObject:
    value = canonical.decode_document((CORPUS / run / f"{name}.json").read_bytes())
    assert isinstance(value, dict)
    return value


Place = tuple[str | int, ...]


def places(value: JsonValue, place: Place = ()) -> list[Place]:
    """Every place in a value, the whole included."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, member in members for found in places(member, (*place, key)))]


paths = st.sampled_from(
    ["artifacts/x.bin", "artifacts/CON.txt", "artifacts/../x", "records-0001.jsonl", "notes.txt", ""]
)


@st.composite
def spoilt(draw: st.DrawFn, value: JsonValue) -> JsonValue:
    """The value with one or two places changed, removed, renamed, or given a member more."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(value)[1:]))
        parent = value
        for key in way:
            parent = parent[key]  # type: ignore[index,call-overload]  # places() gave a way that exists
        act = draw(st.sampled_from(["set", "set", "remove", "add", "rename", "copy"]))
        found = parent[last]  # type: ignore[index]
        if act == "set":
            parent[last] = draw(anything)  # type: ignore[index]
        elif act == "copy" and isinstance(parent, list):
            parent.append(copy.deepcopy(found))
        elif act == "add" and isinstance(parent, dict):
            parent[draw(st.one_of(names, paths, st.just("first")))] = draw(st.one_of(st.just(found), anything))
        else:
            del parent[last]  # type: ignore[arg-type,union-attr]
            if act == "rename" and isinstance(parent, dict):
                parent[draw(st.one_of(names, paths))] = found
        if not places(value)[1:]:
            break
    return value


def with_run_id(value: JsonObject) -> JsonObject:
    """The manifest with the id of its identity: else every change of the identity would be refused for that alone."""
    if not {"identity", "run_id"} <= value.keys():
        return value
    return {**value, "run_id": hashlib.sha256(canonical.encode(value["identity"])).hexdigest()[:32]}


_ORDER_AND_NAMES = ("must be sorted", "slices must be", "lowest first", "identity gives run id", "differ only in case")


@pytest.mark.parametrize("run", ["v1-records", "v1-training", "v1-minimal"])
@given(data=st.data())
def test_a_manifest_fits_the_schema_exactly_if_it_can_be_read(run: str, data: st.DataObject) -> None:
    line = canonical_line(data.draw(spoilt(document(run, "manifest"))))
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


@pytest.mark.parametrize("run", ["v1-records", "v1-training", "v1-minimal"])
@given(data=st.data())
def test_a_summary_that_the_records_give_fits_the_schema_and_no_other_is_both_read_and_refused(
    run: str, data: st.DataObject
) -> None:
    line = canonical_line(data.draw(spoilt(document(run, "summary"))))
    if line is None:
        return
    value = canonical.decode(line)
    message = refusal(lambda: summary.from_json(value))
    if message is None:
        tally, series_points = summary.from_json(value)
        if refusal(lambda: summary.to_json(tally, series_points)) is None:
            again = canonical.encode(summary.to_json(tally, series_points))
            assert again != canonical.encode(value) or fits("summary", value)
    elif not only_the_code_can_say(message, "is not the sum"):
        assert not fits("summary", value), message
