"""`gate import`, told by a corpus: a folder a case, with the source, the arguments, and what is said and written.

`args.txt` holds one argument a line. `expected.txt` holds the exit code, what is printed, and the files of the run.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runstore.cli.boundary import run_guarded
from runstore.cli.main import gate
from runstore.manifest import Provenance
from runstore.store.reader import read_run
from runstore.verification import verify

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "import"
CASES = sorted(path.name for path in CORPUS.iterdir())


def run_import(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["gate", "import", *arguments])
    return run_guarded(gate)


def told(code: int, printed: tuple[str, str], run: Path) -> str:
    """All that came of an import. Of the manifest: what the importer decides, so not the digests of the files."""
    parts = [f"exit {code}\n", "--- stdout\n", printed[0], "--- stderr\n", printed[1]]
    if run.exists():
        verify(read_run(run))
        manifest = json.loads((run / "manifest.json").read_text())
        chosen = {name: manifest[name] for name in ("identity", "metrics", "slices", "origin")}
        parts += ["--- records.jsonl\n", (run / "records.jsonl").read_text()]
        parts += ["--- manifest.json\n", json.dumps(chosen, indent=1, ensure_ascii=False), "\n"]
    return "".join(parts)


@pytest.mark.parametrize("case", CASES)
def test_a_source_becomes_what_the_case_says(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = CORPUS / case
    run = tmp_path / "run"
    monkeypatch.chdir(folder)
    arguments = (folder / "args.txt").read_text().splitlines()
    code = run_import([*arguments, "--output", str(run)], monkeypatch)
    printed = capfd.readouterr()
    out = (printed.out.replace(str(run), "RUN"), printed.err.replace(str(run), "RUN"))
    assert told(code, out, run) == (folder / "expected.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == (["run"] if code == 0 else [])


def test_a_gzipped_source_makes_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"id":"a","acc":0.5}\n{"id":"b","acc":1}\n'
    (tmp_path / "plain.jsonl").write_bytes(text)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(text))
    codes = [
        run_import([str(tmp_path / name), "--score", "acc", "-o", str(tmp_path / f"run-{name}")], monkeypatch)
        for name in ("plain.jsonl", "packed.jsonl.gz")
    ]
    assert codes == [0, 0]
    assert run_bytes(tmp_path / "run-plain.jsonl") == run_bytes(tmp_path / "run-packed.jsonl.gz")


def run_bytes(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.iterdir())}


def test_a_run_is_replaced_only_when_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source, run = tmp_path / "source.jsonl", tmp_path / "run"
    arguments = [str(source), "--score", "acc", "-o", str(run)]
    source.write_text('{"id":"a","acc":0.5}\n')
    assert run_import(arguments, monkeypatch) == 0
    source.write_text('{"id":"b","acc":0.5}\n')
    assert run_import(arguments, monkeypatch) == 2
    assert (run / "records.jsonl").read_text() == '{"id":"a","scores":{"acc":0.5}}\n'
    assert run_import([*arguments, "--replace"], monkeypatch) == 0
    assert (run / "records.jsonl").read_text() == '{"id":"b","scores":{"acc":0.5}}\n'


def test_a_stopped_import_leaves_the_run_that_was_to_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, run = tmp_path / "source.jsonl", tmp_path / "run"
    arguments = [str(source), "--score", "acc", "-o", str(run), "--replace"]
    source.write_text('{"id":"a","acc":0.5}\n')
    assert run_import(arguments, monkeypatch) == 0
    before = run_bytes(run)
    source.write_text('{"id":"a","acc":NaN}\n')
    assert run_import(arguments, monkeypatch) == 3
    assert run_bytes(run) == before


USAGE = [
    (["missing.jsonl"], "missing.jsonl does not exist"),
    (["."], "the ending of . stands for no format"),
    ([".", "--format", "jsonl"], ". is a folder"),
    (["s.jsonl", "--score", "acc", "--score", "acc=x"], "--score acc is given twice"),
    (["s.jsonl", "--score", "=x"], "--score =x: the name is empty"),
    (["s.jsonl", "--score", "a=b..c"], "'b..c' is not a field path"),
    (["s.jsonl", "--score", "acc", "--range", "acc=1:0"], "--range 1:0: expected LOW:HIGH"),
    (["s.jsonl", "--score", "acc", "--range", "acc=0:1e999"], "--range 0:1e999: expected LOW:HIGH"),
    (["s.jsonl", "--score", "acc", "--range", "f1=0:1"], "--range f1: no --score has that name"),
    (["s.jsonl", "--score", "acc", "--direction", "acc=up"], "--direction acc=up: expected higher or lower"),
    (["s.jsonl", "--score", "acc", "--direction", "lower"], "--direction lower: expected NAME=VALUE"),
    (["s.jsonl", "--param", "n=9007199254740993"], "--param n=9007199254740993"),
    (["s.jsonl", "--id-from-input"], "--id-from-input needs --input FIELD"),
    (["s.jsonl", "--id", "id", "--id-from-input", "--input", "q"], "stands in place of --id"),
    (["s.jsonl", "--records", "x"], "--records is for a JSON document"),
    (["s.csv", "--records", "x"], "--records is for a JSON document"),
    (["s.json", "--records", "x"], "has nothing at --records x"),
    (["s.jsonl", "--commit", "main"], "--commit main: not the full id of a commit"),
    (["s.jsonl", "--commit", "5f2c1e0"], "--commit 5f2c1e0: not the full id of a commit"),
    (["s.jsonl", "--dirty"], "--dirty says how the work differed from a commit"),
    (["s.jsonl", "--on-duplicate", "both"], "Invalid value for '--on-duplicate'"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=range(len(USAGE)))
def test_a_wrong_flag_is_a_usage_error_that_names_it(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s.jsonl", "s.csv", "s.json"):
        Path(name).write_text('{"id":"a"}\n')
    assert run_import([*arguments, "-o", "run"], monkeypatch) == 2
    assert message in capfd.readouterr().err
    assert not Path("run").exists()


@pytest.mark.parametrize("is_dirty", [False, True])
def test_a_run_says_of_which_commit_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_dirty: bool) -> None:
    (tmp_path / "s.jsonl").write_text('{"id":"a","acc":1}\n')
    words = [str(tmp_path / "s.jsonl"), "--score", "acc", "-o", str(tmp_path / "run"), "--commit", "0a" * 20]
    assert run_import([*words, *(["--dirty"] if is_dirty else [])], monkeypatch) == 0
    assert read_run(tmp_path / "run").manifest.provenance == Provenance(commit="0a" * 20, dirty=is_dirty)


def test_a_run_may_not_swallow_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text('{"id":"a"}\n')
    assert run_import([str(source), "-o", str(tmp_path), "--replace"], monkeypatch) == 2
    assert "is, or lies in, the output" in capfd.readouterr().err
    assert source.read_text() == '{"id":"a"}\n'


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(8)))
def test_the_order_of_the_source_does_not_change_the_run(
    order: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ['{"id":1,"a":true}', '{"id":"b","a":NaN}', '{"id":"c"}', '{"id":"d","a":0.1}', '{"id":"d","a":0.1}']
    rows += ['{"id":"e","a":"0.5"}', '{"id":"f","a":0.2}', "[]"]
    decisions = ["--on-missing-score", "fail", "--on-duplicate", "last", "--on-text-score", "number"]
    runs = []
    for name, numbers in (("straight", range(8)), ("shuffled", order)):
        source = tmp_path / f"{name}.jsonl"
        source.write_text("".join(f"{rows[number]}\n" for number in numbers))
        arguments = [str(source), "--id", "id", "--score", "a", *decisions, "--on-bad-line", "skip", "--replace"]
        assert run_import([*arguments, "-o", str(tmp_path / name)], monkeypatch) == 0
        runs.append(run_bytes(tmp_path / name))
    assert runs[0] == runs[1]


REAL = [
    ("swebench_pro/claude-4sonnet-10132025/eval_results.json", ["--score", "resolved"], 562),
    ("swebench_pro/claude-45sonnet-10132025/eval_results.json", ["--score", "resolved"], 730),
    ("lm_eval/samples/gpt-3.5-turbo-0125/eus_trivia_test_5-shot.jsonl", ["--id", "id", "--score", "correct"], 1715),
    ("mteb/big-baseline-2026-07-14.jsonl.gz", [], 140_672),
    ("mteb/big-current-2026-08-20.jsonl.gz", [], 150_000),
]
MTEB = ["--id", "id", "--score", "main_score=metrics.main_score"]
DECIDED = ["--on-missing-score", "skip", "--on-duplicate", "first"]


SLOW = "big-baseline-2026-07-14.jsonl.gz"  # of the big pair, one is enough every day


def marked(*row: Any) -> Any:
    return pytest.param(*row, id=row[0], marks=pytest.mark.slow if row[0].endswith(SLOW) else ())


@pytest.mark.parametrize(("path", "mapping", "records"), [marked(*row) for row in REAL])
def test_real_results_come_over_whole(
    path: str, mapping: list[str], records: int, realdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    arguments = mapping or [*MTEB, *DECIDED]
    assert run_import([str(realdata / path), *arguments, "-o", str(run)], monkeypatch) == 0
    assert read_run(run).record_count == records


@pytest.mark.parametrize("path", [marked(SLOW), marked("big-current-2026-08-20.jsonl.gz")])
def test_real_results_that_do_not_fit_stop_the_import_and_are_named(
    path: str, realdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_import([str(realdata / "mteb" / path), *MTEB, "-o", str(tmp_path / "run")], monkeypatch) == 3
    kinds = [line for line in capfd.readouterr().err.splitlines() if line.startswith("  ") and line[2] != " "]
    assert kinds == [
        "  twin-ids (8): ids that stand twice or more (16 records in all), 1 of them with other values",
        "  missing-score (3): scores that are no finite number (absent, null, NaN, infinite)",
    ]
    assert list(tmp_path.iterdir()) == []
