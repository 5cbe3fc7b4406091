"""A change: one record that differs, its class, and the worst of many."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple


class ChangeClass(StrEnum):
    """What became of a record; a record that got better in one score and worse in another got worse."""

    REGRESSED = "regressed"
    REMOVED = "removed"
    ADDED = "added"
    IMPROVED = "improved"
    CHANGED = "changed"


class Change(NamedTuple):
    """One record that differs. `severity` orders changes of one class, the worst highest."""

    severity: float
    key: tuple[bytes, int]
    kind: ChangeClass
    baseline: bytes | None
    current: bytes | None
    strict: bool = False
    """Whether it got worse in a metric in which no record may."""
    newly: str = ""
    """`error` or `skipped` if that is its status now and was not, else empty."""


class Worst:
    """The worst changes up to a limit; among equals those whose keys come first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Change] = []
        self.cut = -1.0
        """Changes that are not more severe than this are not kept."""

    def add(self, change: Change) -> None:
        """Take a change more severe than `cut`."""
        self._kept.append(change)
        if len(self._kept) >= self._limit + self._limit // 4:
            self._trim()

    def _trim(self) -> None:
        # The sort is stable and changes arrive in the order of their keys.
        self._kept.sort(key=lambda change: (-change.severity, change.key))
        del self._kept[self._limit :]
        if len(self._kept) == self._limit:
            self.cut = self._kept[-1].severity if self._kept else math.inf

    def absorb(self, later: Worst) -> None:
        """Take what was kept of changes whose keys all come later."""
        self._kept += later._kept
        self._trim()

    def sorted(self) -> list[Change]:
        """The worst first."""
        self._trim()
        return self._kept
