"""Every report of comparisons of real results, held byte for byte by digest: none of the data is in the project.

`real_reports.json` beside this file maps comparison → format → SHA-256. After a change that is meant, write it anew
with `RUNSTORE_UPDATE_GOLDEN=1 pytest tests/story/test_reports_on_real_data.py`; to see what changed, render the
comparison before and after with `gate report`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from runstore import reports
from tests.command_line import gate

HELD = Path(__file__).with_name("real_reports.json")
SWE = ("--score", "resolved", "--range", "resolved=0:1")
LM_EVAL = (
    *("--id", "id", "--score", "correct", "--range", "correct=0:1"),
    *("--tag", "category", "--tag", "difficulty", "--slice", "category", "--slice", "difficulty"),
)
MTEB = (
    *("--id", "id", "--score", "main_score=metrics.main_score", "--score", "accuracy=metrics.accuracy"),
    *("--on-missing-score", "skip", "--on-duplicate", "first"),
)
EVIDENCE = """
[metrics.correct]
max_drop = 0.02
min = 0.4
significance = "required"
[[slices]]
tag = "category"
max_drop = 0.1
min_records = 50
[records]
max_regressed = 1000
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two files of results, how they are imported and judged, and the exit code of their comparison."""

    baseline: str
    current: str
    words: Sequence[str]
    code: int
    policy: str = ""


SAMPLES = "lm_eval/samples/{}/eus_trivia_test_5-shot.jsonl"
PAIRS: Mapping[str, Pair] = {
    "swe-bench-pro": Pair(
        baseline="swebench_pro/claude-4sonnet-10132025/eval_results.json",
        current="swebench_pro/claude-45sonnet-10132025/eval_results.json",
        words=SWE,
        code=1,
    ),
    "lm-eval": Pair(
        baseline=SAMPLES.format("gpt-3.5-turbo-0125"),
        current=SAMPLES.format("gpt-4-0125-preview"),
        words=LM_EVAL,
        code=1,
    ),
    "lm-eval-by-evidence": Pair(
        baseline=SAMPLES.format("gpt-3.5-turbo-0125"),
        current=SAMPLES.format("gpt-4-0125-preview"),
        words=LM_EVAL,
        code=5,
        policy=EVIDENCE,
    ),
    "lm-eval-with-itself": Pair(
        baseline=SAMPLES.format("gpt-4-0125-preview"),
        current=SAMPLES.format("gpt-4-0125-preview"),
        words=LM_EVAL,
        code=0,
    ),
}


def rendered(realdata: Path, folder: Path, pair: Pair) -> dict[str, bytes]:
    """Format → the report that `gate compare` writes."""
    for name, source in (("baseline", pair.baseline), ("current", pair.current)):
        outcome = gate(folder, "import", realdata / source, "--output", name, *pair.words)
        assert outcome.code == 0, outcome.err
    (folder / "gate.toml").write_text(pair.policy or "[records]\nmax_regressed = 0\n")
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.out")]
    outcome = gate(folder, "compare", "baseline", "current", *asked)
    assert (outcome.code, outcome.out) == (pair.code, ""), outcome.text
    return {form: (folder / f"{form}.out").read_bytes() for form in reports.FORMATS}


def held() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(HELD.read_bytes()) if HELD.exists() else {}
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_every_report_of_real_results_is_what_it_was_and_is_rendered_again(
    name: str, realdata: Path, tmp_path: Path
) -> None:
    pair = PAIRS[name]
    found = rendered(realdata, tmp_path, pair)
    digests = {form: hashlib.sha256(data).hexdigest() for form, data in found.items()}
    if os.environ.get("RUNSTORE_UPDATE_GOLDEN"):
        known = {key: held().get(key, {}) for key in sorted({*PAIRS, *held()} & PAIRS.keys())}
        HELD.write_text(json.dumps({**known, name: digests}, indent=2, sort_keys=True) + "\n")
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.again")]
    outcome = gate(tmp_path, "report", "json.out", *asked)
    assert (outcome.code, outcome.out) == (pair.code, ""), outcome.text
    assert {form: (tmp_path / f"{form}.again").read_bytes() for form in found} == found
    assert digests == held().get(name)


def test_every_real_comparison_is_held_in_every_format() -> None:
    assert {name: sorted(digests) for name, digests in held().items()} == {
        name: sorted(reports.FORMATS) for name in PAIRS
    }
