"""Suites: folders of runs, compared pairwise by relative path."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from runstore import comparison
from runstore.comparison import Comparison
from runstore.errors import PolicyError, UsageError
from runstore.facts import Counts
from runstore.findings import Rule, Verdict
from runstore.policy import Policy, from_toml
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.suites import compare_suites
from runstore.verification import VerifiedRuns
from tests.factories import SHARE, passing, replace_bytes, scored, write_run


def compared(place: Path, policy: Policy | None = None, reference: Path | None = None) -> Comparison:
    return compare_suites(
        FolderSource(place / "b"),
        FolderSource(place / "c"),
        policy or Policy(),
        reference=FolderSource(reference) if reference else None,
        today=date(2026, 7, 1),
        verified=VerifiedRuns(None),
        limit=10,
    )


def asked(text: str) -> Policy:
    policy = from_toml(text, "gate.toml")
    assert policy is not None
    return policy


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


def suite_that_dropped(place: Path) -> None:
    """Two runs, `de` and `fr`, whose means fell by 0.1 and 0.3; of each, what is pinned was 0.1 better still."""
    for name, before, after in (("de", 0.8, 0.7), ("fr", 0.8, 0.5)):
        for side, value in (("b", before), ("c", after), ("r", 0.9)):
            write_run(place / side / "qa" / name, [scored("a", value)], slices=("lang",))


LOOSE = "[metrics.acc]\nmax_drop = 0.2\n"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (LOOSE, ["qa/fr"]),
        (LOOSE + "[suites.'qa/fr'.metrics.acc]\nmax_drop = 0.3\n", []),
        (LOOSE + "[suites.'qa/*'.metrics.acc]\nmax_drop = 0.05\n", None),
        (LOOSE + "[suites.'qa/d*'.metrics.acc]\nmax_drop = 0.05\n", ["qa/de", "qa/fr"]),
        (LOOSE + "[suites.'qa/d*'.metrics.'*']\nmin = 0.6\n[suites.'qa/fr'.metrics.acc]\nmin = 0.6\n", None),
        ("[records]\nmax_regressed = 0\n[suites.'*'.records]\nmax_regressed = 1\n", []),
        ("[records]\nmax_regressed = 1\n[suites.'*/de'.records]\nmax_regressed = 0\n", ["qa/de"]),
    ],
)
def test_the_rules_of_a_run_take_the_place_of_the_general_ones(
    tmp_path: Path, text: str, broken: list[str] | None
) -> None:
    suite_that_dropped(tmp_path)
    if broken is None:
        with pytest.raises(PolicyError, match=r"the rules \[metrics\] select no run"):
            compared(tmp_path, asked(text))
    else:
        found = compared(tmp_path, asked(text))
        assert [run for run, _, level in rows(found) if level == "error"] == broken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOOSE + "[suites.'nope/*'.records]\nmax_added = 0\n", "select no run"),
        (LOOSE + "[suites.'*'.records]\nmax_added = 0\n[suites.'qa/de'.records]\nmax_added = 1\n", "select no run"),
        (LOOSE + "[suites.'qa/de'.metrics.f1]\nmax_drop = 0\n", "selects no metric"),
        (LOOSE + "[[slices]]\ntag = 'topic'\nmax_drop = 0\n", "which no baseline declares"),
    ],
)
def test_rules_that_select_nothing_in_the_runs_they_are_for_are_an_error(
    tmp_path: Path, text: str, message: str
) -> None:
    suite_that_dropped(tmp_path)
    with pytest.raises(PolicyError, match=message):
        compared(tmp_path, asked(text))


def test_rules_for_runs_of_a_suite_are_refused_where_two_runs_are_compared(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "b", passing(1)))
    with pytest.raises(PolicyError, match="select no run"):
        comparison.compare(run, run, asked("[suites.'*'.records]\nmax_added = 0\n"))


def test_a_rule_on_slices_holds_for_the_runs_that_declare_the_tag(tmp_path: Path) -> None:
    for side in "bc":
        write_run(tmp_path / side / "one", [scored("a", tags={"lang": "de"})], slices=("lang",), notes=side)
        write_run(tmp_path / side / "two", [scored("a")], notes=side)
    assert rows(compared(tmp_path, asked("[[slices]]\ntag = 'lang'\nmax_drop = 0\n"))) == []


WAIVER = "[[waivers]]\nmetric = 'acc'\nceiling = 0.3\nowner = 'a'\nreason = 'b'\nexpires = {}\n"


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (LOOSE + WAIVER.format("2026-08-01"), [("qa/fr", "waived")]),
        ("[metrics.acc]\nmax_drop = 0.3\n" + WAIVER.format("2026-08-01"), [("", "waiver-unused")]),
        (LOOSE + WAIVER.format("2026-06-01"), [("qa/fr", "max-drop"), ("", "waiver-expired")]),
        (LOOSE + WAIVER.format("2028-06-01"), [("qa/fr", "waived"), ("", "waiver-broad")]),
    ],
)
def test_a_waiver_of_a_suite_is_used_if_any_run_uses_it_and_spoken_of_once(
    tmp_path: Path, text: str, rules: list[tuple[str, str]]
) -> None:
    suite_that_dropped(tmp_path)
    found = compared(tmp_path, asked(text))
    assert [(run, rule) for run, rule, _ in rows(found)] == rules
    assert sum(check.rule is Rule.WAIVER_UNUSED for check in found.checks) <= 1


PINNED = "[reference]\npath = 'r'\n[reference.metrics.acc]\nmax_drop = 0.3\n[metrics.acc]\nmax_drop = 1\n"


def test_each_run_is_held_against_the_run_of_the_reference_at_its_path(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    found = compared(tmp_path, asked(PINNED), tmp_path / "r")
    assert rows(found) == [("qa/fr", "reference-drop", "error")]


def test_a_run_that_the_reference_does_not_have_is_inconclusive(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    shutil.rmtree(tmp_path / "r/qa/fr")
    found = compared(tmp_path, asked(PINNED), tmp_path / "r")
    assert rows(found) == [("qa/fr", "reference-drop", "inconclusive")]


def test_a_run_is_no_reference_of_a_suite(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    with pytest.raises(UsageError, match=r"the pinned reference .* is a run"):
        compared(tmp_path, asked(PINNED), tmp_path / "r/qa/de")


def test_a_reference_that_is_not_what_it_claims_to_be_makes_the_run_invalid(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    (tmp_path / "r/qa/fr/summary.json").unlink()
    found = compared(tmp_path, asked(PINNED), tmp_path / "r")
    assert rows(found) == [("qa/fr", "invalid-run", "invalid")]


def test_a_rule_that_only_a_run_without_a_baseline_could_be_meant_for_is_an_error(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    write_run(tmp_path / "c/new", [{"id": "a", "scores": {"f1": 0}}], {"f1": SHARE})
    with pytest.raises(PolicyError, match="selects no metric"):
        compared(tmp_path, asked("[metrics.f1]\nmin = 1\n"))
    with pytest.raises(PolicyError, match="select no run"):
        compared(tmp_path, asked("[suites.new.records]\nmax_added = 1\n"))


def test_a_rule_that_only_the_pinned_reference_could_be_meant_for_is_an_error(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    for name in ("de", "fr"):
        shutil.rmtree(tmp_path / "r/qa" / name)
        write_run(tmp_path / "r/qa" / name, [{"id": "a", "scores": {"acc": 1, "f1": 0}}], {"acc": SHARE, "f1": SHARE})
    with pytest.raises(PolicyError, match="selects no metric"):
        compared(tmp_path, asked(PINNED + "[metrics.f1]\nmin = 1\n"), tmp_path / "r")
    runs = [read_run(tmp_path / side / "qa/de") for side in ("b", "c", "r")]
    with pytest.raises(PolicyError, match="selects no metric"):
        comparison.compare(runs[0], runs[1], asked(PINNED + "[metrics.f1]\nmin = 1\n"), reference=runs[2])


def test_a_suite_with_a_run_that_cannot_be_read_is_invalid_whatever_the_rules_select(tmp_path: Path) -> None:
    suite_that_dropped(tmp_path)
    (tmp_path / "b/qa/fr/manifest.json").write_text("{}")
    assert compared(tmp_path, asked("[metrics.f1]\nmin = 1\n")).verdict is Verdict.INVALID
