"""The life of a run: how it ends, runs in runs, several at once, two processes, a run that is taken up again."""

from __future__ import annotations

import asyncio
import fcntl
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import InvalidDataError, InvalidRunError, RunstoreError, StorageError, UsageError
from runstore.manifest import MetricDeclaration
from runstore.store.reader import Run, read_run
from runstore.tracking import ExperimentTracker, TrackedRun, TrackingConfig, create_tracker, recover
from runstore.tracking import journal as journals
from runstore.tracking.calls import Calls
from runstore.verification import verify
from tests.factories import files_of, unsynced
from tests.repositories import gate

PLACE = Path("experiments/default")
# Newer Pythons warn of forks beside other threads, of which the test runner has one.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with unsynced():
        yield


def forked(action: Callable[[], object]) -> int:
    """How a forked process ends that does something and then leaves: 0, 99 after an exception, negative by a signal."""
    process = os.fork()
    if not process:
        code = 99
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def opened(name: str = "run") -> Run:
    run = read_run(PLACE / name)
    verify(run)
    return run


def status(name: str = "run") -> str:
    return opened(name).manifest.status


def steps(name: str = "run") -> list[int | None]:
    return [point.step for point in opened(name).points()]


class CancelledError(BaseException):
    """Named as that of asyncio, which is known by its name."""


# How it ends.


def leave_by(block: Any, error: BaseException) -> None:
    with block as active:
        active.log_metrics({"m": 1})
        raise error


@pytest.mark.parametrize("of", ["tracker", "run"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no"), "failed"),
        (MemoryError(), "failed"),
        (SystemExit(1), "failed"),
        (SystemExit("text"), "failed"),
        (SystemExit(0), "completed"),
        (SystemExit(), "completed"),
        (KeyboardInterrupt(), "killed"),
        (CancelledError(), "killed"),
        (asyncio.CancelledError(), "killed"),
        (GeneratorExit(), "killed"),
    ],
    ids=repr,
)
def test_how_the_block_ends_is_the_status_and_the_exception_goes_on(
    of: str, error: BaseException, expected: str
) -> None:
    tracker = create_tracker("local")
    with pytest.raises(type(error)) as raised:
        leave_by(tracker if of == "tracker" else tracker.start_run(), error)
    assert (raised.value is error, status()) == (True, expected)


def test_a_block_that_ends_well_completes_its_run() -> None:
    with create_tracker("local") as tracker:
        tracker.log_metrics({"m": 1})
    assert status() == "completed"


def test_the_status_can_be_said_and_ending_again_is_nothing() -> None:
    run = create_tracker("local").start_run()
    first = run.end_run("failed")
    assert run.end_run("completed") == first
    assert status() == "failed"


def test_nothing_can_be_logged_after_the_end() -> None:
    tracker = create_tracker("local")
    run = tracker.start_run()
    Path("file").touch()
    run.end_run()
    before = files_of(run.path)
    calls: tuple[Callable[[], None], ...] = (
        lambda: run.log_metrics({"m": 1}),
        lambda: run.log_params({"a": 1}),
        lambda: run.log_artifact("file"),
        lambda: run.log_records([{"id": "a"}]),
        lambda: tracker.add_tag("a"),
    )
    for call in calls:
        with pytest.raises(UsageError, match=r"not open|no run is active"):
            call()
    assert files_of(run.path) == before


def test_sigterm_ends_the_block_as_killed_and_then_the_process_by_the_signal() -> None:
    def work() -> None:
        with create_tracker("local") as tracker:
            tracker.log_metrics({"m": 1}, 0)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)

    assert forked(work) == -signal.SIGTERM
    assert (status(), steps()) == ("killed", [0])


