"""The join: which lines of two runs it hands out. Its laws, at every boundary, stand in tests/property."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from runstore import pairs
from runstore.errors import InvalidDataError
from runstore.pairs import Join
from runstore.store import reader
from runstore.store.reader import read_run
from tests.factories import Record, passing, replace_bytes, rewrite, scored, write_run


def joined(place: Path, before: list[Record], after: list[Record]) -> Join:
    return Join(read_run(write_run(place / "b", before)), read_run(write_run(place / "c", after)))


def handed_out(join: Join) -> list[tuple[bytes | None, bytes | None]]:
    """Every pair of lines, one by one, with None where a side has none."""
    found: list[tuple[bytes | None, bytes | None]] = []
    for ours, theirs in join:
        assert len(ours) == len(theirs) or sorted((len(ours), len(theirs))) == [0, 1]
        found += itertools.zip_longest(ours, theirs)
    return found


def test_equal_lines_are_not_handed_out(tmp_path: Path) -> None:
    join = joined(tmp_path, passing(1000), passing(1000))
    assert handed_out(join) == []
    assert (join.differing, join.alone) == (0, 0)


@pytest.mark.parametrize(("block", "window", "most"), [(65472, 8192, 64), (1, 1, 1), (13, 40, 2), (200, 7, 3)])
def test_lines_that_differ_are_handed_out_in_pairs_and_those_without_partner_alone(
    tmp_path: Path, block: int, window: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BLOCK_BYTES", block)
    monkeypatch.setattr(pairs, "_WINDOW_BYTES", window)
    monkeypatch.setattr(pairs, "_MOST_AT_ONCE", most)
    before = passing(6)
    after = [
        before[0],
        scored("r001", 0),
        scored("r001a"),
        scored("r002", 0),
        before[4],
        scored("r005", 0),
        scored("s"),
    ]
    join = joined(tmp_path, before, after)
    found = [tuple(line and line.decode() for line in pair) for pair in handed_out(join)]

    def line(name: str, acc: int = 1) -> str:
        return f'{{"id":"{name}","scores":{{"acc":{acc}}}}}'

    assert found == [
        (line("r001"), line("r001", 0)),
        (None, line("r001a")),
        (line("r002"), line("r002", 0)),
        (line("r003"), None),
        (line("r005"), line("r005", 0)),
        (None, line("s")),
    ]
    assert (join.differing, join.alone, join.last.decode()) == (4, 2, line("s"))


@pytest.mark.parametrize("sides", [(0, 3), (3, 0), (0, 0)])
def test_an_empty_side_leaves_the_other_alone(tmp_path: Path, sides: tuple[int, int]) -> None:
    join = joined(tmp_path, passing(sides[0]), passing(sides[1]))
    assert len(handed_out(join)) == max(sides)
    assert (join.differing, join.alone) == sides


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"r003"', b'"r001"', "not sorted: 'r001' stands after 'r002'"),
        (b'"r003"', b'"r002"', "the key 'r002' stands twice"),
        (b'{"id":"r003"', b'{"ID":"r003"', "must start with"),
        (b'{"id":"r003"', b'["id","r003"', "must start with"),
    ],
)
def test_a_current_line_that_stands_alone_must_come_after_the_one_before(
    tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    before = read_run(write_run(tmp_path / "b", passing(3)))
    run = write_run(tmp_path / "c", passing(5))
    replace_bytes(run, old, new)
    with pytest.raises(InvalidDataError, match=message) as refused:
        handed_out(Join(before, read_run(run)))
    assert refused.value.where.startswith(f"{run}/records.jsonl:4")


def test_a_current_run_in_reverse_is_refused(tmp_path: Path) -> None:
    before = read_run(write_run(tmp_path / "b", passing(5)))
    run = write_run(tmp_path / "c", passing(5))
    rewrite(run, "records.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[::-1]))
    with pytest.raises(InvalidDataError, match="not sorted"):
        handed_out(Join(before, read_run(run)))


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    run = read_run(write_run(tmp_path / "b", passing(3)))
    list(Join(run, run, progress=told.append))
    assert sum(told) > 0
