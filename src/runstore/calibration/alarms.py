"""Alarms: a drawn pair of runs and a policy in, the limits that would be broken out.

In such a pair nothing got worse, so every alarm is a false one. The limits are those of `runstore.judgement`, held to
exact sums; a test holds both to one answer. What is not decided by counts and means is named by `not_modelled`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase

from runstore import exact
from runstore.calibration.draws import Drawn, Sums, value
from runstore.calibration.noise import Noise
from runstore.manifest import MetricDeclaration
from runstore.paired import Group
from runstore.policy import Limits, Policy
from runstore.policy.model import SliceRule

Ruled = tuple[str, Group, Limits]
"""A metric, a group, and the limits of one rule on it."""


def ruled(policy: Policy, noise: Noise) -> list[Ruled]:
    """Every limit that a policy puts on the means of records."""
    found: list[Ruled] = []
    for metric in sorted(noise.declared, key=str.encode):
        rule = policy.rule_for(metric)
        if rule is not None and rule.limits.asks:
            found.append((metric, None, rule.limits))
        found += [
            (metric, group, one.limits)
            for one in policy.slices
            for group in noise.groups()
            if group is not None and _selects(one, metric, group)
        ]
    return found


def _selects(rule: SliceRule, metric: str, group: tuple[str, str]) -> bool:
    return group[0] == rule.tag and rule.value in (None, group[1]) and fnmatchcase(metric, rule.metric)


def excused(policy: Policy) -> frozenset[str]:
    """The ids that the limits on records do not count."""
    return frozenset(one.record for one in (policy.quarantine.records if policy.quarantine else ()))


def not_modelled(policy: Policy) -> list[str]:
    """What a policy asks for that drawn pairs cannot say: it is judged on the real pairs of runs only."""
    rules = [rule.limits for rule in policy.metrics] + [rule.limits for rule in policy.slices]
    asked = (
        (
            any(limits.significance == "required" for limits in rules),
            "significance: drops are judged by their limit alone",
        ),
        (any(rule.aggregate not in (None, "mean") for rule in policy.metrics), "aggregates other than the mean"),
        (bool(policy.waivers), "waivers"),
        (policy.records.max_changed is not None, "max_changed"),
        (bool(policy.volatile), "measures of volatile/"),
        (policy.reference is not None, "the pinned reference"),
    )
    return [what for is_asked, what in asked if is_asked]


def alarms(drawn: Drawn, policy: Policy, rules: Sequence[Ruled], noise: Noise) -> Iterator[str]:
    """The limits that are broken, each by its place in the policy."""
    limits = policy.records
    if limits.max_regressed is None:
        if drawn.strict > 0:
            yield "records.max_regressed (default)"
    elif drawn.regressed > limits.max_regressed:
        yield "records.max_regressed"
    for key, observed, most in (
        ("max_errors", drawn.errored, limits.max_errors),
        ("max_skipped", drawn.skipped, limits.max_skipped),
        ("max_lost_scores", drawn.lost_scores, limits.max_lost_scores),
    ):
        if most is not None and observed > most:
            yield f"records.{key}"
    for metric, group, asked in rules:
        yield from _broken(drawn.sums[metric, group], group, asked, noise.declared[metric])


def _broken(sums: Sums, group: Group, asked: Limits, declared: MetricDeclaration) -> Iterator[str]:
    if asked.level == "warn":
        return
    least = asked.min_records
    if least is not None and sums.count < least:
        if group is not None and sums.count + sums.lost < least:
            return  # the baseline's slice is too small: advisory
        yield f"{asked.origin}.min_records"
    if sums.count == 0 or (sums.lost and declared.worst is None):
        yield f"{asked.origin} (could not be checked)"
    if sums.count:
        yield from _exceeded(sums, asked, declared)


def _exceeded(sums: Sums, asked: Limits, declared: MetricDeclaration) -> Iterator[str]:
    count = Decimal(sums.count)
    baseline, current = value(sums.baseline, sums.decimals), value(sums.current, sums.decimals)
    drop = drop_of(sums, declared)
    if asked.max_drop is not None and drop > exact.multiply(asked.max_drop, count):
        yield f"{asked.origin}.max_drop"
    share = asked.max_relative_drop
    if share is not None and drop > max(exact.multiply(share, baseline.copy_abs()), Decimal(0)):
        yield f"{asked.origin}.max_relative_drop"
    if asked.min is not None and current < exact.multiply(asked.min, count):
        yield f"{asked.origin}.min"
    if asked.max is not None and current > exact.multiply(asked.max, count):
        yield f"{asked.origin}.max"


def drop_of(sums: Sums, declared: MetricDeclaration) -> Decimal:
    """By how much the sum got worse; negative when it got better."""
    worse = sums.baseline - sums.current
    return value(worse if declared.direction == "higher" else -worse, sums.decimals)
