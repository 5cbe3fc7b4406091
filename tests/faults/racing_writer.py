"""A process that writes one run for each line it is sent: `PLACE` or `PLACE replace`. It answers `won`, or why not.

Everything but the last step is done before the line is asked for, so that the last steps of many meet.
"""

from __future__ import annotations

import sys

from runstore.errors import RunExistsError
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

RECORDS = 20


def write(place: str, who: str, *, replace: bool) -> str:
    try:
        writer = RunWriter(place, metrics={"f1": MetricDeclaration()}, tags={"writer": who}, replace=replace)
        with writer:
            for number in range(RECORDS):
                writer.append({"id": f"q{number}", "scores": {"f1": 1}, "tags": {"writer": who}})
    except RunExistsError:
        return "exists"
    return "won"


def main() -> None:
    who = sys.argv[1]
    for line in iter(sys.stdin.readline, ""):
        place, _, how = line.rstrip("\n").partition(" ")
        print(write(place, who, replace=how == "replace"), flush=True)


if __name__ == "__main__":
    main()
