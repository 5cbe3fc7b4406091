"""What the tests of faults share: the real program in a process of its own, whole or forked under strace, and scenes.

A scene is one command that writes, played again and again from the same start.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import runstore
from runstore import shards
from runstore.accepting.refusals import CI_VARIABLES
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

TIMEOUT_S = 30
SOURCE = Path(runstore.__file__).parents[1]
STRACE = shutil.which("strace")

Tree = dict[str, bytes]


def environment(scratch: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "RUNSTORE_CACHE_DIR": str(scratch / "cache"),
        "TMPDIR": str(scratch),
        "COLUMNS": "100",
    }


Gate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def gate(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """Call `gate` as a user does, in `tmp_path`, with `variables` of the environment, after `before` in the process."""
    scratch = tmp_path_factory.mktemp("scratch")

    def call(
        *arguments: str | Path,
        program: Sequence[str] = ("-m", "runstore.cli.main"),
        variables: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        stdout: int | None = subprocess.PIPE,
        timeout_s: float = TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=tmp_path,
            env={**environment(scratch), **(variables or {})},
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=before,
        )

    return call


def tree(place: Path) -> Tree | None:
    """Every file below a folder with its bytes (or the one file); None if nothing is there."""
    if not os.path.lexists(place):
        return None
    if place.is_file():
        return {"": place.read_bytes()}
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else b"" for path in sorted(place.rglob("*"))
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a forked call ended: its exit status (negative for a signal), what it said, what strace saw."""

    status: int
    said: str
    trace: list[str]


class ForkedGate:
    """Calls of `gate` that cost a fork, and are traced from their first instruction of their own."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._server = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forked_gate.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(scratch),
            text=True,
        )

    def call(
        self,
        argv: Sequence[str],
        cwd: Path,
        *,
        strace: Sequence[str] = (),
        shard_bytes: int = 32 * 1024 * 1024,
        warm_up: bool = False,
    ) -> Outcome:
        """Call `gate` in a folder; with `strace`, trace it with these arguments."""
        log, trace = self._scratch / "said", self._scratch / "trace"
        trace.unlink(missing_ok=True)
        job = {"argv": argv, "cwd": str(cwd), "log": str(log), "shard_bytes": shard_bytes, "warm_up": warm_up}
        process = self._exchange(json.dumps(job))
        tracer = _attached([*strace, "-o", str(trace)], process) if strace else None
        status = self._exchange("go")
        if tracer is not None:
            tracer.communicate(timeout=TIMEOUT_S)
        said = log.read_text() if log.exists() else ""
        return Outcome(status=status, said=said, trace=trace.read_text().splitlines() if trace.exists() else [])

    def _exchange(self, line: str) -> int:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(f"{line}\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        self._server.communicate(timeout=TIMEOUT_S)
        assert self._server.returncode == 0


def _attached(arguments: Sequence[str], process: int) -> subprocess.Popen[str]:
    assert STRACE is not None
    tracer = subprocess.Popen([STRACE, *arguments, "-p", str(process)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    first = tracer.stderr.readline()
    assert re.match(r".*rocess \d+ attached", first), first
    return tracer


@pytest.fixture(scope="session")
def forked_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedGate]:
    """A server of forked calls that are no calls of a CI service; skipped where strace is missing or may not trace."""
    if STRACE is None:
        pytest.skip("strace is not installed")
    if subprocess.run([STRACE, "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace may not trace here")
    with pytest.MonkeyPatch.context() as patch:
        for name in CI_VARIABLES:
            patch.delenv(name, raising=False)
        server = ForkedGate(tmp_path_factory.mktemp("forked"))
    yield server
    server.close()


@pytest.fixture(name="tree")
def _tree() -> Callable[[Path], Tree | None]:
    """The function `tree`."""
    return tree


FAIL, EXISTS = 1, 2
CHANGING = ("write", "fsync", "fdatasync", "rename", "renameat2", "mkdir", "openat", "chmod", "unlink", "unlinkat",
            "rmdir")  # fmt: skip
IMPORT = ("import", "results.jsonl", "--score", "f1", "-o", "place/run")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A command that writes `place/run` (or another target), and what stands there before."""

    argv: Sequence[str]
    before: Callable[[Path], None]
    target: str = "place/run"
    shard_bytes: int = 32 * 1024 * 1024
    done: int = 0
    """The exit code of success."""
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


