"""What reports cost is bounded by what they list, not by what was compared: work is counted, no clock is asked."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runstore import reports, view
from runstore.comparison import compare
from runstore.policy import Policy
from tests.factories import Record, pair_of_runs, scored, unsynced

View = dict[str, Any]
LIMIT = 7
TEXT = "the quick brown fox jumps over the lazy dog"


def records(count: int) -> tuple[list[Record], list[Record]]:
    """As many records of each class, of the same length whatever the count."""
    before: list[Record] = []
    after: list[Record] = []
    for number in range(1000, 1000 + count):
        before += [scored(f"worse-{number}"), scored(f"better-{number}", 0), scored(f"gone-{number}")]
        before.append(scored(f"text-{number}", output=TEXT))
        after += [scored(f"worse-{number}", 0), scored(f"better-{number}"), scored(f"new-{number}")]
        after.append(scored(f"text-{number}", output=f"{TEXT}!"))
    return before, after


def viewed(place: Path, count: int) -> View:
    """The view of a comparison that lists `LIMIT` records of each class."""
    with unsynced():
        runs = pair_of_runs(place, *records(count))
    return view.to_json(compare(*runs, Policy(), limit=LIMIT))


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> tuple[View, View]:
    """Few records and twenty times as many, with the same limit."""
    return viewed(tmp_path_factory.mktemp("few"), 50), viewed(tmp_path_factory.mktemp("many"), 1000)


def test_no_more_records_of_a_class_are_listed_than_asked_for(views: tuple[View, View]) -> None:
    for found, count in zip(views, (50, 1000), strict=True):
        assert Counter(change["class"] for change in found["changes"]) == dict.fromkeys(
            ("regressed", "improved", "added", "removed", "changed"), LIMIT
        )
        assert set(found["changes_omitted"].values()) == {count - LIMIT}


def calls(work: Callable[[], object]) -> int:
    """How many functions were called, of Python and of C."""
    found = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal found
        found += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize("form", reports.FORMATS)
def test_rendering_costs_what_is_listed_and_not_what_was_compared(form: str, views: tuple[View, View]) -> None:
    render = reports.load(form).render
    few, many = views
    assert abs(len(render(many)) - len(render(few))) < 400  # counts have a digit more
    small, large = calls(lambda: render(few)), calls(lambda: render(many))
    assert large < 1.05 * small + 200


@cache
def crowd(count: int) -> str:
    """The JSON of a view that lists many records."""
    change: dict[str, Any] = {
        "class": "regressed", "fields": [{"path": "/output", "before": TEXT, "after": f"{TEXT}!"}], "id": "x",
        "record": {"id": "x", "output": f"{TEXT}!", "scores": {"acc": 0}}, "repeat": 1, "run": "",
        "scores": [{"baseline": 1, "current": 0, "delta": -1, "metric": "acc"}],
    }  # fmt: skip
    found: View = json.loads((Path(__file__).resolve().parents[1] / "golden/pass-identical/view.json").read_bytes())
    found["changes"] = [
        {**change, "id": f"r{number:05d}", "record": {**change["record"], "id": f"r{number:05d}"}}
        for number in range(count)
    ]
    for name in ("baseline", "current", "common", "regressed"):
        found["counts"][name] = count
    found["counts"]["unchanged"] = 0
    return json.dumps(found)


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_what_people_read_in_one_go_has_a_largest_size(form: str) -> None:
    render = reports.load(form).render
    small, large = render(json.loads(crowd(1000))), render(json.loads(crowd(4000)))
    assert abs(len(large) - len(small)) < 400
    assert len(large) <= 65_536


@pytest.mark.parametrize("form", reports.FORMATS)
def test_work_grows_no_faster_than_what_is_listed(form: str) -> None:
    render = reports.load(form).render
    small, large = json.loads(crowd(250)), json.loads(crowd(1000))
    render(small)  # what is loaded or prepared once
    assert calls(lambda: render(large)) < 4.4 * calls(lambda: render(small)) + 2000
