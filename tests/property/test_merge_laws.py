"""Laws of merging: a side that changed nothing has no say, the sides are equal, nothing one side changed is lost.

And of merges without a driver: what git merges line by line is the same, or in conflict, or refused by `gate rebuild`.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidRunError
from runstore.loose import LooseRun
from runstore.merging import lines
from runstore.merging.documents import in_conflict
from runstore.merging.lines import RECORDS, SERIES, Conflict, Form, Key
from runstore.merging.members import united
from runstore.rebuilding.lines import check_lines
from runstore.rebuilding.marks import sides
from tests.factories import unsynced, write_run

NAMES = ["a", "b", "b*", "c", 'd"', "é", "e", "zz", "\uffff", "😀"]
File = dict[tuple[str, int], float]
"""Name and repeat, or step, of a line → its score, or value."""

contents: st.SearchStrategy[File] = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.integers(1, 3)), st.sampled_from([0, 0.5, 1]), max_size=12
)


@st.composite
def edits(draw: st.DrawFn, base: File) -> File:
    """A version that changes, removes and adds some lines."""
    found = dict(base)
    for key in draw(st.lists(st.sampled_from(sorted(base)), max_size=4)) if base else ():
        if draw(st.booleans()):
            found[key] = draw(st.sampled_from([0, 0.5, 1]))
        else:
            found.pop(key, None)
    return {**found, **draw(st.dictionaries(*KEYS, max_size=3))}


KEYS = (st.tuples(st.sampled_from(NAMES), st.integers(1, 3)), st.sampled_from([0, 0.5, 1]))


@st.composite
def versions(draw: st.DrawFn) -> tuple[File, File, File]:
    base = draw(contents)
    return base, draw(edits(base)), draw(edits(base))


Three = tuple[File, File, File]
Written = Callable[[File], bytes]


def records(file: File) -> bytes:
    rows = [{"id": name, "repeat": repeat, "scores": {"acc": score}} for (name, repeat), score in file.items()]
    return sealed(map(canonical.encode, rows), RECORDS)


def points(file: File) -> bytes:
    rows = [{"name": name, "step": step, "value": value} for (name, step), value in file.items()]
    return sealed(map(canonical.encode, rows), SERIES)


def sealed(found: Iterable[bytes], form: Form) -> bytes:
    return b"".join(line + b"\n" for line in sorted(found, key=form.key))


FORMS = pytest.mark.parametrize(("written", "form"), [(records, RECORDS), (points, SERIES)], ids=["records", "series"])


def keyed(data: bytes, form: Form) -> dict[Key, bytes]:
    return {form.key(line): line for line in data.split(b"\n")[:-1]}


@FORMS
@given(versions())
def test_a_side_that_changed_nothing_has_no_say(written: Written, form: Form, three: Three) -> None:
    base, ours, _ = map(written, three)
    for one, other in ((ours, base), (base, ours), (ours, ours)):
        merged = lines.merge(base, one, other, form)
        assert (merged.conflicts, merged.text()) == ([], ours)


@FORMS
@given(versions())
def test_the_sides_are_equal_but_for_where_they_stand_between_the_marks(
    written: Written, form: Form, three: Three
) -> None:
    base, ours, theirs = map(written, three)
    turned = tuple(
        Conflict(key=part.key, ours=part.theirs, theirs=part.ours) if isinstance(part, Conflict) else part
        for part in lines.merge(base, theirs, ours, form).parts
    )
    assert lines.merge(base, ours, theirs, form).parts == turned


@FORMS
@given(versions())
def test_nothing_that_one_side_alone_has_changed_is_lost_and_the_keys_are_in_order(
    written: Written, form: Form, three: Three
) -> None:
    first, second, third = map(written, three)
    base, ours, theirs = (keyed(one, form) for one in (first, second, third))
    merged = lines.merge(first, second, third, form)
    conflicts = {part.key for part in merged.conflicts}
    kept = {form.key(part): part for part in merged.parts if isinstance(part, bytes)}
    assert [*kept] == sorted(kept)
    for key in {**base, **ours, **theirs}:
        before, one, other = base.get(key), ours.get(key), theirs.get(key)
        if before == other or one == other:
            assert kept.get(key) == one
        elif before == one:
            assert kept.get(key) == other
        else:
            assert key in conflicts
            assert key not in kept
    found = sides(merged.text(), "m")
    assert (found is None) == (not conflicts)
    for side, whole in zip(found or (), (ours, theirs), strict=False):
        assert {key: line for key, line in keyed(side, form).items() if key in conflicts} == {
            key: whole[key] for key in conflicts if key in whole
        }


@st.composite
def versions_apart(draw: st.DrawFn) -> Three:
    """Versions of a long file in which each side edits two places, so that git often merges them."""
    keys = st.tuples(st.sampled_from(NAMES), st.integers(1, 9))
    base: File = draw(st.dictionaries(keys, st.just(0), min_size=25, max_size=40))
    made: list[File] = []
    for _ in range(2):
        side: File = dict(base)
        for key in draw(st.lists(st.sampled_from(sorted(base)), min_size=1, max_size=2)):
            side[key] = draw(st.sampled_from([0.5, 1, 1]))
        for key in draw(st.lists(keys, max_size=1)):
            if side.pop(key, None) is None:
                side[key] = draw(st.sampled_from([0.5, 1, 1]))
        made.append(side)
    return base, made[0], made[1]


@given(versions())
def test_what_git_merges_line_by_line_is_the_same_or_in_conflict_or_refused(three: Three) -> None:
    check_plain_merge(three)


@given(versions_apart())
def test_what_git_merges_line_by_line_in_a_long_file_is_the_same_or_in_conflict_or_refused(three: Three) -> None:
    check_plain_merge(three)


def check_plain_merge(three: Three) -> None:
    base, ours, theirs = map(records, three)
    merged = lines.merge(base, ours, theirs, RECORDS)
    with tempfile.TemporaryDirectory() as name, unsynced():
        folder = Path(name)
        for side, data in (("base", base), ("ours", ours), ("theirs", theirs)):
            (folder / side).write_bytes(data)
        done = subprocess.run(
            ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=folder, capture_output=True, check=False
        )
        run = write_run(folder / "run", [{"id": "a", "scores": {"acc": 1}}])
        (run / "records.jsonl").write_bytes(done.stdout)
        try:
            check_lines(LooseRun(run, "run"))
        except InvalidRunError:
            return  # a person has to look
        assert done.returncode == 0
        assert (merged.conflicts, merged.text()) == ([], done.stdout)


entries: st.SearchStrategy[list[JsonValue]] = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=5)


@given(entries, entries, entries)
def test_acceptances_are_united_as_sets_are(
    base: list[JsonValue], ours: list[JsonValue], theirs: list[JsonValue]
) -> None:
    assert united(base, ours, base) == ours
    assert sorted(map(str, united(base, base, theirs))) == sorted(map(str, theirs))
    assert sorted(map(str, united(base, ours, theirs))) == sorted(map(str, united(base, theirs, ours)))


@given(st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"])), st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"])))
def test_both_documents_can_be_read_out_of_their_conflict(one: list[bytes], other: list[bytes]) -> None:
    ours, theirs = b"".join(one), b"".join(other)
    assert sides(in_conflict(ours, theirs), "m") == (ours, theirs)
