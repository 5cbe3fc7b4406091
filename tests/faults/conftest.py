"""What the tests of faults share: the real program in a process of its own, whole, forked, or under strace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import runstore

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
    """Call `gate` as a user does, in `tmp_path`; keywords are those of subprocess.run."""
    scratch = tmp_path_factory.mktemp("scratch")

    def call(*arguments: str | Path, program: Sequence[str] = ("-m", "runstore.cli.main"), **how: object):  # type: ignore[no-untyped-def]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **how}
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=tmp_path,
            env=environment(scratch),
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return call


def tree(place: Path) -> Tree | None:
    """Every file below a folder with its bytes (or the one file); None if nothing is there."""
    if not os.path.lexists(place):
        return None
    if place.is_file():
        return {"": place.read_bytes()}
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else b""
        for path in sorted(place.rglob("*"))
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
    """A server of forked calls; the test is skipped where strace is missing or may not trace."""
    if STRACE is None:
        pytest.skip("strace is not installed")
    if subprocess.run([STRACE, "-o", os.devnull, "true"], check=False, capture_output=True).returncode:
        pytest.skip("strace may not trace here")
    server = ForkedGate(tmp_path_factory.mktemp("forked"))
    yield server
    server.close()


@pytest.fixture(name="tree")
def _tree() -> Callable[[Path], Tree | None]:
    """The function `tree`."""
    return tree
