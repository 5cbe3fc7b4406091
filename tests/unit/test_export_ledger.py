"""The ledger of exports and the budget of time: what is remembered, and that nothing depends on it."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from runstore.canonical import JsonValue
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import ExportError, Plan, Receipt
from runstore.exporters.ledger import Ledger, default_folder

PLAN = Plan(
    backend="shelf",
    target="http://shelf",
    run_id="0" * 32,
    digest="1" * 64,
    key="k1",
    title="t",
    status="completed",
)
RECEIPT = Receipt(remote_id="r-1", url="http://shelf/r-1", requests=7, created=True)


class Told(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*.json")
    return file


def test_progress_is_kept_until_the_receipt_takes_its_place(tmp_path: Path) -> None:
    told = Told()
    ledger = Ledger(tmp_path / "x", told)
    assert (ledger.progress(PLAN), ledger.receipt(PLAN)) == ({}, None)
    ledger.keep(PLAN, {"sent": 3})
    assert Ledger(tmp_path / "x", told).progress(PLAN) == {"sent": 3}
    ledger.finish(PLAN, RECEIPT)
    assert ledger.progress(PLAN) == {}
    assert ledger.receipt(PLAN) == replace(RECEIPT, requests=0, created=False)
    assert told == []


def test_the_export_before_is_the_last_finished_one_of_another_run_of_the_same_question(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Told())
    first, second, third = (replace(PLAN, key=f"k{n}", digest=f"{n}" * 64) for n in (1, 2, 3))

    def previous(plan: Plan) -> str | None:
        return ledger.previous(plan.backend, plan.target, plan.run_id, plan.digest)

    assert previous(first) is None
    ledger.finish(first, RECEIPT)
    ledger.keep(second, {})
    assert (previous(first), previous(second), previous(third)) == (None, "k1", "k1")
    ledger.finish(second, RECEIPT)
    assert (previous(second), previous(third)) == ("k1", "k2")
    assert previous(replace(third, target="http://other")) is None
    assert previous(replace(third, run_id="f" * 32)) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format":1}', b"\xff", b'{"format":0,"exports":[]}', b"x"])
def test_a_damaged_ledger_is_a_warning_and_is_written_anew(tmp_path: Path, damage: bytes) -> None:
    Ledger(tmp_path, Told()).finish(PLAN, RECEIPT)
    only_file(tmp_path).write_bytes(damage)
    told = Told()
    ledger = Ledger(tmp_path, told)
    assert (ledger.progress(PLAN), ledger.receipt(PLAN)) == ({}, None)
    assert len(told) == 1
    assert "damaged" in told[0]
    assert "the backend is asked" in told[0]
    ledger.keep(PLAN, {"sent": 1})
    assert Ledger(tmp_path, Told()).progress(PLAN) == {"sent": 1}


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path, Told()).finish(PLAN, RECEIPT)
    newer = b'{"format":2,"new":true}'
    only_file(tmp_path).write_bytes(newer)
    told = Told()
    ledger = Ledger(tmp_path, told)
    assert ledger.receipt(PLAN) is None
    ledger.finish(PLAN, RECEIPT)
    assert only_file(tmp_path).read_bytes() == newer
    assert any("newer version" in text for text in told)


def test_a_ledger_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = Told()
    ledger = Ledger(tmp_path / "file" / "x", told)
    ledger.keep(PLAN, {"sent": 1})
    ledger.keep(PLAN, {"sent": 2})
    ledger.finish(PLAN, RECEIPT)
    assert (len(told), ledger.receipt(PLAN)) == (1, None)
    assert "the export itself goes on" in told[0]


def test_without_a_folder_nothing_is_remembered_and_nothing_told(tmp_path: Path) -> None:
    told = Told()
    ledger = Ledger(None, told)
    ledger.finish(PLAN, RECEIPT)
    assert (ledger.receipt(PLAN), told) == (None, [])


def finish(folder: Path, number: int) -> None:
    Ledger(folder, print).finish(replace(PLAN, key=f"k{number}", digest=f"{number:064}"), RECEIPT)


def test_jobs_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    jobs = [multiprocessing.get_context("fork").Process(target=finish, args=(tmp_path, n)) for n in range(8)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(30)
    assert {entry["key"] for entry in json.loads(only_file(tmp_path).read_text())["exports"]} == {
        f"k{number}" for number in range(8)
    }


def test_no_secret_and_no_clock_stand_in_the_ledger(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        ledger = Ledger(tmp_path / folder, Told())
        progress: dict[str, JsonValue] = {"sent": 3}
        ledger.keep(PLAN, progress)
        ledger.finish(PLAN, RECEIPT)
    assert only_file(tmp_path / "one").read_bytes() == only_file(tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"RUNSTORE_EXPORTS_DIR": "/x", "HOME": "/h"}, "/x"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/runstore/exports"),
        ({"HOME": "/h"}, "/h/.local/state/runstore/exports"),
        ({"XDG_STATE_HOME": "relative"}, None),
        ({}, None),
    ],
)
def test_where_the_ledger_is_kept(environment: dict[str, str], folder: str | None) -> None:
    found = default_folder(environment)
    assert (None if found is None else str(found)) == folder


def test_a_budget_counts_down_and_then_says_what_to_do() -> None:
    now, waits = [100.0], list[float]()
    budget = Deadline(5, clock=lambda: now[0], sleep=waits.append)
    assert budget.left() == 5
    now[0] = 104.0
    assert budget.left() == 1
    budget.pause(0.5)
    assert waits == [0.5]
    with pytest.raises(ExportError, match="another try would have to wait 2 seconds"):
        budget.pause(2)
    now[0] = 105.0
    with pytest.raises(ExportError, match="the 5 seconds for this export are over") as caught:
        budget.left()
    assert "--timeout" in caught.value.hint
    assert waits == [0.5]


def test_one_job_after_the_other_pushes_a_plan(tmp_path: Path) -> None:
    ledger, other = Ledger(tmp_path, Told()), Ledger(tmp_path, Told())
    with ledger.turn(PLAN, Deadline(5)):
        with pytest.raises(ExportError, match="seconds"), other.turn(PLAN, Deadline(0.1)):
            raise AssertionError("two have the turn")
        with other.turn(replace(PLAN, run_id="f" * 32), Deadline(0.1)):
            other.keep(PLAN, {"sent": 1})
    with other.turn(PLAN, Deadline(0.1)):
        pass


def test_where_no_ledger_can_be_there_is_no_turn(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (None, tmp_path / "file"):
        told = Told()
        with Ledger(folder, told).turn(PLAN, Deadline(1)), Ledger(folder, told).turn(PLAN, Deadline(1)):
            assert told == []
