"""`gate summarize`: the summary derived again from the records, whatever summary.json says; nothing is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CORPUS = Path(__file__).parents[1] / "corpus" / "runs" / "valid"
Gate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CORPUS / "v1-records", tmp_path / "run"))


@pytest.mark.parametrize("name", ["v1-minimal", "v1-records", "v1-training"])
def test_the_summary_of_a_sound_run_is_derived_byte_for_byte(name: str, gate: Gate) -> None:
    assert gate("summarize", CORPUS / name) == (0, (CORPUS / name / "summary.json").read_text(encoding="utf-8"), "")


@pytest.mark.parametrize("stale", [b"", b"not json", None])
def test_what_the_summary_says_is_not_looked_at_and_not_written(stale: bytes | None, run: Path, gate: Gate) -> None:
    expected = (run / "summary.json").read_text(encoding="utf-8")
    if stale is None:
        (run / "summary.json").unlink()
    else:
        (run / "summary.json").write_bytes(stale)
    before = {path.name: path.stat().st_mtime_ns for path in run.iterdir()}
    assert gate("summarize", run) == (0, expected, "")
    assert {path.name: path.stat().st_mtime_ns for path in run.iterdir()} == before


HINT = "  hint: if it was edited by hand, `gate fmt` rewrites the run canonically, its summary too\n"


def test_a_loose_run_is_sent_to_fmt(run: Path, gate: Gate) -> None:
    data = (run / "records.jsonl").read_bytes()
    (run / "records.jsonl").write_bytes(data.replace(b'{"id":"q-1"}', b'{"id": "q-1"}'))
    code, out, err = gate("summarize", run)
    assert (code, out, err.partition("\n")[2]) == (3, "", HINT)
    assert err.startswith(f"gate: error: {run}/records.jsonl:1 byte 6: not canonical: white space"), err


def test_records_that_are_gone_are_named(run: Path, gate: Gate) -> None:
    (run / "records.jsonl").unlink()
    expected = f"gate: error: {run}/records.jsonl: is listed in the manifest and missing\n{HINT}"
    assert gate("summarize", run) == (3, "", expected)


def test_a_manifest_that_is_none_is_named(run: Path, gate: Gate) -> None:
    (run / "manifest.json").write_bytes(b"{}\n")
    assert gate("summarize", run) == (3, "", f"gate: error: {run}/manifest.json /: 'files' is missing\n{HINT}")


def test_a_missing_path_is_usage(tmp_path: Path, gate: Gate) -> None:
    assert gate("summarize", tmp_path / "absent")[0] == 2
