"""Paired sums: of each metric in each group, what pairs of records that differ hold before and after. They add."""

from __future__ import annotations

import math
import operator
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter

from runstore import exact
from runstore.exact import ExactSum
from runstore.moves import Moves

Group = tuple[str, str] | None
"""A slice as (tag, value), or None for all records."""
Number = int | float
_BUFFERED_PAIRS = 8192


@dataclass(slots=True)
class PairedSums:
    """Of one metric in one group, over pairs that differ: what they held before and after, and what lost its pair.

    `differences` are those of the pairs, after less before. `regressed` and `improved` count the pairs that rank the
    current value worse and better, with those that lost it among the worse.
    """

    before: ExactSum = field(default_factory=ExactSum)
    after: ExactSum = field(default_factory=ExactSum)
    differences: ExactSum = field(default_factory=ExactSum)
    unpaired: ExactSum = field(default_factory=ExactSum)
    regressed: int = 0
    improved: int = 0
    lost: int = 0
    sample: array[float] | None = None
    """The differences that are not 0, each as the nearest double, where they are asked for.

    One beyond every double is left out: whoever counts sees that the sample is not whole.
    """
    pending: list[tuple[Number, Number]] = field(default_factory=list)
    """Pairs of values taken and not yet added up."""

    def add(self, value: Number, other: Number) -> None:
        """Add one pair; who is worse is counted by the caller."""
        self.pending.append((value, other))
        if len(self.pending) >= _BUFFERED_PAIRS:
            self.settle()

    def settle(self) -> None:
        """Add up what is pending."""
        if self.pending:
            old, new = zip(*self.pending, strict=True)
            self.pending.clear()
            self.add_columns(list(old), list(new))

    def add_columns(self, old: list[Number], new: list[Number]) -> None:
        """Add pairs of values; who is worse is counted by the caller."""
        before, after = exact.scaled(old), exact.scaled(new)
        if self.sample is not None:
            pairs = zip(old, new, strict=True)
            kept = (float(exact.difference(other, value)) for value, other in pairs if value != other)
            self.sample.extend(filter(math.isfinite, kept))
        if before is not None and after is not None:
            self.add_scaled(before, after, list(map(operator.sub, after, before)))
            return
        for value in old:
            self.before.add(value)
        for value in new:
            self.after.add(value)
        for (value, other), times in Counter(zip(old, new, strict=True)).items():
            self.differences.add_decimal(exact.difference(other, value), times)

    def add_scaled(self, before: Sequence[int], after: Sequence[int], differences: Sequence[int]) -> None:
        """Add pairs of values in units of 10^-6, with their differences."""
        self.before.add_scaled(before)
        self.after.add_scaled(after)
        self.differences.add_scaled(differences)

    def absorb(self, other: PairedSums) -> None:
        """Add the pairs of other sums."""
        self.settle()
        other.settle()
        self.before.absorb(other.before)
        self.after.absorb(other.after)
        self.differences.absorb(other.differences)
        self.unpaired.absorb(other.unpaired)
        self.regressed += other.regressed
        self.improved += other.improved
        self.lost += other.lost
        if other.sample is not None:
            self.sample = (self.sample or no_sample()) + other.sample

    def plus(self, other: PairedSums) -> PairedSums:
        """Over the pairs of both."""
        result = PairedSums()
        result.absorb(self)
        result.absorb(other)
        return result


def no_sample() -> array[float]:
    """A sample of no differences."""
    return array("d")


Shifts = dict[Group, dict[str, PairedSums]]


def of_group(shifts: Shifts, group: Group) -> dict[str, PairedSums]:
    """The sums of a group by metric, made when first asked for."""
    metrics = shifts.get(group)
    if metrics is None:
        metrics = shifts[group] = {}
    return metrics


def of_metric(metrics: dict[str, PairedSums], name: str) -> PairedSums:
    """The sums of a metric, made when first asked for."""
    sums = metrics.get(name)
    if sums is None:
        sums = metrics[name] = PairedSums()
    return sums


