"""Comparing two runs: the page that tells the whole program.

A baseline is verified once and remembered; then both runs are joined by key, what differs is checked and classified,
the totals are moved from baseline to current and held against what the current run claims, and the policy judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runstore import measures, summary, verification
from runstore.change import Change, ChangeClass
from runstore.changes import Changes, Lens
from runstore.errors import InvalidDataError
from runstore.facts import Counts, Facts
from runstore.findings import Finding, Level, Rule, Verdict, verdict
from runstore.judgement import check_selections, judge
from runstore.manifest import Manifest, MetricDeclaration
from runstore.measures import Measure
from runstore.parallel import differences
from runstore.policy import Policy
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
    measures: Sequence[tuple[str, Measure]] = ()
    """(Relative path of the run, measure)."""
    changes: Sequence[tuple[str, Change]] = ()
    """(Relative path of the run, record that differs); of each class the worst, up to a limit."""
    runs: Sequence[RunPair] = field(default_factory=tuple)


def compare(
    baseline: Run,
    current: Run,
    policy: Policy,
    *,
    verified: VerifiedRuns | None = None,
    limit: int = DEFAULT_LIMIT,
    elsewhere: Collection[str] = (),
    progress: Progress = no_progress,
) -> Comparison:
    """Compare a run with its baseline under a policy.

    `elsewhere`: metrics of other runs of the suite, which a rule may be meant for. `limit` is how many records of each
    class are kept for the reports; counts and verdict do not depend on it.
    Raises InvalidDataError if a run is not what it claims to be, PolicyError if a rule selects nothing.
    """
    check_selections(policy, {*baseline.manifest.metrics, *current.manifest.metrics, *elsewhere})
    before = _trusted_totals(baseline, verified or VerifiedRuns(None), progress)
    declared = _declared(baseline.manifest, policy)
    lens = Lens(
        declared=_carried(declared, before),
        ranges=current.manifest.ranges,
        slices=baseline.manifest.slices,
        strict=policy.without_drop_limit(declared),
        limit=limit,
    )
    changes, equal = differences(baseline, current, lens, progress)
    after = _checked_totals(current, baseline, before, changes)
    facts = _facts(baseline, current, declared, changes, _counts(changes, equal, before, after), before, after)
    return _judged(facts, policy, _pair(baseline, current))


def _facts(
    baseline: Run,
    current: Run,
    declared: Mapping[str, MetricDeclaration],
    changes: Changes,
    counts: Counts,
    before: Tally,
    after: Tally,
) -> Facts:
    """What was observed, put together for the rules."""
    old, new = _figures(baseline, declared), _figures(current, {**current.manifest.metrics, **declared})
    found = [*measures.of_records(before, changes, declared), *measures.of_series(old, new, declared)]
    compared = {measure.metric for measure in found}
    return Facts(
        baseline=baseline.manifest,
        current=current.manifest,
        counts=counts,
        measures=found,
        changes=changes,
        totals=after,
        only_current=list(measures.of_current(after, new, compared, current.manifest.metrics)),
        lost_series=sorted(old.keys() - new.keys(), key=str.encode),
        identical=baseline.digest == current.digest,
    )


def _judged(facts: Facts, policy: Policy, pair: RunPair) -> Comparison:
    findings = list(judge(facts, policy))
    return Comparison(
        verdict=verdict([finding.level for finding in findings]),
        policy=policy,
        counts=facts.counts,
        findings=findings,
        measures=[("", measure) for measure in facts.measures],
        changes=[("", change) for kind in ChangeClass for change in facts.changes.kept[kind].sorted()],
        runs=[pair],
    )


def _pair(baseline: Run, current: Run) -> RunPair:
    return RunPair(
        baseline=baseline.manifest,
        current=current.manifest,
        baseline_digest=baseline.digest,
        current_digest=current.digest,
    )


def _trusted_totals(baseline: Run, verified: VerifiedRuns, progress: Progress) -> Tally:
    """The totals of a baseline that has been verified in full, now or before."""
    if baseline not in verified:
        verification.verify(baseline, progress)
        verified.remember(baseline)
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


def _figures(run: Run, declared: Mapping[str, MetricDeclaration]) -> dict[str, int | float]:
    return measures.figures(run.points(), declared)


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


def invalid(error: InvalidDataError, policy: Policy, path: str = "") -> Comparison:
    """The comparison of a run that is not what it claims to be: nothing was judged."""
    message = f"{error.where}: {error.message}" if error.where else error.message
    finding = Finding(rule=Rule.INVALID_RUN, level=Level.INVALID, message=message, hint=error.hint or None, run=path)
    return Comparison(
        verdict=Verdict.INVALID, policy=policy, counts=Counts(), findings=[finding], runs=[RunPair(path=path)]
    )


def missing(path: str, policy: Policy) -> Comparison:
    """The comparison of a baseline that has no current run beside it."""
    finding = Finding(
        rule=Rule.RUN_MISSING,
        level=Level.ERROR,
        message=f"the baseline has a run {path!r}; the current side has none",
        run=path,
        hint="run it again, or remove it from the baseline in a change of its own",
    )
    return Comparison(
        verdict=Verdict.FAIL, policy=policy, counts=Counts(), findings=[finding], runs=[RunPair(path=path)]
    )


def unexpected(path: str, policy: Policy) -> Comparison:
    """The comparison of a current run that has no baseline: nothing was judged, and it says so."""
    finding = Finding(
        rule=Rule.RUN_ADDED,
        level=Level.NOTICE,
        message=f"run {path!r} has no baseline and was not judged",
        run=path,
        hint="commit it as a baseline to have it judged",
    )
    return Comparison(
        verdict=Verdict.PASS, policy=policy, counts=Counts(), findings=[finding], runs=[RunPair(path=path)]
    )


def together(parts: Sequence[tuple[str, Comparison]], policy: Policy) -> Comparison:
    """The comparison of a suite from those of its runs, each with its relative path."""
    counts = Counts(
        **{name: sum(getattr(part.counts, name) for _, part in parts) for name in Counts.__dataclass_fields__}
    )
    findings = [finding.at(path) for path, part in parts for finding in part.findings]
    return Comparison(
        verdict=verdict([finding.level for finding in findings]),
        policy=policy,
        counts=counts,
        findings=findings,
        measures=[(path, measure) for path, part in parts for _, measure in part.measures],
        changes=[(path, change) for path, part in parts for _, change in part.changes],
        runs=[replace(pair, path=path) for path, part in parts for pair in part.runs],
    )
