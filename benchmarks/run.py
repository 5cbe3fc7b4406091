"""Measures `gate compare` and its start-up against yardsticks, as whole processes, in turn; only the standard library.

    python benchmarks/run.py                                                  # 10k and 100k records, about two minutes
    python benchmarks/run.py --records 1000000 --changed 1 --rounds 3 --output result.json

Every round runs each command once (A B C, A B C, …), so that a ratio is taken between neighbours in time and holds when
the machine's speed drifts. A Markdown table goes to stdout, every single figure to --output. Nothing is judged but
correctness: a command that counts other than expected stops the whole.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
MIB = 1024 * 1024
COUNTS = ("added", "changed", "common", "improved", "regressed", "removed", "unchanged")
JUDGED = (0, 1)
"""Exit codes of a comparison that was made: PASS and FAIL."""

YARDSTICKS = {
    "parse": ("orjson", ["parse_only.py"]),
    "duckdb": ("duckdb", ["duckdb_join.py"]),
    "duckdb-hashed": ("duckdb", ["duckdb_join.py", "--rest", "hashed"]),
    "polars": ("polars", ["polars_join.py"]),
    "polars-hashed": ("polars", ["polars_join.py", "--rest", "hashed"]),
}
"""Name → (the package it needs, script and options)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One finished command, with the processes it started."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    """Of the largest single process, as the kernel counted it."""
    tree_mib: float | None
    """Of all its processes at one time, shared pages counted once, as far as looking every few ms shows it."""
    read_mib: float | None
    """Bytes read through system calls, where the kernel counts them: work, not time, so it does not wander."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What is run each round. `fresh`: with an empty cache each time; otherwise with one that the warm-up filled."""

    name: str
    argv: Sequence[str]
    fresh: bool = False
    codes: Sequence[int] = (0,)
    silent: bool = False


Samples = dict[str, list[Sample]]
"""Name of a command → its samples, round by round."""


class Runner:
    """Runs commands in an empty folder, where no policy file is found, each with the cache it asks for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = folder / "cache"
        self.output = folder / "stdout"
        self._work = folder / "work"
        self._work.mkdir()

    def run(self, command: Command, *, watched: bool = False) -> Sample:
        """Run it to its end, stdout to `output`. `watched`: its memory is looked at, at the cost of its times."""
        cache = self._folder / "fresh" if command.fresh else self._kept
        shutil.rmtree(self._folder / "fresh", ignore_errors=True)
        environment = {**os.environ, "RUNSTORE_CACHE_DIR": str(cache)}
        with open(self.output, "wb") as output:
            start = time.perf_counter()
            process = subprocess.Popen(
                command.argv, cwd=self._work, env=environment, stdin=subprocess.DEVNULL, stdout=output
            )
        together = watch(process.pid) if watched else None
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - start
        read = bytes_read(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in command.codes:
            raise SystemExit(f"{shlex.join(command.argv)}\nexited {process.returncode}")
        return Sample(
            wall_s=wall,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_mib=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MIB,
            tree_mib=None if together is None else together / MIB,
            read_mib=None if read is None else read / MIB,
        )


def watch(pid: int) -> int | None:
    """The most memory that a process and its descendants held together until it ended; None if nobody counts."""
    most = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        most = max(most, sum(map(proportional_bytes, descendants(pid))))
        time.sleep(0.002)
    return most or None


def descendants(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    try:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from descendants(int(child))
    except OSError:  # it ended meanwhile
        pass


def proportional_bytes(pid: int) -> int:
    """What a process holds; of a page that n processes share, an nth."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # it ended meanwhile
        pass
    return 0


def bytes_read(pid: int) -> int | None:
    """What a process that ended and is not yet reaped has read, with its reaped children; None if nobody counts."""
    try:
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("rchar:"):
                return int(line.split()[1])
    except OSError:
        pass
    return None


