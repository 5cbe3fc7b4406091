"""The live mirror at MLflow, told by a tracker, against a small server of the tests' own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runstore.errors import UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Difference, Options, Visit
from runstore.exporters.mlflow import exporter
from runstore.exporters.mlflow.mirror import NOT_FINITE, open_mirror
from runstore.store.reader import read_run
from runstore.tracking.mirror import LivePoint, RunFacts
from runstore.tracking.multi import MultiTracker
from tests.factories import LOWER, unsynced, write_run
from tests.mlflow_servers import SmallMlflow, faulty_way, small_mlflow


@pytest.fixture
def small() -> Iterator[tuple[str, SmallMlflow]]:
    with small_mlflow() as found:
        yield found


def track(root: Path, server: str, losses: list[float], name: str = "run") -> Path:
    """A run that is tracked and mirrored; the folder where it stands."""
    tracker = MultiTracker(mirrors={"mlflow": open_mirror}, options={"mlflow": {"target": server}}, root=root)
    with unsynced():
        run = tracker.start_run(name)
        tracker.log_params({"lr": 0.1, "deep": True})
        for step, loss in enumerate(losses):
            tracker.log_metrics({"loss": loss}, step=step)
        tracker.log_metrics({"best": 0.25})
        tracker.log_metrics({"best": 0.5})
        tracker.set_note("# Live")
        tracker.end_run()
    return run.path


def differences(folder: Path, server: str) -> list[Difference]:
    run = read_run(folder)
    visit = Visit(environment={}, budget=Deadline(30), progress={}, keep=lambda _: None, warn=lambda _: None)
    return list(exporter.verify(exporter.plan(run, Options(target=server)), run, visit))


def test_what_is_logged_is_there_and_an_export_finds_it_whole(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    folder = track(tmp_path, server, [0.5, 0.25, 0.125])
    (run,) = app.living()
    assert run["status"] == "FINISHED"
    assert [(p["step"], p["value"]) for p in run["points"] if p["key"] == "loss" and not p["timestamp"]] == [
        (0, 0.5), (1, 0.25), (2, 0.125),
    ]  # fmt: skip
    best = [(p["step"], p["timestamp"], p["value"]) for p in run["points"] if p["key"] == "best"]
    assert max(best)[2] == 0.5
    assert not differences(folder, server)


def test_a_nan_is_told_and_is_no_number_there(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        track(tmp_path, server, [0.5, math.nan, 0.125])
    (run,) = app.living()
    assert [(p["step"], p["value"]) for p in run["points"] if p["key"] == "loss" and not p["timestamp"]] == [
        (0, 0.5), (2, 0.125),
    ]  # fmt: skip
    assert run["tags"][NOT_FINITE] == "loss: nan at step 1"


def test_the_same_run_again_is_one_run_there(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    folders = [track(tmp_path / root, server, [0.5]) for root in ("a", "b")]
    assert read_run(folders[0]).digest == read_run(folders[1]).digest
    assert len(app.living()) == 1
    assert not differences(folders[1], server)


def test_a_value_that_was_logged_again_leaves_nothing_untrue(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    tracker = MultiTracker(mirrors={"mlflow": open_mirror}, options={"mlflow": {"target": server}}, root=tmp_path)
    with unsynced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tracker.start_run("run")
        tracker.log_metrics({"loss": 0.5}, step=0)
        tracker.log_metrics({"loss": 0.75}, step=0)
        tracker.end_run()
    assert len(app.whole_runs()) == len(app.living()) == 1
    assert not differences(next(tmp_path.glob("*/run")), server)


def test_a_server_that_fails_costs_the_run_nothing_and_an_export_catches_up(
    tmp_path: Path, small: tuple[str, SmallMlflow]
) -> None:
    server, _ = small
    with faulty_way(server) as (address, way):
        way.choose = lambda number, method, path: "pass" if number < 3 else 403
        with pytest.warns(UserWarning, match="an export catches up"):
            folder = track(tmp_path, address, [0.5, 0.25])
        way.choose = lambda number, method, path: "pass"
        run = read_run(folder)
        visit = Visit(environment={}, budget=Deadline(30), progress={}, keep=lambda _: None, warn=lambda _: None)
        exporter.push(exporter.plan(run, Options(target=address)), run, visit)
        assert not differences(folder, address)


def test_a_value_that_came_anew_makes_another_run_at_the_end(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    with unsynced():
        write_run(tmp_path / "run", metrics={"loss": LOWER}, points=[("loss", 0.75, 0)])
    mirror = open_mirror({"target": server})
    mirror.open(RunFacts(project="default", suite="default", name="run", folder=tmp_path / "run"))
    mirror.points([LivePoint(name="loss", value=0.5, step=0)])
    mirror.points([LivePoint(name="loss", value=0.75, step=0)])
    mirror.close("completed", tmp_path / "run")
    assert [run["stage"] for run in app.runs.values()] == ["deleted", "active"]
    assert not differences(tmp_path / "run", server)


def test_a_run_that_is_resumed_goes_on_in_its_own_run(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    with unsynced():
        write_run(tmp_path / "run", metrics={"loss": LOWER}, points=[("loss", 0.5, 0), ("loss", 0.25, 1)])
    facts = RunFacts(project="default", suite="default", name="run", folder=tmp_path / "run")
    facts = replace(facts, remote=open_mirror({"target": server}).identify(facts))
    for is_resumed, step in ((False, 0), (True, 1)):
        mirror = open_mirror({"target": server})
        mirror.open(replace(facts, is_resumed=is_resumed))
        mirror.points([LivePoint(name="loss", value=0.5 / (step + 1), step=step)])
    mirror.close("completed", tmp_path / "run")
    assert len(app.runs) == 1
    assert not differences(tmp_path / "run", server)
    assert str(tmp_path) not in repr(app)


@pytest.mark.parametrize("options", [{}, {"target": "sqlite:///x"}, {"target": "http://h", "project": "x"}])
def test_what_is_missing_is_told_before_anything_is_logged(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError):
        open_mirror(options)
