"""Judging: facts and a policy in, findings out. Pure: no rule opens a file, and none knows how it will be printed.

Every rule is a generator below, and `_RULES` is the table of them. Doubt is a finding: a rule that cannot be checked
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from decimal import Decimal

from runstore import exact
from runstore.change import ChangeClass
from runstore.errors import PolicyError
from runstore.facts import Facts
from runstore.findings import Finding, Level, Rule
from runstore.measures import Measure
from runstore.policy import MetricRule, Policy
from runstore.record import key_text


def check_selections(policy: Policy, metrics: Collection[str]) -> None:
    """Refuse a policy of which a rule selects none of the metrics that the runs declare. Raises PolicyError."""
    for rule in policy.unmatched(metrics):
        raise PolicyError(
            f"the rule [metrics.{rule.pattern!r}] selects no metric",
            where=policy.origin,
            hint=f"the runs have: {', '.join(sorted(metrics)) or 'none'}; of several rules for one the first decides",
        )


def judge(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """Every finding, in the order of the table."""
    for check in _RULES:
        yield from check(facts, policy)


def _has_results(facts: Facts, _: Policy) -> Iterator[Finding]:
    has_series = any(measure.is_series for measure in facts.measures)
    has_reason = facts.counts.baseline > 0 or not has_series
    if facts.counts.current == 0 and has_reason:
        yield Finding(
            rule=Rule.NO_RECORDS,
            level=Level.ERROR,
            message="the current run has no records",
            observed="0",
            hint="an evaluation that produced nothing is not a pass; look at its log",
        )
    if facts.counts.common == 0 and has_reason:
        yield Finding(
            rule=Rule.NOTHING_COMPARED,
            level=Level.INCONCLUSIVE,
            message="baseline and current have no record in common",
            hint="the ids must be the same on both sides; see docs/importing.md on ids",
        )


def _completed(facts: Facts, _: Policy) -> Iterator[Finding]:
    if facts.current.status != "completed":
        yield Finding(
            rule=Rule.RUN_STATUS,
            level=Level.ERROR,
            message=f"the current run was not completed: {facts.current.status}",
        )
    if facts.baseline.status != "completed":
        yield Finding(
            rule=Rule.RUN_STATUS,
            level=Level.INCONCLUSIVE,
            message=f"the baseline was not completed: {facts.baseline.status}",
            hint="commit a completed run as baseline",
        )


def _comparable(facts: Facts, _: Policy) -> Iterator[Finding]:
    before, after = facts.baseline.identity, facts.current.identity
    digests = {dataset.name: dataset.digest for dataset in after.datasets}
    fields: list[tuple[str, str, str | None]] = [
        ("project", before.project, after.project),
        ("suite", before.suite, after.suite),
        *((f"data set {one.name!r}", one.digest, digests.get(one.name)) for one in before.datasets),
    ]
    for name, old, new in fields:
        if old != new:
            found = "has none" if new is None else repr(new)
            yield Finding(
                rule=Rule.COMPARABILITY,
                level=Level.INCONCLUSIVE,
                message=f"{name} differs: baseline {old!r}, current {found}",
                hint="compare runs of the same suite on the same data, or accept a new baseline",
            )


def _declarations(facts: Facts, _: Policy) -> Iterator[Finding]:
    for name, before in facts.baseline.metrics.items():
        after = facts.current.metrics.get(name)
        if after is None:
            continue
        for what in ("direction", "unit", "range"):
            old, new = getattr(before, what), getattr(after, what)
            if old != new:
                yield Finding(
                    rule=Rule.METRIC_DECLARATION,
                    level=Level.REVIEW,
                    metric=name,
                    message=f"{what} of {name} was {_plain(old)} and is {_plain(new)}",
                    hint="a change of what a metric means needs a new baseline, approved by a person",
                )


def _plain(value: object) -> str:
    if value is None:
        return "not declared"
    return f"[{value[0]}, {value[1]}]" if isinstance(value, tuple) else str(value)


def _metrics_present(facts: Facts, _: Policy) -> Iterator[Finding]:
    carried = {measure.metric for measure in facts.measures if measure.group is None and not measure.is_series}
    present = {name for name, sums in facts.totals.metrics.items() if sums.count}
    missing = carried - present if facts.counts.current else set()
    for name in sorted({*missing, *facts.lost_series}, key=str.encode):
        yield Finding(
            rule=Rule.METRIC_MISSING,
            level=Level.ERROR,
            metric=name,
            message=f"the baseline has the metric {name}; the current run does not",
            hint="was it renamed? a renamed metric needs a new baseline",
        )


def _record_limits(facts: Facts, policy: Policy) -> Iterator[Finding]:
    counts, limits = facts.counts, policy.records
    table = (
        (Rule.MAX_REMOVED, limits.max_removed, counts.removed, "{} went missing", ChangeClass.REMOVED),
        (Rule.MAX_ADDED, limits.max_added, counts.added, "{} added", ChangeClass.ADDED),
        (Rule.MAX_ERRORS, limits.max_errors, counts.newly_errored, "{} newly errored", "error"),
        (Rule.MAX_SKIPPED, limits.max_skipped, counts.newly_skipped, "{} newly skipped", "skipped"),
    )
    for rule, limit, observed, what, which in table:
        if limit is not None and observed > limit:
            yield _too_many(rule, observed, limit, what.format(_records(observed)))
            yield from _each(facts, rule, which, what)
    if limits.max_lost_scores is not None and counts.lost_scores > limits.max_lost_scores:
        what = f"{counts.lost_scores:,} score{'s' * (counts.lost_scores != 1)} gone from records that are ok"
        yield _too_many(Rule.MAX_LOST_SCORES, counts.lost_scores, limits.max_lost_scores, what)
    if limits.max_added is None and counts.added:
        yield Finding(
            rule=Rule.MAX_ADDED,
            level=Level.NOTICE,
            message=f"{_records(counts.added)} added: not in the means, which are over shared ids",
            observed=str(counts.added),
        )


def _regressed(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """Records that got worse: by the policy's limit, or, without one, in metrics that no drop limit covers."""
    limit = policy.records.max_regressed
    observed = facts.changes.strictly_regressed if limit is None else facts.counts.regressed
    if observed > (limit or 0):
        what = "{} got worse in a score" if limit is None else "{} got worse"
        hint = "look at them in the report; `gate.toml` can allow a drop (max_drop) or a number (max_regressed)"
        yield _too_many(Rule.MAX_REGRESSED, observed, limit or 0, what.format(_records(observed)), hint)
        yield from _each(facts, Rule.MAX_REGRESSED, "strict" if limit is None else ChangeClass.REGRESSED, what)


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _too_many(rule: Rule, observed: int, limit: int, what: str, hint: str | None = None) -> Finding:
    return Finding(
        rule=rule,
        level=Level.ERROR,
        message=f"{what}; {limit:,} allowed",
        observed=str(observed),
        limit=str(limit),
        hint=hint,
    )


