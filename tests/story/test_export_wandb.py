"""The W&B exporter beside W&B's own client: what one writes the other understands, and both leave the same run.

Needs the package `wandb`; nothing leaves this machine: the server is the project's own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runstore.exporters.wandb import exporter, log, offline
from runstore.exporters.wandb.transactions import messages, read_messages
from runstore.store.reader import Run
from tests.command_line import environment as clean_environment
from tests.factories import unsynced
from tests.wandb_runs import planned, visit, write_full_run
from tests.wandb_server import ENTITY, Kept, WandbServer, wandb_server

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(find_spec("wandb") is None, reason="the package wandb is not installed"),
]
_QUIET = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}


@pytest.fixture
def server() -> Iterator[WandbServer]:
    with wandb_server() as running:
        yield running


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with unsynced():
        return write_full_run(tmp_path_factory.mktemp("full") / "run")


def python(home: Path, environment: Mapping[str, str], *words: str | Path) -> None:
    """Run Python in a process of its own; it must succeed."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=home,
        env=clean_environment(home, {**environment, **_QUIET}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def shown(kept: Kept) -> dict[str, Any]:
    """A run without what W&B's client adds of its own."""
    found = asdict(kept)
    found["config"].pop("_wandb", None)
    for name in ("config.yaml", "wandb-summary.json"):
        found["files"].pop(name, None)
    return found


def test_w_and_bs_own_sync_of_the_folder_leaves_the_run_that_a_push_leaves(
    full: Run, server: WandbServer, tmp_path: Path
) -> None:
    pushed = planned(full, f"{ENTITY}/qa", server.environment)
    exporter.push(pushed, full, visit(server.environment))
    by_push = shown(server.only_run)
    server.runs.clear()
    plan = planned(full, str(tmp_path / "out"), {"WANDB_ENTITY": ENTITY})
    exporter.push(plan, full, visit())
    folder = offline.folder_of(plan, {})
    python(tmp_path, server.environment, "-m", "wandb", "sync", folder)
    assert shown(server.only_run) == by_push
    assert exporter.verify(pushed, full, visit(server.environment)) == []
    assert not exporter.push(pushed, full, visit(server.environment)).created
    assert exporter.verify(plan, full, visit()) == []  # and the folder is what it was


def test_w_and_bs_own_messages_read_every_byte_that_is_written(full: Run) -> None:
    proto: Any = import_module("wandb.proto.wandb_internal_pb2")
    plan = planned(full, "./out", {})
    for message in messages(plan):
        record = proto.Record()
        record.ParseFromString(message)
        assert record.WhichOneof("record_type") is not None
        known = proto.Record()
        known.ParseFromString(message)
        known.DiscardUnknownFields()
        assert known == record, "a field that W&B's client does not know"


_NAIVE = """
import sys, wandb
words = {"project": "p", "entity": "ann", "id": "naive", "name": "title", "notes": "note", "tags": ["a"]}
with wandb.init(**words, config={"lr": 0.1, "n": None}) as run:
    for step in range(5):
        run.log({"loss": 1 / (step + 1), "acc/a": step}, step=step * 10)
    if "--table" in sys.argv:
        run.log({"table": wandb.Table(columns=["id"], data=[["x"]])})
"""
_HISTORY = [{"loss": 1 / (step + 1), "acc/a": step, "_step": step * 10} for step in range(5)]


def test_a_log_of_w_and_bs_own_client_can_be_read(tmp_path: Path) -> None:
    python(tmp_path, {"WANDB_MODE": "offline"}, "-c", _NAIVE, "--table")
    file = next(tmp_path.glob("wandb/offline-run-*/run-naive.wandb"))
    found = read_messages(log.read(file.read_bytes()))
    assert (found.title, found.note, found.labels, found.state) == ("title", "note", ["a"], "finished")
    assert {name: found.config[name] for name in ("lr", "n")} == {"lr": 0.1, "n": None}
    assert [{name: row[name] for name in ("loss", "acc/a", "_step")} for row in found.rows[:5]] == _HISTORY
    assert found.summary["loss"] == 0.2


def test_w_and_bs_own_client_takes_the_server_of_these_tests_for_one(server: WandbServer, tmp_path: Path) -> None:
    python(tmp_path, server.environment, "-c", _NAIVE)
    kept = server.only_run
    assert [{name: line[name] for name in ("loss", "acc/a", "_step")} for line in kept.history] == _HISTORY
    assert (kept.title, kept.notes, kept.tags, kept.state) == ("title", "note", ["a"], "finished")
    assert kept.host is not None  # what an export never tells, the client tells unasked
