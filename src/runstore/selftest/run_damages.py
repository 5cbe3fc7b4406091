"""Damages to what a run says of itself: its declarations, its status, what it was asked, its metrics as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from runstore.canonical import JsonValue
from runstore.findings import Rule
from runstore.manifest import Identity, Manifest, MetricDeclaration
from runstore.record import JsonObject
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped


def damages(lab: Lab) -> Found:
    """Every damage to the run as a whole."""
    yield Case(
        name="identical",
        what="an equal copy",
        expected=Expectation.GREEN,
        files=lab.specimen.copy(),
    )
    yield _red(lab, "failed", "the run's status is `failed`", Rule.RUN_STATUS, status="failed")
    yield from _declarations(lab)
    yield from _other_questions(lab)
    yield from _metrics_gone(lab)


def _red(lab: Lab, name: str, what: str, rule: Rule, *, metric: str | None = None, **manifest: object) -> Case:
    described: Manifest = replace(lab.specimen.manifest, **manifest)  # type: ignore[arg-type]  # its own fields
    files = lab.specimen.copy(described=described)
    return Case(name=name, what=what, expected=Expectation.RED, files=files, rule=rule, metric=metric)


def _declarations(lab: Lab) -> Found:
    edits: Sequence[tuple[str, str, Callable[[MetricDeclaration], MetricDeclaration]]] = (
        ("direction", "the other direction is better", _turned),
        ("range", "another range is declared", _widened),
        ("unit", "the unit is another", lambda declared: replace(declared, unit=f"other {declared.unit or 'unit'}")),
    )
    metrics = lab.specimen.manifest.metrics
    for key, what, edit in edits:
        if not metrics:
            yield Skipped(name=f"{key}-changed", why="the baseline declares no metric")
        for metric, declared in metrics.items():
            changed = {**metrics, metric: edit(declared)}
            yield _red(lab, f"{key}-changed", what, Rule.METRIC_DECLARATION, metric=metric, metrics=changed)


def _turned(declared: MetricDeclaration) -> MetricDeclaration:
    return replace(declared, direction="lower" if declared.direction == "higher" else "higher")


def _widened(declared: MetricDeclaration) -> MetricDeclaration:
    if declared.range is None:
        return replace(declared, range=(-1e300, 1e300))
    low, high = declared.range
    return replace(declared, range=(low - abs(low) - 1, high + abs(high) + 1))


def _other_questions(lab: Lab) -> Found:
    """The same scores, said to be of another data set, suite, project or parameter."""
    identity = lab.specimen.manifest.identity
    if not identity.datasets:
        yield Skipped(name="datasets-changed", why="the baseline names no data set: nothing shows what it was asked")
    for name, changed in _identities(identity):
        what = f"the run says another {name}"
        files = lab.specimen.copy(described=replace(lab.specimen.manifest, identity=changed))
        must = _must_match(lab, name)
        yield Case(
            name=f"{name.partition('.')[0]}-changed",
            what=what,
            expected=Expectation.RED if must else Expectation.OPEN,
            files=files,
            rule=Rule.COMPARABILITY if must else None,
        )


def _identities(identity: Identity) -> Iterator[tuple[str, Identity]]:
    yield "project", replace(identity, project=f"other {identity.project}")
    yield "suite", replace(identity, suite=f"other {identity.suite}")
    for place, dataset in enumerate(identity.datasets):
        changed = [*identity.datasets]
        changed[place] = replace(dataset, digest=f"other {dataset.digest}")
        yield f"datasets.{dataset.name}", replace(identity, datasets=changed)
    for name in identity.params:
        params: dict[str, JsonValue] = {**identity.params, name: f"other {identity.params[name]}"}
        yield f"params.{name}", replace(identity, params=params)


def _must_match(lab: Lab, name: str) -> bool:
    asked = lab.policy.comparability

    def listed(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return listed(asked.must_match) and not listed(asked.may_differ)


def _metrics_gone(lab: Lab) -> Found:
    """A metric has another name, in every record and in the manifest."""
    if not lab.metrics:
        yield Skipped(name="metric-renamed", why="records carry no metric")
    for metric in lab.metrics:
        new = _free_name(lab, metric)
        edits: dict[int, JsonObject | None] = {}
        for index in range(len(lab.specimen.rows)):
            fields = lab.specimen.record(index)
            scores = fields.get("scores")
            if isinstance(scores, dict) and metric in scores:
                edits[index] = {**fields, "scores": {new if name == metric else name: scores[name] for name in scores}}
        metrics = {new if name == metric else name: one for name, one in lab.specimen.manifest.metrics.items()}
        points = [replace(one, name=new) if one.name == metric else one for one in lab.specimen.points]
        yield Case(
            name="metric-renamed",
            what=f"the metric is called {new}, everywhere",
            expected=Expectation.RED,
            files=lab.specimen.copy(edits, points=points, described=replace(lab.specimen.manifest, metrics=metrics)),
            rule=Rule.METRIC_MISSING,
            metric=metric,
        )


def _free_name(lab: Lab, metric: str) -> str:
    name = f"{metric}-renamed"
    while name in lab.specimen.manifest.metrics:
        name += "-again"
    return name
