"""A disk that is really full: a file system of one mebibyte. Needs the right to mount one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore.store.reader import read_run
from runstore.verification import verify

if TYPE_CHECKING:
    from tests.faults.conftest import Gate, Tree

pytestmark = pytest.mark.system

IMPORT = ("import", "results.jsonl", "--score", "f1", "--metadata", "text", "-o")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds one mebibyte, and `results.jsonl` beside it, which takes three."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=False, capture_output=True
    ).returncode:
        pytest.skip("not permitted to mount a small file system")
    write_results(tmp_path / "results.jsonl", 3000)
    yield place
    subprocess.run(["umount", place], check=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_results(path: Path, count: int) -> None:
    with path.open("w") as file:
        for number in range(count):
            file.write(json.dumps({"id": f"q{number}", "f1": 1, "text": "x" * 1000}) + "\n")


def test_a_run_that_does_not_fit_exits_74_names_the_place_and_leaves_nothing(disk: Path, gate: Gate) -> None:
    done = gate(*IMPORT, "disk/run")
    assert done.returncode == 74
    assert re.fullmatch(
        r"gate: error: disk/\.run\.tmp-\w+/records\.jsonl: No space left on device\n"
        r"  hint: free some space and run again; nothing was half written\n",
        done.stderr,
    )
    assert names(disk) == []


def test_a_run_that_does_not_fit_leaves_the_one_it_was_to_replace(
    disk: Path, gate: Gate, tree: Callable[[Path], Tree | None]
) -> None:
    write_results(disk.parent / "few.jsonl", 10)
    assert gate(IMPORT[0], "few.jsonl", *IMPORT[2:], "disk/run").returncode == 0
    before = tree(disk / "run")
    assert gate(*IMPORT, "disk/run", "--replace").returncode == 74
    assert tree(disk / "run") == before
    assert names(disk) == ["run"]
    verify(read_run(disk / "run"))


def test_a_full_disk_for_temporary_files_is_named(disk: Path, gate: Gate) -> None:
    done = gate(*IMPORT, "run", variables={"TMPDIR": str(disk)})
    assert done.returncode == 74
    assert str(disk) in done.stderr
    assert not (disk.parent / "run").exists()
    assert names(disk) == []


def test_a_report_that_does_not_fit_leaves_the_old_one(disk: Path, gate: Gate) -> None:
    write_results(disk.parent / "few.jsonl", 10)
    for place in ("baseline", "current"):
        assert gate(IMPORT[0], "few.jsonl", *IMPORT[2:], place).returncode == 0
    (disk / "report.html").write_text("old\n")
    room = os.statvfs(disk)
    (disk / "rest").write_bytes(bytes(room.f_bavail * room.f_bsize))
    done = gate("compare", "baseline", "current", "--format", "html:disk/report.html")
    assert done.returncode == 74
    assert done.stderr.startswith("gate: error: disk/report.html: No space left on device")
    assert (disk / "report.html").read_text() == "old\n"
    assert names(disk) == ["report.html", "rest"]
