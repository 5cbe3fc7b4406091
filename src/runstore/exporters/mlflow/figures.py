"""The points of a run as MLflow takes them: series with their steps, final figures, means of scores, counts.

A final figure and a mean stand at the last step of their name, or at step 0, and are what MLflow shows as the latest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runstore.canonical import JsonValue
from runstore.errors import InvalidRunError
from runstore.exporters import names
from runstore.exporters.contract import Change
from runstore.exporters.mlflow.model import MlflowPoint
from runstore.exporters.mlflow.values import NAME_CHARS, PATHLIKE
from runstore.exporters.redaction import Globs, is_redacted, redactions
from runstore.store.reader import Run

METRIC_NAMES = names.Rule(longest=NAME_CHARS, reserved=re.compile(rf"{PATHLIKE}|^r(?=unstore/)"))
MEAN = "mean_of_records"
_COUNTS = "runstore/records"


@dataclass(slots=True)
class _Sending:
    """What was taken so far; `steps` is the last step of each name."""

    globs: Globs
    points: list[MlflowPoint] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: int | float, step: int | None) -> None:
        """Take a point of a series; one without step is the final figure, and comes last."""
        if name not in self.sent:
            self._name(name)
        if sent := self.sent[name]:
            at = self.steps.get(name, 0) if step is None else step
            self.steps[name] = at
            self.points.append(MlflowPoint(name=sent, step=at, value=float(value), final=step is None))

    def _name(self, name: str) -> None:
        redacted = is_redacted(name, self.globs)
        self.sent[name] = sent = "" if redacted else METRIC_NAMES.name(name)
        if redacted:
            self.changes.extend(redactions("metric", [name]))
        elif sent != name:
            reason = METRIC_NAMES.reason(name)
            self.changes.append(Change(kind="metric", name=name, deed="renamed", sent=sent, reason=reason))


def read_points(run: Run, globs: Globs) -> tuple[list[MlflowPoint], list[Change]]:
    """All points that are sent, and what does not reach MLflow under its own name. Raises InvalidDataError."""
    sending = _Sending(globs)
    for point in run.points():
        sending.add(point.name, point.value, point.step)
    series = set(sending.sent)
    for name, mean in _means(run):
        if name not in series or is_redacted(name, globs):
            sending.add(name, mean, None)
        elif f"{name}/{MEAN}" not in series:
            sending.add(f"{name}/{MEAN}", mean, None)
        else:
            reason = f"the series {name}/{MEAN} has that name; the records have all scores"
            sending.changes.append(Change(kind="metric", name=name, deed="dropped", sent=None, reason=reason))
    sending.points.extend(_counts(run))
    return sending.points, sending.changes


def _means(run: Run) -> Iterator[tuple[str, int | float]]:
    """The mean of each metric of the records, by name."""
    metrics = _member(run, "metrics")
    for name, totals in sorted(metrics.items(), key=lambda item: item[0].encode()):
        mean = totals.get("mean") if isinstance(totals, dict) else None
        if isinstance(mean, bool) or not isinstance(mean, int | float):
            raise InvalidRunError("has no mean", where=run.where("summary.json", pointer=f"/metrics/{name}"))
        yield name, mean


def _counts(run: Run) -> Iterator[MlflowPoint]:
    """How many records there are, in all and that are not `ok`."""
    if not run.record_count:
        return
    status = _member(run, "status")
    for name, number in ((_COUNTS, run.record_count), *((f"{_COUNTS}/{word}", status.get(word)) for word in _STATUSES)):
        if isinstance(number, int):
            yield MlflowPoint(name=name, step=0, value=float(number), final=True)


_STATUSES = ("error", "skipped")


def _member(run: Run, name: str) -> dict[str, JsonValue]:
    document = run.document("summary.json")
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise InvalidRunError("is no summary", where=run.where("summary.json", pointer=f"/{name}"))
    return found
