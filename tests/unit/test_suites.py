"""Suites: folders of runs, compared pairwise by relative path."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore.comparison import Comparison
from runstore.errors import PolicyError, UsageError
from runstore.facts import Counts
from runstore.findings import Verdict
from runstore.policy import Policy, from_toml
from runstore.source import FolderSource
from runstore.suites import compare_suites
from runstore.verification import VerifiedRuns
from tests.factories import SHARE, passing, replace_bytes, scored, write_run


def compared(place: Path, policy: Policy | None = None) -> Comparison:
    return compare_suites(
        FolderSource(place / "b"), FolderSource(place / "c"), policy or Policy(), verified=VerifiedRuns(None), limit=10
    )


def rows(found: Comparison) -> list[tuple[str, str, str]]:
    return [(f.run, f.rule.value, f.level.value) for f in found.findings if f.record is None]


def test_runs_of_one_path_are_compared_and_counted_together(tmp_path: Path) -> None:
    for side in "bc":
        write_run(tmp_path / side / "qa/de", passing(3), notes=side)
        write_run(tmp_path / side / "qa/en", [scored("a", 1 if side == "b" else 0)])
    found = compared(tmp_path)
    assert found.verdict is Verdict.FAIL
    assert found.counts == Counts(baseline=4, current=4, common=4, regressed=1, unchanged=3)
    assert rows(found) == [("qa/en", "max-regressed", "error")]
    assert [pair.path for pair in found.runs] == ["qa/de", "qa/en"]
    assert [path for path, _ in found.measures] == ["qa/de", "qa/en"]
    assert [(path, change.key[0]) for path, change in found.changes] == [("qa/en", b"a")]


def test_a_run_missing_on_either_side_is_a_finding(tmp_path: Path) -> None:
    write_run(tmp_path / "b/old", passing(1))
    write_run(tmp_path / "c/new", passing(1))
    for side in "bc":
        write_run(tmp_path / side / "same", passing(1), notes=side)
    found = compared(tmp_path)
    assert rows(found) == [("new", "run-added", "notice"), ("old", "run-missing", "error")]
    assert found.verdict is Verdict.FAIL


def test_an_added_run_alone_does_not_fail(tmp_path: Path) -> None:
    for side in "bc":
        write_run(tmp_path / side / "same", passing(1), notes=side)
    write_run(tmp_path / "c/new", passing(1))
    assert compared(tmp_path).verdict is Verdict.PASS


def test_an_invalid_member_makes_the_suite_invalid_and_the_others_are_still_told(tmp_path: Path) -> None:
    for side in "bc":
        write_run(tmp_path / side / "bad", passing(2), notes=side)
        write_run(tmp_path / side / "worse", [scored("a", 1 if side == "b" else 0)])
    replace_bytes(tmp_path / "c/bad", b'"r001"', b'"r000"')
    found = compared(tmp_path)
    assert found.verdict is Verdict.INVALID
    assert rows(found) == [("bad", "invalid-run", "invalid"), ("worse", "max-regressed", "error")]


def test_a_current_side_without_runs_misses_every_one(tmp_path: Path) -> None:
    write_run(tmp_path / "b/one", passing(1))
    (tmp_path / "c").mkdir()
    assert rows(compared(tmp_path)) == [("one", "run-missing", "error")]


def test_a_member_that_lost_its_manifest_is_invalid_and_not_missing(tmp_path: Path) -> None:
    for side in "bc":
        write_run(tmp_path / side / "one", passing(1))
    (tmp_path / "c/one/manifest.json").unlink()
    assert rows(compared(tmp_path)) == [("one", "invalid-run", "invalid")]


def test_a_baseline_without_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write_run(tmp_path / "c/one", passing(1))
    with pytest.raises(UsageError, match="holds no run"):
        compared(tmp_path)


@pytest.mark.parametrize("side", ["b", "c"])
def test_a_run_is_not_compared_with_a_folder_of_runs(tmp_path: Path, side: str) -> None:
    write_run(tmp_path / side, passing(1))
    write_run(tmp_path / ("c" if side == "b" else "b") / "one", passing(1))
    with pytest.raises(UsageError, match=r"is a run and .* is none"):
        compared(tmp_path)


def suite_of_two_metrics(place: Path) -> None:
    for side in "bc":
        write_run(place / side / "code", [{"id": "a", "scores": {"passed": 1}}], {"passed": SHARE}, notes=side)
        write_run(place / side / "qa", passing(1), notes=side)


def test_a_rule_holds_for_the_runs_that_have_its_metric(tmp_path: Path) -> None:
    suite_of_two_metrics(tmp_path)
    policy = from_toml("[metrics.acc]\nmin = 1\n[metrics.passed]\nmax_drop = 0\n", "gate.toml")
    found = compared(tmp_path, policy)
    assert (found.verdict, rows(found)) == (Verdict.PASS, [])


def test_a_rule_that_selects_no_metric_of_any_run_is_an_error(tmp_path: Path) -> None:
    suite_of_two_metrics(tmp_path)
    policy = from_toml("[metrics.typo]\nmin = 1\n", "gate.toml")
    with pytest.raises(PolicyError, match="selects no metric"):
        compared(tmp_path, policy)
