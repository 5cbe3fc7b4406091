"""A script that logs by every call there is, and kills itself with SIGKILL after as many of them as it is told.

Arguments: folder, number of calls. Before it dies it has printed nothing; what it has logged is on disk or lost.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from runstore.manifest import MetricDeclaration
from runstore.tracking import TrackedRun, create_tracker


def calls(run: TrackedRun, source: Path) -> list[Callable[[], object]]:
    """Every call that logs, in an order in which all of them work."""
    return [
        lambda: run.log_params({"lr": 0.1, "deep": {"a": 1}}),
        lambda: run.log_dataset("d", source),
        lambda: run.declare_metric("acc", MetricDeclaration(range=(0, 1))),
        lambda: run.create_alert("loss > 1", "high"),
        lambda: run.log_metrics({"loss": 0.5, "acc": 1}, 0),
        lambda: run.log_metrics({"loss": 2}, 1),
        lambda: run.log_metrics({"loss": float("nan")}, 2),
        lambda: run.log_metrics({"loss": 0.25}, 3),
        lambda: run.log_metrics({"final": 1}),
        lambda: run.log_measures({"seconds": 1.5}),
        lambda: run.log_records({"id": f"r{number}", "scores": {"s": 1}} for number in range(1500)),
        lambda: run.log_table([{"id": "t", "s": 1}], scores=["s"]),
        lambda: run.log_artifact(source, "a/one"),
        lambda: run.log_artifact(Path(__file__), "a/one"),
        lambda: run.log_artifacts(source.parent),
        lambda: run.log_experiment_result(
            {"success_rate": 1, "total_count": 2, "model_name": "m", "duration_seconds": 1}
        ),
        lambda: run.add_tag("t", "1"),
        lambda: run.set_note("note"),
    ]


def log_and_die(folder: Path, most: int) -> None:
    """Make so many of the calls, then die."""
    run = create_tracker("local", root=folder).start_run(run_id="r")
    for call in calls(run, folder / "source" / "data.txt")[:most]:
        call()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    log_and_die(Path(sys.argv[1]), int(sys.argv[2]))
