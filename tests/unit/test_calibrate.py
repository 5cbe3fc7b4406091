"""Calibration: runs of the same code in; their noise, false alarms, and limits that fit, out."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runstore import comparison, policy, schema
from runstore.calibration import report
from runstore.calibration.alarms import alarms, excused, ruled
from runstore.calibration.calibration import Apart, Calibration, calibrate
from runstore.calibration.draws import Urn
from runstore.calibration.noise import Noise, listen
from runstore.comparison import Comparison
from runstore.evidence import intervals, power
from runstore.findings import Level, Verdict
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy import Policy
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns
from tests.factories import HIGHER, LOWER, SHARE, Record, scored, unsynced, write_run

TODAY = date(2026, 1, 1)
METRICS = {"acc": SHARE, "f1": HIGHER, "latency": LOWER}


def rules(text: str) -> Policy:
    found = policy.from_toml(text, "gate.toml") if text else Policy()
    assert found is not None
    return found


def runs_of(
    place: Path, sides: Sequence[Sequence[Record]], metrics: dict[str, MetricDeclaration], slices: Sequence[str] = ()
) -> list[Run]:
    with unsynced():
        return [
            read_run(write_run(place / f"run{number}", records, metrics, slices=slices))
            for number, records in enumerate(sides)
        ]


def calibrated(runs: Sequence[Run], text: str = "", resamples: int = 200) -> Calibration | Apart:
    asked = rules(text)

    def judge(before: Run, after: Run, verified: VerifiedRuns) -> Comparison:
        return comparison.compare_checked(before, after, asked, today=TODAY, verified=verified, limit=0)

    return calibrate(runs, asked, judge, alpha=Decimal("0.05"), resamples=resamples)


def sound(runs: Sequence[Run], text: str = "", resamples: int = 200) -> Calibration:
    found = calibrated(runs, text, resamples)
    assert isinstance(found, Calibration)
    return found


def flipping(scores: Sequence[str]) -> list[list[Record]]:
    """For each text a run whose n-th record scores its n-th digit."""
    return [[scored(f"r{number:02d}", int(digit)) for number, digit in enumerate(text)] for text in scores]


def test_noise_is_what_differs_between_runs(tmp_path: Path) -> None:
    found = sound(runs_of(tmp_path, flipping(["1110001111", "1010001110", "1110000111"]), {"acc": SHARE}))
    (acc,) = found.spreads
    assert (acc.count, acc.varying, acc.binary) == (10, 3, True)
    assert acc.means == [0.7, 0.5, 0.6]
    assert acc.deviation == pytest.approx(statistics.stdev(acc.means), rel=1e-12)
    # Of the 6 ordered pairs of runs each of three records differs in 4.
    assert acc.flip_rate == pytest.approx(3 * 4 / (6 * 10))
    assert acc.pair_deviation == pytest.approx((3 * 4 / (6 * 10)) ** 0.5)
    assert acc.detectable == power.mcnemar_detectable(10, Decimal("0.2"), Decimal("0.05"), Decimal("0.8"))
    assert [one.id for one in found.flaky] == ["r01", "r06", "r09"]
    assert found.flaky[0].scores == {"acc": [1, 0, 1]}


def test_what_can_be_detected_in_scores_that_are_not_0_or_1_is_that_of_the_t_test(tmp_path: Path) -> None:
    first = [0.1, 0.5, 0.75, 0.2, 0.9, 0.33]
    second = [0.2, 0.4, 0.75, 0.3, 0.7, 0.43]
    sides = [[scored(f"r{i}", score) for i, score in enumerate(scores)] for scores in (first, second)]
    (acc,) = sound(runs_of(tmp_path, sides, {"acc": SHARE})).spreads
    deviation = (sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) / 6) ** 0.5
    assert acc.pair_deviation == pytest.approx(deviation, rel=1e-12)
    expected = power.minimum_detectable_effect(6, deviation, Decimal("0.05"), Decimal("0.8"))
    assert acc.test == "t"
    assert acc.detectable == pytest.approx(expected, rel=1e-9)


def test_runs_without_noise_raise_no_alarm_and_need_no_limit(tmp_path: Path) -> None:
    sides = [[{**one, "output": str(number)} for one in flipping(["1101"])[0]] for number in (1, 2)]
    found = sound(runs_of(tmp_path, sides, {"acc": SHARE}))
    assert (found.real.alarms, found.real.of, found.drawn.alarms, found.drawn.of) == (0, 2, 0, 200)
    assert (found.flaky, found.proposals, found.spreads[0].detectable) == ([], [], None)
    assert not found.equal_runs


def test_equal_runs_are_told(tmp_path: Path) -> None:
    found = sound(runs_of(tmp_path, flipping(["1101", "1101"]), {"acc": SHARE}))
    assert found.equal_runs
    assert "warning: some of these runs are equal" in report.text(found)


def test_the_rate_of_a_single_flaky_record_is_a_half(tmp_path: Path) -> None:
    found = sound(runs_of(tmp_path, flipping(["11", "10"]), {"acc": SHARE}), resamples=1000)
    assert (found.real.alarms, found.real.of) == (1, 2)
    interval = found.drawn.interval
    assert interval == intervals.clopper_pearson(found.drawn.alarms, 1000, Decimal("0.95"))
    assert interval.low < 0.5 < interval.high
    assert found.drawn.by == {"records.max_regressed (default)": found.drawn.alarms}


def test_one_record_of_three_runs_gets_worse_in_two_of_six_pairs(tmp_path: Path) -> None:
    found = sound(runs_of(tmp_path, flipping(["1", "1", "0"]), {"acc": SHARE}), resamples=1000)
    assert (found.real.alarms, found.real.of) == (2, 6)
    interval = found.drawn.interval
    assert interval is not None
    assert interval.low < 1 / 3 < interval.high


def noisy(number: int, run: int) -> Record:
    """Records that vary in everything a limit is on, the same ones each time these tests are run."""
    draw = (number * 7919 + run * 104729 + number * run * 31) % 97
    scores: dict[str, Any] = {"acc": int(draw % 5 > 0), "f1": round(draw / 97, 3), "latency": 1 + draw % 3}
    status = "error" if draw % 23 == 0 else "skipped" if draw % 29 == 0 else "ok"
    if draw % 19 == 0:
        del scores["f1"]
    tags = {"lang": ("de", "en", "fr")[number % 3]}
    return {"id": f"r{number:02d}", "scores": scores, "status": status, "tags": tags}


def steady(number: int, run: int) -> Record:
    return {**noisy(number, run), "scores": {**noisy(number, run)["scores"], "f1": 0.5}, "status": "ok"}


POLICIES = {
    "strict": "",
    "drops": """
