"""The policy as values: what a gate asks for. Reading makes them from TOML; judging asks them.

Limits are decimals, read from the text of the file: 0.05 is five hundredths, not the double next to it.
`origin` of a rule is its place in the file (`metrics.accuracy`), by which findings and `--explain` name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal

from runstore.manifest import Direction, MetricDeclaration

Level = Literal["error", "warn"]
Significance = Literal["ignored", "required"]
TestName = Literal["auto", "mcnemar", "t", "permutation"]
Correction = Literal["holm", "benjamini-hochberg", "none"]
Claims = Literal["review", "allow"]
TESTS = ("auto", "mcnemar", "t", "permutation")
CORRECTIONS = ("holm", "benjamini-hochberg", "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What is asked of one measure; None asks for nothing.

    `max_drop` is in the metric's unit and `max_relative_drop` a share of the baseline's absolute value, both in the bad
    direction: for a metric where lower is better they limit a rise. `significance = "required"`: a drop beyond the
    limit fails only if the pairs show that it is real, and is INCONCLUSIVE if they could not have shown it.
    """

    max_drop: Decimal | None = None
    max_relative_drop: Decimal | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    level: Level = "error"
    min_records: int | None = None
    """Fewest pairs a verdict may rest on; a slice with fewer is advisory."""
    significance: Significance = "ignored"
    test: TestName = "auto"
    cluster: str | None = None
    """Tag whose values are the independent units; None: the records are (the repeats of a record are one unit)."""
    origin: str = ""

    @property
    def limits_drop(self) -> bool:
        """Whether the rule says how much worse the metric may get."""
        return self.max_drop is not None or self.max_relative_drop is not None

    @property
    def may_permute(self) -> bool:
        """Whether the sign-flip test may be taken."""
        return self.cluster is None and self.test in ("auto", "permutation")

    @property
    def asks(self) -> bool:
        """Whether there is any limit in it."""
        return self.limits_drop or self.min is not None or self.max is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricRule:
    """The rule for the metrics whose names match `pattern`."""

    pattern: str
    limits: Limits = Limits()
    direction: Direction | None = None
    aggregate: str | None = None
    """What stands for the records: None or `mean`; `p1` … `p99` (quantile), `pass@K`, `pass^K`, `K-of-N` (repeats)."""
    at: str | int | None = None
    """What stands for a series: `last`, `best`, `min`, `max` or a step; None: as the baseline declares."""
    unit: str | None = None
    """The unit that both runs must declare."""
    range: tuple[Decimal, Decimal] | None = None
    """The range that both runs must declare."""

    @property
    def limits_drop(self) -> bool:
        """Whether the rule says how much worse the metric may get."""
        return self.limits.limits_drop


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceRule:
    """Limits for slices: of the records whose tag has `value`, or, with None, of every value of the tag on its own."""

    tag: str
    value: str | None = None
    metric: str = "*"
    limits: Limits = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordLimits:
    """How many records may have regressed, gone missing, been added, newly errored, been newly skipped, and changed,
    and how many scores may be gone from records that are `ok`.

    None asks for nothing. `max_regressed` is None when the policy does not name it: then no record may get worse in a
    metric that has no drop limit of its own. `max_changed` counts every record of both runs that differs in any field.
    """

    max_regressed: int | None = None
    max_removed: int | None = 0
    max_added: int | None = None
    max_errors: int | None = 0
    max_skipped: int | None = 0
    max_changed: int | None = None
    max_lost_scores: int | None = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparability:
    """Fields of the manifest by dotted name, with `*`: those that must be the same, may differ, and must differ.

    Names: `project`, `suite`, `name`, `environment`, `commit`, `datasets.NAME`, `params.NAME…`, `tags.NAME`.
    `may_differ` takes fields out of `must_match`.
    """

    must_match: Sequence[str] = (
        "project",
        "suite",
        "datasets.*",
        "params.dataset*",
        "params.judge*",
        "params.scorer*",
        "params.prompt*",
        "params.seed*",
    )
    may_differ: Sequence[str] = ()
    must_differ: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """Leave for one thing to be worse, up to a ceiling and until a day.

    With `record`: that record may be worse in `metric` (or, without one, missing, errored or skipped is NOT excused) by
    at most `ceiling`. Without: the mean of `metric` over all records, or over `slice`, may drop by at most `ceiling`.
    """

    metric: str
    ceiling: Decimal
    owner: str
    reason: str
    expires: date
    record: str | None = None
    repeat: int = 1
    slice: tuple[str, str] | None = None
    issue: str | None = None
    origin: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantined:
    """A flaky record: it is run, shown and counted in every mean, and not held against the limits on records."""

    record: str
    owner: str
    reason: str
    expires: date
    issue: str | None = None
    origin: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """The flaky records, and how many of them there may be."""

    max_records: int
    records: tuple[Quarantined, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A pinned run beside the moving baseline, and the drops from it that are allowed: metric pattern → limits."""

    path: str
    metrics: tuple[MetricRule, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """How sure is sure enough: for every rule with `significance = "required"`.

    `alpha`: the largest probability, over all such rules together, to call a drop real that is not; `power`: with which
    probability a drop of the size of its limit should be seen; `resamples`: of a permutation test that cannot be exact.
    """

    alpha: Decimal = Decimal("0.05")
    power: Decimal = Decimal("0.8")
    correction: Correction = "holm"
    resamples: int = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """What a change may do to the baseline that judges it, where that is read from git.

    `claims`: with `review` a person must approve (`--claims-approved`), with `allow` that is left to the review of the
    code. The limits are on how many records a change may claim, in either case; None allows any number.
    """

    claims: Claims = "review"
    max_claimed: int | None = None
    max_claimed_regressed: int | None = None
    max_claimed_removed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteRules:
    """Rules for the runs of a suite whose relative paths match `pattern`; None: the general ones are in force."""

    pattern: str
    metrics: tuple[MetricRule, ...] | None = None
    slices: tuple[SliceRule, ...] | None = None
    records: RecordLimits | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a gate asks for. Without a policy file: the strict default, under which nothing may get worse."""

    metrics: tuple[MetricRule, ...] = ()
    slices: tuple[SliceRule, ...] = ()
    volatile: tuple[MetricRule, ...] = ()
    """Rules on measures of `volatile/measures.json`: latency, cost. Their names are exact."""
    records: RecordLimits = RecordLimits()
    comparability: Comparability = Comparability()
    evidence: Evidence = Evidence()
    waivers: tuple[Waiver, ...] = ()
    quarantine: Quarantine | None = None
    reference: Reference | None = None
    suites: tuple[SuiteRules, ...] = ()
    trust: Trust = Trust()
    origin: str = "the strict default"
    places: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Dotted key → line of the file it stands on, 0 if that is not sure; a key that is not there is a default."""

    def rule_for(self, metric: str) -> MetricRule | None:
        """The rule of a metric: the one with its exact name, else the first whose pattern matches."""
        return _first_match(self.metrics, metric)

    def for_run(self, path: str) -> Policy:
        """The policy for the run at a relative path of a suite: the first matching `[suites]` entry comes first.

        Each table that the entry has takes the place of the general one.
        """
        rules = self.suite_of(path)
        if rules is None:
            return self
        return replace(
            self,
            metrics=self.metrics if rules.metrics is None else rules.metrics,
            slices=self.slices if rules.slices is None else rules.slices,
            records=rules.records or self.records,
        )

    def suite_of(self, path: str) -> SuiteRules | None:
        """The first `[suites]` entry whose pattern matches a relative path."""
        return next((rules for rules in self.suites if fnmatchcase(path, rules.pattern)), None)

    def without_drop_limit(self, metrics: Iterable[str]) -> frozenset[str]:
        """The metrics in which, as long as `max_regressed` is not set, no record may get worse."""
        return frozenset(name for name in metrics if not ((rule := self.rule_for(name)) and rule.limits_drop))

    def unmatched(self, metrics: Iterable[str]) -> list[MetricRule]:
        """The rules by which none of the metrics is judged, be it that they match none or that others come first."""
        used = [self.rule_for(name) for name in metrics]
        return [rule for rule in self.metrics if not any(rule is one for one in used)]


def _first_match(rules: Sequence[MetricRule], metric: str) -> MetricRule | None:
    matching = [rule for rule in rules if rule.pattern == metric]
    matching += [rule for rule in rules if fnmatchcase(metric, rule.pattern)]
    return matching[0] if matching else None


def declared_as(rule: MetricRule | None, declared: MetricDeclaration) -> MetricDeclaration:
    """A declaration with the direction that the policy sets."""
    return replace(declared, direction=rule.direction) if rule and rule.direction else declared
