"""Findings: what a gate has to say, as data. How they look is the business of the reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Verdict(Enum):
    """The word of the gate. Its value is the exit code; see docs/adr/0003-exit-codes.md."""

    PASS = 0
    FAIL = 1
    INVALID = 3
    REVIEW = 4
    INCONCLUSIVE = 5


class Level(Enum):
    """How much a finding weighs: the verdict it leads to by itself."""

    INVALID = "invalid"
    ERROR = "error"
    REVIEW = "review"
    INCONCLUSIVE = "inconclusive"
    WARNING = "warning"
    NOTICE = "notice"


class Rule(Enum):
    """Every rule by its stable slug, with what it holds. The slug is used wherever a rule is named."""

    INVALID_RUN = "invalid-run"
    CLAIMS = "claims"
    POLICY_EDITED = "policy-edited"
    GITATTRIBUTES = "gitattributes"
    PROVENANCE = "provenance"
    MAX_REGRESSED = "max-regressed"
    MAX_REMOVED = "max-removed"
    MAX_ADDED = "max-added"
    MAX_ERRORS = "max-errors"
    MAX_SKIPPED = "max-skipped"
    MAX_LOST_SCORES = "max-lost-scores"
    MAX_CHANGED = "max-changed"
    MAX_DROP = "max-drop"
    MAX_RELATIVE_DROP = "max-relative-drop"
    MIN = "min"
    MAX = "max"
    MIN_RECORDS = "min-records"
    REFERENCE_DROP = "reference-drop"
    VOLATILE_MISSING = "volatile-missing"
    SLICE_MISSING = "slice-missing"
    SLICE_ADDED = "slice-added"
    METRIC_MISSING = "metric-missing"
    METRIC_DECLARATION = "metric-declaration"
    NO_RECORDS = "no-records"
    NOTHING_COMPARED = "nothing-compared"
    RUN_MISSING = "run-missing"
    RUN_ADDED = "run-added"
    RUN_STATUS = "run-status"
    COMPARABILITY = "comparability"
    WAIVED = "waived"
    EVIDENCE = "evidence"
    WAIVER_EXPIRED = "waiver-expired"
    WAIVER_UNUSED = "waiver-unused"
    WAIVER_BROAD = "waiver-broad"
    QUARANTINED = "quarantined"
    QUARANTINE_EXPIRED = "quarantine-expired"
    QUARANTINE_UNUSED = "quarantine-unused"
    IDENTICAL = "identical"
    ATTEMPT = "attempt"


EXPLANATIONS = {
    Rule.INVALID_RUN: "a run is what it claims to be: canonical, valid, complete",
    Rule.CLAIMS: "the change does not edit the baseline that it is judged by",
    Rule.POLICY_EDITED: "the change does not edit the policy that it is judged by",
    Rule.GITATTRIBUTES: "the change does not hide the diff of the baseline or of the policy",
    Rule.PROVENANCE: "the current run was made from the commit that is expected, without edits",
    Rule.MAX_REGRESSED: "no more records than allowed got worse",
    Rule.MAX_REMOVED: "no more records than allowed went missing",
    Rule.MAX_ADDED: "no more records than allowed were added",
    Rule.MAX_ERRORS: "no more records than allowed newly errored",
    Rule.MAX_SKIPPED: "no more records than allowed are newly skipped",
    Rule.MAX_LOST_SCORES: "no more scores than allowed are gone from records that are ok",
    Rule.MAX_CHANGED: "no more records than allowed differ in any field",
    Rule.MAX_DROP: "a metric is not worse than the baseline by more than allowed",
    Rule.MAX_RELATIVE_DROP: "a metric is not worse than the baseline by more than the allowed share of it",
    Rule.MIN: "a metric is not below its floor",
    Rule.MAX: "a metric is not above its ceiling",
    Rule.MIN_RECORDS: "a verdict rests on no fewer pairs than asked",
    Rule.REFERENCE_DROP: "a metric is not worse than the pinned reference by more than allowed",
    Rule.VOLATILE_MISSING: "a measure with a rule stands in `volatile/measures.json`",
    Rule.SLICE_MISSING: "the baseline has the slices that have a rule of their own",
    Rule.SLICE_ADDED: "the baseline has the slices of the current run",
    Rule.METRIC_MISSING: "a metric of the baseline, or one with a rule, is there",
    Rule.METRIC_DECLARATION: "direction, unit and range of a metric are those of the baseline and of its rule",
    Rule.NO_RECORDS: "a run has results",
    Rule.NOTHING_COMPARED: "baseline and current share something to compare",
    Rule.RUN_MISSING: "every run of the baseline has its current run",
    Rule.RUN_ADDED: "a current run has a baseline",
    Rule.RUN_STATUS: "both runs were completed",
    Rule.COMPARABILITY: "both runs asked the same questions of the same data",
    Rule.WAIVED: "nothing had to be excused by a waiver",
    Rule.EVIDENCE: "where evidence is required, the pairs can show a drop as large as the limit",
    Rule.WAIVER_EXPIRED: "no waiver has expired",
    Rule.WAIVER_UNUSED: "every waiver excuses something",
    Rule.WAIVER_BROAD: "a waiver has a ceiling that means something and ends within 366 days",
    Rule.QUARANTINED: "no quarantined record would have counted against a limit",
    Rule.QUARANTINE_EXPIRED: "no record's quarantine has expired",
    Rule.QUARANTINE_UNUSED: "every quarantined record is in one of the runs",
    Rule.IDENTICAL: "the current run differs from the baseline somewhere",
    Rule.ATTEMPT: "the run is a first attempt",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing the gate found. `observed` and `limit` are exact texts of numbers, where the rule has them."""

    rule: Rule
    level: Level
    message: str
    metric: str | None = None
    slice: tuple[str, str] | None = None
    record: str | None = None
    repeat: int | None = None
    observed: str | None = None
    limit: str | None = None
    hint: str | None = None
    run: str = ""

    def at(self, run: str) -> Finding:
        """The same finding about the run at a relative path of a suite."""
        return replace(self, run=run)


_VERDICT_OF = {
    Level.INVALID: Verdict.INVALID,
    Level.ERROR: Verdict.FAIL,
    Level.REVIEW: Verdict.REVIEW,
    Level.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    Level.WARNING: Verdict.PASS,
    Level.NOTICE: Verdict.PASS,
}
_WORST_FIRST = (Verdict.INVALID, Verdict.FAIL, Verdict.REVIEW, Verdict.INCONCLUSIVE, Verdict.PASS)


def verdict(levels: list[Level]) -> Verdict:
    """The worst verdict that any of the levels leads to; PASS if there is none."""
    reached = {_VERDICT_OF[level] for level in levels}
    return next((word for word in _WORST_FIRST if word in reached), Verdict.PASS)
