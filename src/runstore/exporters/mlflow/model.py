"""What a plan for MLflow holds beside what every plan holds. Values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runstore.canonical import JsonValue
from runstore.exporters.contract import Plan, PlannedPoint

KEY = "runstore.key"
LIVE = "runstore.live"
RUN_ID = "runstore.run_id"
FINGERPRINT = "runstore.plan"
PREVIOUS = "runstore.previous"
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
LOGGED_ARTIFACTS = "mlflow.loggedArtifacts"
GIT_COMMIT = "mlflow.source.git.commit"
GIT_DIRTY = "mlflow.source.git.dirty"
STATUS = {"completed": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowPoint(PlannedPoint):
    """A point; the final figure stands at the last step of its series, later by a millisecond.

    MLflow shows the latest by (step, timestamp): so it is the final figure, at a step that the run really had.
    """

    final: bool = False

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, as MLflow wants them. No clock: the same run gives the same points."""
        return 1 if self.final else 0

    @property
    def place(self) -> tuple[int, int, float]:
        """(Step, timestamp, value), as the server tells it."""
        return self.step, self.timestamp, self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedDataset:
    """A data set of the run as MLflow takes it: `source` is a JSON text with the whole name, digest and version."""

    name: str
    digest: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowPlan(Plan):
    """All that is sent to an MLflow server. Its points are `MlflowPoint`s."""

    server: str
    experiment: str
    points: Sequence[MlflowPoint] = ()
    datasets: Sequence[PlannedDataset] = ()
    live: str = ""
    """The mark by which a live mirror made this run there, if one did."""
    parent: str | None = None
    """The run id of the parent run, whose export is looked for."""
    fingerprint: str = ""
    """SHA-256 of all that is sent: tells whether a run at the server was made by this very plan."""

    def counts(self) -> dict[str, int]:
        """How many of each kind are sent."""
        return {**Plan.counts(self), "datasets": len(self.datasets)}

    def more(self) -> dict[str, JsonValue]:
        """The data sets, the fingerprint, which is a tag, and the run that the run is nested in."""
        datasets: list[JsonValue] = [{"name": d.name, "digest": d.digest, "source": d.source} for d in self.datasets]
        parent: dict[str, JsonValue] = {} if self.parent is None else {"parent": self.parent}
        return {"datasets": datasets, "links": {FINGERPRINT: self.fingerprint, **parent}}
