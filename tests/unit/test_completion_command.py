"""`gate completion`: the script, and that what it calls answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from runstore.cli.main import COMMANDS

Gate = Callable[..., tuple[int, str, str]]


BINDINGS = {
    "bash": "    complete -o nosort -F _gate_completion gate",
    "fish": 'complete --no-files --command gate --arguments "(_gate_completion)";',
    "zsh": "    compdef _gate_completion gate",
}
"""The line of each script that binds it to the command."""


@pytest.mark.parametrize("shell", BINDINGS)
def test_the_script_binds_gate_and_calls_it_for_the_words_of_that_shell(shell: str, gate: Gate) -> None:
    code, out, err = gate("completion", shell)
    assert (code, err) == (0, "")
    assert f"_GATE_COMPLETE={shell}_complete" in out
    assert BINDINGS[shell] in out.splitlines()


def complete(words: str, position: int) -> list[str]:
    environment = {**os.environ, "_GATE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    command = [sys.executable, "-m", "runstore.cli.main"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_are_completed() -> None:
    assert complete("gate com", 1) == [name for name in sorted(COMMANDS) if name.startswith("com")]


def test_options_and_choices_are_completed() -> None:
    assert complete("gate fmt --ch", 2) == ["--check"]
    assert complete("gate completion ", 2) == ["bash", "fish", "zsh"]


def test_an_unknown_shell_is_usage(gate: Gate) -> None:
    code, out, err = gate("completion", "tcsh")
    assert (code, out, "'tcsh' is not one of 'bash', 'fish', 'zsh'" in err) == (2, "", True)
