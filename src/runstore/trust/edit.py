"""An edit: where the change would put something else in the place of what is trusted, and what that weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runstore.checks import Check, findings_of
from runstore.comparison import Comparison
from runstore.findings import Level, verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One way in which the change would put something else in the place of what is trusted."""

    place: str
    """What it stands in: `HEAD`, `the work tree`."""
    trusted: str
    """Where what is trusted was read."""
    approved: bool = False
    """Whether someone with rights let it pass; never for what is not committed."""
    is_committed: bool = True

    @property
    def level(self) -> Level:
        """What a claim weighs."""
        return Level.NOTICE if self.approved else Level.REVIEW

    @property
    def hint(self) -> str:
        """What to do about a claim."""
        if not self.is_committed:
            return "commit it or take it back: only what is committed can be approved"
        if self.approved:
            return "approved: the claimed baseline is held against what this run produced"
        return "someone with rights approves it: --claims-approved"


def with_checks(found: Comparison, checks: Sequence[Check]) -> Comparison:
    """A comparison with more checks, which come first, and the verdict that follows from all of them."""
    all_checks = [*checks, *found.checks]
    findings = findings_of(all_checks)
    return replace(
        found, checks=all_checks, findings=findings, verdict=verdict([finding.level for finding in findings])
    )
