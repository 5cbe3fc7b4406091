"""Comparing two runs: the page that tells the whole program.

A baseline is verified once and remembered; then both runs are joined by key, what differs is checked and classified,
the totals are moved from baseline to current and held against what the current run claims, and the policy judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib import import_module

from runstore import curves, exact, figures, measures, presence, summary, verification
from runstore.change import Change, ChangeClass
from runstore.changes import Changes, Lens
from runstore.checks import Check, findings_of
from runstore.curves import Curve
from runstore.facts import Counts, Facts, MissingStep, Pinned, Whole
from runstore.figures import Figures
from runstore.findings import Finding, Verdict, verdict
from runstore.judgement import NO_DAY, check_selections, check_suites, judge
from runstore.manifest import Manifest, MetricDeclaration
from runstore.measures import Measure
from runstore.parallel import differences
from runstore.policy import Policy
from runstore.policy.model import MetricRule
from runstore.shape import ShapeError
from runstore.store.reader import Run
from runstore.summary import Tally
from runstore.verification import Progress, VerifiedRuns, no_progress

DEFAULT_LIMIT = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPair:
    """The two runs of one relative path; `path` is empty when two runs, not two suites, were compared."""

    path: str = ""
    baseline: Manifest | None = None
    current: Manifest | None = None
    baseline_digest: str | None = None
    current_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What comparing a run, or a suite of runs, with its baseline gave. A value: no clock, no folder, no host."""

    verdict: Verdict
    policy: Policy
    counts: Counts
    findings: Sequence[Finding]
    """Those of the checks, in their order."""
    checks: Sequence[Check] = ()
    """Everything that was asked, and the answers."""
    measures: Sequence[tuple[str, Measure]] = ()
    """(Relative path of the run, measure)."""
    changes: Sequence[tuple[str, Change]] = ()
    """(Relative path of the run, record that differs); of each class the worst, up to a limit."""
    runs: Sequence[RunPair] = field(default_factory=tuple)
    curves: Sequence[tuple[str, Curve]] = ()
    """(Relative path of the run, series of it)."""


def compare(
    baseline: Run,
    current: Run,
    policy: Policy,
    *,
    reference: Run | None = None,
    today: date = NO_DAY,
    verified: VerifiedRuns | None = None,
    limit: int = DEFAULT_LIMIT,
    progress: Progress = no_progress,
) -> Comparison:
    """Compare a run with its baseline under a policy.

    `reference`: the run that the policy pins; `today`: the day by which waivers expire, without one all have. `limit`
    is how many records of each class are kept for the reports; counts and verdict do not depend on it.
    Raises InvalidDataError if a run is not what it claims to be, PolicyError if a rule selects nothing.
    """
    check_suites(policy, [])
    check_selections(
        policy,
        {*baseline.manifest.metrics, *current.manifest.metrics},
        baseline.manifest.slices,
        reference.manifest.metrics if reference else (),
    )
    return compare_checked(
        baseline, current, policy, reference=reference, today=today, verified=verified, limit=limit, progress=progress
    )


def compare_checked(
    baseline: Run,
    current: Run,
    policy: Policy,
    *,
    reference: Run | None = None,
    today: date = NO_DAY,
    verified: VerifiedRuns | None = None,
    limit: int = DEFAULT_LIMIT,
    progress: Progress = no_progress,
) -> Comparison:
    """`compare`, of runs of which it is known that the policy selects something in them, or in others of a suite."""
    verified = verified or VerifiedRuns(None)
    before = _trusted_totals(baseline, verified, progress)
    declared = _declared(baseline.manifest, policy)
    lens = Lens(
        declared=_carried(declared, before),
        ranges=current.manifest.ranges,
        slices=baseline.manifest.slices,
        strict=policy.without_drop_limit(declared),
        limit=limit,
        watched=frozenset(map(str.encode, _named_records(policy))),
        sampled=frozenset(_sampled(declared, policy)),
    )
    changes, equal = differences(baseline, current, lens, progress)
    changes.has_trials |= verified.has_trials(baseline)
    after = _checked_totals(current, baseline, before, changes)
    facts = _facts(baseline, current, policy, changes, _counts(changes, equal, before, after), before, after)
    if reference is not None and policy.reference is not None:
        facts = replace(facts, pinned=_pinned(reference, current, policy, facts, baseline, verified, progress))
    judged = _judged(facts, policy, today, pair_of(baseline, current))
    drawn = curves.between(baseline.points(), current.points(), facts.baseline.metrics, facts.current.metrics)
    return replace(judged, curves=[("", curve) for curve in drawn])


