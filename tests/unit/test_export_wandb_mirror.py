"""The live mirror at W&B: a tracked run grows at the project's own small server, and is whole there at its end."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from runstore.errors import UsageError
from runstore.exporters.contract import ExportError
from runstore.exporters.wandb.mirror import LiveRun, open_mirror
from runstore.exporters.wandb.planning import TABLE_FILE
from runstore.manifest import MetricDeclaration
from runstore.store.reader import read_run
from runstore.tracking.config import TrackingConfig
from runstore.tracking.mirror import LivePoint, Mirror, RunFacts
from runstore.tracking.multi import MultiTracker
from tests.factories import LOWER, scored, write_run
from tests.wandb_server import ENTITY, WandbServer, wandb_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    for name in ("WANDB_MODE", "WANDB_ENTITY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    with wandb_server() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def mirror(server: WandbServer, tmp_path: Path) -> Iterator[LiveRun]:
    """A mirror of a run that has begun."""
    mirror = open_mirror({"target": f"{ENTITY}/qa"})
    mirror.open(RunFacts(project="qa", suite="nightly", name="small", folder=tmp_path / "run", tags={"a": "b"}))
    yield mirror
    mirror.disconnect()


def test_it_is_a_mirror() -> None:
    mirror: Mirror = LiveRun("qa", {})
    assert mirror is not None


def test_what_is_logged_is_there_at_once(server: WandbServer, mirror: LiveRun) -> None:
    kept = server.only_run
    assert (kept.title, kept.tags, kept.state) == ("small", ["a=b"], "running")
    mirror.params({"model.size": 3})
    mirror.tags({"c": "d"})
    mirror.note("# hi")
    assert kept.config["model_x2e_size"] == {"value": 3}
    assert (kept.tags, kept.notes) == (["a=b", "c=d"], "# hi")
    mirror.points([LivePoint(name="loss", value=1, step=0), LivePoint(name="loss", value=0.5, step=10)])
    mirror.points([LivePoint(name="acc", value=0.1, step=10), LivePoint(name="acc", value=0.2, step=20)])
    assert kept.history == [{"_step": 0, "loss": 1}, {"_step": 10, "acc": 0.1, "loss": 0.5}, {"_step": 20, "acc": 0.2}]
    assert kept.summary == {"acc": 0.2, "loss": 0.5}


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_what_is_no_number_is_shown_as_the_word_it_is_and_never_as_zero(
    server: WandbServer, mirror: LiveRun, value: float, word: str
) -> None:
    mirror.points([LivePoint(name="loss", value=value, step=0)])
    assert (server.only_run.summary, server.only_run.history) == ({"loss": word}, [])


def test_the_finished_run_is_pushed_over_what_is_there(server: WandbServer, mirror: LiveRun, tmp_path: Path) -> None:
    mirror.points([LivePoint(name="loss", value=math.nan, step=5), LivePoint(name="loss", value=1, step=10)])
    metrics: dict[str, MetricDeclaration] = {"acc": LOWER, "loss": LOWER}
    run = write_run(tmp_path / "run", [scored("q")], metrics, points=[("loss", 1, 10), ("loss", 2, 20)])
    mirror.close("completed", run)
    kept = server.only_run
    assert kept.history == [{"_step": 10, "loss": 1}, {"_step": 20, "loss": 2}]
    own = kept.config["runstore"]["value"]
    assert (kept.state, kept.summary["acc"], own["digest"]) == ("finished", 1, read_run(run).digest)
    assert sorted(kept.files) == [TABLE_FILE, "records.jsonl"]


def test_without_a_key_nothing_begins(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UsageError, match="WANDB_API_KEY"):
        open_mirror({})


def test_an_option_that_is_none_is_told(server: WandbServer) -> None:
    with pytest.raises(UsageError, match="project"):
        open_mirror({"project": "qa"})


def test_offline_there_is_no_live_mirror_and_the_export_is_named(server: WandbServer) -> None:
    with pytest.raises(UsageError) as told:
        open_mirror({"target": "./out"})
    assert "export" in told.value.hint


def test_a_call_that_fails_costs_that_call_alone(server: WandbServer, mirror: LiveRun) -> None:
    server.trouble = lambda request, number: 401
    with pytest.raises(ExportError):
        mirror.points([LivePoint(name="loss", value=1, step=0)])
    server.trouble = lambda request, number: None
    mirror.points([LivePoint(name="loss", value=2, step=1)])
    assert server.only_run.lines[1] == {"_step": 1, "loss": 2}


def test_a_tracked_run_is_whole_at_the_server_when_it_is_done(server: WandbServer, tmp_path: Path) -> None:
    config = TrackingConfig(project="qa", experiment_name="small")
    options = {"wandb": {"target": f"{ENTITY}/qa"}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with MultiTracker(config, mirrors={"wandb": open_mirror}, options=options, root=tmp_path) as tracker:
            tracker.log_params({"lr": 0.1})
            for step in range(30):
                tracker.log_metrics({"loss": 1 / (step + 1)}, step=step)
    kept = server.only_run
    assert [line["loss"] for line in kept.history] == [1 / (step + 1) for step in range(30)]
    assert kept.config["lr"] == {"value": 0.1}
    assert kept.state == "finished"
