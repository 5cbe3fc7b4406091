"""What got past the gate, or broke it, when it was attacked through whole runs: each test is one way in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runstore import comparison, summary
from runstore.errors import InvalidRunError
from runstore.manifest import Dataset, Identity
from runstore.policy import Policy
from runstore.store.reader import read_run
from tests import command_line
from tests.attacks.arena import SIDES, compare, two_runs
from tests.factories import (
    HIGHER,
    LOWER,
    SHARE,
    Record,
    edit_manifest,
    passing,
    replace_bytes,
    reseal,
    scored,
    write_run,
)
from tests.repositories import gate


def runs(folder: Path, records: list[Record]) -> None:
    write_run(folder / "baseline", records)
    write_run(folder / "current", records, notes="another")


def test_a_line_without_its_last_brace_is_refused_when_the_mark_of_the_output_stands_inside_the_input(
    tmp_path: Path,
) -> None:
    runs(tmp_path, [{"id": "a", "input": {"a": 1, "output": 2}, "scores": {"acc": 0.5}}])
    replace_bytes(tmp_path / "current", b'"output":2},"scores"', b'"output":2,"scores"')
    outcome = gate(tmp_path, "compare", "baseline", "current", "--limit", "0")
    assert outcome.code == 3, outcome.text
    assert "current/records.jsonl:1" in outcome.text


def test_tags_in_the_order_of_utf_8_are_refused_beside_the_same_tags_in_canonical_order(tmp_path: Path) -> None:
    runs(tmp_path, [scored("a", tags={"\U00010000": "x", "\uffee": "y"})])
    replace_bytes(
        tmp_path / "current", '"\U00010000":"x","\uffee":"y"'.encode(), '"\uffee":"y","\U00010000":"x"'.encode()
    )
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert outcome.code == 3, outcome.text


def test_records_equal_to_the_baseline_are_refused_if_the_current_run_does_not_declare_their_metric(
    tmp_path: Path,
) -> None:
    two_runs(tmp_path)
    edit_manifest(tmp_path / "current", lambda manifest: manifest.update(metrics={}))
    assert gate(tmp_path, "validate", "current").code == 3
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])


def test_records_equal_to_the_baseline_are_refused_if_they_are_outside_the_range_the_current_run_declares(
    tmp_path: Path,
) -> None:
    two_runs(tmp_path)
    edit_manifest(tmp_path / "current", lambda manifest: manifest["metrics"]["acc"].update(range=[0.5, 1]))
    assert gate(tmp_path, "validate", "current").code == 3
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])


def test_a_changed_artifact_of_the_baseline_is_refused_whether_or_not_the_baseline_was_verified_before(
    tmp_path: Path,
) -> None:
    two_runs(tmp_path)
    artifact = tmp_path / "baseline/artifacts/model.txt"
    artifact.parent.mkdir()
    artifact.write_text("AAAA")
    reseal(tmp_path / "baseline")
    assert gate(tmp_path, "compare", "baseline", "current").code == 0
    artifact.write_text("BBBB")
    assert gate(tmp_path, "compare", "baseline", "current", "--no-cache").code == 3
    assert gate(tmp_path, "compare", "baseline", "current").code == 3


def test_a_run_that_lost_all_records_and_kept_its_series_does_not_pass(tmp_path: Path) -> None:
    metrics = {"acc": SHARE, "loss": LOWER}
    write_run(tmp_path / "baseline", passing(3), metrics, points=[("loss", 0.5, None)])
    write_run(tmp_path / "current", [], metrics, points=[("loss", 0.5, None)])
    (tmp_path / "gate.toml").write_text("[records]\nmax_removed = 3\n")
    outcome = compare(tmp_path)
    assert outcome.code == 1, outcome.text
    assert "no-records" in outcome.rules


def test_an_error_in_a_metric_without_range_does_not_leave_the_mean_unnoticed(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [scored("a"), scored("b")], {"acc": HIGHER})
    write_run(tmp_path / "current", [scored("a"), {"id": "b", "status": "error"}], {"acc": HIGHER})
    (tmp_path / "gate.toml").write_text("[records]\nmax_errors = 1\n[metrics.acc]\nmax_drop = 0\n")
    outcome = compare(tmp_path)
    assert outcome.code == 5, outcome.text


def test_a_data_set_whose_digest_is_the_word_absent_is_missed_like_any_other(tmp_path: Path) -> None:
    asked = Identity(datasets=[Dataset(name="d", digest="absent")])
    write_run(tmp_path / "baseline", passing(3), identity=asked)
    write_run(tmp_path / "current", passing(3))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["comparability"])


def test_a_pattern_that_an_earlier_one_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [scored("a", 1)])
    write_run(tmp_path / "current", [scored("a", 0.5)])
    (tmp_path / "gate.toml").write_text('[metrics."*"]\nmax_drop = 1\n[metrics."acc*"]\nmax_drop = 0.01\n')
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert outcome.code == 2, outcome.text
    assert "acc*" in outcome.err


def test_two_long_lists_of_few_values_are_compared_in_good_time(tmp_path: Path) -> None:
    before: list[Record] = [scored(f"r{n}", output=[0] * 500 + [1] * 499) for n in range(10)]
    after: list[Record] = [scored(f"r{n}", output=[0, 1] * 500) for n in range(10)]
    write_run(tmp_path / "baseline", before)
    write_run(tmp_path / "current", after)
    assert command_line.gate(tmp_path, "compare", "baseline", "current", timeout_s=10).code == 0


@pytest.mark.parametrize("command", [("compare", "baseline", "current"), ("validate", "current")])
@pytest.mark.parametrize("inside", ["current", "current/suite"])
def test_folders_nested_without_end_are_refused(tmp_path: Path, inside: str, command: tuple[str, ...]) -> None:
    if inside == "current":
        two_runs(tmp_path)
    else:
        for side in SIDES:
            write_run(tmp_path / side / "run", passing(1))
    (tmp_path / inside).mkdir(exist_ok=True)
    deep = str(tmp_path / inside)
    for _ in range(1200):
        deep += "/d"
        os.mkdir(deep)  # noqa: PTH102  # pathlib recurses
    outcome = gate(tmp_path, *command)
    subprocess.run(["rm", "-rf", tmp_path / inside / "d"], check=True)  # what pytest removes folders with recurses
    assert outcome.code in (2, 3), outcome.err


def test_a_suite_with_a_run_whose_name_is_no_utf_8_is_no_bug_of_ours(tmp_path: Path) -> None:
    for side in SIDES:
        write_run(tmp_path / side / os.fsdecode(b"x\xff"), passing(2))
    for words in ((), ("--format", "json"), ("--format", "html:r.html")):
        assert gate(tmp_path, "compare", "baseline", "current", *words).code in (2, 3)


def test_a_file_whose_name_is_no_utf_8_makes_a_report_that_says_so(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "current" / os.fsdecode(b"x\xff")).write_bytes(b"")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])


def test_two_reports_to_one_file_are_refused(tmp_path: Path) -> None:
    two_runs(tmp_path)
    outcome = gate(tmp_path, "compare", "baseline", "current", "--format", "json:x", "--format", "html:./x")
    assert outcome.code == 2, outcome.text


@pytest.mark.parametrize("words", [(), ("--config", "gate.toml")])
def test_a_report_does_not_overwrite_the_policy(tmp_path: Path, words: tuple[str, ...]) -> None:
    two_runs(tmp_path)
    (tmp_path / "gate.toml").write_text("[records]\nmax_removed = 3\n")
    outcome = gate(tmp_path, "compare", "baseline", "current", "-o", "gate.toml", *words)
    assert outcome.code == 2, outcome.text
    assert (tmp_path / "gate.toml").read_text() == "[records]\nmax_removed = 3\n"


def test_a_policy_that_is_a_broken_link_is_not_passed_over(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "gate.toml").symlink_to("nowhere.toml")
    assert gate(tmp_path, "compare", "baseline", "current").code == 2


def test_a_baseline_run_behind_a_broken_link_is_not_passed_over(tmp_path: Path) -> None:
    for side in SIDES:
        write_run(tmp_path / side / "x", passing(2))
    (tmp_path / "baseline/y").symlink_to("nowhere")
    assert gate(tmp_path, "compare", "baseline", "current").code in (2, 3)


def test_what_was_verified_is_not_remembered_inside_a_run(tmp_path: Path) -> None:
    two_runs(tmp_path)
    for _ in range(2):
        outcome = gate(tmp_path, "compare", "baseline", "current", env={"RUNSTORE_CACHE_DIR": "baseline"})
        assert outcome.code in (0, 2), outcome.text
    assert gate(tmp_path, "validate", "baseline").code == 0


def test_a_name_of_a_cache_that_no_folder_can_have_costs_time_and_nothing_else(tmp_path: Path) -> None:
    two_runs(tmp_path)
    assert gate(tmp_path, "compare", "baseline", "current", env={"RUNSTORE_CACHE_DIR": "x" * 300}).code == 0


def test_a_volatile_that_is_a_link_is_refused(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "current/volatile").symlink_to("/etc")
    assert gate(tmp_path, "compare", "baseline", "current").code == 3


def test_a_policy_of_dotted_keys_without_end_is_answered_in_good_time(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "gate.toml").write_text("a" + ".a" * 100_000 + "=1\n")
    assert command_line.gate(tmp_path, "compare", "baseline", "current", timeout_s=10).code == 2


def test_a_manifest_without_end_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    two_runs(tmp_path)
    path = tmp_path / "current/manifest.json"
    edit_manifest(tmp_path / "current", lambda manifest: manifest.update(origin={"x": ["@@"]}))
    path.write_bytes(path.read_bytes().replace(b'"@@"', b",\n      ".join([b"[]"] * 4_000_000)))  # 40 MB
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])
    assert "larger" in outcome.text


def test_a_slice_with_more_values_than_a_run_may_have_is_refused_however_few_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[Record] = [scored(f"r{n}", tags={"t": f"v{n}"}) for n in range(9)]
    write_run(tmp_path / "baseline", before, slices=["t"])
    write_run(tmp_path / "current", [*before, scored("z", tags={"t": "new"})], slices=["t"])
    monkeypatch.setattr(summary, "_MAX_SLICE_VALUES", 9)
    with pytest.raises(InvalidRunError, match="more than 9 values"):
        comparison.compare(read_run(tmp_path / "baseline"), read_run(tmp_path / "current"), Policy())


def test_a_variable_for_completions_makes_no_pass(tmp_path: Path) -> None:
    two_runs(tmp_path)
    for value in ("bash_source", "bash_complete", "x"):
        assert gate(tmp_path, "compare", "baseline", "current", env={"_GATE_COMPLETE": value}).code == 2