[metrics.acc]
max_drop = 0.05
min = 0.7
[metrics.f1]
max_relative_drop = 0.02
[metrics.latency]
max_drop = 0.05
max = 2.05
[records]
max_errors = 1
max_skipped = 1
max_lost_scores = 1
""",
    "counts": """
[metrics."*"]
max_drop = 0.1
[records]
max_regressed = 9
max_errors = 2
max_skipped = 2
max_lost_scores = 3
""",
    "slices": """
[metrics."*"]
max_drop = 1
level = "warn"
[[slices]]
tag = "lang"
metric = "acc"
max_drop = 0.1
[[slices]]
where = {lang = "de"}
metric = "latency"
max_relative_drop = 0.05
min_records = 9
[records]
max_errors = 30
max_skipped = 30
max_lost_scores = 30
""",
}


@pytest.mark.parametrize("make", [noisy, steady])
@pytest.mark.parametrize("name", POLICIES)
def test_a_drawn_pair_is_judged_as_the_gate_would_judge_it(
    name: str, make: Callable[[int, int], Record], tmp_path: Path
) -> None:
    asked = rules(POLICIES[name])
    sides = [[make(number, run) for number in range(30)] for run in range(3)]
    runs = runs_of(tmp_path, sides, METRICS, ["lang"])
    noise = listen(runs, asked)
    wanted = ruled(asked, noise)
    urn = Urn(
        noise, [(metric, group) for metric, group, _ in wanted], asked.without_drop_limit(METRICS), excused(asked)
    )
    verdicts = set()
    for number, drawn in enumerate(urn.draw("test", 12)):
        chosen = {one.key[0].decode(): pair for one, pair in zip(noise.noisy, urn.runs_of("test", number), strict=True)}
        pair = [
            [sides[chosen[one["id"]][side] if one["id"] in chosen else 0][index] for index, one in enumerate(sides[0])]
            for side in (0, 1)
        ]
        before, after = runs_of(tmp_path / str(number), pair, METRICS, ["lang"])
        judged = comparison.compare(before, after, asked, today=TODAY, limit=0)
        found = list(alarms(drawn, asked, wanted, noise))
        reasons = {finding.rule.value for finding in judged.findings if finding.level in REASONS}
        assert {rule_of(alarm) for alarm in found} == reasons
        assert (judged.verdict is Verdict.PASS) == (not found)
        verdicts.add(judged.verdict)
        measures = {(one.metric, one.group): one for _, one in judged.measures}
        for key, sums in drawn.sums.items():
            assert sums_of(measures[key], sums.decimals) == (sums.count, sums.baseline, sums.current, sums.lost)
    assert len(verdicts) > 1 or (make is noisy or name == "strict")


REASONS = (Level.ERROR, Level.INCONCLUSIVE, Level.INVALID, Level.REVIEW)


def rule_of(alarm: str) -> str:
    if alarm.endswith("(could not be checked)"):
        return "nothing-compared"
    return alarm.partition(" ")[0].rpartition(".")[2].replace("_", "-")


def sums_of(measure: Measure, decimals: int) -> tuple[int, int, int, int]:
    scale = Decimal(10) ** decimals
    return measure.count, int(measure.baseline_sum * scale), int(measure.current_sum * scale), measure.lost


def test_quarantined_records_are_not_counted(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, flipping(["11", "10"]), {"acc": SHARE})
    noise = listen(runs, Policy())
    urn = Urn(noise, [], frozenset({"acc"}), frozenset({"r01"}))
    assert {(drawn.strict, drawn.regressed) for drawn in urn.draw("test", 50)} == {(0, 0)}


def test_the_order_in_which_runs_are_named_changes_no_rate_and_no_proposal(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, [[steady(i, run) for i in range(40)] for run in range(3)], METRICS)
    there, back = sound(runs), sound(runs[::-1])
    assert (there.drawn, there.proposals, there.proposed) == (back.drawn, back.proposals, back.proposed)
    assert [one.flip_rate for one in there.spreads] == [one.flip_rate for one in back.spreads]


def test_proposals_are_the_smallest_limits_that_keep_the_share_of_false_alarms(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, [[steady(i, run) for i in range(60)] for run in range(4)], METRICS)
    found = sound(runs, POLICIES["counts"], resamples=400)
    assert {(one.table, one.key) for one in found.proposals} == {
        (("metrics", "*"), "max_drop"),
        (("records",), "max_regressed"),
    }
    allowed = int(0.05 * 400 / 2)
    for one in found.proposals:
        assert one.broken <= allowed
    (count,) = [one for one in found.proposals if one.table == ("records",)]
    noise = listen(runs, Policy())
    drawn = list(Urn(noise, [], frozenset()).draw("alarms", 400))
    assert sum(one.regressed > count.limit - 1 for one in drawn) > allowed
    assert found.proposed.alarms <= 0.12 * 400


def patched(tmp_path: Path, gate: Callable[..., tuple[int, str, str]], name: str, text: str | None) -> str:
    """The text of a policy file after the patch was applied."""
    runs_of(tmp_path, [[steady(i, run) for i in range(30)] for run in range(3)], METRICS)
    file = tmp_path / name
    config: tuple[object, ...] = ()
    if text is not None:
        file.write_text(text)
        config = ("-c", file)
    code, out, err = gate("calibrate", *(tmp_path / f"run{n}" for n in range(3)), *config, "--patch")
    assert (code, err) == (0, "")
    done = subprocess.run(["patch", "-p1"], input=out, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{out}"
    return file.read_text()


FILES = {
    "new": ("gate.toml", None),
    "tables": (
        "gate.toml",
        "# mine\n[metrics.acc]\nmax_drop = 0.001  # tight\nmin = 0.1\n\n[records]\nmax_errors = 1\n",
    ),
    "header only": ("gate.toml", "[metrics.latency]\nmax = 9\n"),
    "inline": ("gate.toml", "metrics.acc = {max_drop = 0.5}\n"),
    "pyproject": (
        "pyproject.toml",
        '[project]\nname = "x"\n\n[tool.gate.metrics.acc]\nmax_drop = 0\n\n[tool.other]\na = 1\n',
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_patch_gives_a_policy_with_the_limits_and_leaves_the_rest(
    kind: str, tmp_path: Path, gate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, old = FILES[kind]
    text = patched(tmp_path, gate, name, old)
    found = policy.from_toml(text, name, ("tool", "gate") if name == "pyproject.toml" else ())
    assert found is not None
    limits = {rule.pattern: rule.limits for rule in found.metrics}
    expected = sound(
        [read_run(tmp_path / f"run{n}") for n in range(3)], "" if old is None or kind == "pyproject" else old
    )
    for one in expected.proposals:
        if one.table[0] == "metrics":
            assert limits[one.table[1]].max_drop == one.limit
    kept = [line for line in (old or "").splitlines() if "max_drop" not in line]
    assert [line for line in kept if line not in text.splitlines()] == []
    assert ("# tight" in text) == (kind == "tables")


def test_the_patch_proposes_quarantine_in_comments_only(
    tmp_path: Path, gate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs_of(tmp_path, flipping(["111", "101"]), {"acc": SHARE})
    code, out, _ = gate("calibrate", "run0", "run1", "--patch", "--quarantine")
    assert code == 0
    assert out.startswith("# flaky records; ")
    assert '# [[quarantine.records]]  record = "r01"\n--- /dev/null\n' in out


@pytest.mark.parametrize(
    ("other", "metrics", "says"),
    [
        (flipping(["111"])[0], {"acc": SHARE}, "0 more, 1 fewer"),
        ([*flipping(["111"])[0], scored("x")], {"acc": SHARE}, "1 more, 1 fewer"),
        (flipping(["1111"])[0], {"acc": HIGHER}, "range of acc was [0, 1] and is not declared"),
        ([{**one, "scores": {}} for one in flipping(["1111"])[0]], {"acc": SHARE}, "has the metric acc"),
    ],
)
def test_runs_that_are_not_of_the_same_are_not_calibrated(
    other: list[Record], metrics: dict[str, MetricDeclaration], says: str, tmp_path: Path
) -> None:
    (first,) = runs_of(tmp_path / "a", flipping(["1101"]), {"acc": SHARE})
    (second,) = runs_of(tmp_path / "b", [other], metrics)
    found = calibrated([first, second])
    assert isinstance(found, Apart)
    assert says in " ".join(found.reasons)
    assert report.text(found).startswith("INCONCLUSIVE")
    assert list(schema.validate("calibration", report.to_json(found))) == []


def test_the_result_fits_its_schema(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, [[noisy(i, run) for i in range(30)] for run in range(3)], METRICS, ["lang"])
    found = report.to_json(sound(runs, POLICIES["slices"]))
    assert list(schema.validate("calibration", found)) == []


def test_the_command_tells_what_it_found_and_writes_nothing(
    tmp_path: Path, gate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs_of(tmp_path, flipping(["1101", "1001"]), {"acc": SHARE})
    before = sorted(path for path in tmp_path.rglob("*"))
    code, out, err = gate("calibrate", "run0", "run1")
    assert (code, err) == (0, "")
    assert out.startswith("2 runs of 4 records; 1 do not score the same in all\n")
    assert "real pairs   1 of 2 refused" in out
    code, out, _ = gate("calibrate", "run0", "run1", "--format", "json")
    assert (code, json.loads(out)["calibration"]["records"]) == (0, 4)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "words",
    [["run0"], [], ["run0", "run1", "--alpha", "nan"], ["run0", "run1", "--alpha", "1"], ["run0", "--quarantine"]],
)
def test_what_cannot_be_calibrated_is_usage(
    words: list[str], tmp_path: Path, gate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs_of(tmp_path, flipping(["1101", "1001"]), {"acc": SHARE})
    code, out, err = gate("calibrate", *words)
    assert (code, out) == (2, "")
    assert err


def test_noise_holds_only_the_records_that_do_not_score_the_same(tmp_path: Path) -> None:
    sides = flipping(["1" * 40, "1" * 20 + "0" + "1" * 19])
    sides[1][3] = {**sides[1][3], "output": "said otherwise"}
    noise: Noise = listen(runs_of(tmp_path, sides, {"acc": SHARE}), Policy())
    assert [one.key for one in noise.noisy] == [(b"r20", 1)]
