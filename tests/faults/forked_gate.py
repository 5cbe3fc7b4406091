"""A process that has everything imported and forks one `gate` for each line it is sent, so that a call costs little.

In: a JSON object a line: `argv`, `cwd`, `log` (file for both output streams), `shard_bytes` (beyond which records stand
in shards), `warm_up`. Out: the number of the forked process, when it waits for a second line before it begins, so that
a tracer sees the work and nothing before it; then its exit status, negative for a signal. Sorting spills after a few
records, so that every file is small.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import click

from runstore import shards
from runstore.cli import main
from runstore.cli.boundary import run_guarded
from runstore.manifest import MetricDeclaration
from runstore.store import writer
from runstore.store.sorting import LineSorter

SPILL_BYTES = 4000


@click.command()
@click.argument("place", type=Path)
@click.option("--replace", is_flag=True)
def write_everything(place: Path, *, replace: bool) -> None:
    """What a tracker does: a run with records, series, artifacts and volatile facts."""
    metrics = {name: MetricDeclaration() for name in ("f1", "loss")}
    with writer.RunWriter(place, metrics=metrics, replace=replace) as run:
        for number in reversed(range(30)):
            run.append({"id": f"q{number}", "output": "x" * 40, "scores": {"f1": 1}})
            run.log_metric("loss", number, step=number)
        run.add_artifact(Path(__file__), "deep/er/program.py")
        run.add_artifact(Path(__file__), "program.py")
        run.add_volatile("clock", {"seconds": 1})


def call(argv: list[str], shard_bytes: int) -> int:
    setattr(writer, "LineSorter", partial(LineSorter, budget=SPILL_BYTES))  # noqa: B010  # a class of another module
    shards.SHARDED_ABOVE = shards._TARGET_BYTES = shard_bytes
    sys.argv = ["gate", *argv]
    return run_guarded(main.gate)


def warm_up(job: dict[str, Any]) -> None:
    """Do it once in this process, so that all modules and caches of the interpreter are there."""
    with chdir(job["cwd"]), redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        code = call(job["argv"], job["shard_bytes"])
    assert code in (0, 1), said.getvalue()


def forked(job: dict[str, Any], gate: int, release: int) -> None:
    """The life of a forked process: make ready, say so, wait, work, leave."""
    os.close(release)
    os.chdir(job["cwd"])
    ready = os.dup(1)
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.write(ready, f"{os.getpid()}\n".encode())
    os.close(ready)
    os.read(gate, 1)
    code = 1
    try:
        code = call(job["argv"], job["shard_bytes"])
    finally:
        os._exit(code)


def serve() -> None:
    main.TABLE["write"] = (__name__, "command", "Write a run as a tracker does.")
    for line in iter(sys.stdin.readline, ""):
        job = json.loads(line)
        if job["warm_up"]:
            warm_up(job)
        gate, release = os.pipe()
        process = os.fork()
        if process == 0:
            forked(job, gate, release)
        os.close(gate)
        sys.stdin.readline()
        os.close(release)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


command = write_everything  # the table of commands asks a module for this name

if __name__ == "__main__":
    serve()
