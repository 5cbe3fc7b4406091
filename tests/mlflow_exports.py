"""Exports to MLflow in processes of their own, to be raced and killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import runstore

_CHILD = """
import sys
from pathlib import Path
from runstore.canonical import encode, decode
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Options, Visit
from runstore.exporters.mlflow import claims, exporter, turns
from runstore.store.reader import read_run
place, server, ledger = sys.argv[1:]
claims.PATIENCE_S = turns.PATIENCE_S = 1.0  # a server of the tests answers at once
file = Path(ledger)
run = read_run(place)
progress = decode(file.read_bytes()) if file.exists() else {}
visit = Visit(environment={}, budget=Deadline(60), progress=progress, warn=print,
    keep=lambda value: file.write_bytes(encode(dict(value))) and None)
plan = exporter.plan(run, Options(target=server))
sys.stdin.readline()
print(exporter.push(plan, run, visit).remote_id)
"""


def exporting(run: Path, server: str, ledger: Path) -> subprocess.Popen[str]:
    """A process that exports a run when it is told to; what it keeps is in a file."""
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(run), server, str(ledger)],
        env={**os.environ, "PYTHONPATH": str(Path(runstore.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(child: subprocess.Popen[str]) -> None:
    """Tell such a process to begin."""
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()
