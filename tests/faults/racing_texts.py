"""A process that writes runs with large texts, or removes texts that no run names, for each line it is sent.

In: `FOLDER FIRST`, the folder of the runs and the number of the first run to write. Out: how many times it did what it
was to do, and how many times somebody stood in the way.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runstore.errors import UsageError
from runstore.garbage.collection import collected
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

RUNS, CALLS, TEXTS = 3, 20, 4


def text(number: int) -> str:
    return f"text {number} " * 100


def write(folder: Path, first: int) -> tuple[int, int]:
    for number in range(first, first + RUNS):
        with RunWriter(folder / f"run-{number}", metrics={"f1": MetricDeclaration()}, large_text=512) as run:
            for sample in range(TEXTS):
                run.append({"id": f"q{sample}", "output": text(sample), "scores": {"f1": 1}})
    return RUNS, 0


def remove(folder: Path, first: int) -> tuple[int, int]:
    done = 0
    for _ in range(CALLS):
        try:
            with collected(folder) as found:
                found.remove()
        except UsageError:
            continue
        done += 1
    return done, CALLS - done


def main() -> None:
    setattr(os, "fsync", lambda descriptor: None)  # noqa: B010  # that nothing is lost in a power cut is shown elsewhere
    act = {"write": write, "remove": remove}[sys.argv[1]]
    for line in iter(sys.stdin.readline, ""):
        folder, _, first = line.rstrip("\n").rpartition(" ")
        print(*act(Path(folder), int(first)), flush=True)


if __name__ == "__main__":
    main()
