"""What lost a large text, or made a check of runs with large texts weaker: each test is one way."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runstore import comparison
from runstore.accepting import acceptance
from runstore.accepting.acceptance import Acceptance, Side
from runstore.accepting.selection import Selection, Sieve
from runstore.errors import InvalidRunError
from runstore.policy import Policy
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from tests.factories import ACC, Record, scored, unsynced
from tests.repositories import gate

LONG = "a long answer " * 60
NEEDED = {"own", "shared"}


def write(place: Path, *outputs: str, acc: int = 1) -> Path:
    with RunWriter(place, metrics=ACC, large_text=512, replace=True) as run:
        for output in outputs:
            run.append(scored(output, acc, output=f"{output} {LONG}"))
    return place


def left(folder: Path) -> set[str]:
    return {path.read_text().split()[0] for path in folder.rglob(".texts/*/*.txt")}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Two runs, and a text that none of them names any more."""
    with unsynced():
        write(tmp_path / "runs/old", "gone", "shared")
        write(tmp_path / "runs/old", "shared")
        write(tmp_path / "runs/new", "shared", "own")
        yield tmp_path


# The two barriers of gc: each alone keeps everything.


def test_while_somebody_holds_the_texts_nothing_goes_though_nothing_is_being_built(folder: Path) -> None:
    held = os.open(folder / "runs/.texts", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    done = gate(folder, "gc", "runs")
    assert (done.code, "a run is being written here" in done.err) == (2, True)
    assert left(folder) == {"gone", *NEEDED}
    os.close(held)
    assert gate(folder, "gc", "runs").code == 0
    assert left(folder) == NEEDED


def test_beside_what_a_killed_writer_has_left_nothing_goes_though_nobody_holds_the_texts(folder: Path) -> None:
    hidden = folder / "runs/.new.tmp-abc123"
    hidden.mkdir()
    alone = os.open(folder / "runs/.texts", os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody else holds them
    os.close(alone)
    done = gate(folder, "gc", "runs")
    assert (done.code, "its writer was killed" in done.err) == (2, True)
    assert left(folder) == {"gone", *NEEDED}
    hidden.rmdir()
    assert gate(folder, "gc", "runs").code == 0
    assert left(folder) == NEEDED


def test_a_writer_relies_on_a_text_that_nobody_names_and_gc_waits_for_it(folder: Path) -> None:
    with RunWriter(folder / "runs/next", metrics=ACC, large_text=512) as run:
        run.append(scored("a", output=f"gone {LONG}"))
        assert gate(folder, "gc", "runs").code == 2
    assert gate(folder, "gc", "runs").code == 0
    assert left(folder) == {"gone", *NEEDED}
    assert gate(folder, "validate", "runs").code == 0


def test_the_texts_of_a_hidden_run_stay(folder: Path) -> None:
    write(folder / "runs/new", "shared")
    write(folder / "runs/.kept", "own")
    assert gate(folder, "gc", "runs").code == 0
    assert left(folder) == NEEDED
    (folder / "runs/.kept/records.jsonl").write_bytes(b"damaged\n")
    shutil.rmtree(folder / "runs/new")
    assert gate(folder, "gc", "runs").code == 3
    assert left(folder) == NEEDED


def test_a_text_that_stood_there_already_is_flushed_before_a_run_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    write(folder / "runs/next", "own")
    texts = [path for path in flushed if path.suffix == ".txt"]
    assert [path.read_text().split()[0] for path in texts] == ["own"]


# The self-test, and accepting in part.


def test_the_self_test_damages_records_whose_reason_is_a_large_text(tmp_path: Path) -> None:
    records: list[Record] = [
        scored(f"q{number:02}", number % 2, reason={"message": LONG, "type": "why"}) for number in range(12)
    ]
    for name, limit in (("small", None), ("large", 512)):
        with RunWriter(tmp_path / name, metrics=ACC, large_text=limit) as run:
            for record in records:
                run.append(record)
    small, large = (gate(tmp_path, "selftest", name) for name in ("small", "large"))
    assert "could not be made" not in large.text
    assert large.out.replace("large", "small") == small.out


def side(place: Path, *outputs: str, acc: int) -> Side:
    write(place, *outputs, acc=acc)
    return Side(run=read_run(place), folder=place)


def test_a_run_that_was_rewritten_whole_after_it_was_judged_is_not_accepted_in_part(folder: Path) -> None:
    baseline, current = side(folder / "b/run", "x", "y", acc=0), side(folder / "c/run", "x", "y", acc=1)
    judged = comparison.compare(baseline.run, current.run, Policy())
    plan = acceptance.plan(baseline, current, judged, Sieve(Selection(only=("x",))), "why")
    assert isinstance(plan, Acceptance)
    other = write(folder / "other/run", "x", "y", acc=0)  # of the same ids and sizes, and sound by itself
    text = (other / "records.jsonl").read_bytes().replace(b'"acc":0', b'"acc":1', 1)
    shutil.rmtree(folder / "c/run")
    write(folder / "c/run", "x", "y", acc=0)
    assert len(text) == (folder / "c/run/records.jsonl").stat().st_size
    with pytest.raises(InvalidRunError, match="was changed"):
        acceptance.build(plan, folder / "made/run", "baseline")