def test_a_handler_of_the_program_is_left_alone_and_ours_is_taken_away() -> None:
    def mine(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, mine)
    try:
        with create_tracker("local"):
            assert signal.getsignal(signal.SIGTERM) is mine
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with create_tracker("local"):
            assert signal.getsignal(signal.SIGTERM) not in (mine, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_that_cannot_be_finished_does_not_hide_the_exception_of_its_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = ValueError("mine")
    with monkeypatch.context() as patch:
        block = create_tracker("local").start_run()
        patch.setattr(Path, "rename", no_space)
        with pytest.raises(ValueError, match="mine"):
            leave_by(block, error)
    assert f"gate recover {PLACE}/run" in error.__notes__[0]
    assert recover(PLACE / "run").status == "failed"


def test_an_end_that_fails_loses_nothing_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_tracker("local").start_run()
    run.log_metrics({"m": 1}, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", no_space)
        patch.setattr(Path, "rename", no_space)
        with pytest.raises(StorageError, match="cannot finish the run: No space left on device"):
            run.end_run()
    run.log_metrics({"m": 2}, 1)
    run.end_run()
    assert (status(), steps()) == ("completed", [0, 1])


def no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_call_that_cannot_be_written_raises_leaves_nothing_of_itself_and_the_next_one_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = create_tracker("local").start_run()
    run.log_metrics({"m": 1}, 0)
    real = os.write

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) // 2])

    for how in (half_then_full, no_space):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", how)
            with pytest.raises(StorageError, match="cannot log: No space left on device"):
                run.log_metrics({"m": 2}, 1)
            with pytest.raises(StorageError, match="No space"):
                run.log_records([{"id": "a"}])
    run.log_metrics({"m": 3}, 2)
    run.log_records([{"id": "a"}])
    run.end_run()
    assert (steps(), opened().record_count) == ([0, 2], 1)


def test_half_a_line_that_cannot_be_taken_away_at_once_is_taken_away_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = create_tracker("local").start_run()
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", no_space)
        patch.setattr(
            os, "write", lambda descriptor, data: real(descriptor, data[:9]) if len(data) > 20 else no_space()
        )
        with pytest.raises(StorageError, match="cannot log"):
            run.log_metrics({"m": 1}, 0)
    run.log_metrics({"m": 2}, 1)
    assert (run.end_run().torn, steps()) == ((), [1])


def test_an_artifact_that_is_logged_and_has_not_got_its_name_yet_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_tracker("local").start_run()
    for data in (b"first", b"second"):
        Path("a.bin").write_bytes(data)
        with monkeypatch.context() as patch:
            if data == b"second":
                patch.setattr(Path, "replace", no_space)
                with pytest.raises(StorageError, match="cannot keep the artifact"):
                    run.log_artifact("a.bin")
            else:
                run.log_artifact("a.bin")
    assert run.end_run().torn == ()
    assert (run.path / "artifacts/a.bin").read_bytes() == b"second"
    opened()


# The working form.


def test_a_run_that_goes_on_says_so_to_every_command_and_is_ignored_by_git(tmp_path: Path) -> None:
    run = create_tracker("local").start_run()
    run.log_metrics({"m": 1}, 0)
    for words in (("show", run.path), ("validate", "experiments"), ("compare", run.path, run.path)):
        done = gate(tmp_path, *words)
        assert (done.code, "not finished" in done.text, "gate recover" in done.text) == (3, True, True), done.text
    assert (run.path / ".gitignore").read_bytes() == b"*\n"
    with pytest.raises(InvalidDataError, match="not finished"):
        read_run(run.path)
    run.end_run()
    assert sorted(files_of(run.path)) == [
        "manifest.json", "records.jsonl", "series.jsonl", "summary.json", "volatile/tracking.json"
    ]  # fmt: skip
    assert [path.name for path in PLACE.iterdir()] == ["run"]


def test_each_call_is_one_write_and_ten_thousand_of_them_flush_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    flushed: list[int] = []
    real = os.write
    run = create_tracker("local").start_run()

    def write(descriptor: int, data: bytes) -> int:
        written.append(len(data))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    for step in range(10_000):
        run.log_metrics({"loss": 0.5}, step)
    assert (len(written), flushed) == (10_000, [])
    assert sum(written) < 60 * 10_000


def test_what_was_logged_is_flushed_when_ten_seconds_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    run = create_tracker("local").start_run()
    monkeypatch.setattr(os, "fdatasync", flushed.append)
    now = time.monotonic()
    for seconds in (1, 9, 11, 12, 22, 23):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        run.log_metrics({"m": seconds})
    assert len(flushed) == 2


# Runs in runs.


def test_a_nested_run_is_linked_to_its_parent() -> None:
    tracker = create_tracker("local")
    with tracker.start_run("sweep") as outer:
        tracker.log_params({"folds": 2})
        for fold in range(2):
            with tracker.start_run(f"fold-{fold}", nested=True):
                tracker.log_params({"fold": fold})
                tracker.log_metrics({"acc": fold})
                with tracker.start_run("deep", nested=True):
                    tracker.log_metrics({"deep": 1})
        tracker.log_metrics({"best": 1})
    parents = {path.name: opened(path.name).manifest.identity.parent for path in sorted(PLACE.iterdir())}
    ids = {name: opened(name).manifest.run_id for name in parents}
    assert parents == {
        "sweep": None, "sweep.fold-0": ids["sweep"], "sweep.fold-0.deep": ids["sweep.fold-0"],
        "sweep.fold-1": ids["sweep"], "sweep.fold-1.deep": ids["sweep.fold-1"],
    }  # fmt: skip
    assert outer.run_id == ids["sweep"]
    assert [point.name for point in opened("sweep").points()] == ["best"]


def test_the_identity_of_a_parent_is_fixed_by_its_first_nested_run() -> None:
    tracker = create_tracker("local")
    with tracker.start_run("outer") as outer:
        tracker.log_params({"a": 1})
        with tracker.start_run("inner", nested=True):
            outer.log_params({"a": 1})
            with pytest.raises(UsageError, match="the param 'b' comes too late"):
                outer.log_params({"b": 2})
            with pytest.raises(UsageError, match="the data set 'd' comes too late"):
                outer.log_dataset("d", digest="x")
        outer.add_tag("best", "inner")
    assert opened("outer").manifest.identity.params == {"a": 1}


def test_a_second_run_is_nested_or_refused() -> None:
    tracker = create_tracker("local")
    with tracker.start_run("one"), pytest.raises(UsageError, match="the run one is active"):
        tracker.start_run("two")
    with tracker.start_run("two"):
        pass
    assert [status(name) for name in ("one", "two")] == ["completed", "completed"]


def test_nested_without_a_run_around_it_is_a_run_of_its_own() -> None:
    with create_tracker("local").start_run("alone", nested=True):
        pass
    assert opened("alone").manifest.identity.parent is None


def test_an_exception_ends_all_runs_of_its_block() -> None:
    tracker = create_tracker("local")
    tracker.start_run()
    tracker.start_run("inner", nested=True)
    with pytest.raises(ValueError, match="no"):
        leave_by(tracker, ValueError("no"))
    assert [status(name) for name in ("run", "run.inner")] == ["failed", "failed"]


# Several at once.


def test_eight_threads_log_to_one_run_and_nothing_is_lost() -> None:
    tracker = create_tracker("local")
    with tracker.start_run() as run:

        def work(number: int) -> None:
            for step in range(50):
                tracker.log_metrics({f"m{number}": step}, step)
                run.log_records([{"id": f"{number}-{step}", "scores": {"s": 1}}])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(steps()), opened().record_count) == (400, 400)


