"""Rules on the pinned reference: small steps down from one baseline to the next add up, and here they are seen."""

from __future__ import annotations

from collections.abc import Iterator

from runstore.checks import Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case
from runstore.judgement.comparability import comparable_with_reference
from runstore.judgement.limits import limits_of
from runstore.judgement.subject import Subject
from runstore.policy.model import Policy

_ORIGIN = "reference"


def reference_drops(case: Case) -> Iterator[Check]:
    """The drops since the pinned reference, over the records that it shares with the current run."""
    asked = case.policy.reference
    if asked is None:
        return
    pinned = case.facts.pinned
    if pinned is None:
        message = f"the pinned reference {asked.path} has no such run: drops since then could not be checked"
        yield check(Rule.REFERENCE_DROP, asked.path, _undecided(message, "pin a reference that has it"), origin=_ORIGIN)
        return
    yield from comparable_with_reference(case)
    yield from _completed(case)
    yield from _moved(case)
    rules = Policy(metrics=asked.metrics)
    measures = [measure for measure in pinned.measures if measure.group is None]
    for measure in measures:
        if rule := rules.rule_for(measure.metric):
            subject = Subject(measure=measure, limits=rule.limits, against="reference", excusable=False)
            yield from limits_of(case, subject)
    declared = rules.unmatched({*pinned.manifest.metrics, *case.facts.current.metrics})
    for rule in rules.unmatched(measure.metric for measure in measures):
        if rule not in declared:
            message = f"reference and current run share no value of {rule.pattern}: its drop could not be checked"
            finding = _undecided(message, "pin a reference that has the metric")
            yield check(Rule.REFERENCE_DROP, rule.pattern, finding, origin=rule.limits.origin)


def _completed(case: Case) -> Iterator[Check]:
    assert case.facts.pinned is not None
    status = case.facts.pinned.manifest.status
    finding = Finding(
        rule=Rule.RUN_STATUS,
        level=Level.INCONCLUSIVE,
        message=f"the pinned reference was not completed: {status}",
        hint="pin a completed run",
    )
    findings = [finding] if status != "completed" else []
    yield check(Rule.RUN_STATUS, f"status of the reference: {status}", *findings, origin=_ORIGIN)


def _moved(case: Case) -> Iterator[Check]:
    """A reference that is the current run holds nothing. That may be honest: a change can have been taken back."""
    assert case.facts.pinned is not None
    # The manifest holds the digest of every other file: two that are equal stand for the same bytes.
    if case.facts.pinned.manifest == case.facts.current and not case.facts.identical:
        finding = Finding(
            rule=Rule.IDENTICAL,
            level=Level.NOTICE,
            message="the pinned reference is the current run, byte for byte",
            hint="`path` of [reference] names a run that does not move with the change",
        )
        yield check(Rule.IDENTICAL, "the digests of reference and current run", finding, origin=_ORIGIN)


def _undecided(message: str, hint: str) -> Finding:
    return Finding(rule=Rule.REFERENCE_DROP, level=Level.INCONCLUSIVE, message=message, hint=hint)
