"""Spreading a join: how parts are cut, and what a worker may do. That parts give what the whole gives is a law."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from runstore import parallel, shards
from runstore.change import ChangeClass
from runstore.changes import Lens
from runstore.errors import InvalidDataError, StorageError
from runstore.store.reader import Run, read_run
from tests.factories import SHARE, Record, replace_bytes, scored, write_run


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARDED_ABOVE", 1000)
    monkeypatch.setattr(shards, "_TARGET_BYTES", 300)
    monkeypatch.setattr(parallel, "_SPREAD_FROM_BYTES", 0)


def records(count: int = 200, acc: int = 1) -> list[Record]:
    return [scored(f"r{number:03d}", acc) for number in range(count)]


def runs(place: Path, after: list[Record]) -> tuple[Run, Run]:
    return read_run(write_run(place / "b", records())), read_run(write_run(place / "c", after))


def lens(run: Run) -> Lens:
    return Lens(declared={"acc": SHARE}, ranges=run.manifest.ranges)


@pytest.mark.parametrize("wanted", [1, 2, 3, 5, 1000])
def test_parts_cover_every_shard_of_both_sides_once_in_order(tmp_path: Path, wanted: int) -> None:
    baseline, current = runs(tmp_path, records(acc=0)[20:])
    parts = parallel.split(baseline, current, wanted)
    assert [path for part in parts for path in part.baseline] == baseline.record_files
    assert [path for part in parts for path in part.current] == current.record_files
    assert 1 <= len(parts) <= wanted
    assert len(parts) == wanted or wanted == 1000
    for part in parts[1:]:
        firsts = {
            run.manifest.files[files[0]].first for run, files in ((baseline, part.baseline), (current, part.current))
        }
        assert firsts == {part.first}


def test_every_part_is_counted(tmp_path: Path) -> None:
    after = [*records(acc=0)[:100], *records()[100:190], scored("s")]
    baseline, current = runs(tmp_path, after)
    for processors in (1, 2, 3, 7):
        found, equal = parallel.differences(baseline, current, lens(current), processors=processors)
        counts = {kind.value: number for kind, number in found.counts.items()}
        assert counts == {"regressed": 100, "removed": 10, "added": 1, "improved": 0, "changed": 0}
        assert equal == 90
        assert [change.key[0].decode() for change in found.kept[ChangeClass.REMOVED].sorted()] == [
            f"r{number}" for number in range(190, 200)
        ]


def test_what_a_worker_refuses_is_refused_with_its_place(tmp_path: Path) -> None:
    write_run(tmp_path / "b", records())
    place = write_run(tmp_path / "c", records(acc=0))
    last = read_run(place).record_files[-1]
    line = (place / last).read_bytes().splitlines()[-1]
    replace_bytes(place, line, line.replace(b":0}", b":9}"), last)
    baseline, current = read_run(tmp_path / "b"), read_run(place)
    for processors in (1, 3):
        with pytest.raises(InvalidDataError, match="outside the declared range") as refused:
            parallel.differences(baseline, current, lens(current), processors=processors)
        assert f"{place}/{last}:" in refused.value.where
        assert refused.value.where.endswith("/scores/acc")


def test_of_several_lines_that_are_refused_the_first_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "b", records())
    place = write_run(tmp_path / "c", records(acc=0))
    files = read_run(place).record_files
    for file in files[1:]:
        line = (place / file).read_bytes().splitlines()[-1]
        replace_bytes(place, line, line.replace(b":0}", b":9}"), file)
    baseline, current = read_run(tmp_path / "b"), read_run(place)
    for processors in (1, *[3] * 20):
        with pytest.raises(InvalidDataError, match="outside the declared range") as refused:
            parallel.differences(baseline, current, lens(current), processors=processors)
        assert f"{place}/{files[1]}:" in refused.value.where


def test_each_part_is_taken_once_and_none_after_an_error(tmp_path: Path) -> None:
    queue = parallel._Queue(5)
    first, second = queue.take(), queue.take()
    assert [next(first), next(second), next(first)] == [0, 1, 2]
    assert [*first, *second] == [3, 4]
    queue.close()
    write_run(tmp_path / "b", records())
    place = write_run(tmp_path / "c", records(acc=0))
    file = read_run(place).record_files[0]
    line = (place / file).read_bytes().splitlines()[0]
    replace_bytes(place, line, line.replace(b":0}", b":9}"), file)
    baseline, current = read_run(tmp_path / "b"), read_run(place)
    parts = parallel.split(baseline, current, 4)
    queue = parallel._Queue(len(parts))
    share = parallel._join(baseline, current, lens(current), parts, queue)
    assert (share.seen, share.error and share.error[0], list(queue.take())) == ({}, 0, [])
    queue.close()


def test_the_most_parts_there_can_be_wait_for_nobody() -> None:
    queue = parallel._Queue(parallel._MOST_PARTS)  # it would block here if they did not fit
    assert list(queue.take()) == list(range(parallel._MOST_PARTS))
    queue.close()


@pytest.mark.parametrize("twin", [True, False])
def test_parts_that_do_not_come_one_after_the_other_are_refused(tmp_path: Path, twin: bool) -> None:
    """Each part is in order by itself; only together are they not."""
    write_run(tmp_path / "b", records())
    place = write_run(tmp_path / "c", records(acc=0))
    baseline, current = read_run(tmp_path / "b"), read_run(place)
    cut = parallel.split(baseline, current, 2)[1]
    before = current.record_files[current.record_files.index(cut.current[0]) - 1]
    last = (place / before).read_bytes().splitlines()[-1]
    new = b'"%s"' % (cut.first or "").encode() if twin else b'"r9z"'
    replace_bytes(place, last, re.sub(rb'"r[0-9]+"', new, last), before)
    for processors in (1, 2, 3):
        with pytest.raises(InvalidDataError, match=r"starts before|not sorted|stands twice"):
            parallel.differences(baseline, read_run(place), lens(current), processors=processors)


def test_a_worker_that_was_killed_is_a_failure_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baseline, current = runs(tmp_path, records(acc=0))
    monkeypatch.setattr(parallel, "_work", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(StorageError, match="a worker process was killed"):
        parallel.differences(baseline, current, lens(current), processors=2)


def test_a_bug_in_a_worker_is_not_taken_for_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baseline, current = runs(tmp_path, records(acc=0))
    joined = parallel._join
    parent = os.getpid()

    def fails(*given: object) -> object:
        if os.getpid() != parent:
            raise KeyError("oops")
        return joined(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(parallel, "_join", fails)
    with pytest.raises(RuntimeError, match="KeyError in a worker"):
        parallel.differences(baseline, current, lens(current), processors=2)


def open_files() -> int:
    """How many files this process has open, where the system tells."""
    told = Path("/proc/self/fd")
    return len(list(told.iterdir())) if told.is_dir() else 0


def test_no_process_and_no_file_is_left_behind(tmp_path: Path) -> None:
    baseline, current = runs(tmp_path, records(acc=0))
    before = open_files()
    for _ in range(3):
        parallel.differences(baseline, current, lens(current), processors=3)
    assert open_files() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
