"""The merge of whole runs in memory: its documents are those of the run with the merged records, or it is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runstore import shards
from runstore.errors import InvalidRunError
from runstore.manifest import MetricDeclaration
from runstore.merging import runs
from runstore.store.reader import Run, read_run
from tests.factories import ACC, Point, edit_manifest, files_of, scored, unsynced, write_run

Scores = Mapping[str, float | None]
NAMES = [f"r{number:02d}" for number in range(40)]
METRICS = {**ACC, "loss": MetricDeclaration(direction="lower")}


@contextmanager
def cut_at(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARDED_ABOVE", size)
        patch.setattr(shards, "_TARGET_BYTES", size)
        yield


def write(place: Path, scores: Scores, points: list[Point] | None = None) -> Run:
    found = {**dict.fromkeys(NAMES, 0), **scores}
    made = [
        scored(name, acc, output="x" * 40, tags={"lang": name[-1]}) for name, acc in found.items() if acc is not None
    ]
    with unsynced():
        return read_run(write_run(place, made, METRICS, slices=["lang"], points=[("loss", 1, 1)] + (points or [])))


def merged(folder: Path, ours: Scores, theirs: Scores) -> runs.MergedRun:
    sides = [write(folder / name, scores) for name, scores in (("base", {}), ("ours", ours), ("theirs", theirs))]
    return runs.merge(*sides)


@pytest.mark.parametrize("size", [shards.SHARDED_ABOVE, 600], ids=["one file", "shards"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"r03": 1}, {"r30": 0.5}),
        ({"r03": 1}, {"r04": 0.5}),
        ({"r03": None}, {"r30": None, "r31": 1}),
        ({"r03": 1, "r07": 1}, {"r03": 1, "r30": 1}),
    ],
)
def test_the_documents_are_those_of_the_run_with_the_merged_records(
    tmp_path: Path, size: int, ours: Scores, theirs: Scores
) -> None:
    with cut_at(size):
        found = merged(tmp_path, ours, theirs)
        write(tmp_path / "expected", {**ours, **theirs})
        expected = files_of(tmp_path / "expected")
        assert (found.manifest, found.summary) == (expected["manifest.json"], expected["summary.json"])
        assert found.has_summary
        assert ("records.jsonl" in expected) == (size > 600)


def test_a_summary_that_both_sides_share_and_the_merge_does_not_is_told(tmp_path: Path) -> None:
    found = merged(tmp_path, {"r03": 1}, {"r13": 1})
    assert not found.has_summary
    assert b'"sum": "2"' in found.summary


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"r03": 1}, {"r03": 0.5}, "records.jsonl: both sides have changed 'r03'"),
        ({"r03": 1}, {"r03": None}, "records.jsonl: both sides have changed 'r03'"),
        ({"x": 1}, {"x": 0.5}, "records.jsonl: both sides have changed 'x'"),
    ],
)
def test_what_only_a_person_can_decide_is_refused(tmp_path: Path, ours: Scores, theirs: Scores, said: str) -> None:
    with pytest.raises(InvalidRunError) as caught:
        merged(tmp_path, ours, theirs)
    assert str(caught.value) == said


def test_points_and_artifacts_are_merged_by_their_files(tmp_path: Path) -> None:
    base = write(tmp_path / "base", {})
    ours = write(tmp_path / "ours", {}, [("loss", 2, 2)])
    theirs = write(tmp_path / "theirs", {"r03": 1}, [("loss", 3, None)])
    expected = write(tmp_path / "expected", {"r03": 1}, [("loss", 2, 2), ("loss", 3, None)])
    assert runs.merge(base, ours, theirs).manifest == (tmp_path / "expected/manifest.json").read_bytes()
    assert runs.merge(base, ours, base).manifest == (tmp_path / "ours/manifest.json").read_bytes()
    assert runs.merge(None, expected, expected).summary == (tmp_path / "expected/summary.json").read_bytes()


def test_a_declaration_that_does_not_fit_the_other_sides_scores_is_refused(tmp_path: Path) -> None:
    sides = [write(tmp_path / name, scores) for name, scores in (("base", {}), ("ours", {}), ("theirs", {"r03": 1}))]
    edit_manifest(tmp_path / "ours", lambda found: found["metrics"]["acc"].update(range=[0, 0.5]))
    with pytest.raises(InvalidRunError, match="outside the declared range"):
        runs.merge(sides[0], read_run(tmp_path / "ours"), sides[2])


@st.composite
def edits(draw: st.DrawFn) -> dict[str, float | None]:
    names = st.one_of(st.sampled_from(NAMES), st.text("nqz", min_size=1, max_size=3))
    return draw(st.dictionaries(names, st.sampled_from([None, 0.5, 1]), max_size=6))


def told(edit: dict[str, float | None]) -> dict[str, float | None]:
    """What an edit changes: to remove what was never there is nothing."""
    return {name: score for name, score in edit.items() if name in NAMES or score is not None}


@example({"n": 0.5}, {"n": None}, 300)
@example({"r00": None}, {"r01": None}, 300)
@given(edits(), edits(), st.sampled_from([300, 600, 1500, 4100, 10**6, 10**6]))
def test_whatever_is_edited_it_is_the_run_with_both_edits_or_refused(
    ours: dict[str, float | None], theirs: dict[str, float | None], size: int
) -> None:
    with tempfile.TemporaryDirectory() as name, cut_at(size):
        folder = Path(name)
        try:
            found = merged(folder, ours, theirs)
        except InvalidRunError:
            return
        mine, other = told(ours), told(theirs)
        assert all(mine[name] == other[name] for name in {*mine} & {*other})
        write(folder / "expected", {**mine, **other})
        assert found.manifest == (folder / "expected/manifest.json").read_bytes()
        assert found.summary == (folder / "expected/summary.json").read_bytes()