def _sampled(declared: Collection[str], policy: Policy) -> Iterator[tuple[str, str | None]]:
    """(Metric, tag or None) for which a rule may ask the sign-flip test, which needs each difference."""
    for name in declared:
        rule = policy.rule_for(name)
        if rule and rule.limits.limits_drop and rule.limits.may_permute:
            yield name, None
        for part in policy.slices:
            if part.limits.significance == "required" and part.limits.may_permute and fnmatchcase(name, part.metric):
                yield name, part.tag


def _named_records(policy: Policy) -> frozenset[str]:
    """The ids that waivers and the quarantine name."""
    quarantined = policy.quarantine.records if policy.quarantine else ()
    waived = {waiver.record for waiver in policy.waivers if waiver.record is not None}
    return frozenset(waived | {entry.record for entry in quarantined})


def _facts(
    baseline: Run, current: Run, policy: Policy, changes: Changes, counts: Counts, before: Tally, after: Tally
) -> Facts:
    """What was observed, put together for the rules."""
    declared = _declared(baseline.manifest, policy)
    old = figures.of_run(baseline, declared, policy)
    new = figures.of_run(current, {**current.manifest.metrics, **declared}, policy)
    found = [
        *measures.of_records(before, changes, declared),
        *measures.of_series(old.values, new.values, declared),
    ]
    compared = {measure.metric for measure in found}
    whole = _whole(baseline, current, declared, before, policy, changes)
    return Facts(
        baseline=baseline.manifest,
        current=current.manifest,
        counts=counts,
        measures=found,
        changes=changes,
        baseline_totals=before,
        totals=after,
        only_current=list(measures.of_current(after, new.values, compared, current.manifest.metrics)),
        lost_series=sorted(old.values.keys() - new.values.keys(), key=str.encode),
        whole=whole,
        missing_steps=[*_steps(old, in_baseline=True), *_steps(new, in_baseline=False)],
        absent=_absent(baseline, policy, changes),
        volatile=(baseline.volatile_measures(), current.volatile_measures()) if policy.volatile else ({}, {}),
        identical=baseline.digest == current.digest,
    )


def _whole(
    baseline: Run,
    current: Run,
    declared: Mapping[str, MetricDeclaration],
    before: Tally,
    policy: Policy,
    changes: Changes,
) -> Whole:
    """What rules ask that only a reading of every pair can tell; nothing is read if there is none."""
    rules = {name: policy.rule_for(name) or MetricRule(pattern=name) for name in before.metrics}
    aggregates = {name: rule.aggregate for name, rule in rules.items() if rule.aggregate not in (None, "mean")}
    units_of = frozenset(_nested(rules, policy)) if changes.has_trials else frozenset()
    if not aggregates and not units_of:
        return Whole()
    found: Whole = import_module("runstore.trials").read_whole(
        baseline, current, declared, aggregates, units_of, exact.subtract(Decimal(1), policy.evidence.alpha)
    )
    return found


def _nested(rules: Mapping[str, MetricRule], policy: Policy) -> Iterator[str]:
    """Metrics of which evidence is asked, with the repeats of a record as one unit."""
    for name, rule in rules.items():
        parts = (part.limits for part in policy.slices if fnmatchcase(name, part.metric))
        if any(one.significance == "required" and one.cluster is None for one in (rule.limits, *parts)):
            yield name


def _steps(found: Figures, *, in_baseline: bool) -> list[MissingStep]:
    return [MissingStep(metric=name, step=step, in_baseline=in_baseline) for name, step in found.missing.items()]


def _absent(baseline: Run, policy: Policy, changes: Changes) -> frozenset[str]:
    """Those of the ids that the policy names which neither run has: what the current run alone has is a change."""
    names = _named_records(policy)
    if not names:
        return frozenset()
    return presence.absent(baseline, names - {key[0].decode() for key in changes.watched})


