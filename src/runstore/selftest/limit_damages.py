"""Damages by the measure: every limit of the policy reached exactly, which must hold, and gone past, which must not.

Past means by the least step that scores can make. Where more than the mean decides (a waiver, a test of significance,
another aggregate), what the mean does is no proof, and those limits are shown by what the policy lets through instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

from runstore import exact
from runstore.findings import Rule
from runstore.measures import Measure
from runstore.policy.model import Limits, SliceRule
from runstore.record import JsonObject
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped, number, whole
from runstore.selftest.shifts import Score, shifted
from runstore.series import Point

MOST_SLICES = 20
"""Of the slices that one rule selects, in the order of their names, so many are tried."""


class Aim(NamedTuple):
    """A limit: how far the sum may move in which direction before the rule is broken."""

    rule: Rule
    limit: Decimal
    room: Decimal
    up: bool


def damages(lab: Lab) -> Found:
    """Every limit on a mean, over all records, by slice and of series."""
    rules = 0
    for (metric, group), measure in lab.measures.items():
        rule = lab.policy.rule_for(metric)
        if group is None and rule is not None and rule.limits.asks:
            rules += 1
            yield from _of_measure(lab, measure, rule.limits)
    for metric, measure in lab.figures.items():
        rule = lab.policy.rule_for(metric)
        rules += 1
        yield from _of_series(lab, measure, rule.limits if rule else Limits(max_drop=Decimal(0)))
    for slice_rule in lab.policy.slices:
        rules += 1
        yield from _of_slices(lab, slice_rule)
    if not rules:
        yield Skipped(name="limits", why="the policy limits no mean: only records are held against it")


def aims(measure: Measure, limits: Limits) -> Iterator[Aim]:
    """What the limits allow the sum of a measure, from where the baseline stands."""
    count, down = Decimal(measure.count), measure.declared.direction == "higher"
    total = measure.baseline_sum
    if limits.max_drop is not None:
        yield Aim(Rule.MAX_DROP, limits.max_drop, exact.multiply(limits.max_drop, count), not down)
    if limits.max_relative_drop is not None:
        share = limits.max_relative_drop
        yield Aim(Rule.MAX_RELATIVE_DROP, share, exact.multiply(share, total.copy_abs()), not down)
    if limits.min is not None:
        yield Aim(Rule.MIN, limits.min, exact.subtract(total, exact.multiply(limits.min, count)), up=False)
    if limits.max is not None:
        yield Aim(Rule.MAX, limits.max, exact.subtract(exact.multiply(limits.max, count), total), up=True)


def _of_measure(lab: Lab, measure: Measure, limits: Limits) -> Found:
    if limits.min_records is not None and measure.count < limits.min_records:
        yield Skipped(
            name="past-limit",
            why=f"{_name(measure)} has {measure.count} pairs, fewer than min_records = {limits.min_records}",
        )
        return
    for aim in aims(measure, limits):
        if not lab.is_plain(measure.metric, limits) and aim.rule in (Rule.MAX_DROP, Rule.MAX_RELATIVE_DROP):
            yield Skipped(name="past-limit", why=f"{_told(measure, aim)} is not decided by the mean alone")
        elif aim.room < 0:
            yield Skipped(name="past-limit", why=f"the baseline itself breaks {_told(measure, aim)}")
        else:
            yield from _to_limit(lab, measure, limits, aim)


def _to_limit(lab: Lab, measure: Measure, limits: Limits, aim: Aim) -> Found:
    metric, rows = measure.metric, lab.specimen.rows
    scores = [
        (index, rows[index].scores[metric])
        for index in lab.sound
        if metric in rows[index].scores and (measure.group is None or _is_in(rows[index].tags, measure.group))
    ]
    bounds = lab.declared(metric).range
    bound = None if bounds is None else bounds[1] if aim.up else bounds[0]
    for past in (False, True):
        new = shifted(scores, aim.room, bound, up=aim.up, past=past)
        if new is None:
            yield Skipped(
                name="past-limit", why=f"no scores break {_told(measure, aim)}: no run can fail it", toothless=True
            )
        elif new or past:
            edits: dict[int, JsonObject | None] = {**lab.rescored(metric, new)}
            yield _case(lab.specimen.copy(edits), measure, limits, aim, past=past)


def _is_in(tags: Mapping[str, str], group: tuple[str, str]) -> bool:
    return tags.get(group[0]) == group[1]


def _case(files: Mapping[str, bytes], measure: Measure, limits: Limits, aim: Aim, *, past: bool) -> Case:
    expected = Expectation.HOLDS if not past else Expectation.RED if limits.level == "error" else Expectation.OPEN
    where = "the least step past" if past else "as far as allowed by"
    return Case(
        name="past-limit" if past else "at-limit",
        what=f"{where} {aim.rule.value} = {number(aim.limit)}",
        expected=expected,
        files=files,
        rule=None if expected is Expectation.OPEN else aim.rule,
        metric=measure.metric,
        slice=measure.group,
    )


def _name(measure: Measure) -> str:
    return measure.metric if measure.group is None else f"{measure.metric} of {'='.join(measure.group)}"


def _told(measure: Measure, aim: Aim) -> str:
    return f"{aim.rule.value} = {number(aim.limit)} of {_name(measure)}"


def _of_slices(lab: Lab, rule: SliceRule) -> Found:
    chosen = [measure for measure in slices_of(lab, rule) if rule.limits.asks]
    for measure in chosen[:MOST_SLICES]:
        yield from _of_measure(lab, measure, rule.limits)
    if len(chosen) > MOST_SLICES:
        rest = len(chosen) - MOST_SLICES
        yield Skipped(name="past-limit", why=f"{rest} more slices of {rule.tag} have the same rule and were not tried")


def slices_of(lab: Lab, rule: SliceRule) -> list[Measure]:
    """The measures that a slice rule selects."""
    return [measure for measure in lab.measures.values() if selects(rule, measure)]


def selects(rule: SliceRule, measure: Measure) -> bool:
    """Whether a slice rule is about a measure."""
    if measure.group is None or measure.group[0] != rule.tag:
        return False
    return rule.value in (None, measure.group[1]) and _matches(measure.metric, rule.metric)


def _matches(metric: str, pattern: str) -> bool:
    return metric == pattern or fnmatchcase(metric, pattern)


def _of_series(lab: Lab, measure: Measure, limits: Limits) -> Found:
    """Every point of a series is put where its figure reaches the limit: whichever point stands for it, it is there."""
    bounds = measure.declared.range
    points = lab.specimen.points
    for aim in aims(measure, limits):
        bound = None if bounds is None else bounds[1] if aim.up else bounds[0]
        figure = _figure(measure)
        if aim.room < 0:
            yield Skipped(name="past-limit", why=f"the baseline itself breaks {_told(measure, aim)}")
            continue
        for past in (False, True):
            new = shifted([(0, figure)], aim.room, bound, up=aim.up, past=past)
            if new is None:
                why = f"no figure breaks {_told(measure, aim)}: no run can fail it"
                yield Skipped(name="past-limit", why=why, toothless=True)
            elif new:
                moved = _at(points, measure.metric, new[0])
                yield _case(lab.specimen.copy(points=moved), measure, limits, aim, past=past)
    yield Case(
        name="series-gone",
        what="the series is gone",
        expected=Expectation.RED,
        files=lab.specimen.copy(points=[point for point in points if point.name != measure.metric]),
        rule=Rule.METRIC_MISSING,
        metric=measure.metric,
    )


def _figure(measure: Measure) -> Score:
    value = measure.baseline
    assert value is not None  # a series is one pair
    return value


def _at(points: Sequence[Point], metric: str, value: Score) -> list[Point]:
    return [
        Point(name=metric, value=whole(value), step=point.step) if point.name == metric else point for point in points
    ]
