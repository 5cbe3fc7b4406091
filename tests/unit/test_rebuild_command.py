"""`gate rebuild`: what a merge by git has made of a run is put right where it follows from the lines, else refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore.manifest import Provenance
from runstore.rebuilding import marks
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.verification import verify
from tests.factories import ACC, LOWER, files_of, scored, write_run

Gate = Callable[..., tuple[int, str, str]]
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
DERIVED = {"manifest.json", "summary.json"}


def git(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    names |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in names.items()}
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, **names}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in codes, done.stderr
    return done.stdout


def run_with(place: Path, scores: dict[str, int], accepted: list[str], commit: str | None = None) -> Path:
    origin: dict[str, Any] = {"accepted": [{"reason": reason} for reason in accepted]}
    metrics, provenance = {**ACC, "loss": LOWER}, Provenance(commit=commit)
    with RunWriter(place, metrics=metrics, provenance=provenance, origin=origin, slices=["lang"], replace=True) as run:
        for name, acc in scores.items():
            run.append(scored(name, acc, tags={"lang": name}))
        run.log_metric("loss", 1)
        run.add_volatile("clock", {"at": 1})
    return place


def merged(
    folder: Path, ours: dict[str, int], theirs: dict[str, int], *options: str, commits: dict[str, str] | None = None
) -> Path:
    """A run as `git merge` leaves it when both sides have changed it."""
    base = dict.fromkeys(NAMES, 0)
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".gitignore").write_text("volatile/\n")
    for branch, scores, accepted in (
        ("main", base, ["first"]),
        ("theirs", theirs, ["first", "theirs"]),
        ("ours", ours, ["first", "ours"]),
    ):
        if branch != "main":
            git(folder, "checkout", "--quiet", "-b", branch, "main")
        run_with(folder / "run", scores, accepted, (commits or {}).get(branch))
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", branch)
    git(folder, *options, "merge", "--quiet", "theirs", codes=(0, 1))
    return folder / "run"


@pytest.fixture(autouse=True)
def _short_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
def test_after_a_merge_of_lines_apart_the_derived_files_are_mended(tmp_path: Path, gate: Gate, style: str) -> None:
    base = dict.fromkeys(NAMES, 0)
    setting = ("-c", f"merge.conflictStyle={style}")
    run = merged(tmp_path, {**base, "a": 1}, {**base, "k": 1, "zz": 1}, *setting)
    assert b"<<<<<<<" in (run / "manifest.json").read_bytes()
    assert b"<<<<<<<" in (run / "summary.json").read_bytes()
    assert gate("validate", "run")[0] == 3
    before = files_of(run)
    assert gate("rebuild", "--check", "run") == (1, "stale    run\n", "")
    assert files_of(run) == before
    assert gate("rebuild", "run") == (0, "rebuilt  run\n", "")
    verify(read_run(run))
    after = files_of(run)
    assert {path for path in {**before, **after} if before.get(path) != after.get(path)} == DERIVED
    expected = run_with(tmp_path / "expected", {**base, "a": 1, "k": 1, "zz": 1}, ["first", "ours", "theirs"])
    assert after == files_of(expected)
    assert gate("rebuild", "run") == (0, "", "")
    assert gate("rebuild", "--check", "run") == (0, "", "")


def test_a_conflict_in_the_records_is_named_by_its_lines(tmp_path: Path, gate: Gate) -> None:
    base = dict.fromkeys(NAMES, 0)
    run = merged(tmp_path, {**base, "b": 1, "k": 1}, {name: acc for name, acc in base.items() if name not in "bk"})
    before = files_of(run)
    for words in ((), ("--check",)):
        code, out, err = gate("rebuild", "run", *words)
        assert (code, out) == (3, "")
        assert err == (
            "gate: error: run/records.jsonl:2: a merge has left conflicts here: lines 2-5, 14-17\n"
            "  hint: of each record keep the line you want, remove the marks, and call `gate rebuild` again\n"
        )
    assert files_of(run) == before


def test_what_somebody_has_chosen_on_both_sides_is_not_decided_here(tmp_path: Path, gate: Gate) -> None:
    base = dict.fromkeys(NAMES, 0)
    merged(tmp_path, {**base, "a": 1}, {**base, "k": 1}, commits={"ours": "aaaaaaa", "theirs": "bbbbbbb"})
    code, out, err = gate("rebuild", "run")
    assert (code, out) == (3, "")
    assert err.startswith(
        "gate: error: run/manifest.json /provenance/commit: the two sides of the merge differ here, and only a person"
    )


LINES = [json.dumps(scored(name, 0), separators=(",", ":"), sort_keys=True) for name in "abcd"]


def broken(*lines: str, end: str = "\n") -> bytes:
    return ("\n".join(lines) + end).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (broken(LINES[0], LINES[1], LINES[1]), "records.jsonl:3: the key 'b' stands twice: in records.jsonl:2, and"),
        (
            broken(LINES[0], LINES[2], LINES[1], LINES[2]),
            "records.jsonl:4: the key 'c' stands twice: in records.jsonl:2",
        ),
        (broken(LINES[0], LINES[2], LINES[1]), "records.jsonl:3: the lines are not sorted: 'b' stands after 'c'"),
        (broken(LINES[0], "<<<<<<< ours", LINES[1]), "records.jsonl:2: a merge has left conflicts here: lines 2-2"),
        (broken(LINES[0], ">>>>>>> theirs"), "records.jsonl:2: a merge has left conflicts here: lines 2-2"),
        (broken(LINES[0], LINES[1].replace(":0", ": 0")), "records.jsonl:2"),
        (broken(LINES[0], LINES[1], end=""), "records.jsonl:2: the last line does not end with a line feed"),
        (broken(LINES[0], "{}"), "records.jsonl:2: neither a record nor a point"),
        (broken(LINES[0], '{"id":7}'), "records.jsonl:2: neither a record nor a point"),
        (broken(LINES[0], '{"id":"x","scores":{"f1":1}}'), "records.jsonl:2"),
        (broken(LINES[0], '{"id":"x","scores":{"acc":7}}'), "records.jsonl:2"),
        (broken(LINES[0], ""), "records.jsonl:2"),
    ],
)
def test_lines_that_a_merge_has_left_in_doubt_are_refused_with_their_place(
    tmp_path: Path, gate: Gate, data: bytes, said: str
) -> None:
    run = write_run(tmp_path / "run", [scored("a", 0)])
    (run / "records.jsonl").write_bytes(data)
    before = files_of(run)
    code, out, err = gate("rebuild", "run")
    assert (code, out) == (3, "")
    assert err.startswith(f"gate: error: run/{said}"), err
    assert files_of(run) == before


def test_points_of_a_series_are_held_to_the_same(tmp_path: Path, gate: Gate) -> None:
    run = write_run(tmp_path / "run", metrics={"loss": LOWER}, points=[("loss", 1, 1), ("loss", 2, None)])
    path = run / "series.jsonl"
    first, last = path.read_bytes().splitlines()
    path.write_bytes(broken(first.decode(), last.decode(), last.decode()))
    assert "series.jsonl:3: the key 'loss (final)' stands twice: in series.jsonl:2" in gate("rebuild", "run")[2]
    path.write_bytes(broken(last.decode(), first.decode()))
    assert "series.jsonl:2: the lines are not sorted" in gate("rebuild", "run")[2]
    path.write_bytes(broken(first.decode()))
    assert gate("rebuild", "run")[0] == 0
    verify(read_run(run))


def test_a_folder_of_runs_is_rebuilt_run_by_run_and_sound_ones_are_not_touched(tmp_path: Path, gate: Gate) -> None:
    for name in "xyz":
        write_run(tmp_path / "runs" / name, [scored("a", 0)])
    place = (tmp_path / "runs/x").stat().st_ino
    (tmp_path / "runs/y/summary.json").write_bytes(b"")
    (tmp_path / "runs/z/records.jsonl").write_bytes(b"<<<<<<< a\n")
    code, out, err = gate("rebuild", "runs")
    assert (code, out) == (3, "rebuilt  runs/y\n")
    assert err.startswith("gate: error: runs/z/records.jsonl:1: a merge has left conflicts")
    assert (tmp_path / "runs/x").stat().st_ino == place


def test_volatile_facts_are_kept_and_a_link_among_them_is_refused(tmp_path: Path, gate: Gate) -> None:
    run = run_with(tmp_path / "run", {"a": 1}, [])
    (run / "volatile/deep").mkdir()
    (run / "volatile/deep/host.txt").write_text("here")
    before = files_of(run)
    (run / "summary.json").unlink()
    assert gate("rebuild", "run")[0] == 0
    assert files_of(run) == before
    (run / "summary.json").unlink()
    (run / "volatile/deep/link").symlink_to("host.txt")
    code, _, err = gate("rebuild", "run")
    assert (code, "run/volatile/deep/link: neither a file nor a folder" in err) == (3, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a\nb\n", None),
        (b"a\n<<<<<<< x\nb\n=======\nc\n>>>>>>> y\nd\n", (b"a\nb\nd\n", b"a\nc\nd\n")),
        (b"<<<<<<< x\nb\n||||||| z\no\n=======\n>>>>>>> y\n", (b"b\n", b"")),
        (b"<<<<<<< x\n1\n=======\n2\n>>>>>>> y\n-\n<<<<<<< x\n3\n=======\n4\n>>>>>>> y", (b"1\n-\n3\n", b"2\n-\n4\n")),
        (b"<<<<<<<x\n=======a\n<<<<<<\n", None),
    ],
)
def test_both_sides_of_a_merge_are_told_apart(text: bytes, expected: tuple[bytes, bytes] | None) -> None:
    assert marks.sides(text, "m") == expected


@pytest.mark.parametrize(
    "text", [b"<<<<<<< x\na\n", b"=======\n", b">>>>>>> x\n", b"<<<<<<< x\n>>>>>>> y\n", b"<<<<<<< x\n<<<<<<< y\n"]
)
def test_marks_that_are_not_complete_are_refused(tmp_path: Path, gate: Gate, text: bytes) -> None:
    run = write_run(tmp_path / "run", [scored("a", 0)])
    (run / "manifest.json").write_bytes(text)
    code, _, err = gate("rebuild", "run")
    assert (code, "run/manifest.json" in err, "the marks of a merge are not complete" in err) == (3, True, True)