def _pinned(
    reference: Run,
    current: Run,
    policy: Policy,
    facts: Facts,
    baseline: Run,
    verified: VerifiedRuns,
    progress: Progress,
) -> Pinned:
    """The current run, which has been checked, beside the pinned reference, which is verified as a baseline is."""
    if reference.digest == baseline.digest:
        return Pinned(manifest=facts.baseline, measures=facts.measures)
    before = _trusted_totals(reference, verified, progress)
    declared = _declared(reference.manifest, policy)
    lens = Lens(declared=_carried(declared, before), ranges=current.manifest.ranges, limit=0)
    changes, _ = differences(reference, current, lens, progress)
    old = figures.of_run(reference, declared, policy)
    new = figures.of_run(current, {**current.manifest.metrics, **declared}, policy)
    of_records = measures.of_records(_without_slices(before), changes, declared)
    return Pinned(
        manifest=reference.manifest,
        measures=[*of_records, *measures.of_series(old.values, new.values, declared)],
    )


def _without_slices(tally: Tally) -> Tally:
    whole = Tally()
    whole.status, whole.metrics = tally.status, tally.metrics
    return whole


def _judged(facts: Facts, policy: Policy, today: date, pair: RunPair) -> Comparison:
    checks = list(judge(facts, policy, today))
    findings = findings_of(checks)
    return Comparison(
        verdict=verdict([finding.level for finding in findings]),
        policy=policy,
        counts=facts.counts,
        findings=findings,
        checks=checks,
        measures=[("", measure) for measure in facts.measures],
        changes=[("", change) for kind in ChangeClass for change in facts.changes.kept[kind].sorted()],
        runs=[pair],
    )


def pair_of(baseline: Run | None, current: Run | None, path: str = "") -> RunPair:
    """What a comparison says of two runs, or of the one whose manifest could be read."""
    return RunPair(
        path=path,
        baseline=baseline.manifest if baseline else None,
        current=current.manifest if current else None,
        baseline_digest=baseline.digest if baseline else None,
        current_digest=current.digest if current else None,
    )


def _trusted_totals(baseline: Run, verified: VerifiedRuns, progress: Progress) -> Tally:
    """The totals of a baseline that has been verified in full, now or before."""
    if baseline not in verified:
        verified.remember(baseline, has_trials=verification.verify(baseline, progress))
    else:
        verification.check_artifacts(baseline)
    try:
        return summary.from_json(baseline.document("summary.json"))[0]
    except ShapeError as error:
        raise baseline.located(error, "summary.json") from error


def _checked_totals(current: Run, baseline: Run, before: Tally, changes: Changes) -> Tally:
    """The totals of the current run, moved from the baseline's, and held against what the run claims."""
    same_slices = list(current.manifest.slices) == list(baseline.manifest.slices)
    if same_slices and _allows_all_of(baseline.manifest, current.manifest):
        after = changes.moved(before)
    else:  # a line that is equal to a verified one may break what the current manifest declares
        after = verification.derive(current)
    points = Counter(point.name for point in current.points())
    verification.check_summary(current, after, points)
    verification.check_artifacts(current)
    return after


def _allows_all_of(baseline: Manifest, current: Manifest) -> bool:
    """Whether every score that the baseline's declarations allow is allowed by the current ones."""
    allowed = current.ranges
    return all(
        name in allowed and allowed[name][0] <= low and high <= allowed[name][1]
        for name, (low, high) in baseline.ranges.items()
    )


def _declared(baseline: Manifest, policy: Policy) -> dict[str, MetricDeclaration]:
    """The baseline's metrics, with the directions that the policy sets."""
    declared = {}
    for name, metric in baseline.metrics.items():
        rule = policy.rule_for(name)
        direction = rule.direction if rule and rule.direction else metric.direction
        declared[name] = replace(metric, direction=direction)
    return declared


def _carried(declared: Mapping[str, MetricDeclaration], tally: Tally) -> dict[str, MetricDeclaration]:
    return {name: metric for name, metric in declared.items() if name in tally.metrics}


def _counts(changes: Changes, equal: int, before: Tally, after: Tally) -> Counts:
    of = changes.counts
    differing = of[ChangeClass.REGRESSED] + of[ChangeClass.IMPROVED] + of[ChangeClass.CHANGED]
    return Counts(
        baseline=before.records,
        current=after.records,
        common=equal + differing,
        added=of[ChangeClass.ADDED],
        removed=of[ChangeClass.REMOVED],
        regressed=of[ChangeClass.REGRESSED],
        improved=of[ChangeClass.IMPROVED],
        changed=of[ChangeClass.CHANGED],
        unchanged=equal,
        newly_errored=changes.newly["error"],
        newly_skipped=changes.newly["skipped"],
        lost_scores=changes.lost_scores,
    )
