"""The view: the one JSON value that every report is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runstore import canonical, schema, view
from runstore.comparison import compare
from runstore.policy import Policy
from tests.factories import HIGHER, Record, pair_of_runs, passing, scored


def viewed(place: Path, before: list[Record], after: list[Record], **given: Any) -> dict[str, Any]:
    return view.to_json(compare(*pair_of_runs(place, before, after, **given), Policy()))


def test_a_view_has_every_member_that_is_promised(tmp_path: Path) -> None:
    found = viewed(tmp_path, passing(3), [scored("r000", 0.5, output="x"), *passing(3)[1:2], scored("s")])
    assert found["counts"] == {
        "added": 1,
        "baseline": 3,
        "changed": 0,
        "common": 2,
        "current": 3,
        "improved": 0,
        "lost_scores": 0,
        "newly_errored": 0,
        "newly_skipped": 0,
        "regressed": 1,
        "removed": 1,
        "unchanged": 1,
    }
    assert (found["verdict"], found["exit_code"], found["format"]) == ("FAIL", 1, 1)
    assert found["metrics"] == [
        {
            "baseline": 1.0,
            "current": 0.75,
            "delta": -0.25,
            "direction": "higher",
            "improved": 0,
            "kind": "records",
            "lost": 0,
            "metric": "acc",
            "n": 2,
            "regressed": 1,
            "run": "",
            "slice": None,
            "unit": None,
        }
    ]
    assert found["changes"][0] == {
        "class": "regressed",
        "fields": [{"after": "x", "path": "/output"}, {"after": 0.5, "before": 1, "path": "/scores/acc"}],
        "id": "r000",
        "record": {"id": "r000", "output": "x", "scores": {"acc": 0.5}},
        "repeat": 1,
        "run": "",
        "scores": [{"baseline": 1, "current": 0.5, "delta": -0.5, "metric": "acc"}],
    }
    assert {(change["class"], change["id"]) for change in found["changes"]} == {
        ("regressed", "r000"),
        ("removed", "r002"),
        ("added", "s"),
    }
    assert [list(run) for run in found["runs"]] == [["baseline", "current", "path"]]


def test_a_view_fits_its_published_schema_and_the_canonical_form(tmp_path: Path) -> None:
    hostile = "</script>\u2028::error::\x1b[31m😀"
    after = [scored(hostile, 0.1), {"id": "r001", "status": "error", "reason": {"message": hostile, "type": "T"}}]
    found = viewed(tmp_path, [scored(hostile), *passing(3)], after)
    assert list(schema.validate("comparison", found)) == []
    assert canonical.decode_document(canonical.encode_document(found)) == canonical.decode(canonical.encode(found))


def test_what_is_not_listed_is_counted(tmp_path: Path) -> None:
    before, after = ([scored(f"r{number}", acc) for number in range(5)] for acc in (1, 0))
    found = view.to_json(compare(*pair_of_runs(tmp_path, before, after), Policy(), limit=2))
    assert found["changes_omitted"] == {"added": 0, "changed": 0, "improved": 0, "regressed": 3, "removed": 0}


def test_the_difference_of_two_scores_is_decimal(tmp_path: Path) -> None:
    found = viewed(tmp_path, [scored("a", 0.9)], [scored("a", 0.85)])
    assert found["changes"][0]["scores"][0]["delta"] == -0.05
    assert found["metrics"][0]["delta"] == -0.05


def test_scores_as_far_apart_as_the_doubles_reach_can_still_be_shown(tmp_path: Path) -> None:
    sides: list[list[Record]] = [[{"id": "a", "scores": {"m": value}}] for value in (1.7e308, -1.7e308)]
    found = viewed(tmp_path, sides[0], sides[1], metrics={"m": HIGHER})
    assert found["verdict"] == "FAIL"
    canonical.encode_document(found)
