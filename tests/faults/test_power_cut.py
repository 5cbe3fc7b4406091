"""A power cut loses what was not flushed. So: all of a run is flushed before it takes its place, and the place before
anyone is told, and nothing of the old run goes before that. Judged by the order of system calls that strace saw.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import ForkedGate, Scene

pytestmark = pytest.mark.system

TRACED = ("-y", "-e", "trace=openat,mkdir,write,rename,renameat2,unlink,unlinkat,rmdir,fsync")
CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
PATHS = re.compile(r'(?:\d+|AT_FDCWD)(?:<([^>]*)>)?, "([^"]*)"|"([^"]*)"|\d+<([^>]*)>')


class Disk:
    """What of a folder would be lost if the power went now: files by their content, folders by their entries."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.unflushed: set[str] = set()

    def paths(self, arguments: str) -> list[str]:
        """The absolute paths among the arguments of a call."""
        found = []
        for base, name, alone, opened in PATHS.findall(arguments):
            found.append(opened or str(Path(self._folder, base, name or alone)))
        return found

    def play(self, name: str, arguments: str) -> None:
        paths = self.paths(arguments)
        if name == "fsync":
            self.unflushed.discard(paths[0])
        elif name == "write":
            self.unflushed.add(paths[0])
        elif name == "mkdir" or (name == "openat" and "O_CREAT" in arguments):
            self.unflushed |= {paths[0], parent(paths[0])}
        elif name in ("rename", "renameat2"):
            swap = {paths[0]: paths[1], paths[1]: paths[0]} if name == "renameat2" else {paths[0]: paths[1]}
            self.unflushed = {self._moved(path, swap) for path in self.unflushed} | {*map(parent, paths)}
        elif name in ("unlink", "unlinkat", "rmdir"):
            self.unflushed = {path for path in self.unflushed if not within(path, paths[0])}
            self.unflushed.add(parent(paths[0]))

    @staticmethod
    def _moved(path: str, moves: dict[str, str]) -> str:
        for old, new in moves.items():
            if within(path, old):
                return new + path[len(old) :]
        return path

    def unflushed_in(self, folder: str) -> set[str]:
        return {path for path in self.unflushed if within(path, folder)}


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def calls(trace: list[str]) -> list[tuple[str, str]]:
    """(name, arguments) of the calls that succeeded and change something."""
    lines = [re.sub(r'>, ".*"', ">", line) if line.startswith("write(") else line for line in trace]
    found = [match.groups() for line in lines if (match := CALL.match(line))]
    changes = [(name, arguments) for name, arguments, result in found if not result.startswith("-")]
    return [(name, arguments) for name, arguments in changes if name != "openat" or "O_CREAT" in arguments]


def test_a_run_is_flushed_before_it_takes_its_place_and_its_place_before_the_old_one_goes(scene: Scene) -> None:
    done = calls(scene.traced(*TRACED))
    disk = Disk(scene.folder)
    target = str(scene.target)
    puts = [
        index
        for index, (name, arguments) in enumerate(done)
        if name.startswith("rename") and disk.paths(arguments)[1] == target
    ]
    assert len(puts) == 1
    for name, arguments in done[: puts[0]]:
        assert not any(within(path, target) for path in disk.paths(arguments)), (name, arguments)
        disk.play(name, arguments)
    source = disk.paths(done[puts[0]][1])[0]
    assert source not in (target, parent(target))
    assert disk.unflushed_in(source) == set()
    name, arguments = done[puts[0] + 1]
    assert (name, disk.paths(arguments)) == (
        "fsync",
        [parent(target)],
    )  # before any word on stdout, and before any unlink


@pytest.mark.parametrize("scene", ["write all there is"], indirect=True)
def test_the_missing_folders_above_a_run_are_durable_too(scene: Scene, forked_gate: ForkedGate) -> None:
    argv = ["write", "new/deeper/run"]
    outcome = forked_gate.call(argv, scene.folder, strace=TRACED)
    assert outcome.status == 0, outcome.said
    disk = Disk(scene.folder)
    for name, arguments in calls(outcome.trace):
        disk.play(name, arguments)
    assert (scene.folder / "new/deeper/run/manifest.json").exists()
    assert disk.unflushed_in(str(scene.folder)) == set()
