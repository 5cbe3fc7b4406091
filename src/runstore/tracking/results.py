"""The result of an experiment, an object or a mapping, in; metrics, measures and params out, by the names people know.

A name is looked for on the result itself, then on its parts: scores on `score` or `scores`, the model on `model_info`
or `model`, the probe on `probe`. What is not there, or is None, is not logged. `mean_latency_ms` and `duration_seconds`
are told by the clock, so they are measures of `volatile/`; all others are final figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runstore.manifest import MetricDeclaration

METRICS = {
    "success_rate": MetricDeclaration(direction="higher"),
    "total_count": MetricDeclaration(direction="higher"),
    "success_count": MetricDeclaration(direction="higher"),
    "error_count": MetricDeclaration(direction="lower"),
    "accuracy": MetricDeclaration(direction="higher"),
    "precision": MetricDeclaration(direction="higher"),
    "recall": MetricDeclaration(direction="higher"),
    "f1_score": MetricDeclaration(direction="higher"),
    "total_tokens": MetricDeclaration(direction="lower"),
    "error_rate": MetricDeclaration(direction="lower"),
}
MEASURES = ("mean_latency_ms", "duration_seconds")
PARAMS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "experiment_id": (),
    "model_name": (("model_info", "name"), ("model", "name")),
    "model_provider": (("model_info", "provider"), ("model", "provider")),
    "probe_name": (("probe", "name"),),
    "probe_category": (("probe", "category"),),
}
"""Param → where it stands if the result itself has none of its name: part and name there."""
_SCORES = ("score", "scores")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFacts:
    """What a result says, each under the name it is logged by."""

    metrics: Mapping[str, object]
    measures: Mapping[str, object]
    params: Mapping[str, object]


def is_result(value: object) -> bool:
    """Whether something looks like the result of an experiment."""
    return _member(value, "success_rate") is not None and _member(value, "total_count") is not None


def facts(result: object, prefix: str = "") -> ResultFacts:
    """What a result says; `prefix` is put before each name as it is."""
    metrics = {name: _score(result, name) for name in METRICS}
    measures = {name: _score(result, name) for name in MEASURES}
    params = {name: _param(result, name, others) for name, others in PARAMS.items()}
    return ResultFacts(
        metrics=_named(metrics, prefix), measures=_named(measures, prefix), params=_named(params, prefix)
    )


def _named(values: Mapping[str, object], prefix: str) -> dict[str, object]:
    return {prefix + name: value for name, value in values.items() if value is not None}


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _score(result: object, name: str) -> object:
    places = (result, *(_member(result, part) for part in _SCORES))
    return next((found for place in places if (found := _member(place, name)) is not None), None)


def _param(result: object, name: str, others: tuple[tuple[str, str], ...]) -> object:
    if (found := _member(result, name)) is not None:
        return found
    parts = (_member(_member(result, part), member) for part, member in others)
    return next((found for found in parts if found is not None), None)
