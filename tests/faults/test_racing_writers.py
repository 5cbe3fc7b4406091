"""Many processes write one run at once: exactly one wins, and what it wrote is whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runstore.errors import InvalidRunError
from runstore.store.reader import Run, read_run
from runstore.verification import verify

WRITERS, ROUNDS, RECORDS = 8, 20, 20
ONE_WINS = ["exists"] * (WRITERS - 1) + ["won"]

Race = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def race() -> Iterator[Race]:
    """Send one line to every writer at once; returns what they answered, sorted."""
    program = Path(__file__).with_name("racing_writer.py")
    writers = [
        subprocess.Popen(
            [sys.executable, program, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for number in range(WRITERS)
    ]

    def send(line: str) -> list[str]:
        for writer in writers:
            assert writer.stdin
            writer.stdin.write(f"{line}\n")
        return sorted(writer.stdout.readline().strip() for writer in writers if writer.stdout)

    yield send
    for writer in writers:
        writer.communicate(timeout=10)


def verified(place: Path) -> Run:
    run = read_run(place)
    verify(run)
    return run


def of_one_writer(run: Run) -> bool:
    tag = f'"tags":{{"writer":"{run.manifest.tags["writer"]}"}}'.encode()
    lines = [line for batch in run.batches() for line in batch.lines]
    return len(lines) == RECORDS and all(tag in line for line in lines)


@pytest.mark.parametrize("stands", ["nothing", "an empty folder"])
def test_of_eight_writers_of_one_run_exactly_one_wins(tmp_path: Path, race: Race, stands: str) -> None:
    for number in range(ROUNDS):
        place = tmp_path / str(number) / "run"
        if stands == "an empty folder":
            place.mkdir(parents=True)
        assert race(str(place)) == ONE_WINS, number
        assert of_one_writer(verified(place)), number
        assert list(place.parent.iterdir()) == [place], number


def test_eight_writers_that_may_replace_all_succeed_and_one_whole_run_is_left(tmp_path: Path, race: Race) -> None:
    place = tmp_path / "run"
    for number in range(ROUNDS):
        assert race(f"{place} replace") == ["won"] * WRITERS, number
        assert of_one_writer(verified(place)), number
        assert list(tmp_path.iterdir()) == [place], number


def test_a_run_that_is_replaced_while_it_is_read_is_refused_and_never_mixed(tmp_path: Path, race: Race) -> None:
    place = tmp_path / "run"
    race(f"{place} replace")
    opened = read_run(place)
    while read_run(place).digest == opened.digest:
        race(f"{place} replace")
    with pytest.raises(InvalidRunError, match=r"records\.jsonl: is not the file that the manifest lists"):
        verify(opened)
