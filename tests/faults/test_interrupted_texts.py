"""Writing, accepting and removing large texts, killed or failed at each call that is made of the system.

Whatever happens, every text that a run names stands there whole; a crash leaves at most texts that no run names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from runstore import shards
from runstore.manifest import MetricDeclaration
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.texts import check_texts
from runstore.verification import verify
from tests.faults.conftest import Case, ForkedGate, Scene

pytestmark = pytest.mark.system

SYSTEM = 74
FULL = ("write", "fsync", "rename", "renameat2", "mkdir", "openat")
IMPORT = [
    "import",
    "results.jsonl",
    "--score",
    "f1",
    "--output-field",
    "output",
    "--large-text",
    "512",
    "-o",
    "place/run",
]
LONG = "a long answer " * 60
ALWAYS_THERE = {".texts", "kept"}


def write(place: Path, *outputs: str, limit: int | None = 512, score: int = 1) -> None:
    if not place.exists():
        with RunWriter(place, metrics={"f1": MetricDeclaration()}, large_text=limit) as run:
            for number, output in enumerate(outputs):
                run.append({"id": f"q{number}", "output": f"{output} {LONG}", "scores": {"f1": score}})


def a_kept_run(folder: Path) -> None:
    write(folder / "place/kept", "shared", "own")
    lines = [{"id": f"q{number}", "f1": 1, "output": f"{text} {LONG}"} for number, text in enumerate(("shared", "new"))]
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def an_old_run(folder: Path) -> None:
    a_kept_run(folder)
    write(folder / "place/run", "old", score=0)


def a_whole_run(folder: Path) -> None:
    a_kept_run(folder)
    write(folder / "place/run", "shared", "new", limit=None)


def two_runs(folder: Path) -> None:
    an_old_run(folder)
    write(folder / "current", "new", "shared", "newer")


def some_garbage(folder: Path) -> None:
    a_kept_run(folder)
    write(folder / "place/garbage", "gone", "lost", "shared")
    (folder / "place/garbage").rename(folder / "away")
    write(folder / "place/run", "new")


ACCEPT = ("accept", "current", "place/run", "--reason", "why")
CASES = {
    "import": Case(argv=IMPORT, before=a_kept_run, again=2),
    "import over an old run": Case(argv=(*IMPORT, "--replace"), before=an_old_run),
    "fmt": Case(argv=("fmt", "place/run", "--large-text", "512"), before=a_whole_run),
    "accept": Case(argv=ACCEPT, before=two_runs),
    "accept a part": Case(argv=(*ACCEPT, "--only", "q0"), before=two_runs),
    "gc": Case(argv=("gc", "place"), before=some_garbage),
}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, forked_gate: ForkedGate, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    case = CASES[request.param]
    monkeypatch.setattr(shards, "SHARDED_ABOVE", case.shard_bytes)
    return Scene(tmp_path, case, forked_gate)


def check_all(place: Path) -> None:
    """Every run that stands is sound, and every text that it names is there."""
    for name in FolderSource(place).runs():
        verify(read_run(place / name))
        check_texts(read_run(place / name), FolderSource(place / name))


def texts(place: Path) -> set[str]:
    """How the texts begin that stand there."""
    return {path.read_text().split()[0] for path in (place / ".texts").rglob("*.txt")}


def test_the_sweep_disturbs_what_it_is_to_disturb(scene: Scene) -> None:
    names = {name for name, _ in scene.calls}
    if scene.case.argv[0] == "gc":
        assert {"unlink", "rmdir", "fsync"} <= names
        assert texts(scene.place) == {"shared", "own", "new"}
    else:
        assert {"write", "fsync", "rename", "mkdir"} <= names
        assert scene.before != scene.after
        assert {"shared", "own", "new"} <= texts(scene.place)
    check_all(scene.place)


def test_killed_at_any_call_every_text_that_a_run_names_is_there(scene: Scene) -> None:
    for name, number, line in scene.each_call():
        at = f"{name} {number}, which was {line}"
        assert scene.disturbed(f"{name}:signal=SIGKILL:when={number}").status == -9, at
        assert scene.stands() in (scene.before, scene.after), at
        check_all(scene.place)
        assert scene.call().status in (0, scene.case.again), at
        assert scene.stands() == scene.after, at
        check_all(scene.place)
        if scene.case.argv[0] == "gc":
            assert texts(scene.place) == {"shared", "own", "new"}, at


@pytest.mark.parametrize(("error", "names"), [("EIO", None), ("ENOSPC", FULL)], ids=["EIO", "ENOSPC"])
def test_failed_at_any_call_it_exits_74_and_loses_no_text(
    scene: Scene, error: str, names: Sequence[str] | None
) -> None:
    for injection, at in scene.each_failure(error, names):
        outcome = scene.disturbed(injection)
        assert set(scene.siblings()) <= ALWAYS_THERE, at
        check_all(scene.place)
        if any(re.match(r"write\(2,.*INJECTED", told) for told in outcome.trace):
            continue  # only the talk was lost
        assert outcome.status == SYSTEM, f"{at}: {outcome.said}"
        assert re.search(r"^gate: error: .+\n", outcome.said, re.MULTILINE), f"{at}: {outcome.said}"
        assert "Traceback" not in outcome.said, at
        assert scene.stands() in (scene.before, scene.after), at


def test_where_the_system_cannot_lock_runs_are_written_and_nothing_is_removed(scene: Scene) -> None:
    outcome = scene.disturbed("flock:error=ENOLCK")
    check_all(scene.place)
    if scene.case.argv[0] == "gc":
        assert (outcome.status, "cannot lock" in outcome.said) == (2, True), outcome.said
        assert {"gone", "lost"} <= texts(scene.place)
    else:
        assert (outcome.status, scene.stands()) == (0, scene.after), outcome.said
