"""How `gate compare` would judge: a policy and its file in, a function of two runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from runstore import comparison
from runstore.cli.policy_file import reference_folder
from runstore.comparison import Comparison
from runstore.judgement import check_selections, check_suites
from runstore.policy import Policy
from runstore.source import FolderSource
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns

Judge = Callable[[Run, Run, VerifiedRuns], Comparison]
_KEPT = 0  # records are counted and not listed, so none needs to be kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """The policy in force, the file it stands in, and the day by which waivers expire."""

    policy: Policy
    file: Path | None
    today: date

    def check(self, runs: Sequence[tuple[str, Run]]) -> None:
        """Refuse a policy of which a rule selects nothing in any of the runs. Raises PolicyError.

        Each run comes with its relative path in the suite, which is empty if it is none.
        """
        check_suites(self.policy, [path for path, _ in runs if path])
        metrics = {name for _, run in runs for name in run.manifest.metrics}
        tags = {tag for _, run in runs for tag in run.manifest.slices}
        for rules in {id(rules): rules for rules in (self.policy.for_run(path) for path, _ in runs)}.values():
            check_selections(rules, metrics, tags)

    def of_run(self, path: str) -> tuple[Policy, Judge]:
        """The rules for the run at a relative path of a suite, and the comparison by them."""
        rules, pinned = self.policy.for_run(path), self._reference(path)

        def judge(before: Run, after: Run, verified: VerifiedRuns) -> Comparison:
            return comparison.compare_checked(
                before, after, rules, reference=pinned, today=self.today, verified=verified, limit=_KEPT
            )

        return rules, judge

    def _reference(self, path: str) -> Run | None:
        """The pinned reference, named from the folder of the policy. Raises UsageError if it is not there."""
        place = reference_folder(self.policy, self.file)
        if place is None or self.policy.reference is None:
            return None
        source = FolderSource(place, self.policy.reference.path)
        found = source.child_if_run(path) if path else source
        return None if found is None else read_run(found)
