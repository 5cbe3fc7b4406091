"""Rules on slices: the records of one tag value on their own. A regression in a small group hides in a rising mean.

Groups are those of the baseline's tags: a current run that tags its records otherwise changes nothing. A slice in
which the baseline itself has fewer records than `min_records` is advisory: its findings are warnings. One that has
enough there and too few in common is not: what was left out may be what got worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from runstore.checks import Check, check
from runstore.facts import Facts
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, counted
from runstore.judgement.limits import limits_of
from runstore.judgement.subject import Subject
from runstore.measures import Measure
from runstore.policy.model import Policy, SliceRule


def slice_limits(case: Case) -> Iterator[Check]:
    """Every rule on slices, each on every slice and metric that it selects."""
    declared = case.facts.baseline_totals.slices
    for rule in case.policy.slices:
        if rule.tag in declared:  # else it is meant for another run of the suite: `check_selections` has seen to it
            yield from _judged(case, rule)


def _judged(case: Case, rule: SliceRule) -> Iterator[Check]:
    measures = [measure for measure in case.facts.measures if _selects(rule, measure)]
    yield from _present(case, rule, measures)
    small = 0
    for subject in _subjects(case.facts, rule):
        small += bool(subject.small)
        yield from limits_of(case, subject)
    if small:
        message = (
            f"{small:,} of {counted(len(measures), 'measure')} of {_of(rule)} rest on fewer than"
            f" {rule.limits.min_records} records: their limits only warn"
        )
        finding = Finding(rule=Rule.MIN_RECORDS, level=Level.NOTICE, message=message)
        yield check(Rule.MIN_RECORDS, f"the slices of {_of(rule)}", finding, origin=f"{rule.limits.origin}.min_records")


def subjects(facts: Facts, policy: Policy) -> Iterator[Subject]:
    """What the rules on slices are about, as far as a drop is limited."""
    for rule in policy.slices:
        if rule.limits.limits_drop and rule.tag in facts.baseline_totals.slices:
            yield from _subjects(facts, rule)


def _subjects(facts: Facts, rule: SliceRule) -> Iterator[Subject]:
    for measure in facts.measures:
        if _selects(rule, measure):
            yield Subject(measure=measure, limits=rule.limits, small=_small(facts, rule, measure))


def _selects(rule: SliceRule, measure: Measure) -> bool:
    group = measure.group
    if group is None or group[0] != rule.tag or rule.value not in (None, group[1]):
        return False
    return fnmatchcase(measure.metric, rule.metric)


def _of(rule: SliceRule) -> str:
    return rule.tag if rule.value is None else f"{rule.tag} = {rule.value}"


def _small(facts: Facts, rule: SliceRule, measure: Measure) -> str:
    """Why the slice is too small to be more than advice; empty if it is not, or if only the current run makes it so."""
    least, group = rule.limits.min_records, measure.group
    if least is None or group is None or measure.count >= least:
        return ""
    part = facts.baseline_totals.slices[group[0]][group[1]]
    scored = part.metrics[measure.metric].count
    failed = part.records - part.status["ok"] if measure.declared.worst is not None else 0
    if scored + failed >= least:
        return ""
    return f"the slice is too small to fail ({measure.count:,} of {least:,} pairs)"


def _present(case: Case, rule: SliceRule, measures: Sequence[Measure]) -> Iterator[Check]:
    """The slices that the rule is about must be in the baseline; new ones are a notice."""
    known = {value for value, part in case.facts.baseline_totals.slices[rule.tag].items() if part.records}
    wanted = known if rule.value is None else {rule.value}
    findings = []
    if not wanted & known:
        what = f"no record of the baseline has {rule.tag} = {rule.value}"
        message = f"no record of the baseline has the tag {rule.tag}" if rule.value is None else what
        findings.append(_undecided(rule, Rule.SLICE_MISSING, f"{message}: its limits could not be checked"))
    read = f"the slices of {_of(rule)} in the baseline"
    why = "" if findings else counted(len(wanted), "slice")
    yield check(Rule.SLICE_MISSING, read, *findings, origin=rule.limits.origin, why=why)
    if not findings and not measures:
        message = f"no record of {_of(rule)} has a score that {rule.metric!r} selects: its limits could not be checked"
        finding = _undecided(rule, Rule.NOTHING_COMPARED, message)
        yield check(Rule.NOTHING_COMPARED, read, finding, origin=rule.limits.origin)
    current = case.facts.totals.slices.get(rule.tag, {})
    new = sorted((value for value, part in current.items() if part.records and value not in known), key=str.encode)
    if new and rule.value is None:
        shown = ", ".join(new[:5]) + (f" and {len(new) - 5:,} more" if len(new) > 5 else "")
        message = f"only the current run has records of {rule.tag} = {shown}: they were not judged by slice"
        finding = Finding(rule=Rule.SLICE_ADDED, level=Level.NOTICE, message=message)
        yield check(
            Rule.SLICE_ADDED, f"the slices of {rule.tag} in the current run", finding, origin=rule.limits.origin
        )


def _undecided(rule: SliceRule, name: Rule, message: str) -> Finding:
    group = None if rule.value is None else (rule.tag, rule.value)
    return Finding(
        rule=name,
        level=Level.INCONCLUSIVE,
        message=message,
        slice=group,
        hint="was the tag renamed? a rule that selects nothing is no pass",
    )
