"""The three-way merge of a file of lines: what is taken, what is a conflict, and how it is marked."""

from __future__ import annotations

import pytest

from runstore import canonical
from runstore.errors import InvalidDataError
from runstore.merging import lines
from runstore.merging.lines import RECORDS, SERIES, Conflict
from runstore.rebuilding import marks
from tests.factories import scored

OLD, NEW, OTHER = 0, 1, 0.5


def file(**scores: float | None) -> bytes:
    """A file of records: id → score; None where there is none."""
    kept = {name: score for name, score in scores.items() if score is not None}
    return b"".join(canonical.encode(scored(name, score)) + b"\n" for name, score in sorted(kept.items()))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "result"),
    [
        (OLD, OLD, OLD, OLD),
        (OLD, NEW, OLD, NEW),
        (OLD, OLD, NEW, NEW),
        (OLD, NEW, NEW, NEW),
        (None, NEW, None, NEW),
        (None, None, NEW, NEW),
        (None, NEW, NEW, NEW),
        (OLD, None, OLD, None),
        (OLD, OLD, None, None),
        (OLD, None, None, None),
        (OLD, NEW, OTHER, "conflict"),
        (OLD, NEW, None, "conflict"),
        (OLD, None, NEW, "conflict"),
        (None, NEW, OTHER, "conflict"),
    ],
)
def test_a_record_is_taken_from_the_side_that_changed_it(
    base: float | None, ours: float | None, theirs: float | None, result: float | str | None
) -> None:
    merged = lines.merge(file(a=0, m=base, z=0), file(a=0, m=ours, z=0), file(a=0, m=theirs, z=0), RECORDS)
    if result == "conflict":
        sides = (file(m=score)[:-1] or None for score in (ours, theirs))
        assert merged.conflicts == [Conflict(key=(b"m", 1), ours=next(sides), theirs=next(sides))]
        assert merged.text().startswith(file(a=0) + b"<<<<<<< ours\n")
    else:
        assert merged.conflicts == []
        assert merged.text() == file(a=0, m=result, z=0)  # type: ignore[arg-type]


def test_records_are_taken_whole_though_the_fields_that_changed_are_not_the_same() -> None:
    base, ours, theirs = (
        canonical.encode({"id": "a", "output": output, "scores": {"acc": acc}}) + b"\n"
        for output, acc in (("old", 0), ("new", 0), ("old", 1))
    )
    assert len(lines.merge(base, ours, theirs, RECORDS).conflicts) == 1


def test_trials_of_one_record_are_merged_trial_by_trial() -> None:
    one, two, other = (canonical.encode(scored("a", 0, repeat=number)) + b"\n" for number in (1, 2, 10))
    assert lines.merge(one, one + two, one + other, RECORDS).text() == one + two + other


def test_points_of_a_series_are_merged_by_name_and_step() -> None:
    def points(*found: tuple[int | None, float]) -> bytes:
        rows = [{"name": "loss", "value": value} | ({} if step is None else {"step": step}) for step, value in found]
        return b"".join(canonical.encode(row) + b"\n" for row in rows)

    base, ours = points((1, 5), (None, 5)), points((1, 5), (2, 4), (None, 5))
    assert lines.merge(base, ours, points((1, 5), (10, 3), (None, 3)), SERIES).text() == points(
        (1, 5), (2, 4), (10, 3), (None, 3)
    )
    merged = lines.merge(base, points((1, 4), (None, 5)), points((1, 3), (None, 5)), SERIES)
    assert [SERIES.name(conflict.key) for conflict in merged.conflicts] == ["loss (step 1)"]


def test_a_conflict_is_marked_as_git_marks_one_and_both_sides_can_be_read_out_of_it() -> None:
    ours, theirs = file(a=0, b=1, c=0, d=None), file(a=0, b=0.5, c=1, d=0.5)
    merged = lines.merge(file(a=0, b=0, c=0, d=0), ours, theirs, RECORDS)
    text = merged.text(("HEAD", "topic"))
    begin, middle, end = b"<<<<<<< HEAD\n", b"=======\n", b">>>>>>> topic\n"
    assert text == b"".join(
        [file(a=0), begin, file(b=1), middle, file(b=0.5), end, file(c=1), begin, middle, file(d=0.5), end]
    )
    assert marks.sides(text, "records.jsonl") == (file(a=0, b=1, c=1), file(a=0, b=0.5, c=1, d=0.5))
    assert merged.text(size=9).splitlines()[1] == b"<<<<<<<<< ours"


def test_what_a_merged_ancestor_left_in_doubt_decides_nothing() -> None:
    doubt = b"<<<<<<<<< x\n%b=========\n%b>>>>>>>>> y\n" % (file(b=1), file(b=0.5))
    base = file(a=0) + doubt + file(c=0)
    merged = lines.merge(base, file(a=0, b=1, c=1), file(a=1, b=0.5, c=0), RECORDS)
    assert [conflict.key for conflict in merged.conflicts] == [(b"b", 1)]
    assert lines.merge(base, file(a=0, b=1, c=0), file(a=0, b=1, c=0), RECORDS).conflicts == []
    assert lines.merge(base, file(a=0, c=0), file(a=0, b=1, c=0), RECORDS).conflicts != []


@pytest.mark.parametrize("base", [b"what is this?\n", file(a=0) * 2, b"<<<<<<< x\n" + file(a=0)])
def test_with_an_ancestor_that_is_no_run_every_difference_is_a_conflict(base: bytes) -> None:
    merged = lines.merge(base, file(a=0, b=0), file(a=1, b=0), RECORDS)
    assert [conflict.key for conflict in merged.conflicts] == [(b"a", 1)]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        file(b=0) + file(a=0),
        file(a=0) + file(a=1),
        file(a=0)[:-1],
        b'{"id":"a","output": 1}\n',
        b'{"id":"a","id":"b"}\n',
        b'{"id":"a"}\r\n',
        b"<<<<<<< x\n" + file(a=0),
        b'{"name":"loss","value":1}\n',
        b'{"id":"a","repeat":"x"',
    ],
)
def test_a_side_that_is_no_sorted_file_of_canonical_records_is_refused(data: bytes) -> None:
    for sides in ((data, file(c=1)), (file(c=1), data)):
        with pytest.raises(InvalidDataError):
            lines.merge(file(c=0), *sides, RECORDS)
