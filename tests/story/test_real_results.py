"""Real results of others, from their files to an exit code, through the command line.

The expected counts were computed apart from this code; they stand in the README of the optional data.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SWE = ["--score", "resolved"]
MTEB = ["--id", "id", "--score", "main_score=metrics.main_score"]
DECIDED = ["--on-missing-score", "skip", "--on-duplicate", "first"]
LM_EVAL = ["--id", "id", "--score", "correct=correct"]


def gate(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runstore.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env={**os.environ, **environment}, check=False
    )


def imported(source: Path, run: Path, options: list[str]) -> Path:
    done = gate("import", source, "--output", run, *options)
    assert done.returncode == 0, done.stderr
    return run


def compared(baseline: Path, current: Path) -> dict[str, Any]:
    done = gate("compare", baseline, current, "--format", "json")
    view: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == view["exit_code"]
    return view


def counted(view: dict[str, Any]) -> tuple[int, ...]:
    names = ("baseline", "current", "common", "added", "removed", "regressed", "improved")
    return tuple(view["counts"][name] for name in names)


def test_swe_bench_pro_counts_what_changed_between_two_submissions(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "swebench_pro"
    baseline = imported(folder / "claude-4sonnet-10132025" / "eval_results.json", tmp_path / "a", SWE)
    current = imported(folder / "claude-45sonnet-10132025" / "eval_results.json", tmp_path / "b", SWE)
    view = compared(baseline, current)
    assert (counted(view), view["verdict"]) == ((562, 730, 562, 168, 0, 47, 59), "FAIL")


def test_lm_eval_samples_are_compared_sample_by_sample(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "lm_eval" / "samples"
    baseline = imported(folder / "gpt-3.5-turbo-0125" / "eus_trivia_test_5-shot.jsonl", tmp_path / "a", LM_EVAL)
    current = imported(folder / "gpt-4-0125-preview" / "eus_trivia_test_5-shot.jsonl", tmp_path / "b", LM_EVAL)
    view = compared(baseline, current)
    assert (counted(view), view["verdict"]) == ((1715, 1715, 1715, 0, 0, 130, 583), "FAIL")


@pytest.mark.slow
def test_mteb_is_imported_when_its_faults_are_decided_on_and_compared(realdata: Path, tmp_path: Path) -> None:
    files = [realdata / "mteb" / f"big-{name}.jsonl.gz" for name in ("baseline-2026-07-14", "current-2026-08-20")]
    for source in files:
        stopped = gate("import", source, "--output", tmp_path / "never", *MTEB)
        assert (stopped.returncode, (tmp_path / "never").exists()) == (3, False)
        assert "missing-score (3)" in stopped.stderr
        assert "twin-ids (8)" in stopped.stderr
        assert "1 of them with other values" in stopped.stderr
    runs = [imported(source, tmp_path / source.stem, [*MTEB, *DECIDED]) for source in files]
    assert counted(compared(*runs)) == (140672, 150000, 140479, 9521, 193, 56, 700)


@pytest.mark.slow
def test_every_real_run_passes_against_itself(realdata: Path, tmp_path: Path) -> None:
    sources = [
        *((path, SWE) for path in sorted((realdata / "swebench_pro").glob("*/eval_results.json"))),
        *((path, LM_EVAL) for path in sorted((realdata / "lm_eval" / "samples").glob("*/*.jsonl"))),
        *((path, [*MTEB, *DECIDED]) for path in sorted((realdata / "mteb").glob("model-*.jsonl.gz"))),
    ]
    assert len(sources) >= 6
    for number, (source, options) in enumerate(sources):
        run = imported(source, tmp_path / str(number), options)
        view = compared(run, run)
        assert (view["verdict"], [finding["rule"] for finding in view["findings"]]) == ("PASS", ["identical"])


def run_bytes(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.iterdir())}


def test_shuffled_sources_give_the_same_bytes_wherever_they_are_imported(realdata: Path, tmp_path: Path) -> None:
    source = realdata / "mteb" / "model-intfloat__multilingual-e5-small.jsonl.gz"
    lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    shuffled = tmp_path / "elsewhere" / "other-name.jsonl"
    shuffled.parent.mkdir()
    shuffled.write_bytes(b"".join(lines))
    imported(source, tmp_path / "a", [*MTEB, *DECIDED])
    done = gate(
        "import", shuffled, "--output", tmp_path / "elsewhere" / "b", *MTEB, *DECIDED,
        PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C", LANG="C",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run_bytes(tmp_path / "a") == run_bytes(tmp_path / "elsewhere" / "b")


def test_reports_are_the_same_bytes_in_every_surrounding(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "swebench_pro"
    baseline = imported(folder / "claude-4sonnet-10132025" / "eval_results.json", tmp_path / "a", SWE)
    current = imported(folder / "claude-45sonnet-10132025" / "eval_results.json", tmp_path / "b", SWE)
    for form in ("json", "markdown", "html", "text"):
        outputs = set()
        for number, surrounding in enumerate((("0", "UTC", "C.UTF-8"), ("9", "America/Lima", "C"))):
            seed, zone, locale = surrounding
            target = tmp_path / f"{number}" / f"report.{form}"
            done = gate(
                "compare", baseline, current, "--format", f"{form}:{target}",
                PYTHONHASHSEED=seed, TZ=zone, LC_ALL=locale, RUNSTORE_CACHE_DIR=str(tmp_path / f"cache{number}"),
            )  # fmt: skip
            assert done.returncode == 1, done.stderr
            outputs.add(target.read_bytes())
        assert len(outputs) == 1
