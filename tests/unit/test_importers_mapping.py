"""From a row to a record: tables of rows, what becomes of them, and what does not fit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.importers.decisions import Decisions
from runstore.importers.field_path import MISSING, FieldPath, Missing
from runstore.importers.mapping import FieldMap, IdSource, ScoreField, json_number, map_row
from runstore.importers.misfits import EXPLANATIONS, Kind, Misfit
from runstore.importers.rows import Row, shown


def path(text: str) -> FieldPath:
    return FieldPath.parse(text)


def score_fields(**changes: Any) -> FieldMap:
    chosen: dict[str, Any] = {
        "id_source": IdSource.FIELDS,
        "ids": (path("id"),),
        "scores": {"s": ScoreField(path("s"))},
    }
    return FieldMap(**(chosen | changes))


NESTED: JsonValue = {
    "a": {"b": [10, {"c": 1}], "": 2},
    "x.y": 3,
    "x": {"y": 4, "z": 5},
    "p": {"q.r": {"s": 6}},
    "k\\": 7,
}
PATHS: list[tuple[str, JsonValue | Missing]] = [
    ("a.b.0", 10),
    ("a.b.1.c", 1),
    ("a.b.2", MISSING),
    ("a.b.-1", MISSING),
    ("a.b.x", MISSING),
    ("a.b.0.c", MISSING),
    ("a.none", MISSING),
    ("x.y", 3),
    ("x\\.y", 3),
    ("x.z", 5),
    ("p.q.r.s", 6),
    ("p.q\\.r.s", 6),
    ("k\\\\", 7),
]


@pytest.mark.parametrize(("text", "value"), PATHS)
def test_a_dotted_path_finds_what_stands_there(text: str, value: JsonValue | Missing) -> None:
    assert path(text).find(NESTED) == value


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a\\", "a\\b"])
def test_a_text_with_an_empty_segment_or_a_stray_backslash_is_no_path(text: str) -> None:
    with pytest.raises(UsageError, match="is not a field path"):
        path(text)


SCORES: list[tuple[JsonValue, int | float | None, Kind | None]] = [
    (0.5, 0.5, None),
    (7, 7, None),
    (True, 1, None),
    (False, 0, None),
    (2**53 - 1, 2**53 - 1, None),
    (1e300, 1e300, None),
    (None, None, Kind.MISSING_SCORE),
    (math.nan, None, Kind.MISSING_SCORE),
    (math.inf, None, Kind.MISSING_SCORE),
    (-math.inf, None, Kind.MISSING_SCORE),
    ("0.5", None, Kind.TEXT_SCORE),
    ("N/A", None, Kind.TEXT_SCORE),
    ("", None, Kind.TEXT_SCORE),
    ([1], None, Kind.BAD_SCORE),
    ({"v": 1}, None, Kind.BAD_SCORE),
    (2**53, None, Kind.UNSAFE_SCORE),
    (-(10**157), None, Kind.UNSAFE_SCORE),
    (9007199254740992.0, None, Kind.UNSAFE_SCORE),
]


@pytest.mark.parametrize(("value", "score", "kind"), SCORES, ids=lambda value: str(value)[:20])
def test_a_json_value_is_a_score_or_a_misfit(value: JsonValue, score: int | float | None, kind: Kind | None) -> None:
    mapped = map_row(Row("line 1", {"id": "a", "s": value}), score_fields())
    expected: dict[str, JsonValue] = {"id": "a"} if score is None else {"id": "a", "scores": {"s": score}}
    assert mapped.record == expected
    assert mapped.line == canonical.encode(expected)
    assert list(mapped.misfits) == ([] if kind is None else [Misfit(kind, "s", shown(value))])
    assert list(mapped.booleans) == (["s"] if isinstance(value, bool) else [])


CELLS: list[tuple[str | None, int | float | None, Kind | None]] = [
    ("0.5", 0.5, None),
    ("-1e-1", -0.1, None),
    ("7", 7, None),
    ("true", 1, None),
    ("False", 0, None),
    (None, None, Kind.MISSING_SCORE),
    ("1e999", None, Kind.MISSING_SCORE),
    ("9" * 400, None, Kind.MISSING_SCORE),
    ("9007199254740992", None, Kind.UNSAFE_SCORE),
    ("TRUE", None, Kind.TEXT_SCORE),
    ("NaN", None, Kind.TEXT_SCORE),
    ("+1", None, Kind.TEXT_SCORE),
    ("01", None, Kind.TEXT_SCORE),
    (" 1", None, Kind.TEXT_SCORE),
    ("1,5", None, Kind.TEXT_SCORE),
    ("٣", None, Kind.TEXT_SCORE),
]


@pytest.mark.parametrize(("cell", "score", "kind"), CELLS, ids=lambda value: str(value)[:20])
def test_a_cell_is_a_number_or_boolean_only_if_it_is_exactly_one(
    cell: str | None, score: int | float | None, kind: Kind | None
) -> None:
    mapped = map_row(Row("line 2", {"id": "a", "s": cell}), score_fields(text_cells=True))
    assert mapped.record.get("scores") == (None if score is None else {"s": score})
    assert [misfit.kind for misfit in mapped.misfits] == ([] if kind is None else [kind])


TEXTS = [
    ("0.5", 0.5),
    ("5", 5),
    ("1e999", math.inf),
    ("N/A", None),
    ("", None),
    ("0x1", None),
    ("1_0", None),
    ("1.", None),
]


@pytest.mark.parametrize(("text", "number"), TEXTS)
def test_a_text_is_a_number_if_it_is_exactly_a_json_number(text: str, number: int | float | None) -> None:
    assert json_number(text) == number


def test_text_numbers_are_read_when_that_was_decided_and_other_text_is_then_a_missing_score() -> None:
    fields = score_fields(text_numbers=True)
    read = map_row(Row("line 1", {"id": "a", "s": "0.5"}), fields)
    assert (read.record, read.misfits) == ({"id": "a", "scores": {"s": 0.5}}, [Misfit(Kind.TEXT_SCORE, "s", "'0.5'")])
    other = map_row(Row("line 1", {"id": "a", "s": "N/A"}), fields)
    assert (other.record, other.misfits) == ({"id": "a"}, [Misfit(Kind.MISSING_SCORE, "s", "'N/A'")])


RANGED = [(0, True), (1, True), (0.5, True), (-0.001, False), (1.001, False), (True, True)]


@pytest.mark.parametrize(("value", "fits"), RANGED)
def test_a_score_outside_its_range_is_a_misfit(value: float, fits: bool) -> None:
    fields = score_fields(scores={"s": ScoreField(path("s"), range=(0, 1))})
    mapped = map_row(Row("line 1", {"id": "a", "s": value}), fields)
    assert [misfit.kind for misfit in mapped.misfits] == ([] if fits else [Kind.OUT_OF_RANGE])
    assert ("scores" in mapped.record) == fits


IDS: list[tuple[JsonValue, str | None, Kind | None]] = [
    ("a", "a", None),
    (0, "0", None),
    (-(10**30), str(-(10**30)), None),
    ("", None, Kind.MISSING_ID),
    (None, None, Kind.BAD_ID),
    (1.0, None, Kind.BAD_ID),
    (True, None, Kind.BAD_ID),
    ({}, None, Kind.BAD_ID),
    ([], None, Kind.BAD_ID),
]


@pytest.mark.parametrize(("value", "record_id", "kind"), IDS, ids=lambda value: str(value)[:20])
def test_an_id_is_text_or_an_integer(value: JsonValue, record_id: str | None, kind: Kind | None) -> None:
    mapped = map_row(Row("line 1", {"id": value, "s": 1}), score_fields())
    assert mapped.record.get("id") == record_id
    assert [misfit.kind for misfit in mapped.misfits] == ([] if kind is None else [kind])
    assert mapped.integer_id == (type(value) is int)
    assert mapped.record["scores"] == {"s": 1}


def test_without_an_id_field_the_key_is_the_id_and_else_only_text_in_the_field_id() -> None:
    fields = score_fields(id_source=IdSource.UNSAID, ids=(), scores={"s": ScoreField(path("s"), whole=True)})
    assert map_row(Row("key 'k'", True, "k"), fields).record == {"id": "k", "scores": {"s": 1}}
    assert map_row(Row("key 'k'", {"id": "x", "s": 2}, "k"), fields).record == {"id": "k", "scores": {"s": 2}}
    assert map_row(Row("line 1", {"id": "x", "s": 2}), fields).record == {"id": "x", "scores": {"s": 2}}
    assert [m.kind for m in map_row(Row("line 1", {"id": 1, "s": 2}), fields).misfits] == [Kind.BAD_ID]


def test_an_id_from_the_input_does_not_depend_on_the_order_of_its_keys() -> None:
    fields = score_fields(id_source=IdSource.INPUT, ids=(), contents={"input": path("q")}, scores={})
    values: list[JsonValue] = [{"q": {"a": 1, "b": 2}}, {"q": {"b": 2, "a": 1}}]
    # printf '{"a":1,"b":2}' | sha256sum
    expected = {"id": "43258cff783fe703", "input": {"a": 1, "b": 2}}
    assert [map_row(Row("line 1", value), fields).record for value in values] == [expected, expected]
    assert [m.kind for m in map_row(Row("line 1", {}), fields).misfits] == [Kind.MISSING_ID]


TAGS: list[tuple[JsonValue, str | None, bool]] = [
    ("x", "x", True),
    ("", "", True),
    (3, "3", True),
    (True, "true", True),
    (None, None, True),
    (1.5, None, False),
    (["x"], None, False),
]


@pytest.mark.parametrize(("value", "tag", "fits"), TAGS)
def test_a_tag_is_text_an_integer_or_a_boolean(value: JsonValue, tag: str | None, fits: bool) -> None:
    mapped = map_row(Row("line 1", {"id": "a", "t": value}), score_fields(scores={}, tags={"t": path("t")}))
    assert mapped.record == ({"id": "a"} if tag is None else {"id": "a", "tags": {"t": tag}})
    assert [misfit.kind for misfit in mapped.misfits] == ([] if fits else [Kind.BAD_VALUE])


def test_a_json_null_is_kept_as_content_and_an_empty_cell_is_not() -> None:
    row = Row("line 1", {"id": "a", "q": None, "m": None})
    fields = {"scores": {}, "contents": {"input": path("q")}, "metadata": {"m": path("m")}}
    assert map_row(row, score_fields(**fields)).record == {"id": "a", "input": None, "metadata": {"m": None}}
    assert map_row(row, score_fields(**fields, text_cells=True)).record == {"id": "a"}


def test_a_value_that_a_run_cannot_carry_is_taken_out_alone() -> None:
    value: JsonValue = {"id": "a", "q": [math.nan], "m": 2**60, "n": 1, "a/b": {"x": math.inf}}
    paths = {"m": path("m"), "n": path("n"), "a/b": path("a/b")}
    mapped = map_row(Row("line 1", value), score_fields(scores={}, contents={"input": path("q")}, metadata=paths))
    assert mapped.record == {"id": "a", "metadata": {"n": 1}}
    assert [misfit[:2] for misfit in mapped.misfits] == [
        (Kind.BAD_VALUE, "'/input/0'"),
        (Kind.BAD_VALUE, "'/metadata/a~1b/x'"),
        (Kind.BAD_VALUE, "'/metadata/m'"),
    ]


def test_a_record_that_errored_or_was_skipped_has_no_score_to_miss() -> None:
    fields = score_fields(status=path("st"))
    statuses: dict[JsonValue, list[Kind]] = {"error": [], "skipped": [], "ok": [Kind.MISSING_SCORE]}
    for status, kinds in statuses.items():
        mapped = map_row(Row("line 1", {"id": "a", "st": status}), fields)
        assert [misfit.kind for misfit in mapped.misfits] == kinds
        assert mapped.record.get("status", "ok") == status
    odd = map_row(Row("line 1", {"id": "a", "st": "OK", "s": 1}), fields)
    assert odd.misfits == [Misfit(Kind.BAD_STATUS, "status", "'OK'")]


REPEATS: list[tuple[JsonValue, int | None, bool]] = [(1, 1, True), (3, 3, True), (None, None, True)]
REPEATS += [(bad, None, False) for bad in (0, -1, 1.0, True, "2")]


@pytest.mark.parametrize(("value", "repeat", "fits"), REPEATS)
def test_a_repeat_is_an_integer_from_one(value: JsonValue, repeat: int | None, fits: bool) -> None:
    mapped = map_row(Row("line 1", {"id": "a", "n": value}), score_fields(scores={}, repeat=path("n")))
    assert mapped.record.get("repeat") == repeat
    assert [misfit.kind for misfit in mapped.misfits] == ([] if fits else [Kind.BAD_REPEAT])


def test_a_repeat_in_a_cell_is_read_as_a_number() -> None:
    fields = score_fields(scores={}, repeat=path("n"), text_cells=True)
    assert map_row(Row("line 2", {"id": "a", "n": "2"}), fields).record == {"id": "a", "repeat": 2}


APPLIED: list[tuple[JsonValue, dict[Kind, str], JsonValue]] = [
    ({"id": "a", "s": 1}, {}, {"id": "a", "scores": {"s": 1}}),
    ({"id": "a"}, {Kind.MISSING_SCORE: "skip"}, {"id": "a"}),
    (
        {"id": "a"},
        {Kind.MISSING_SCORE: "fail"},
        {"id": "a", "reason": {"message": "s is absent", "type": "missing-score"}, "status": "error"},
    ),
    ({"id": "a", "s": "x"}, {Kind.TEXT_SCORE: "skip", Kind.MISSING_SCORE: "fail"}, {"id": "a"}),
    ({"s": 1}, {Kind.MISSING_ID: "skip"}, None),
]


@pytest.mark.parametrize(("value", "choices", "record"), APPLIED)
def test_a_decision_makes_the_record(value: JsonValue, choices: dict[Kind, str], record: JsonValue) -> None:
    assert Decisions(choices).apply(map_row(Row("line 1", value), score_fields())) == record


def test_the_reason_of_a_failed_record_is_its_first_missing_score() -> None:
    fields = score_fields(scores={"s": ScoreField(path("s")), "t": ScoreField(path("t"))})
    record = Decisions({Kind.MISSING_SCORE: "fail"}).apply(map_row(Row("line 1", {"id": "a"}), fields))
    assert record == {"id": "a", "reason": {"message": "s is absent", "type": "missing-score"}, "status": "error"}


def test_every_kind_has_a_flag_or_advice() -> None:
    assert set(EXPLANATIONS) == set(Kind)
    assert all(bool(one.flag) == bool(one.choices) != bool(one.advice) for one in EXPLANATIONS.values())


def test_a_choice_that_a_kind_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="'fail' is no choice for twin-ids"):
        Decisions({Kind.TWIN_IDS: "fail"})


SHOWN = [
    ("a\x1b[0m\n\u202e", "'a\\x1b[0m\\n\\u202e'"),
    ("x" * 100, f"'{'x' * 27}...{'x' * 28}'"),
    ({"a": 1}, "an object of 1"),
    ([1, 2], "an array of 2"),
    (10**400, "an integer of 1329 bits"),
    (math.nan, "NaN"),
    (-math.inf, "-Infinity"),
    (None, "null"),
    (True, "true"),
    (0.5, "0.5"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=range(len(SHOWN)))
def test_a_value_is_shown_on_one_line_without_control_characters_and_short(value: object, text: str) -> None:
    assert shown(value) == text
