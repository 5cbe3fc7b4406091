"""A run that has something of every kind, and what is needed to send it: for the tests of the W&B exporter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runstore.canonical import JsonValue
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Options, Visit
from runstore.exporters.wandb import exporter
from runstore.exporters.wandb.planning import WandbPlan
from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance, RunStatus
from runstore.store.reader import Run, read_run
from runstore.store.writer import RunWriter
from tests.factories import HIGHER, LOWER, SHARE

METRICS: Mapping[str, MetricDeclaration] = {
    "acc": SHARE,
    "pass@1": HIGHER,
    "loss": LOWER,
    "loss.val": LOWER,
    "größe": HIGHER,
}
PARAMS: Mapping[str, JsonValue] = {
    "lr": 0.1,
    "model.size": 2**53 - 1,
    "fast": True,
    "none": None,
    "text": 'a "quoted" text\n',
    "_hidden": "x",
    "runstore": 1e-300,
}


def write_full_run(place: Path, status: RunStatus = "completed", lr: float = 0.1, steps: int = 4) -> Run:
    """A run of every kind at `place`."""
    identity = Identity(
        project="qa",
        suite="nightly",
        name="small",
        params={**PARAMS, "lr": lr},
        datasets=[Dataset(name="questions", digest="sha256:abc", version="2")],
        parent="0123456789abcdef" * 2,
    )
    provenance = Provenance(commit="c" * 40, dirty=True, environment="fingerprint-of-this-host")
    with RunWriter(
        place,
        identity=identity,
        metrics=METRICS,
        tags={"owner": "ann", "long": "x" * 80},
        provenance=provenance,
        status=status,
        notes="# Read *this*\n",
    ) as run:
        for number in range(3):
            run.append(
                {
                    "id": f"q-{number}",
                    "input": {"question": number, "email": "bob@example.com"},
                    "output": "y" * 5000 if number == 2 else "short",
                    "scores": {"acc": number / 2, "pass@1": number},
                    "tags": {"lang": "de"},
                }
            )
        for step in range(steps):
            run.log_metric("loss", 1 / (step + 1), step * 10)
        run.log_metric("loss.val", -0.1, 10)
        run.log_metric("loss.val", 1e-7, 35)
        run.log_metric("größe", 2**53 - 1)
        run.log_metric("acc", 0.25, 0)
        artifact = place.with_name("weights.bin")
        artifact.write_bytes(bytes(range(256)))
        run.add_artifact(artifact, "models/weights.bin")
    return read_run(place)


def planned(run: Run, target: str | None, environment: Mapping[str, str], **options: object) -> WandbPlan:
    """The plan of a run."""
    return exporter.plan(run, Options(target=target, environment=environment, **options))  # type: ignore[arg-type]


def visit(
    environment: Mapping[str, str] = {}, progress: Mapping[str, JsonValue] | None = None, timeout_s: float = 20
) -> Visit:
    """A visit with a real clock; what is kept goes to `progress`."""
    kept: dict[str, JsonValue] = dict(progress or {})
    return Visit(
        environment=environment,
        budget=Deadline(timeout_s),
        progress=kept,
        keep=kept.update,
        warn=lambda message: None,
    )
