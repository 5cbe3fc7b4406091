"""A process that tracks is killed, after each call and at each system call of its end: nothing that was logged is lost.

What is recovered is compared, byte for byte, with a run that logged the same calls and was ended as killed.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from runstore.errors import StorageError
from runstore.store.reader import read_run
from runstore.tracking import create_tracker, recover
from runstore.tracking import journal as journals
from runstore.tracking.unfinished import is_unfinished
from runstore.verification import verify
from tests.factories import files_of, unsynced
from tests.faults.conftest import STRACE, environment
from tests.faults.tracked_script import calls, log_and_die

PROGRAM = Path(__file__).with_name("tracked_script.py")
COUNT = 18


pytestmark = [
    pytest.mark.filterwarnings("ignore::runstore.tracking.TrackingWarning"),
    # Newer Pythons warn of forks beside other threads, of which the test runner has one.
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _fast() -> Iterator[None]:
    with unsynced():
        yield


def prepared(folder: Path) -> Path:
    (folder / "source").mkdir(parents=True)
    (folder / "source/data.txt").write_text("data\n")
    return folder


def canonical_files(run: Path) -> Mapping[str, bytes]:
    """All but the clock; measures are logged, so they count."""
    return {path: data for path, data in files_of(run).items() if path != "volatile/tracking.json"}


def ended(folder: Path, count: int) -> Mapping[str, bytes]:
    """The run of so many calls, ended as killed by a process that lives."""
    run = create_tracker("local", root=prepared(folder)).start_run(run_id="r")
    made = calls(run, folder / "source/data.txt")
    assert len(made) == COUNT
    for call in made[:count]:
        call()
    run.end_run("killed")
    return canonical_files(run.path)


def script(folder: Path, count: int, *before: str) -> int:
    """Run the script in a process of its own; how it ended, negative for a signal."""
    done = subprocess.run(
        [*before, sys.executable, PROGRAM, folder, str(count)], env=environment(folder), check=False, timeout=60
    )
    return done.returncode


def test_killed_after_any_call_exactly_what_was_logged_before_is_recovered(tmp_path: Path) -> None:
    for count in range(COUNT + 1):
        folder = prepared(tmp_path / f"killed-{count}")
        process = os.fork()
        if not process:
            try:
                log_and_die(folder, count)
            finally:
                os._exit(99)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
        place = folder / "default/r"
        with pytest.raises(Exception, match="not finished"):
            read_run(place)
        assert recover(place).status == "killed"
        verify(read_run(place))
        assert canonical_files(place) == ended(tmp_path / f"ended-{count}", count), count
        assert [path.name for path in place.parent.iterdir()] == ["r"], count


def test_a_full_disk_is_an_error_at_the_call_and_costs_that_call_alone(tmp_path: Path) -> None:
    run = create_tracker("local", root=tmp_path).start_run()
    run.log_metrics({"m": 1}, 0)
    size = (run.path / journals.FILE).stat().st_size
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, limit[1]))
        with pytest.raises(StorageError, match="cannot log: File too large"):
            run.log_metrics({"m": 2}, 1)
        (tmp_path / "big").touch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    run.log_metrics({"m": 3}, 2)
    run.end_run()
    assert [point.step for point in read_run(run.path).points()] == [0, 2]


CHANGING = "write,pwrite64,fsync,fdatasync,rename,renameat2,mkdir,openat,chmod,ftruncate,unlink,unlinkat,rmdir"


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_killed_at_any_system_call_of_recovering_nothing_is_lost(tmp_path: Path) -> None:
    expected = ended(tmp_path / "ended", COUNT)
    folder = prepared(tmp_path / "first")
    assert script(folder, COUNT) == -signal.SIGKILL
    start = tmp_path / "start"
    (folder / "default").rename(start)
    program = "import sys; from runstore.tracking import recover; recover(sys.argv[1])"
    command = [sys.executable, "-c", program]
    place = tmp_path / "work/r"

    def play(*strace: str) -> int:
        subprocess.run(["rm", "-rf", str(tmp_path / "work")], check=True)
        subprocess.run(["cp", "-a", str(start), str(tmp_path / "work")], check=True)
        done = subprocess.run([str(STRACE), *strace, *command, str(place)], env=environment(tmp_path), check=False)
        return done.returncode

    log = tmp_path / "trace"
    assert play("-y", "-o", str(log), "-e", f"trace={CHANGING}") == 0
    numbers: dict[str, int] = {}
    points = []
    for line in log.read_text().splitlines():
        if found := re.match(r"(\w+)\(", line):
            numbers[found[1]] = numbers.get(found[1], 0) + 1
            if "/work" in line:
                points.append((found[1], numbers[found[1]]))
    assert {"write", "fsync", "openat", "mkdir"} <= {name for name, _ in points}
    for name, number in points:
        play("-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={number}")
        if is_unfinished(place):  # else the finished run had taken its place already
            recover(place)
        verify(read_run(place))
        assert canonical_files(place) == expected, (name, number)
