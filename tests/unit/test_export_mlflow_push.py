"""Pushing to MLflow, against a small server of the tests' own that drops nothing it is sent twice."""

from __future__ import annotations

import base64
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runstore.canonical import JsonValue
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Difference, ExportError, Options, Receipt, Visit
from runstore.exporters.mlflow import checking, exporter
from runstore.exporters.mlflow.model import MlflowPlan
from runstore.manifest import Dataset, Identity
from runstore.store.reader import Run, read_run
from tests.factories import HIGHER, SHARE, passing, unsynced, write_run
from tests.mlflow_exports import begin, exporting
from tests.mlflow_servers import SmallMlflow, faulty_way, small_mlflow

POINTS = 2500
_METRICS = {"acc": SHARE, "loss": HIGHER, "pass@1": HIGHER}


@pytest.fixture
def small() -> Iterator[tuple[str, SmallMlflow]]:
    with small_mlflow() as found:
        yield found


def made_run(place: Path, *, points: int = POINTS, **options: Any) -> Run:
    identity = Identity(
        project="demo", params={"lr": 0.1, **{f"p{n}": n for n in range(120)}}, datasets=[Dataset(name="d", digest="x")]
    )
    series = [("loss", 1 / (step + 1), step) for step in range(points)] + [("pass@1", 0.5, None)]
    with unsynced():
        write_run(place, passing(20), _METRICS, points=series, **{"identity": identity, "notes": "# Hi", **options})
    return read_run(place)


def planned(run: Run, server: str, **options: Any) -> MlflowPlan:
    return exporter.plan(run, Options(target=server, **options))


def visit(
    progress: Mapping[str, JsonValue] = {},
    *,
    kept: list[Mapping[str, JsonValue]] | None = None,
    said: list[str] | None = None,
    timeout_s: float = 30,
    environment: Mapping[str, str] = {},
) -> Visit:
    return Visit(
        environment=environment,
        budget=Deadline(timeout_s),
        progress=progress,
        keep=lambda value: None if kept is None else kept.append(value),
        warn=lambda text: None if said is None else said.append(text),
    )


def push(run: Run, server: str, **options: Any) -> Receipt:
    return exporter.push(planned(run, server), run, visit(**options))


def differences(run: Run, server: str) -> Sequence[Difference]:
    return exporter.verify(planned(run, server), run, visit())


def assert_one_whole_run(app: SmallMlflow, run: Run, server: str) -> None:
    assert len(app.living()) == 1
    (found,) = app.whole_runs()
    twice = Counter((one["key"], one["step"], one["timestamp"]) for one in found["points"])
    assert max(twice.values()) == 1
    assert not differences(run, server)


