"""Comparisons that are not of two runs: of one about which there is only one thing to say, and of many put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runstore.checks import Check, check, findings_of
from runstore.comparison import Comparison, RunPair, pair_of
from runstore.errors import InvalidDataError
from runstore.facts import Counts
from runstore.findings import Finding, Level, Rule, verdict
from runstore.judgement import combined
from runstore.policy import Policy
from runstore.store.reader import Run


def _unjudged(check: Check, policy: Policy, pair: RunPair) -> Comparison:
    """The comparison of a run about which there is only one thing to say."""
    return Comparison(
        verdict=verdict([finding.level for finding in check.findings]),
        policy=policy,
        counts=Counts(),
        findings=list(check.findings),
        checks=[check],
        runs=[pair],
    )


def invalid(
    error: InvalidDataError, policy: Policy, path: str = "", *, baseline: Run | None = None, current: Run | None = None
) -> Comparison:
    """The comparison of a run that is not what it claims to be: nothing was judged.

    `baseline`, `current`: the runs whose manifest could be read, so that the report says which they claim to be.
    """
    message = f"{error.where}: {error.message}" if error.where else error.message
    finding = Finding(rule=Rule.INVALID_RUN, level=Level.INVALID, message=message, hint=error.hint or None)
    return _unjudged(check(Rule.INVALID_RUN, "both runs", finding).at(path), policy, pair_of(baseline, current, path))


def missing(path: str, policy: Policy) -> Comparison:
    """The comparison of a baseline that has no current run beside it."""
    finding = Finding(
        rule=Rule.RUN_MISSING,
        level=Level.ERROR,
        message=f"the baseline has a run {path!r}; the current side has none",
        hint="run it again, or remove it from the baseline in a change of its own",
    )
    return _unjudged(check(Rule.RUN_MISSING, "the current side", finding).at(path), policy, RunPair(path=path))


def unexpected(path: str, policy: Policy) -> Comparison:
    """The comparison of a current run that has no baseline: nothing was judged, and it says so."""
    finding = Finding(
        rule=Rule.RUN_ADDED,
        level=Level.NOTICE,
        message=f"run {path!r} has no baseline and was not judged",
        hint="commit it as a baseline to have it judged",
    )
    return _unjudged(check(Rule.RUN_ADDED, "the baseline side", finding).at(path), policy, RunPair(path=path))


def together(parts: Sequence[tuple[str, Comparison]], policy: Policy) -> Comparison:
    """The comparison of a suite from those of its runs, each with its relative path."""
    counts = Counts(
        **{name: sum(getattr(part.counts, name) for _, part in parts) for name in Counts.__dataclass_fields__}
    )
    checks = combined([(path, part.checks) for path, part in parts])
    findings = findings_of(checks)
    return Comparison(
        verdict=verdict([finding.level for finding in findings]),
        policy=policy,
        counts=counts,
        findings=findings,
        checks=checks,
        measures=[(path, measure) for path, part in parts for _, measure in part.measures],
        changes=[(path, change) for path, part in parts for _, change in part.changes],
        runs=[replace(pair, path=path) for path, part in parts for pair in part.runs],
        curves=[(path, curve) for path, part in parts for _, curve in part.curves],
    )
