"""Proposals: the smallest limits under which drawn pairs, between which nothing changed, are hardly ever refused.

Each limit may be broken by a share alpha / (number of limits) of the drawn pairs, so that all of them together are
broken by no more than alpha of them. A proposal is not a judgement of what matters: a limit that fits the noise may be
far too wide for the use, and then the answer is more records, not a wider limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal

from runstore.calibration.alarms import drop_of
from runstore.calibration.draws import Drawn, value
from runstore.calibration.noise import Noise
from runstore.policy import Limits, MetricRule, Policy

RECORDS = ("records",)
_DIGITS = 2
_ROUNDED_UP = Context(prec=_DIGITS, rounding=ROUND_CEILING, Emax=999_999, Emin=-999_999)
_DIVIDED_UP = Context(prec=40, rounding=ROUND_CEILING, Emax=999_999, Emin=-999_999)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A limit, by its place: `table` (`metrics.NAME` as a path, or `records`) and key. `present`: None if none is.

    `broken`: by how many of the drawn pairs it would be broken.
    """

    table: tuple[str, ...]
    key: str
    limit: Decimal
    present: Decimal | None
    broken: int


def proposals(noise: Noise, drawn: Sequence[Drawn], policy: Policy, alpha: Decimal) -> list[Proposal]:
    """What to allow. Nothing is proposed for what does not vary: there the strict default never cries wolf."""
    wanted = list(_candidates(noise, drawn, policy))
    allowed = int(alpha * len(drawn) / max(1, len(wanted)))
    return [_proposal(table, key, seen, present, allowed) for table, key, seen, present in wanted]


Candidate = tuple[tuple[str, ...], str, list[Decimal], Decimal | None]


def _candidates(noise: Noise, drawn: Sequence[Drawn], policy: Policy) -> Iterator[Candidate]:
    """Each limit to propose, with what it would be held against in each drawn pair."""
    for pattern, key, metrics in _rules(noise, policy):
        seen = [max(_drops(noise, one, key, metrics)) for one in drawn]
        rule = next((rule for rule in policy.metrics if rule.pattern == pattern), None)
        present = getattr(rule.limits, key) if rule else None
        yield ("metrics", pattern), key, seen, present
    limits = policy.records
    for key, counts, most in (
        ("max_regressed", [one.regressed for one in drawn], limits.max_regressed),
        ("max_errors", [one.errored for one in drawn], limits.max_errors),
        ("max_skipped", [one.skipped for one in drawn], limits.max_skipped),
        ("max_lost_scores", [one.lost_scores for one in drawn], limits.max_lost_scores),
    ):
        if any(counts):
            yield RECORDS, key, [Decimal(count) for count in counts], None if most is None else Decimal(most)


def _rules(noise: Noise, policy: Policy) -> list[tuple[str, str, list[str]]]:
    """(Pattern of a rule, or name of a metric that has none; key; the metrics that vary and are judged by it)."""
    found: dict[str, tuple[str, list[str]]] = {}
    for metric in sorted(noise.declared, key=str.encode):
        if not any(one.varies(metric) for one in noise.noisy):
            continue
        rule = policy.rule_for(metric)
        relative = rule is not None and rule.limits.max_relative_drop is not None and rule.limits.max_drop is None
        key = "max_relative_drop" if relative else "max_drop"
        found.setdefault(rule.pattern if rule else metric, (key, []))[1].append(metric)
    return [(pattern, key, metrics) for pattern, (key, metrics) in found.items()]


def _drops(noise: Noise, drawn: Drawn, key: str, metrics: Sequence[str]) -> Iterator[Decimal]:
    for metric in metrics:
        sums = drawn.sums[metric, None]
        drop = drop_of(sums, noise.declared[metric])
        if key == "max_drop":
            yield _DIVIDED_UP.divide(drop, Decimal(sums.count)) if sums.count else Decimal(0)
        else:
            baseline = value(sums.baseline, sums.decimals).copy_abs()
            yield _DIVIDED_UP.divide(drop, baseline) if baseline else Decimal(0)


def _proposal(
    table: tuple[str, ...], key: str, seen: Sequence[Decimal], present: Decimal | None, allowed: int
) -> Proposal:
    """The smallest limit that at most `allowed` of what was seen goes beyond; a drop rounded up to two digits."""
    ordered = sorted(seen, reverse=True)
    limit = max(Decimal(0), ordered[min(allowed, len(ordered) - 1)])
    if table[0] == "metrics":
        limit = _ROUNDED_UP.plus(limit)
    return Proposal(table=table, key=key, limit=limit, present=present, broken=sum(one > limit for one in seen))


def applied(policy: Policy, proposed: Sequence[Proposal]) -> Policy:
    """The policy with the proposed limits in place of what it has."""
    metrics = {rule.pattern: rule for rule in policy.metrics}
    counts = {one.key: int(one.limit) for one in proposed if one.table == RECORDS}
    for one in proposed:
        if one.table != RECORDS:
            pattern = one.table[1]
            rule = metrics.get(pattern, MetricRule(pattern=pattern, limits=Limits(origin=f"metrics.{pattern}")))
            metrics[pattern] = replace(rule, limits=_with_limit(rule.limits, one))
    return replace(policy, metrics=tuple(metrics.values()), records=replace(policy.records, **counts))


def _with_limit(limits: Limits, one: Proposal) -> Limits:
    if one.key == "max_drop":
        return replace(limits, max_drop=one.limit)
    return replace(limits, max_relative_drop=one.limit)
