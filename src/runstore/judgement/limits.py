"""The limits of one rule on one measure: enough pairs, nothing lost, no drop too far, between floor and ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from runstore import exact
from runstore.checks import Check, Outcome, check
from runstore.findings import Level, Rule
from runstore.judgement.case import Case, counted, told
from runstore.judgement.drops import drops
from runstore.judgement.subject import Subject
from runstore.measures import Measure


def limits_of(case: Case, subject: Subject) -> Iterator[Check]:
    """Every check of the subject's limits. Without a pair nothing can be checked, and that is said."""
    measure = subject.measure
    yield from _enough(subject)
    if measure.count == 0:
        message = f"no record has {subject.name} on both sides: its rule could not be checked"
        finding = subject.finding(Rule.NOTHING_COMPARED, Level.INCONCLUSIVE, message)
        yield check(Rule.NOTHING_COMPARED, subject.read, finding, origin=subject.place)
        return
    if subject.limits.asks and measure.lost and measure.declared.worst is None:
        finding = subject.finding(
            Rule.NOTHING_COMPARED,
            Level.INCONCLUSIVE,
            f"{counted(measure.lost)} of the {subject.against} have no {subject.name} now and are not in its"
            f" {subject.aggregate or 'mean'}: its limits could not be checked",
            hint="declare a range for the metric: records that errored or were skipped then count as its worst score",
        )
        yield check(Rule.NOTHING_COMPARED, subject.read, finding, origin=subject.place)
    yield from drops(case, subject)
    yield from bounds_of(case, subject, has_baseline=True)


def current_limits(case: Case, subject: Subject) -> Iterator[Check]:
    """The checks that need the current run alone."""
    yield from _enough(subject)
    yield from bounds_of(case, subject, has_baseline=False)


def _enough(subject: Subject) -> Iterator[Check]:
    least = subject.limits.min_records
    count = subject.measure.count if subject.pairs is None else subject.pairs
    if least is None or subject.small:
        return
    findings = []
    if count < least:
        findings.append(
            subject.finding(
                Rule.MIN_RECORDS,
                Level.INCONCLUSIVE,
                f"{subject.name} rests on {counted(count, 'pair')}; {least:,} asked",
                observed=str(count),
                limit=str(least),
                hint="evaluate more of the records of the baseline, or ask for fewer",
            )
        )
    made = check(
        Rule.MIN_RECORDS,
        subject.read,
        *findings,
        origin=subject.origin("min_records"),
        why=f"{counted(count, 'pair')}; {least:,} asked",
    )
    yield replace(
        made, metric=subject.measure.metric, slice=subject.measure.group, observed=str(count), limit=str(least)
    )


def bounds_of(case: Case, subject: Subject, *, has_baseline: bool) -> Iterator[Check]:
    """Floor and ceiling of the current mean."""
    limits = subject.limits
    if limits.min is not None:
        yield _bound(case, subject, Rule.MIN, limits.min, has_baseline=has_baseline)
    if limits.max is not None:
        yield _bound(case, subject, Rule.MAX, limits.max, has_baseline=has_baseline)


def _bound(case: Case, subject: Subject, rule: Rule, limit: Decimal, *, has_baseline: bool) -> Check:
    measure, is_floor = subject.measure, rule is Rule.MIN
    inside = exact.subtract(measure.current_sum, exact.multiply(limit, Decimal(measure.count)))
    inside = inside if is_floor else inside.copy_negate()
    what = "floor" if is_floor else "ceiling"
    text = exact.text(limit)
    made = Check(
        rule=rule,
        outcome=Outcome.HOLDS,
        origin=subject.origin(rule.value),
        read=subject.read if has_baseline else f"{subject.name} of the current run: {measure.current!r}",
        metric=measure.metric,
        slice=measure.group,
        observed=repr(measure.current),
        limit=text,
        interval=case.weigher.interval(measure) if case.weigher else None,
    )
    if inside < 0:
        side = "below" if is_floor else "above"
        (current,) = told(measure.current, beside=[limit])
        message = f"{subject.name} is {current}, {side} its {what} of {text}"
        finding = subject.finding(rule, Level.ERROR, message, observed=repr(measure.current), limit=text)
        return replace(made, outcome=Outcome.BROKEN, why=message, findings=(finding,))
    margin = _mean_text(measure.count, inside)
    why = f"{margin} inside its {what} of {text}"
    return replace(made, why=why, margin=margin, suggestion=_tighter(measure, rule, limit) if has_baseline else None)


def _mean_text(count: int, total: Decimal) -> str | None:
    try:
        return repr(exact.mean(count, total))
    except OverflowError:  # beyond every double
        return None


def _tighter(measure: Measure, rule: Rule, limit: Decimal) -> str | None:
    """The tightest limit, with the decimals of the one there is, that baseline and current both keep; None if none is.

    Never from one run alone: a lucky run would set a floor that the next honest one breaks.
    """
    exponent = limit.as_tuple().exponent
    assert isinstance(exponent, int)  # a limit is finite
    sums = (measure.baseline_sum, measure.current_sum)
    weaker = min(sums) if rule is Rule.MIN else max(sums)
    top, bottom = weaker.as_integer_ratio()
    bottom *= measure.count
    top, bottom = (top * 10**-exponent, bottom) if exponent <= 0 else (top, bottom * 10**exponent)
    steps = top // bottom if rule is Rule.MIN else -(-top // bottom)
    found = Decimal((int(steps < 0), tuple(map(int, str(abs(steps)))), exponent))  # no rounding to 28 digits
    return exact.text(found) if (found > limit if rule is Rule.MIN else found < limit) else None
