"""Standard streams that are full, closed, or read by nobody: the exit code stays, and no traceback is seen."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

if TYPE_CHECKING:
    from tests.faults.conftest import Gate

PASS, FAIL, USAGE, SYSTEM = 0, 1, 2, 74


@pytest.fixture(autouse=True)
def runs(tmp_path: Path) -> None:
    """The runs `baseline`, `same` and `worse`."""
    for name, score in (("baseline", 1), ("same", 1), ("worse", 0)):
        with RunWriter(tmp_path / name, metrics={"f1": MetricDeclaration()}) as run:
            for number in range(300):
                run.append({"id": f"q{number}-é", "scores": {"f1": score}})


def broken_pipe() -> None:
    """Make standard output a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(("current", "code"), [("same", PASS), ("worse", FAIL)])
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_a_reader_that_has_left_does_not_change_the_verdict(gate: Gate, current: str, code: int, form: str) -> None:
    done = gate("compare", "baseline", current, "--format", form, before=broken_pipe)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    "argv", [["show", "baseline"], ["summarize", "baseline"], ["validate", "baseline"], ["--help"]]
)
def test_a_reader_that_has_left_is_no_error_of_any_command(gate: Gate, argv: list[str]) -> None:
    done = gate(*argv, before=broken_pipe)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("current", ["same", "worse"])
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_a_full_standard_output_is_74_and_says_so(gate: Gate, current: str, form: str) -> None:
    done = gate("compare", "baseline", current, "--format", form, before=lambda: redirect(1, "/dev/full"))
    said = "gate: error: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (SYSTEM, said)


def redirect(number: int, path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.dup2(descriptor, number)
    os.close(descriptor)


@pytest.mark.parametrize("how", ["closed", "full", "unread"])
@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["compare", "baseline", "same"], PASS),
        (["compare", "baseline", "worse"], FAIL),
        (["compare", "baseline", "absent"], USAGE),
        (["compare", "baseline"], USAGE),
        (["import", "absent.jsonl", "-o", "new"], USAGE),
    ],
    ids=["pass", "fail", "no-run", "no-argument", "no-source"],
)
def test_a_standard_error_that_takes_nothing_changes_no_exit_code(
    gate: Gate, argv: list[str], code: int, how: str
) -> None:
    def spoil() -> None:
        if how == "closed":
            os.close(2)
        elif how == "full":
            redirect(2, "/dev/full")
        else:
            broken_pipe()
            os.dup2(1, 2)

    assert gate(*argv, before=spoil).returncode == code


def test_with_all_streams_closed_a_report_still_goes_to_its_file_alone(gate: Gate, tmp_path: Path) -> None:
    def spoil() -> None:
        for number in (0, 1, 2):
            os.close(number)

    assert (
        gate("compare", "baseline", "worse", "--format", "text", "--format", "json:r.json", before=spoil).returncode
        == 1
    )
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "FAIL"


def test_a_pipe_that_does_not_block_gets_every_byte(tmp_path: Path, gate: Gate) -> None:
    whole = gate("compare", "baseline", "worse", "--format", "html", "--limit", "300").stdout.encode()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "runstore.cli.main",
            "compare",
            "baseline",
            "worse",
            "--format",
            "html",
            "--limit",
            "300",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        time.sleep(0.5)  # so that the pipe is full before it is read
        with os.fdopen(reader, "rb") as pipe:
            read = pipe.read()
        assert process.communicate()[1] == b""
        assert process.returncode == FAIL
    assert len(whole) > 4096
    assert read == whole


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_report_has_the_same_bytes_whatever_the_encoding(gate: Gate, encoding: str) -> None:
    argv = ("compare", "baseline", "worse", "--format")
    for form in ("text", "json"):
        assert gate(*argv, form, variables={"PYTHONIOENCODING": encoding}).stdout == gate(*argv, form).stdout
