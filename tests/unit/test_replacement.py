"""Replacing a run in a work tree: git sees nothing of the work, killed ones leave nothing, nobody's work is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runstore.errors import RunExistsError, UsageError
from runstore.store.reader import read_run
from runstore.store.replacement import Replacement, clear_beside, manifest_digest
from tests.command_line import environment
from tests.factories import files_of, passing, scored, write_run


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def leftover(place: Path, mark: bytes) -> Path:
    (place / "run").mkdir(parents=True)
    (place / "run/records.jsonl").write_bytes(b"half")
    (place / ".gitignore").write_bytes(mark)
    return place


def test_what_is_built_is_hidden_from_git_until_it_is_in_place(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    run = write_run(tmp_path / "run", passing(1))
    before = manifest_digest(run)
    with Replacement(run, "run") as place:
        write_run(place.path, passing(2))
        status = subprocess.run(
            ["git", "status", "--short", "-uall"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert {Path(line[3:]).parts[0] for line in status.stdout.splitlines()} == {"run"}
        place.commit(before)
    assert read_run(run).record_count == 2
    assert [path.name for path in tmp_path.iterdir() if path.name != ".git"] == ["run"]


def test_leaving_without_a_commit_leaves_the_old_run_and_nothing_beside_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", passing(1))
    before = files_of(tmp_path)
    with Replacement(run, "run") as place:
        write_run(place.path, passing(2))
    assert files_of(tmp_path) == before
    assert names(tmp_path) == ["run"]


def test_a_run_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", passing(1))
    digest = manifest_digest(run)
    with Replacement(run, "run") as place:
        write_run(place.path, passing(2))
        shutil.rmtree(run)
        write_run(run, passing(3))
        with pytest.raises(UsageError, match="run was changed meanwhile"):
            place.commit(digest)
    assert read_run(run).record_count == 3
    assert names(tmp_path) == ["run"]


def test_what_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with Replacement(tmp_path / "run", "run") as place:
        write_run(place.path, passing(2))
        write_run(tmp_path / "run", passing(3))
        with pytest.raises(RunExistsError):
            place.commit(None)
    assert read_run(tmp_path / "run").record_count == 3


def test_what_killed_ones_have_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run[1]", passing(1))
    mine = [leftover(tmp_path / f".run[1].tmp-{name}", mark) for name, mark in (("a", b"*\n"), ("b", b""))]
    kept = [
        leftover(tmp_path / ".run[1].tmp-c", b"*.log\n"),
        leftover(tmp_path / ".run1.tmp-d", b"*\n"),
        leftover(tmp_path / ".run[1].old-e", b"*\n"),
        tmp_path / ".run[1].tmp-link",
    ]
    kept[-1].symlink_to(kept[0])
    clear_beside(run)
    assert not any(place.exists() for place in mine)
    assert all(place.exists() for place in kept)


def test_nothing_is_cleared_where_no_run_stands(tmp_path: Path) -> None:
    place = leftover(tmp_path / ".run.tmp-a", b"*\n")
    clear_beside(tmp_path / "run")
    assert (place / "run/records.jsonl").exists()
    clear_beside(tmp_path / "deep/run")


def test_who_replaces_a_run_keeps_others_waiting(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", passing(1))
    done: list[str] = []

    def other() -> None:
        with Replacement(run, "run"):
            done.append("other")

    with Replacement(run, "run"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        done.append("first")
    thread.join(10)
    assert done == ["first", "other"]


def test_of_two_who_accept_at_once_nobody_loses_what_was_accepted(tmp_path: Path) -> None:
    write_run(tmp_path / "current", [scored(name, 1) for name in "abc"])
    for number in range(3):
        baseline = write_run(tmp_path / f"baseline{number}", [scored(name, 0) for name in "abc"])
        words = [sys.executable, "-m", "runstore.cli.main", "accept", "current", baseline.name, "--reason", "x"]
        both = [
            subprocess.Popen([*words, "--only", name], cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE)
            for name in "ab"
        ]
        said = [process.communicate(timeout=60)[1].decode() for process in both]
        lines = [json.loads(line) for line in (baseline / "records.jsonl").read_bytes().splitlines()]
        accepted = [line["id"] for line in lines if line["scores"]["acc"] == 1]
        assert accepted == [name for name, process in zip("ab", both, strict=True) if process.returncode == 0]
        assert all("was changed" in text for text in said if text)
        assert accepted
