"""The calls by which people log, the same on a run and on a tracker, which passes them on to the run that is active."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runstore.manifest import MetricDeclaration, RunStatus
    from runstore.tracking.alerts import Callback
    from runstore.tracking.finishing import Finished
    from runstore.tracking.run import TrackedRun


class Calls:
    """What `TrackedRun` does, for the active run. Raises UsageError where there is none, else as the run's calls."""

    @property
    def run(self) -> TrackedRun:
        """The run that is active here."""
        raise NotImplementedError

    def log_params(self, params: Mapping[str, object]) -> None:
        """See TrackedRun.log_params."""
        self.run.log_params(params)

    def log_dataset(self, name: str, path: str | os.PathLike[str] | None = None, **facts: str | None) -> None:
        """See TrackedRun.log_dataset."""
        self.run.log_dataset(name, path, **facts)

    def declare_metric(self, name: str, declaration: MetricDeclaration) -> None:
        """See TrackedRun.declare_metric."""
        self.run.declare_metric(name, declaration)

    def log_metrics(self, metrics: Mapping[str, object], step: int | None = None) -> None:
        """See TrackedRun.log_metrics."""
        self.run.log_metrics(metrics, step)

    def log_measures(self, measures: Mapping[str, object]) -> None:
        """See TrackedRun.log_measures."""
        self.run.log_measures(measures)

    def log_records(self, records: Iterable[Mapping[str, Any]]) -> None:
        """See TrackedRun.log_records."""
        self.run.log_records(records)

    def log_table(self, table: object, *, columns: Sequence[str] | None = None, **fields: Any) -> None:
        """See TrackedRun.log_table."""
        self.run.log_table(table, columns=columns, **fields)

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002  # the name that people write
    ) -> None:
        """See TrackedRun.log_artifact."""
        self.run.log_artifact(path, name, type)

    def log_artifacts(self, folder: str | os.PathLike[str], prefix: str = "") -> None:
        """See TrackedRun.log_artifacts."""
        self.run.log_artifacts(folder, prefix)

    def log_experiment_result(self, result: object, prefix: str = "") -> None:
        """See TrackedRun.log_experiment_result."""
        self.run.log_experiment_result(result, prefix)

    def add_tag(self, name: str, value: str = "") -> None:
        """See TrackedRun.add_tag."""
        self.run.add_tag(name, value)

    def set_note(self, text: str) -> None:
        """See TrackedRun.set_note."""
        self.run.set_note(text)

    def create_alert(self, condition: str, message: str = "", callback: Callback | None = None) -> None:
        """See TrackedRun.create_alert."""
        self.run.create_alert(condition, message, callback)

    def end_run(self, status: RunStatus = "completed") -> Finished:
        """See TrackedRun.end_run. The run around a nested one is active again."""
        return self.run.end_run(status)
