"""The command line as a user meets it: a process of its own, its exit code and what it printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runstore

_SOURCE = str(Path(runstore.__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process of `gate` left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that was printed, in one line: reports wrap theirs."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def view(self) -> Any:
        """The JSON report on standard output."""
        return json.loads(self.out)

    @property
    def rules(self) -> list[str]:
        """The rules that the findings of a JSON report name, each once, in order."""
        return list(dict.fromkeys(finding["rule"] for finding in self.view["findings"]))


def environment(home: Path, extra: Mapping[str, str] = {}) -> dict[str, str]:
    """Variables of a process that sees nothing of the machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPATH": _SOURCE, "PYTHONUTF8": "1", **extra}


def gate(
    folder: Path, *words: str | Path, env: Mapping[str, str] = {}, stdin: bytes = b"", timeout_s: float = 120
) -> Outcome:
    """Run `gate WORDS…` in a folder. A traceback on standard error is never right unless the code says it is a bug."""
    done = subprocess.run(
        [sys.executable, "-m", "runstore.cli.main", *map(str, words)],
        cwd=folder,
        env=environment(folder, env),
        input=stdin,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in outcome.err, outcome.err
    return outcome


def heeds_interrupts() -> None:
    """Called in a child before it becomes a program: a job in the background hands down that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
