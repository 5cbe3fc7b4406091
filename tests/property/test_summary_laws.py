"""Laws of the summary: it does not depend on order, it adds, it can be taken apart, and it is what fractions say."""

from __future__ import annotations

import statistics
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, exact, summary
from runstore.canonical import number_text
from runstore.summary import Tally
from tests.factories import Record
from tests.strategies import runs

SLICES = ("hard", "lang")


def tally(records: list[Record]) -> Tally:
    result = Tally(SLICES)
    for record in records:
        result.add(record)
    return result


def text(totals: Tally) -> bytes:
    return canonical.encode_document(summary.to_json(totals, {}))


def naive_totals(records: list[Record]) -> dict[str, Any]:
    """Totals by fractions and the statistics module."""
    counts = {
        status: sum(record.get("status", "ok") == status for record in records) for status in ("error", "ok", "skipped")
    }
    values: dict[str, list[Fraction]] = {}
    for record in records:
        if record.get("status", "ok") == "ok":
            for name, score in record.get("scores", {}).items():
                values.setdefault(name, []).append(Fraction(number_text(score)))
    metrics = {name: _metric(found, len(records)) for name, found in values.items()}
    return {"metrics": metrics, "records": len(records), "status": counts}


def _metric(values: list[Fraction], records: int) -> dict[str, Any]:
    totals = {
        "count": len(values),
        "mean": float(statistics.mean(values)),
        "missing": records - len(values),
        "sum": sum(values),
        "sum_squares": sum(value**2 for value in values),
    }
    return totals if len(values) < 2 else {**totals, "stddev": statistics.stdev(values)}


def naive(records: list[Record]) -> dict[str, Any]:
    slices: dict[str, Any] = {}
    for tag in SLICES:
        having = [record for record in records if tag in record.get("tags", {})]
        found = sorted({record["tags"][tag] for record in having})
        slices[tag] = {
            value: naive_totals([record for record in having if record["tags"][tag] == value]) for value in found
        }
    return {**naive_totals(records), "format": 1, "series": {}, "slices": slices}


def with_fractions(value: Any) -> Any:
    """The document with its exact sums as fractions."""
    if not isinstance(value, dict):
        return value
    return {
        name: Fraction(exact.from_text(member)) if name in ("sum", "sum_squares") else with_fractions(member)
        for name, member in value.items()
    }


@given(runs())
def test_a_summary_is_what_fractions_say(records: list[Record]) -> None:
    assert with_fractions(summary.to_json(tally(records), {})) == naive(records)


@given(runs(), st.data())
def test_order_does_not_matter(records: list[Record], data: st.DataObject) -> None:
    assert text(tally(data.draw(st.permutations(records)))) == text(tally(records))


@given(runs(), st.integers(0, 14))
def test_parts_add_up_to_the_whole(records: list[Record], cut: int) -> None:
    assert text(tally(records[:cut]).plus(tally(records[cut:]))) == text(tally(records))


@given(runs(), runs())
def test_minus_undoes_plus(records: list[Record], others: list[Record]) -> None:
    assert text(tally(records).plus(tally(others)).minus(tally(others))) == text(tally(records))


@given(runs())
def test_a_summary_is_read_back(records: list[Record]) -> None:
    document = summary.to_json(tally(records), {"loss": 3})
    totals, points = summary.from_json(document)
    assert summary.to_json(totals, points) == document
