"""Measures `gate export` beside the naive loop over each backend's own SDK, as whole processes, in turn.

    pip install ".[servers]" && python benchmarks/exporting.py
    python benchmarks/exporting.py --backend tensorboard --rounds 9

One run of 10,000 points, 100 params and 1,000 records. Every round exports it for the first time (`first`), again
(`again`), and has the SDK log the same points and params one by one, as people write it (`loop`). MLflow's server is
started once, on 127.0.0.1, with sqlite. A backend whose SDK is missing has no `loop`. It is checked that the export
reads back equal. `--output` keeps every figure as JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from runstore import Identity, MetricDeclaration, RunWriter

POINTS, SERIES, PARAMS, RECORDS = 10_000, 10, 100, 1_000
START_S = 120

READ = """
import json, sys
from pathlib import Path
place, target = Path(sys.argv[1]), sys.argv[2]
params = json.loads((place / "manifest.json").read_text())["identity"]["params"]
points = [json.loads(line) for line in (place / "series.jsonl").read_text().splitlines()]
points.sort(key=lambda point: point["step"])
"""
LOOPS = {
    "tensorboard": READ
    + """
from tensorboard.summary import Writer
writer = Writer(target)
for point in points:
    writer.add_scalar(point["name"], point["value"], step=point["step"])
writer.close()
""",
    "mlflow": READ
    + """
import mlflow
mlflow.set_tracking_uri(target)
mlflow.set_experiment("loop")
with mlflow.start_run():
    for name, value in params.items():
        mlflow.log_param(name, value)
    for point in points:
        mlflow.log_metric(point["name"], point["value"], step=point["step"])
""",
    "wandb": READ
    + """
import wandb
with wandb.init(project="loop", dir=target, mode="offline", config=params) as run:
    for point in points:
        run.log({point["name"]: point["value"]}, step=point["step"])
""",
}
"""Backend → a program: folder of the run and target in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one backend gets its runs: the target of `gate export` and of the loop, and the environment of both."""

    backend: str
    target: str
    loop_target: str
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Seconds of a process: from start to end, and of the processor, with the processes it waited for."""

    wall_s: float
    cpu_s: float


def make_run(place: Path, number: int) -> None:
    """A run of the declared size; the number makes it another one each round."""
    names = [f"series/{index}" for index in range(SERIES)]
    declared = {name: MetricDeclaration() for name in (*names, "acc")}
    params = {f"param_{index:03d}": index / 7 for index in range(PARAMS)}
    identity = Identity(project="bench", name=f"round-{number}", params={**params, "round": number})
    with RunWriter(place, identity=identity, metrics=declared) as run:
        for step in range(POINTS // SERIES):
            for index, name in enumerate(names):
                run.log_metric(name, 1 / (step + index + 1) + number, step)
        for record in range(RECORDS):
            run.append({"id": f"q{record:05d}", "input": "x" * 80, "scores": {"acc": record % 100 / 100}})


def timed(command: Sequence[str | Path], environment: Mapping[str, str]) -> Figure:
    """What a process takes; one that fails ends the whole."""
    with tempfile.TemporaryFile() as said:
        before = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), env=dict(environment), stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command[:6]))} …: exit {process.returncode}\n{said.read().decode()[-2000:]}")
    return Figure(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime)


def measure(place: Place, runs: Path, rounds: int, *, loop: bool) -> dict[str, list[Figure]]:
    """The figures of one backend, round by round; the first round warms up and is not counted."""
    found: dict[str, list[Figure]] = {"first": [], "again": [], "loop": []}
    has_sdk = loop and importlib.util.find_spec(place.backend) is not None
    for number in range(rounds + 1):
        run = runs / str(number)
        export = [sys.executable, "-m", "runstore.cli.main", "export", run, "--to", place.backend]
        export += ["--target", place.target]
        figures = {"first": timed(export, place.environment), "again": timed(export, place.environment)}
        if has_sdk and (number or place.backend != "mlflow"):  # its loop takes a minute; it needs no warming up
            program = [sys.executable, "-c", LOOPS[place.backend], run, place.loop_target]
            figures["loop"] = timed(program, place.environment)
        if number:
            for name, value in figures.items():
                found[name].append(value)
        timed([*export, "--verify", "--dry-run"], place.environment)
    return found


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of an MLflow server on sqlite."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    words = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder / "artifacts"]
    words += ["--host", "127.0.0.1", "--port", port, "--workers", 1]
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *map(str, words)],
            stdout=log,
            stderr=log,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        await_health(address)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def await_health(address: str) -> None:
    end = time.monotonic() + START_S
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        try:
            with direct.open(f"{address}/health"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    sys.exit(f"MLflow's server is not up after {START_S} s")


@contextmanager
def placed(backend: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Place]:
    """A backend ready to take runs."""
    if backend == "mlflow":
        with mlflow_server(folder) as address:
            yield Place(backend=backend, target=address, loop_target=address, environment=environment)
    else:
        silent = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
        loop = folder / "loop"
        loop.mkdir()
        yield Place(
            backend=backend,
            target=str(folder / "export"),
            loop_target=str(loop),
            environment={**environment, **(silent if backend == "wandb" else {})},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", action="append", choices=sorted(LOOPS), help="one or more; all that can be")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-loop", action="store_true", help="leave the SDKs' loops out")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves no server behind
    found = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for number in range(asked.rounds + 1):
            make_run(work / "runs" / str(number), number)
        own = {"HOME": name, "XDG_STATE_HOME": f"{name}/state", "RUNSTORE_CACHE_DIR": f"{name}/cache"}
        environment = {**{key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}, **own}
        for backend in asked.backend or sorted(LOOPS):
            if backend == "mlflow" and importlib.util.find_spec("mlflow") is None:
                print("mlflow: not installed, so there is no server to export to", file=sys.stderr)
                continue
            folder = work / backend
            folder.mkdir()
            with placed(backend, folder, environment) as place:
                found[backend] = measure(place, work / "runs", asked.rounds, loop=not asked.no_loop)
            shutil.rmtree(work / "cache", ignore_errors=True)
    print_table(found)
    if asked.output:
        kept = {
            backend: {name: list(map(asdict, values)) for name, values in of.items()} for backend, of in found.items()
        }
        asked.output.write_text(json.dumps(kept, indent=2) + "\n")


def print_table(found: Mapping[str, Mapping[str, Sequence[Figure]]]) -> None:
    print(
        f"{POINTS:,} points, {PARAMS} params, {RECORDS:,} records; {os.cpu_count()} cores; medians of wall s (CPU s)\n"
    )
    print("| backend | first | again | loop over the SDK | loop ÷ first, wall |\n|---|--:|--:|--:|--:|")
    for backend, figures in found.items():
        cells = [_cell(figures[name]) for name in ("first", "again", "loop")]
        pairs = zip(figures["loop"], figures["first"], strict=False)
        ratios = [loop.wall_s / first.wall_s for loop, first in pairs]
        print(f"| {backend} | {' | '.join(cells)} | {f'{median(ratios):.1f}' if ratios else '–'} |")


def _cell(figures: Sequence[Figure]) -> str:
    if not figures:
        return "–"
    return f"{median(one.wall_s for one in figures):.2f} ({median(one.cpu_s for one in figures):.2f})"


if __name__ == "__main__":
    main()
