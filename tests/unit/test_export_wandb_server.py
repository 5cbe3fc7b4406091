"""The W&B exporter at a server: the project's own small one (tests/wandb_server.py), over real HTTP on this machine."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.exporters.contract import ExportError, Plan, Receipt
from runstore.exporters.wandb import exporter, online
from runstore.exporters.wandb.comparing import are_equal
from runstore.store.reader import Run, read_run
from tests.command_line import environment as clean_environment
from tests.factories import LOWER, unsynced, write_run
from tests.wandb_runs import planned, visit, write_full_run
from tests.wandb_server import ENTITY, KEY, Request, Trouble, WandbServer, wandb_server

POINTS = 120
LINES = 50


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with wandb_server() as running:
        yield running


@pytest.fixture(autouse=True)
def short_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small history takes several requests."""
    monkeypatch.setattr(online, "_LINES", LINES)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with unsynced():
        return write_full_run(tmp_path_factory.mktemp("full") / "run")


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose history takes three requests of LINES lines."""
    points = [("loss", 1 / (step + 1), step) for step in range(POINTS)]
    with unsynced():
        return read_run(write_run(tmp_path_factory.mktemp("long") / "run", [], {"loss": LOWER}, points=points))


def push(run: Run, server: WandbServer, timeout_s: float = 20, progress: Any = None) -> Receipt:
    plan = planned(run, f"{ENTITY}/qa", server.environment)
    return exporter.push(plan, run, visit(server.environment, progress, timeout_s))


def assert_whole(server: WandbServer, run: Run) -> None:
    """Exactly one run is there, and reads back as it was planned."""
    server.trouble = lambda request, number: None
    plan = planned(run, f"{ENTITY}/qa", server.environment)
    kept = server.only_run
    assert [line.pop("_step") for line in map(dict, kept.history)] == [step for step, _ in plan.rows()]
    assert exporter.verify(plan, run, visit(server.environment)) == []


def test_everything_that_is_planned_arrives(full: Run, server: WandbServer) -> None:
    receipt = push(full, server)
    plan = planned(full, f"{ENTITY}/qa", server.environment)
    assert receipt == Receipt(
        remote_id=f"{ENTITY}/qa/{plan.key}",
        url=f"{server.address}/{ENTITY}/qa/runs/{plan.key}",
        requests=10,
        created=True,
    )
    kept = server.runs[ENTITY, "qa", plan.key]
    assert {name: member["value"] for name, member in kept.config.items()} == plan.config
    assert kept.history == [{**values, "_step": step} for step, values in plan.rows()]
    assert {name: value for name, value in kept.summary.items() if name != "_step"} == plan.summary
    assert (kept.title, kept.notes, kept.tags, kept.group) == (plan.title, plan.note, plan.labels, "nightly")
    assert kept.state == "finished"
    assert kept.files["artifacts/models/weights.bin"] == bytes(range(256))
    assert sorted(kept.files) == [one.path for one in plan.attachments]
    assert_whole(server, full)


def test_the_same_run_again_is_found_there_and_nothing_is_sent(full: Run, server: WandbServer) -> None:
    push(full, server)
    before = len(server.requests)
    again = push(full, server)
    assert (again.created, again.requests) == (False, 1)
    assert server.operations()[before:] == ["Run"]
    assert_whole(server, full)


def test_a_changed_run_is_another_that_names_the_one_before(full: Run, server: WandbServer, tmp_path: Path) -> None:
    push(full, server)
    changed = write_full_run(tmp_path / "changed", steps=5)
    plan = planned(changed, f"{ENTITY}/qa", server.environment, previous="before")
    exporter.push(plan, changed, visit(server.environment))
    assert len(server.runs) == 2
    assert server.runs[ENTITY, "qa", plan.key].config["runstore"]["value"]["previous"] == "before"


def test_two_jobs_at_once_make_one_run(full: Run, long: Run, server: WandbServer) -> None:
    for run in (full, long):
        server.runs.clear()
        jobs = [Thread(target=push, args=(run, server)) for _ in range(4)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        assert_whole(server, run)


def test_without_an_entity_the_run_is_the_keys_owners(full: Run, server: WandbServer) -> None:
    plan = planned(full, None, server.environment)
    exporter.push(plan, full, visit(server.environment))
    assert list(server.runs) == [(ENTITY, "qa", plan.key)]
    assert exporter.verify(plan, full, visit(server.environment)) == []


def test_the_history_takes_few_requests_and_small_ones(long: Run, server: WandbServer) -> None:
    assert push(long, server).requests == 7
    assert server.operations() == [
        "Run",
        "UpsertBucket",
        "file_stream",
        "file_stream",
        "file_stream",
        "file_stream",
        "Run",
    ]
    assert_whole(server, long)


def test_without_a_key_one_line_says_what_to_set(full: Run, server: WandbServer) -> None:
    plan = planned(full, f"{ENTITY}/qa", server.environment)
    for act in (exporter.push, exporter.verify):
        with pytest.raises(UsageError, match="WANDB_API_KEY"):
            act(plan, full, visit({"WANDB_BASE_URL": server.address}))
    assert server.requests == []


def test_the_key_goes_to_the_server_alone_and_is_never_told(full: Run, server: WandbServer) -> None:
    push(full, server)
    assert KEY not in repr(planned(full, f"{ENTITY}/qa", server.environment))
    for request in server.requests:
        told = {name: value for name, value in request.headers.items() if name != "authorization"}
        assert KEY.encode() not in request.body
        assert KEY not in f"{told} {request.path}"
        assert ("authorization" in request.headers) == (request.operation != "upload")


def test_nothing_of_this_machine_is_sent(full: Run, server: WandbServer) -> None:
    environment = {**server.environment, "USER": "somebody", "HOME": "/home/somebody", "SECRET": "hush"}
    plan = planned(full, f"{ENTITY}/qa", environment)
    exporter.push(plan, full, visit(environment))
    sent = b"\n".join(repr(request).encode() for request in server.requests)
    private = (
        socket.gethostname(),
        str(Path.cwd()),
        "somebody",
        "hush",
        "fingerprint-of-this-host",
        sys.version.split()[0],
    )
    assert [word for word in private if word.encode() in sent] == []
    assert server.only_run.host is None


@pytest.mark.parametrize(
    ("trouble", "word", "hint"),
    [
        (401, "HTTP 401", "WANDB_API_KEY"),
        (403, "HTTP 403", "WANDB_API_KEY"),
        (404, "HTTP 404", "WANDB_BASE_URL"),
        (429, "HTTP 429", "again"),
        (503, "HTTP 503", "again"),
        ("hang", "seconds", "again"),
        ("cut before", "closed the connection", "again"),
        ("cut after", "closed the connection", "again"),
    ],
)
@pytest.mark.parametrize(
    "operation",
    [
        "Run",
        "file_stream",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("UpsertBucket", "CreateRunFiles", "upload")),
    ],
)
def test_each_failure_of_each_request_is_told_in_time_and_the_next_export_makes_the_run_whole(
    full: Run, server: WandbServer, trouble: Trouble, word: str, hint: str, operation: str
) -> None:
    server.trouble = lambda request, number: trouble if request.operation == operation else None
    progress: dict[str, JsonValue] = {}
    start = time.monotonic()
    with pytest.raises(ExportError) as told:
        push(full, server, timeout_s=0.2, progress=progress)
    assert time.monotonic() - start < 2
    assert word in str(told.value) or "seconds" in str(told.value)
    assert told.value.hint
    assert KEY not in str(told.value)
    server.trouble = lambda request, number: None
    server.released.set()
    push(full, server, progress=progress)
    assert_whole(server, full)


def test_nobody_at_the_address_is_told_in_time(full: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        environment = {"WANDB_BASE_URL": f"http://127.0.0.1:{taken.getsockname()[1]}", "WANDB_API_KEY": KEY}
        plan = planned(full, f"{ENTITY}/qa", environment)
        start = time.monotonic()
        with pytest.raises(ExportError, match="refused"):
            exporter.push(plan, full, visit(environment, timeout_s=0.6))
    assert time.monotonic() - start < 2


def test_a_push_that_broke_off_after_any_request_is_made_whole_by_the_next(long: Run, server: WandbServer) -> None:
    push(long, server)
    count = len(server.requests)
    for broken in range(count):
        server.runs.clear()
        server.requests.clear()
        server.trouble = lambda request, number, broken=broken: "cut after" if number >= broken else None  # type: ignore[misc]
        with pytest.raises(ExportError):
            push(long, server, timeout_s=0.2)
        server.requests.clear()
        server.trouble = lambda request, number: None
        push(long, server)
        assert_whole(server, long)


def test_what_was_kept_is_not_sent_again(long: Run, server: WandbServer) -> None:
    progress: dict[str, JsonValue] = {}
    plan = planned(long, f"{ENTITY}/qa", server.environment)
    server.trouble = lambda request, number: 503 if number == 3 else None
    seen = visit(server.environment, timeout_s=20)
    server.trouble = lambda request, number: 401 if number == 3 else None
    with pytest.raises(ExportError):
        exporter.push(plan, long, seen)
    progress = dict(seen.progress)
    assert progress == {"rows": LINES}
    server.requests.clear()
    server.trouble = lambda request, number: None
    push(long, server, progress=progress)
    offsets = [
        json.loads(request.body)["files"]["wandb-history.jsonl"]["offset"]
        for request in server.requests
        if b"wandb-history.jsonl" in request.body
    ]
    assert offsets == [LINES, 2 * LINES]
    assert_whole(server, long)


def test_what_was_kept_is_sent_again_where_the_server_has_lost_it(long: Run, server: WandbServer) -> None:
    push(long, server)
    kept = server.only_run
    kept.state = "running"
    for number in range(30, POINTS):
        del kept.lines[number]
    push(long, server, progress={"rows": 2 * LINES})
    assert_whole(server, long)


def test_a_run_that_was_deleted_there_is_sent_from_its_beginning(long: Run, server: WandbServer) -> None:
    push(long, server, progress={"rows": POINTS})
    assert_whole(server, long)


_PUSH = """
import sys
from runstore.exporters.exporting import export
export(sys.argv[1], to="wandb", target=sys.argv[2], timeout_s=60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed", range(7))
def test_a_push_that_is_killed_at_any_request_loses_nothing_and_the_next_makes_one_run(
    server: WandbServer, tmp_path: Path, killed: int
) -> None:
    points = [("loss", 1 / (step + 1), step) for step in range(12_000)]
    run = write_run(tmp_path / "run", [], {"loss": LOWER}, points=points)
    words = [sys.executable, "-c", _PUSH, str(run), f"{ENTITY}/qa"]
    environment = clean_environment(tmp_path, server.environment)
    process = subprocess.Popen(words, env=environment)

    def trouble(request: Request, number: int) -> Trouble | None:
        if number == killed:
            process.send_signal(signal.SIGKILL)
        return "cut after" if number == killed else None

    server.trouble = trouble
    assert process.wait() == -signal.SIGKILL
    subprocess.run(words, env=environment, check=True)
    assert_whole(server, read_run(run))


def test_another_run_of_the_same_id_is_left_alone(full: Run, server: WandbServer) -> None:
    push(full, server)
    kept = server.only_run
    kept.config["runstore"]["value"]["digest"] = "0" * 64
    with pytest.raises(ExportError, match="another run"):
        push(full, server)
    assert kept.config["runstore"]["value"]["digest"] == "0" * 64


def test_a_history_that_something_else_added_to_is_told_and_left_alone(full: Run, server: WandbServer) -> None:
    push(full, server)
    kept = server.only_run
    kept.lines.update({number + 5: line for number, line in kept.lines.items()})
    with pytest.raises(ExportError, match="10 steps there, and 5 here"):
        push(full, server)
    assert len(kept.lines) == 10


def test_each_thing_that_differs_there_is_found(full: Run, server: WandbServer) -> None:
    push(full, server)
    kept = server.only_run
    kept.config["lr"]["value"] = 0.2
    kept.config["fast"]["value"] = 1
    del kept.config["text"]
    kept.summary["acc"] = float("nan")
    kept.lines[1]["loss"] = 0
    kept.lines[77] = {"loss": 1, "_step": 999}
    kept.tags.pop()
    kept.notes = "other"
    kept.files["records.jsonl"] += b"\n"
    kept.files["artifacts/models/weights.bin"] = bytes(256)
    plan = planned(full, f"{ENTITY}/qa", server.environment)
    found = exporter.verify(plan, full, visit(server.environment))
    assert [(one.kind, one.name, one.planned, one.found) for one in found[:-2]] == [
        ("note", "note", "# Read *this*\n", "other"),
        ("tag", "owner=ann", "owner=ann", None),
        ("param", "fast", "true", "1"),
        ("param", "lr", "0.1", "0.2"),
        ("param", "text", '"a \\"quoted\\" text\\n"', None),
        ("metric", "acc", "0.25", "nan"),
        ("metric", "history", "5 steps", "6 steps"),
        ("metric", "loss (step 10)", "0.5", "0"),
    ]
    assert [one.name for one in found[-2:]] == ["artifacts/models/weights.bin", "records.jsonl"]


def test_what_is_not_there_cannot_be_verified(full: Run, server: WandbServer) -> None:
    plan = planned(full, f"{ENTITY}/qa", server.environment)
    with pytest.raises(ExportError, match="not there"):
        exporter.verify(plan, full, visit(server.environment))


def test_a_server_that_takes_everything_and_keeps_nothing_is_not_believed(
    full: Run, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.wandb_server._stream", lambda server, request: (200, {}))
    with pytest.raises(ExportError):
        push(full, server, timeout_s=1)


@pytest.mark.parametrize(
    "answer", ["[]", "{}", '{"data": 1}', '{"data": {"project": {"run": {"state": 7}}}}', "<html>"]
)
def test_an_answer_that_is_none_is_told_as_the_servers_fault(
    full: Run, server: WandbServer, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("tests.wandb_server.json.dumps", lambda value: answer)
    with pytest.raises(ExportError) as told:
        push(full, server)
    assert told.value.hint


def test_errors_that_graphql_tells_are_told(full: Run, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*parts: object) -> tuple[int, object]:
        return 200, {"data": None, "errors": [{"message": "run k was previously deleted"}]}

    monkeypatch.setattr("tests.wandb_server._effect", refused)
    with pytest.raises(ExportError, match="previously deleted"):
        push(full, server)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0.1, 0.1, True),
        (0.1, 0.10000000000000002, False),
        (None, 0, False),
        (None, None, True),
        (2**53 - 1, float(2**53 - 1), True),
        ("1", 1, False),
        (float("nan"), 0, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": [1]}, {"a": [True]}, False),
    ],
)
def test_numbers_are_equal_by_what_they_are_worth(one: JsonValue, other: JsonValue, equal: bool) -> None:
    assert are_equal(one, other) is equal


def test_a_plan_of_another_backend_is_refused(full: Run) -> None:
    plan = Plan(backend="x", target="", run_id="", digest="", key="", title="", status="")
    with pytest.raises(UsageError):
        exporter.push(plan, full, visit())