def test_a_run_is_there_whole_and_reads_back_equal(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    receipt = push(run, server)
    assert receipt.created
    assert receipt.url == f"{server}/#/experiments/1/runs/{receipt.remote_id}"
    assert_one_whole_run(app, run, server)
    (found,) = app.runs.values()
    assert (found["status"], found["name"], found["tags"]["mlflow.note.content"]) == ("FINISHED", "run", "# Hi")


def test_the_requests_are_a_thousandth_of_the_points_and_a_few(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    run = made_run(tmp_path / "run", points=10_000)
    receipt = push(run, small[0])
    assert receipt.requests == len(small[1].seen)
    assert receipt.requests <= 11 + 14


def test_the_same_run_again_is_the_same_run_and_costs_two_requests(
    tmp_path: Path, small: tuple[str, SmallMlflow]
) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    first, second = push(run, server), push(run, server)
    assert (second.remote_id, second.created, second.requests) == (first.remote_id, False, 2)
    assert_one_whole_run(app, run, server)


def test_a_changed_run_is_another_and_knows_the_one_before(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    one, other = made_run(tmp_path / "one"), made_run(tmp_path / "other", points=3)
    first = push(one, server)
    plan = planned(other, server, previous=planned(one, server).key)
    second = exporter.push(plan, other, visit())
    assert second.remote_id != first.remote_id
    assert app.runs[second.remote_id]["tags"]["runstore.previous"] == planned(one, server).key
    assert app.runs[second.remote_id]["tags"]["runstore.previous_id"] == first.remote_id
    assert push(other, server).created is False  # also when the ledger, which knew the link, is lost


def test_what_was_left_out_before_is_sent_when_it_is_asked_for(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    exporter.push(planned(run, server, records=False), run, visit())
    assert any(one.kind == "artifact" and one.found is None for one in differences(run, server))
    assert push(run, server).created
    assert_one_whole_run(app, run, server)


def test_a_nested_run_is_linked_to_its_parent_also_if_that_comes_later(
    tmp_path: Path, small: tuple[str, SmallMlflow]
) -> None:
    server, app = small
    parent = made_run(tmp_path / "parent")
    child = made_run(tmp_path / "child", identity=Identity(project="demo", parent=parent.manifest.run_id))
    said: list[str] = []
    alone = push(child, server, said=said)
    assert "parent" in said[0]
    above = push(parent, server)
    push(child, server)
    assert app.runs[alone.remote_id]["tags"]["mlflow.parentRunId"] == above.remote_id


@pytest.mark.parametrize("status", ["completed", "failed", "killed"])
def test_the_status_is_set_last(tmp_path: Path, small: tuple[str, SmallMlflow], status: str) -> None:
    server, app = small
    run = made_run(tmp_path / "run", status=status)
    receipt = push(run, server)
    wanted = {"completed": "FINISHED", "failed": "FAILED", "killed": "KILLED"}[status]
    assert app.runs[receipt.remote_id]["status"] == wanted
    assert app.seen[-1] == "POST /api/2.0/mlflow/runs/update"


def test_a_param_that_is_another_there_is_told_and_not_overwritten(
    tmp_path: Path, small: tuple[str, SmallMlflow]
) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    receipt = push(run, server)
    there = app.runs[receipt.remote_id]
    there.update(status="RUNNING")
    there["params"]["lr"] = "0.2"
    with pytest.raises(ExportError, match=r"the param 'lr' of this run holds '0.2' there, and '0.1' here"):
        push(run, server)
    assert there["params"]["lr"] == "0.2"
    assert there["status"] == "RUNNING"


def test_what_was_changed_there_is_found(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    run = made_run(tmp_path / "run", points=3)
    there = app.runs[push(run, server).remote_id]
    there["points"][0]["value"] += 2**-52
    del there["points"][1]
    there["points"].append(there["points"][-1])
    there["points"].append({"key": "new", "value": 1.0, "timestamp": 0, "step": 0})
    there["params"].update(lr="0.10", more="1")
    there["tags"]["runstore.suite"] = "x"
    there["status"] = "FAILED"
    there["name"] = "mine"
    app.files = {path: data[:-1] if path.endswith(".jsonl") else data for path, data in app.files.items()}
    found = {(one.kind, one.name, one.planned, one.found) for one in differences(run, server) if one.kind != "artifact"}
    assert found == {
        ("run", "status", "FINISHED", "FAILED"),
        ("run", "title", "run", "mine"),
        ("param", "lr", "0.1", "0.10"),
        ("param", "more", None, "1"),
        ("tag", "runstore.suite", "default", "x"),
        ("metric", "loss step 0", "1.0", "1.0000000000000002"),
        ("metric", "loss step 1", "0.5", None),
        ("metric", "runstore/records/skipped step 0", None, "0.0 at step 0"),
        ("metric", "new", None, "1.0 at step 0"),
    }
    files = [one for one in differences(run, server) if one.kind == "artifact"]
    assert [one.name for one in files] == ["runstore/records.jsonl"]


def test_a_large_file_is_compared_by_its_size(
    tmp_path: Path, small: tuple[str, SmallMlflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, app = small
    monkeypatch.setattr(checking, "LARGE_BYTES", 10)
    run = made_run(tmp_path / "run", points=3)
    push(run, server)
    assert not differences(run, server)
    (place,) = [path for path in app.files if path.endswith("/records.jsonl")]
    app.files[place] += b"x"
    size = run.manifest.files["records.jsonl"].size
    assert [(one.name, one.planned, one.found) for one in differences(run, server)] == [
        ("runstore/records.jsonl", f"{size} bytes", f"{size + 1} bytes")
    ]
    del app.files[place]
    monkeypatch.undo()
    assert [one.found for one in differences(run, server)] == [None]


def test_a_run_that_is_not_there_is_a_difference(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    run = made_run(tmp_path / "run")
    assert [one.kind for one in differences(run, small[0])] == ["run"]
    assert not small[1].experiments


def test_files_that_the_server_does_not_pass_on_are_refused_before_anything_is_sent(
    tmp_path: Path, small: tuple[str, SmallMlflow]
) -> None:
    server, app = small
    app.artifact_scheme = "s3"
    with pytest.raises(ExportError, match="keeps files in a store of its own \\(s3\\)") as caught:
        push(made_run(tmp_path / "run"), server)
    assert "--no-artifacts" in caught.value.hint
    assert not app.living()[0]["points"]


_SECRETS = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "pa55word"}


def test_name_and_password_go_to_the_server_and_nowhere_else(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    plan = planned(run, server, environment=_SECRETS)
    kept: list[Mapping[str, JsonValue]] = []
    receipt = exporter.push(plan, run, visit(environment=_SECRETS, kept=kept))
    sent = base64.b64encode(b"ann:pa55word").decode()
    assert {headers["Authorization"] for headers in app.headers} == {f"Basic {sent}"}
    for shown in (repr(plan), repr(receipt), repr(kept), repr(app.runs)):
        assert "pa55word" not in shown
        assert sent not in shown


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (401, "does not know who asks .*MLFLOW_TRACKING_USERNAME"),
        (403, "does not allow this .*experiment"),
        (404, "has nothing there .*tracking server"),
        (429, "asks to slow down"),
        (500, "failed"),
        (503, "failed"),
        ("hang", "says nothing, or too slowly|seconds for this export are over"),
        ("trickle", "too slowly|seconds for this export are over"),
        ("drop", "closed the connection"),
    ],
)
def test_a_failing_server_is_told_in_time_and_the_next_export_is_whole(
    tmp_path: Path, small: tuple[str, SmallMlflow], fault: str | int, words: str
) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    before = run.source.sizes()
    with faulty_way(server) as (way_address, way):
        way.choose = lambda number, method, path: fault if number >= 6 else "pass"
        plan = planned(run, way_address)
        kept: list[Mapping[str, JsonValue]] = [{}]
        began = time.monotonic()
        with pytest.raises(ExportError) as caught:
            exporter.push(plan, run, visit(timeout_s=1, environment=_SECRETS, kept=kept))
        assert time.monotonic() - began < 3
        assert re.search(words, " ".join(str(caught.value).split()))
        assert "pa55word" not in str(caught.value)
        assert run.source.sizes() == before
        assert not app.whole_runs()
        way.choose = lambda number, method, path: "pass"
        assert exporter.push(plan, run, visit(kept[-1])).created
        assert_one_whole_run(app, run, way_address)


@pytest.mark.parametrize("verb", ["_runs_log_batch", "_runs_log_inputs"])
def test_a_job_that_was_faster_is_no_failure_and_a_refusal_that_stays_is_one(
    tmp_path: Path, small: tuple[str, SmallMlflow], verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, app = small
    run = made_run(tmp_path / "run")
    real = getattr(app, verb)

    def overtaken(sent: dict[str, Any]) -> dict[str, Any]:
        """Have from the other job what is sent, once, and refuse it."""
        monkeypatch.setattr(app, verb, real)
        real(sent)
        raise ValueError("UNIQUE constraint failed")

    monkeypatch.setattr(app, verb, overtaken)
    push(run, server)
    assert_one_whole_run(app, run, server)

    def refused(sent: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("never")

    monkeypatch.setattr(app, verb, refused)
    app.forget()
    with pytest.raises(ExportError, match="never"):
        push(run, server)
    assert not app.whole_runs()


def test_nobody_there_is_told_in_time(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", points=3)
    with pytest.raises(ExportError, match=r"connection refused|cannot be reached|too few are left"):
        push(run, "http://127.0.0.1:9", timeout_s=1)


def _cut_at(cut: int, run: Run, server: str, app: SmallMlflow) -> None:
    """Lose the answer to request `cut` of an export, which goes on in one go."""
    with faulty_way(server) as (address, way):
        way.choose = lambda number, method, path: "cut" if number == cut else "pass"
        exporter.push(planned(run, address), run, visit())
        assert len(way.seen) > cut
        assert_one_whole_run(app, run, address)


@pytest.mark.parametrize("cut", [1, 3, 6, 8, 9])
def test_a_lost_answer_doubles_nothing(tmp_path: Path, small: tuple[str, SmallMlflow], cut: int) -> None:
    _cut_at(cut, made_run(tmp_path / "run", points=1500), *small)


@pytest.mark.slow
@pytest.mark.parametrize("cut", range(14))
def test_an_answer_lost_at_any_request_doubles_nothing(
    tmp_path: Path, small: tuple[str, SmallMlflow], cut: int
) -> None:
    _cut_at(cut, made_run(tmp_path / "run", points=1500), *small)


def _kill_at(stop: int, folder: Path, server: str, app: SmallMlflow, *, remembers: bool) -> None:
    """Kill an export at its request `stop`, and export again."""
    app.forget()
    ledger = folder / "ledger"
    ledger.unlink(missing_ok=True)
    with faulty_way(server) as (address, way):
        way.choose = lambda number, method, path: "hang" if number == stop else "pass"
        child = exporting(folder / "run", address, ledger)
        begin(child)
        while len(way.seen) <= stop and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        assert not app.whole_runs()
        if not remembers:
            ledger.unlink(missing_ok=True)
        way.choose = lambda number, method, path: "pass"
        again = exporting(folder / "run", address, ledger)
        again.communicate("\n")
        assert again.returncode == 0
        assert_one_whole_run(app, read_run(folder / "run"), address)


@pytest.mark.parametrize(("stop", "remembers"), [(7, True), (8, False)])
def test_killed_between_batches_the_next_export_is_whole(
    tmp_path: Path, small: tuple[str, SmallMlflow], stop: int, remembers: bool
) -> None:
    made_run(tmp_path / "run", points=1500)
    _kill_at(stop, tmp_path, *small, remembers=remembers)


@pytest.mark.slow
@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("stop", range(14))
def test_killed_at_any_request_the_next_export_is_whole(
    tmp_path: Path, small: tuple[str, SmallMlflow], stop: int, remembers: bool
) -> None:
    made_run(tmp_path / "run", points=1500)
    _kill_at(stop, tmp_path, *small, remembers=remembers)


def pushed_at_once(run: Run, address: str, jobs: int) -> list[Receipt]:
    """What jobs that know nothing of each other come to."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda _: push(run, address), range(jobs)))


def test_jobs_at_once_send_no_point_twice(tmp_path: Path, small: tuple[str, SmallMlflow]) -> None:
    address, app = small
    app.pause_s = 0.03  # so that all of them look before any has sent
    run = made_run(tmp_path / "run", points=1500)
    receipts = pushed_at_once(run, address, 5)
    assert len({one.remote_id for one in receipts}) == 1
    assert differences(run, address) == []
    assert [one.created for one in receipts].count(True) == 1


@pytest.mark.parametrize("left_after", [3, 5, 7])
def test_jobs_at_once_go_on_with_what_a_dead_job_left_and_send_no_point_twice(
    tmp_path: Path, small: tuple[str, SmallMlflow], left_after: int
) -> None:
    address, app = small
    run = made_run(tmp_path / "run", points=1500)
    with faulty_way(address) as (place, way):
        way.choose = lambda number, method, path: "drop" if number >= left_after else "pass"
        with pytest.raises(ExportError):
            exporter.push(planned(run, place), run, visit(timeout_s=0.5))
        way.choose = lambda number, method, path: "pass"
        app.pause_s = 0.03
        pushed_at_once(run, place, 4)
        assert differences(run, place) == []
    assert len(app.living()) == 1
