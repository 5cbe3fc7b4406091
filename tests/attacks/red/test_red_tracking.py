"""What broke tracking, or lost what was logged, when it was used as people use it: each test is one way."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import InvalidDataError, RunstoreError, StorageError, UsageError
from runstore.manifest import MetricDeclaration
from runstore.store.reader import Run, read_run
from runstore.tracking import TrackedRun, auto_track, create_tracker, recover, recovery
from runstore.tracking import journal as journals
from runstore.tracking.run import TrackingWarning
from runstore.tracking.story import ALERTS
from runstore.verification import verify
from tests.factories import files_of, unsynced
from tests.repositories import gate

PLACE = Path("experiments/default")
JOURNAL = PLACE / "run/journal.jsonl"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with unsynced():
        yield


def started(**settings: Any) -> TrackedRun:
    return create_tracker("local", **settings).start_run(run_id="run")


def opened(place: Path) -> Run:
    run = read_run(place)
    verify(run)
    return run


def told(run: Run) -> Any:
    origin = run.manifest.origin
    return origin["tracking"] if isinstance(origin, dict) else {}


# What is taken at the call must make a run at the end: else all of the run is lost to its owner.


class Odd:
    """A number of another library that is none, or says so too late."""

    def __init__(self, value: object) -> None:
        self.value = value

    def item(self) -> object:
        return self.value

    def __float__(self) -> float:
        return float(self.value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [Odd("1.5"), Odd(None), Odd([1, 2]), Fraction(10**400), Decimal("sNaN"), 10**5000],
    ids=["text", "none", "array", "fraction", "signalling", "huge"],
)
def test_what_cannot_be_a_double_is_refused_by_the_name_of_its_metric(value: object) -> None:
    run = started()
    with pytest.raises(InvalidDataError, match="metric 'm'"):
        run.log_metrics({"m": value})
    with pytest.raises(InvalidDataError, match="metric 'm'"):
        run.log_measures({"m": value})


BAD_DECLARATIONS: Mapping[str, Any] = {
    "direction": MetricDeclaration(direction="up"),  # type: ignore[arg-type]
    "aggregate": MetricDeclaration(aggregate="median"),
    "reversed": MetricDeclaration(range=(1, 0)),
    "three": MetricDeclaration(range=(0, 1, 2)),  # type: ignore[arg-type]
    "unit": MetricDeclaration(unit=5),  # type: ignore[arg-type]
    "none": "higher",
}


def flat(run: TrackedRun) -> None:
    run.log_params({"a.b": 1, "a": {"b": 2}})


def around(run: TrackedRun) -> None:
    params: dict[str, object] = {}
    params["a"] = params
    run.log_params(params)


def around_list(run: TrackedRun) -> None:
    params: list[object] = []
    params.append(params)
    run.log_params({"a": params})


CALLS: Mapping[str, Callable[[TrackedRun], object]] = {
    "empty score": lambda run: run.log_records([{"id": "a", "scores": {"": 1}}]),
    "score 5": lambda run: run.log_records([{"id": "a", "scores": {5: 1}}]),
    "one record": lambda run: run.log_records({"id": "a"}),  # type: ignore[dict-item]
    "text": lambda run: run.log_records("abc"),  # type: ignore[arg-type]
    "no records": lambda run: run.log_records(None),  # type: ignore[arg-type]
    "records of None": lambda run: run.log_records([None]),  # type: ignore[list-item]
    "no metrics": lambda run: run.log_metrics(None),  # type: ignore[arg-type]
    "no params": lambda run: run.log_params(None),  # type: ignore[arg-type]
    "huge step": lambda run: run.log_metrics({"m": 1}, step=10**5000),
    "status": lambda run: run.end_run("done"),  # type: ignore[arg-type]
    "no status": lambda run: run.end_run(None),  # type: ignore[arg-type]
    "large note": lambda run: run.set_note("x" * 40_000_000),
    "large tag": lambda run: run.add_tag("t", "x" * 40_000_000),
    "large param": lambda run: run.log_params({"p": "x" * 40_000_000}),
    "many names": lambda run: run.log_metrics({f"{'m' * 1000}{number}": 1 for number in range(10_000)}),
    "params twice": flat,
    "params around": around,
    "list around": around_list,
    "columns twice": lambda run: run.log_table([["a", 1, 2]], columns=["id", "x", "x"]),
    "id None": lambda run: run.log_table([{"id": None}]),
    "id NaN": lambda run: run.log_table([{"id": float("nan")}]),
    "id bytes": lambda run: run.log_table([{"id": b"a"}]),
    "score typo": lambda run: run.log_table([{"id": "a", "acc": 1}], scores=["ac"]),
    "input typo": lambda run: run.log_table([{"id": "a", "q": 1}], input="question"),
    "scores text": lambda run: run.log_table([{"id": "a", "acc": 1}], scores="acc"),
    "long condition": lambda run: run.create_alert(" " * 1_000_000 + "x"),
    **{
        f"declared {name}": lambda run, declared=declared: run.declare_metric("m", declared)  # type: ignore[misc]
        for name, declared in BAD_DECLARATIONS.items()
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_what_makes_no_run_is_refused_at_the_call_and_the_run_goes_on(name: str) -> None:
    run = started()
    run.log_metrics({"before": 1})
    with pytest.raises(RunstoreError):
        CALLS[name](run)
    assert run.finished is None
    run.log_metrics({"after": 1})
    run.end_run()
    found = {point.name for point in opened(PLACE / "run").points()}
    assert found == {"before", "after"}
    assert (opened(PLACE / "run").record_count, opened(PLACE / "run").manifest.identity.params) == (0, {})


@pytest.mark.parametrize(
    "settings",
    [
        *({"metrics": {"m": declared}} for declared in BAD_DECLARATIONS.values()),
        {"experiment_name": 5},
        {"experiment_name": None},
        {"slices": [None]},
        {"slices": [""]},
        {"slices": "lang"},
        {"tags": "abc"},
        {"project": 5},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_run_is_refused_before_anything_is_logged(settings: dict[str, Any]) -> None:
    with pytest.raises(RunstoreError):
        started(**settings)
    assert not PLACE.exists()


def test_a_run_id_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="not a text"):
        create_tracker("local").start_run("name", run_id=5)  # type: ignore[arg-type]


def test_alerts_that_go_off_without_end_are_counted_and_the_run_can_be_read() -> None:
    run = started()
    run.create_alert("m > 0", "x" * 20_000)
    for step in range(2 * ALERTS + 20):
        run.log_metrics({"m": step % 2}, step)
    run.end_run()
    found = told(opened(PLACE / "run"))
    assert len(found["alerts"]) + sum(found["left_out"].values()) == ALERTS + 10
    assert found["left_out"]


def test_a_run_is_not_taken_up_again_with_a_range_that_its_values_are_outside_of() -> None:
    run = started()
    run.log_metrics({"acc": 5})
    run.abandon()
    tracker = create_tracker("local", metrics={"acc": MetricDeclaration(range=(0, 1))})
    with pytest.raises(UsageError, match="another range"):
        tracker.start_run(run_id="run", resume=True)
    recover(PLACE / "run")
    assert [point.value for point in opened(PLACE / "run").points()] == [5]


# Where a run stands.


def test_a_program_that_changes_its_folder_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started()
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")
    run.log_artifact(tmp_path / "model.bin")
    run.end_run()
    assert opened(tmp_path / PLACE / "run").manifest.files["artifacts/model.bin"].size == 7
    assert list(Path().iterdir()) == []


def test_a_program_that_works_in_the_folder_of_its_run_is_told_and_the_run_can_be_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started()
    run.log_metrics({"m": 1})
    monkeypatch.chdir(PLACE / "run")
    with pytest.raises(UsageError, match="is the working folder"):
        run.end_run()
    run.abandon()
    monkeypatch.chdir(tmp_path)
    assert recover(PLACE / "run").points == 1


@pytest.mark.parametrize("is_over", [True, False])
def test_no_run_begins_inside_another(is_over: bool) -> None:
    outer = started()
    outer.log_metrics({"m": 1})
    if is_over:
        outer.end_run()
    for inside in (
        create_tracker("local", project="default/run"),
        create_tracker("local", project="default/run/deep"),
        *(() if is_over else (create_tracker("local", root=PLACE / "run/checkpoints"),)),
    ):
        with pytest.raises(UsageError, match="is a run, and no other can stand in it"):
            inside.start_run()
    outer.end_run()
    opened(PLACE / "run")


def test_files_that_a_program_puts_in_the_folder_of_its_run_are_kept_beside_what_was_logged() -> None:
    run = started()
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints/1.pt").write_bytes(b"weights")
    (run.path / "artifacts").mkdir()
    (run.path / "artifacts/plot.svg").write_bytes(b"plot")
    (run.path / "link").symlink_to("/etc")
    with pytest.warns(TrackingWarning, match="2 files in it were not logged"):
        done = run.end_run()
    assert done.unlogged == ("artifacts/plot.svg", "checkpoints/1.pt")
    opened(PLACE / "run")
    kept = PLACE / "run/volatile/unlogged"
    assert files_of(kept) == {"artifacts/plot.svg": b"plot", "checkpoints/1.pt": b"weights"}


# Artifacts and data sets.


def a_tree() -> Path:
    tree = Path("tree")
    (tree / ".git").mkdir(parents=True)
    (tree / ".git/config").write_text("[core]\n\tfsmonitor = evil\n")
    (tree / "main.py").write_text("1\n")
    return tree


def test_the_files_of_git_in_a_tree_are_left_out_and_counted() -> None:
    run = started()
    run.log_artifacts(a_tree())
    run.end_run()
    assert told(opened(PLACE / "run")) == {"left_out": {"files of git": 1}}
    assert files_of(PLACE / "run/artifacts") == {"main.py": b"1\n"}


@pytest.mark.parametrize("what", ["link", "pipe", "dangling"])
def test_a_tree_that_would_be_kept_or_digested_in_part_is_refused_before_anything_of_it_is(what: str) -> None:
    tree = a_tree()
    if what == "pipe":
        os.mkfifo(tree / "z")
    else:
        (tree / "z").symlink_to("/etc" if what == "link" else "nowhere")
    run = started()
    before = JOURNAL.read_bytes()
    with pytest.raises(UsageError):
        run.log_artifacts(tree)
    with pytest.raises(UsageError):
        run.log_dataset("d", tree)
    assert JOURNAL.read_bytes() == before


def test_a_folder_that_cannot_be_listed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run, tree = started(), a_tree()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    (tree / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match="cannot read the folder"):
        run.log_artifacts(tree)
    with pytest.raises(StorageError, match="cannot look for runs"):
        recovery.find(tree)


# Alerts and functions.


def test_an_alert_whose_value_could_not_be_written_goes_off_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    run = started()
    run.create_alert("m > 1")
    with monkeypatch.context() as patch:
        patch.setattr(journals, "write_all", functools.partial(_full))
        with pytest.raises(StorageError):
            run.log_metrics({"m": 2})
    run.log_metrics({"m": 2})
    run.end_run()
    assert [alert["value"] for alert in told(opened(PLACE / "run"))["alerts"]] == [2]


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_arguments_by_any_name_are_params_of_a_tracked_function() -> None:
    tracker = create_tracker("local")

    @auto_track(tracker)
    def train(depth: int, **settings: float) -> dict[str, object]:
        return {"m": depth, "array": Odd([1, 2])}

    assert train(2, lr=0.5)["m"] == 2
    run = opened(PLACE / "train")
    assert run.manifest.identity.params == {"depth": 2, "lr": 0.5}
    assert [point.name for point in run.points()] == ["m"]


class Model:
    def __call__(self, x: int) -> dict[str, int]:
        return {"m": x}


@pytest.mark.parametrize(
    ("function", "name"), [(functools.partial(Model.__call__, Model()), "__call__"), (Model(), "Model")]
)
def test_what_can_be_called_and_has_no_name_is_tracked(function: Callable[[int], object], name: str) -> None:
    assert auto_track(create_tracker("local"))(function)(3) == {"m": 3}
    assert [json.loads(path.read_bytes())["identity"]["name"] for path in PLACE.glob("*/manifest.json")] == [name]


# Recovering: a journal may be damaged, or come from somebody else.


DAMAGES = [
    b'{"op":"metrics"}',
    b'{"op":"metrics","values":{"a":"x"}}',
    b'{"op":"metrics","step":"1","values":{"a":1}}',
    b'{"op":"metrics","step":-1,"values":{"a":1}}',
    b'{"op":"metrics","step":9007199254740993,"values":{"a":1}}',
    b'{"op":"record"}',
    b'{"op":"record","record":[]}',
    b'{"op":"record","record":{"id":5}}',
    b'{"op":"record","record":{"id":"a","scores":{"":1}}}',
    b'{"name":"../../../../evil","op":"artifact","sha256":"x","size":1}',
    b'{"name":"../x","op":"volatile","value":1}',
    b'{"name":"tracking","op":"volatile","value":1}',
    b'{"op":"params","values":[]}',
    b'{"op":"params","values":{"a":{"b":1}}}',
    b'{"at":1,"op":"end","status":"done"}',
    b'{"op":"provenance","values":{"x":1}}',
    b'{"op":"provenance","values":{"commit":5}}',
    b'{"name":5,"op":"tag","value":1}',
    b'{"direction":"up","name":"m","op":"declare"}',
    b'{"count":"x","op":"left_out","why":"y"}',
    b'{"backend":1,"op":"mirror","remote":5}',
    b'{"op":"note"}',
    b'{"op":"dataset","name":"d"}',
]


@pytest.mark.parametrize("line", DAMAGES, ids=lambda line: line.decode())
def test_a_line_that_is_no_entry_is_kept_as_torn_and_the_others_make_the_run(tmp_path: Path, line: bytes) -> None:
    run = started()
    run.log_metrics({"m": 1}, 0)
    run.log_records([{"id": "a", "scores": {"s": 1}}])
    run.abandon()
    lines = JOURNAL.read_bytes().splitlines()
    JOURNAL.write_bytes(b"\n".join((*lines[:2], line, *lines[2:], b"")))
    done = gate(tmp_path, "recover", "experiments")
    assert (done.code, f"line 3 of its journal, {len(line) + 1} bytes" in done.out) == (0, True), done.text
    found = opened(PLACE / "run")
    assert (found.record_count, [point.step for point in found.points()]) == (1, [0])
    assert json.loads((PLACE / "run/volatile/torn.json").read_bytes())[0]["text"] == line.decode() + "\n"


@pytest.mark.parametrize("line", DAMAGES[5:9], ids=lambda line: line.decode())
def test_a_run_with_a_damaged_line_goes_on(line: bytes) -> None:
    run = started()
    run.log_records([{"id": "a"}])
    run.abandon()
    with JOURNAL.open("ab") as file:
        file.write(line + b"\n")
    again = create_tracker("local").start_run(run_id="run", resume=True)
    again.log_records([{"id": "a"}, {"id": "b"}])
    assert again.end_run().records == 2


def test_a_journal_of_a_newer_version_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    run = started()
    run.abandon()
    with JOURNAL.open("ab") as file:
        file.write(b'{"op":"telepathy"}\n')
    before = files_of(PLACE / "run")
    done = gate(tmp_path, "recover", "experiments")
    assert (done.code, "this version does not know" in done.err) == (3, True)
    assert files_of(PLACE / "run") == before


def test_recovering_copies_nothing_through_a_link_or_a_climb(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("s3cret")
    run = started()
    run.abandon()
    (PLACE / "run/artifacts").mkdir()
    (PLACE / "run/artifacts/link").symlink_to(tmp_path / "secret")
    with JOURNAL.open("ab") as file:
        for name in ("link/key", "../../../../secret/key"):
            file.write(json.dumps({"op": "artifact", "name": name, "sha256": "0", "size": 1}).encode() + b"\n")
    before = {path for path in tmp_path.rglob("*") if "default" not in str(path)}
    recover(PLACE / "run")
    assert {path for path in tmp_path.rglob("*") if "default" not in str(path)} == before
    assert not any(b"s3cret" in data for data in files_of(PLACE / "run").values())


def test_a_journal_among_the_artifacts_of_a_run_is_no_run_and_one_of_another_program_is_none(tmp_path: Path) -> None:
    outer = started()
    outer.log_artifact(JOURNAL, "sub/journal.jsonl")
    outer.log_artifact(PLACE / "run/manifest.json", "sub/manifest.json")
    outer.end_run()
    (PLACE / "notes").mkdir()
    (PLACE / "notes/journal.jsonl").write_text('{"mine":1}\n')
    before = files_of(tmp_path)
    assert gate(tmp_path, "recover", "experiments").code == 0
    assert gate(tmp_path, "recover", "experiments/default/notes").code == 2
    assert files_of(tmp_path) == before


def test_a_link_to_the_latest_run_does_not_stop_recovering(tmp_path: Path) -> None:
    run = started()
    run.abandon()
    (PLACE / "latest").symlink_to("run")
    done = gate(tmp_path, "recover", "experiments")
    assert (done.code, done.out.count("recovered")) == (0, 1), done.text
