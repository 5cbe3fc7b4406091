"""What `log_metrics` costs: a training loop that logs, beside the same loop that does not, in turns in one process.

    python benchmarks/tracking.py [--calls 10000] [--rounds 7] [--folder DIR]

Prints, for each round, the seconds of the bare loop, of the loop that logs, and of the end of its run; and the median
of the difference, by the wall and by the processor. `python benchmarks/tracking.py bare` and `... logged` do one of
them once, for a clock outside the process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runstore.tracking import create_tracker

Log = Callable[[dict[str, object], int], None]


def loop(calls: int, log: Log) -> float:
    """Something like training: a value falls, and is logged at each step."""
    loss = 1.0
    for step in range(calls):
        loss *= 0.9999
        log({"loss": loss, "accuracy": 1 - loss}, step)
    return loss


def nothing(values: dict[str, object], step: int) -> None:
    """What the loop calls that does not log."""


def clocked(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the wall, and by the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - processor


def logged(folder: Path, calls: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds of the loop, and of the end of the run."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        run = create_tracker("local", root=place).start_run()
        return clocked(lambda: loop(calls, run.log_metrics)), clocked(run.end_run)


def main() -> None:
    parser = argparse.ArgumentParser(description="What log_metrics costs.")
    parser.add_argument("part", nargs="?", choices=["bare", "logged"])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args()
    if asked.part == "bare":
        loop(asked.calls, nothing)
    elif asked.part == "logged":
        logged(asked.folder, asked.calls)
    else:
        rounds(asked.folder, asked.calls, asked.rounds)


def rounds(folder: Path, calls: int, count: int) -> None:
    """All of it, in turns; the first round warms up."""
    more: list[tuple[float, float]] = []
    print(f"{'bare s':>8} {'logged s':>8} {'CPU s':>8} {'end s':>8}")
    for number in range(count + 1):
        bare = clocked(lambda: loop(calls, nothing))
        ours, end = logged(folder, calls)
        if number:
            more.append((ours[0] - bare[0], ours[1] - bare[1]))
            print(f"{bare[0]:8.4f} {ours[0]:8.4f} {ours[1]:8.4f} {end[0]:8.4f}")
    wall, processor = (statistics.median(part) for part in zip(*more, strict=True))
    print(f"{calls} calls cost {wall:.3f} s more than the loop itself (median; {processor:.3f} s of processor)")


if __name__ == "__main__":
    main()