def _each(facts: Facts, rule: Rule, which: str, what: str) -> Iterator[Finding]:
    """A finding for each kept record of a class, of a new status, or that the strict default minds."""
    for kind in ChangeClass:
        for change in facts.changes.kept[kind].sorted():
            if which in (kind, change.newly) or (which == "strict" and change.strict):
                name = key_text(change.key)
                yield Finding(
                    rule=rule,
                    level=Level.ERROR,
                    record=change.key[0].decode(),
                    repeat=change.key[1] if change.key[1] != 1 else None,
                    message=what.replace("{}", "{name}").format(name=name),
                )


def _metric_limits(facts: Facts, policy: Policy) -> Iterator[Finding]:
    for measure in facts.measures:
        if measure.group is not None:
            continue
        rule = policy.rule_for(measure.metric)
        if rule is None:
            if measure.is_series and measure.drop_sum > 0:
                yield _dropped(measure, Rule.MAX_DROP, Level.ERROR, Decimal(0))
            continue
        yield from _limits_of(measure, rule)


def _limits_of(measure: Measure, rule: MetricRule) -> Iterator[Finding]:
    level = Level.ERROR if rule.level == "error" else Level.WARNING
    if measure.count == 0:
        yield Finding(
            rule=Rule.NOTHING_COMPARED,
            level=Level.INCONCLUSIVE,
            metric=measure.metric,
            message=f"no record has {measure.metric} on both sides: its rule could not be checked",
        )
        return
    if rule.limits_drop and measure.lost and measure.declared.worst is None:
        yield Finding(
            rule=Rule.NOTHING_COMPARED,
            level=Level.INCONCLUSIVE,
            metric=measure.metric,
            message=f"{_records(measure.lost)} of the baseline have no {measure.metric} now and are not in its mean:"
            " its drop could not be checked",
            hint="declare a range for the metric: such records then count as its worst score",
        )
    drop, count = measure.drop_sum, Decimal(measure.count)
    if rule.max_drop is not None and drop > exact.multiply(rule.max_drop, count):
        yield _dropped(measure, Rule.MAX_DROP, level, rule.max_drop)
    # With a baseline of 0 every drop is infinitely large: no division, and no pass.
    share = rule.max_relative_drop
    if share is not None and drop > max(exact.multiply(share, measure.baseline_sum.copy_abs()), Decimal(0)):
        yield _dropped(measure, Rule.MAX_RELATIVE_DROP, level, share)
    if rule.min is not None and measure.current_sum < exact.multiply(rule.min, count):
        yield _beyond(measure, Rule.MIN, level, rule.min, "below its floor")
    if rule.max is not None and measure.current_sum > exact.multiply(rule.max, count):
        yield _beyond(measure, Rule.MAX, level, rule.max, "above its ceiling")


