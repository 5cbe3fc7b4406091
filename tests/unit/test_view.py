"""The view: the one JSON value that every report is made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runstore import canonical, reports, schema, view
from runstore.assessment import Assessment
from runstore.comparison import compare
from runstore.findings import Rule
from runstore.policy import Policy, from_toml
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
            "moves": {"after": [0.5], "before": [1], "grid": 0, "pairs": [1]},
            "n": 2,
            "regressed": 1,
            "run": "",
            "slice": None,
            "standard_error": 0.25,
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


def test_a_view_holds_every_check_with_its_answer(tmp_path: Path) -> None:
    asked = from_toml("[metrics.acc]\nmin = 0.50\n[records]\nmax_regressed = 1\n", "gate.toml")
    assert asked is not None
    sides = pair_of_runs(tmp_path, [scored("a"), scored("b")], [scored("a"), scored("b", 0.8)])
    found: dict[str, Any] = view.to_json(compare(*sides, asked))
    assert list(schema.validate("comparison", found)) == []
    assert [check for check in found["checks"] if check["rule"] == "min"] == [
        {
            "assessment": None,
            "excused_by": [],
            "interval": {"high": 2.1706204736174706, "level": 0.95, "low": -0.37062047361747047, "method": "Student t"},
            "limit": "0.5",
            "margin": "0.4",
            "metric": "acc",
            "observed": "0.9",
            "origin": "metrics.acc.min",
            "outcome": "holds",
            "read": "acc over 2 pairs: 1.0 -> 0.9",
            "rule": "min",
            "run": "",
            "slice": None,
            "suggestion": "0.9",
            "why": "0.4 inside its floor of 0.5",
        }
    ]


def test_an_assessment_is_shown_as_its_schema_says(tmp_path: Path) -> None:
    result = compare(*pair_of_runs(tmp_path, [scored("a")], [scored("a", 0.5)]), Policy())
    for power in (0.9, None):
        sure = Assessment(
            test="t", pairs=9, units=3, estimate=-0.5, standard_error=0.2, interval=(-0.6, -0.4), p=0.01,
            p_adjusted=0.02, significant=True, detectable=power, power=power, could_show=True,
        )  # fmt: skip
        checks = [replace(check, assessment=sure) for check in result.checks]
        found: dict[str, Any] = view.to_json(replace(result, checks=checks))
        assert list(schema.validate("comparison", found)) == []
        assert (found["checks"][0]["assessment"]["p_adjusted"], power) == (0.02, sure.power)
        told = " ".join(reports.load_explanation().render(found).split())
        assert "t over 3 units: p = 0.01" in told
        assert "interval [-0.6000, -0.4000]" in told
        assert ("power 0.9" in told) == (power is not None)


def test_the_findings_are_those_of_the_checks(tmp_path: Path) -> None:
    result = compare(*pair_of_runs(tmp_path, passing(3), [scored("r000", 0)]), Policy())
    assert result.findings == [finding for check in result.checks for finding in check.findings]
    assert {finding.rule for finding in result.findings} == {Rule.MAX_REGRESSED, Rule.MAX_REMOVED}
