"""Where attacks are run: a baseline and a current run, one of them damaged, judged by the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.command_line import Outcome, environment
from tests.factories import Record, replace_bytes, scored, write_run
from tests.repositories import gate

SIDES = ("baseline", "current")
Damage = Callable[[Path], object]

# The score that is replaced is one that stands in one line only.
RECORDS: list[Record] = [scored("r000"), scored("r001", 0.125, output="fine"), scored("r002"), scored("r003", 0)]
LINE = b'{"id":"r001","output":"fine","scores":{"acc":0.125}}'


def two_runs(folder: Path) -> None:
    """Two sound runs of the same scores, whose lines differ, so that lines are also looked at several at a time."""
    write_run(folder / "baseline", RECORDS)
    write_run(
        folder / "current", [{**record, "target": "x"} if "output" not in record else record for record in RECORDS]
    )


def with_line(new: bytes) -> Damage:
    """Put another line in the place of the second one; everything else fits."""
    return lambda run: replace_bytes(run, LINE, new)


def with_score(text: bytes) -> Damage:
    """Put another text in the place of a score; everything else fits."""
    return with_line(LINE.replace(b"0.125", text))


def assert_refused(folder: Path, side: str, damage: Damage, *says: str) -> None:
    """A damaged run is INVALID for compare and for validate, which say what is wrong, where, and what to do next."""
    two_runs(folder)
    damage(folder / side)
    found = gate(folder, "compare", "baseline", "current", "--format", "json")
    assert found.code == 3, found.text
    assert found.rules == ["invalid-run"]
    assert (found.view["verdict"], found.view["exit_code"], found.view["metrics"]) == ("INVALID", 3, [])
    message = found.view["findings"][0]["message"]
    for text in (side, *says):
        assert text in message, message
    shown = gate(folder, "compare", "baseline", "current")
    assert shown.code == 3
    assert shown.out.startswith("INVALID")
    assert "hint: " in shown.out or "Next: " in shown.out
    checked = gate(folder, "validate", side)
    assert checked.code == 3
    for text in (side, *says):
        assert text in checked.text


def compare(folder: Path, *words: str) -> Outcome:
    """`gate compare baseline current --format json WORDS…`."""
    return gate(folder, "compare", "baseline", "current", "--format", "json", *words)


_WITNESS = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_memory(folder: Path, *words: str) -> tuple[int, float]:
    """Exit code of `gate WORDS…` and the most memory it held at once, in MiB."""
    command = [sys.executable, "-c", _WITNESS, sys.executable, "-m", "runstore.cli.main", *words]
    env = {**environment(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=True, timeout=300)
    code, peak = done.stdout.split()
    return int(code), int(peak) / (1024 if os.uname().sysname == "Linux" else 1024 * 1024)
