"""The policy: `gate.toml` (or `[tool.gate]` in pyproject.toml) in, rules out.

Unknown keys are errors with the nearest right key, and so is every table that asks for nothing. Nothing is judged here:
whether a rule selects anything, and whether a waiver has expired, is seen when there are runs and a day.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar, get_args

from runstore import paths
from runstore.errors import InvalidRunError, PolicyError
from runstore.policy.lines import known_lines, lines_of
from runstore.policy.model import (
    Claims,
    Comparability,
    Correction,
    Evidence,
    Policy,
    Quarantine,
    Quarantined,
    RecordLimits,
    Reference,
    SuiteRules,
    Trust,
    Waiver,
)
from runstore.policy.rules import metric_rules, reference_rules, slice_rules, volatile_rules
from runstore.policy.values import (
    at_least,
    day,
    dotted,
    drop,
    name,
    names,
    one_of,
    path_of,
    probability,
    tag_value,
    taken,
    text,
)
from runstore.shape import Node, ShapeError

_SUITE_TABLES = ("metrics", "records", "slices")
_TABLES = (
    *_SUITE_TABLES, "comparability", "evidence", "quarantine", "reference", "suites", "trust", "volatile", "waivers",
)  # fmt: skip
_RECORDS = ("max_added", "max_changed", "max_errors", "max_lost_scores", "max_regressed", "max_removed", "max_skipped")
_CLAIMED = ("max_claimed", "max_claimed_regressed", "max_claimed_removed")
_ANSWER_FOR = ("expires", "owner", "reason")
_CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
_CLAIMS: tuple[Claims, ...] = get_args(Claims)
_MOST_RESAMPLES = 1_000_000
_FIELD = re.compile(r"\*|(?:project|suite|name|environment|commit)\Z|(?:datasets|params|tags)\.[^.\n]")
_Asked = TypeVar("_Asked")


def from_toml(content: str, origin: str, table: tuple[str, ...] = ()) -> Policy | None:
    """The policy in a TOML text; `table` is where it stands (`("tool", "gate")` in pyproject.toml).

    Returns None if that table is not there. Raises PolicyError with `origin` and the place of what is wrong.
    """
    try:
        value: object = tomllib.loads(content, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # numbers past what int() and Decimal() take, too
        raise PolicyError(f"not TOML: {error}", where=origin) from None
    for key in table:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    lines = lines_of(content, table)
    try:
        return _policy(Node(value), origin, known_lines(value, lines))
    except ShapeError as error:
        line = lines.get(path_of(error.where))
        told = f"{error.message} (line {line})" if line else error.message
        raise PolicyError(told, where=f"{origin} {error.where}", hint=error.hint) from None


def _policy(node: Node, origin: str, places: Mapping[str, int]) -> Policy:
    parts = node.record((), _TABLES)
    if not parts:
        node.fail("the policy asks for nothing", hint="remove it to use the strict default, or add a [metrics] table")
    return Policy(
        metrics=taken(parts, "metrics", metric_rules) or (),
        slices=taken(parts, "slices", slice_rules) or (),
        volatile=taken(parts, "volatile", volatile_rules) or (),
        records=taken(parts, "records", _records) or RecordLimits(),
        comparability=taken(parts, "comparability", _comparability) or Comparability(),
        evidence=taken(parts, "evidence", _evidence) or Evidence(),
        waivers=taken(parts, "waivers", _waivers) or (),
        quarantine=taken(parts, "quarantine", _quarantine),
        reference=taken(parts, "reference", _reference),
        suites=taken(parts, "suites", _suites) or (),
        trust=taken(parts, "trust", _trust) or Trust(),
        origin=origin,
        places=places,
    )


def _records(node: Node) -> RecordLimits:
    return RecordLimits(**{key: at_least(0)(limit) for key, limit in node.record((), _RECORDS).items()})


def _comparability(node: Node) -> Comparability:
    parts = node.record((), ("may_differ", "must_differ", "must_match"))
    seen: dict[str, str] = {}
    for key, part in parts.items():
        for element in part.elements():
            other = seen.setdefault(_field(element), key)
            if other != key:
                element.fail(f"{element.value!r} stands in {other} and in {key}", hint="keep it in one of them")
    return Comparability(**{key: names(part) for key, part in parts.items()})


def _field(node: Node) -> str:
    """The dotted name of a field of the manifest, or a pattern for several."""
    if not _FIELD.match(node.string()):
        hint = "known: project, suite, name, environment, commit, datasets.NAME, params.NAME, tags.NAME"
        node.fail(f"{node.value!r} is no field of a manifest", hint=hint)
    return node.string()


def _evidence(node: Node) -> Evidence:
    parts = node.record((), ("alpha", "correction", "power", "resamples"))
    default = Evidence()
    found = Evidence(
        alpha=taken(parts, "alpha", probability) or default.alpha,
        power=taken(parts, "power", probability) or default.power,
        correction=taken(parts, "correction", one_of(_CORRECTIONS)) or default.correction,
        resamples=taken(parts, "resamples", at_least(100, _MOST_RESAMPLES)) or default.resamples,
    )
    if found.power <= found.alpha:
        hint = "a test at a level of alpha sees a drop that often where there is none"
        node.fail(f"power {found.power} is not above alpha {found.alpha}", hint=hint)
    return found


def _waivers(node: Node) -> tuple[Waiver, ...]:
    return _each_once(node, _waiver, lambda one: (one.metric, one.record, one.repeat, one.slice), "waived")


def _waiver(node: Node) -> Waiver:
    parts = node.record(("ceiling", "metric", *_ANSWER_FOR), ("issue", "record", "repeat", "slice"))
    metric = name(parts["metric"])
    if "*" in metric:
        parts["metric"].fail("over-broad: name the metric", hint="a waiver is for one metric; write one for each")
    if "record" in parts and "slice" in parts:
        node.fail("a waiver is for a record or for a slice", hint="remove one, or write two waivers")
    if "repeat" in parts and "record" not in parts:
        parts["repeat"].fail("a repeat of no record", hint="name the record too")
    return Waiver(
        metric=metric,
        ceiling=drop(parts["ceiling"]),
        owner=text(parts["owner"]),
        reason=text(parts["reason"]),
        expires=day(parts["expires"]),
        record=taken(parts, "record", name),
        repeat=taken(parts, "repeat", at_least(1)) or 1,
        slice=taken(parts, "slice", tag_value),
        issue=taken(parts, "issue", text),
        origin=dotted(node),
    )


def _quarantine(node: Node) -> Quarantine:
    parts = node.record(("max_records",), ("records",))
    limit = at_least(0)(parts["max_records"])
    records = taken(parts, "records", _all_quarantined) or ()
    if len(records) > limit:
        hint = "mend one, or have max_records raised by whoever answers for it"
        parts["records"].fail(f"{len(records)} in quarantine; max_records is {limit}", hint=hint)
    return Quarantine(max_records=limit, records=records)


def _all_quarantined(node: Node) -> tuple[Quarantined, ...]:
    return _each_once(node, _quarantined, lambda one: one.record, "quarantined")


def _quarantined(node: Node) -> Quarantined:
    parts = node.record(("record", *_ANSWER_FOR), ("issue",))
    return Quarantined(
        record=name(parts["record"]),
        owner=text(parts["owner"]),
        reason=text(parts["reason"]),
        expires=day(parts["expires"]),
        issue=taken(parts, "issue", text),
        origin=dotted(node),
    )


def _each_once(
    node: Node, read: Callable[[Node], _Asked], target: Callable[[_Asked], object], what: str
) -> tuple[_Asked, ...]:
    """The elements of an array of tables; two for one thing are refused, for which of them holds would be a guess."""
    first: dict[object, str] = {}
    found = []
    for element in node.elements():
        one = read(element)
        other = first.setdefault(target(one), dotted(element))
        if other != dotted(element):
            element.fail(f"the same is {what} twice: see {other}", hint="keep one of the two")
        found.append(one)
    return tuple(found)


def _reference(node: Node) -> Reference:
    parts = node.record(("metrics", "path"))
    metrics = reference_rules(parts["metrics"])
    if not metrics:
        parts["metrics"].fail("the reference asks for nothing", hint="add [reference.metrics.NAME] with max_drop")
    return Reference(path=_path(parts["path"]), metrics=metrics)


def _path(node: Node) -> str:
    try:
        return paths.check(node.string())
    except InvalidRunError as error:
        problem = "the path is absolute" if node.string().startswith("/") else error.message
        node.fail(problem, hint="name a folder below that of this file, with / between names")


def _trust(node: Node) -> Trust:
    parts = node.record((), ("claims", *_CLAIMED))
    limits = {name: at_least(0)(parts[name]) for name in _CLAIMED if name in parts}
    return Trust(claims=taken(parts, "claims", one_of(_CLAIMS)) or "review", **limits)


def _suites(node: Node) -> tuple[SuiteRules, ...]:
    return tuple(_suite(pattern, rules) for pattern, rules in node.members())


def _suite(pattern: str, node: Node) -> SuiteRules:
    parts = node.record((), _SUITE_TABLES)
    if not parts:
        node.fail("the suite asks for nothing", hint=f"give it one of: {', '.join(_SUITE_TABLES)}")
    return SuiteRules(
        pattern=pattern,
        metrics=taken(parts, "metrics", metric_rules),
        slices=taken(parts, "slices", slice_rules),
        records=taken(parts, "records", _records),
    )
