"""`gate` itself: the table of commands, help, usage errors, and that every end has its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runstore import __version__
from runstore.cli.main import COMMANDS
from tests import repositories
from tests.command_line import environment, gate
from tests.factories import passing, scored, write_run


def test_the_version_is_told(tmp_path: Path) -> None:
    outcome = gate(tmp_path, "--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"gate {__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_names_every_command_and_every_exit_code(tmp_path: Path, flag: str) -> None:
    outcome = gate(tmp_path, flag)
    assert outcome.code == 0
    for name, (_, line) in COMMANDS.items():
        assert f"{name} " in outcome.text
        assert line in outcome.text
    for word in ("0 PASS", "1 FAIL", "2 usage", "3 INVALID", "4 REVIEW", "5 INCONCLUSIVE", "70", "74", "130"):
        assert word in outcome.text


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(tmp_path: Path, name: str) -> None:
    for flag in ("--help", "-h"):
        outcome = gate(tmp_path, name, flag)
        assert outcome.code == 0
        assert outcome.out.startswith(f"Usage: gate {name} ")
        assert outcome.err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["comapre"], "No such command 'comapre'"),
        (["--colour"], "No such option"),
        (["compare"], "Missing argument 'BASELINE'"),
        (["compare", "a"], "Missing argument 'CURRENT'"),
        (["compare", "a", "b", "c"], "unexpected extra argument"),
        (["compare", "a", "b", "--fromat", "text"], "No such option"),
        (["compare", "a", "b", "--limit", "-1"], "-1 is not in the range x>=0"),
        (["compare", "a", "b", "--limit", "many"], "'many' is not a valid integer"),
        (["validate"], "Missing argument"),
        (["show"], "Missing argument"),
        (["fmt", "--chek", "x"], "No such option"),
        (["import"], "Missing"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_what_is_asked_wrongly_is_a_usage_error(tmp_path: Path, words: list[str], message: str) -> None:
    outcome = gate(tmp_path, *words)
    assert outcome.code == 2
    assert message in outcome.text
    assert "Usage: gate" in outcome.err
    assert outcome.out == ""


def test_without_a_command_the_help_is_shown_and_nothing_passes(tmp_path: Path) -> None:
    outcome = gate(tmp_path)
    assert outcome.code == 2
    assert "Commands:" in outcome.out + outcome.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_a_shell(tmp_path: Path, shell: str) -> None:
    outcome = gate(tmp_path, "completion", shell)
    assert outcome.code == 0
    assert "_GATE_COMPLETE" in outcome.out


def test_a_reader_that_went_away_is_no_traceback(tmp_path: Path) -> None:
    write_run(tmp_path / "b", passing(2000))
    write_run(tmp_path / "c", [scored(f"r{number:03d}", 0) for number in range(2000)])
    command = [sys.executable, "-m", "runstore.cli.main", "compare", "b", "c", "--format", "json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) != 0
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_under_standard_output_is_a_failure_of_the_system(tmp_path: Path) -> None:
    write_run(tmp_path / "b", passing(3))
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "runstore.cli.main", "compare", "b", "b"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 74
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read_is_a_failure_of_the_system(tmp_path: Path) -> None:
    run = write_run(tmp_path / "b", passing(3))
    (run / "records.jsonl").chmod(0)
    assert gate(tmp_path, "compare", "b", "b").code == 74


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "b", "c"],
        ["compare", "b", "c", "--format", "json"],
        ["compare", "b", "gone"],
        ["compare", "b", "c", "--config", "gone.toml"],
        ["validate", "b", "broken"],
        ["show", "b"],
        ["--nonsense"],
        [],
    ],
)
def test_the_program_within_a_test_does_what_the_process_does(tmp_path: Path, words: list[str]) -> None:
    write_run(tmp_path / "b", [scored("a"), scored("b")])
    write_run(tmp_path / "c", [scored("a"), scored("b", 0)])
    write_run(tmp_path / "broken", [scored("a")])
    (tmp_path / "broken" / "records.jsonl").write_text("{}\n")
    assert repositories.gate(tmp_path, *words) == gate(tmp_path, *words)
