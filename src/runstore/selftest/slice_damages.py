"""Damages that a mean over all records hides: a slice deleted, put under another value, or ruined and made up for."""

from __future__ import annotations

from decimal import Decimal

from runstore import exact
from runstore.findings import Rule
from runstore.record import JsonObject
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped
from runstore.selftest.limit_damages import aims, selects
from runstore.selftest.record_damages import records
from runstore.selftest.shifts import shifted

_RUINED_FROM = 2
"""A slice of one record is a record."""


def damages(lab: Lab) -> Found:
    """For each declared slice tag: its smallest value with more than one record."""
    if not lab.specimen.manifest.slices:
        yield Skipped(name="slices", why="the baseline declares no slices (`gate import --slice TAG`)")
    for tag in lab.specimen.manifest.slices:
        members = _smallest(lab, tag)
        if members is None:
            yield Skipped(name="slice-ruined", why=f"no value of {tag} has {_RUINED_FROM} records beside others")
            continue
        value = lab.specimen.rows[members[0]].tags[tag]
        yield from _hidden(lab, (tag, value), members)
        for metric in lab.metrics:
            yield _ruined(lab, (tag, value), members, metric)


def _smallest(lab: Lab, tag: str) -> list[int] | None:
    """The records of the value with the fewest, of those with enough; the first by name among equals."""
    values: dict[str, list[int]] = {}
    for index in lab.candidates:
        value = lab.specimen.rows[index].tags.get(tag)
        if value is not None:
            values.setdefault(value, []).append(index)
    large = [value for value in values if _RUINED_FROM <= len(values[value]) < len(lab.candidates)]
    if not large:
        return None
    return values[min(large, key=lambda value: (len(values[value]), value.encode()))]


def _hidden(lab: Lab, group: tuple[str, str], members: list[int]) -> Found:
    limits = lab.policy.records
    deleted = limits.max_removed is not None and len(members) > limits.max_removed
    yield Case(
        name="slice-deleted",
        what=f"the {records(len(members))} of this slice are deleted",
        expected=Expectation.RED if deleted else Expectation.OPEN,
        files=lab.specimen.copy(dict.fromkeys(members)),
        rule=Rule.MAX_REMOVED if deleted else None,
        slice=group,
    )
    other = next(
        value for row in lab.specimen.rows if (value := row.tags.get(group[0])) is not None and value != group[1]
    )
    edits = lab.with_tag(members, group[0], other)
    changed = limits.max_changed is not None and len(members) > limits.max_changed
    yield Case(
        name="slice-retagged",
        what=f"the {records(len(members))} of this slice are said to be of {other}",
        expected=Expectation.RED if changed else Expectation.OPEN,
        files=lab.specimen.copy({**edits}),
        rule=Rule.MAX_CHANGED if changed else None,
        slice=group,
    )


def _ruined(lab: Lab, group: tuple[str, str], members: list[int], metric: str) -> Case | Skipped:
    """Every record of a slice gets the worst score, and others get better ones, so that the mean is what it was."""
    able = lab.can_get_worse(metric, [index for index in members if lab.specimen.rows[index].status == "ok"])
    if not able:
        return Skipped(name="slice-ruined", why=f"no record of {'='.join(group)} can have a worse {metric}")
    scores = dict.fromkeys(able, lab.worst(metric))
    lost = lab.lost(metric, scores)
    inside, rows = set(members), lab.specimen.rows
    others = [(i, rows[i].scores[metric]) for i in lab.sound if i not in inside and metric in rows[i].scores]
    gains = shifted(others, lost, lab.best(metric), up=lab.declared(metric).direction == "higher", past=False) or {}
    edits: dict[int, JsonObject | None] = {**lab.rescored(metric, {**scores, **gains})}
    kept = lab.lost(metric, gains).copy_negate() == lost
    red = _must_see(lab, group, metric, len(able), lost)
    return Case(
        name="slice-ruined",
        what=f"the {records(len(able))} of this slice that can get worse have the worst score; others "
        + ("make up for it: the mean is what it was" if kept else "make up for some of it"),
        expected=Expectation.RED if red else Expectation.OPEN,
        files=lab.specimen.copy(edits),
        metric=metric,
        slice=group,
    )


def _must_see(lab: Lab, group: tuple[str, str], metric: str, count: int, lost: Decimal) -> bool:
    """Whether the policy asks for something that such a ruin breaks."""
    limit = lab.policy.records.max_regressed
    if metric in lab.strict_metrics or (limit is not None and count > limit):
        return True
    measure = lab.measures.get((metric, group))
    if measure is None:
        return False
    rules = [rule.limits for rule in lab.policy.slices if selects(rule, measure)]
    return any(
        exact.subtract(lost, aim.room) > 0
        for limits in rules
        if limits.level == "error" and lab.is_plain(metric, limits) and (limits.min_records or 0) <= measure.count
        for aim in aims(measure, limits)
        if aim.rule in (Rule.MAX_DROP, Rule.MAX_RELATIVE_DROP)
    )
