"""A folder as the source of a run's bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runstore.errors import InvalidRunError, UsageError
from runstore.source import FolderSource
from tests.factories import passing, write_run


def test_sizes_are_those_of_every_file_outside_volatile(tmp_path: Path) -> None:
    for path, size in (("a", 1), ("b/c", 2), ("volatile/d", 3), ("b/volatile/e", 4)):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_bytes(b"x" * size)
    assert FolderSource(tmp_path).sizes() == {"a": 1, "b/c": 2, "b/volatile/e": 4}


def test_a_file_is_opened_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with FolderSource(tmp_path).open("a") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("target", ["a", "missing", "/etc/passwd", "."])
def test_a_symbolic_link_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InvalidRunError, match="neither a file nor a folder") as refused:
        FolderSource(tmp_path).sizes()
    assert refused.value.where == f"{tmp_path}/link"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidRunError, match="neither a file nor a folder"):
        FolderSource(tmp_path).sizes()


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    write_run(tmp_path / "run", passing(1))
    (tmp_path / "link").symlink_to("run")
    source = FolderSource(tmp_path / "link")
    assert source.is_run
    assert source.sizes() == FolderSource(tmp_path / "run").sizes()


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, message in (("missing", "no such folder"), ("file", "not a folder")):
        with pytest.raises(UsageError, match=message) as refused:
            FolderSource(tmp_path / name)
        assert "manifest.json" in refused.value.hint


def test_runs_are_found_below_a_folder_and_not_within_a_run(tmp_path: Path) -> None:
    for path in ("qa/en", "qa/de", "code", ".hidden/run", "qa/.tmp"):
        write_run(tmp_path / path, passing(1))
    (tmp_path / "empty/deeper").mkdir(parents=True)
    write_run(tmp_path / "code/artifacts/nested", passing(1))
    source = FolderSource(tmp_path, "suite")
    assert source.runs() == ["code", "qa/de", "qa/en"]
    assert source.child("qa/de").label == "suite/qa/de"
    assert source.child("qa/de").is_run
    assert not source.is_run


def test_a_run_that_lost_its_manifest_still_claims_to_be_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "suite/run", passing(1))
    (run / "manifest.json").unlink()
    assert FolderSource(run).is_run
    assert FolderSource(tmp_path / "suite").runs() == ["run"]
