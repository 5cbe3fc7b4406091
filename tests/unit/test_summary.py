"""The summary document: its whole value once, and every way in which it can be wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from runstore import summary
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.summary import Tally
from tests.factories import Record

RECORDS: list[Record] = [
    {"id": "a", "scores": {"acc": 0.1, "f1": 1}, "tags": {"lang": "de"}},
    {"id": "b", "scores": {"acc": 0.2}, "tags": {"lang": "fr", "other": "x"}},
    {"id": "c", "scores": {"acc": 1}, "status": "error", "tags": {"lang": "fr"}},
    {"id": "d", "status": "skipped"},
]


def tally(*slices: str) -> Tally:
    result = Tally(slices)
    for record in RECORDS:
        result.add(record)
    return result


def document() -> dict[str, Any]:
    found = summary.to_json(tally("lang"), {"loss": 2})
    assert isinstance(found, dict)
    return copy.deepcopy(found)


def test_a_summary_holds_the_totals_that_add() -> None:
    none = {"error": 0, "ok": 1, "skipped": 0}
    tenth = {"count": 1, "mean": 0.1, "missing": 0, "sum": "0.1", "sum_squares": "0.01"}
    assert document() == {
        "format": 1,
        "metrics": {
            "acc": {
                "count": 2,
                "mean": 0.15,
                "missing": 2,
                "stddev": 0.07071067811865475,
                "sum": "0.3",
                "sum_squares": "0.05",
            },
            "f1": {"count": 1, "mean": 1.0, "missing": 3, "sum": "1", "sum_squares": "1"},
        },
        "records": 4,
        "series": {"loss": {"points": 2}},
        "slices": {
            "lang": {
                "de": {
                    "metrics": {"acc": tenth, "f1": {**tenth, "mean": 1.0, "sum": "1", "sum_squares": "1"}},
                    "records": 1,
                    "status": none,
                },
                "fr": {
                    "metrics": {"acc": {"count": 1, "mean": 0.2, "missing": 1, "sum": "0.2", "sum_squares": "0.04"}},
                    "records": 2,
                    "status": {"error": 1, "ok": 1, "skipped": 0},
                },
            }
        },
        "status": {"error": 1, "ok": 2, "skipped": 1},
    }


def test_a_declared_slice_without_values_is_empty() -> None:
    found = summary.to_json(tally("nobody"), {})
    assert isinstance(found, dict)
    assert found["slices"] == {"nobody": {}}


def test_values_and_series_that_are_used_up_are_gone() -> None:
    totals = tally("lang")
    gone = totals.minus(tally("lang"))
    assert summary.to_json(gone, {"loss": 0}) == summary.to_json(Tally(["lang"]), {})


@pytest.mark.parametrize(
    ("edit", "where", "message"),
    [
        (lambda d: d.update(format=2), "/format", "reads format 1"),
        (lambda d: d.update(extra=1), "/extra", "unknown name"),
        (lambda d: d.pop("status"), "/", "'status' is missing"),
        (lambda d: d.update(records=5), "/records", "not the sum"),
        (lambda d: d["status"].update(ok=-2), "/status/ok", "less than 0"),
        (lambda d: d["status"].update(failed=0), "/status/failed", "unknown name"),
        (lambda d: d["metrics"]["acc"].update(count=0), "/metrics/acc/count", "less than 1"),
        (lambda d: d["metrics"]["acc"].update(count=True), "/metrics/acc/count", "found a boolean"),
        (lambda d: d["metrics"]["acc"].update(sum=0.3), "/metrics/acc/sum", "expected a string"),
        (lambda d: d["metrics"]["acc"].update(sum="0.30"), "/metrics/acc/sum", "not a plain decimal"),
        (lambda d: d["metrics"]["acc"].update(sum="NaN"), "/metrics/acc/sum", "not a plain decimal"),
        (lambda d: d["metrics"]["acc"].update(mean="0.1"), "/metrics/acc/mean", "expected a number"),
        (lambda d: d["metrics"]["acc"].update(mean=float("nan")), "/metrics/acc/mean", "not a finite number"),
        (lambda d: d["metrics"]["acc"].pop("missing"), "/metrics/acc", "'missing' is missing"),
        (lambda d: d["series"]["loss"].update(points=0), "/series/loss/points", "less than 1"),
        (lambda d: d["slices"]["lang"]["de"].update(series={}), "/slices/lang/de/series", "unknown name"),
        (lambda d: d["slices"]["lang"]["de"].update(records=2), "/slices/lang/de/records", "not the sum"),
    ],
)
def test_a_summary_that_is_wrong_is_refused_with_its_place(
    edit: Callable[[dict[str, Any]], object], where: str, message: str
) -> None:
    wrong = document()
    edit(wrong)
    with pytest.raises(InvalidDataError) as refused:
        summary.from_json(wrong)
    assert refused.value.where == where
    assert message in refused.value.message


def test_a_slice_with_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "_MAX_SLICE_VALUES", 2)
    totals = Tally(["id"])
    for name in ("a", "b", "a"):
        totals.add({"id": name, "tags": {"id": name}})
    with pytest.raises(InvalidRunError, match="more than 2 values"):
        totals.add({"id": "c", "tags": {"id": "c"}})
