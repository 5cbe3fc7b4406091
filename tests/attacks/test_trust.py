"""Group T of the table of attacks, as far as two folders on disk can carry it: git stands behind it later."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance
from tests.attacks.arena import SIDES, assert_refused, compare, two_runs
from tests.command_line import gate
from tests.factories import (
    HIGHER,
    Record,
    edit_manifest,
    edit_summary,
    passing,
    replace_bytes,
    reseal,
    rewrite,
    scored,
    write_run,
)


def emptied(name: str) -> Any:
    return lambda run: (run / name).write_bytes(b"")


@pytest.mark.parametrize("name", ["records.jsonl", "summary.json", "manifest.json"])
def test_T3_a_baseline_that_was_emptied_is_refused(tmp_path: Path, name: str) -> None:
    assert_refused(tmp_path, "baseline", emptied(name), name)


@pytest.mark.parametrize("text", [b"{}\n", b"[]\n", b"null\n"])
def test_T3_a_manifest_that_parses_as_nothing_is_refused(tmp_path: Path, text: bytes) -> None:
    assert_refused(tmp_path, "baseline", lambda run: (run / "manifest.json").write_bytes(text), "manifest.json")


def test_T3_a_baseline_emptied_with_fitting_digests_is_refused_by_its_summary(tmp_path: Path) -> None:
    assert_refused(
        tmp_path,
        "baseline",
        lambda run: rewrite(run, "records.jsonl", lambda _: b""),
        "summary.json",
        "the records say",
    )


def test_T3_a_baseline_that_is_honestly_empty_is_never_a_pass(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [])
    write_run(tmp_path / "current", passing(3))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared", "max-added"])


@pytest.mark.parametrize("how", ["copy", "link", "same"])
def test_T9_a_current_run_that_is_the_baseline_passes_with_a_notice(tmp_path: Path, how: str) -> None:
    write_run(tmp_path / "baseline", passing(3))
    if how == "copy":
        shutil.copytree(tmp_path / "baseline", tmp_path / "current")
    elif how == "link":
        (tmp_path / "current").symlink_to("baseline")
    outcome = gate(tmp_path, "compare", "baseline", "baseline" if how == "same" else "current", "--format", "json")
    assert (outcome.code, outcome.rules) == (0, ["identical"])
    assert outcome.view["findings"][0]["level"] == "notice"


def test_T12_a_change_of_unit_or_scale_needs_a_person(tmp_path: Path) -> None:
    before = {"latency": MetricDeclaration(direction="lower", unit="ms", range=(0, 100_000))}
    records: list[Record] = [{"id": "a", "scores": {"latency": 250}}]
    write_run(tmp_path / "baseline", records, before)
    for unit, limit, direction in (("s", 100_000, "lower"), ("ms", 100, "lower"), ("ms", 100_000, "higher")):
        shutil.rmtree(tmp_path / "current", ignore_errors=True)
        declared = MetricDeclaration(direction=direction, unit=unit, range=(0, limit))  # type: ignore[arg-type]
        write_run(tmp_path / "current", [{"id": "a", "scores": {"latency": 0.25}}], {"latency": declared})
        outcome = compare(tmp_path)
        assert (outcome.code, outcome.rules) == (4, ["metric-declaration"])
        assert "latency" in outcome.view["findings"][0]["message"]


def test_T12_a_score_that_left_its_scale_is_refused(tmp_path: Path) -> None:
    assert_refused(
        tmp_path,
        "current",
        lambda run: replace_bytes(run, b'"acc":0.125', b'"acc":12.5'),
        "outside the declared range [0, 1]",
    )


def test_T13_another_data_set_is_not_compared_and_named(tmp_path: Path) -> None:
    for side, digest in (("baseline", "sha256:1"), ("current", "sha256:2")):
        datasets = [Dataset(name="same", digest="x"), Dataset(name="questions", digest=digest)]
        write_run(tmp_path / side, passing(2), identity=Identity(datasets=datasets))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["comparability"])
    message = outcome.view["findings"][0]["message"]
    assert ("questions" in message, "sha256:1" in message, "sha256:2" in message, "'same'" in message) == (
        True,
        True,
        True,
        False,
    )


def claim(metric: str, value: float) -> Any:
    return lambda run: edit_summary(run, lambda summary: summary["metrics"][metric].update(mean=value))


@pytest.mark.parametrize("side", SIDES)
def test_T14_a_summary_that_says_more_than_the_records_is_refused(tmp_path: Path, side: str) -> None:
    assert_refused(
        tmp_path, side, claim("acc", 0.95), "summary.json /metrics/acc/mean", "says 0.95; the records say 0.53125"
    )


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("what", ["sha256", "size", "lines"])
def test_T15_a_manifest_that_does_not_fit_the_records_is_refused(tmp_path: Path, side: str, what: str) -> None:
    values = {"sha256": "0" * 64, "size": 7, "lines": 3}

    def damage(run: Path) -> None:
        edit_manifest(run, lambda manifest: manifest["files"]["records.jsonl"].update({what: values[what]}))

    assert_refused(tmp_path, side, damage, "records.jsonl")


@pytest.mark.parametrize("side", SIDES)
def test_T15_records_that_were_edited_afterwards_are_refused(tmp_path: Path, side: str) -> None:
    def damage(run: Path) -> None:
        path = run / "records.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"acc":0.125', b'"acc":0.999'))

    assert_refused(tmp_path, side, damage, "records.jsonl", "is not the file that the manifest lists")


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", 1.5, True, None])
@pytest.mark.parametrize("side", SIDES)
def test_T17_only_known_formats_are_read(tmp_path: Path, side: str, version: Any) -> None:
    def damage(run: Path) -> None:
        edit_manifest(run, lambda manifest: manifest.update(format=version))

    assert_refused(tmp_path, side, damage, "manifest.json /format")


def test_T17_a_format_of_the_summary_that_is_not_known_is_refused(tmp_path: Path) -> None:
    assert_refused(
        tmp_path, "current", lambda run: edit_summary(run, lambda summary: summary.update(format=2)), "summary.json"
    )


def test_T19_a_regression_hidden_under_a_rising_mean_fails_record_by_record(tmp_path: Path) -> None:
    before = [scored(f"rest{n}", 1, tags={"part": "rest"}) for n in range(5)]
    before += [scored(f"main{n}", 0, tags={"part": "main"}) for n in range(20)]
    after = [{**r, "scores": {"acc": 0 if str(r["id"]).startswith("rest") else 1}} for r in before]
    write_run(tmp_path / "baseline", before, slices=("part",))
    write_run(tmp_path / "current", after, slices=("part",))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-regressed"])
    assert outcome.view["metrics"][0]["delta"] > 0
    assert {(m["slice"] or {}).get("value"): m["delta"] for m in outcome.view["metrics"]} == {
        None: 0.6,
        "main": 1.0,
        "rest": -1.0,
    }
    assert outcome.view["counts"]["regressed"] == 5


def test_T20_a_run_that_is_not_the_first_attempt_passes_with_a_notice(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", passing(2), provenance=Provenance(attempt=7))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (0, ["attempt"])
    assert "attempt 7" in outcome.view["findings"][0]["message"]


@pytest.mark.parametrize(
    "name", ["FAILED_TEST_EXIT_CODE", "GATE_EXIT_CODE", "GATE_DISABLE", "RUNSTORE_DISABLE", "GATE_CONFIG"]
)
def test_T22_no_environment_variable_turns_a_fail_into_a_pass(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", passing(1))
    for value in ("0", "1", "true"):
        assert gate(tmp_path, "compare", "baseline", "current", env={name: value, "CI": "true"}).code == 1


@pytest.mark.parametrize("flag", ["--disable", "--report-only", "--exit-zero", "--ignore"])
def test_T22_there_is_no_flag_to_look_away(tmp_path: Path, flag: str) -> None:
    two_runs(tmp_path)
    assert gate(tmp_path, "compare", "baseline", "current", flag).code == 2


def test_T14_a_series_that_says_otherwise_than_the_summary_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [], {"loss": HIGHER}, points=[("loss", 1, 0), ("loss", 2, 1)])
    shutil.copytree(tmp_path / "baseline", tmp_path / "current")
    edit_summary(tmp_path / "current", lambda summary: summary["series"]["loss"].update(points=9))
    reseal(tmp_path / "current")
    outcome = compare(tmp_path)
    assert outcome.code == 3
    assert "says 9; the records say 2" in outcome.text