def _dropped(measure: Measure, rule: Rule, level: Level, limit: Decimal) -> Finding:
    delta = measure.delta
    observed = "more than any double holds" if delta is None else f"{delta:+}"
    share = " of the baseline" if rule is Rule.MAX_RELATIVE_DROP else ""
    return Finding(
        rule=rule,
        level=level,
        metric=measure.metric,
        message=f"{measure.metric} got worse from {measure.baseline!r} to {measure.current!r} ({observed});"
        f" {exact.text(limit)}{share} allowed",
        observed=None if delta is None else repr(delta),
        limit=exact.text(limit),
    )


def _beyond(measure: Measure, rule: Rule, level: Level, limit: Decimal, what: str) -> Finding:
    return Finding(
        rule=rule,
        level=level,
        metric=measure.metric,
        message=f"{measure.metric} is {measure.current!r}, {what} of {exact.text(limit)}",
        observed=repr(measure.current),
        limit=exact.text(limit),
    )


def _new_metrics(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """Rules on metrics that only the current run has: a floor can be checked, a drop can not."""
    for measure in facts.only_current:
        rule = policy.rule_for(measure.metric)
        if rule is None:
            continue
        yield from _limits_of(measure, rule)
        if rule.limits_drop:
            yield Finding(
                rule=Rule.METRIC_MISSING,
                level=Level.INCONCLUSIVE,
                metric=measure.metric,
                message=f"the baseline has no metric {measure.metric}: its drop could not be checked",
                hint="accept a baseline that has it",
            )


def _unchecked(facts: Facts, policy: Policy) -> Iterator[Finding]:
    """Rules whose metrics are declared and carried by nothing: they were not checked, and say so."""
    seen = {measure.metric for measure in (*facts.measures, *facts.only_current)} | set(facts.totals.metrics)
    elsewhere = policy.unmatched({*facts.baseline.metrics, *facts.current.metrics})
    for rule in policy.unmatched(seen):
        if rule in elsewhere:
            continue
        yield Finding(
            rule=Rule.NOTHING_COMPARED,
            level=Level.INCONCLUSIVE,
            metric=rule.pattern,
            message=f"neither run has a value for {rule.pattern}: its rule could not be checked",
        )


def _notices(facts: Facts, _: Policy) -> Iterator[Finding]:
    if facts.identical:
        yield Finding(
            rule=Rule.IDENTICAL,
            level=Level.NOTICE,
            message="the current run is identical to the baseline, byte for byte",
            hint="was the evaluation really run again?",
        )
    if (facts.current.provenance.attempt or 1) > 1:
        yield Finding(
            rule=Rule.ATTEMPT, level=Level.NOTICE, message=f"this is attempt {facts.current.provenance.attempt}"
        )


_RULES: tuple[Callable[[Facts, Policy], Iterator[Finding]], ...] = (
    _has_results,
    _completed,
    _comparable,
    _declarations,
    _metrics_present,
    _regressed,
    _record_limits,
    _metric_limits,
    _new_metrics,
    _unchecked,
    _notices,
)
