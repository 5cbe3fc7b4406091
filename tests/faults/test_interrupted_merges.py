"""The merge driver, killed or failed at each call that it makes of the system; and what git makes of it then.

Whatever happens, the version that git handed over stands there or the whole result; nothing that was committed is
touched. What `gate git merge` leaves beside it when it is killed, the line of shell in git's settings clears away.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from runstore.git import drivers
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter
from tests.faults.conftest import STRACE, Case, ForkedGate, Scene
from tests.repositories import Repository, gate

pytestmark = pytest.mark.system

SYSTEM, CONFLICT = 74, 3
NAMES = ("records.jsonl", "manifest.json", "summary.json")
FULL = ("write", "rename", "openat")


def write_side(place: Path, edited: str, score: float) -> None:
    with RunWriter(place, metrics={"f1": MetricDeclaration()}, replace=True) as run:
        for number in range(20):
            name = f"q{number:02d}"
            run.append({"id": name, "output": "x" * 40, "scores": {"f1": score if name == edited else 0}})


def two_branches(folder: Path) -> Repository:
    repository = Repository(folder)
    repository.write(".gitignore", "/place/\n/start/\n/results.jsonl\n")
    write_side(folder / "qa", "", 0)
    repository.commit("base")
    for branch, edited, score in (("theirs", "q03", 0.5), ("ours", "q15", 1)):
        repository.git("checkout", "-q", "-b", branch, "main")
        write_side(folder / "qa", edited, score)
        repository.commit(branch)
    return repository


def versions_of(name: str, folder: Path) -> None:
    if (folder / ".git").exists():
        return
    repository = two_branches(folder)
    for side, ref in (("base", "main"), ("ours", "ours"), ("theirs", "theirs")):
        (folder / "place" / side).write_text(f"{repository.git('show', f'{ref}:qa/{name}')}\n")


CASES = {
    name: Case(
        argv=("git", "merge", "--", "place/base", "place/ours", "place/theirs", "7", f"qa/{name}"),
        before=lambda folder, name=name: versions_of(name, folder),  # type: ignore[misc]
        target="place/ours",
        again=CONFLICT,
    )
    for name in NAMES
}


@pytest.fixture(params=CASES)
def scene(request: pytest.FixtureRequest, tmp_path: Path, forked_gate: ForkedGate) -> Scene:
    return Scene(tmp_path, CASES[request.param], forked_gate)


def beside(scene: Scene) -> list[str]:
    return [name for name in scene.siblings() if name not in ("base", "theirs")]


def test_the_sweep_disturbs_what_it_is_to_disturb(scene: Scene) -> None:
    assert scene.after is not None
    assert scene.before != scene.after
    assert {"write", "rename", "openat"} <= {name for name, _ in scene.calls}
    assert b"<<<<<<<" not in next(iter(scene.after.values()))
    assert beside(scene) == []


def test_killed_at_any_call_it_leaves_our_version_or_the_whole_result(scene: Scene) -> None:
    for name, number, line in scene.each_call():
        at = f"{name} {number}, which was {line}"
        assert scene.disturbed(f"{name}:signal=SIGKILL:when={number}").status == -9, at
        assert scene.stands() in (scene.before, scene.after), at
        assert beside(scene) in ([], ["ours.gate"]), at


@pytest.mark.parametrize(("error", "names"), [("EIO", None), ("ENOSPC", FULL)], ids=["EIO", "ENOSPC"])
def test_failed_at_any_call_it_leaves_our_version_or_a_conflict_that_is_seen(
    scene: Scene, error: str, names: tuple[str, ...] | None
) -> None:
    for injection, at in scene.each_failure(error, names):
        outcome = scene.disturbed(injection)
        assert beside(scene) == [], at
        assert "Traceback" not in outcome.said, at
        if outcome.status == 0:
            assert scene.stands() == scene.after, at
        elif outcome.status == CONFLICT:  # git could not be asked: nothing is known of the other files
            stands = scene.stands()
            assert stands is not None
            assert b"\n>>>>>>> theirs\n" in next(iter(stands.values())), at
        else:
            assert outcome.status == SYSTEM, f"{at}: {outcome.said}"
            assert re.search(r"^gate: error: .+\n", outcome.said, re.MULTILINE), f"{at}: {outcome.said}"
            assert scene.stands() == scene.before, at


def strace_line(folder: Path, injection: str) -> str:
    """A program that is the driver with one call disturbed, in the place of an interpreter that saves no bytecode."""
    program = folder / "disturbed"
    traced = f"-o /dev/null -e trace=rename -e inject={injection} '{sys.executable}' -B"
    program.write_text(f'#!/bin/sh\nexec {STRACE} {traced} "$@"\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("injection", ["rename:signal=SIGKILL:when=1", "rename:error=ENOSPC:when=1"])
def test_git_then_merges_as_text_and_what_was_accepted_is_in_the_result_or_in_conflict(
    tmp_path: Path, forked_gate: ForkedGate, injection: str
) -> None:
    repository = two_branches(tmp_path / "repo")
    (tmp_path / "repo/.git/info").mkdir(exist_ok=True)
    (tmp_path / "repo/.git/info/attributes").write_text("/qa/*.json* merge=gate\n")
    for name, value in drivers.settings(strace_line(tmp_path, injection)).items():
        repository.git("config", name, value)
    tips = repository.git("rev-parse", "ours", "theirs")
    with pytest.raises(AssertionError, match="gate: merged as plain text"):
        repository.git("merge", "theirs")
    assert repository.git("diff", "--name-only", "--diff-filter=U").split() == ["qa/manifest.json", "qa/summary.json"]
    assert sorted(path.name for path in (tmp_path / "repo").iterdir()) == [".git", ".gitignore", "qa"]
    assert gate(tmp_path / "repo", "validate", "qa").code == 3
    assert gate(tmp_path / "repo", "rebuild", "qa").code == 0
    text = (tmp_path / "repo/qa/records.jsonl").read_text()
    assert ('"q03","output":"' in text, '"f1":0.5' in text, '"f1":1' in text) == (True, True, True)
    assert repository.git("rev-parse", "ours", "theirs") == tips
