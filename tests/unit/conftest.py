"""What the tests of commands share: the whole program in this process, from arguments to exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from runstore.cli import main
from runstore.cli.boundary import run_guarded


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call with arguments; returns (exit code, stdout, stderr) of `gate`."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gate", *map(str, arguments)])
        code = run_guarded(main.gate)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run
