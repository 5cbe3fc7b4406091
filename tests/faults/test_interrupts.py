"""Ctrl-C while something long is going on: exit 130, no process left, nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from runstore import shards
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter
from tests.command_line import heeds_interrupts

INTERRUPTED, SYSTEM = 130, 74
WITHIN_S = 30
SHARD_BYTES, RECORDS, PROCESSES = 2000, 400, 3

SPREAD = f"""
import os, time
from pathlib import Path
from runstore import parallel, shards
from runstore.cli.main import main
shards.SHARDED_ABOVE = shards._TARGET_BYTES = {SHARD_BYTES}
parallel._SPREAD_FROM_BYTES = 0
parallel._processors = lambda: {PROCESSES}
parent, join = os.getpid(), parallel._join
def work(*arguments):
    Path(f"at-work-{{os.getpid()}}").touch()
    WORK
    return join(*arguments)
parallel._join = work
main()
"""
"""`gate` with its join spread over processes; WORK stands for what each does first."""


@pytest.fixture
def sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sharded runs `baseline` and `current`, which differ in every record."""
    monkeypatch.setattr(shards, "SHARDED_ABOVE", SHARD_BYTES)
    monkeypatch.setattr(shards, "_TARGET_BYTES", SHARD_BYTES)
    for name, score in (("baseline", 1), ("current", 0)):
        with RunWriter(tmp_path / name, metrics={"f1": MetricDeclaration()}) as run:
            for number in range(RECORDS):
                run.append({"id": f"q{number}", "scores": {"f1": score}, "output": f"{name}{'x' * 200}"})


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python with these arguments, the leader of a process group of its own, as a shell starts it."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "RUNSTORE_CACHE_DIR": str(folder / "cache"),
    }
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heeds_interrupts,  # noqa: PLW1509  # no threads here
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def at_work(folder: Path) -> list[int]:
    return [int(path.name.rpartition("-")[2]) for path in folder.glob("at-work-*")]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def spread(folder: Path, work: str) -> Iterator[subprocess.Popen[str]]:
    """A comparison of which every process is at its work."""
    with started(folder, "-c", SPREAD.replace("WORK", work), "compare", "baseline", "current") as process:
        wait_for(lambda: len(at_work(folder)) == PROCESSES)
        yield process


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "one-process"])
def test_a_spread_comparison_is_interrupted_with_all_its_workers(
    tmp_path: Path, sharded: None, whole_group: bool
) -> None:
    with spread(tmp_path, "time.sleep(60)") as process:
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        said = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, *said) == (INTERRUPTED, "", "gate: error: interrupted\n")
        assert [one for one in at_work(tmp_path) if alive(one)] == []


def test_a_killed_worker_is_74_and_takes_the_others_along(tmp_path: Path, sharded: None) -> None:
    with spread(tmp_path, "if os.getpid() != parent: time.sleep(60)") as process:
        os.kill(min(one for one in at_work(tmp_path) if one != process.pid), signal.SIGKILL)
        said = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, said[0]) == (SYSTEM, "")
        assert said[1].startswith("gate: error: a worker process was killed\n")
        assert [one for one in at_work(tmp_path) if alive(one)] == []


def test_a_worker_with_much_to_say_does_not_keep_a_parent_that_has_failed(tmp_path: Path, sharded: None) -> None:
    work = """if os.getpid() == parent:
        time.sleep(1)
        raise OSError(5, "Input/output error")
    return parallel._Share(bytes(1_000_000), {})
"""
    with spread(tmp_path, work) as process:
        said = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, *said) == (SYSTEM, "", "gate: error: Input/output error\n")
        assert [one for one in at_work(tmp_path) if alive(one)] == []


@pytest.mark.parametrize("how", ["terminal", "one-process"])
def test_an_interrupted_import_leaves_nothing(tmp_path: Path, how: str) -> None:
    os.mkfifo(tmp_path / "source.jsonl")
    arguments = ("-m", "runstore.cli.main", "import", "source.jsonl", "--score", "f1", "-o", "place/run")
    with started(tmp_path, *arguments) as process, open(tmp_path / "source.jsonl", "wb", buffering=0) as source:
        source.write(b'{"id":"q1","f1":1}\n')
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        said = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, *said) == (INTERRUPTED, "", "gate: error: interrupted\n")
    assert not (tmp_path / "place").exists() or list((tmp_path / "place").iterdir()) == []
