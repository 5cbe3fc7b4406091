"""The self-test: damaged copies of a baseline, judged. What must be seen is seen, and a gate that is blind is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from runstore import comparison, policy, schema
from runstore.comparison import Comparison
from runstore.findings import Rule, Verdict, verdict
from runstore.manifest import Dataset, Identity, MetricDeclaration
from runstore.policy import Policy
from runstore.record import JsonObject
from runstore.selftest import examination, report, specimen
from runstore.selftest.examination import Examination, Judge, Trial, examine
from runstore.selftest.lab import Expectation
from runstore.selftest.specimen import MemorySource
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns, verify
from tests.factories import LOWER, SHARE, Record, files_of, unsynced, write_run

METRICS = {"acc": SHARE, "f1": SHARE, "latency": MetricDeclaration(direction="lower", unit="s")}
TODAY = date(2026, 1, 1)
IDENTITY = Identity(datasets=[Dataset(name="qa", digest="1")], params={"seed": 7, "model": "m"})


def record(number: int, **fields: Any) -> Record:
    scores = {"acc": int(number % 4 != 0), "f1": round(0.3 + 0.015 * number, 3), "latency": 1 + number}
    tags = {"lang": "de" if number % 5 == 0 else "en"}
    return {"id": f"r{number:02d}", "scores": scores, "tags": tags, **fields}


RECORDS = [record(number) for number in range(40)]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("selftest") / "b"
    with unsynced():
        return read_run(write_run(place, RECORDS, METRICS, slices=["lang"], identity=IDENTITY))


def rules(text: str) -> Policy:
    found = policy.from_toml(text, "gate.toml") if text else Policy()
    assert found is not None
    return found


_JUDGED: dict[object, Comparison] = {}


def _bytes_of(run: Run) -> object:
    source = run.source
    assert isinstance(source, MemorySource)
    return tuple(sorted(source.files.items())), None if source.volatile is None else tuple(
        sorted(source.volatile.items())
    )


def judge_by(text: str) -> Judge:
    """The judge of a policy. What it has judged once, byte for byte, it knows: that keeps these tests quick."""
    asked = rules(text)

    def judge(before: Run, after: Run, verified: VerifiedRuns) -> Comparison:
        key = text, *map(_bytes_of, (before, after))
        if key not in _JUDGED:
            _JUDGED[key] = comparison.compare_checked(before, after, asked, today=TODAY, verified=verified, limit=0)
        return _JUDGED[key]

    return judge


def examined(run: Run, text: str = "") -> Examination:
    return examine(run, rules(text), judge_by(text))


def told(trials: list[Trial]) -> list[tuple[str, str | None, str]]:
    return [(trial.name, trial.metric, trial.verdict.name) for trial in trials]


def test_a_copy_has_the_bytes_that_the_writer_of_runs_would_write(baseline: Run, tmp_path: Path) -> None:
    taken = specimen.take(baseline)
    assert taken.copy() == files_of(write_run(tmp_path / "same", RECORDS, METRICS, slices=["lang"], identity=IDENTITY))
    changed: JsonObject = {**taken.record(3), "scores": {"acc": 0}, "status": "error"}
    renamed: JsonObject = {**taken.record(5), "id": "r05 renamed"}
    added: JsonObject = {"id": "a", "scores": {"acc": 1}, "tags": {"lang": "fr"}}
    copied = taken.copy({3: changed, 5: renamed, 7: None}, added=[added])
    records = [one for number, one in enumerate(RECORDS) if number not in (3, 5, 7)]
    expected = write_run(
        tmp_path / "c", [*records, changed, renamed, added], METRICS, slices=["lang"], identity=IDENTITY
    )
    assert copied == files_of(expected)
    verify(taken.run(copied, "current"))


STRICT = ""
DROPS = """
[metrics.acc]
max_drop = 0.05
min = 0.5
[metrics.f1]
max_relative_drop = 0.1
[metrics.latency]
max_drop = 2
max = 40
[records]
max_removed = 2
max_added = 3
max_errors = 1
max_skipped = 2
max_changed = 30
"""
COUNTS = """
[metrics."*"]
max_drop = 100
[records]
max_regressed = 4
"""
SLICES = """
[metrics."*"]
max_drop = 0.25
[[slices]]
tag = "lang"
metric = "acc"
max_drop = 0.125
"""


@pytest.mark.parametrize("text", [STRICT, DROPS, COUNTS, SLICES], ids=["strict", "drops", "counts", "slices"])
def test_a_gate_that_works_sees_everything_it_must_and_passes_an_equal_copy(baseline: Run, text: str) -> None:
    found = examined(baseline, text)
    assert (told(found.fooled), found.verdict) == ([], Verdict.PASS)
    assert found.trials[0].verdict is Verdict.PASS
    codes = Counter(trial.verdict.name for trial in found.trials if trial.expected is Expectation.RED)
    assert codes["INVALID"] == 18
    assert codes["FAIL"] >= 10
    assert codes["REVIEW"] == 9
    assert codes["INCONCLUSIVE"] == 4  # project, suite, data set, seed


def test_every_limit_of_a_policy_is_reached_and_gone_past(baseline: Run) -> None:
    found = examined(baseline, DROPS + SLICES.partition("[[slices]]")[1] + SLICES.partition("[[slices]]")[2])
    tried = {
        (trial.name, trial.metric, trial.rule.value if trial.rule else None, trial.slice)
        for trial in found.trials
        if trial.name in ("at-limit", "past-limit")
    }
    limits = [
        ("acc", "max-drop", None),
        ("acc", "min", None),
        ("f1", "max-relative-drop", None),
        ("latency", "max-drop", None),
        ("latency", "max", None),
        ("acc", "max-drop", ("lang", "de")),
        ("acc", "max-drop", ("lang", "en")),
    ]
    assert tried == {(name, *limit) for name in ("at-limit", "past-limit") for limit in limits}


@pytest.mark.parametrize(
    ("blind", "text", "name"),
    [
        (Rule.MAX_DROP, DROPS, "past-limit"),
        (Rule.MAX_RELATIVE_DROP, DROPS, "past-limit"),
        (Rule.MIN, DROPS, "past-limit"),
        (Rule.MAX, DROPS, "past-limit"),
        (Rule.MAX_REMOVED, STRICT, "deleted"),
        (Rule.MAX_ADDED, DROPS, "added"),
        (Rule.MAX_ERRORS, STRICT, "errored"),
        (Rule.MAX_SKIPPED, STRICT, "skipped"),
        (Rule.MAX_LOST_SCORES, STRICT, "score-lost"),
        (Rule.MAX_CHANGED, DROPS, "changed"),
        (Rule.MAX_REGRESSED, STRICT, "regressed"),
        (Rule.METRIC_DECLARATION, STRICT, "direction-changed"),
        (Rule.METRIC_MISSING, STRICT, "metric-renamed"),
        (Rule.COMPARABILITY, STRICT, "datasets-changed"),
        (Rule.RUN_STATUS, STRICT, "failed"),
        (Rule.NO_RECORDS, STRICT, "all-deleted"),
        (Rule.NOTHING_COMPARED, STRICT, "all-renamed"),
        (Rule.INVALID_RUN, STRICT, "nan-score"),
    ],
)
def test_a_gate_that_is_blind_for_one_rule_is_found_out(
    baseline: Run, blind: Rule, text: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "leeways", lambda lab, passes: ())  # not asked here
    sound = judge_by(text)

    def judge(before: Run, after: Run, verified: VerifiedRuns) -> Comparison:
        try:
            result = sound(before, after, verified)
        except Exception:
            if blind is Rule.INVALID_RUN:
                return sound(before, before, verified)
            raise
        seen = [finding for finding in result.findings if finding.rule is not blind]
        return replace(result, findings=seen, verdict=verdict([finding.level for finding in seen]))

    found = examine(baseline, rules(text), judge)
    assert found.verdict is Verdict.FAIL
    assert name in {trial.name for trial in found.fooled}


def test_a_gate_that_is_always_red_is_fooled_by_the_equal_copy(baseline: Run) -> None:
    def judge(before: Run, after: Run, verified: VerifiedRuns) -> Comparison:
        return replace(judge_by(STRICT)(before, after, verified), verdict=Verdict.FAIL)

    assert told(examine(baseline, Policy(), judge).fooled)[0] == ("identical", None, "FAIL")


def test_a_gate_that_is_stricter_than_its_policy_says_is_found_out(baseline: Run) -> None:
    stricter = DROPS.replace("max_drop = 0.05", "max_drop = 0.0499").replace("max = 40", "max = 39")
    found = examine(baseline, rules(DROPS), judge_by(stricter))
    assert [one for one in told(found.fooled) if one[0] == "at-limit"] == [
        ("at-limit", "acc", "FAIL"),
        ("at-limit", "latency", "FAIL"),
    ]


def test_what_a_policy_lets_through_is_the_most_that_passes(baseline: Run) -> None:
    found = {one.metric: one for one in examined(baseline, DROPS).leeways}
    assert {metric: (one.failed, one.of, one.drop) for metric, one in found.items() if metric == "acc"} == {
        "acc": (2, 30, "0.05")
    }
    assert 0 < float(found["f1"].drop.lstrip("≈")) <= 0.1 * 0.5925
    strict = examined(baseline).leeways
    assert [(one.failed, one.drop) for one in strict] == [(0, "0")] * 3
    counts = examined(baseline, COUNTS).leeways
    assert [one.failed for one in counts] == [4, 4, 4]


LOOSE = """
[metrics."*"]
max_drop = 0.25
"""
WEAK = """
[metrics."*"]
max_drop = 1
[records]
max_removed = 1000
"""


def test_a_policy_that_cannot_fail_is_found_and_its_toothless_limits_are_told(baseline: Run) -> None:
    found = examined(baseline, WEAK)
    assert found.verdict is Verdict.FAIL
    assert {("all-but-one-deleted", None, "PASS"), ("ruined", "acc", "PASS"), ("ruined", "f1", "PASS")} <= set(
        told(found.fooled)
    )
    assert {skip.name for skip in found.skipped if skip.toothless} == {"deleted", "past-limit"}
    assert [one.metric for one in found.leeways if one.everything] == ["acc", "f1"]


def test_a_limit_that_only_warns_is_no_proof_and_is_listed(baseline: Run) -> None:
    found = examined(baseline, '[metrics."*"]\nmax_drop = 0.05\nlevel = "warn"')
    names = [(trial.name, trial.metric) for trial in found.let_through]
    assert {("past-limit", "acc"), ("ruined", "acc"), ("slice-ruined", "acc")} <= set(names)
    assert found.verdict is Verdict.PASS


def test_a_ruined_slice_that_others_make_up_for_passes_a_mean_and_not_a_rule_on_slices(baseline: Run) -> None:
    def ruined(text: str) -> list[tuple[str | None, str, Verdict]]:
        trials = examined(baseline, text).trials
        return [
            (t.metric, t.expected.value, t.verdict) for t in trials if t.name == "slice-ruined" and t.metric == "acc"
        ]

    assert ruined(LOOSE) == [("acc", "open", Verdict.PASS)]
    assert ruined(SLICES) == [("acc", "red", Verdict.FAIL)]


def test_a_training_run_without_records_is_tried_by_its_series(tmp_path: Path) -> None:
    points = [("loss", 0.5, 1), ("loss", 0.25, 2), ("acc", 0.9, None)]
    run = read_run(write_run(tmp_path / "b", [], {"loss": LOWER, "acc": SHARE}, points=points))
    found = examined(run, "[metrics.loss]\nmax_drop = 0.05\nmax = 0.6")
    assert (told(found.fooled), found.verdict) == ([], Verdict.PASS)
    names = Counter((trial.name, trial.metric) for trial in found.trials)
    assert names["past-limit", "loss"] == names["at-limit", "loss"] == 2
    assert names["past-limit", "acc"] == 1
    assert names["series-gone", "loss"] == names["series-gone", "acc"] == 1


def test_volatile_measures_with_a_rule_are_tried(tmp_path: Path) -> None:
    place = write_run(tmp_path / "b", RECORDS, METRICS)
    (place / "volatile").mkdir()
    (place / "volatile" / "measures.json").write_text('{"cost": 12.5}')
    found = examined(read_run(place), "[volatile.cost]\nmax_relative_drop = 0.2\nmax = 100")
    assert told(found.fooled) == []
    names = Counter(trial.name for trial in found.trials if trial.metric == "cost")
    assert names == {"volatile-gone": 1, "at-limit": 2, "past-limit": 2}


def test_a_large_baseline_is_tried_by_a_sample_that_is_always_the_same(
    baseline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimen, "MOST_RECORDS", 20)
    first, second = specimen.take(baseline), specimen.take(baseline)
    assert first.lines == second.lines
    assert first.sampled
    assert 8 <= len(first.lines) <= 32
    found = examined(baseline, DROPS)
    assert found.examined == len(first.lines)
    assert f"a sample: {found.examined} of 40 records" in report.text([found])


def test_the_result_fits_its_schema(baseline: Run) -> None:
    for text in (STRICT, DROPS, SLICES, WEAK):
        assert list(schema.validate("selftest", report.to_json([examined(baseline, text)]))) == []


def test_names_that_steer_a_terminal_are_shown_harmless(tmp_path: Path) -> None:
    name = "\x1b[2J\n::error::x"
    run = read_run(
        write_run(tmp_path / "b", [{"id": f"{name}{i}", "scores": {name: i}} for i in (0, 1)], {name: SHARE})
    )
    text = report.text([examined(run)])
    assert "\x1b" not in text
    assert "\n::error" not in text


Gate = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(("text", "code"), [(DROPS, 0), (WEAK, 1), ("[metrics.nope]\nmax_drop = 1", 2)])
def test_the_command_exits_with_what_it_found_and_writes_nothing(
    text: str, code: int, tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "b", RECORDS, METRICS, slices=["lang"])
    (tmp_path / "gate.toml").write_text(text)
    before = files_of(tmp_path)
    found, out, err = gate("selftest", "b")
    assert (found, files_of(tmp_path)) == (code, before)
    assert str(tmp_path) not in out
    assert bool(out) == (err == "") == (code != 2)


def test_the_command_examines_every_run_of_a_suite_by_its_own_rules(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "s" / "qa" / "a", RECORDS, METRICS)
    write_run(tmp_path / "s" / "b", RECORDS[:9], METRICS)
    (tmp_path / "gate.toml").write_text('[metrics.acc]\nmax_drop = 0.1\n[suites."qa/*".metrics.f1]\nmax_drop = 1\n')
    code, out, _ = gate("selftest", "s", "--format", "json")
    assert code == 1
    assert '"path": "b"' in out
    assert '"path": "qa/a"' in out


def test_a_baseline_that_is_not_what_it_claims_to_be_is_refused(tmp_path: Path, gate: Gate) -> None:
    place = write_run(tmp_path / "b", RECORDS, METRICS)
    (place / "records.jsonl").write_bytes((place / "records.jsonl").read_bytes().replace(b"r05", b"r99"))
    code, out, err = gate("selftest", place)
    assert (code, out) == (3, "")
    assert "records.jsonl" in err


def test_a_baseline_without_records_is_red_against_itself_and_says_so(tmp_path: Path) -> None:
    found = examined(read_run(write_run(tmp_path / "b", [])))
    assert [(trial.name, list(trial.rules)) for trial in found.fooled] == [
        ("identical", ["no-records", "nothing-compared"])
    ]