def test_threads_that_start_runs_of_their_own_do_not_meet() -> None:
    tracker = create_tracker("local")
    meet = threading.Barrier(4)

    def work(number: int) -> None:
        with tracker.start_run(run_id=f"t{number}"):
            meet.wait()
            tracker.log_params({"number": number})
            meet.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [opened(f"t{number}").manifest.identity.params for number in range(4)] == [{"number": n} for n in range(4)]


def test_a_thread_that_has_started_none_must_say_which_of_several_runs_it_means() -> None:
    tracker = create_tracker("local")
    runs: list[TrackedRun] = []
    for name in ("one", "two"):
        thread = threading.Thread(target=lambda name=name: runs.append(tracker.start_run(name)))
        thread.start()
        thread.join()
    with pytest.raises(UsageError, match="several runs are active, and this thread has started none: one, two"):
        tracker.log_metrics({"m": 1})
    for run in runs:
        run.end_run()


def test_tasks_that_start_runs_of_their_own_do_not_meet() -> None:
    tracker = create_tracker("local")

    async def work(number: int) -> None:
        with tracker.start_run(run_id=f"t{number}"):
            await asyncio.sleep(0)
            tracker.log_params({"number": number})
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*map(work, range(4)))

    asyncio.run(main())
    assert [opened(f"t{number}").manifest.identity.params for number in range(4)] == [{"number": n} for n in range(4)]


