"""Every write, flush, rename and all else that a writing command asks of the system, killed or failed in turn.

Whatever happens, a reader sees what stood there before or the whole new run, and a failure is exit 74 without a trace.
The sweep takes each call that strace saw in an undisturbed run and disturbs that one alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.verification import verify

if TYPE_CHECKING:
    from tests.faults.conftest import Scene, Tree

pytestmark = pytest.mark.system

SYSTEM = 74
FULL = ("write", "fsync", "rename", "renameat2", "mkdir", "openat")
HIDDEN = re.compile(r"\.+(run|report\.html)\.tmp-")


def test_the_sweep_disturbs_what_it_is_to_disturb(scene: Scene) -> None:
    assert scene.after is not None
    assert scene.before != scene.after
    names = {name for name, _ in scene.calls}
    assert {"write", "fsync", "rename", "openat"} <= names
    if scene.target.is_dir():
        verify(read_run(scene.target))
        assert "mkdir" in names
        assert ("renameat2" in names) == (scene.before is not None)
        assert any(path.startswith("records-") for path in scene.after) == (scene.case.shard_bytes < 1000)


def test_killed_at_any_call_it_leaves_the_old_or_the_whole_new(scene: Scene) -> None:
    for name, number, line in scene.each_call():
        at = f"{name} {number}, which was {line}"
        assert scene.disturbed(f"{name}:signal=SIGKILL:when={number}").status == -9, at
        stands = scene.stands()
        assert stands in (scene.before, scene.after), at
        assert all(HIDDEN.match(sibling) for sibling in scene.siblings()), at
        assert FolderSource(scene.place).runs() == (["run"] if scene.target.is_dir() else []), at
        assert scene.call().status == (scene.case.again if stands == scene.after else scene.case.done), at
        assert scene.stands() == scene.after, at


@pytest.mark.parametrize(("error", "names"), [("EIO", None), ("ENOSPC", FULL)], ids=["EIO", "ENOSPC"])
def test_failed_at_any_call_it_exits_74_and_leaves_no_trace(
    scene: Scene, error: str, names: Sequence[str] | None
) -> None:
    for injection, at in scene.each_failure(error, names):
        outcome = scene.disturbed(injection)
        assert scene.siblings() == [], at
        if any(re.match(r"write\(2,.*INJECTED", told) for told in outcome.trace):
            assert (outcome.status, scene.stands()) == (scene.case.done, scene.after), at  # only the talk was lost
            continue
        assert outcome.status == SYSTEM, f"{at}: {outcome.said}"
        assert re.match(r"(note: .*\n)*gate: error: .+\n", outcome.said), f"{at}: {outcome.said}"
        assert "Traceback" not in outcome.said, at
        assert scene.stands() in (scene.before, scene.after), at
        if (
            injection.startswith("fsync:") and "run" in scene.case.target
        ):  # what may not be durable has not taken its place
            assert scene.stands() == scene.before, at


over_an_old_run = pytest.mark.parametrize("scene", ["write all there is over an old run"], indirect=True)


@over_an_old_run
@pytest.mark.parametrize("error", ["ENOSYS", "EINVAL", "EPERM"])
def test_a_system_that_cannot_exchange_folders_replaces_a_run_all_the_same(scene: Scene, error: str) -> None:
    assert scene.disturbed(f"renameat2:error={error}").status == 0
    assert (scene.stands(), scene.siblings()) == (scene.after, [])


@over_an_old_run
def test_without_exchange_a_failed_rename_leaves_the_old_run_and_nothing_beside_it(scene: Scene) -> None:
    for number in (1, 2, 3, 4):  # try to put it there; the old one aside, the new one there, the old one away
        assert scene.disturbed("renameat2:error=EINVAL", f"rename:error=EIO:when={number}").status == SYSTEM
        assert (scene.stands(), scene.siblings()) == (scene.before, []), number
    assert scene.disturbed("renameat2:error=EINVAL", "rename:error=EIO:when=5").status == 0


@over_an_old_run
def test_without_exchange_a_kill_leaves_the_old_run_at_its_place_or_beside_it(
    scene: Scene, tree: Callable[[Path], Tree | None]
) -> None:
    found = []
    for number in (2, 3, 4):
        assert scene.disturbed("renameat2:error=EINVAL", f"rename:signal=SIGKILL:when={number}").status == -9
        aside = [tree(path) for path in scene.place.glob(".run.old-*/run")]
        found.append((scene.stands(), aside))
    assert found == [(scene.before, []), (None, [scene.before]), (scene.after, [scene.before])]


@over_an_old_run
def test_an_old_run_that_cannot_be_put_back_is_kept_beside_the_new_one(
    scene: Scene, tree: Callable[[Path], Tree | None]
) -> None:
    flushes = [name for name, _ in scene.calls].count("fsync")
    outcome = scene.disturbed(f"fsync:error=EIO:when={flushes}", "renameat2:error=EIO:when=2")
    assert outcome.status == SYSTEM
    assert scene.stands() == scene.after
    assert [tree(scene.place / name) for name in scene.siblings()] == [scene.before]
