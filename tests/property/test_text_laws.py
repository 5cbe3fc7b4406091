"""Whatever runs are written, replaced and removed: their texts are there, and after a collection no other text is."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from runstore.garbage.collection import collected
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.texts import check_texts
from tests.factories import unsynced

Act = tuple[str, str, Sequence[int]]
runs = st.sampled_from(["a", "b", "deep/c", "deep/d"])
acts: st.SearchStrategy[Act] = st.one_of(
    st.tuples(st.just("write"), runs, st.lists(st.integers(0, 5), max_size=4)),
    st.tuples(st.just("remove"), runs, st.just(())),
    st.tuples(st.just("collect"), st.sampled_from(["", "deep"]), st.just(())),
)


def text(number: int) -> str:
    return f"{number} " * 400


def write(place: Path, numbers: Sequence[int]) -> None:
    with RunWriter(place, large_text=512, replace=place.exists()) as writer:
        for index, number in enumerate(numbers):
            writer.append({"id": str(index), "output": [text(number)] * 2})


def stands(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.glob(".texts/*/*.txt")}


@given(st.lists(acts, max_size=12))
@settings(max_examples=40)
def test_texts_of_runs_are_never_lost_and_others_are_collected(steps: list[Act]) -> None:
    with TemporaryDirectory() as name, unsynced():
        folder = Path(name)
        (folder / "deep").mkdir()
        named: dict[str, set[str]] = {}
        for act, where, numbers in [*steps, ("collect", "", ())]:
            if act == "write":
                write(folder / where, numbers)
                named[where] = set(map(text, numbers))
            elif act == "remove" and where in named:
                shutil.rmtree(folder / where)
                del named[where]
            elif act == "collect":
                with collected(folder / where) as found:
                    found.remove()
            for run in named:
                check_texts(read_run(folder / run), FolderSource(folder / run))
        # What a run of another folder names is kept, too: more than is needed, and never less.
        everywhere = set().union(*named.values())
        for place, names in ((folder, ("a", "b")), (folder / "deep", ("deep/c", "deep/d"))):
            own = set().union(*(named.get(run, set()) for run in names))
            assert own <= stands(place) <= everywhere
