"""The self-test and the calibration on real results of others, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import gate

SWE = "swebench_pro/claude-45sonnet-10132025/eval_results.json"
POLICIES = {
    "strict": ("", 0, 0),
    "drop": ("[metrics.resolved]\nmax_drop = 0.01\n", 0, 7),
    "regressed": ("[metrics.resolved]\nmax_drop = 1\n[records]\nmax_regressed = 3\n", 0, 3),
    "cannot fail": ("[metrics.resolved]\nmax_drop = 1\n", 1, 319),
}


@pytest.fixture(scope="module")
def run(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swe")
    done = gate(folder, "import", realdata / SWE, "--output", "run", "--score", "resolved")
    assert done.code == 0, done.err
    return folder / "run"


@pytest.mark.parametrize("name", POLICIES)
def test_a_real_baseline_shows_what_its_policy_can_see(name: str, run: Path, tmp_path: Path) -> None:
    text, code, passing = POLICIES[name]
    if text:
        (tmp_path / "gate.toml").write_text(text)
    done = gate(tmp_path, "selftest", run, "--format", "json")
    assert done.code == code, done.err
    (found,) = json.loads(done.out)["runs"]
    assert (found["records"], found["examined"], found["leeway"][0]["failed"]) == (730, 730, passing)
    assert [one["name"] for one in found["trials"] if not one["seen"]] == ([] if code == 0 else ["ruined"])


def test_two_runs_of_a_model_that_differ_in_ids_are_not_calibrated(realdata: Path, run: Path, tmp_path: Path) -> None:
    other = realdata / "swebench_pro" / "claude-4sonnet-10132025" / "eval_results.json"
    assert gate(tmp_path, "import", other, "--output", "run", "--score", "resolved").code == 0
    done = gate(tmp_path, "calibrate", run, "run")
    assert done.code == 5
    assert "0 more, 168 fewer" in done.out


def test_records_of_real_runs_calibrate(realdata: Path, tmp_path: Path) -> None:
    """Two models stand for two runs of one: much noise, the same records."""
    for number, model in enumerate(("gpt-3.5-turbo-0125", "gpt-4-0125-preview")):
        source = realdata / "lm_eval" / "samples" / model / "eus_trivia_test_5-shot.jsonl"
        done = gate(tmp_path, "import", source, "--output", f"run{number}", "--id", "id", "--score", "correct=correct")
        assert done.code == 0, done.err
    done = gate(tmp_path, "calibrate", "run0", "run1", "--format", "json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["calibration"]
    assert len(found["flaky"]) == 130 + 583
    assert found["metrics"][0]["flip_rate"] == pytest.approx((130 + 583) / 1715)
    assert found["false_alarms"]["real"]["alarms"] == 2
    # A drawn pair gets worse in half of what differs, give or take; the proposed limits let nearly all of them pass.
    limits = {one["key"]: float(one["limit"]) for one in found["proposals"]}
    assert 713 / 2 < limits["max_regressed"] < 713 / 2 + 4 * 713**0.5 / 2
    assert found["false_alarms"]["proposed"]["alarms"] <= 0.1 * found["false_alarms"]["proposed"]["of"]
