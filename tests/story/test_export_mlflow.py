"""MLflow as it is: a run sent to its own tracking server, read back by us and by its own SDK, whatever goes wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runstore.canonical import JsonValue
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Attachment, ExportError, Options, Visit
from runstore.exporters.mlflow import checking, exporter
from runstore.exporters.mlflow.model import KEY, MlflowPlan
from runstore.exporters.mlflow.rest import Server
from runstore.manifest import Dataset, Identity, Provenance
from runstore.store.reader import Run, read_run
from tests.factories import HIGHER, SHARE, Point, files_of, scored, unsynced, write_run
from tests.mlflow_exports import begin, exporting
from tests.mlflow_servers import faulty_way, real_mlflow

pytestmark = pytest.mark.server
pytest.importorskip("mlflow", reason="the extra `servers` brings MLflow")

DOUBLES = [0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e-7, 1e21, 2**53 - 1, 0, -3]
NAMES = [
    "loss",
    "pass@1",
    "größe",
    "a b/c",
    "../up",
    "/root",
    "a//b",
    "x:y",
    "runstore/records",
    "_x40_",
    "n" * 300,
    "%",
    "'`\"",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


def made_run(place: Path, project: str, *, points: int = 1500, **options: Any) -> Run:
    """A run with every kind of thing in it that a run holds."""
    identity = Identity(
        project=project,
        name="everything",
        params={"lr": 0.1, "flag": True, "none": None, "long": "ä" * 7000, **{n: n for n in NAMES}}
        | {f"p{n}": n for n in range(100)},
        datasets=[Dataset(name="qa", digest="sha256:" + "d" * 64, version="3")],
    )
    series: list[Point] = [(name, value, step) for name in NAMES for step, value in enumerate(DOUBLES)]
    series += [("many", random.Random(step).gauss(0, 1), step) for step in range(points)]
    series += [(name, 0.5, None) for name in NAMES] + [("only", 1, None), ("far", 2, 2**53 - 1)]
    records = [scored(f"r{n:03}", n / 40, input={"q": "ü"}, tags={"lang": "en"}) for n in range(40)]
    records += [{"id": "bad", "status": "error", "reason": {"type": "T", "message": "m"}}]
    (place.parent / "model.bin").write_bytes(bytes(range(256)) * 40)
    names = {name for name, _, _ in series}
    with unsynced():
        write_run(
            place,
            records,
            {"acc": SHARE, **dict.fromkeys(names, HIGHER)},
            points=series,
            **{
                "identity": identity,
                "tags": {"team": "x", "empty": "", "mlflow.user": "no", **{n: n for n in NAMES}},
                "notes": "# Notes\n" + "z" * 6000,
                "provenance": Provenance(commit="c" * 40, dirty=True, environment="my-host"),
                **options,
            },
        )
    return read_run(place)


def planned(run: Run, server: str, **options: Any) -> MlflowPlan:
    return exporter.plan(run, Options(target=server, **options))


def visit(
    progress: Mapping[str, JsonValue] = {}, kept: list[Mapping[str, JsonValue]] | None = None, timeout_s: float = 60
) -> Visit:
    keep = (lambda value: None) if kept is None else kept.append
    return Visit(environment={}, budget=Deadline(timeout_s), progress=progress, keep=keep, warn=lambda text: None)


def runs_there(plan: MlflowPlan) -> list[tuple[str, str]]:
    """(Id, status) of all runs with the plan's key that were not deleted."""
    with Server(plan.server, {}, Deadline(30)) as server:
        experiment = server.find_experiment(plan.experiment)
        return [] if experiment is None else [(r.id, r.status) for r in server.search(experiment, KEY, plan.key)]


def assert_one_whole_run(plan: MlflowPlan, run: Run) -> None:
    assert [status for _, status in runs_there(plan)] == [plan.status]
    assert exporter.verify(plan, run, visit()) == []


