"""The calibration of a gate: runs of the same code and a policy in; noise, false alarms and limits that fit, out.

Pure: no clock, no folder, no randomness but a hash of the runs' digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from runstore import verification
from runstore.calibration.alarms import Ruled, alarms, excused, not_modelled, ruled
from runstore.calibration.draws import Drawn, Urn
from runstore.calibration.noise import Noise, listen
from runstore.calibration.proposals import Proposal, applied, proposals
from runstore.calibration.spread import Flaky, Spread, flaky, spreads
from runstore.comparison import Comparison
from runstore.evidence import intervals
from runstore.evidence.results import Interval
from runstore.findings import Level, Rule, Verdict
from runstore.known_runs import KnownRuns
from runstore.policy import Policy
from runstore.store.reader import Run
from runstore.verification import Progress, VerifiedRuns, no_progress

LEVEL = Decimal("0.95")
"""Of the intervals of rates."""
MOST_SLICES = 200
_APART = (Rule.COMPARABILITY, Rule.METRIC_DECLARATION, Rule.METRIC_MISSING, Rule.NO_RECORDS, Rule.RUN_STATUS)
_REASONS = (Level.INVALID, Level.ERROR, Level.REVIEW, Level.INCONCLUSIVE)

Judge = Callable[[Run, Run, VerifiedRuns], Comparison]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How often a gate refuses what is no worse. `by`: place in the policy, or rule → alarms it had part in."""

    alarms: int
    of: int
    interval: Interval | None
    by: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What several runs of the same code say about a gate."""

    policy: str
    alpha: Decimal
    records: int
    labels: Sequence[str]
    digests: Sequence[str]
    spreads: Sequence[Spread]
    flaky: Sequence[Flaky]
    real: Rate
    """Of every ordered pair of the runs. The pairs share runs, so there is no interval."""
    drawn: Rate
    proposals: Sequence[Proposal]
    proposed: Rate
    """Of the policy with the proposals, on pairs that they were not made from."""
    not_modelled: Sequence[str]

    @property
    def equal_runs(self) -> bool:
        """Whether two of the runs are the same, byte for byte: then one of them says nothing new."""
        return len(set(self.digests)) < len(self.digests)


@dataclass(frozen=True, kw_only=True, slots=True)
class Apart:
    """Why runs cannot be calibrated with each other."""

    policy: str
    reasons: Sequence[str]


def calibrate(
    runs: Sequence[Run],
    policy: Policy,
    judge: Judge,
    *,
    alpha: Decimal,
    resamples: int,
    progress: Progress = no_progress,
) -> Calibration | Apart:
    """Calibrate a gate by two or more runs of the same code on the same records.

    Raises InvalidDataError if a run is not what it claims to be, PolicyError if a rule selects nothing.
    """
    verified = KnownRuns()
    for run in runs:
        verified.remember(run, has_trials=verification.verify(run, progress))
    pairs = [(a, b) for a in runs for b in runs if a is not b]
    judged = [judge(before, after, verified) for before, after in pairs]
    if reasons := _apart(runs, pairs, judged):
        return Apart(policy=policy.origin, reasons=reasons)
    noise = listen(runs, policy)
    rules = ruled(policy, noise)
    first, second = _drawn(noise, policy, rules, resamples)
    found = proposals(noise, first, policy, alpha)
    better = applied(policy, found)
    return Calibration(
        policy=policy.origin,
        alpha=alpha,
        records=noise.records,
        labels=[run.label for run in runs],
        digests=noise.digests,
        spreads=list(spreads(noise, policy.evidence.alpha, policy.evidence.power, MOST_SLICES)),
        flaky=flaky(noise),
        real=_real(judged),
        drawn=_rate(first, policy, rules, noise),
        proposals=found,
        proposed=_rate(second, better, ruled(better, noise), noise),
        not_modelled=not_modelled(policy),
    )


def _apart(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]], judged: Sequence[Comparison]) -> list[str]:
    """What the comparisons with the first run say against taking all for runs of the same."""
    found: list[str] = []
    for (before, after), result in zip(pairs, judged, strict=True):
        if before is not runs[0]:
            continue
        counts = result.counts
        found += [
            f"{after.label}: {one.message}" for one in result.findings if one.rule in _APART and one.level in _REASONS
        ]
        if counts.added or counts.removed or not counts.common:
            found.append(
                f"{after.label} has other records than {before.label}: {counts.added:,} more, {counts.removed:,} fewer"
            )
    return found


def _drawn(noise: Noise, policy: Policy, rules: Sequence[Ruled], resamples: int) -> tuple[list[Drawn], list[Drawn]]:
    """Pairs to judge and to propose by, and others to try the proposals on."""
    wanted = {(metric, group): None for metric, group, _ in rules} | {(metric, None): None for metric in noise.declared}
    urn = Urn(noise, list(wanted), policy.without_drop_limit(noise.declared), excused(policy))
    return list(urn.draw("alarms", resamples)), list(urn.draw("proposals", resamples))


def _rate(drawn: Sequence[Drawn], policy: Policy, rules: Sequence[Ruled], noise: Noise) -> Rate:
    found = [frozenset(alarms(one, policy, rules, noise)) for one in drawn]
    refused = sum(map(bool, found))
    interval = intervals.clopper_pearson(refused, len(found), LEVEL) if found else None
    return Rate(alarms=refused, of=len(found), interval=interval, by=_counted(found))


def _real(judged: Sequence[Comparison]) -> Rate:
    reasons = [frozenset(one.rule.value for one in result.findings if one.level in _REASONS) for result in judged]
    refused = sum(result.verdict is not Verdict.PASS for result in judged)
    return Rate(alarms=refused, of=len(judged), interval=None, by=_counted(reasons))


def _counted(found: Iterable[frozenset[str]]) -> dict[str, int]:
    counts = Counter(name for names in found for name in names)
    return {name: counts[name] for name in sorted(counts)}