def test_a_process_that_was_forked_off_writes_nothing_and_ends_nothing() -> None:
    with create_tracker("local") as tracker:
        run = tracker.run
        tracker.log_metrics({"m": 1}, 0)

        def work() -> None:
            with pytest.raises(UsageError, match="not open in this process"):
                run.log_metrics({"m": 2}, 1)
            run.leave(None)
            tracker.__exit__(None, None, None)

        assert forked(work) == 0
        tracker.log_metrics({"m": 3}, 2)
    assert steps() == [0, 2]


def test_a_thread_that_logs_while_the_process_forks_leaves_no_lock_in_the_child() -> None:
    run = create_tracker("local").start_run()
    with run, ThreadPoolExecutor(1) as pool:
        held, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with run._journal.lock:
                held.set()
                leave.wait(30)

        def refused() -> None:
            with pytest.raises(UsageError, match="not open in this process"):
                run.log_params({"a": 1})

        holding = pool.submit(hold)
        held.wait(30)
        code = forked(refused)
        leave.set()
        holding.result()
        assert code == 0


def test_a_child_that_outlives_its_parent_holds_no_lock() -> None:
    ready, leave = os.pipe(), os.pipe()

    def wait() -> None:
        os.close(leave[1])
        os.write(ready[1], b"x")
        os.read(leave[0], 1)  # until the test ends, however it ends

    def work() -> None:
        run = create_tracker("local").start_run(run_id="r")
        run.log_metrics({"m": 1}, 0)
        threading.Thread(target=forked, args=(wait,), daemon=True).start()
        os.read(ready[0], 1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert forked(work) == -signal.SIGKILL
    assert recover(PLACE / "r").points == 1
    for descriptor in (*ready, *leave):
        os.close(descriptor)


# Two processes, and a run that is taken up again.


def killed(run_id: str = "r") -> Path:
    """A run whose process was killed after three calls."""

    def work() -> None:
        run = create_tracker("local", tags={"a": "b"}).start_run(run_id=run_id)
        run.log_params({"lr": 0.1})
        run.log_metrics({"m": 1}, 0)
        run.log_records([{"id": "a", "scores": {"s": 1}}])
        os.kill(os.getpid(), signal.SIGKILL)

    assert forked(work) == -signal.SIGKILL
    return PLACE / run_id


def in_a_process(action: Callable[[], object]) -> str:
    """The message of the error that an action in a process of its own ends with; empty if it ends well."""
    read, write = os.pipe()

    def work() -> None:
        try:
            action()
        except RunstoreError as error:
            os.write(write, str(error).encode())

    assert forked(work) == 0
    os.close(write)
    with os.fdopen(read) as file:
        return file.read()


@pytest.mark.parametrize("resume", [False, True])
def test_while_a_process_logs_a_run_another_is_refused(resume: bool) -> None:
    run = create_tracker("local").start_run(run_id="r")
    for action in (lambda: create_tracker("local").start_run(run_id="r", resume=resume), lambda: recover(PLACE / "r")):
        said = in_a_process(action)
        assert f"is being written by another process ({os.getpid()})" in said
    run.log_metrics({"m": 1}, 0)
    run.end_run()
    assert (status("r"), steps("r")) == ("completed", [0])


def test_who_has_taken_a_run_up_again_is_who_writes_it() -> None:
    killed()
    run = create_tracker("local").start_run(run_id="r", resume=True)
    assert f"another process ({os.getpid()})" in in_a_process(lambda: recover(PLACE / "r"))
    run.end_run()


def test_a_run_that_was_killed_is_refused_without_resume_and_says_what_to_do() -> None:
    killed()
    with pytest.raises(UsageError, match="begun and not finished") as refused:
        create_tracker("local").start_run(run_id="r")
    assert "resume=True" in refused.value.hint
    assert "gate recover" in refused.value.hint
    assert recover(PLACE / "r").status == "killed"


def test_a_run_that_was_killed_goes_on_when_asked_to() -> None:
    killed()
    with create_tracker("local", tags={"a": "c"}).start_run(run_id="r", resume=True) as run:
        run.log_params({"lr": 0.1})
        with pytest.raises(UsageError, match=r"'lr' is 0\.1, and is to become 0\.2"):
            run.log_params({"lr": 0.2})
        run.log_metrics({"m": 2}, 1)
        run.log_records([{"id": "a", "scores": {"s": 1}}, {"id": "b"}])
        with pytest.raises(InvalidRunError, match="another record"):
            run.log_records([{"id": "a"}])
    made = opened("r")
    assert (made.manifest.status, made.manifest.provenance.attempt, made.manifest.tags) == ("completed", 2, {"a": "c"})
    assert (steps("r"), made.record_count) == ([0, 1], 2)


def test_resume_begins_a_run_that_is_not_there() -> None:
    with create_tracker("local").start_run(run_id="r", resume=True):
        pass
    assert opened("r").manifest.provenance.attempt is None


def test_resume_needs_to_know_which_run() -> None:
    with pytest.raises(UsageError, match="which run is to go on"):
        create_tracker("local").start_run("name", resume=True)


def test_another_run_is_not_taken_up_under_the_same_id() -> None:
    killed()
    with pytest.raises(UsageError, match=r"the suite of .* is 'default', not 'other'"):
        create_tracker("local", experiment_name="other").start_run(run_id="r", resume=True)
    assert recover(PLACE / "r").points == 1


def test_a_torn_last_line_is_passed_over_named_and_kept(tmp_path: Path) -> None:
    torn = b'{"op":"metrics","step":1,"val'
    for how in ("recover", "resume"):
        place = killed(how)
        with (place / journals.FILE).open("ab") as file:
            file.write(torn)
        if how == "recover":
            done = gate(tmp_path, "recover", "experiments")
            assert done.code == 0
            assert "line 6 of its journal, 29 bytes" in done.text
        else:
            with create_tracker("local", tags={"a": "b"}).start_run(run_id=how, resume=True) as run:
                run.log_metrics({"m": 2}, 2)
        assert steps(how) == [0] if how == "recover" else [0, 2]
        assert torn.decode() in (place / "volatile/torn.json").read_text().replace("\\", "")
        origin: Any = opened(how).manifest.origin
        assert origin["tracking"]["torn"] == 1


def test_lines_that_the_disk_lost_are_named_and_the_whole_ones_kept() -> None:
    place = killed()
    lines = (place / journals.FILE).read_bytes().splitlines(keepends=True)
    lines[2:3] = [b"\0" * 40 + b"\n"]
    (place / journals.FILE).write_bytes(b"".join(lines))
    done = recover(place)
    assert (done.points, done.records, done.torn) == (1, 1, ("line 3 of its journal, 41 bytes",))


def test_an_artifact_that_the_disk_lost_is_named_and_what_is_there_is_kept() -> None:
    Path("a.bin").write_bytes(b"whole")
    run = create_tracker("local").start_run()
    run.log_artifact("a.bin")
    run.log_artifact("a.bin", "b.bin")
    (run.path / "artifacts/a.bin").write_bytes(b"\0\0")
    (run.path / "artifacts/b.bin").unlink()
    assert run.end_run().torn == ("the artifact a.bin", "the artifact b.bin")
    assert (run.path / "volatile/torn/a.bin").read_bytes() == b"\0\0"
    assert opened().manifest.files.keys() == {"records.jsonl", "summary.json"}


@pytest.mark.parametrize(
    "lines",
    [b"", b"torn", b'{"op":"tag","name":"a","value":"b"}\n', b'{"op":"start","journal":9}\n', b'{"op":"later"}\n'],
)
def test_a_journal_that_tells_of_no_run_is_refused_and_stays(lines: bytes) -> None:
    place = killed()
    (place / journals.FILE).write_bytes(lines)
    with pytest.raises(InvalidDataError, match="journal"):
        recover(place)
    assert (place / journals.FILE).read_bytes() == lines


def test_a_journal_behind_a_link_is_no_journal(tmp_path: Path) -> None:
    place = killed()
    (place / journals.FILE).rename(tmp_path / "elsewhere")
    (place / journals.FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidRunError, match="not an unfinished run"):
        recover(place)


def test_a_run_that_ended_while_another_process_waited_for_it_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    place = killed()
    real = fcntl.flock

    def slow(descriptor: int, how: int) -> None:
        real(descriptor, how)
        (place / journals.FILE).unlink()

    monkeypatch.setattr(fcntl, "flock", slow)
    with pytest.raises(UsageError, match="finished by another process meanwhile"):
        recover(place)


# The command.


def test_recover_finishes_all_that_a_folder_holds_and_leaves_what_lives(tmp_path: Path) -> None:
    killed("a")
    killed("b")
    living = create_tracker("local").start_run(run_id="c")
    done = gate(tmp_path, "recover", "experiments")
    assert done.code == 2
    assert done.out.splitlines() == [
        f"recovered  {PLACE}/{name}  1 point, 1 record, 0 artifacts; status killed" for name in "ab"
    ]
    assert "being written" in done.err
    living.end_run()
    again = gate(tmp_path, "recover", "experiments")
    assert (again.code, again.out) == (0, "finished   experiments  nothing to recover\n")
    assert gate(tmp_path, "validate", "experiments").code == 0


def test_a_run_that_was_killed_while_it_ended_has_the_status_that_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_tracker("local").start_run(run_id="r")
    with monkeypatch.context() as patch:
        patch.setattr("runstore.tracking.finishing.finish", no_space)
        with pytest.raises(OSError, match="No space"):
            run.end_run("completed")
    run.abandon()
    assert recover(PLACE / "r").status == "completed"


@pytest.mark.parametrize("place", ["nowhere", "empty", "file"])
def test_recover_says_what_is_no_run(tmp_path: Path, place: str) -> None:
    Path("empty").mkdir()
    Path("file").touch()
    done = gate(tmp_path, "recover", place)
    assert (done.code, "gate: error" in done.err) == (2, True)


def test_a_tag_with_an_escape_never_reaches_the_terminal(tmp_path: Path) -> None:
    place = killed()
    odd = place.with_name("r\x1b[31m")
    place.rename(odd)
    done = gate(tmp_path, "recover", odd)
    assert (done.code, "\x1b" in done.out + done.err) == (0, False)


# Choosing a tracker.


def test_an_unknown_setting_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no setting 'log_artifact'") as refused:
        create_tracker("local", log_artifact=True)
    assert refused.value.hint == "did you mean log_artifacts?"


@pytest.mark.parametrize("kind", ["nonesuch"])
def test_a_backend_that_is_not_installed_is_one_clear_error_at_creation(kind: str) -> None:
    with pytest.raises(UsageError, match=f"no live mirror to '{kind}' is installed") as refused:
        create_tracker(kind)
    assert "there are mlflow, tensorboard, wandb; " in refused.value.hint
    assert not Path("experiments").exists()


def test_a_call_without_a_run_says_how_to_start_one() -> None:
    with pytest.raises(UsageError, match="no run is active") as refused:
        ExperimentTracker().log_metrics({"m": math.pi})
    assert "start_run" in refused.value.hint


def test_declarations_of_the_settings_hold_for_every_run() -> None:
    share = MetricDeclaration(range=(0, 1))
    tracker = create_tracker("local", metrics={"acc": share})
    for _ in range(2):
        with tracker as active, pytest.raises(InvalidDataError, match="outside"):
            active.log_metrics({"acc": 2})
    assert opened("run-2").manifest.metrics == {"acc": share}


def test_importing_the_tracker_loads_no_command_no_template_and_no_schema() -> None:
    import subprocess  # noqa: PLC0415  # only here

    program = (
        "import runstore.tracking, sys; print(*sorted({'click', 'jinja2', 'jsonschema', 'asyncio'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_the_program_of_the_page_makes_the_run_that_it_names() -> None:
    page = Path(__file__).resolve().parents[2] / "docs/tracking.md"
    block = re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    exec(block[1], {})  # our own page
    made = read_run("experiments/demo/run")
    verify(made)
    assert (len(list(made.points())), made.record_count) == (100, 1)


def test_the_page_tells_every_setting_and_every_call() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/tracking.md").read_text(encoding="utf-8")
    settings = {field.name for field in fields(TrackingConfig)}
    calls = {name for name in vars(Calls) if not name.startswith("_")} - {"run"}
    assert {name for name in settings | calls if f"`{name}" not in page} == set()
