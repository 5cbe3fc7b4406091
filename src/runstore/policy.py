"""The policy: `gate.toml` (or `[tool.gate]` in pyproject.toml) in, rules out.

Unknown keys are errors with the nearest right key.

Limits are decimals, read from the text of the file: 0.05 is five hundredths, not the double next to it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from runstore.errors import PolicyError
from runstore.manifest import DIRECTIONS, Direction
from runstore.shape import Node, ShapeError

Level = Literal["error", "warn"]
_METRIC_KEYS = ("direction", "level", "max", "max_drop", "max_relative_drop", "min")
_RECORD_KEYS = ("max_added", "max_errors", "max_lost_scores", "max_regressed", "max_removed", "max_skipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricRule:
    """Limits for the metrics whose names match `pattern`; None asks for nothing.

    `max_drop` is in the metric's unit and `max_relative_drop` a share of the baseline's absolute mean, both in the bad
    direction: for a metric where lower is better they limit a rise.
    """

    pattern: str
    direction: Direction | None = None
    max_drop: Decimal | None = None
    max_relative_drop: Decimal | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    level: Level = "error"

    @property
    def limits_drop(self) -> bool:
        """Whether the rule says how much worse the metric may get."""
        return self.max_drop is not None or self.max_relative_drop is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordLimits:
    """How many records may have regressed, gone missing, been added, newly errored, been newly skipped,
    and how many scores may be gone from records that are `ok`.

    None asks for nothing. `max_regressed` is None when the policy does not name it: then no record may get worse in a
    metric that has no drop limit of its own.
    """

    max_regressed: int | None = None
    max_removed: int | None = 0
    max_added: int | None = None
    max_errors: int | None = 0
    max_skipped: int | None = 0
    max_lost_scores: int | None = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a gate asks for. Without a policy file: the strict default, under which nothing may get worse."""

    metrics: tuple[MetricRule, ...] = ()
    records: RecordLimits = RecordLimits()
    origin: str = "the strict default"

    def rule_for(self, metric: str) -> MetricRule | None:
        """The rule of a metric: the one with its exact name, else the first whose pattern matches."""
        matching = [rule for rule in self.metrics if rule.pattern == metric]
        matching += [rule for rule in self.metrics if fnmatchcase(metric, rule.pattern)]
        return matching[0] if matching else None

    def without_drop_limit(self, metrics: Iterable[str]) -> frozenset[str]:
        """The metrics in which, as long as `max_regressed` is not set, no record may get worse."""
        return frozenset(name for name in metrics if not ((rule := self.rule_for(name)) and rule.limits_drop))

    def unmatched(self, metrics: Iterable[str]) -> list[MetricRule]:
        """The rules by which none of the metrics is judged, be it that they match none or that others come first."""
        used = [self.rule_for(name) for name in metrics]
        return [rule for rule in self.metrics if not any(rule is one for one in used)]


def from_toml(text: str, origin: str, table: tuple[str, ...] = ()) -> Policy | None:
    """The policy in a TOML text; `table` is where it stands (`("tool", "gate")` in pyproject.toml).

    Returns None if that table is not there. Raises PolicyError with `origin` and the place of what is wrong.
    """
    try:
        value: object = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # numbers past what int() and Decimal() take, too
        raise PolicyError(f"not TOML: {error}", where=origin) from None
    for name in table:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    try:
        return _policy(Node(value), origin)
    except ShapeError as error:
        raise PolicyError(error.message, where=f"{origin} {error.where}", hint=error.hint) from None


def _policy(node: Node, origin: str) -> Policy:
    parts = node.record((), ("metrics", "records"))
    metrics = tuple(_metric(name, rule) for name, rule in parts["metrics"].members()) if "metrics" in parts else ()
    records = _records(parts["records"]) if "records" in parts else RecordLimits()
    if not parts:
        node.fail("the policy asks for nothing", hint="remove it to use the strict default, or add a [metrics] table")
    return Policy(metrics=metrics, records=records, origin=origin)


def _metric(pattern: str, node: Node) -> MetricRule:
    parts = node.record((), _METRIC_KEYS)
    rule = MetricRule(
        pattern=pattern,
        direction=parts["direction"].string(DIRECTIONS) if "direction" in parts else None,  # type: ignore[arg-type]
        max_drop=_decimal(parts, "max_drop", least=0),
        max_relative_drop=_decimal(parts, "max_relative_drop", least=0),
        min=_decimal(parts, "min"),
        max=_decimal(parts, "max"),
        level=parts["level"].string(("error", "warn")) if "level" in parts else "error",  # type: ignore[arg-type]
    )
    if not rule.limits_drop and rule.min is None and rule.max is None and rule.direction is None:
        node.fail("the rule asks for nothing", hint="give it max_drop, max_relative_drop, min or max")
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        node.fail(f"min {rule.min} is above max {rule.max}")
    return rule


def _decimal(parts: Mapping[str, Node], key: str, least: int | None = None) -> Decimal | None:
    if key not in parts:
        return None
    node = parts[key]
    value = Decimal(node.value) if type(node.value) is int else node.value
    if not isinstance(value, Decimal):
        node.fail("expected a number")
    if not value.is_finite():
        node.fail(f"{value} is not a finite number")
    if least is not None and value < least:
        node.fail(f"{value} is negative", hint="a drop is a positive number, in the direction that is worse")
    if not -400 <= value.adjusted() <= 400 or len(value.as_tuple().digits) > 400:
        node.fail("the number is beyond what any score can reach")
    return value


def _records(node: Node) -> RecordLimits:
    parts = node.record((), _RECORD_KEYS)
    return RecordLimits(**{name: limit.integer() for name, limit in parts.items()})
