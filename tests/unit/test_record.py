"""A record: the fast check and the one that explains say the same; keys are read without parsing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, record
from runstore.canonical import MAX_SAFE_INTEGER
from runstore.errors import CanonicalError, InvalidDataError
from tests.factories import Record
from tests.strategies import METRICS, fields, ids, json_values

RANGES = {name: metric.range or (-math.inf, math.inf) for name, metric in METRICS.items()}
DEEP: Any = []
for _ in range(61):
    DEEP = [DEEP]

SOUND: list[Any] = [
    {"id": "a"},
    {"id": '"\\\n\u0000😀'},
    {"id": "a", "input": None, "output": [1, {"x": True}], "target": 0.5},
    {"id": "a", "metadata": {"": 1, "anything": {"goes": None}}},
    {"id": "a", "metadata": {"deep": DEEP}},
    {"id": "a", "reason": {"message": "", "type": "Timeout"}, "status": "error"},
    {"id": "a", "repeat": 1},
    {"id": "a", "repeat": MAX_SAFE_INTEGER},
    {"id": "a", "scores": {}},
    {"id": "a", "scores": {"free": -1e300, "bounded": 1, "loss": 1e-300, "falling": 0}},
    {"id": "a", "status": "skipped"},
    {"id": "a", "tags": {"é": ""}},
    {"id": "a", "output": {"\ue000": 1, "😀": 2}},
]
WRONG: list[tuple[Any, str, str]] = [
    ([], "/", "expected an object"),
    ("a", "/", "expected an object"),
    (None, "/", "expected an object"),
    ({}, "/", "'id' is missing"),
    ({"scores": {}}, "/", "'id' is missing"),
    ({"id": ""}, "/id", "must not be empty"),
    ({"id": 1}, "/id", "expected a string, found an integer"),
    ({"id": 1.5}, "/id", "expected a string, found a number"),
    ({"id": True}, "/id", "expected a string, found a boolean"),
    ({"id": None}, "/id", "expected a string, found null"),
    ({"id": "a", "score": 1}, "/score", "unknown name 'score'"),
    ({"id": "a", "": 1}, "/", "a name is empty"),
    ({"id": "a", "metadata": []}, "/metadata", "expected an object"),
    ({"id": "a", "reason": {"message": "x"}}, "/reason", "'type' is missing"),
    ({"id": "a", "reason": {"message": "x", "type": 1}}, "/reason/type", "expected a string"),
    ({"id": "a", "reason": {"message": "x", "type": "y", "z": "z"}}, "/reason/z", "unknown name"),
    ({"id": "a", "reason": "x"}, "/reason", "expected an object"),
    ({"id": "a", "repeat": 0}, "/repeat", "less than 1"),
    ({"id": "a", "repeat": True}, "/repeat", "found a boolean"),
    ({"id": "a", "repeat": 1.5}, "/repeat", "found a number"),
    ({"id": "a", "repeat": "1"}, "/repeat", "found a string"),
    ({"id": "a", "scores": []}, "/scores", "expected an object"),
    ({"id": "a", "scores": {"": 1}}, "/scores", "a name is empty"),
    ({"id": "a", "scores": {"acc": 1}}, "/scores/acc", "declares no metric 'acc'"),
    ({"id": "a", "scores": {"free": True}}, "/scores/free", "found a boolean"),
    ({"id": "a", "scores": {"free": None}}, "/scores/free", "found null"),
    ({"id": "a", "scores": {"free": "0.99"}}, "/scores/free", "found a string"),
    ({"id": "a", "scores": {"free": "N/A"}}, "/scores/free", "found a string"),
    ({"id": "a", "scores": {"bounded": 1.5}}, "/scores/bounded", "outside the declared range [-1, 1]"),
    ({"id": "a", "scores": {"bounded": 2}}, "/scores/bounded", "outside the declared range"),
    ({"id": "a", "status": "passed"}, "/status", "'passed' is not one of ok, error, skipped"),
    ({"id": "a", "status": None}, "/status", "found null"),
    ({"id": "a", "status": ["ok"]}, "/status", "found an array"),
    ({"id": "a", "tags": {"x": 1}}, "/tags/x", "expected a string"),
    ({"id": "a", "tags": {"": "x"}}, "/tags", "a name is empty"),
    ({"id": "a", "tags": ["x"]}, "/tags", "expected an object"),
]


@pytest.mark.parametrize("value", SOUND)
def test_a_sound_record_is_written_and_read_back(value: Record) -> None:
    line = record.write(value, RANGES)
    assert line == canonical.encode(value)
    assert record.read(line, RANGES) == value


@pytest.mark.parametrize(("value", "where", "message"), WRONG)
def test_what_is_no_record_is_refused_on_reading_and_on_writing(value: Any, where: str, message: str) -> None:
    for act in (lambda: record.read(canonical.encode(value), RANGES), lambda: record.check(value, RANGES)):
        with pytest.raises(InvalidDataError) as refused:
            act()
        assert (refused.value.where, message in refused.value.message) == (where, True)
    if isinstance(value, dict):
        with pytest.raises(InvalidDataError):
            record.write(value, RANGES)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, 2**53, float(2**53), 1e20])
def test_a_score_without_canonical_text_is_not_written(value: int | float) -> None:
    with pytest.raises(InvalidDataError) as refused:
        record.write({"id": "a", "scores": {"free": value}}, RANGES)
    assert refused.value.where == "/scores/free"


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"a","scores":{"free":NaN}}',
        b'{"id":"a","scores":{"free":1e999}}',
        b'{"id":"a","scores":{"free":-0}}',
        b'{"id":"a","scores":{"free":1.0}}',
        b'{"id":"a","scores":{"free":1E2}}',
        b'{"id":"a","scores":{"free":1,"free":2}}',
        b'{"id":"a","scores":{"free":1,"\\u0066ree":2}}',
        b'{"id":"a","id":"b"}',
        b'{"id":"\\u0061"}',
        b'{"id":"a"} ',
        b' {"id":"a"}',
        b'{"id": "a"}',
        b'{"id":"a"}\r',
        b'{"input":1,"id":"a"}',
        b'{"id":"\\ud800"}',
        b'{"id":"\xff"}',
        b'{"id":"a"',
        b"",
    ],
)
def test_a_line_that_is_not_canonical_is_refused(line: bytes) -> None:
    with pytest.raises(CanonicalError):
        record.read(line, RANGES)


_ODD = json_values()


@given(
    st.one_of(
        st.fixed_dictionaries({"id": ids}).flatmap(lambda key: fields.map(lambda rest: {**key, **rest})),
        st.fixed_dictionaries({}, optional=dict.fromkeys((*record.FIELDS, "other"), _ODD)),
        st.fixed_dictionaries({"id": ids}, optional=dict.fromkeys(record.FIELDS[1:], _ODD)),
    )
)
def test_the_fast_check_says_what_the_explaining_one_says(value: Any) -> None:
    def outcome(act: Any) -> str:
        try:
            act()
        except InvalidDataError as error:
            return f"{error.where}: {error.message}"
        return "sound"

    explained = outcome(lambda: record.check(canonical.decode(canonical.encode(value)), RANGES))
    assert outcome(lambda: record.read(canonical.encode(value), RANGES)) == explained
    assert (outcome(lambda: record.write(value, RANGES)) == "sound") == (explained == "sound")


@given(ids, st.one_of(st.none(), st.integers(1, 12)), fields)
def test_a_key_is_read_without_parsing(name: str, repeat: int | None, rest: Record) -> None:
    value: Record = {"id": name, **rest}
    if repeat is not None:
        value["repeat"] = repeat
    line = canonical.encode(value)
    assert record.line_id(line) == name.encode()
    assert record.line_key(line) == record.record_key(value) == (name.encode(), repeat or 1)


@pytest.mark.parametrize("line", [b"", b"{}", b'{"id":1}', b'{"input":1}', b"[1]", b'{"ID":"a"}', b'{ "id":"a"}'])
def test_a_line_that_does_not_start_as_a_record_has_no_key(line: bytes) -> None:
    with pytest.raises(InvalidDataError):
        record.line_id(line)


@given(fields, fields, ids)
def test_a_pair_is_read_as_its_two_lines_are(before: Record, after: Record, name: str) -> None:
    lines = [canonical.encode({"id": name, **values}) for values in (before, after)]
    pair = record.read_pair(lines[0], lines[1], RANGES)
    for found, whole in zip(pair, (before, after), strict=True):
        for field in ("scores", "status", "tags"):
            assert found.get(field) == whole.get(field)


def test_a_key_is_shown_with_its_trial() -> None:
    assert record.key_text((b"a", 1)) == "a"
    assert record.key_text((b"a", 2)) == "a (repeat 2)"


@given(pairs=st.lists(st.tuples(ids, ids, st.booleans()), max_size=4), cut=st.integers(0, 40))
def test_lines_that_are_said_to_have_the_same_ids_have(pairs: list[tuple[str, str, bool]], cut: int) -> None:
    lines = [canonical.encode({"id": mine, "output": 1}) for mine, _, _ in pairs]
    others = [canonical.encode({"id": mine if same else other, "output": 2}) for mine, other, same in pairs]
    told = record.have_same_ids(lines, others)
    assert not told or record.line_ids(lines) == record.line_ids(others)
    if all(same and mine.isalnum() for mine, _, same in pairs):
        assert told
    cut_off = [line[: len(line) - cut] for line in others]
    if record.have_same_ids(lines, cut_off):
        assert record.line_ids(lines) == record.line_ids(cut_off)


@pytest.mark.parametrize(
    ("line", "other"),
    [
        (b'{"id":"a"}', b'{"id":"ab"}'),
        (b'{"id":"a\\"b"}', b'{"id":"a\\"c"}'),
        (b'{"id":"a"}', b' {"id":"a"}'),
        (b'{"id":"a"}', b'{"id":'),
        (b'{"id":"a"}', b""),
    ],
)
def test_other_ids_are_never_taken_for_the_same(line: bytes, other: bytes) -> None:
    assert not record.have_same_ids([line], [other])
    assert not record.have_same_ids([line, line], [line])
