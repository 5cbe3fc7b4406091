"""Group S of the table of attacks: records that are left out, let in, renamed or doubled."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.arena import LINE, SIDES, assert_refused, compare, two_runs, with_line
from tests.factories import SHARE, Record, edit_manifest, passing, replace_bytes, scored, write_run
from tests.repositories import gate


def runs(folder: Path, before: list[Record], after: list[Record]) -> None:
    write_run(folder / "baseline", before)
    write_run(folder / "current", after)


def test_S1_an_empty_current_run_fails(tmp_path: Path) -> None:
    runs(tmp_path, passing(3), [])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["no-records", "nothing-compared", "max-removed"])
    (tmp_path / "gate.toml").write_text("[records]\nmax_removed = 1000\n")
    assert compare(tmp_path).code == 1


def test_S1_two_empty_runs_fail(tmp_path: Path) -> None:
    runs(tmp_path, [], [])
    assert compare(tmp_path).code == 1


def test_S2_a_run_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    two_runs(tmp_path)
    for words in (("baseline", "missing"), ("missing", "current"), ("missing", "missing")):
        outcome = gate(tmp_path, "compare", *words)
        assert outcome.code == 2
        assert "missing: no such folder" in outcome.err
        assert "hint: " in outcome.err


@pytest.mark.parametrize("name", ["records.jsonl", "summary.json", "manifest.json"])
@pytest.mark.parametrize("side", SIDES)
def test_S2_a_run_that_lost_a_file_is_invalid(tmp_path: Path, side: str, name: str) -> None:
    assert_refused(tmp_path, side, lambda run: (run / name).unlink(), name, "missing")


def test_S3_one_failing_record_removed_fails_and_is_named(tmp_path: Path) -> None:
    runs(tmp_path, [*passing(9), scored("failing", 0)], passing(9))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-removed"])
    assert [finding["record"] for finding in outcome.view["findings"]] == [None, "failing"]


def test_S4_all_but_one_record_removed_fails(tmp_path: Path) -> None:
    runs(tmp_path, passing(100), passing(1))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-removed"])
    assert outcome.view["findings"][0]["observed"] == "99"


def test_S4_a_policy_that_lets_records_go_still_asks_for_enough_of_them(tmp_path: Path) -> None:
    runs(tmp_path, passing(100), passing(1))
    (tmp_path / "gate.toml").write_text(
        "[metrics.acc]\nmax_drop = 0.1\nmin_records = 50\n[records]\nmax_removed = 99\n"
    )
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["min-records"])
    assert (outcome.view["findings"][0]["observed"], outcome.view["findings"][0]["limit"]) == ("1", "50")


def test_S5_a_renamed_record_is_both_removed_and_added(tmp_path: Path) -> None:
    runs(tmp_path, [*passing(3), scored("failing", 0)], [*passing(3), scored("renamed", 1)])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-removed", "max-added"])
    assert (outcome.view["counts"]["removed"], outcome.view["counts"]["added"]) == (1, 1)


@pytest.mark.parametrize("good_first", [True, False])
@pytest.mark.parametrize("side", SIDES)
def test_S8_a_twin_id_is_refused_whichever_comes_first(tmp_path: Path, side: str, good_first: bool) -> None:
    twins = [LINE.replace(b"0.125", acc) for acc in (b"1", b"0")]
    lines = b"\n".join(twins if good_first else twins[::-1])
    assert_refused(tmp_path, side, with_line(lines), "records.jsonl:3", "'r001' stands twice")


@pytest.mark.parametrize("side", SIDES)
def test_S8_a_twin_that_hides_behind_an_explicit_repeat_is_refused(tmp_path: Path, side: str) -> None:
    twin = b'{"id":"r001","repeat":1,"scores":{"acc":1}}'
    assert_refused(tmp_path, side, with_line(LINE + b"\n" + twin), "records.jsonl:3", "'r001' stands twice")


def test_S8_an_import_does_not_choose_between_twins(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "a", "acc": 1}\n{"id": "a", "acc": 0}\n')
    outcome = gate(tmp_path, "import", "r.jsonl", "--id", "id", "--score", "acc", "-o", "run")
    assert outcome.code == 3
    assert "--on-duplicate" in outcome.err


def test_S10_easy_new_records_do_not_raise_the_mean(tmp_path: Path) -> None:
    runs(tmp_path, [scored("a", 1), scored("b", 0.5)], [scored("a", 1), scored("b", 0.5), *passing(500)])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (0, ["max-added"])
    assert (outcome.view["findings"][0]["level"], outcome.view["findings"][0]["observed"]) == ("notice", "500")
    assert [(m["n"], m["baseline"], m["current"]) for m in outcome.view["metrics"]] == [(2, 0.75, 0.75)]
    (tmp_path / "gate.toml").write_text("[records]\nmax_added = 499\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.view["findings"][0]["level"]) == (1, "error")


def test_S10_easy_new_records_do_not_hide_a_drop(tmp_path: Path) -> None:
    runs(tmp_path, [scored("a", 1), scored("b", 1)], [scored("a", 1), scored("b", 0), *passing(500)])
    (tmp_path / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0.4\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-added", "max-drop"])
    assert outcome.view["metrics"][0]["current"] == 0.5


@pytest.mark.parametrize("text", [b"1", b"1.5", b"true", b"null", b'""', b'["r001"]'])
@pytest.mark.parametrize("side", SIDES)
def test_S11_an_id_that_is_no_text_is_refused(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_line(LINE.replace(b'"r001"', text)), "records.jsonl:2")


@pytest.mark.parametrize(("status", "rule"), [("error", "max-errors"), ("skipped", "max-skipped")])
def test_S12_hard_cases_that_are_skipped_count_as_the_worst_and_fail(tmp_path: Path, status: str, rule: str) -> None:
    hard: Record = {"id": "hard", "status": status}
    runs(tmp_path, [*passing(3), scored("hard", 0.5)], [*passing(3), hard])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, [rule])
    assert [(m["n"], m["baseline"], m["current"]) for m in outcome.view["metrics"]] == [(4, 0.875, 0.75)]
    (tmp_path / "gate.toml").write_text("[records]\nmax_errors = 1\nmax_skipped = 1\n[metrics.acc]\nmax_drop = 0.1\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])


def test_S12_new_records_that_are_skipped_fail_too(tmp_path: Path) -> None:
    runs(tmp_path, passing(3), [*passing(3), {"id": "s", "status": "skipped"}])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-skipped", "max-added"])


def test_S14_a_gated_metric_that_was_renamed_fails(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", passing(2))
    renamed: list[Record] = [{"id": f"r00{n}", "scores": {"accuracy": 1}} for n in range(2)]
    write_run(tmp_path / "current", renamed, {"accuracy": SHARE})
    outcome = compare(tmp_path)
    assert outcome.code == 1
    assert "metric-missing" in outcome.rules
    (tmp_path / "gate.toml").write_text(
        "[metrics.acc]\nmax_drop = 1\n[records]\nmax_regressed = 99\nmax_lost_scores = 99\n"
    )
    outcome = compare(tmp_path)
    assert outcome.code == 1
    assert "metric-missing" in outcome.rules


def test_S15_fifty_of_a_thousand_samples_fail(tmp_path: Path) -> None:
    runs(tmp_path, passing(1000), passing(50))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-removed"])
    assert outcome.view["metrics"][0]["n"] == 50


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("[metrics.accuracy]\nmax_drop = 0\n", "selects no metric"),
        ("[metrics.'f*']\nmax_drop = 0\n", "selects no metric"),
        ("[metrics.ACC]\nmax_drop = 0\n", "selects no metric"),
        ("[metrics.acc]\nmax_dropp = 0\n", "did you mean 'max_drop'?"),
        ("[metrics.acc]\nmaxdrop = 0\n", "did you mean 'max_drop'?"),
        ("[metric.acc]\nmax_drop = 0\n", "did you mean 'metrics'?"),
        ("[metrics.acc]\nlevel = 'warn'\n", "the rule asks for nothing"),
        ("[metrics.acc]\n", "the rule asks for nothing"),
        ("", "the policy asks for nothing"),
    ],
)
def test_S16_a_gate_that_selects_nothing_is_an_error(tmp_path: Path, policy: str, message: str) -> None:
    two_runs(tmp_path)
    (tmp_path / "gate.toml").write_text(policy)
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert outcome.code == 2
    assert message in outcome.text
    assert "gate.toml" in outcome.err
    assert "hint: " in outcome.err


def test_S16_a_suite_that_selects_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "baseline").mkdir()
    write_run(tmp_path / "current/run", passing(1))
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert outcome.code == 2
    assert "baseline holds no run" in outcome.err


def test_S16_a_rule_whose_metric_no_record_carries_is_never_a_pass(tmp_path: Path) -> None:
    two_runs(tmp_path)
    for side in SIDES:
        edit_manifest(tmp_path / side, lambda m: m["metrics"].update(f1={"direction": "higher"}))
    (tmp_path / "gate.toml").write_text("[metrics.f1]\nmax_drop = 0\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"])


def test_S3_a_record_that_is_cut_out_of_the_file_is_noticed(tmp_path: Path) -> None:
    two_runs(tmp_path)
    replace_bytes(tmp_path / "current", LINE + b"\n", b"")
    outcome = compare(tmp_path)
    assert outcome.code == 3
    assert "the records say" in outcome.text
