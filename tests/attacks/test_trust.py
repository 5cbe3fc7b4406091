"""Group T of the table of attacks, as far as two folders on disk can carry it: git stands behind it later."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance
from tests.attacks.arena import SIDES, assert_refused, compare, two_runs
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
from tests.repositories import gate


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


def test_T12_a_scale_that_both_runs_changed_is_not_the_one_the_policy_asks_for(tmp_path: Path) -> None:
    declared = {"latency": MetricDeclaration(direction="lower", unit="s")}
    for side in SIDES:
        write_run(tmp_path / side, [{"id": "a", "scores": {"latency": 0.25}}], declared, notes=side)
    (tmp_path / "gate.toml").write_text("[metrics.latency]\nunit = 'ms'\nmax = 300\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (4, ["metric-declaration"])
    assert "asks for unit ms of latency; the baseline declares s" in outcome.view["findings"][0]["message"]


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


@pytest.mark.parametrize("name", ["judge", "judge_model", "prompt_sha256", "seed", "dataset_hash", "scorer_version"])
@pytest.mark.parametrize("new", [{"x": 2}, {}])
def test_T13_another_judge_prompt_or_seed_is_not_compared_and_named(
    tmp_path: Path, name: str, new: dict[str, int]
) -> None:
    for side, values in (("baseline", {name: 1}), ("current", {name: 2} if new else {})):
        write_run(tmp_path / side, passing(2), identity=Identity(params={"model": side, **values}))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["comparability"])
    assert outcome.view["findings"][0]["message"].startswith(f"params.{name} differs: baseline 1, current ")
    (tmp_path / "gate.toml").write_text(f"[comparability]\nmay_differ = ['params.{name}']\n")
    assert compare(tmp_path).code == 0


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


def hidden_in_a_slice(folder: Path) -> None:
    """The mean rises by 0.6, and five records of one slice fall from 1 to 0."""
    before = [scored(f"rest{n}", 1, tags={"part": "rest"}) for n in range(5)]
    before += [scored(f"main{n}", 0, tags={"part": "main"}) for n in range(20)]
    after = [{**r, "scores": {"acc": 0 if str(r["id"]).startswith("rest") else 1}} for r in before]
    write_run(folder / "baseline", before, slices=("part",))
    write_run(folder / "current", after, slices=("part",))


def test_T19_a_policy_that_looks_at_means_only_finds_the_slice(tmp_path: Path) -> None:
    hidden_in_a_slice(tmp_path)
    (tmp_path / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0\n")
    assert compare(tmp_path).code == 0
    (tmp_path / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0\n[[slices]]\ntag = 'part'\nmax_drop = 0.1\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])
    assert outcome.view["findings"][0]["slice"] == {"tag": "part", "value": "rest"}


def move_to_another_slice(run: Path) -> None:
    rewrite(run, "records.jsonl", lambda data: data.replace(b'"part":"rest"', b'"part":"main"'))
    edit_summary(run, lambda summary: summary["slices"]["part"].update(main=whole(summary), rest=None))
    edit_summary(run, lambda summary: summary["slices"]["part"].pop("rest"))


def whole(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in ("metrics", "records", "status")}


def declare_no_slices(run: Path) -> None:
    edit_manifest(run, lambda manifest: manifest.update(slices=[]))
    edit_summary(run, lambda summary: summary.update(slices={}))


@pytest.mark.parametrize("hide", [move_to_another_slice, declare_no_slices])
def test_T19_a_current_run_cannot_tag_a_slice_away(tmp_path: Path, hide: Any) -> None:
    hidden_in_a_slice(tmp_path)
    (tmp_path / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0\n[[slices]]\ntag = 'part'\nmax_drop = 0.1\n")
    hide(tmp_path / "current")
    outcome = compare(tmp_path)
    assert (outcome.code, "max-drop" in outcome.rules) == (1, True)


def test_T19_a_slice_cannot_be_made_too_small_to_fail(tmp_path: Path) -> None:
    hidden_in_a_slice(tmp_path)
    rules = "[metrics.acc]\nmax_drop = 0\n[[slices]]\ntag = 'part'\nmax_drop = 0.1\nmin_records = 5\n"
    (tmp_path / "gate.toml").write_text(f"{rules}[records]\nmax_removed = 5\n")
    shutil.rmtree(tmp_path / "current")
    kept = [scored(f"main{n}", 1, tags={"part": "main"}) for n in range(20)]
    write_run(tmp_path / "current", [*kept, scored("rest0", 0, tags={"part": "rest"})], slices=("part",))
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["min-records", "max-drop"])


WAIVER = (
    "[[waivers]]\nmetric = 'acc'\nrecord = 'r000'\nceiling = 0.5\nowner = 'a'\nreason = 'b'\nexpires = 2026-08-01\n"
)
QUARANTINE = (
    "[quarantine]\nmax_records = 1\n[[quarantine.records]]\nrecord = 'r000'\nowner = 'a'\nreason = 'b'\n"
    "expires = 2026-08-01\n"
)


@pytest.mark.parametrize(
    ("policy", "first", "code"),
    [
        (WAIVER, scored("r000", 0.5), 0),
        (WAIVER, scored("r000", 0.49), 1),
        (WAIVER, {"id": "r000"}, 1),
        (WAIVER, {"id": "r000", "status": "error"}, 1),
        (WAIVER, {"id": "r000", "status": "skipped"}, 1),
        (WAIVER, scored("r000", 0.5, repeat=2), 1),
        (WAIVER, scored("R000", 1), 1),
        (WAIVER, scored("r0000", 0.5), 1),
        (QUARANTINE, scored("r000", 0), 0),
        (QUARANTINE, {"id": "r000", "status": "error"}, 0),
        (QUARANTINE, scored("other", 1), 1),
        (QUARANTINE, {"id": "r000"}, 1),
        (QUARANTINE + "[metrics.acc]\nmax_drop = 0.1\n", scored("r000", 0), 1),
    ],
)
@pytest.mark.parametrize("today", ["2026-08-01", "2026-08-02"])
def test_leave_is_for_one_record_one_reason_and_a_time(
    tmp_path: Path, policy: str, first: Record, code: int, today: str
) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", [first, *passing(2)[1:]])
    (tmp_path / "gate.toml").write_text(policy)
    assert compare(tmp_path, "--today", today).code == (code if today == "2026-08-01" else 1)


def test_small_steps_down_are_seen_by_the_pinned_reference(tmp_path: Path) -> None:
    for name, value in (("pinned", 0.9), ("baseline", 0.86), ("current", 0.82)):
        write_run(tmp_path / name, [scored("a", value)])
    rules = "[metrics.acc]\nmax_drop = 0.05\n"
    (tmp_path / "gate.toml").write_text(rules)
    assert compare(tmp_path).code == 0
    (tmp_path / "gate.toml").write_text(
        f"{rules}[reference]\npath = 'pinned'\n[reference.metrics.acc]\nmax_drop = 0.05\n"
    )
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["reference-drop"])
    shutil.rmtree(tmp_path / "pinned")
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert (outcome.code, "the pinned reference is not there: pinned" in outcome.text) == (2, True)


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
