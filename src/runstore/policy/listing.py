"""Every key of a policy that is in force: a policy in, its settings out, each with where it comes from.

A key is written as in the file, with dots: `metrics.accuracy.max_drop`, `slices.0.where`. Keys that ask for nothing
are left out, but for the limits on records: there, that nothing is asked is worth knowing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from runstore.policy.model import Limits, MetricRule, Policy, Quarantined, RecordLimits, SliceRule, Waiver

Scalar = str | int | Decimal | date | None
Value = Scalar | tuple[Scalar, ...] | Mapping[str, str]
_Pair = tuple[str, Value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One key and its value; `line` is None for a default, and 0 for a key of the file whose line is not sure."""

    key: str
    value: Value
    line: int | None


def settings(policy: Policy) -> Iterator[Setting]:
    """Every setting, table by table in the order of docs/policy.md."""
    for key, value in _pairs(policy):
        yield Setting(key=key, value=value, line=policy.places.get(key))


def _pairs(policy: Policy) -> Iterator[_Pair]:
    yield from _rules("metrics", policy.metrics)
    yield from _slices("slices", policy.slices)
    yield from _below("records", _records(policy.records))
    asked = policy.comparability
    lists = {"must_match": asked.must_match, "may_differ": asked.may_differ, "must_differ": asked.must_differ}
    yield from _below("comparability", ((key, tuple(names)) for key, names in lists.items()))
    evidence = policy.evidence
    yield "evidence.alpha", evidence.alpha
    yield "evidence.power", evidence.power
    yield "evidence.correction", evidence.correction
    yield "evidence.resamples", evidence.resamples
    for index, waiver in enumerate(policy.waivers):
        yield from _below(f"waivers.{index}", _present(_waiver(waiver)))
    if policy.quarantine:
        yield "quarantine.max_records", policy.quarantine.max_records
        for index, record in enumerate(policy.quarantine.records):
            yield from _below(f"quarantine.records.{index}", _present(_quarantined(record)))
    if policy.reference:
        yield "reference.path", policy.reference.path
        yield from _rules(
            "reference.metrics", policy.reference.metrics, only=("max_drop", "max_relative_drop", "level")
        )
    trust = policy.trust
    yield from _below("trust", _present((one.name, getattr(trust, one.name)) for one in fields(trust)))
    bounds = ("max_drop", "max_relative_drop", "min", "max", "level", "direction")
    yield from _rules("volatile", policy.volatile, only=bounds)
    for rules in policy.suites:
        place = f"suites.{rules.pattern}"
        yield from _rules(f"{place}.metrics", rules.metrics or ())
        yield from _slices(f"{place}.slices", rules.slices or ())
        yield from _below(f"{place}.records", _records(rules.records) if rules.records else iter(()))


def _below(table: str, pairs: Iterator[_Pair]) -> Iterator[_Pair]:
    return ((f"{table}.{key}", value) for key, value in pairs)


def _present(pairs: Iterator[_Pair]) -> Iterator[_Pair]:
    return ((key, value) for key, value in pairs if value is not None)


def _rules(table: str, rules: tuple[MetricRule, ...], only: tuple[str, ...] = ()) -> Iterator[_Pair]:
    for rule in rules:
        found = (pair for pair in _metric_rule(rule) if not only or pair[0] in only)
        yield from _below(f"{table}.{rule.pattern}", _present(found))


def _metric_rule(rule: MetricRule) -> Iterator[_Pair]:
    yield from _limits(rule.limits)
    yield "direction", rule.direction
    yield "aggregate", rule.aggregate
    yield "at", rule.at
    yield "unit", rule.unit
    yield "range", rule.range


def _slices(table: str, rules: tuple[SliceRule, ...]) -> Iterator[_Pair]:
    for index, rule in enumerate(rules):
        place = f"{table}.{index}"
        yield (f"{place}.tag", rule.tag) if rule.value is None else (f"{place}.where", {rule.tag: rule.value})
        yield f"{place}.metric", rule.metric
        yield from _below(place, _present(_limits(rule.limits)))


def _limits(limits: Limits) -> Iterator[_Pair]:
    return ((one.name, getattr(limits, one.name)) for one in fields(limits) if one.name != "origin")


def _records(limits: RecordLimits) -> Iterator[_Pair]:
    return ((one.name, getattr(limits, one.name)) for one in fields(limits))


def _waiver(waiver: Waiver) -> Iterator[_Pair]:
    yield "metric", waiver.metric
    yield "record", waiver.record
    yield "repeat", waiver.repeat if waiver.record is not None else None
    yield "slice", None if waiver.slice is None else dict([waiver.slice])
    yield "ceiling", waiver.ceiling
    yield from _answer_for(waiver)


def _quarantined(record: Quarantined) -> Iterator[_Pair]:
    yield "record", record.record
    yield from _answer_for(record)


def _answer_for(one: Waiver | Quarantined) -> Iterator[_Pair]:
    yield "owner", one.owner
    yield "reason", one.reason
    yield "expires", one.expires
    yield "issue", one.issue