def moves_of(moves: dict[str, Moves], name: str) -> Moves:
    """The moves of a metric, made when first asked for."""
    found = moves.get(name)
    if found is None:
        found = moves[name] = Moves()
    return found


def add_values(sums: PairedSums, value: Number, other: Number | None, effect: float) -> None:
    """Add a baseline value and its current one, or None if that is gone; `effect` is below 0 when it got worse."""
    if other is None:
        sums.unpaired.add(value)
        sums.lost += 1
    else:
        sums.add(value, other)
    if effect < 0:
        sums.regressed += 1
    elif effect > 0:
        sums.improved += 1


def settle(shifts: Shifts) -> None:
    """Add up all that is pending, to free its memory."""
    for metrics in shifts.values():
        for sums in metrics.values():
            sums.settle()


class Columns:
    """Pairs of one shape, taken many at a time and added up column by column when there are enough of them."""

    def __init__(
        self,
        slices: Sequence[str],
        signs: Mapping[str, int],
        sampled: frozenset[tuple[str, str | None]],
        moves: dict[str, Moves],
    ) -> None:
        self._slices = slices
        self._signs = signs
        self._sampled = sampled
        self._moves = moves
        self._columns: dict[str, tuple[list[Number], list[Number]]] = {}
        self._tags: list[tuple[str | None, ...]] = []

    def add(
        self, columns: dict[str, tuple[list[Number], list[Number]]], tags: Sequence[Mapping[str, str]], shifts: Shifts
    ) -> None:
        """Take metric -> (values before, values after) of some pairs, and their tags if there are slices."""
        if self._columns.keys() != columns.keys():
            self.settle(shifts)
            self._columns = {name: ([], []) for name in columns}
        for name, (old, new) in columns.items():
            before, after = self._columns[name]
            before += old
            after += new
        if tags:
            self._tags += _values_of(self._slices, tags)
        if len(before) >= _BUFFERED_PAIRS:
            self.settle(shifts)

    def settle(self, shifts: Shifts) -> None:
        """Add up all that was taken."""
        for name, (old, new) in self._columns.items():
            if differs := list(map(operator.ne, old, new)):
                self._settle(name, list(compress(old, differs)), list(compress(new, differs)), differs, shifts)
        self._columns = {}
        self._tags.clear()

    def _settle(self, name: str, old: list[Number], new: list[Number], differs: list[bool], shifts: Shifts) -> None:
        """Pairs that are equal are left out: they would be added to both sides."""
        if not old:
            return
        moves_of(self._moves, name).add(old, new)
        of_metric(of_group(shifts, None), name).absorb(self._summed(name, old, new, (name, None) in self._sampled))
        if not self._slices:
            return
        keep = any((name, tag) in self._sampled for tag in self._slices)
        members: dict[tuple[str | None, ...], list[int]] = {}
        for index, tags in enumerate(compress(self._tags, differs)):
            members.setdefault(tags, []).append(index)
        for tags, indices in members.items():
            sums = self._summed(name, [old[index] for index in indices], [new[index] for index in indices], keep)
            for tag, value in zip(self._slices, tags, strict=True):
                if value is not None:
                    of_metric(of_group(shifts, (tag, value)), name).absorb(sums)

    def _summed(self, name: str, old: list[Number], new: list[Number], keep: bool) -> PairedSums:
        sums = PairedSums(sample=no_sample() if keep else None)
        sums.add_columns(old, new)
        falls = sum(map(operator.lt, new, old))
        rises = len(old) - falls
        sums.regressed, sums.improved = (falls, rises) if self._signs[name] > 0 else (rises, falls)
        return sums


def _values_of(names: Sequence[str], tags: Sequence[Mapping[str, str]]) -> list[tuple[str | None, ...]]:
    """The values of some tags of each record, None for one that it has not."""
    if len(names) > 1:
        try:
            return list(map(itemgetter(*names), tags))
        except KeyError:
            pass
    return [tuple(map(one.get, names)) for one in tags]
