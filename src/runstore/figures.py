"""Figures: the one number that stands for each series of a run, by the manifest's declaration or by the policy's `at`.

A rule may ask for the `last` point, the `best` by the metric's direction, the `min`, the `max`, or the point at a step.
A series that has points and none at that step has no figure, and is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from runstore import measures
from runstore.manifest import MetricDeclaration
from runstore.policy.model import Policy
from runstore.series import Point
from runstore.store.reader import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Series → figure, and series → the step at which a rule asks for a point that it has not."""

    values: Mapping[str, int | float]
    missing: Mapping[str, int]


def of_run(run: Run, declared: Mapping[str, MetricDeclaration], policy: Policy) -> Figures:
    """The figures of a run's series. Raises InvalidDataError if a point is not what it should be."""
    steps: dict[str, int] = {}
    chosen = dict(declared)
    for name, metric in declared.items():
        rule = policy.rule_for(name)
        at = rule.at if rule else None
        if isinstance(at, str):
            best = "max" if metric.direction == "higher" else "min"
            chosen[name] = replace(metric, aggregate=best if at == "best" else at)
        elif at is not None:
            steps[name] = at
    seen: set[str] = set()

    def asked() -> Iterator[Point]:
        for point in run.points():
            seen.add(point.name)
            if point.name not in steps or steps[point.name] == point.step:
                yield point

    values = measures.figures(asked(), chosen)
    return Figures(values=values, missing={name: step for name, step in steps.items() if name in seen - values.keys()})
