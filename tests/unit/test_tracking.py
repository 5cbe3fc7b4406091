"""What is logged stands in the run: each call of the tracker, and what the finished run says of it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runstore import canonical
from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.manifest import Dataset, MetricDeclaration, Provenance
from runstore.store.reader import Run, read_run
from runstore.tracking import Event, ExperimentTracker, TrackedRun, TrackingConfig, TrackingWarning, create_tracker
from runstore.tracking.alerts import Alert
from runstore.tracking.directions import by_name
from runstore.verification import verify
from tests.command_line import environment
from tests.factories import unsynced
from tests.repositories import Repository, gate

Points = list[tuple[str, int | None, int | float]]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with unsynced():
        yield


@pytest.fixture
def run() -> TrackedRun:
    """A run that has begun; it is finished by `finished`."""
    return tracked()


def tracked(**settings: Any) -> TrackedRun:
    return create_tracker("local", project="p", **settings).start_run(run_id="r")


def finished(run: TrackedRun) -> Run:
    """The run, ended and checked in full."""
    run.end_run()
    opened = read_run(run.path)
    verify(opened)
    return opened


def points(run: TrackedRun) -> Points:
    return [(point.name, point.step, point.value) for point in finished(run).points()]


def told(run: Run) -> Any:
    """What the tracker says of a run for which the format has no place."""
    origin: Any = run.manifest.origin
    return origin["tracking"] if origin else {}


def volatile(run: TrackedRun, name: str) -> Any:
    return json.loads((run.path / "volatile" / f"{name}.json").read_bytes())


# Where it stands.


def test_the_run_is_a_run_of_the_store_that_every_command_takes(tmp_path: Path, run: TrackedRun) -> None:
    run.log_metrics({"accuracy": 0.5})
    finished(run)
    assert run.path == Path("experiments/p/r")
    for words in (("show", run.path), ("validate", "experiments"), ("compare", run.path, run.path)):
        assert gate(tmp_path, *words).code == 0, words


def test_project_experiment_name_and_run_name_are_the_identity() -> None:
    with create_tracker("local", project="a/b", experiment_name="sweep") as tracker:
        assert tracker.run.path == Path("experiments/a/b/run")
    identity = read_run("experiments/a/b/run").manifest.identity
    assert (identity.project, identity.suite, identity.name) == ("a/b", "sweep", "run")


@pytest.mark.parametrize("project", ["", "..", "/etc", "a/../b", "a\\b", ".hidden", "a//b", "CON", "a\nb"])
def test_a_project_that_cannot_be_a_folder_is_refused(project: str) -> None:
    with pytest.raises(UsageError, match=r"cannot name a folder|hidden"):
        create_tracker("local", project=project)


@pytest.mark.parametrize("run_id", ["../r", "a/b", ".r", "r ", "nul", "x" * 300])
def test_a_run_id_that_cannot_be_a_folder_is_refused(run_id: str) -> None:
    with pytest.raises(UsageError):
        create_tracker("local").start_run(run_id=run_id)
    assert not Path("experiments").exists()


@pytest.mark.parametrize(
    ("name", "folder"),
    [("lr=0.1/bs=32", "lr=0.1-bs=32"), ("../../x", "x"), ("é", "run"), ("NUL", "run-NUL"), ("...", "run"),
     ("a:b\n", "a-b"), ("y" * 500, "y" * 120)],
)  # fmt: skip
def test_any_run_name_is_the_name_and_gives_a_folder(name: str, folder: str) -> None:
    run = create_tracker("local").start_run(name)
    assert (run.path, finished(run).manifest.identity.name) == (Path("experiments/default") / folder, name)


def test_runs_of_one_name_stand_beside_each_other_and_are_one_question() -> None:
    runs = [finished(create_tracker("local").start_run("train")) for _ in range(3)]
    assert sorted(path.name for path in Path("experiments/default").iterdir()) == ["train", "train-2", "train-3"]
    assert len({run.manifest.run_id for run in runs}) == 1


def test_a_run_id_that_is_taken_is_refused_and_the_run_that_stands_is_as_it_was(run: TrackedRun) -> None:
    before = finished(run).digest
    with pytest.raises(UsageError, match="already exists"):
        tracked()
    with pytest.raises(UsageError, match="already exists"):
        create_tracker("local", project="p").start_run(run_id="r", resume=True)
    assert read_run(run.path).digest == before


# Params and data sets.


def test_params_are_the_params_of_the_identity_flattened(run: TrackedRun) -> None:
    class Mode(Enum):
        FAST = "fast"

    run.log_params({"lr": 0.1, "deep": {"a": {"b": 1}, "empty": {}}, "list": [1, (2.5, None)], "on": True})
    run.log_params({"none": None, "mode": Mode.FAST, "one": 1.0, "n": NumpyLike(3)})
    assert finished(run).manifest.identity.params == {
        "deep.a.b": 1, "deep.empty": "{}", "list": "[1,[2.5,null]]", "lr": 0.1, "mode": "fast", "n": 3, "none": None,
        "on": True, "one": 1,
    }  # fmt: skip


class NumpyLike:
    """A scalar as array libraries have them."""

    def __init__(self, value: float, shape: int = 1) -> None:
        self._value, self._shape = value, shape

    def item(self) -> float:
        if self._shape != 1:
            raise ValueError("can only convert an array of size 1")
        return self._value


def test_a_param_never_changes_and_the_same_value_is_nothing(run: TrackedRun) -> None:
    run.log_params({"lr": 0.1, "one": 1})
    run.log_params({"lr": 0.1, "one": 1.0})
    with pytest.raises(UsageError, match=r"the param 'lr' is 0.1, and is to become 0.2") as refused:
        run.log_params({"other": 1, "lr": 0.2})
    assert "never change" in refused.value.hint
    with pytest.raises(UsageError, match="'one' is 1, and is to become True"):
        run.log_params({"one": True})
    assert finished(run).manifest.identity.params == {"lr": 0.1, "one": 1}


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 2**60, 1e17, object(), {1: 2}, b"x", "\ud800", [object()], {"a": math.nan}]
)
def test_a_param_without_a_json_form_is_refused_by_name_and_nothing_is_logged(run: TrackedRun, value: object) -> None:
    with pytest.raises(InvalidDataError, match="x"):
        run.log_params({"good": 1, "x": value})
    assert finished(run).manifest.identity.params == {}


def test_a_data_set_is_known_by_the_digest_of_its_bytes(run: TrackedRun) -> None:
    Path("data").mkdir()
    Path("data/b.csv").write_text("b")
    Path("data/a.csv").write_text("a")
    run.log_dataset("file", "data/a.csv", version="2", description="all of it")
    run.log_dataset("folder", Path("data"))
    run.log_dataset("given", digest="sha256:00")
    run.log_dataset("file", "data/a.csv", version="2", description="all of it")
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}.csv\n" for name in "ab")
    made = finished(run)
    assert made.manifest.identity.datasets == (
        Dataset(name="file", digest=f"sha256:{hashlib.sha256(b'a').hexdigest()}", version="2"),
        Dataset(name="folder", digest=f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"),
        Dataset(name="given", digest="sha256:00"),
    )
    assert told(made)["datasets"] == {"file": "all of it"}


def test_a_data_set_that_is_missing_changed_or_told_twice_is_refused(run: TrackedRun) -> None:
    with pytest.raises(UsageError, match="no such file"):
        run.log_dataset("d", "nowhere.csv")
    with pytest.raises(UsageError, match="a path or a digest"):
        run.log_dataset("d")
    with pytest.raises(UsageError, match="a path or a digest"):
        run.log_dataset("d", __file__, digest="x")
    run.log_dataset("d", digest="x")
    with pytest.raises(UsageError, match="the data set 'd' is 'x', and is to become 'y'"):
        run.log_dataset("d", digest="y")


# Metrics.


def test_metrics_stand_at_their_steps_and_without_a_step_as_the_final_figure(run: TrackedRun) -> None:
    run.log_metrics({"loss": 0.5, "acc": 1}, step=3)
    run.log_metrics({"loss": 0.25}, 10)
    run.log_metrics({"loss": 0.125, "f1": NumpyLike(0.75), "ok": True})
    assert points(run) == [
        ("acc", 3, 1), ("f1", None, 0.75), ("loss", 3, 0.5), ("loss", 10, 0.25), ("loss", None, 0.125), ("ok", None, 1)
    ]  # fmt: skip


def test_values_without_a_step_again_and_again_are_a_curve(run: TrackedRun) -> None:
    for value in (0.5, 0.25, 0.125):
        run.log_metrics({"loss": value})
    assert points(run) == [("loss", 0, 0.5), ("loss", 1, 0.25), ("loss", 2, 0.125)]


def test_the_later_of_two_values_at_a_step_holds_and_is_counted(run: TrackedRun) -> None:
    for step, value in ((5, 1), (4, 2), (5, 3), (4, 4), (5, 5)):
        run.log_metrics({"m": value}, step)
    run.log_metrics({"m": 6})
    run.log_metrics({"m": 7})
    made = finished(run)
    assert [(point.step, point.value) for point in made.points()] == [(4, 4), (5, 5), (None, 7)]
    assert told(made)["overwritten"] == {"m": 4}


@pytest.mark.parametrize("step", [-1, 0.5, True, "3", 2**53])
def test_a_step_is_an_integer_from_0(run: TrackedRun, step: Any) -> None:
    with pytest.raises(InvalidDataError, match="not a step"):
        run.log_metrics({"m": 1}, step)
    assert points(run) == []


@pytest.mark.parametrize("value", ["0.5", None, [1, 2], NumpyLike(1, shape=2), 2**53, b"1", {}])
def test_what_is_no_number_is_refused_by_name_and_nothing_of_the_call_is_logged(run: TrackedRun, value: object) -> None:
    with pytest.raises(InvalidDataError, match="'bad'"):
        run.log_metrics({"good": 1, "bad": value})
    assert points(run) == []


@pytest.mark.parametrize("name", ["", 1, "\ud800"])
def test_a_metric_has_a_name(run: TrackedRun, name: Any) -> None:
    with pytest.raises(InvalidDataError):
        run.log_metrics({name: 1})
    assert points(run) == []


def test_directions_come_from_the_declaration_else_from_the_name_and_the_run_says_which() -> None:
    run = tracked(metrics={"score": MetricDeclaration(direction="lower", range=(0, 1))})
    run.declare_metric("reward", MetricDeclaration(direction="higher", unit="points", aggregate="max"))
    run.log_metrics({"score": 1, "reward": 2, "val_loss": 3, "accuracy": 4})
    made = finished(run)
    assert {name: declared.direction for name, declared in made.manifest.metrics.items()} == {
        "score": "lower", "reward": "higher", "val_loss": "lower", "accuracy": "higher"
    }  # fmt: skip
    assert made.manifest.metrics["reward"].aggregate == "max"
    assert told(made) == {"directions_by_name": ["accuracy", "val_loss"]}


@pytest.mark.parametrize(
    ("name", "direction"),
    [("loss", "lower"), ("train/loss", "lower"), ("valLoss", "lower"), ("eval-RMSE", "lower"), ("MSELoss", "lower"),
     ("latency_ms", "lower"), ("p95.time", "lower"), ("closs", "higher"), ("glossary", "higher"), ("f1", "higher"),
     ("timeless", "higher"), ("terms", "higher")],
)  # fmt: skip
def test_the_words_of_a_name_tell_its_direction(name: str, direction: str) -> None:
    assert by_name(name).direction == direction


def test_a_metric_is_declared_once_before_its_first_value_and_keeps_to_its_range(run: TrackedRun) -> None:
    share = MetricDeclaration(range=(0, 1))
    run.declare_metric("acc", share)
    run.declare_metric("acc", share)
    with pytest.raises(UsageError, match="declared otherwise"):
        run.declare_metric("acc", MetricDeclaration())
    run.log_metrics({"other": 1})
    with pytest.raises(UsageError, match="has values already"):
        run.declare_metric("other", share)
    with pytest.raises(InvalidDataError, match="outside the declared range"):
        run.log_metrics({"acc": 1.5})
    assert points(run) == [("other", None, 1)]


def test_measures_of_the_clock_go_to_volatile(run: TrackedRun) -> None:
    run.log_measures({"latency_ms": 20, "cost": 0.5})
    run.log_measures({"latency_ms": 21.5, "lost": math.nan})
    assert finished(run).volatile_measures() == {"cost": 0.5, "latency_ms": 21.5}


# Not a number.


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e17, 2.0**53])
def test_a_last_value_that_is_no_number_fails_the_run_and_the_gate(tmp_path: Path, value: float) -> None:
    before = create_tracker("local").start_run(run_id="before")
    after = create_tracker("local").start_run(run_id="after")
    for run in (before, after):
        run.log_metrics({"loss": 0.5}, step=6)
    before.log_metrics({"loss": 0.5}, step=7)
    after.log_metrics({"loss": value}, step=7)
    finished(before)
    with pytest.warns(TrackingWarning, match="the last value is not a number, so the run cannot pass: loss"):
        made = finished(after)
    assert (made.manifest.status, [(p.step, p.value) for p in made.points()]) == ("failed", [(6, 0.5)])
    assert told(made)["not_numbers"] == {
        "loss": {"count": 1, "decides": True, "last": {"step": 7, "value": repr(value)}}
    }
    judged = gate(tmp_path, "compare", before.path, after.path)
    assert judged.code == 1
    assert "run-status" in judged.text


def test_a_value_in_between_that_is_no_number_is_counted_and_the_run_goes_on(run: TrackedRun) -> None:
    for step, value in enumerate((1, math.nan, math.inf, 0.5)):
        run.log_metrics({"loss": value}, step)
    made = finished(run)
    assert (made.manifest.status, [p.step for p in made.points()]) == ("completed", [0, 3])
    assert told(made)["not_numbers"] == {"loss": {"count": 2, "decides": False, "last": {"step": 2, "value": "inf"}}}


@pytest.mark.parametrize(
    ("aggregate", "values", "status"),
    [("max", (1, math.nan), "completed"), ("min", (1, math.nan), "completed"), ("last", (1, math.nan), "failed"),
     ("max", (math.nan, math.nan), "failed")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::runstore.tracking.TrackingWarning")
def test_whether_no_number_decides_depends_on_the_aggregate(
    aggregate: str, values: tuple[float, ...], status: str
) -> None:
    run = tracked(metrics={"m": MetricDeclaration(aggregate=aggregate)})
    for step, value in enumerate(values):
        run.log_metrics({"m": value}, step)
    assert finished(run).manifest.status == status


def test_a_number_that_takes_the_place_of_no_number_decides(run: TrackedRun) -> None:
    run.log_metrics({"loss": math.nan}, 1)
    run.log_metrics({"loss": 0.5}, 1)
    made = finished(run)
    assert (made.manifest.status, told(made)["overwritten"], "not_numbers" in told(made)) == (
        "completed",
        {"loss": 1},
        False,
    )


# Records.


def test_records_are_the_records_of_the_run(run: TrackedRun) -> None:
    run.log_records(
        [{"id": "b", "scores": {"acc": NumpyLike(0.5)}}, {"id": "a", "output": "x", "tags": {"lang": "de"}}]
    )
    run.log_records({"id": "c", "repeat": number, "scores": {"acc": 1}} for number in (1, 2))
    made = finished(run)
    lines = [line for batch in made.batches() for line in batch.lines]
    assert lines == [
        b'{"id":"a","output":"x","tags":{"lang":"de"}}',
        b'{"id":"b","scores":{"acc":0.5}}',
        b'{"id":"c","repeat":1,"scores":{"acc":1}}',
        b'{"id":"c","repeat":2,"scores":{"acc":1}}',
    ]
    assert made.manifest.metrics == {"acc": MetricDeclaration(direction="higher")}


def test_the_same_record_again_is_nothing_and_another_under_its_id_is_refused(run: TrackedRun) -> None:
    run.log_records([{"id": "a", "output": 1}])
    run.log_records([{"id": "a", "output": 1.0}])
    with pytest.raises(InvalidRunError, match="another record with this id") as refused:
        run.log_records([{"id": "b"}, {"id": "a", "output": 2}, {"id": "c"}])
    assert refused.value.where == "record 'a'"
    assert finished(run).record_count == 2


@pytest.mark.parametrize(
    "record",
    [{}, {"id": ""}, {"id": "a", "odd": 1}, {"id": "a", "scores": {"s": math.nan}}, {"id": "a", "scores": {"s": "1"}},
     {"id": "a", "scores": {"s": 2}}, {"id": "a", "tags": {"t": 1}}, {"id": "a", "output": "x" * 2**24}],
)  # fmt: skip
def test_what_is_no_record_is_refused_at_the_call(record: dict[str, Any]) -> None:
    run = tracked(metrics={"s": MetricDeclaration(range=(0, 1))})
    with pytest.raises(InvalidRunError) as refused:
        run.log_records([{"id": "good"}, record])
    assert refused.value.where.startswith("record")
    assert finished(run).record_count == 1


def test_the_totals_of_declared_slices_are_kept() -> None:
    run = tracked(slices=["lang"])
    run.log_records([{"id": "a", "scores": {"acc": 1}, "tags": {"lang": "de"}}])
    assert finished(run).manifest.slices == ("lang",)


class Frame:
    """A data frame, as far as a table is asked for."""

    def to_dict(self, how: str) -> list[dict[str, Any]]:
        assert how == "records"
        return [{"id": 1, "acc": 0.5, "note": "n"}, {"id": 2, "acc": 1, "note": "m"}]


@pytest.mark.parametrize(
    ("table", "columns"),
    [([{"id": 1, "acc": 0.5, "note": "n"}, {"id": 2, "acc": 1, "note": "m"}], None), (Frame(), None),
     ([[1, 0.5, "n"], [2, 1, "m"]], ["id", "acc", "note"])],
    ids=["mappings", "a data frame", "columns"],
)  # fmt: skip
def test_a_table_is_records_by_the_columns_that_are_named(
    run: TrackedRun, table: Any, columns: list[str] | None
) -> None:
    run.log_table(table, columns=columns, scores=["acc"])
    lines = [line for batch in finished(run).batches() for line in batch.lines]
    assert lines == [
        b'{"id":"1","metadata":{"note":"n"},"scores":{"acc":0.5}}',
        b'{"id":"2","metadata":{"note":"m"},"scores":{"acc":1}}',
    ]


def test_input_output_target_and_tags_of_a_table_are_fields(run: TrackedRun) -> None:
    row = {"key": "k", "q": "2+2", "a": "4", "want": 4, "lang": "en"}
    run.log_table([row], id="key", input="q", output="a", target="want", tags=["lang"])
    lines = [line for batch in finished(run).batches() for line in batch.lines]
    assert lines == [b'{"id":"k","input":"2+2","output":"4","tags":{"lang":"en"},"target":4}']


@pytest.mark.parametrize("table", ["text", 5, {"id": 1}, [5], [[1, 2]]])
def test_what_is_no_table_is_refused(run: TrackedRun, table: object) -> None:
    with pytest.raises(UsageError, match="row"):
        run.log_table(table)


def test_a_table_without_the_column_of_the_id_is_refused(run: TrackedRun) -> None:
    with pytest.raises(InvalidDataError, match="no column 'id'"):
        run.log_table([{"name": 1}])


# Artifacts.


def test_artifacts_are_copied_at_the_call(run: TrackedRun) -> None:
    Path("model.bin").write_bytes(b"first")
    run.log_artifact("model.bin")
    run.log_artifact("model.bin", "kept/one.bin", type="model")
    Path("model.bin").write_bytes(b"second")
    run.log_artifact(Path("model.bin"))
    Path("model.bin").unlink()
    made = finished(run)
    assert (run.path / "artifacts/model.bin").read_bytes() == b"second"
    assert (run.path / "artifacts/kept/one.bin").read_bytes() == b"first"
    assert told(made)["artifacts"] == {"kept/one.bin": "model"}


def test_a_folder_of_artifacts_keeps_its_paths(run: TrackedRun) -> None:
    Path("out/deep").mkdir(parents=True)
    Path("out/a.txt").write_text("a")
    Path("out/deep/b.txt").write_text("b")
    run.log_artifacts("out")
    run.log_artifacts("out", "again/")
    listed = [path for path in finished(run).manifest.files if path.startswith("artifacts/")]
    assert sorted(listed) == [
        "artifacts/a.txt", "artifacts/again/a.txt", "artifacts/again/deep/b.txt", "artifacts/deep/b.txt"
    ]  # fmt: skip


@pytest.mark.parametrize("keeps", [True, False])
def test_an_artifact_that_is_not_there_is_an_error_at_the_call(keeps: bool) -> None:
    run = tracked(log_artifacts=keeps)
    for call, path in ((run.log_artifact, "gone.bin"), (run.log_artifact, "."), (run.log_artifacts, "gone")):
        with pytest.raises(UsageError, match=r"no such f|not a file"):
            call(path)


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../b", "a\\b", "CON", "a:b", "", "x/", "A.TXT", "a.txt/b", "D/X"])
def test_an_artifact_has_a_portable_name_of_its_own(run: TrackedRun, name: str) -> None:
    Path("a.txt").write_text("a")
    run.log_artifact("a.txt")
    run.log_artifact("a.txt", "d/x/y")
    with pytest.raises((InvalidRunError, InvalidDataError, UsageError)):
        run.log_artifact("a.txt", name)
    assert len(finished(run).manifest.files) == 4


def test_with_log_artifacts_off_no_file_is_kept_and_the_run_says_so() -> None:
    run = tracked(log_artifacts=False)
    Path("a.txt").write_text("a")
    run.log_artifact("a.txt")
    run.log_artifact("a.txt", "b.txt")
    made = finished(run)
    assert told(made) == {"left_out": {"log_artifacts is off": 2}}
    assert [path for path in made.manifest.files if "/" in path] == []


# Results of experiments.


class Category(Enum):
    LOGIC = "logic"


@dataclass
class Result:
    """The result of an experiment as an object with parts."""

    experiment_id: str = "e-1"
    success_rate: float = 0.75
    total_count: int = 4
    success_count: int = 3
    error_count: int = 1
    duration_seconds: float = 1.5
    probe_name: str = "p"
    probe_category: Category = Category.LOGIC
    model_info: Any = None
    score: Any = None


def result() -> Result:
    return Result(
        model_info=SimpleNamespace(name="m-1", provider="local"),
        score=SimpleNamespace(
            accuracy=0.75,
            precision=0.5,
            recall=None,
            f1_score=0.6,
            mean_latency_ms=12.5,
            total_tokens=100,
            error_rate=0.25,
        ),
    )


def test_the_result_of_an_experiment_is_logged_by_the_names_people_know(run: TrackedRun) -> None:
    run.log_experiment_result(result())
    made = finished(run)
    assert {point.name: point.value for point in made.points()} == {
        "success_rate": 0.75, "total_count": 4, "success_count": 3, "error_count": 1, "accuracy": 0.75,
        "precision": 0.5, "f1_score": 0.6, "total_tokens": 100, "error_rate": 0.25,
    }  # fmt: skip
    assert made.volatile_measures() == {"duration_seconds": 1.5, "mean_latency_ms": 12.5}
    assert made.manifest.identity.params == {
        "experiment_id": "e-1",
        "model_name": "m-1",
        "model_provider": "local",
        "probe_name": "p",
        "probe_category": "logic",
    }
    assert "directions_by_name" not in told(made)
    assert made.manifest.metrics["error_rate"].direction == "lower"


def test_a_prefix_tells_two_results_apart(run: TrackedRun) -> None:
    run.log_experiment_result({"success_rate": 1, "total_count": 2, "model_name": "m"}, prefix="a_")
    run.log_experiment_result({"success_rate": 0, "total_count": 2, "model": {"name": "n"}}, prefix="b/")
    made = finished(run)
    assert {p.name: p.value for p in made.points()} == {
        "a_success_rate": 1, "a_total_count": 2, "b/success_rate": 0, "b/total_count": 2
    }  # fmt: skip
    assert made.manifest.identity.params == {"a_model_name": "m", "b/model_name": "n"}


# Tags, notes, alerts.


def test_tags_and_notes_stand_in_the_manifest_the_last_of_each() -> None:
    run = tracked(tags=["nightly"], notes="# first")
    run.add_tag("stage", "one")
    run.add_tag("stage", "two")
    made = finished(run)
    assert (made.manifest.tags, made.manifest.notes) == ({"nightly": "", "stage": "two"}, "# first")
    again = create_tracker("local", project="p", tags={"a": "b"}).start_run(run_id="s")
    again.set_note("second")
    made = finished(again)
    assert (made.manifest.tags, made.manifest.notes) == ({"a": "b"}, "second")


@pytest.mark.parametrize("call", [lambda run: run.add_tag("", "x"), lambda run: run.add_tag("a", 1),
                                  lambda run: run.add_tag("a", "\ud800"), lambda run: run.set_note(None)])  # fmt: skip
def test_tags_and_notes_are_texts(run: TrackedRun, call: Any) -> None:
    with pytest.raises(InvalidDataError):
        call(run)
    assert finished(run).manifest.tags == {}


def test_an_alert_goes_off_when_its_condition_begins_to_hold_and_is_recorded(run: TrackedRun) -> None:
    seen: list[Event] = []
    run.create_alert("val_loss > 2.0", "diverging", seen.append)
    for step, value in enumerate((1, 2, 2.5, 3, 1, math.nan, 0.5)):
        run.log_metrics({"val_loss": value, "other": 9}, step)
    assert [(event.step, event.value) for event in seen[:1]] == [(2, 2.5)]
    assert [event.step for event in seen] == [2, 5]
    assert told(finished(run))["alerts"] == [
        {"condition": "val_loss > 2.0", "message": "diverging", "metric": "val_loss", "step": 2, "value": 2.5},
        {"condition": "val_loss > 2.0", "message": "diverging", "metric": "val_loss", "step": 5, "value": "nan"},
    ]


def test_what_a_callback_raises_reaches_the_caller_after_the_metric_is_written(run: TrackedRun) -> None:
    class EnoughError(Exception):
        pass

    def stop(event: Event) -> None:
        raise EnoughError(event.message)

    run.create_alert("loss>=10", "stop it", stop)
    with pytest.raises(EnoughError, match="stop it"):
        run.log_metrics({"loss": 10}, 1)
    assert points(run) == [("loss", 1, 10)]


@pytest.mark.parametrize(
    ("condition", "below", "at", "above"),
    [("m > 1", 0, 0, 1), ("m>=1", 0, 1, 1), ("m < 1.0", 1, 0, 0), (" m <= 1e0 ", 1, 1, 0), ("m == 1", 0, 1, 0),
     ("m!=+1", 1, 0, 1)],
)  # fmt: skip
def test_the_operators_of_conditions(condition: str, below: int, at: int, above: int) -> None:
    found = [Alert(condition, "").event(value, None) is not None for value in (0.5, 1, 1.5)]
    assert found == [bool(below), bool(at), bool(above)]


@pytest.mark.parametrize(
    "condition",
    ["", "loss", "loss >", "> 1", "loss > x", "loss > nan", "loss > inf", "loss > 1e999", "loss = 1", "loss => 1",
     "1 < loss < 2", "loss > 1 or True", "loss > __import__('os')", "loss >> 1", "loss > 1_0", "loss > \u0661", None],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_an_example(run: TrackedRun, condition: Any) -> None:
    with pytest.raises(UsageError, match="not a condition") as refused:
        run.create_alert(condition)
    assert "val_loss > 2.0" in refused.value.hint


# What is captured when it is asked for.


@pytest.fixture
def git_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each process of git; git is the real one."""
    real = shutil.which("git")
    folder, calls = tmp_path / "bin", tmp_path / "git-calls"
    folder.mkdir()
    calls.touch()
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >> "{calls}"\nexec "{real}" "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    return calls


