"""The past of a record: its line is found in any file cut into any blocks, and its changes are those that were made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical
from runstore.errors import InvalidDataError
from runstore.git.log import Commit
from runstore.history import ancestry, record_lines
from runstore.history.ancestry import Standing, Step
from runstore.history.states import Gap
from runstore.manifest import FileEntry

IDS = st.sampled_from(["a", "aa", "b", '"', "\\", "\n", 'a","x', "é", "\U0001f600", '{"id":"a"'])
FIELDS = st.dictionaries(st.sampled_from(["input", "output"]), st.sampled_from(["", '\n{"id":"a"', "{}", "x" * 40]))


def lines_of(records: Sequence[Mapping[str, object]]) -> bytes:
    return b"".join(canonical.encode(record) + b"\n" for record in records)


@given(
    found=st.dictionaries(st.tuples(IDS, st.integers(1, 3)), FIELDS, max_size=8),
    wanted=IDS,
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20),
)
def test_the_lines_of_a_record_are_found_in_any_blocks(
    found: dict[tuple[str, int], dict[str, str]], wanted: str, sizes: list[int]
) -> None:
    records = [{"id": name, "repeat": repeat, **fields} for (name, repeat), fields in sorted(found.items())]
    data = lines_of(records)
    expected = {repeat: canonical.encode({"id": name, "repeat": repeat, **fields})
                for (name, repeat), fields in found.items() if name == wanted}  # fmt: skip
    assert record_lines.find(blocks(data, sizes), hashlib.sha256(data).hexdigest(), wanted) == expected


def blocks(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = index = 0
    while at < len(data):
        size = sizes[index % len(sizes)]
        yield data[at : at + size]
        at, index = at + size, index + 1


def test_a_file_with_another_digest_is_refused() -> None:
    with pytest.raises(InvalidDataError, match="digest"):
        record_lines.find([b'{"id":"a"}\n'], "0" * 64, "a")


def test_a_record_that_stands_there_twice_is_refused() -> None:
    data = b'{"id":"a"}\n' * 2
    with pytest.raises(InvalidDataError, match="twice"):
        record_lines.find([data], hashlib.sha256(data).hexdigest(), "a")


@pytest.mark.parametrize(
    ("name", "file"), [("", 1), ("a", 1), ("m", 2), ("mm", 2), ("é", 3), ("\U0001f600", 4), ("z", 2)]
)
def test_a_record_stands_in_the_last_shard_that_does_not_start_after_it(name: str, file: int) -> None:
    firsts = ["a", "m", "é", "\U0001f600"]
    names = [f"records-{number:04d}.jsonl" for number in range(1, 5)]
    files = {
        place: FileEntry(sha256="", size=0, lines=0, first=first) for place, first in zip(names, firsts, strict=True)
    }
    assert record_lines.file_of(files, names, name) == names[file - 1]


def commit(number: int, *parents: int) -> Commit:
    return Commit(oid=f"{number}", parents=tuple(map(str, parents)), seconds=number, author="", subject="")


def line(**scores: float) -> bytes:
    return canonical.encode({"id": "a", "scores": dict(scores)})


def walked(
    found: Mapping[int, tuple[Standing, tuple[int, ...]]], cuts: frozenset[str] = frozenset()
) -> list[tuple[str, str]]:
    steps = told(found, cuts)
    return [(step.commit.oid, step.kind) for step in steps]


def told(found: Mapping[int, tuple[Standing, tuple[int, ...]]], cuts: frozenset[str] = frozenset()) -> list[Step]:
    """The changes of a record over commits by number, the newest with the largest."""
    commits = [commit(number, *found[number][1]) for number in sorted(found, reverse=True)]
    return ancestry.steps(commits, lambda one: found[int(one.oid)][0], cuts)


BAD = Gap(kind="invalid", message="bad")
LOST = Gap(kind="lost", message="lost")


@pytest.mark.parametrize(
    ("found", "changes"),
    [
        ({1: (line(x=1), ())}, [("1", "added")]),
        ({1: (None, ())}, []),
        ({1: (BAD, ())}, [("1", "unreadable")]),
        ({1: (line(x=1), ()), 2: (line(x=1), (1,))}, [("1", "added")]),
        ({1: (None, ()), 2: (line(x=1), (1,)), 3: (None, (2,))}, [("3", "removed"), ("2", "added")]),
        ({1: (line(x=1), ()), 2: (BAD, (1,)), 3: (line(x=1), (2,))},
         [("3", "changed"), ("2", "unreadable"), ("1", "added")]),
        ({1: (line(x=1), ()), 2: (BAD, (1,)), 3: (None, (2,))},
         [("3", "removed"), ("2", "unreadable"), ("1", "added")]),
        ({1: (b'{"id":"a", }', ()), 2: (line(x=1), (1,))}, [("2", "changed"), ("1", "unreadable")]),
        # A merge: taken from the second parent, from the first, from both, from none.
        ({1: (line(x=0), ()), 2: (line(x=0), (1,)), 3: (line(x=1), (1,)), 4: (line(x=1), (2, 3))},
         [("3", "changed"), ("1", "added")]),
        ({1: (line(x=0), ()), 2: (line(x=1), (1,)), 3: (line(x=0), (1,)), 4: (line(x=1), (2, 3))},
         [("2", "changed"), ("1", "added")]),
        ({1: (line(x=0), ()), 2: (line(x=1), (1,)), 3: (line(x=1), (1,)), 4: (line(x=1), (2, 3))},
         [("2", "changed"), ("1", "added")]),
        ({1: (line(x=0), ()), 2: (line(x=1), (1,)), 3: (line(x=2), (1,)), 4: (line(x=3), (2, 3))},
         [("4", "changed"), ("2", "changed"), ("1", "added")]),
        # What is not in the clone ends it.
        ({1: (LOST, ()), 2: (line(x=1), (1,)), 3: (line(x=1), (2,))}, [("2", "changed")]),
    ],
)  # fmt: skip
def test_the_changes_of_a_record(
    found: Mapping[int, tuple[Standing, tuple[int, ...]]], changes: list[tuple[str, str]]
) -> None:
    assert walked(found) == changes


STANDINGS = st.one_of(st.none(), st.just(BAD), st.builds(lambda x: line(x=x), st.integers(0, 2)))


@given(st.lists(STANDINGS, min_size=1, max_size=12))
def test_on_a_line_of_commits_every_commit_that_differs_from_the_one_before_is_told(found: list[Standing]) -> None:
    history = {number: (standing, (number - 1,) if number else ()) for number, standing in enumerate(found)}
    before = [None, *found]
    differs = [number for number, standing in enumerate(found) if standing != before[number]]
    assert [int(oid) for oid, _ in walked(history)] == differs[::-1]


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2)), min_size=1, max_size=10))
def test_a_score_has_its_value_since_the_last_commit_that_changed_it(found: list[dict[str, int]]) -> None:
    history: dict[int, tuple[Standing, tuple[int, ...]]] = {
        number: (line(**scores), (number - 1,) if number else ()) for number, scores in enumerate(found)
    }
    now = record_lines.parsed(line(**found[-1]))
    for one in ancestry.since(told(history), now):
        at = int(one.commit.oid)
        assert all(scores.get(one.metric) == one.value for scores in found[at:])
        assert at == 0 or found[at - 1].get(one.metric) != one.value
    assert [one.metric for one in ancestry.since(told(history), now)] == sorted(found[-1])


def test_the_first_commit_of_a_history_that_is_cut_says_so() -> None:
    history: dict[int, tuple[Standing, tuple[int, ...]]] = {1: (line(x=1), ()), 2: (line(x=2), (1,))}
    assert [step.is_cut for step in told(history, frozenset({"1"}))] == [False, True]
    assert [step.is_cut for step in told({1: (LOST, ()), 2: (line(x=1), (1,))})] == [True]


def test_what_else_changed_is_named_by_its_place() -> None:
    old = canonical.encode({"id": "a", "output": "x", "status": "ok", "tags": {"lang": "de"}})
    new = canonical.encode({"id": "a", "output": "y", "status": "error", "tags": {"lang": "fr"}})
    (step, _) = told({1: (old, ()), 2: (new, (1,))})
    assert (step.others, step.status, step.scores) == (["/output", "/tags/lang"], ("ok", "error"), [])
