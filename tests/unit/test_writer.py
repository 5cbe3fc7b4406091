"""RunWriter: what it refuses, what it leaves behind, and that it leaves nothing half done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import InvalidDataError, RunExistsError, UsageError
from runstore.manifest import MetricDeclaration
from runstore.store import writer as writer_module
from runstore.store.reader import read_run
from runstore.store.sorting import LineSorter
from runstore.store.writer import RunWriter
from runstore.verification import verify
from tests.factories import ACC, LOWER, files_of, passing, scored, write_run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_has_its_files_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "deep/er/run", passing(3), {**ACC, "loss": LOWER}, points=[("loss", 1, 0)])
    assert names(run) == ["manifest.json", "records.jsonl", "series.jsonl", "summary.json"]
    assert names(run.parent) == ["run"]
    verify(read_run(run))


def test_records_are_sorted_by_the_bytes_of_their_id_then_by_repeat(tmp_path: Path) -> None:
    keys = [("😀", 1), ("\uffff", 1), ("b", 10), ("b", 9), ("a\\", 1), ("a", 1), ("B", 1), ('a"', 1)]
    run = write_run(tmp_path / "run", [{"id": name, "repeat": repeat} for name, repeat in keys], {})
    written = [json.loads(line) for line in (run / "records.jsonl").read_bytes().splitlines()]
    found = [(record["id"], record["repeat"]) for record in written]
    assert found == sorted(keys, key=lambda key: (key[0].encode(), key[1]))
    verify(read_run(run))


def test_an_empty_run_has_an_empty_file_of_records(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [])
    assert (run / "records.jsonl").read_bytes() == b""
    verify(read_run(run))


def test_a_refused_record_is_named_and_the_run_goes_on_without_it(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", metrics=ACC) as run:
        run.append(scored("a"))
        with pytest.raises(InvalidDataError) as refused:
            run.append(scored("b", 7))
        assert refused.value.where == "record 'b' /scores/acc"
        with pytest.raises(InvalidDataError, match="'id' is missing") as refused:
            run.append({"scores": {"acc": 1}})
        assert refused.value.where.startswith("record without an id")
    assert files_of(tmp_path / "run") == files_of(write_run(tmp_path / "same", [scored("a")]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, 10**400, True, "1", None])
def test_a_score_that_is_no_finite_number_is_refused(tmp_path: Path, value: Any) -> None:
    with RunWriter(tmp_path / "run", metrics={"x": MetricDeclaration()}) as run:
        with pytest.raises(InvalidDataError):
            run.append({"id": "a", "scores": {"x": value}})
        with pytest.raises(InvalidDataError):
            run.log_metric("x", value)
    verify(read_run(tmp_path / "run"))


def test_two_records_of_one_key_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="the key 'a' stands twice"):
        write_run(tmp_path / "run", [scored("a", 1), {**scored("a", 0), "repeat": 1}])
    assert names(tmp_path) == []


def test_two_points_of_one_step_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="stands twice"):
        write_run(tmp_path / "run", [], {"loss": LOWER}, points=[("loss", 1, 3), ("loss", 2, 3)])
    assert names(tmp_path) == []


def test_a_line_longer_than_a_line_may_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LINE_BYTES", 100)
    with RunWriter(tmp_path / "run") as run:
        run.append({"id": "a" * 90})
        with pytest.raises(InvalidDataError, match="a line holds 99"):
            run.append({"id": "a" * 91})
    assert len((tmp_path / "run/records.jsonl").read_bytes()) == 100


def test_leaving_with_an_exception_writes_nothing(tmp_path: Path) -> None:
    def fails() -> None:
        with RunWriter(tmp_path / "run") as run:
            run.append({"id": "a"})
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert names(tmp_path) == []


def test_a_run_is_not_there_before_it_is_finished(tmp_path: Path) -> None:
    run = RunWriter(tmp_path / "run")
    run.append({"id": "a"})
    assert not (tmp_path / "run").exists()
    run.finish()
    run.finish()
    assert names(tmp_path) == ["run"]


def test_what_stands_at_the_place_is_not_overwritten(tmp_path: Path) -> None:
    before = files_of(write_run(tmp_path / "run", passing(1)))
    with pytest.raises(RunExistsError, match="already exists") as refused:
        RunWriter(tmp_path / "run")
    assert "--replace" in refused.value.hint
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(RunExistsError):
        RunWriter(tmp_path / "file")
    assert files_of(tmp_path / "run") == before


def test_of_two_writers_of_one_place_the_first_to_finish_wins(tmp_path: Path) -> None:
    first, second = RunWriter(tmp_path / "run", metrics=ACC), RunWriter(tmp_path / "run", metrics=ACC)
    first.append(scored("first"))
    second.append(scored("second"))
    second.finish()
    with pytest.raises(RunExistsError):
        first.finish()
    assert b'"second"' in (tmp_path / "run/records.jsonl").read_bytes()
    assert names(tmp_path) == ["run"]


def test_an_empty_folder_at_the_place_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    verify(read_run(write_run(tmp_path / "run", passing(1))))


def test_a_run_is_replaced_whole_when_asked(tmp_path: Path) -> None:
    write_run(tmp_path / "run", passing(3), notes="old")
    with RunWriter(tmp_path / "run", metrics=ACC, replace=True) as run:
        run.append(scored("new"))
        assert len((tmp_path / "run/records.jsonl").read_bytes().splitlines()) == 3
    assert (tmp_path / "run/records.jsonl").read_bytes().splitlines() == [b'{"id":"new","scores":{"acc":1}}']
    assert names(tmp_path) == ["run"]
    verify(read_run(tmp_path / "run"))


def test_a_link_at_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to("real")
    with pytest.raises(UsageError, match="symbolic link"):
        RunWriter(tmp_path / "run")


def test_artifacts_are_copied_and_digested_and_volatile_facts_are_not(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x80\x04weights")
    with RunWriter(tmp_path / "run") as run:
        run.add_artifact(tmp_path / "model.bin", "models/final.pkl")
        run.add_volatile("timing", {"seconds": 1.5})
    assert (tmp_path / "run/artifacts/models/final.pkl").read_bytes() == b"\x80\x04weights"
    assert list(read_run(tmp_path / "run").manifest.files) == [
        "artifacts/models/final.pkl",
        "records.jsonl",
        "summary.json",
    ]
    verify(read_run(tmp_path / "run"))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\\b", "NUL", "a:b", "x.", ""])
def test_an_artifact_without_a_portable_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"")
    with RunWriter(tmp_path / "run") as run, pytest.raises(InvalidDataError, match="not a portable path"):
        run.add_artifact(tmp_path / "x", name)
    assert names(tmp_path) == ["run", "x"]


@pytest.mark.parametrize("name", ["../x", "/x", "NUL", "a:b"])
def test_a_volatile_file_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with RunWriter(tmp_path / "run") as run, pytest.raises(InvalidDataError, match="not a portable path"):
        run.add_volatile(name, 1)
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == ["manifest.json", "summary.json"]


def test_two_artifacts_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    with RunWriter(tmp_path / "run") as run:
        run.add_artifact(tmp_path / "x", "a")
        with pytest.raises(InvalidDataError, match="differ only in case"):
            run.add_artifact(tmp_path / "x", "A")


def test_a_manifest_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="a range is two numbers"):
        write_run(tmp_path / "run", [], {"x": MetricDeclaration(range=(1, 0))})
    far = [{"id": name, "scores": {"x": value}} for name, value in (("a", 1.7e308), ("b", -1.7e308))]
    with pytest.raises(InvalidDataError, match="larger than any double"):
        write_run(tmp_path / "run", far, {"x": LOWER})
    assert names(tmp_path) == []


def test_more_records_than_memory_holds_go_through_spill_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[int] = []

    def small(folder: Path, key: Any) -> LineSorter:
        budgets.append(2000)
        return LineSorter(folder, key, budget=2000)

    records = passing(100)
    whole = files_of(write_run(tmp_path / "whole", records))
    monkeypatch.setattr(writer_module, "LineSorter", small)
    assert files_of(write_run(tmp_path / "spilled", records[::-1])) == whole
    assert budgets


def test_an_artifact_that_cannot_be_read_leaves_nothing_in_the_run(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with RunWriter(tmp_path / "run") as writer:
        with pytest.raises(OSError, match="directory"):
            writer.add_artifact(tmp_path / "folder", "plot.png")
        (tmp_path / "short").write_bytes(b"x")
        with pytest.raises(ZeroDivisionError), writer._creating("artifacts/cut.bin"):
            raise ZeroDivisionError
    verify(read_run(tmp_path / "run"))
    assert not list((tmp_path / "run").rglob("cut.bin"))
