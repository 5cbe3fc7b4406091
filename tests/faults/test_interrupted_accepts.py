"""`gate accept` and `gate rebuild`, killed or failed at each call that they make of the system.

Whatever happens, the old baseline stands there or the new one, whole; git sees nothing that was left half done, and the
next call clears it away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from runstore import shards
from runstore.manifest import MetricDeclaration
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.verification import verify
from tests.faults.conftest import Case, ForkedGate, Scene

pytestmark = pytest.mark.system

SYSTEM = 74
FULL = ("write", "fsync", "rename", "renameat2", "mkdir", "openat")
HIDDEN = re.compile(r"\.run\.tmp-")
ACCEPT = ("accept", "current", "place/run", "--reason", "why")


def write_side(place: Path, score: int, artifact: Path) -> None:
    metrics = {name: MetricDeclaration() for name in ("f1", "loss")}
    with RunWriter(place, metrics=metrics) as run:
        for number in range(20):
            run.append({"id": f"q{number}", "output": "x" * 40, "scores": {"f1": score}})
        run.log_metric("loss", score)
        run.add_artifact(artifact, "deep/plot.bin")
        run.add_volatile("measures", {"seconds": score})


def two_runs(folder: Path) -> None:
    for place, score in ((folder / "current", 1), (folder / "place/run", 0)):
        (folder / "plot.bin").write_bytes(b"%d" % score)
        if not place.exists():
            write_side(place, score, folder / "plot.bin")


def a_current_run(folder: Path) -> None:
    two_runs(folder)
    (folder / "place/run").rename(folder / "not-needed")


def a_merged_run(folder: Path) -> None:
    two_runs(folder)
    (folder / "place/run/summary.json").write_bytes(b"<<<<<<< ours\n")


CASES = {
    "whole": Case(argv=ACCEPT, before=two_runs),
    "part": Case(argv=(*ACCEPT, "--only", "q1*"), before=two_runs),
    "part in shards": Case(argv=(*ACCEPT, "--only", "q1*"), before=two_runs, shard_bytes=1200),
    "first": Case(argv=(*ACCEPT, "--new"), before=a_current_run),
    "rebuild": Case(argv=("rebuild", "place/run"), before=a_merged_run),
}


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, forked_gate: ForkedGate, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    case = CASES[request.param]
    monkeypatch.setattr(shards, "SHARDED_ABOVE", case.shard_bytes)
    monkeypatch.setattr(shards, "_TARGET_BYTES", case.shard_bytes)
    return Scene(tmp_path, case, forked_gate)


def seen_by_git(place: Path) -> list[str]:
    """What beside the run a `git add` would take: files in folders that are not told to be ignored."""
    return [
        str(path.relative_to(place))
        for sibling in place.iterdir()
        if sibling.name != "run" and not (sibling / ".gitignore").exists()
        for path in sibling.rglob("*")
        if path.is_file()
    ]


def test_the_sweep_disturbs_what_it_is_to_disturb(scene: Scene) -> None:
    assert scene.after is not None
    assert scene.before != scene.after
    assert {"write", "fsync", "rename", "openat", "mkdir", "unlink"} <= {name for name, _ in scene.calls}
    assert ("renameat2" in {name for name, _ in scene.calls}) == (scene.before is not None)
    verify(read_run(scene.target))
    assert scene.siblings() == []


def test_killed_at_any_call_it_leaves_the_old_baseline_or_the_new_one(scene: Scene) -> None:
    for name, number, line in scene.each_call():
        at = f"{name} {number}, which was {line}"
        assert scene.disturbed(f"{name}:signal=SIGKILL:when={number}").status == -9, at
        assert scene.stands() in (scene.before, scene.after), at
        assert all(HIDDEN.match(sibling) for sibling in scene.siblings()), at
        assert seen_by_git(scene.place) == [], at
        assert FolderSource(scene.place).runs() == (["run"] if scene.stands() else []), at
        marked = [sibling for sibling in scene.siblings() if (scene.place / sibling / ".gitignore").exists()]
        assert scene.call().status == 0, at
        assert scene.stands() == scene.after, at
        if scene.before is not None:
            assert not set(marked) & set(scene.siblings()), at


@pytest.mark.parametrize(("error", "names"), [("EIO", None), ("ENOSPC", FULL)], ids=["EIO", "ENOSPC"])
def test_failed_at_any_call_it_exits_74_and_leaves_no_trace(
    scene: Scene, error: str, names: Sequence[str] | None
) -> None:
    for injection, at in scene.each_failure(error, names):
        outcome = scene.disturbed(injection)
        assert scene.siblings() == [], at
        if any(re.match(r"write\(2,.*INJECTED", told) for told in outcome.trace):
            assert (outcome.status, scene.stands()) == (0, scene.after), at  # only the talk was lost
            continue
        assert outcome.status == SYSTEM, f"{at}: {outcome.said}"
        assert re.search(r"^gate: error: .+\n", outcome.said, re.MULTILINE), f"{at}: {outcome.said}"
        assert "Traceback" not in outcome.said, at
        assert scene.stands() in (scene.before, scene.after), at
        if injection.startswith("fsync:"):  # what may not be durable has not taken its place
            assert scene.stands() == scene.before, at


def test_nothing_is_written_where_nothing_is_to_be_accepted(tmp_path: Path, forked_gate: ForkedGate) -> None:
    (tmp_path / "place").mkdir()
    two_runs(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "place").rglob("*")}
    outcome = forked_gate.call(("accept", "current", "place/run", "--improved", "--dry-run"), tmp_path)
    assert outcome.status == 0, outcome.said
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "place").rglob("*")} == before
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["run"]
