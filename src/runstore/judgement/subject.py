"""A subject: one measure, the limits it is held against, and how it is spoken of."""

from __future__ import annotations

from dataclasses import dataclass

from runstore.checks import DEFAULT
from runstore.findings import Finding, Level, Rule
from runstore.measures import Measure
from runstore.policy.model import Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a rule is about. `small` says why its findings are only warnings; empty if they weigh what they weigh."""

    measure: Measure
    limits: Limits
    small: str = ""
    against: str = "baseline"
    """What `measure.baseline` is the value of: the baseline, or the pinned reference."""

    aggregate: str = ""
    """What stands for the records, if it is not their mean."""

    pairs: int | None = None
    """The pairs that an aggregate rests on; None if `measure.count` says it."""

    excusable: bool = True
    """Whether a waiver can excuse a drop: not one from the pinned reference, nor of a volatile measure."""

    @property
    def name(self) -> str:
        """The metric, and the slice if it is one."""
        group = self.measure.group
        return self.measure.metric if group is None else f"{self.measure.metric} of {group[0]} = {group[1]}"

    @property
    def read(self) -> str:
        """What is looked at, in words and numbers."""
        measure = self.measure
        if self.aggregate:
            return f"{self.aggregate} of {self.name}: {measure.baseline!r} -> {measure.current!r}"
        over = "as one figure" if measure.is_series else f"over {measure.count:,} pair{'s' * (measure.count != 1)}"
        return f"{self.name} {over}: {measure.baseline!r} -> {measure.current!r}"

    def level(self, usual: Level = Level.ERROR) -> Level:
        """How much a finding weighs that usually weighs so: of a rule that warns, no breach and no doubt is more."""
        if self.small or (usual in (Level.ERROR, Level.INCONCLUSIVE) and self.limits.level == "warn"):
            return Level.WARNING
        return usual

    def finding(
        self,
        rule: Rule,
        level: Level,
        message: str,
        observed: str | None = None,
        limit: str | None = None,
        hint: str | None = None,
    ) -> Finding:
        """A finding about this subject."""
        return Finding(
            rule=rule,
            level=self.level(level),
            message=f"{message}; {self.small}" if self.small else message,
            metric=self.measure.metric,
            slice=self.measure.group,
            observed=observed,
            limit=limit,
            hint=hint,
        )

    @property
    def place(self) -> str:
        """The place in the policy of the rule."""
        return self.limits.origin or DEFAULT

    def origin(self, key: str) -> str:
        """The place in the policy of one of its limits."""
        return f"{self.limits.origin}.{key}" if self.limits.origin else DEFAULT
