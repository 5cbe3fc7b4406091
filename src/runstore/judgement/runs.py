"""Rules on the two runs as wholes: is there anything to judge, were they completed, is the current one a first try."""

from __future__ import annotations

from collections.abc import Iterator

from runstore.checks import Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, counted


def has_results(case: Case) -> Iterator[Check]:
    """An empty run is not a pass, and neither are two runs that share nothing."""
    counts = case.facts.counts
    has_series = any(measure.is_series for measure in case.facts.measures) or bool(case.facts.missing_steps)
    has_reason = counts.baseline > 0 or not has_series
    found, shared = [], []
    if counts.current == 0 and has_reason:
        found.append(
            Finding(
                rule=Rule.NO_RECORDS,
                level=Level.ERROR,
                message="the current run has no records",
                observed="0",
                hint="an evaluation that produced nothing is not a pass; look at its log",
            )
        )
    if counts.common == 0 and has_reason:
        shared.append(
            Finding(
                rule=Rule.NOTHING_COMPARED,
                level=Level.INCONCLUSIVE,
                message="baseline and current have no record in common",
                hint="the ids must be the same on both sides; see docs/importing.md on ids",
            )
        )
    why = "runs without records are compared by their series" if not has_reason else ""
    read = f"{counted(counts.current)} of the current run"
    yield check(Rule.NO_RECORDS, read, *found, why=why)
    yield check(Rule.NOTHING_COMPARED, f"{counted(counts.common)} in common", *shared, why=why)


def completed(case: Case) -> Iterator[Check]:
    """Both runs must have been completed."""
    before, after = case.facts.baseline.status, case.facts.current.status
    findings = []
    if after != "completed":
        findings.append(
            Finding(rule=Rule.RUN_STATUS, level=Level.ERROR, message=f"the current run was not completed: {after}")
        )
    if before != "completed":
        findings.append(
            Finding(
                rule=Rule.RUN_STATUS,
                level=Level.INCONCLUSIVE,
                message=f"the baseline was not completed: {before}",
                hint="commit a completed run as baseline",
            )
        )
    yield check(Rule.RUN_STATUS, f"status of the baseline: {before}; of the current run: {after}", *findings)


def notices(case: Case) -> Iterator[Check]:
    """What breaks nothing and a reader should know."""
    if case.facts.identical:
        finding = Finding(
            rule=Rule.IDENTICAL,
            level=Level.NOTICE,
            message="the current run is identical to the baseline, byte for byte",
            hint="was the evaluation really run again?",
        )
        yield check(Rule.IDENTICAL, "the digests of both runs", finding)
    attempt = case.facts.current.provenance.attempt
    if (attempt or 1) > 1:
        finding = Finding(rule=Rule.ATTEMPT, level=Level.NOTICE, message=f"this is attempt {attempt}")
        yield check(Rule.ATTEMPT, "the attempt that the current run states", finding)
