"""The three-way merge of manifests: member by member, what was accepted united, what is derived left to each side."""

from __future__ import annotations

import pytest

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.merging import documents, members
from runstore.rebuilding import marks
from runstore.record import JsonObject

BASE: JsonObject = {
    "files": {"records.jsonl": {"lines": 1, "sha256": "0", "size": 1}},
    "format": 1,
    "identity": {"datasets": [], "name": "run", "params": {"model": "a", "k": 1}, "project": "p", "suite": "s"},
    "metrics": {"acc": {"direction": "higher"}},
    "origin": {"accepted": [{"reason": "first"}], "importer": "jsonl"},
    "provenance": {"commit": "a", "dirty": False},
    "run_id": "0",
    "slices": [],
    "status": "completed",
    "tags": {"team": "x"},
}


def edited(pointer: str, value: JsonValue) -> JsonObject:
    """The base with one member set."""
    found = canonical.loads(canonical.encode(BASE))
    assert isinstance(found, dict)
    place = found
    *way, last = pointer.split("/")[1:]
    for name in way:
        inner = place.setdefault(name, {})
        assert isinstance(inner, dict)
        place = inner
    place[last] = value
    return found


def at(document: JsonObject, pointer: str) -> JsonValue:
    value: JsonValue = document
    for name in pointer.split("/")[1:]:
        assert isinstance(value, dict)
        value = value[name]
    return value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("/notes", "why"), ("/tags/team", "y")),
        (("/tags/team", "y"), ("/tags/lang", "de")),
        (("/identity/params/model", "b"), ("/identity/params/k", 2)),
        (("/identity/name", "n"), ("/identity/params/k", 2)),
        (("/metrics/f1", {"direction": "higher"}), ("/metrics/acc", {"direction": "lower"})),
        (("/origin/importer", "csv"), ("/slices", ["lang"])),
    ],
)
def test_members_that_one_side_has_changed_are_taken(one: tuple[str, JsonValue], other: tuple[str, JsonValue]) -> None:
    for ours, theirs in ((one, other), (other, one)):
        merged = members.merge(BASE, edited(*ours), edited(*theirs))
        assert merged.conflicts == ()
        for side in (merged.ours, merged.theirs):
            assert (at(side, one[0]), at(side, other[0])) == (one[1], other[1])
            assert at(side, "/run_id") == canonical.sha256(canonical.encode(at(side, "/identity")))[:32]


@pytest.mark.parametrize(
    ("pointer", "ours", "theirs"),
    [
        ("/notes", "one", "two"),
        ("/identity/params/model", "b", "c"),
        ("/provenance", {"commit": "b"}, {"commit": "a", "dirty": True}),
        ("/metrics/acc", {"direction": "lower"}, {"direction": "higher", "unit": "%"}),
        ("/slices", ["a"], ["b"]),
        ("/origin/accepted", [], "no list"),
    ],
)
def test_a_member_that_both_have_changed_differently_is_told_and_stays_each_sides_own(
    pointer: str, ours: JsonValue, theirs: JsonValue
) -> None:
    merged = members.merge(BASE, edited(pointer, ours), edited(pointer, theirs))
    assert merged.conflicts == (pointer,)
    assert (at(merged.ours, pointer), at(merged.theirs, pointer)) == (ours, theirs)
    same = members.merge(BASE, edited(pointer, ours), edited(pointer, ours))
    assert (same.conflicts, at(same.ours, pointer)) == ((), ours)


def test_a_member_that_one_side_removed_and_the_other_changed_is_a_conflict() -> None:
    without = {name: value for name, value in BASE.items() if name != "provenance"}
    assert members.merge(BASE, without, edited("/provenance", {})).conflicts == ("/provenance",)
    assert "provenance" not in members.merge(BASE, without, edited("/notes", "x")).ours


def test_without_a_common_version_every_difference_is_a_conflict_but_for_what_was_accepted() -> None:
    ours, theirs = edited("/notes", "x"), edited("/origin/accepted", [{"reason": "second"}])
    merged = members.merge(None, ours, theirs)
    assert merged.conflicts == ("/notes",)
    assert at(merged.ours, "/origin/accepted") == [{"reason": "first"}, {"reason": "second"}]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("a", "ab", "ac", "abc"),
        ("", "b", "c", "bc"),
        ("a", "ab", "ab", "ab"),
        ("a", "aab", "aac", "aabc"),
        ("a", "ab", "c", "bc"),
        ("a", "c", "ab", "cb"),
        ("ab", "a", "b", ""),
    ],
)
def test_both_reasons_stay_and_each_acceptance_is_told_once(base: str, ours: str, theirs: str, expected: str) -> None:
    lists: list[list[JsonValue]] = [[{"reason": letter} for letter in text] for text in (base, ours, theirs)]
    assert members.united(*lists) == [{"reason": letter} for letter in expected]


@pytest.mark.parametrize(
    ("ours", "theirs", "marked"),
    [
        (b"a\nb\nc\n", b"a\nx\nc\n", b"a\n<<<<<<< ours\nb\n=======\nx\n>>>>>>> theirs\nc\n"),
        (b"a\n", b"a\nb\n", b"a\n<<<<<<< ours\n=======\nb\n>>>>>>> theirs\n"),
        (b"a\na\n", b"a\n", b"a\n<<<<<<< ours\na\n=======\n>>>>>>> theirs\n"),
        (b"a\n", b"a\n", b"<<<<<<< ours\na\n=======\na\n>>>>>>> theirs\n"),
    ],
)
def test_two_documents_in_conflict_share_the_lines_they_share(ours: bytes, theirs: bytes, marked: bytes) -> None:
    assert documents.in_conflict(ours, theirs) == marked
    assert marks.sides(marked, "m") == (ours, theirs)
