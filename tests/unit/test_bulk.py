"""Reading pairs of lines in bulk says what reading each of them whole says, and refuses nothing less."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from runstore import bulk, canonical, record
from runstore.errors import InvalidDataError
from tests.factories import Record
from tests.strategies import json_values

RANGES = {"acc": (0, 1)}
ACC = {"acc": 0.5}

OUTPUTS: st.SearchStrategy[Any] = st.sampled_from(
    [
        "", "x", "y", 'q"', "\\", '\\"', '","scores":{', '","scores":{}', ',"output":', "naïve", "\n", None, 1, [], {},
        {"scores": {}}, {"output": "x", "scores": {"acc": 1}}, ["x", {"scores": {"a": 1}}],
    ]
)  # fmt: skip
"""Outputs that look like what a line is cut at, or hide it."""
RECORDS: st.SearchStrategy[Record] = st.fixed_dictionaries(
    {"id": st.just("a")},
    optional={
        "input": OUTPUTS,
        "metadata": st.fixed_dictionaries({}, optional={"output": OUTPUTS, "scores": json_values()}),
        "output": OUTPUTS,
        "scores": st.sampled_from([{}, ACC, {"acc": 0.25}]),
        "tags": st.sampled_from([{}, {"lang": "de"}]),
        "target": OUTPUTS,
    },
)


def looked_at(found: Record) -> dict[str, object]:
    return {name: found.get(name) for name in ("scores", "tags", "status", "repeat")}


def is_record(line: bytes) -> bool:
    try:
        record.read(line, RANGES)
    except InvalidDataError:
        return False
    return True


@given(before=RECORDS, after=RECORDS, data=st.data())
def test_what_is_read_in_bulk_is_what_is_read_line_by_line(before: Record, after: Record, data: st.DataObject) -> None:
    verified, line = canonical.encode(before), canonical.encode(after)
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(line)))
        end = data.draw(st.integers(start, min(start + 3, len(line))))
        line = line[:start] + data.draw(st.sampled_from([b"", b"}", b"{", b'"', b",", b" ", b"\\"])) + line[end:]
    found = bulk.read_pairs([verified], [line], RANGES)
    event("in bulk" if found else "one by one")
    if found:
        whole = record.read(line, RANGES)
        assert looked_at(found[0][0]) == looked_at(before)
        assert looked_at(found[1][0]) == looked_at(whole)


@pytest.mark.parametrize(
    "before",
    [
        {"id": "a", "input": {"output": "x", "scores": {"acc": 1}}, "scores": ACC},
        {"id": "a", "input": {"b": {"output": "x", "scores": {"acc": 1}}}},
        {"id": "a", "input": [{"a": 1, "output": "x", "scores": {"acc": 1}}]},
        {"id": "a", "metadata": {"a": 1, "output": "x", "scores": {}}, "output": "x", "scores": ACC},
        {"id": "a", "input": {"b": 1, "output": "x"}, "scores": ACC},
        {"id": "a", "input": {"b": 1, "output": "x"}, "output": "x", "scores": ACC},
        {"id": "a", "input": {"b": 1, "output": "x", "scores": {"acc": 1}}, "output": "x", "scores": ACC},
        {"id": "a", "input": {"b": {"b": 1, "output": "x"}, "scores": {"acc": 1}}},
        {"id": "a", "output": 'x","scores":{', "scores": ACC},
        {"id": "a", "output": "x", "scores": ACC},
    ],
)
@pytest.mark.parametrize("less", [1, 2, 3])
def test_a_line_that_closes_less_than_it_opens_is_refused_wherever_it_is_cut(before: Record, less: int) -> None:
    verified = canonical.encode(before)
    other = verified.replace(b'"x"', b'"y"', 1)
    lines = (verified[:-less], other[:-less], other[: other.find(b'"y"') + 3] + b"}"[: less - 1])
    refused = [line for line in lines if not is_record(line)]
    assert len(refused) >= 2
    for line in refused:
        assert bulk.read_pairs([verified], [line], RANGES) is None


def test_lines_as_runs_have_them_are_read_in_bulk() -> None:
    before: Record = {"id": "a", "input": "i", "output": "x", "scores": ACC, "tags": {"lang": "de"}, "target": "t"}
    for change in ({"output": "y"}, {"output": 'say "y"'}, {"scores": {"acc": 0.25}}, {"output": "y", "target": "u"}):
        lines = canonical.encode(before), canonical.encode({**before, **change})
        found = bulk.read_pairs(lines[:1], lines[1:], RANGES)
        assert found is not None
        assert looked_at(found[0][0]) == looked_at(before)
        assert looked_at(found[1][0]) == looked_at({**before, **change})
