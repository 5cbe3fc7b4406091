"""The example of a training: tracked, gated against its committed baseline, and exported to each backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runstore.exporters.tensorboard import events
from runstore.store.reader import read_run
from tests.command_line import Outcome, environment
from tests.factories import files_of
from tests.mlflow_servers import real_mlflow, small_mlflow
from tests.repositories import gate
from tests.wandb_server import ENTITY, wandb_server

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "training"
RUNS = ["linear", "linear.no-bias"]


def train(folder: Path, *flags: str) -> Path:
    """Run the script in a folder; the folder of its runs."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE / "train.py", *flags],
        cwd=folder,
        env=environment(folder, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": str(len(flags))}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder / "experiments" / "training"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("training"))


def canonical_files(folder: Path) -> dict[str, Any]:
    return {name: data for name, data in files_of(folder).items() if "volatile/" not in name}


def losses(trained: Path) -> list[tuple[int | None, int | float]]:
    """Step and value of each point of `train_loss`."""
    return [(point.step, point.value) for point in read_run(trained / "linear").points() if point.name == "train_loss"]


def compared(folder: Path, *words: str | Path) -> Outcome:
    return gate(folder, "compare", EXAMPLE / "baseline", *words, "--config", EXAMPLE / "gate.toml")


def test_a_re_run_has_the_bytes_of_the_committed_baseline_and_passes(trained: Path, tmp_path: Path) -> None:
    assert canonical_files(trained) == canonical_files(EXAMPLE / "baseline")
    assert gate(tmp_path, "validate", trained, EXAMPLE / "baseline").code == 0
    done = compared(tmp_path, trained)
    assert (done.code, done.out.splitlines()[0]) == (0, "PASS  everything asked was judged and holds")


def test_what_was_logged_stands_in_the_run(trained: Path) -> None:
    run, child = (read_run(trained / name) for name in RUNS)
    assert run.manifest.identity.params == {"epochs": 40, "has_bias": True, "learning_rate": 2, "seed.data": 7}
    assert (len(list(run.points())), run.record_count) == (80, 80)
    assert "artifacts/weights.json" in run.manifest.files
    assert child.manifest.identity.parent == run.manifest.run_id


@pytest.mark.parametrize(("rate", "has_alert"), [("40", False), ("-2", True)])
def test_a_damaged_hyperparameter_fails_though_the_run_itself_is_sound(
    tmp_path: Path, rate: str, has_alert: bool
) -> None:
    bad = train(tmp_path, f"--learning-rate={rate}")
    done = compared(tmp_path, bad, "--format", "json")
    assert done.code == 1
    assert {"max-drop", "max-relative-drop", "max-regressed"} <= set(done.rules)
    manifest = json.loads((bad / "linear/manifest.json").read_bytes())
    alerts = manifest["origin"]["tracking"].get("alerts", [])
    assert [(one["condition"], one["step"]) for one in alerts] == [("train_loss > 0.25", 1)] * has_alert


def exported(folder: Path, runs: Path, backend: str, *words: str | Path, env: dict[str, str] | None = None) -> None:
    """Export the runs and read them back, twice: there is nothing to do the second time."""
    variables = {"RUNSTORE_EXPORTS_DIR": str(folder / "ledger"), **(env or {})}
    for word in ("sent", "there"):
        done = gate(folder, "export", runs, "--to", backend, *words, "--verify", env=variables)
        assert done.code == 0, done.text
        assert [line.split()[0] for line in done.out.splitlines() if not line.startswith(" ")] == [word, word]
        assert done.out.count("read back: equal") == 2


def test_tensorboard_gets_every_point_of_it(trained: Path, tmp_path: Path) -> None:
    exported(tmp_path, trained, "tensorboard", "--target", "logs")
    files = sorted((tmp_path / "logs/training").glob("linear-*/events.out.tfevents.*"))
    found = [events.read(file.read_bytes()).scalars["train_loss"] for file in files if "no-bias" not in str(file)]
    points = [
        (point.step, point.value) for point in read_run(trained / "linear").points() if point.name == "train_loss"
    ]
    assert found == [points]


def test_w_and_b_gets_it_offline_and_online(trained: Path, tmp_path: Path) -> None:
    exported(tmp_path, trained, "wandb", "--target", "./offline")
    assert len(list((tmp_path / "offline").glob("offline-run-*"))) == 2
    with wandb_server() as server:
        exported(tmp_path, trained, "wandb", "--target", f"{ENTITY}/training", env=server.environment)
        assert sorted(run.title for run in server.runs.values()) == ["linear", "no-bias"]
        assert sorted(len(run.history) for run in server.runs.values()) == [40, 40]


def test_mlflow_gets_it_with_the_nested_run_below_its_parent(trained: Path, tmp_path: Path) -> None:
    with small_mlflow() as (server, app):
        exported(tmp_path, trained, "mlflow", "--target", server)
        parent, child = app.living()
        assert (parent["name"], child["name"]) == ("linear", "no-bias")
        assert child["tags"]["mlflow.parentRunId"] == parent["id"]


def test_shown_live_it_is_the_same_run_and_is_exported_to_that_one(trained: Path, tmp_path: Path) -> None:
    mirrored = train(tmp_path, "--mirror", "tensorboard", "--target", "logs")
    assert canonical_files(mirrored) == canonical_files(trained)
    shown = files_of(tmp_path / "logs")
    done = gate(tmp_path, "export", mirrored, "--to", "tensorboard", "--target", "logs", "--verify")
    assert (done.code, done.out.count("there "), done.out.count("read back: equal")) == (0, 2, 2), done.text
    assert files_of(tmp_path / "logs") == shown


@pytest.mark.server
@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `servers` brings MLflow")
def test_mlflows_own_server_and_sdk_have_it(trained: Path, tmp_path: Path, mlflow_server: str) -> None:
    exported(tmp_path, trained, "mlflow", "--target", mlflow_server)
    client: Any = import_module("mlflow.tracking").MlflowClient(mlflow_server)  # an extra
    experiment = client.get_experiment_by_name("training")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert found.keys() == {"linear", "no-bias"}
    history = client.get_metric_history(found["linear"].info.run_id, "train_loss")
    points = [
        (point.step, point.value) for point in read_run(trained / "linear").points() if point.name == "train_loss"
    ]
    assert sorted((one.step, one.value) for one in history) == points
    assert found["no-bias"].data.tags["mlflow.parentRunId"] == found["linear"].info.run_id


@pytest.mark.server
@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra `servers` brings MLflow")
def test_mlflows_own_server_has_one_run_of_each_that_was_shown_live(
    trained: Path, tmp_path: Path, mlflow_server: str
) -> None:
    target = f"{mlflow_server}#live"
    mirrored = train(tmp_path, "--mirror", "mlflow", "--target", target)
    assert canonical_files(mirrored) == canonical_files(trained)
    done = gate(tmp_path, "export", mirrored, "--to", "mlflow", "--target", target, "--verify")
    assert (done.code, done.out.count("there "), done.out.count("read back: equal")) == (0, 2, 2), done.text
    client: Any = import_module("mlflow.tracking").MlflowClient(mlflow_server)  # an extra
    experiment = client.get_experiment_by_name("live")
    found = client.search_runs([experiment.experiment_id])
    assert sorted((run.info.run_name, run.info.status) for run in found) == [
        ("linear", "FINISHED"), ("no-bias", "FINISHED")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address