def measure(runner: Runner, commands: Sequence[Command], rounds: int, expected: Mapping[str, int]) -> Samples:
    """Counted samples, after one round that warms up and one that is watched: its memory counts, its times do not."""
    found: Samples = {command.name: [] for command in commands}
    together: dict[str, float | None] = {}
    for number in range(-2, rounds):
        for command in commands:
            sample = runner.run(command, watched=number == -1)
            check(command, runner.output, expected)
            if number == -1:
                together[command.name] = sample.tree_mib
            if number >= 0:
                found[command.name].append(replace(sample, tree_mib=together[command.name]))
                print(f"{command.name}: {sample.wall_s:.3f} s", file=sys.stderr)
    return found


PRINT_COUNTS = "import json, sys; found = json.load(sys.stdin); print(json.dumps(found.get('counts', found)))"


def check(command: Command, output: Path, expected: Mapping[str, int]) -> None:
    """A tool that miscounts is not worth timing; nor is one that breaks off with an exit code that a verdict has too.

    Another process reads the output: a child's peak memory starts at what this one holds, so this one stays small.
    """
    if not command.silent and not output.stat().st_size:
        raise SystemExit(f"{shlex.join(command.argv)}\nprinted nothing")
    if command.silent or not expected:
        return
    with open(output, "rb") as stream:
        printed = subprocess.run([sys.executable, "-c", PRINT_COUNTS], stdin=stream, stdout=subprocess.PIPE, check=True)
    counts = json.loads(printed.stdout)
    wrong = {name: counts.get(name) for name in COUNTS if counts.get(name) != expected[name]}
    if wrong:
        raise SystemExit(f"{shlex.join(command.argv)}\ncounted {wrong}, not {dict(expected)}")


# Scenarios


def pair_commands(gate: Sequence[str], pair: Path, yardsticks: Sequence[str]) -> list[Command]:
    runs = [str(pair / "baseline"), str(pair / "current")]
    compare = [*gate, "compare", "--format", "json", *runs]
    return [
        Command(name="gate, first", argv=compare, fresh=True, codes=JUDGED),
        Command(name="gate, later", argv=compare, codes=JUDGED),
        *(
            Command(name=name, argv=[sys.executable, *yardstick_argv(name), *runs], silent=name == "parse")
            for name in yardsticks
        ),
    ]


def yardstick_argv(name: str) -> list[str]:
    script, *options = YARDSTICKS[name][1]
    return [str(HERE / script), *options]


def startup_commands(gate: Sequence[str], pair: Path) -> list[Command]:
    compare = [*gate, "compare", str(pair / "baseline"), str(pair / "current")]
    return [
        Command(name="python -c pass", argv=[sys.executable, "-c", "pass"], silent=True),
        Command(name="gate --version", argv=[*gate, "--version"]),
        Command(name="gate compare, first", argv=compare, fresh=True, codes=JUDGED),
        Command(name="gate compare, later", argv=compare, codes=JUDGED),
    ]


def make_pair(data: Path, records: int, changed: float, writer: str) -> Path:
    """The pair, made if it is not there yet."""
    pair = data / f"{records}-{changed:g}"
    if not (pair / "expected.json").exists():
        print(f"making {pair}", file=sys.stderr)
        options = ["--records", str(records), "--changed", str(changed), "--writer", writer]
        subprocess.run([sys.executable, str(HERE / "make_runs.py"), "pair", *options, str(pair)], check=True)
    return pair


# The table


def spread(values: Sequence[float], digits: int) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))


def ratios(found: Samples, above: str, below: str, figure: str) -> list[float]:
    """Round by round, `above` divided by `below`."""
    return [getattr(a, figure) / getattr(b, figure) for a, b in zip(found[above], found[below], strict=True)]


def pair_table(found: Samples) -> Iterator[str]:
    quotients = "first ÷ it, wall | later ÷ it, wall | later ÷ it, CPU"
    yield f"| command | wall s | CPU s | peak MiB | all MiB | read MiB | {quotients} |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, samples in found.items():
        compared = [
            "–" if name.startswith("gate") else spread(ratios(found, above, name, figure), 2)
            for above, figure in (("gate, first", "wall_s"), ("gate, later", "wall_s"), ("gate, later", "cpu_s"))
        ]
        yield f"| {' | '.join([name, *figures(samples, 3), *compared])} |"


