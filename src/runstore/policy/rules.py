"""Rules of a policy: a table of TOML in, what it asks of a metric, a slice or a measure out.

The keys of a rule are in the tables of names below; `_LIMITS` are those that every rule on records may have. A rule
that asks for nothing, or for what can never be shown, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from runstore.manifest import Direction
from runstore.policy.model import Level, Limits, MetricRule, Significance, SliceRule, TestName
from runstore.policy.values import (
    at_least,
    bounds,
    decimal,
    dotted,
    drop,
    name,
    one_of,
    tag_value,
    taken,
)
from runstore.shape import Node

_DROPS = ("max_drop", "max_relative_drop")
_BOUNDS = (*_DROPS, "max", "min", "level")
_LIMITS = (*_BOUNDS, "cluster", "min_records", "significance", "test")
_METRIC = (*_LIMITS, "aggregate", "at", "direction", "range", "unit")
_SLICE = (*_LIMITS, "metric", "tag", "where")
_VOLATILE = (*_BOUNDS, "direction")
_REFERENCE = (*_DROPS, "level")

_LEVELS: tuple[Level, ...] = get_args(Level)
_SIGNIFICANCES: tuple[Significance, ...] = get_args(Significance)
_TESTS: tuple[TestName, ...] = get_args(TestName)
_DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
_FIGURES = ("last", "best", "min", "max")
_QUANTILE = re.compile(r"p[1-9]")
_AGGREGATE = re.compile(r"(?:mean|p[1-9][0-9]?|pass[@^][1-9][0-9]{0,3}|([1-9][0-9]{0,3})-of-([1-9][0-9]{0,3}))\Z")


def metric_rules(node: Node) -> tuple[MetricRule, ...]:
    """The table `[metrics]`: a rule for each name or pattern, in the order of the file."""
    return tuple(_metric_rule(pattern, rule) for pattern, rule in node.members())


def slice_rules(node: Node) -> tuple[SliceRule, ...]:
    """The tables `[[slices]]`; two that ask the same are refused."""
    found: list[SliceRule] = []
    asked: set[SliceRule] = set()
    for element in node.elements():
        rule = _slice_rule(element)
        nowhere = replace(rule, limits=replace(rule.limits, origin=""))  # what it asks, wherever it stands
        if nowhere in asked:
            element.fail("the same rule stands twice", hint="remove one of the two")
        asked.add(nowhere)
        found.append(rule)
    return tuple(found)


def volatile_rules(node: Node) -> tuple[MetricRule, ...]:
    """The table `[volatile]`: a rule for each measure, lower being better unless it says otherwise."""
    return tuple(_volatile_rule(measure, rule) for measure, rule in node.members())


def reference_rules(node: Node) -> tuple[MetricRule, ...]:
    """The table `[reference.metrics]`: how far a metric may be below the pinned run."""
    return tuple(_reference_rule(pattern, rule) for pattern, rule in node.members())


def _metric_rule(pattern: str, node: Node) -> MetricRule:
    parts = node.record((), _METRIC)
    rule = MetricRule(
        pattern=pattern,
        limits=_limits(node, parts),
        direction=taken(parts, "direction", one_of(_DIRECTIONS)),
        aggregate=taken(parts, "aggregate", _aggregate),
        at=taken(parts, "at", _at),
        unit=taken(parts, "unit", name),
        range=taken(parts, "range", bounds),
    )
    if not rule.limits.asks and not parts.keys() & {"aggregate", "at", "direction", "range", "unit"}:
        node.fail("the rule asks for nothing", hint="give it max_drop, max_relative_drop, min or max")
    if rule.limits.significance == "required" and _QUANTILE.match(rule.aggregate or ""):
        hint = "leave out `significance`, or the aggregate"
        node.fail("the drop of a quantile cannot be tested: it is one figure, not a mean of pairs", hint=hint)
    return rule


def _slice_rule(node: Node) -> SliceRule:
    parts = node.record((), _SLICE)
    if ("tag" in parts) == ("where" in parts):
        both = "the rule has `where` and `tag`" if "tag" in parts else "the rule names no slice"
        node.fail(both, hint='write where = {lang = "de"} for one value, or tag = "lang" for every value')
    tag, value = tag_value(parts["where"]) if "where" in parts else (name(parts["tag"]), None)
    limits = _limits(node, parts)
    if not limits.asks:
        node.fail("the rule asks for nothing", hint="give it max_drop, max_relative_drop, min or max")
    return SliceRule(tag=tag, value=value, metric=taken(parts, "metric", name) or "*", limits=limits)


def _volatile_rule(measure: str, node: Node) -> MetricRule:
    parts = node.record((), _VOLATILE)
    limits = _limits(node, parts)
    if not limits.asks:
        node.fail("the rule asks for nothing", hint="give it max_drop, max_relative_drop, min or max")
    direction = taken(parts, "direction", one_of(_DIRECTIONS)) or "lower"
    return MetricRule(pattern=measure, limits=limits, direction=direction)


def _reference_rule(pattern: str, node: Node) -> MetricRule:
    limits = _limits(node, node.record((), _REFERENCE))
    if not limits.asks:
        node.fail("the rule asks for nothing", hint="give it max_drop or max_relative_drop")
    return MetricRule(pattern=pattern, limits=limits)


def _limits(node: Node, parts: Mapping[str, Node]) -> Limits:
    limits = Limits(
        max_drop=taken(parts, "max_drop", drop),
        max_relative_drop=taken(parts, "max_relative_drop", drop),
        min=taken(parts, "min", decimal),
        max=taken(parts, "max", decimal),
        level=taken(parts, "level", one_of(_LEVELS)) or "error",
        min_records=taken(parts, "min_records", at_least(1)),
        significance=taken(parts, "significance", one_of(_SIGNIFICANCES)) or "ignored",
        test=taken(parts, "test", one_of(_TESTS)) or "auto",
        cluster=taken(parts, "cluster", name),
        origin=dotted(node),
    )
    _check(node, limits)
    return limits


def _check(node: Node, limits: Limits) -> None:
    """What the keys of a rule must be together."""
    if limits.min is not None and limits.max is not None and limits.min > limits.max:
        node.fail(f"min {limits.min} is above max {limits.max}")
    if limits.test == "mcnemar" and limits.cluster is not None:
        hint = 'remove one of them; test = "auto" takes the clusters into account'
        node.fail("the test mcnemar knows no clusters", hint=hint)
    if limits.significance != "required":
        return
    if not limits.limits_drop:
        hint = "give the rule a max_drop or max_relative_drop above 0"
        node.fail('significance = "required" needs a limit on the drop', hint=hint)
    if 0 in (limits.max_drop, limits.max_relative_drop):
        hint = "give the smallest drop that matters to you as max_drop or max_relative_drop"
        node.fail("a limit of 0 can never be shown: no number of records makes a drop of 0 significant", hint=hint)


def _aggregate(node: Node) -> str:
    found = _AGGREGATE.match(node.string())
    if found is None:
        hint = "known: mean, p1 to p99, pass@K, pass^K, K-of-N, with whole numbers in place of K and N"
        node.fail(f"{node.value!r} is no aggregate", hint=hint)
    if found[1] and int(found[1]) > int(found[2]):
        node.fail(f"{found[1]} of {found[2]} repeats can never be reached")
    return found[0]


def _at(node: Node) -> str | int:
    if isinstance(node.value, str):
        return node.string(_FIGURES)
    if type(node.value) is not int:
        node.fail("expected a step or one of last, best, min, max")
    return at_least(0)(node)