_SDK = """
import json, sys
import mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
run = client.get_run(sys.argv[2])
mlflow.set_experiment(experiment_id=run.info.experiment_id)  # load_table looks nowhere else
print(json.dumps({
    "status": run.info.status,
    "params": run.data.params,
    "tags": run.data.tags,
    "latest": run.data.metrics,
    "points": {name: [(p.step, p.timestamp, p.value) for p in client.get_metric_history(run.info.run_id, name)]
               for name in run.data.metrics},
    "datasets": [(d.name, d.digest, d.source, d.source_type) for d in (i.dataset for i in run.inputs.dataset_inputs)],
    "table": len(mlflow.load_table("runstore/records.json", run_ids=[run.info.run_id])),
    "files": [f.path for f in client.list_artifacts(run.info.run_id)],
}))
"""


def seen_by_the_sdk(server: str, run_id: str, folder: Path) -> Any:
    """What MLflow's own client reads."""
    done = subprocess.run(
        [sys.executable, "-c", _SDK, server, run_id],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": server},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def test_everything_comes_back_equal_to_us_and_to_the_sdk(tmp_path: Path, server: str) -> None:
    run = made_run(tmp_path / "run", "equal")
    plan = planned(run, server)
    receipt = exporter.push(plan, run, visit())
    assert_one_whole_run(plan, run)
    seen = seen_by_the_sdk(server, receipt.remote_id, tmp_path)
    assert seen["status"] == "FINISHED"
    assert seen["params"] == plan.params
    assert {name: seen["tags"][name] for name in plan.tags} == plan.tags
    assert seen["tags"]["mlflow.note.content"] == plan.note
    found = {(name, step, at, bits(value)) for name, points in seen["points"].items() for step, at, value in points}
    assert found == {(one.name, one.step, one.timestamp, bits(one.value)) for one in plan.points}
    assert sum(map(len, seen["points"].values())) == len(plan.points)
    finals = {one.name: one.value for one in plan.points if one.final}
    assert {name: seen["latest"][name] for name in finals} == finals
    assert seen["datasets"] == [["qa", plan.datasets[0].digest, plan.datasets[0].source, "runstore"]]
    assert seen["table"] == 41
    assert "my-host" not in json.dumps(seen)


def test_a_large_file_is_compared_by_its_size(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(tmp_path / "run", "large", points=1)
    plan = planned(run, server)
    receipt = exporter.push(plan, run, visit())
    monkeypatch.setattr(checking, "LARGE_BYTES", 10)
    assert exporter.verify(plan, run, visit()) == []
    with Server(server, {}, Deadline(30)) as there:
        there.put_file(there.get_run(receipt.remote_id), "runstore/records.jsonl", b"12345678901", 11)
    assert [one.found for one in exporter.verify(plan, run, visit())] == ["11 bytes"]
    monkeypatch.undo()
    more = replace(plan, attachments=[*plan.attachments, Attachment(path="not/there.txt", content=b"x")])
    found = {one.name: one.found for one in exporter.verify(more, run, visit())}
    assert found.keys() == {"runstore/records.jsonl", "not/there.txt"}
    assert found["not/there.txt"] is None


def test_the_requests_are_few(tmp_path: Path, server: str) -> None:
    run = made_run(tmp_path / "run", "few", points=10_000)
    plan = planned(run, server)
    receipt = exporter.push(plan, run, visit())
    assert receipt.requests <= -(-len(plan.points) // 1000) + 8 + 2 + len(plan.attachments)
    again = exporter.push(plan, run, visit())
    assert (again.remote_id, again.created, again.requests) == (receipt.remote_id, False, 2)


def test_a_bare_nan_would_be_kept_as_zero_and_a_text_is_not(tmp_path: Path, server: str) -> None:
    """Why no number goes out unseen: if this fails, MLflow has changed, and docs/exporting-mlflow.md with it."""
    plan = planned(made_run(tmp_path / "run", "nan", points=1), server)
    with Server(server, {}, Deadline(30)) as there:
        run = there.create_run(there.make_experiment("nan"), "x", {}, 0).id
        for name, text in (("bare", "NaN"), ("quoted", '"NaN"')):
            body = f'{{"run_id":"{run}","metrics":[{{"key":"{name}","value":{text},"timestamp":0,"step":0}}]}}'
            there.log_batch(body.encode())
        latest = there.get_run(run).latest
    assert latest["bare"][2] == 0.0
    assert str(latest["quoted"][2]) == "nan"
    assert plan


@pytest.mark.parametrize("jobs", [2, 3, 4])
def test_jobs_that_export_at_once_make_one_run(tmp_path: Path, server: str, jobs: int) -> None:
    run = made_run(tmp_path / "run", f"race {tmp_path.name}", points=300)
    children = [exporting(tmp_path / "run", server, tmp_path / f"ledger{n}") for n in range(jobs)]
    time.sleep(1)
    for child in children:
        begin(child)
    told = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0] * jobs
    assert len(set(told)) == 1
    assert_one_whole_run(planned(run, server), run)


@pytest.mark.parametrize("fault", ["drop", "hang", "trickle", 401, 403, 429, 500, 503])
def test_a_failing_way_is_told_in_time_and_the_next_export_is_whole(
    tmp_path: Path, server: str, fault: str | int
) -> None:
    run = made_run(tmp_path / "run", f"fault {fault}", points=1500)
    before = files_of(tmp_path / "run")
    for number in (0, 7):  # from the first request on, and from the midst
        with faulty_way(server) as (address, way):
            way.choose = lambda at, method, path, number=number: fault if at >= number else "pass"  # type: ignore[misc]
            plan = planned(run, f"{address}#fault {fault} {number}")
            kept: list[Mapping[str, JsonValue]] = [{}]
            began = time.monotonic()
            with pytest.raises(ExportError) as caught:
                exporter.push(plan, run, visit(kept=kept, timeout_s=2))
            assert time.monotonic() - began < 4
            assert caught.value.hint
            way.choose = lambda at, method, path: "pass"
            exporter.push(plan, run, visit(kept[-1]))
            assert_one_whole_run(plan, run)
    assert files_of(tmp_path / "run") == before


def test_an_answer_lost_at_every_third_request_doubles_nothing(tmp_path: Path, server: str) -> None:
    run = made_run(tmp_path / "run", "lost", points=1500)
    with faulty_way(server) as (address, way):
        exporter.push(planned(run, address), run, visit())
        requests = len(way.seen)
        for cut in range(0, requests, 3):  # at each of them before the small server, in the unit tests
            way.seen.clear()
            way.choose = lambda at, method, path, cut=cut: "cut" if at == cut else "pass"  # type: ignore[misc]
            plan = planned(run, f"{address}#lost {cut}")
            exporter.push(plan, run, visit())
            way.choose = lambda at, method, path: "pass"
            assert_one_whole_run(plan, run)


def test_killed_at_every_third_request_the_next_export_is_whole(tmp_path: Path, server: str) -> None:
    run = made_run(tmp_path / "run", "killed", points=1500)
    with faulty_way(server) as (address, way):
        exporter.push(planned(run, address), run, visit())
        requests = len(way.seen)
        for stop in range(0, requests, 3):  # as above
            way.seen.clear()
            way.choose = lambda at, method, path, stop=stop: "hang" if at == stop else "pass"  # type: ignore[misc]
            target = f"{address}#killed {stop}"
            child = exporting(tmp_path / "run", target, tmp_path / f"ledger{stop}")
            begin(child)
            while len(way.seen) <= stop and child.poll() is None:
                time.sleep(0.01)
            child.kill()
            child.communicate()
            assert child.returncode == -signal.SIGKILL
            plan = planned(run, target)
            assert all(status == "RUNNING" for _, status in runs_there(plan))
            way.choose = lambda at, method, path: "pass"
            again = exporting(tmp_path / "run", target, tmp_path / f"ledger{stop}")
            again.communicate("\n")
            assert again.returncode == 0
            assert_one_whole_run(plan, run)


def test_a_param_that_is_another_there_is_told_and_not_overwritten(tmp_path: Path, server: str) -> None:
    run = made_run(tmp_path / "run", "conflict", points=1)
    plan = planned(run, server)
    with Server(server, {}, Deadline(30)) as there:
        mine = there.create_run(there.make_experiment("conflict"), plan.title, {KEY: plan.key, "runstore.saw": "x"}, 0)
        there.log_batch(f'{{"run_id":"{mine.id}","params":[{{"key":"lr","value":"0.2"}}]}}'.encode())
        with pytest.raises(ExportError, match=r"'lr' of this run holds '0.2' there, and '0.1' here"):
            exporter.push(plan, run, visit())
        assert there.get_run(mine.id).params == {"lr": "0.2"}
