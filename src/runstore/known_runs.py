"""Known runs: those that were verified in full within this process, by digest. Nothing is kept beyond it."""

from __future__ import annotations

from runstore.store.reader import Run
from runstore.verification import VerifiedRuns


class KnownRuns(VerifiedRuns):
    """What `VerifiedRuns` remembers in a folder, in memory: for work that compares the same runs again and again."""

    def __init__(self) -> None:
        super().__init__(None)
        self._digests: set[str] = set()

    def __contains__(self, run: Run) -> bool:
        return run.digest in self._digests

    def remember(self, run: Run, *, has_trials: bool = True) -> None:
        """Remember a verified run."""
        super().remember(run, has_trials=has_trials)
        self._digests.add(run.digest)
