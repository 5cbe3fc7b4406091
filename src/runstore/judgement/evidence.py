"""Evidence: for each limit on a drop, how sure the pairs are of it; and what follows where the policy asks for that.

All limits with `significance = "required"` of a run are one family: their p are adjusted together. A drop fails only if
it is larger than allowed *and* significant. One that is larger and not significant never passes: it is not known. Nor
does a smaller one where the pairs could not have shown one as large as the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain

from runstore import exact
from runstore.assessment import Assessment, Clusters, Unassessed, assess
from runstore.checks import Check, Outcome
from runstore.errors import InvalidRunError
from runstore.evidence import intervals
from runstore.evidence.multiplicity import benjamini_hochberg, holm
from runstore.evidence.results import Interval
from runstore.facts import Facts
from runstore.findings import Level, Rule
from runstore.judgement import metrics, slices
from runstore.judgement.subject import Subject
from runstore.measures import Measure
from runstore.paired import Group
from runstore.policy.model import Evidence, Limits, Policy

Key = tuple[Limits, str, str, Group, str]
"""(Limits of a rule, which of them, metric, slice, against what). A rule made by a program has no place of its own."""
Assessed = Mapping[Key, Assessment | Unassessed]
_NO_EVIDENCE = "leave out `significance`"
_CORRECTIONS: dict[str, Callable[[Sequence[float]], Sequence[float]]] = {
    "holm": holm,
    "benjamini-hochberg": benjamini_hochberg,
    "none": tuple,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    key: Key
    subject: Subject
    allowed: Decimal

    @property
    def is_required(self) -> bool:
        return self.subject.limits.significance == "required"


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """The weigher of a case: what was assessed, and the rules on evidence."""

    found: Assessed
    rules: Evidence

    def weighed(self, made: Check, subject: Subject, limit: str) -> Check:
        """See `judgement.case.Weigher`."""
        return weighed(made, subject, limit, self.found, self.rules)

    def interval(self, measure: Measure) -> Interval | None:
        """See `judgement.case.Weigher`."""
        return _interval(measure, exact.subtract(Decimal(1), self.rules.alpha))


def weighing(facts: Facts, policy: Policy) -> Weighing:
    """The weigher of what the rules on metrics and slices are about."""
    subjects = chain(metrics.subjects(facts, policy), slices.subjects(facts, policy))
    return Weighing(found=assessed(subjects, facts, policy.evidence), rules=policy.evidence)


def key_of(subject: Subject, limit: str) -> Key:
    """The key of one limit (`max_drop`, `max_relative_drop`) of a subject."""
    return subject.limits, limit, subject.measure.metric, subject.measure.group, subject.against


def assessed(subjects: Iterator[Subject], facts: Facts, rules: Evidence) -> Assessed:
    """The assessment of each limit on a drop, adjusted for all that ask for evidence."""
    asked = [one for subject in subjects for one in _asked(subject)]
    family = sum(one.is_required for one in asked)
    found = {
        one.key: _assessed(one, facts, rules, family if one.is_required else 1)
        for one in asked
        if one.is_required or one.subject.measure.group is None
    }
    members = {one.key: found[one.key] for one in asked if one.is_required}
    tested = {key: one for key, one in members.items() if isinstance(one, Assessment)}
    adjusted = _CORRECTIONS[rules.correction]([one.p for one in tested.values()])
    for (key, one), p in zip(tested.items(), adjusted, strict=True):
        found[key] = one.adjusted(p, rules.alpha)
    return found


def _asked(subject: Subject) -> Iterator[_Asked]:
    limits, measure = subject.limits, subject.measure
    if measure.is_series and limits.significance != "required":
        return
    if limits.max_drop is not None:
        yield _Asked(key=key_of(subject, "max_drop"), subject=subject, allowed=limits.max_drop)
    if limits.max_relative_drop is not None and measure.count:
        allowed = exact.multiply(limits.max_relative_drop, measure.baseline_sum.copy_abs()) / measure.count
        yield _Asked(key=key_of(subject, "max_relative_drop"), subject=subject, allowed=allowed)


def _assessed(asked: _Asked, facts: Facts, rules: Evidence, family: int) -> Assessment | Unassessed:
    measure, limits = asked.subject.measure, asked.subject.limits
    if measure.is_series:
        what = asked.subject.aggregate or "a series"
        return Unassessed(reason=f"{what} is one figure, not a mean of pairs", hint=_NO_EVIDENCE)
    if measure.count == 0:
        return Unassessed(reason="no record has it on both sides", hint="see the other findings")
    clusters = _clusters(asked.subject, facts)
    if isinstance(clusters, Unassessed):
        return clusters
    return assess(measure, limits, asked.allowed, clusters, rules, family)


def _clusters(subject: Subject, facts: Facts) -> Clusters | Unassessed | None:
    """The independent units, if they are not the pairs themselves."""
    measure, tag = subject.measure, subject.limits.cluster
    if tag is None:
        return _records(subject, facts)
    if subject.aggregate:
        return Unassessed(reason=f"{subject.aggregate} knows no clusters", hint="leave out `cluster`")
    if measure.group is not None:
        return Unassessed(reason=f"clusters by {tag} are not known within a slice", hint="leave out `cluster` there")
    parts = [one for one in facts.measures if one.metric == measure.metric and one.group and one.group[0] == tag]
    lacking = measure.count - sum(part.count for part in parts)
    if lacking:
        return Unassessed(
            reason=f"{lacking:,} of {measure.count:,} pairs are in no cluster: they have no declared tag {tag!r}",
            hint="tag every record, and declare the tag in the baseline's `slices`",
        )
    return [(part.count, exact.subtract(part.current_sum, part.baseline_sum)) for part in parts if part.count]


def _records(subject: Subject, facts: Facts) -> Clusters | Unassessed | None:
    """The records as units if one of them has several trials in it; None if each pair is a record of its own."""
    measure = subject.measure
    if subject.aggregate or not facts.changes.has_trials:
        return None  # one score a record already
    units = facts.whole.units.get((measure.metric, measure.group), ())
    if sum(count for count, _ in units) != measure.count:
        return Unassessed(reason="its repeats were not looked at", hint="please report this: it is not your fault")
    return None if len(units) == measure.count else units


def weighed(made: Check, subject: Subject, limit: str, found: Assessed, rules: Evidence) -> Check:
    """A check of a drop with its assessment; where evidence is required, with the answer that follows from it."""
    assessment = found.get(key_of(subject, limit))
    if isinstance(assessment, Assessment):
        made = replace(made, assessment=assessment)
    if subject.limits.significance != "required":
        return made
    broken = made.outcome is Outcome.BROKEN
    if assessment is None:
        assessment = Unassessed(reason=f"nothing is known of its pairs with the {subject.against}", hint=_NO_EVIDENCE)
    if isinstance(assessment, Unassessed):
        why = f"{subject.name}: its drop cannot be tested: {assessment.reason}"
        return _undecided(made, subject, why, assessment.hint)
    if broken and assessment.significant:
        return _told(made, f"p = {_shown(assessment, rules)}")
    if not assessment.could_show:
        why = f"{subject.name}: {_too_few(assessment)}; it changed by {assessment.estimate!r}"
        hint = "evaluate more records, or allow a larger drop"
        if assessment.power is None:
            hint = "declare a range for the metric: next to nothing differs, so nothing else says how far it can fall"
        return _undecided(made, subject, why, hint)
    if broken:
        why = f"{subject.name}: {made.why}; it is not shown to be more than noise (p = {_shown(assessment, rules)})"
        return _undecided(made, subject, why, "evaluate more records, or allow a larger drop")
    return made


def _told(made: Check, evidence: str) -> Check:
    """A broken check whose finding names its evidence."""
    findings = tuple(replace(one, message=f"{one.message}; {evidence}") for one in made.findings)
    return replace(made, why=f"{made.why}; {evidence}", findings=findings)


def _shown(assessment: Assessment, rules: Evidence) -> str:
    """p to three digits, or to as many as tell it from alpha."""
    texts = (f"{assessment.p_adjusted:.{digits}g}" for digits in (3, 6, 9))
    return next((text for text in texts if Decimal(text) != rules.alpha), repr(assessment.p_adjusted))


def _too_few(assessment: Assessment) -> str:
    units = f"{assessment.units:,} of them independent" if assessment.units != assessment.pairs else "all independent"
    least = "none" if assessment.detectable is None else f"{assessment.detectable:.4g} or more"
    chance = "an unknown chance" if assessment.power is None else f"a chance of {assessment.power:.2g}"
    return (
        f"{assessment.pairs:,} pairs ({units}) would show a drop as large as the limit with {chance};"
        f" drops they would show: {least}"
    )


def _undecided(made: Check, subject: Subject, why: str, hint: str) -> Check:
    finding = subject.finding(
        Rule.EVIDENCE, Level.INCONCLUSIVE, why, observed=made.observed, limit=made.limit, hint=hint
    )
    return replace(made, outcome=Outcome.UNDECIDED, why=why, findings=(finding,))


def _interval(measure: Measure, level: Decimal) -> Interval | None:
    """How sure the current value is: Wilson's for scores of 0 and 1, Student's for other means; none for one figure."""
    if measure.current_squares is None or measure.count == 0:
        return measure.interval
    try:
        if measure.is_binary:
            return intervals.proportion(int(measure.current_sum), measure.count, level)
        return intervals.mean(measure.count, measure.current_sum, measure.current_squares, level)
    except InvalidRunError:  # its ends are beyond every double
        return None
