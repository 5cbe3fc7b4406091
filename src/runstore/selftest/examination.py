"""The examination: a baseline and a way to judge in; every damage judged, and whether the gate saw it, out.

`judge` is the comparison that `gate compare` makes, with the policy that is in force. Pure: no clock, no folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runstore import composition
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError
from runstore.findings import Finding, Level, Rule, Verdict
from runstore.known_runs import KnownRuns
from runstore.policy import Policy
from runstore.selftest import file_damages, limit_damages, record_damages, run_damages, slice_damages, volatile_damages
from runstore.selftest.lab import Case, Damage, Expectation, Found, Lab, Skipped
from runstore.selftest.leeway import Leeway, leeways
from runstore.selftest.specimen import Specimen, take
from runstore.store.reader import Run
from runstore.verification import Progress, VerifiedRuns, no_progress

Judge = Callable[[Run, Run, VerifiedRuns], Comparison]
"""(Baseline, current, what is known to be sound) → comparison. An InvalidDataError is the verdict INVALID."""

DAMAGES: dict[str, Damage] = {
    "run": run_damages.damages,
    "files": file_damages.damages,
    "records": record_damages.damages,
    "limits": limit_damages.damages,
    "slices": slice_damages.damages,
    "volatile": volatile_damages.damages,
}
"""Every family of damages, in the order in which they are tried and told."""

_REASONS = (Level.INVALID, Level.ERROR, Level.REVIEW, Level.INCONCLUSIVE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One damaged copy, judged: what was expected, the verdict, and the rules that gave it."""

    name: str
    what: str
    expected: Expectation
    verdict: Verdict
    rules: Sequence[str]
    seen: bool
    """Whether the gate did what is expected of it."""
    rule: Rule | None = None
    metric: str | None = None
    slice: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """Everything that was tried on one baseline."""

    policy: str
    run_id: str
    records: int
    examined: int
    trials: Sequence[Trial]
    skipped: Sequence[Skipped]
    leeways: Sequence[Leeway]
    path: str = ""

    @property
    def fooled(self) -> list[Trial]:
        """The trials in which the gate did not do what it has to."""
        return [trial for trial in self.trials if not trial.seen]

    @property
    def let_through(self) -> list[Trial]:
        """The damages that this policy allows, and that passed."""
        passed = [trial for trial in self.trials if trial.expected is Expectation.OPEN]
        return [trial for trial in passed if trial.verdict is Verdict.PASS]

    @property
    def verdict(self) -> Verdict:
        """FAIL if the gate was fooled, INCONCLUSIVE if nothing could be damaged."""
        if self.fooled:
            return Verdict.FAIL
        return Verdict.PASS if any(trial.expected is Expectation.RED for trial in self.trials) else Verdict.INCONCLUSIVE


class _Bench:
    """Where copies are judged: the specimen on one side, a copy on the other."""

    def __init__(self, specimen: Specimen, judge: Judge, policy: Policy) -> None:
        self._specimen = specimen
        self._judge = judge
        self._policy = policy
        self._verified = KnownRuns()
        self._baseline = specimen.run(specimen.copy(), "baseline")

    def compare(self, files: Mapping[str, bytes], volatile: Mapping[str, bytes] | None = None) -> Comparison:
        """The comparison of the specimen with a run of these files."""
        try:
            return self._judge(self._baseline, self._specimen.run(files, "current", volatile), self._verified)
        except InvalidDataError as error:
            return composition.invalid(error, self._policy)

    def passes(self, files: Mapping[str, bytes]) -> bool:
        """Whether the gate is green."""
        return self.compare(files).verdict is Verdict.PASS


def examine(run: Run, policy: Policy, judge: Judge, *, path: str = "", progress: Progress = no_progress) -> Examination:
    """Damage copies of a run in every way there is, and judge each.

    Raises InvalidDataError if the run is not what it claims to be, PolicyError if a rule selects nothing in it.
    """
    specimen = take(run, progress)
    bench = _Bench(specimen, judge, policy)
    volatile = run.volatile_measures() if policy.volatile else {}
    lab = Lab(specimen, policy, bench.compare(specimen.copy()), volatile)
    found: list[Trial | Skipped] = [
        _tried(one, bench) if isinstance(one, Case) else one for one in _damages(lab, progress)
    ]
    return Examination(
        policy=policy.origin,
        run_id=run.manifest.run_id,
        records=run.record_count,
        examined=len(specimen.rows),
        trials=[one for one in found if isinstance(one, Trial)],
        skipped=[*(one for one in found if isinstance(one, Skipped)), *_not_tried(policy)],
        leeways=list(leeways(lab, bench.passes)),
        path=path,
    )


def _not_tried(policy: Policy) -> Iterator[Skipped]:
    if policy.reference is not None:
        why = "drops since the pinned reference are judged with every copy, and not tried one by one"
        yield Skipped(name="reference", why=why)


def _damages(lab: Lab, progress: Progress) -> Iterator[Case | Skipped]:
    for family, damage in DAMAGES.items():
        yield from _made(family, damage(lab), progress)


def _made(family: str, found: Found, progress: Progress) -> Iterator[Case | Skipped]:
    """The damages of a family, up to one that gives no run: that is told, and not taken for a pass."""
    try:
        for one in found:
            progress(1)
            yield one
    except InvalidDataError as error:
        yield Skipped(name=family, why=f"the next one of this family could not be made: {error.message}")


def _tried(case: Case, bench: _Bench) -> Trial:
    result = bench.compare(case.files, case.volatile)
    reasons = [finding for finding in result.findings if finding.level in _REASONS]
    return Trial(
        name=case.name,
        what=case.what,
        expected=case.expected,
        verdict=result.verdict,
        rules=list(dict.fromkeys(finding.rule.value for finding in reasons)),
        seen=_is_seen(case, result.verdict, reasons),
        rule=case.rule,
        metric=case.metric,
        slice=case.slice,
    )


def _is_seen(case: Case, verdict: Verdict, reasons: Sequence[Finding]) -> bool:
    named = any(_is_about(finding, case) for finding in reasons)
    match case.expected:
        case Expectation.GREEN:
            return verdict is Verdict.PASS
        case Expectation.RED:
            return verdict is not Verdict.PASS and (case.rule is None or named)
        case Expectation.HOLDS:
            return not named
        case Expectation.OPEN:
            return True


def _is_about(finding: Finding, case: Case) -> bool:
    """Whether a finding is what a case looks for: its rule, and of a limit on a mean, its metric and slice."""
    if finding.rule is not case.rule:
        return False
    if case.name not in ("at-limit", "past-limit"):
        return True
    return finding.metric == case.metric and finding.slice == case.slice
