"""Runs for the tests of exporters: one that holds everything a run can hold, and what an export is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runstore.canonical import JsonValue
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Options, Visit
from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance, RunStatus
from runstore.store.reader import Run, read_run
from runstore.store.writer import RunWriter

PARAMS: Mapping[str, JsonValue] = {
    "depth": 3,
    "flag": True,
    "large": 2**53 - 1,
    "lr": 0.1,
    "model": "a|b`c`\n<script>",
    "none": None,
    "p@1 é": "x",
    "text of a number": "0.1",
    "tiny": 5e-324,
}
METRICS = {
    "acc": MetricDeclaration(range=(0, 1)),
    "final/acc": MetricDeclaration(),
    "huge": MetricDeclaration(),
    "loss": MetricDeclaration(direction="lower"),
    "pass@1 é": MetricDeclaration(),
}
NUMBERS = (0.1, -0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2**53 - 1, -(2**53 - 1), 0, 1, 1e21, 0.1 + 0.2, 16777217)
"""Values that a narrower number would change."""


def write_whole_run(
    place: Path,
    *,
    name: str = "try one",
    records: int = 40,
    steps: int = 12,
    status: RunStatus = "completed",
    parent: str | None = None,
    replace: bool = False,
    shift: float = 0.0,
) -> Path:
    """A run with params, data sets, tags, notes, points with and without step, records and an artifact."""
    identity = Identity(
        project="demo / x",
        name=name,
        params=PARAMS,
        datasets=[Dataset(name="squad", digest="sha256:00", version="2")],
        parent=parent,
    )
    with RunWriter(
        place,
        identity=identity,
        metrics=METRICS,
        tags={"team": "qa", "owner mail": "ann@example.com"},
        notes="# Notes\n\n*first* try",
        provenance=Provenance(commit="c0ffee", dirty=False, environment="fingerprint-of-a-host"),
        status=status,
        replace=replace,
    ) as run:
        for number in range(records):
            run.append({
                "id": f"q{number}",
                "input": "2 + 2?",
                "metadata": {"email": "ann@example.com"},
                "scores": {"acc": number % 10 / 10},
                **({"status": "error"} if number % 17 == 16 else {}),
            })  # fmt: skip
        for step in range(steps):
            run.log_metric("huge", NUMBERS[step % len(NUMBERS)], step)
            run.log_metric("pass@1 é", step / 7 + shift, step * 3)
            run.log_metric("final/acc", step, step)
        run.log_metric("loss", 0.123456789012345678, None)
        run.add_artifact(Path(__file__), "program.py")
    return place


def whole_run(place: Path) -> Run:
    """The run of `write_whole_run`, opened."""
    return read_run(write_whole_run(place))


def options(target: Path | str | None, **asked: object) -> Options:
    """What a person asks, with an environment of nothing."""
    return Options(target=None if target is None else os.fspath(target), **asked)  # type: ignore[arg-type]


def visit(seconds: float = 60) -> Visit:
    """What a push is given by someone who keeps nothing."""
    return Visit(environment={}, budget=Deadline(seconds), progress={}, keep=_forget, warn=_forget)


def _forget(told: object) -> None:
    """Keep nothing, tell nobody."""
