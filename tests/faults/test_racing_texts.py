"""Runs with large texts are written while texts that no run names are removed: no text of a run is ever lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.texts import check_texts
from tests.factories import unsynced
from tests.faults.conftest import SOURCE
from tests.faults.racing_texts import RUNS, TEXTS, remove, write

ROUNDS = 20
Race = Callable[[Path, int], tuple[list[str], list[str]]]


@pytest.fixture(scope="module")
def race() -> Iterator[Race]:
    """Send a line to the two writers and to the one who removes; returns what the writers and what that one said."""
    program = Path(__file__).with_name("racing_texts.py")
    processes = [
        subprocess.Popen(
            [sys.executable, program, role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for role in ("write", "write", "remove")
    ]

    def send(folder: Path, number: int) -> tuple[list[str], list[str]]:
        for index, process in enumerate(processes):
            assert process.stdin
            process.stdin.write(f"{folder} {number * 100 + index * RUNS}\n")
        said = [process.stdout.readline().split() for process in processes if process.stdout]
        return [one for words in said[:2] for one in words], said[2]

    yield send
    for process in processes:
        process.communicate(timeout=10)


def test_a_run_that_is_written_while_texts_are_removed_has_all_of_its_texts(tmp_path: Path, race: Race) -> None:
    with unsynced():
        write(tmp_path, 0)
    removed = 0
    for number in range(1, ROUNDS + 1):
        for run in tmp_path.glob("run-*"):
            shutil.rmtree(run)  # from now on nobody names the texts that stand there
        written, did = race(tmp_path, number)
        assert written == [str(RUNS), "0"] * 2, number
        assert len(did) == 2, number
        removed += int(did[0])
        runs = FolderSource(tmp_path).runs()
        assert len(runs) == 2 * RUNS, number
        for name in runs:
            assert check_texts(read_run(tmp_path / name), FolderSource(tmp_path / name)) == TEXTS, number
        assert remove(tmp_path, 0)[1] == 0, number
    assert removed > 0
