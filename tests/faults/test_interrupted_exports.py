"""Exports to TensorBoard, killed or failed at every call of the system; then again: exactly one complete run is there.

The runs themselves are never touched, and TensorBoard never sees a part of a file.
"""

from __future__ import annotations

import re
import resource
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore.exporters.tensorboard import events
from tests.export_runs import write_whole_run
from tests.factories import files_of

if TYPE_CHECKING:
    from tests.faults.conftest import ForkedGate, Gate

EXPORT = ("export", "run", "--to", "tensorboard", "--target", "tb", "--verify")
CALLS = ("write", "fsync", "link", "rename", "mkdir", "openat", "fchmod", "flock", "unlink")
FULL = ("write", "fsync", "link", "rename", "mkdir")
KILLED, SYSTEM, INVALID = -9, 74, 3


class Scene:
    """A run, the ledger and the folder of TensorBoard, set up anew for each disturbance."""

    def __init__(self, folder: Path, server: ForkedGate) -> None:
        self.folder = folder
        self._server = server
        write_whole_run(folder / "run", records=3, steps=2)
        self.run = files_of(folder / "run")
        assert server.call(EXPORT, folder, warm_up=True).status == 0
        self.whole = files_of(folder / "tb")
        self.set_up()
        done = server.call(EXPORT, folder, strace=("-e", f"trace={','.join(CALLS)}"))
        assert done.status == 0, done.said
        self.calls = [name[1] for line in done.trace if (name := re.match(r"(\w+)\(", line))]

    def set_up(self) -> None:
        for name in ("tb", "ledger"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def each_call(self) -> Iterator[tuple[str, int]]:
        numbers: Counter[str] = Counter()
        for name in self.calls:
            numbers[name] += 1
            yield name, numbers[name]

    def disturbed(self, name: str, how: str, number: int) -> tuple[int, str]:
        self.set_up()
        injected = ("-e", f"trace={name}", "-e", f"inject={name}:{how}:when={number}")
        done = self._server.call(EXPORT, self.folder, strace=injected)
        return done.status, done.said

    def again(self) -> tuple[int, str]:
        done = self._server.call(EXPORT, self.folder)
        return done.status, done.said

    def check_seen(self, at: str) -> None:
        """Whatever TensorBoard would look at is whole."""
        for path in (self.folder / "tb").rglob("*tfevents*"):
            events.read(path.read_bytes())
        assert files_of(self.folder / "run") == self.run, at


@pytest.fixture(name="scene")
def _scene(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, forked_gate: ForkedGate,
           monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:  # fmt: skip
    """A server of forks of its own, whose ledger lies beside the run."""
    monkeypatch.setenv("RUNSTORE_EXPORTS_DIR", str(tmp_path / "ledger"))
    server = type(forked_gate)(tmp_path_factory.mktemp("exports"))
    yield Scene(tmp_path, server)
    server.close()


@pytest.mark.system
def test_killed_at_any_call_the_next_export_leaves_one_complete_run(scene: Scene) -> None:
    assert {"write", "fsync", "link", "mkdir"} <= set(scene.calls)
    for name, number in scene.each_call():
        at = f"{name} {number}"
        assert scene.disturbed(name, "signal=SIGKILL", number)[0] == KILLED, at
        scene.check_seen(at)
        assert scene.again()[0] == 0, at
        assert files_of(scene.folder / "tb") == scene.whole, at


@pytest.mark.system
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_failed_at_any_call_it_says_so_and_the_next_export_leaves_one_complete_run(scene: Scene, error: str) -> None:
    codes = Counter[int]()
    for name, number in scene.each_call():
        if name not in FULL:
            continue
        at = f"{name} {number}"
        code, said = scene.disturbed(name, f"error={error}", number)
        assert code in (0, SYSTEM), f"{at}: {said}"  # 0: only the ledger, or what was said, was lost
        assert "Traceback" not in said, at
        assert code == 0 or re.search(r"failed run  |gate: error: ", said), f"{at}: {said}"
        codes[code] += 1
        scene.check_seen(at)
        assert not list((scene.folder / "tb").rglob(".making-*")), at
        assert scene.again()[0] == 0, at
        assert files_of(scene.folder / "tb") == scene.whole, at
    assert codes[SYSTEM] > 5


def _at_most(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_file_that_does_not_fit_is_told_and_leaves_nothing(tmp_path: Path, gate: Gate) -> None:
    write_whole_run(tmp_path / "run", records=200)
    environment = {"RUNSTORE_EXPORTS_DIR": str(tmp_path / "ledger")}
    done = gate(*EXPORT, variables=environment, before=_at_most(2000))
    assert done.returncode == SYSTEM
    assert re.match(r"failed run  tb/demo .*: File too large\n", done.stderr)
    assert not [path for path in (tmp_path / "tb").rglob("*") if "tfevents" in path.name or ".making" in path.name]
    assert gate(*EXPORT, variables=environment).returncode == 0
