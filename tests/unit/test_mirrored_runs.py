"""A run that was mirrored live and is exported afterwards is one run at the backend, whole, whatever went wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runstore.exporters import Export, export
from runstore.exporters.budget import Deadline
from runstore.exporters.mlflow.rest import Server
from runstore.exporters.tensorboard import events
from runstore.exporters.tensorboard.folder import LIVE_FILE
from runstore.tracking import ExperimentTracker, TrackingWarning, create_tracker, recover
from tests.command_line import environment
from tests.factories import unsynced
from tests.mlflow_servers import faulty_way, real_mlflow, small_mlflow
from tests.wandb_server import ENTITY, Trouble, wandb_server

SCRIPT = """
import os, sys
from runstore.tracking import create_tracker
backend, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
tracker = create_tracker(backend, options={"target": target})
run = tracker.start_run(run_id="r")
run.log_params({"lr": 0.1, "zqrate": 1})
run.add_tag("team", "qa")
for step in range(count):
    run.log_metrics({"loss": 1 / (step + 1)}, step)
sys.stdin.readline()
"""
"""Logs so much and then waits, to be killed."""


@dataclass(kw_only=True)
class Backend:
    """A backend on this machine, what it has, and the way to break it."""

    name: str
    target: str
    env: Mapping[str, str]
    runs: Callable[[], list[Any]]
    """The runs that it shows."""
    points: Callable[[], int]
    """The points of `loss` that it shows, of all runs."""
    break_it: Callable[[], None]
    mend: Callable[[], None]
    holdings: Callable[[str], str]
    """All that it has of a run, as a text."""
    silence: Callable[[], None] | None = None

    def tracker(self, **settings: Any) -> ExperimentTracker:
        return create_tracker(self.name, options={"target": self.target}, **settings)

    def export(self, **asked: Any) -> Export:
        return export("experiments/default/r", to=self.name, target=self.target, environment=self.env, **asked)


def _wandb(stack: ExitStack, tmp_path: Path) -> Backend:
    server = stack.enter_context(wandb_server())

    def fail(trouble: Trouble | None) -> None:
        server.trouble = lambda request, number: trouble

    return Backend(
        name="wandb",
        target=f"{ENTITY}/qa",
        env=server.environment,
        runs=lambda: list(server.runs.values()),
        points=lambda: sum("loss" in line for run in server.runs.values() for line in run.lines.values()),
        break_it=lambda: fail(403),
        mend=lambda: fail(None),
        holdings=lambda name: repr(server.runs[ENTITY, "qa", name.rpartition("/")[2]]),
        silence=lambda: fail("hang"),
    )


def _mlflow(stack: ExitStack, tmp_path: Path) -> Backend:
    server, app = stack.enter_context(small_mlflow())
    address, way = stack.enter_context(faulty_way(server))

    def fail(fault: str | int) -> None:
        way.choose = lambda number, method, path: fault

    return Backend(
        name="mlflow",
        target=address,
        env={},
        runs=app.living,
        points=lambda: sum(point["key"] == "loss" for run in app.living() for point in run["points"]),
        break_it=lambda: fail(403),
        mend=lambda: fail("pass"),
        holdings=lambda name: repr([run for run in app.living() if run["id"] == name]),
        silence=lambda: fail("hang"),
    )


def _all_runs(place: str, experiment: str) -> list[Any]:
    """The runs of an experiment that were not deleted."""
    body = json.dumps({"experiment_ids": [experiment], "max_results": 100}).encode()
    asked = urllib.request.Request(
        f"{place}/api/2.0/mlflow/runs/search", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.loads(answer.read()).get("runs", [])  # type: ignore[no-any-return]


def _real_mlflow(stack: ExitStack, tmp_path: Path, place: str) -> Backend:
    """MLflow's own server, at an experiment of the test's own."""
    address, way = stack.enter_context(faulty_way(place))
    experiment = tmp_path.name

    def fail(fault: str | int) -> None:
        way.choose = lambda number, method, path: fault

    def runs() -> list[Any]:
        with Server(place, {}, Deadline(30)) as server:
            found = server.find_experiment(experiment)
            return [] if found is None else _all_runs(place, found)

    def points() -> int:
        with Server(place, {}, Deadline(30)) as server:
            return sum(len(list(server.history(run["info"]["run_id"], "loss"))) for run in runs())

    return Backend(
        name="mlflow",
        target=f"{address}#{experiment}",
        env={},
        runs=runs,
        points=points,
        break_it=lambda: fail(403),
        mend=lambda: fail("pass"),
        holdings=lambda name: repr([run for run in runs() if run["info"]["run_id"] == name]),
        silence=lambda: fail("hang"),
    )


def _tensorboard(stack: ExitStack, tmp_path: Path) -> Backend:
    logs, away = tmp_path / "logs", tmp_path / "away"

    def break_it() -> None:
        logs.rename(away)
        logs.write_text("a file stands in the way")

    def mend() -> None:
        logs.unlink()
        away.rename(logs)

    def points() -> int:
        files = list(logs.rglob("events.out.tfevents.0.*"))
        return sum(len(events.read(file.read_bytes()).scalars.get("loss", ())) for file in files)

    return Backend(
        name="tensorboard",
        target=str(logs),
        env={},
        runs=lambda: sorted({file.parent for file in logs.rglob("*tfevents*")}),
        points=points,
        break_it=break_it,
        mend=mend,
        holdings=lambda name: "".join(
            file.read_bytes().decode(errors="replace") for file in logs.rglob("*") if file.is_file()
        ),
    )


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


_WITHOUT = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `servers` brings MLflow")
REAL = pytest.param(_real_mlflow, id="real-mlflow", marks=[pytest.mark.server, _WITHOUT])
NAMED = [pytest.param(make, id=make.__name__.strip("_")) for make in (_mlflow, _tensorboard, _wandb)]


@pytest.fixture(params=[*NAMED, REAL])
def backend(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_"))]:
        monkeypatch.delenv(name)
    with ExitStack() as stack, unsynced():
        more = [request.getfixturevalue("mlflow_server")] if request.param is _real_mlflow else []
        made: Backend = request.param(stack, tmp_path, *more)
        made.env = {**made.env, "RUNSTORE_EXPORTS_DIR": str(tmp_path / "ledger")}
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        yield made


def log(tracker: ExperimentTracker, count: int = 20) -> None:
    tracker.log_params({"lr": 0.1})
    tracker.add_tag("team", "qa")
    for step in range(count):
        tracker.log_metrics({"loss": 1 / (step + 1)}, step)
    tracker.log_records([{"id": "q", "scores": {"acc": 1}}])


def check_one_whole_run(backend: Backend, *, created: bool) -> None:
    """Export the run: then it is the only one, equal to its plan, and exporting it again makes none."""
    done = backend.export(verify=True)
    assert (done.differences, done.receipt is not None and done.receipt.created) == ([], created)
    assert len(backend.runs()) == 1
    again = backend.export(verify=True)
    assert (again.differences, again.receipt is not None and again.receipt.created) == ([], False)
    assert len(backend.runs()) == 1


def killed(backend: Backend, tmp_path: Path, count: int) -> None:
    """A run that was logged live by another process, which was killed when the backend had so many points."""
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, backend.name, backend.target, str(count)],
        env=environment(tmp_path, backend.env),
        stdin=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 30
        while backend.points() < count and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert (backend.points(), len(backend.runs())) == (count, 1)


def test_a_run_that_was_mirrored_whole_is_one_run_after_its_export(backend: Backend) -> None:
    tracker = backend.tracker()
    with tracker.start_run(run_id="r"):
        log(tracker)
    assert len(backend.runs()) == 1
    check_one_whole_run(backend, created=False)


def test_a_backend_that_fails_in_mid_run_costs_a_warning_and_the_export_catches_up(backend: Backend) -> None:
    tracker = backend.tracker()
    warned = pytest.warns(TrackingWarning, match="the run itself is whole, and an export catches up")
    with warned, tracker.start_run(run_id="r"):
        tracker.log_metrics({"loss": 1.0}, 0)
        wait_for(lambda: backend.points() == 1)
        backend.break_it()
        log(tracker)
    backend.mend()
    assert len(backend.runs()) == 1
    check_one_whole_run(backend, created=True)


def test_a_backend_that_falls_silent_costs_the_end_of_the_run_its_time_limit_and_the_export_catches_up(
    backend: Backend,
) -> None:
    if backend.silence is None:
        pytest.skip("a folder does not fall silent")
    tracker = backend.tracker(timeout_s=0.3)
    warned = pytest.warns(TrackingWarning, match="it did not answer in time")
    with warned, tracker.start_run(run_id="r"):
        tracker.log_metrics({"loss": 1.0}, 0)
        wait_for(lambda: backend.points() == 1)
        backend.silence()
        log(tracker)
    backend.mend()
    check_one_whole_run(backend, created=True)


def test_a_backend_that_is_down_all_the_time_gets_one_run_by_the_export(backend: Backend) -> None:
    tracker = backend.tracker()
    Path("logs").mkdir(exist_ok=True)
    backend.break_it()
    with pytest.warns(TrackingWarning, match="an export catches up"), tracker.start_run(run_id="r"):
        log(tracker)
    backend.mend()
    assert backend.runs() == []
    check_one_whole_run(backend, created=True)


def test_a_run_whose_process_was_killed_is_recovered_and_its_export_completes_the_live_run(
    backend: Backend, tmp_path: Path
) -> None:
    killed(backend, tmp_path, 7)
    recover("experiments/default/r")
    check_one_whole_run(backend, created=True)


def test_a_resumed_run_goes_on_in_its_live_run_and_ends_there(backend: Backend, tmp_path: Path) -> None:
    killed(backend, tmp_path, 7)
    tracker = backend.tracker()
    with tracker.start_run(run_id="r", resume=True):
        tracker.log_metrics({"loss": 1 / 7}, 6)
        tracker.log_metrics({"loss": 0.1}, 7)
        wait_for(lambda: backend.points() >= 8)
        assert len(backend.runs()) == 1
    assert len(backend.runs()) == 1
    check_one_whole_run(backend, created=False)


def test_a_resumed_run_that_logs_other_values_for_its_steps_is_one_run_of_the_later_values(
    backend: Backend, tmp_path: Path
) -> None:
    killed(backend, tmp_path, 3)
    tracker = backend.tracker()
    with tracker.start_run(run_id="r", resume=True):
        for step in (1, 2, 3):
            tracker.log_metrics({"loss": 5.0 + step}, step)
    assert len(backend.runs()) == 1
    check_one_whole_run(backend, created=False)


def test_a_value_that_was_sent_and_holds_no_more_is_not_in_the_run_that_the_export_leaves(backend: Backend) -> None:
    tracker = backend.tracker()
    warned = pytest.warns(TrackingWarning, match="an export catches up")
    with warned, tracker.start_run(run_id="r"):
        tracker.log_metrics({"loss": 9.0}, 0)
        wait_for(lambda: backend.points() == 1)
        tracker.log_metrics({"loss": 1.0}, 0)
        tracker.log_metrics({"loss": 0.5}, 1)
        wait_for(lambda: backend.points() >= 2)
        backend.break_it()
    backend.mend()
    check_one_whole_run(backend, created=True)


def test_what_is_left_out_of_the_export_is_not_in_what_the_export_leaves(backend: Backend, tmp_path: Path) -> None:
    killed(backend, tmp_path, 2)
    recover("experiments/default/r")
    done = backend.export(verify=True, redact=["team", "zqrate"])
    assert done.differences == []
    assert done.receipt is not None
    left = backend.holdings(done.receipt.remote_id)
    assert "loss" in left
    assert [word for word in ("team", "zqrate") if word in left] == []


def test_of_several_backends_one_that_fails_harms_no_other_and_each_has_one_run_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack, unsynced():
        backends = [make(stack, tmp_path) for make in (_mlflow, _tensorboard, _wandb)]
        for backend in backends:
            backend.env = {**backend.env, "RUNSTORE_EXPORTS_DIR": str(tmp_path / "ledger")}
            for name, value in backend.env.items():
                monkeypatch.setenv(name, value)
        tracker = create_tracker("multi", backends={one.name: {"target": one.target} for one in backends})
        failing = backends[-1]
        warned = pytest.warns(TrackingWarning, match="wandb: .* an export catches up")
        with warned as told, tracker.start_run(run_id="r"):
            failing.break_it()
            log(tracker)
        assert len(told) == 1
        failing.mend()
        for backend in backends:
            check_one_whole_run(backend, created=backend is failing)


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"mlflow":1,"tensorboard":1,"wandb":1}', b'{"x":"\xff"}', b" " * 2_000_000]
)
def test_a_damaged_note_of_the_mirror_is_a_warning_and_the_export_goes_on(backend: Backend, text: bytes) -> None:
    with create_tracker("local").start_run(run_id="r") as run:
        run.log_metrics({"loss": 1}, 0)
    Path("experiments/default/r/volatile/mirrors.json").write_bytes(text)
    told: list[str] = []
    done = backend.export(verify=True, warn=told.append)
    assert (done.differences, len(backend.runs()), len(told)) == ([], 1, 1)
    assert "what was mirrored live is not taken up" in told[0]


HOSTILE = [
    {"id": "0" * 32, "token": "0" * 32, "folder": "default/other-live-00000000-1"},
    {"id": "../x", "token": "x' or '1'='1", "folder": "../../victim"},
    {"id": "", "token": "", "folder": ""},
    {"id": "é" * 32, "token": "F" * 32, "folder": "default/r-live-00000000-1/../../victim"},
]


@pytest.mark.parametrize("remote", HOSTILE)
def test_a_note_that_names_what_is_not_ours_changes_nothing_there(backend: Backend, remote: dict[str, str]) -> None:
    victim = Path("logs/default/other-live-00000000-1") / LIVE_FILE
    for place in (victim, Path("victim") / LIVE_FILE):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
    with create_tracker("local").start_run(run_id="r") as run:
        run.log_metrics({"loss": 1}, 0)
    note = {backend.name: {"complete": True, "remote": remote}}
    Path("experiments/default/r/volatile/mirrors.json").write_text(json.dumps(note))
    before = len(backend.runs())
    done = backend.export(verify=True)
    assert (done.differences, len(backend.runs())) == ([], before + 1)
    assert victim.exists()
    assert Path("victim", LIVE_FILE).exists()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holds()
