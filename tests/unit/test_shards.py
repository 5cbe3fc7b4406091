"""Shards: where records are cut depends on the ids alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from runstore import shards
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.store.reader import read_run
from runstore.verification import verify
from tests.factories import edit_manifest, files_of, scored, write_run

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("total", "records", "bits"),
    [
        (0, 0, None),
        (32 * MIB, 1000, None),
        (32 * MIB + 1, 1, 0),
        (33 * MIB, 1, 0),
        (33 * MIB, 8, 0),
        (64 * MIB, 8, 0),
        (64 * MIB, 16, 1),
        (64 * MIB, 31, 1),
        (64 * MIB, 32, 2),
        (1024 * MIB, 1024 * 1024, 13),
    ],
)
def test_the_rank_is_the_largest_that_keeps_a_mean_shard_within_8_mib(
    total: int, records: int, bits: int | None
) -> None:
    assert shards.rank(total, records) == bits


def test_an_id_starts_a_shard_when_its_digest_begins_with_zero_bits() -> None:
    ids = [f"r{number}".encode() for number in range(2000)]
    for bits in (0, 1, 5, 9):
        zeros = [bin(int(hashlib.sha256(name).hexdigest(), 16))[2:].zfill(256).startswith("0" * bits) for name in ids]
        assert [shards.starts_shard(name, bits) for name in ids] == zeros


def test_shards_are_numbered_with_four_digits_up_to_9999() -> None:
    assert [shards.name(number) for number in (1, 12, 9999)] == [
        "records-0001.jsonl",
        "records-0012.jsonl",
        "records-9999.jsonl",
    ]
    with pytest.raises(InvalidRunError, match="more than 9999 shards"):
        shards.name(10_000)


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (["summary.json", "records.jsonl"], ["records.jsonl"]),
        (["records-0002.jsonl", "records-0001.jsonl", "series.jsonl"], ["records-0001.jsonl", "records-0002.jsonl"]),
    ],
)
def test_the_files_of_records_come_in_order(listed: list[str], found: list[str]) -> None:
    assert shards.record_files(listed) == found


@pytest.mark.parametrize(
    "listed",
    [
        [],
        ["summary.json"],
        ["records.jsonl", "records-0001.jsonl"],
        ["records-0002.jsonl"],
        ["records-0001.jsonl", "records-0003.jsonl"],
        ["records-1.jsonl"],
        ["records-0001.jsonl.gz"],
    ],
)
def test_a_gap_or_a_mixture_is_refused(listed: list[str]) -> None:
    with pytest.raises(InvalidRunError):
        shards.record_files(listed)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARDED_ABOVE", 2000)
    monkeypatch.setattr(shards, "_TARGET_BYTES", 500)


@pytest.fixture
def sharded(small_shards: None, tmp_path: Path) -> Path:
    run = write_run(tmp_path / "run", [scored(f"r{number:03d}") for number in range(120)])
    assert len(read_run(run).record_files) > 5
    return run


def test_a_sharded_run_is_verified(sharded: Path) -> None:
    verify(read_run(sharded))
    manifest = json.loads((sharded / "manifest.json").read_bytes())
    for path in read_run(sharded).record_files:
        first = json.loads((sharded / path).read_bytes().split(b"\n")[0])["id"]
        assert manifest["files"][path]["first"] == first


def test_an_insertion_touches_one_shard(small_shards: None, tmp_path: Path) -> None:
    records = [scored(f"r{number:03d}") for number in range(120)]
    before = files_of(write_run(tmp_path / "before", records))
    after = files_of(write_run(tmp_path / "after", [*records, scored("r050x")]))
    assert before.keys() == after.keys()
    changed = [path for path in before if before[path] != after[path]]
    assert len([path for path in changed if path.startswith("records-")]) == 1


def test_trials_of_one_id_stand_in_one_shard(small_shards: None, tmp_path: Path) -> None:
    records = [{"id": f"r{number:03d}", "repeat": trial} for number in range(30) for trial in range(1, 6)]
    run = write_run(tmp_path / "run", records, {})
    verify(read_run(run))
    homes: dict[str, set[str]] = {}
    for path in read_run(run).record_files:
        for line in (run / path).read_bytes().splitlines():
            homes.setdefault(json.loads(line)["id"], set()).add(path)
    assert {len(files) for files in homes.values()} == {1}


def move_a_line(run: Path, records: tuple[str, str]) -> None:
    """Put the last line of one shard at the start of the next, and list both anew."""
    one, two = (run / path for path in records)
    *rest, last = one.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join(rest))
    two.write_bytes(last + two.read_bytes())

    def edit(manifest: dict[str, dict[str, dict[str, object]]]) -> None:
        for path in (one, two):
            data = path.read_bytes()
            manifest["files"][path.name].update(
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
                lines=data.count(b"\n"),
                first=json.loads(data.split(b"\n")[0])["id"],
            )

    edit_manifest(run, edit)


def test_a_shard_cut_at_another_place_is_refused(sharded: Path) -> None:
    files = read_run(sharded).record_files
    move_a_line(sharded, (files[1], files[2]))
    with pytest.raises(InvalidDataError, match="starts no shard"):
        read_run(sharded)


def test_two_shards_joined_into_one_are_refused(sharded: Path) -> None:
    files = read_run(sharded).record_files
    last, before = sharded / files[-1], sharded / files[-2]
    before.write_bytes(before.read_bytes() + last.read_bytes())
    last.unlink()

    def edit(manifest: dict[str, dict[str, dict[str, object]]]) -> None:
        del manifest["files"][last.name]
        data = before.read_bytes()
        manifest["files"][before.name].update(
            sha256=hashlib.sha256(data).hexdigest(), size=len(data), lines=data.count(b"\n")
        )

    edit_manifest(sharded, edit)
    with pytest.raises(InvalidDataError, match="has to start a shard"):
        verify(read_run(sharded))


def test_a_first_id_that_is_not_first_is_refused(sharded: Path) -> None:
    files = read_run(sharded).record_files
    edit_manifest(sharded, lambda manifest: manifest["files"][files[0]].update(first="r"))
    with pytest.raises(InvalidDataError, match="does not start with the id"):
        verify(read_run(sharded))


def test_a_large_run_in_one_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", [scored(f"r{number:03d}") for number in range(120)])
    monkeypatch.setattr(shards, "SHARDED_ABOVE", 2000)
    with pytest.raises(InvalidDataError, match="more than 32 MiB"):
        read_run(run)
