"""Every write, flush, rename and all else that a writing command asks of the system, killed or failed in turn.

Whatever happens, a reader sees what stood there before or the whole new run, and a failure is exit 74 without a trace.
The sweep takes each call that strace saw in an undisturbed run and disturbs that one alone.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore import shards
from runstore.manifest import MetricDeclaration
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.verification import verify

if TYPE_CHECKING:
    from tests.faults.conftest import ForkedGate, Outcome, Tree

pytestmark = pytest.mark.system

SYSTEM, EXISTS = 74, 2
CHANGING = ("write", "fsync", "fdatasync", "rename", "renameat2", "mkdir", "openat", "chmod", "unlink",
            "unlinkat", "rmdir")  # fmt: skip
FULL = ("write", "fsync", "rename", "renameat2", "mkdir", "openat")
IMPORT = ("import", "results.jsonl", "--score", "f1", "-o", "place/run")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A command that writes `place/run` (or another target), and what stands there before."""

    argv: Sequence[str]
    before: Callable[[Path], None]
    target: str = "place/run"
    shard_bytes: int = 32 * 1024 * 1024
    again: int = 0
    """The exit code when the command is called again after it has succeeded."""


def nothing(folder: Path) -> None:
    """Nothing stands at the place."""


def an_old_run(folder: Path) -> None:
    with RunWriter(folder / "place/run", metrics={"f1": MetricDeclaration()}) as run:
        run.append({"id": "old", "scores": {"f1": 0}})
        run.add_volatile("clock", {"seconds": 2})


def a_loose_run(folder: Path) -> None:
    with RunWriter(folder / "place/run", metrics={"f1": MetricDeclaration()}) as run:
        for number in range(30):
            run.append({"id": f"q{number}", "output": "x" * 40, "scores": {"f1": 1}})
            run.log_metric("f1", number, step=number)
        run.add_artifact(Path(__file__), "deep/program.py")
        run.add_volatile("clock", {"seconds": 1})
    records = folder / "place/run/records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"f1":1}', b'"f1": 1.0}'))


CASES = {
    "import": Case(argv=IMPORT, before=nothing, again=EXISTS),
    "import in shards": Case(argv=IMPORT, before=nothing, again=EXISTS, shard_bytes=500),
    "import over an old run": Case(argv=(*IMPORT, "--replace"), before=an_old_run),
    "write all there is": Case(argv=("write", "place/run"), before=nothing, again=EXISTS),
    "write all there is over an old run": Case(argv=("write", "place/run", "--replace"), before=an_old_run),
    "fmt": Case(argv=("fmt", "place/run"), before=a_loose_run),
}


class Scene:
    """A folder in which one case is played again and again from the same start."""

    def __init__(self, folder: Path, case: Case, forked_gate: ForkedGate, tree: Callable[[Path], Tree | None]) -> None:
        self.place = folder / "place"
        self.case = case
        self.target = folder / case.target
        self._folder = folder
        self._gate = forked_gate
        self._tree = tree
        self._start = folder / "start"
        self._prepare()
        self.before = tree(self.target)
        self.call(warm_up=True)
        self.set_up()
        trace = self.call("-e", f"trace={','.join(CHANGING)}").trace
        self.after = tree(self.target)
        self.calls = [(name[1], line) for line in trace if (name := re.match(r"(\w+)\(", line))]

    def _prepare(self) -> None:
        lines = [{"id": f"q{number}", "output": "x" * 40, "f1": number % 2} for number in range(30)]
        (self._folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
        self.place.mkdir()
        self.case.before(self._folder)
        shutil.copytree(self.place, self._start)

    def set_up(self) -> None:
        shutil.rmtree(self.place)
        shutil.copytree(self._start, self.place)

    def call(self, *strace: str, warm_up: bool = False) -> Outcome:
        return self._gate.call(
            self.case.argv, self._folder, strace=strace, shard_bytes=self.case.shard_bytes, warm_up=warm_up
        )

    def disturbed(self, name: str, number: int, how: str) -> Outcome:
        """Play it with one call disturbed: the `number`th of that name."""
        self.set_up()
        return self.call("-e", f"trace={name}", "-e", f"inject={name}:{how}:when={number}")

    def stands(self) -> Tree | None:
        return self._tree(self.target)

    def siblings(self) -> list[str]:
        return sorted(path.name for path in self.place.iterdir() if path != self.target)

    def each_call(self) -> Iterator[tuple[str, int, str]]:
        """Name, number among those of its name, and line of each call of the undisturbed run."""
        numbers: Counter[str] = Counter()
        for name, line in self.calls:
            numbers[name] += 1
            yield name, numbers[name], line


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scene(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    forked_gate: ForkedGate,
    tree: Callable[[Path], Tree | None],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    case = CASES[request.param]
    monkeypatch.setattr(shards, "SHARDED_ABOVE", case.shard_bytes)
    monkeypatch.setattr(shards, "_TARGET_BYTES", case.shard_bytes)
    return Scene(tmp_path, case, forked_gate, tree)


def test_the_sweep_disturbs_what_it_is_to_disturb(scene: Scene) -> None:
    assert scene.after is not None
    assert scene.before != scene.after
    verify(read_run(scene.target))
    names = {name for name, _ in scene.calls}
    assert {"write", "fsync", "rename", "mkdir", "openat"} <= names
    assert ("renameat2" in names) == (scene.before is not None)
    assert any(path.startswith("records-") for path in scene.after) == (scene.case.shard_bytes < 1000)


def test_killed_at_any_call_it_leaves_the_old_or_the_whole_new_run(scene: Scene) -> None:
    for name, number, line in scene.each_call():
        at = f"{name} {number}, which was {line}"
        assert scene.disturbed(name, number, "signal=SIGKILL").status == -9, at
        stands = scene.stands()
        assert stands in (scene.before, scene.after), at
        assert all(re.match(r"\.+run\.(tmp|old)-", sibling) for sibling in scene.siblings()), at
        assert FolderSource(scene.place).runs() == ([] if stands is None else ["run"]), at
        assert scene.call().status == (scene.case.again if stands == scene.after else 0), at
        assert scene.stands() == scene.after, at


@pytest.mark.parametrize(("error", "names"), [("EIO", CHANGING), ("ENOSPC", FULL)])
def test_failed_at_any_call_it_exits_74_and_leaves_no_trace(scene: Scene, error: str, names: Sequence[str]) -> None:
    for name, number, line in scene.each_call():
        if name not in names or " = -1 " in line:
            continue
        at = f"{name} {number}, which was {line}"
        outcome = scene.disturbed(name, number, f"error={error}")
        assert scene.siblings() == [], at
        if any(re.match(r"write\(2,.*INJECTED", told) for told in outcome.trace):
            assert (outcome.status, scene.stands()) == (0, scene.after), at  # only the talk was lost
            continue
        assert outcome.status == SYSTEM, f"{at}: {outcome.said}"
        assert re.match(r"(note: .*\n)*gate: error: .+\n", outcome.said), f"{at}: {outcome.said}"
        assert "Traceback" not in outcome.said, at
        assert scene.stands() in (scene.before, scene.after), at
