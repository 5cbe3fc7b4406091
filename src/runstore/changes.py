"""What changed between two runs: pairs of lines in; classes, exact sums and the worst records out.

Every current line that differs is checked in full here. Nothing is kept but counts, exact sums, and for each class the
worst records up to a limit, so memory does not depend on how much changed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from runstore import canonical
from runstore.errors import InvalidDataError
from runstore.exact import ExactSum
from runstore.manifest import MetricDeclaration
from runstore.pairs import Join
from runstore.record import JsonObject, Ranges, line_key, read, read_pair
from runstore.summary import Tally

Scores = Mapping[str, int | float]
Group = tuple[str, str] | None
"""A slice as (tag, value), or None for all records."""

_NO_SCORES: Scores = {}
_NO_TAGS: Mapping[str, str] = {}


class ChangeClass(Enum):
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


class Effect(NamedTuple):
    """What a difference makes of a record; see Change."""

    kind: ChangeClass
    severity: float
    strict: bool


_UNAFFECTED = Effect(ChangeClass.CHANGED, 0.0, False)


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
        if len(self._kept) >= 2 * self._limit:
            self._trim()

    def _trim(self) -> None:
        # The sort is stable and changes arrive in the order of their keys.
        self._kept.sort(key=lambda change: (-change.severity, change.key))
        del self._kept[self._limit :]
        if len(self._kept) == self._limit:
            self.cut = self._kept[-1].severity if self._kept else math.inf

    def sorted(self) -> list[Change]:
        """The worst first."""
        self._trim()
        return self._kept


@dataclass(slots=True)
class PairedSums:
    """Of one metric in one group, over the pairs that differ: what they held before and after, and what lost its pair."""

    before: ExactSum = field(default_factory=ExactSum)
    after: ExactSum = field(default_factory=ExactSum)
    unpaired: ExactSum = field(default_factory=ExactSum)
    regressed: int = 0
    improved: int = 0
    lost: int = 0


class Changes:
    """Everything that differs between a baseline and a current run, added up."""

    def __init__(
        self,
        declared: Mapping[str, MetricDeclaration],
        ranges: Ranges,
        *,
        slices: Sequence[str],
        strict: frozenset[str],
        limit: int,
    ) -> None:
        """`declared`: metrics of the baseline's records, with the directions to judge by; `ranges`: what the current
        run declares; `slices`: what the baseline declares; `strict`: metrics in which no record may get worse;
        `limit`: how many changes of each class to keep.
        """
        self._sign = {name: 1 if metric.direction == "higher" else -1 for name, metric in declared.items()}
        self._width = {name: metric.range[1] - metric.range[0] for name, metric in declared.items() if metric.range}
        self._worst = {name: metric.worst for name, metric in declared.items() if metric.worst is not None}
        self._ranges = ranges
        self._slices = slices
        self._strict = strict
        self.counts: Counter[ChangeClass] = Counter()
        self.newly: Counter[str] = Counter()
        """Records whose status is now `error` or `skipped` and was not (or that are new)."""
        self.strictly_regressed = 0
        self.lost_scores = 0
        self.kept = {kind: Worst(limit) for kind in ChangeClass}
        self.gone = Tally(slices)
        self.come = Tally(slices)
        self.paired: dict[Group, dict[str, PairedSums]] = {}

    def add_pair(self, baseline: bytes, current: bytes) -> None:
        """Two lines with one key that are not equal. Raises InvalidDataError if the current one is not a record."""
        before, after = read_pair(baseline, current, self._ranges)
        if _same_standing(before, after):
            if before.get("scores") == after.get("scores"):
                effect = _UNAFFECTED
            elif before.get("status", "ok") == "ok":
                effect = self._scores_differ(before, after)
            else:
                effect = self._standing_differs(before, after)
        else:
            effect = self._standing_differs(before, after)
        self._keep(effect, baseline, current)

    def _scores_differ(self, before: JsonObject, after: JsonObject) -> Effect:
        """Both are `ok` and only scores differ: count only those."""
        old, new = scores_of(before), scores_of(after)
        tags = tags_of(before)
        lost = {name: value for name, value in old.items() if new.get(name) != value}
        found = {name: value for name, value in new.items() if old.get(name) != value}
        self.gone.add_scores(lost, tags)
        self.come.add_scores(found, tags)
        return self._compare(lost, found, tags)

    def _standing_differs(self, before: JsonObject, after: JsonObject) -> Effect:
        """Status or tags differ: every metric may count otherwise than before."""
        self.gone.add(before)
        self.come.add(after)
        status, now = before.get("status", "ok"), after.get("status", "ok")
        lost = self.lost_scores
        effect = self._compare(self.values_of(before), self.values_of(after), tags_of(before))
        if now != "ok":
            self.lost_scores = lost  # counted as a record that errored or was skipped
            if status != now:
                self.newly[str(now)] += 1
            return Effect(ChangeClass.REGRESSED, math.inf, False) if status == "ok" else effect
        if status != "ok" and effect.kind is ChangeClass.CHANGED:
            return Effect(ChangeClass.IMPROVED, 0.0, False)
        return effect

    def _compare(self, old: Scores, new: Scores, tags: Mapping[str, str]) -> Effect:
        """Add up values that may differ, and say what they make of the record."""
        groups = [self._group(group) for group in self.groups_of(tags)]
        worse = better = -1.0
        strict = False
        for name, value in old.items():
            other = new.get(name)
            effect = -math.inf if other is None else (other - value) * self._sign.get(name, 0)
            for metrics in groups:
                _add_values(metrics, name, value, other, effect)
            if effect < 0:
                worse = max(worse, -effect / self._width.get(name, 1))
                strict = strict or name in self._strict
                self.lost_scores += other is None
            elif effect > 0:
                better = max(better, effect / self._width.get(name, 1))
        if worse >= 0:
            return Effect(ChangeClass.REGRESSED, worse, strict)
        return Effect(ChangeClass.IMPROVED, better, False) if better >= 0 else _UNAFFECTED

    def add_removed(self, baseline: bytes) -> None:
        """A verified baseline line that has no partner."""
        record: JsonObject = canonical.loads(baseline)  # type: ignore[assignment]  # verified: an object
        self.gone.add(record)
        for group in self.groups_of(tags_of(record)):
            metrics = self._group(group)
            for name, value in self.values_of(record).items():
                _sums(metrics, name).unpaired.add(value)
        self._keep(Effect(ChangeClass.REMOVED, 0.0, False), baseline, None)

    def add_added(self, current: bytes) -> None:
        """A current line that has no partner. Raises InvalidDataError if it is not a record."""
        record = read(current, self._ranges)
        self.come.add(record)
        status = record.get("status", "ok")
        if status != "ok":
            self.newly[str(status)] += 1
        self._keep(Effect(ChangeClass.ADDED, 0.0, False), None, current)

    def _keep(self, effect: Effect, baseline: bytes | None, current: bytes | None) -> None:
        kind, severity, strict = effect
        self.counts[kind] += 1
        self.strictly_regressed += strict
        worst = self.kept[kind]
        if severity > worst.cut:
            key = line_key(current if baseline is None else baseline)  # type: ignore[arg-type]  # one of them is there
            worst.add(Change(severity, key, kind, baseline, current, strict))

    def _group(self, group: Group) -> dict[str, PairedSums]:
        metrics = self.paired.get(group)
        if metrics is None:
            metrics = self.paired[group] = {}
        return metrics

    def groups_of(self, tags: Mapping[str, str]) -> list[Group]:
        """The groups a baseline record counts in: all records, and one for each declared tag that it has."""
        return [None, *((tag, tags[tag]) for tag in self._slices if tag in tags)]

    def values_of(self, record: JsonObject) -> Scores:
        """What a record counts as: its scores, or the worst of each declared range if it is not `ok`."""
        return self._worst if record.get("status", "ok") != "ok" else scores_of(record)


def scores_of(record: JsonObject) -> Scores:
    """The scores of a checked record."""
    return record.get("scores", _NO_SCORES)  # type: ignore[return-value]  # shape checked when it was read


def tags_of(record: JsonObject) -> Mapping[str, str]:
    """The tags of a checked record."""
    return record.get("tags", _NO_TAGS)  # type: ignore[return-value]  # shape checked when it was read


def _same_standing(before: JsonObject, after: JsonObject) -> bool:
    return before.get("status", "ok") == after.get("status", "ok") and before.get("tags") == after.get("tags")


def _sums(metrics: dict[str, PairedSums], name: str) -> PairedSums:
    sums = metrics.get(name)
    if sums is None:
        sums = metrics[name] = PairedSums()
    return sums


def _add_values(
    metrics: dict[str, PairedSums], name: str, value: int | float, other: int | float | None, effect: float
) -> None:
    sums = _sums(metrics, name)
    if other is None:
        sums.unpaired.add(value)
        sums.lost += 1
    else:
        sums.before.add(value)
        sums.after.add(other)
    if effect < 0:
        sums.regressed += 1
    elif effect > 0:
        sums.improved += 1


def collect(join: Join, changes: Changes) -> None:
    """Classify every pair. Raises InvalidDataError with file, line and pointer about a current line that is not one."""
    for baseline, current in join:
        try:
            if current is None:
                changes.add_removed(baseline)  # type: ignore[arg-type]  # one of them is there
            elif baseline is None:
                changes.add_added(current)
            else:
                changes.add_pair(baseline, current)
        except InvalidDataError as error:
            raise join.located(error) from error