def an_old_report(folder: Path) -> None:
    for side, score in (("baseline", 1), ("current", 0)):
        if not (folder / side).exists():
            with RunWriter(folder / side, metrics={"f1": MetricDeclaration()}) as run:
                run.append({"id": "q", "scores": {"f1": score}})
    (folder / "place/report.html").write_text("old\n")


CASES = {
    "import": Case(argv=IMPORT, before=nothing, again=EXISTS),
    "import in shards": Case(argv=IMPORT, before=nothing, again=EXISTS, shard_bytes=500),
    "import over an old run": Case(argv=(*IMPORT, "--replace"), before=an_old_run),
    "write all there is": Case(argv=("write", "place/run"), before=nothing, again=EXISTS),
    "write all there is over an old run": Case(argv=("write", "place/run", "--replace"), before=an_old_run),
    "fmt": Case(argv=("fmt", "place/run"), before=a_loose_run),
    "report": Case(
        argv=("compare", "baseline", "current", "--no-cache", "--format", "html:place/report.html"),
        before=an_old_report,
        target="place/report.html",
        done=FAIL,
        again=FAIL,
    ),
}


class Scene:
    """A folder in which one case is played again and again from the same start."""

    def __init__(self, folder: Path, case: Case, forked_gate: ForkedGate) -> None:
        self.place = folder / "place"
        self.case = case
        self.target = folder / case.target
        self.folder = folder
        self._gate = forked_gate
        self._start = folder / "start"
        self._prepare()
        self.before = tree(self.target)
        self.call(warm_up=True)
        trace = self.traced("-e", f"trace={','.join(CHANGING)}")
        self.after = tree(self.target)
        self.calls = [(name[1], line) for line in trace if (name := re.match(r"(\w+)\(", line))]

    def _prepare(self) -> None:
        lines = [{"id": f"q{number}", "output": "x" * 40, "f1": number % 2} for number in range(30)]
        (self.folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
        self.place.mkdir()
        self.case.before(self.folder)
        shutil.copytree(self.place, self._start)

    def set_up(self) -> None:
        shutil.rmtree(self.place)
        shutil.copytree(self._start, self.place)

    def traced(self, *strace: str) -> list[str]:
        """What strace says of an undisturbed run."""
        self.set_up()
        outcome = self.call(*strace)
        assert outcome.status == self.case.done, outcome.said
        return outcome.trace

    def call(self, *strace: str, warm_up: bool = False) -> Outcome:
        return self._gate.call(
            self.case.argv, self.folder, strace=strace, shard_bytes=self.case.shard_bytes, warm_up=warm_up
        )

    def disturbed(self, *injections: str) -> Outcome:
        """Play it with system calls disturbed, each as `NAME:HOW:when=NUMBER`."""
        self.set_up()
        names = ",".join(injection.partition(":")[0] for injection in injections)
        return self.call("-e", f"trace={names}", *(part for one in injections for part in ("-e", f"inject={one}")))

    def stands(self) -> Tree | None:
        return tree(self.target)

    def siblings(self) -> list[str]:
        return sorted(path.name for path in self.place.iterdir() if path != self.target)

    def each_call(self) -> Iterator[tuple[str, int, str]]:
        """Name, number among those of its name, and line of each call of the undisturbed run."""
        numbers: Counter[str] = Counter()
        for name, line in self.calls:
            numbers[name] += 1
            yield name, numbers[name], line

    def each_failure(self, error: str, names: Sequence[str] | None = None) -> Iterator[tuple[str, str]]:
        """An injection for each call, of these names if any are given, that did not fail by itself; and where it is."""
        for name, number, line in self.each_call():
            if (not names or name in names) and " = -1 " not in line:
                yield f"{name}:error={error}:when={number}", f"{name} {number}, which was {line}"


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def scene(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    forked_gate: ForkedGate,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    case = CASES[request.param]
    monkeypatch.setattr(shards, "SHARDED_ABOVE", case.shard_bytes)
    monkeypatch.setattr(shards, "_TARGET_BYTES", case.shard_bytes)
    return Scene(tmp_path, case, forked_gate)