def startup_table(found: Samples) -> Iterator[str]:
    yield "| command | wall s | CPU s | peak MiB | all MiB | read MiB | above bare Python, ms |"
    yield "|---|---|---|---|---|---|---|"
    bare = found["python -c pass"]
    for name, samples in found.items():
        above = [(one.wall_s - other.wall_s) * 1000 for one, other in zip(samples, bare, strict=True)]
        yield f"| {' | '.join([name, *figures(samples, 4), '–' if samples is bare else spread(above, 0)])} |"


def figures(samples: Sequence[Sample], digits: int) -> list[str]:
    together = samples[0].tree_mib
    read = [sample.read_mib for sample in samples if sample.read_mib is not None]
    return [
        spread([sample.wall_s for sample in samples], digits),
        f"{median([sample.cpu_s for sample in samples]):.{digits}f}",
        f"{max(sample.peak_mib for sample in samples):.0f}",
        f"{together:.0f}" if together else "–",
        f"{median(read):.1f}" if read else "–",
    ]


# The command


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scenarios = ("startup", "compare")
    parser.add_argument("--scenario", choices=scenarios, nargs="+", default=scenarios, help="default: both")
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000], metavar="N")
    parser.add_argument("--changed", type=float, nargs="+", default=[1, 100], metavar="PERCENT")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="counted rounds (default: 5)")
    parser.add_argument("--startup-rounds", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--yardstick", choices=YARDSTICKS, nargs="*", default=list(YARDSTICKS), help="default: all")
    parser.add_argument("--gate", type=shlex.split, default=default_gate(), help="default: the one of this Python")
    parser.add_argument("--writer", choices=("runstore", "second"), default="runstore", help="what makes the runs")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "runstore-benchmarks")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write every figure there as JSON")
    return parser.parse_args()


def default_gate() -> list[str]:
    script = Path(sys.executable).parent / "gate"
    return [str(script)] if script.exists() else [sys.executable, "-m", "runstore.cli.main"]


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def available(names: Sequence[str]) -> list[str]:
    missing = [name for name in names if find_spec(YARDSTICKS[name][0]) is None]
    for name in missing:
        print(f"{name}: {YARDSTICKS[name][0]} is not installed, so it is left out", file=sys.stderr)
    return [name for name in names if name not in missing]


def scenarios(given: argparse.Namespace, runner: Runner) -> Iterator[tuple[str, Samples, Iterator[str]]]:
    """Title, samples and table of each scenario asked for."""
    if "startup" in given.scenario:
        pair = make_pair(given.data, 10, 10, given.writer)
        found = measure(runner, startup_commands(given.gate, pair), given.startup_rounds, {})
        yield "Start-up, ten records", found, startup_table(found)
    if "compare" in given.scenario:
        for records in given.records:
            for changed in given.changed:
                pair = make_pair(given.data, records, changed, given.writer)
                expected = json.loads((pair / "expected.json").read_text())
                commands = pair_commands(given.gate, pair, available(given.yardstick))
                found = measure(runner, commands, given.rounds, expected)
                yield f"{records:,} records, {changed:g} % changed", found, pair_table(found)


def main() -> None:
    given = parse_arguments()
    given.data = given.data.resolve()
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("Figures are min / median / max over the rounds; one figure is the median, of peak memory the maximum.")
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="runstore-benchmark-") as folder:
        for title, found, table in scenarios(given, Runner(Path(folder))):
            print(f"\n### {title}\n", *table, sep="\n", flush=True)
            results[title] = {name: [asdict(sample) for sample in samples] for name, samples in found.items()}
    if given.output:
        given.output.write_text(json.dumps({"machine": facts, "scenarios": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
