"""Points of a series: their lines, their order, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore import series
from runstore.errors import InvalidDataError
from runstore.series import Point
from runstore.store.reader import read_run
from runstore.verification import verify
from tests.factories import LOWER, replace_bytes, rewrite, write_run

RANGES = {"loss": (0.0, 10.0), "free": (-math.inf, math.inf)}


@pytest.mark.parametrize(
    ("point", "line"),
    [
        (Point(name="loss", value=1.5, step=0), b'{"name":"loss","step":0,"value":1.5}'),
        (Point(name="loss", value=1.0), b'{"name":"loss","value":1}'),
    ],
)
def test_a_point_is_read_back_from_its_line(point: Point, line: bytes) -> None:
    assert series.to_line(point) == line
    assert series.read(line, RANGES) == point
    assert series.line_key(line) == point.key


def test_the_final_figure_comes_last() -> None:
    points = [Point(name="loss", value=0, step=step) for step in (10, None, 9, 0)]
    assert [point.step for point in sorted(points, key=lambda point: point.key)] == [0, 9, 10, None]


@pytest.mark.parametrize(
    ("line", "where", "message"),
    [
        (b'{"name":"loss"}', "/", "'value' is missing"),
        (b'{"name":"lost","value":1}', "/name", "declares no metric 'lost'"),
        (b'{"name":"loss","value":11}', "/value", "outside the declared range"),
        (b'{"name":"loss","value":"1"}', "/value", "expected a number"),
        (b'{"name":"loss","value":true}', "/value", "found a boolean"),
        (b'{"name":"loss","value":null}', "/value", "found null"),
        (b'{"name":"loss","step":-1,"value":1}', "/step", "less than 0"),
        (b'{"name":"loss","step":1.5,"value":1}', "/step", "expected an integer"),
        (b'{"epoch":1,"name":"loss","value":1}', "/epoch", "unknown name"),
        (b'{"name":"loss","value":1.0}', "byte 24", "not canonical"),
        (b"[]", "/", "expected an object"),
    ],
)
def test_any_other_line_is_refused_with_its_place(line: bytes, where: str, message: str) -> None:
    with pytest.raises(InvalidDataError) as refused:
        series.read(line, RANGES)
    assert (refused.value.where, message in refused.value.message) == (where, True)


@pytest.fixture
def training(tmp_path: Path) -> Path:
    points = [("loss", 2, 1), ("loss", 3, 0), ("loss", 1, None)]
    return write_run(tmp_path / "run", [], {"loss": LOWER}, points=points)


def test_a_run_without_records_holds_its_points_in_order(training: Path) -> None:
    run = read_run(training)
    verify(run)
    assert [(point.value, point.step) for point in run.points()] == [(3, 0), (2, 1), (1, None)]
    assert (training / "records.jsonl").read_bytes() == b""


def test_points_out_of_order_are_refused_with_their_line(training: Path) -> None:
    rewrite(training, "series.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[::-1]))
    with pytest.raises(InvalidDataError, match="points are not sorted") as refused:
        verify(read_run(training))
    assert refused.value.where.endswith("series.jsonl:2")


def test_two_points_of_one_step_are_refused(training: Path) -> None:
    replace_bytes(training, b'"step":1', b'"step":0', "series.jsonl")
    with pytest.raises(InvalidDataError, match="points are not sorted"):
        verify(read_run(training))


def test_a_summary_that_counts_other_points_is_refused(training: Path) -> None:
    replace_bytes(training, b'"points": 3', b'"points": 2', "summary.json")
    with pytest.raises(InvalidDataError, match="says 2; the records say 3"):
        verify(read_run(training))


class Share(float):
    """A number of another library."""


ODD: list[Any] = [
    *(
        0,
        1,
        -1,
        0.5,
        -0.0,
        1.0,
        2,
        2**53,
        -(2**53),
        2**53 - 1,
        1e16,
        1e21,
        1e308,
        5e-324,
        math.nan,
        math.inf,
        -math.inf,
    ),
    *(True, False, None, "1", "\ud800", "", Share(0.5), Share(7), 10**400, [0.5], {"a": 1}, b"1"),
]


STEPS: list[Any] = [None, 0, 7, -1, 2**53, True, 1.0, "1", 2**53 - 1, Share(1.0)]


@pytest.mark.parametrize("name", ["loss", "share", "unknown", "", "\ud800", "größe", None, 1, ["loss"]])
def test_a_point_is_written_or_refused_as_the_reading_back_of_its_line_says(name: Any) -> None:
    ranges = {"loss": (-math.inf, math.inf), "share": (0, 1), "größe": (0.5, 0.5)}
    for value in ODD:
        for step in STEPS:
            point = Point(name=name, value=value, step=step)
            assert outcome(series.write, point, ranges) == outcome(read_back, point, ranges), point


def read_back(point: Point, ranges: Any) -> bytes:
    line = series.to_line(point)
    series.read(line, ranges)
    return line


def outcome(action: Callable[[Point, Any], bytes], point: Point, ranges: Any) -> object:
    """What comes of it: the line, or the error's class and words."""
    try:
        return action(point, ranges)
    except InvalidDataError as error:
        return type(error), error.message, error.where, error.hint
