"""What got past the gate when shards were attacked: the same, however many processors look."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runstore import comparison, parallel, shards, verification
from runstore.errors import InvalidRunError
from runstore.policy import Policy
from runstore.store.reader import read_run
from tests.factories import Record, edit_manifest, scored, unsynced, write_run


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARDED_ABOVE", 1024)
    monkeypatch.setattr(shards, "_TARGET_BYTES", 512)
    monkeypatch.setattr(parallel, "_SPREAD_FROM_BYTES", 0)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fail instead of hanging."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def two_runs(folder: Path, records: list[Record]) -> None:
    with unsynced():
        write_run(folder / "baseline", records)
        write_run(folder / "current", records, notes="another")


def contents(run: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(run.glob("records-*.jsonl"))]


def lay(run: Path, parts: list[tuple[str | None, bytes]]) -> None:
    """Put other shards in the place of a run's: (first id, or None for that of its first line, content) of each."""
    for path in run.glob("records-*.jsonl"):
        path.unlink()
    files = {}
    for number, (first, data) in enumerate(parts, start=1):
        name = f"records-{number:04d}.jsonl"
        (run / name).write_bytes(data)
        files[name] = {
            "first": json.loads(data.split(b"\n")[0])["id"] if first is None else first,
            "lines": data.count(b"\n"),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    rest = {"summary.json"}
    edit_manifest(run, lambda m: m.update(files={**{k: v for k, v in m["files"].items() if k in rest}, **files}))


def refused_by(folder: Path, processors: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(parallel, "_processors", lambda: processors)
    try:
        comparison.compare(read_run(folder / "baseline"), read_run(folder / "current"), Policy())
    except InvalidRunError:
        return True
    return False


def refused_in_full(run: Path) -> bool:
    try:
        verification.verify(read_run(run))
    except InvalidRunError:
        return True
    return False


RECORDS: list[Record] = [scored(f"r{number:03d}", 0.5, output="x" * 20) for number in range(100)]


# How the records of a current run are cut into shards says nothing about them, so a comparison does not count and cut
# again; `gate validate` does. Known, and harmless to the verdict.
SEEN_BY_VALIDATE_ONLY = pytest.mark.xfail(reason="compare does not check where equal records are cut")


@SEEN_BY_VALIDATE_ONLY
@pytest.mark.parametrize("processors", [1, 2])
def test_a_current_run_in_which_two_shards_are_one_is_refused(
    tmp_path: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(tmp_path, RECORDS)
    parts = contents(tmp_path / "current")
    lay(tmp_path / "current", [(None, data) for data in [parts[0], parts[1] + parts[2], *parts[3:]]])
    assert refused_in_full(tmp_path / "current")
    assert refused_by(tmp_path, processors, monkeypatch)


@SEEN_BY_VALIDATE_ONLY
@pytest.mark.parametrize("processors", [1, 2])
def test_a_current_run_whose_shards_claim_each_others_lines_is_refused(
    tmp_path: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(tmp_path, RECORDS)

    def swap(manifest: dict[str, dict[str, dict[str, int]]]) -> None:
        manifest["files"]["records-0001.jsonl"]["lines"] += 1
        manifest["files"]["records-0002.jsonl"]["lines"] -= 1

    edit_manifest(tmp_path / "current", swap)
    assert refused_in_full(tmp_path / "current")
    assert refused_by(tmp_path, processors, monkeypatch)


def _starter(prefix: str, bits: int) -> str:
    return next(name for n in range(99_999) if shards.starts_shard((name := f"{prefix}{n}").encode(), bits))


@pytest.mark.parametrize("place", ["middle", "end"])
def test_a_shard_without_records_is_refused(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    two_runs(tmp_path, RECORDS)
    parts: list[tuple[str | None, bytes]] = [(None, data) for data in contents(tmp_path / "current")]
    bits = shards.rank(sum(len(data) for _, data in parts), len(RECORDS))
    assert bits is not None
    at, prefix = (1, "r0500") if place == "middle" else (len(parts), "z")
    lay(tmp_path / "current", [*parts[:at], (_starter(prefix, bits), b""), *parts[at:]])
    assert refused_in_full(tmp_path / "current")
    assert refused_by(tmp_path, 1, monkeypatch)


def test_a_shard_that_begins_between_two_trials_of_one_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _starter("a", 6)
    records = [{**scored(first, 0.5), "repeat": number} for number in (1, 2)]
    two_runs(tmp_path, [*records, *RECORDS])
    parts = contents(tmp_path / "current")
    line, rest = parts[0].split(b"\n", 1)
    lay(tmp_path / "current", [(None, data) for data in [line + b"\n", rest, *parts[1:]]])
    assert refused_in_full(tmp_path / "current")
    assert refused_by(tmp_path, 1, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no workers without fork")
def test_an_error_in_the_first_part_does_not_wait_for_workers_that_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_TARGET_BYTES", 50_000)
    before = [scored(f"r{number:04d}", 0.5, output="x" * 2000) for number in range(600)]
    with unsynced():
        write_run(tmp_path / "baseline", before)
        write_run(tmp_path / "current", [{**record, "scores": {"acc": 0.25}} for record in before])
    parts = contents(tmp_path / "current")
    parts[0] = parts[0].replace(b'"acc":0.25', b'"acc":NaN ', 1)
    lay(tmp_path / "current", [(None, data) for data in parts])
    with at_most(20):
        assert refused_by(tmp_path, 4, monkeypatch)
