"""The numbers of a W&B run: points and means of a run in, history and summary out.

A point with a step goes to the history. The summary has one figure for each name: the final figure of a series, else
its last point; and the mean over the records, which is called `NAME/mean_of_records` where a series has the name too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runstore.canonical import JsonValue
from runstore.exporters.contract import Change, PlannedPoint
from runstore.exporters.names import Rule, rename_all
from runstore.exporters.redaction import Globs, is_redacted, redactions
from runstore.store.reader import Run

OWN = "runstore"
"""What stands under this name in the config is ours."""
RECORDS = "records"
"""The table of records, in the summary."""
NAME = re.compile(r"[A-Za-z0-9_/]")
"""What W&B can sort and filter by, and `/`, which groups its charts; a `.` would nest."""
LONGEST_NAME = 250
METRICS = Rule(
    allowed=NAME,
    longest=LONGEST_NAME,
    reserved=re.compile(rf"\A(?:[_0-9/]|r(?=(?:{OWN[1:]}|{RECORDS[1:]})\Z))"),
)
_MEAN = "/mean_of_records"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """History (points by name and step) and summary (name → number), by the names at W&B, and what is told of them."""

    points: Sequence[PlannedPoint]
    summary: Mapping[str, JsonValue]
    changes: Sequence[Change]


def figures_of(run: Run, globs: Globs) -> Figures:
    """The numbers of a run, without what a glob names. Raises InvalidDataError for a damaged run."""
    points, means = list(run.points()), _means(run)
    names = dict.fromkeys([*(point.name for point in points), *means])
    hidden = {name for name in names if is_redacted(name, globs)}
    points = [point for point in points if point.name not in hidden]
    means = {name: mean for name, mean in means.items() if name not in hidden}
    renamed, changes = rename_all("metric", [name for name in names if name not in hidden], METRICS)
    summary: dict[str, JsonValue] = {renamed[point.name]: point.value for point in points}  # a final figure comes last
    told = _add_means(summary, means, renamed, {point.name for point in points})
    sent = [
        PlannedPoint(name=renamed[point.name], step=point.step, value=float(point.value))
        for point in points
        if point.step is not None
    ]
    return Figures(points=sent, summary=summary, changes=[*redactions("metric", hidden), *changes, *told])


def _add_means(
    summary: dict[str, JsonValue], means: Mapping[str, JsonValue], renamed: Mapping[str, str], measured: set[str]
) -> list[Change]:
    """Put the means of the records into the summary, each under a name of its own; what is told of that."""
    changes = []
    for name, mean in means.items():
        sent = renamed[name]
        if name in measured:
            sent = METRICS.name(f"{name}{_MEAN}")
            deed, reason = "converted", "a series has this name too: the mean of the records goes by another"
            if f"{name}{_MEAN}" in renamed:
                deed, reason = "conflict", "a series has this name, and another metric the one that the mean would get"
            changes.append(Change(kind="metric", name=name, deed=deed, sent=sent, reason=reason))  # type: ignore[arg-type]
        summary[sent] = mean
    return changes


def _means(run: Run) -> dict[str, JsonValue]:
    """Metric → mean over the records, as the summary of the run has it."""
    document = run.document("summary.json")
    metrics = document["metrics"] if isinstance(document, dict) else None
    if not isinstance(metrics, dict):
        return {}
    return {name: totals["mean"] for name, totals in metrics.items() if isinstance(totals, dict)}