def repository(folder: Path) -> Repository:
    made = Repository(folder)
    made.write("train.py", "import model\n")
    made.write("deep/model.py", "a = 1\n")
    made.write("data.csv", "1\n")
    made.commit()
    return made


def test_commit_and_dirty_flag_are_captured_when_asked_for_by_one_process(
    tmp_path: Path, git_calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = repository(tmp_path / "code")
    commit = code.git("rev-parse", "HEAD")
    monkeypatch.chdir(code.folder)
    found = []
    for text in ("import model\n", "import other\n"):
        code.write("train.py", text)
        git_calls.write_text("")
        run = create_tracker("local", log_git=True).start_run()
        for step in range(100):
            run.log_metrics({"m": 1}, step)
        provenance = finished(run).manifest.provenance
        found.append((provenance.commit, provenance.dirty, len(git_calls.read_text().splitlines())))
    assert found == [(commit, False, 1), (commit, True, 1)]


def test_without_being_asked_for_nothing_is_captured_and_git_is_not_called(
    tmp_path: Path, git_calls: Path, monkeypatch: pytest.MonkeyPatch, run: TrackedRun
) -> None:
    monkeypatch.chdir(repository(tmp_path / "code").folder)
    git_calls.write_text("")
    run = create_tracker("local").start_run()
    assert finished(run).manifest.provenance == Provenance()
    assert git_calls.read_text() == ""
    assert sorted(path.name for path in (run.path / "volatile").iterdir()) == ["tracking.json"]


def test_what_cannot_be_captured_is_told_at_the_end_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    run = tracked(log_git=True)
    with pytest.warns(TrackingWarning, match="not captured: this is not a git repository"):
        made = finished(run)
    assert (made.manifest.status, made.manifest.provenance.commit) == ("completed", None)


def test_the_environment_is_a_fingerprint_and_its_list_is_volatile() -> None:
    run = tracked(log_environment=True)
    fingerprint = finished(run).manifest.provenance.environment
    listed = volatile(run, "environment")
    assert fingerprint == hashlib.sha256(canonical.encode(listed)).hexdigest()[:32]
    assert {"pytest", "orjson"} <= listed["packages"].keys()


def test_seeds_are_params() -> None:
    assert finished(tracked(seeds={"numpy": 7})).manifest.identity.params == {"seed.numpy": 7}


def test_the_code_that_git_tracks_is_kept_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = repository(tmp_path / "code")
    monkeypatch.chdir(code.folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    code.write("untracked.py", "x = 1\n")
    run = create_tracker("local", log_code=True, log_artifacts=False).start_run()
    files = finished(run).manifest.files
    assert [path for path in files if "/" in path] == ["artifacts/code/deep/model.py", "artifacts/code/train.py"]


@pytest.mark.parametrize("is_tracked", [True, False])
def test_the_script_that_runs_is_part_of_its_code_also_where_git_does_not_track_it(
    tmp_path: Path, is_tracked: bool
) -> None:
    code = Repository(tmp_path / "code")
    code.write("model.py", "x = 1\n")
    script = code.write("jobs/fit.py", "from runstore import *\nwith create_tracker(log_code=True): pass\n")
    code.git("add", "-A" if is_tracked else "model.py")
    code.commit() if is_tracked else code.git("commit", "-q", "-m", "model")
    done = subprocess.run([sys.executable, script], cwd=code.folder, env=environment(tmp_path), check=False)
    assert done.returncode == 0
    files = read_run(code.folder / "experiments/default/run").manifest.files
    assert [path for path in files if "/" in path] == ["artifacts/code/jobs/fit.py", "artifacts/code/model.py"]


def test_clock_host_and_process_are_volatile_and_nowhere_else(tmp_path: Path) -> None:
    ticks = iter((1000.0, 1060.5))
    tracker = ExperimentTracker(TrackingConfig(), clock=lambda: next(ticks))
    run = tracker.start_run()
    finished(run)
    assert volatile(run, "tracking") == {
        "at": 1000, "ended_at": 1060.5, "host": platform.node(), "pid": os.getpid()
    }  # fmt: skip
    for path in run.path.glob("*.json*"):
        assert platform.node().encode() not in path.read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()
