"""The summary: totals that add. Records in, a `Tally` out; a tally is added, taken apart and written as JSON.

Whatever does not add (quantiles, extremes) has no place here. Because everything here adds, the summary of a run that
differs from another in a few records is that other summary, less what went, plus what came.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from runstore import exact
from runstore.canonical import JsonValue
from runstore.errors import InvalidRunError
from runstore.exact import ExactSum
from runstore.manifest import FORMAT
from runstore.record import STATUSES, JsonObject
from runstore.shape import Node

Scores = Mapping[str, int | float]
_NONE: dict[str, int | float] = {}
_MAX_SLICE_VALUES = 100_000


class Tally:
    """Counts by status and exact sums by metric over some records, and the same for each declared slice."""

    __slots__ = ("metrics", "slices", "status")

    def __init__(self, slices: Iterable[str] = ()) -> None:
        self.status: Counter[str] = Counter()
        self.metrics: dict[str, ExactSum] = {}
        self.slices: dict[str, dict[str, Tally]] = {name: {} for name in slices}

    @property
    def records(self) -> int:
        """How many records were counted."""
        return self.status.total()

    def add(self, record: JsonObject) -> None:
        """Count one checked record."""
        status = record.get("status", "ok")
        scores = record.get("scores", _NONE) if status == "ok" else _NONE
        self._count(status, scores)  # type: ignore[arg-type]  # a checked record
        if self.slices:
            for tally in self._tallies_of(record.get("tags", _NONE)):  # type: ignore[arg-type]  # a checked record
                tally._count(status, scores)  # type: ignore[arg-type]

    def _count(self, status: str, scores: Scores) -> None:
        self.status[status] += 1
        for name, value in scores.items():
            self.metric(name).add(value)

    def add_scores(self, scores: Scores, tags: Mapping[str, str]) -> None:
        """Count only scores: for a record whose status is counted elsewhere."""
        for name, value in scores.items():
            self.metric(name).add(value)
        if self.slices:
            for tally in self._tallies_of(tags):
                tally.add_scores(scores, {})

    def _tallies_of(self, tags: Mapping[str, str]) -> list[Tally]:
        found = []
        for name, values in self.slices.items():
            value = tags.get(name)
            if value is None:
                continue
            if value not in values:
                if len(values) >= _MAX_SLICE_VALUES:
                    raise _too_many_values(name)
                values[value] = Tally()
            found.append(values[value])
        return found

    def metric(self, name: str) -> ExactSum:
        """The sums of one metric, made when first asked for."""
        sums = self.metrics.get(name)
        if sums is None:
            sums = self.metrics[name] = ExactSum()
        return sums

    def plus(self, other: Tally) -> Tally:
        """The tally over the records of both."""
        return self._combined(other, ExactSum.plus, 1)

    def minus(self, other: Tally) -> Tally:
        """The tally over these records without those of the other."""
        return self._combined(other, ExactSum.minus, -1)

    def _combined(self, other: Tally, combine: Callable[[ExactSum, ExactSum], ExactSum], sign: int) -> Tally:
        result = Tally(self.slices)
        for status in STATUSES:
            result.status[status] = self.status[status] + sign * other.status[status]
        for name in {**self.metrics, **other.metrics}:
            result.metrics[name] = combine(self.metrics.get(name, ExactSum()), other.metrics.get(name, ExactSum()))
        for tag, values in result.slices.items():
            mine, theirs = self.slices[tag], other.slices.get(tag, {})
            for value in {**mine, **theirs}:
                values[value] = mine.get(value, Tally())._combined(theirs.get(value, Tally()), combine, sign)
        return result


def _too_many_values(tag: str) -> InvalidRunError:
    return InvalidRunError(f"slice {tag!r} has more than {_MAX_SLICE_VALUES} values", hint="declare a coarser tag")


def to_json(tally: Tally, points: Mapping[str, int]) -> JsonValue:
    """The summary document of a tally and the number of points of each series."""
    for tag, values in tally.slices.items():
        if sum(1 for part in values.values() if part.records) > _MAX_SLICE_VALUES:
            raise _too_many_values(tag)
    return {
        "format": FORMAT,
        **_totals(tally),
        "series": {name: {"points": count} for name, count in points.items() if count},
        "slices": {
            tag: {value: _totals(part) for value, part in values.items() if part.records}
            for tag, values in tally.slices.items()
        },
    }


def _totals(tally: Tally) -> dict[str, JsonValue]:
    records = tally.records
    return {
        "metrics": {name: _metric(sums, records) for name, sums in tally.metrics.items() if sums.count},
        "records": records,
        "status": {status: tally.status[status] for status in STATUSES},
    }


def _metric(sums: ExactSum, records: int) -> JsonValue:
    count, total, squares = sums.count, sums.sum, sums.squares
    result: dict[str, JsonValue] = {
        "count": count,
        "mean": exact.mean(count, total),
        "missing": records - count,
        "sum": exact.text(total),
        "sum_squares": exact.text(squares),
    }
    if count >= 2:
        result["stddev"] = exact.stddev(count, total, squares)
    return result


def from_json(value: JsonValue) -> tuple[Tally, dict[str, int]]:
    """The tally and the points by series of a summary document. Raises InvalidDataError with a JSON pointer.

    Only the totals are taken; that mean, stddev and missing follow from them is shown by writing the document again.
    """
    parts = Node(value).record(("format", "metrics", "records", "series", "slices", "status"))
    if parts["format"].integer() != FORMAT:
        parts["format"].fail(f"this version reads format {FORMAT}")
    tally = _tally(parts)
    for tag, values in parts["slices"].members():
        tally.slices[tag] = {
            name: _tally(part.record(("metrics", "records", "status"))) for name, part in values.members(empty=True)
        }
    points = {name: series.record(("points",))["points"].integer(least=1) for name, series in parts["series"].members()}
    return tally, points


def _tally(parts: Mapping[str, Node]) -> Tally:
    tally = Tally()
    for status, node in parts["status"].record(STATUSES).items():
        tally.status[status] = node.integer()
    if parts["records"].integer() != tally.records:
        parts["records"].fail("is not the sum of the counts by status")
    for name, node in parts["metrics"].members():
        found = node.record(("count", "mean", "missing", "sum", "sum_squares"), ("stddev",))
        for number in ("mean", "stddev"):
            if number in found and not math.isfinite(found[number].number()):
                found[number].fail("not a finite number")
        found["missing"].integer()
        tally.metrics[name] = ExactSum(
            found["count"].integer(least=1), _decimal(found["sum"]), _decimal(found["sum_squares"])
        )
    return tally


def _decimal(node: Node) -> Decimal:
    try:
        return exact.from_text(node.string())
    except ValueError as error:
        node.fail(str(error))
