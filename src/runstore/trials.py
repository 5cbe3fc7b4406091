"""Trials: every pair of records, id by id, for what cannot be had from sums and the pairs that differ.

A quantile needs each value, `pass@K` the number of trials of a record that succeeded, and the trials of one record are
not independent. All of these read both runs whole and parse every line, so a policy that asks for them pays for it: as
much again as `orjson.loads` of both files, and two doubles a pair for a quantile.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from runstore import canonical, exact
from runstore.evidence import intervals, repeats
from runstore.facts import Whole
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.paired import Group
from runstore.record import JsonObject, record_key
from runstore.store.reader import Run

_OF_TRIALS = re.compile(r"pass([@^])([1-9][0-9]*)\Z|([1-9][0-9]*)-of-([1-9][0-9]*)\Z")
_QUANTILE = re.compile(r"p([1-9][0-9]?)\Z")
Values = Sequence[tuple[int | float, int | float]]
"""Of the trials of one record that both runs have: the score before and after."""
Sums = dict[tuple[str, Group], list[tuple[int, Decimal]]]


def read_whole(
    baseline: Run,
    current: Run,
    declared: Mapping[str, MetricDeclaration],
    aggregates: Mapping[str, str],
    units_of: frozenset[str],
    level: Decimal,
) -> Whole:
    """Read every pair of two verified runs.

    `aggregates`: metric → `pN`, `pass@K`, `pass^K` or `K-of-N`; `units_of`: metrics whose records are to be summed up;
    `level`: of the interval of a quantile.
    """
    gathered = {name: _gatherer(name, text, declared[name], level) for name, text in aggregates.items()}
    units: Sums = {}
    for before, after in _shared(baseline, current):
        for name in gathered:
            values, lost = _values(name, before, after, declared[name])
            gathered[name].lost += lost
            if values:
                gathered[name].add(values)
        for name in units_of:
            for group, members in _groups(before, baseline.manifest.slices):
                old, new = ([one for one, kept in zip(side, members, strict=True) if kept] for side in (before, after))
                values, _ = _values(name, old, new, declared[name])
                if values:
                    total = exact.subtract(exact.total(new for _, new in values), exact.total(old for old, _ in values))
                    units.setdefault((name, group), []).append((len(values), total))
    found = {name: one.measure() for name, one in gathered.items()}
    return Whole(
        aggregates={name: one for name, one in found.items() if isinstance(one, Measure)},
        faults={name: one for name, one in found.items() if isinstance(one, str)},
        units=units,
    )


def _groups(trials: Sequence[JsonObject], slices: Sequence[str]) -> Iterator[tuple[Group, Sequence[bool]]]:
    """The groups that some of the trials are in, and which of them are: each trial has tags of its own."""
    yield None, [True] * len(trials)
    if not slices:
        return
    tags = [record.get("tags", {}) for record in trials]
    for tag in slices:
        values = [one.get(tag) for one in tags if isinstance(one, dict)]
        for value in dict.fromkeys(value for value in values if isinstance(value, str)):
            yield (tag, value), [one == value for one in values]


def _by_id(run: Run) -> Iterator[tuple[bytes, dict[int, JsonObject]]]:
    """Each id in order, with its trials by number."""
    name = b""
    trials: dict[int, JsonObject] = {}
    for batch in run.batches():
        for line in batch.lines:
            record: JsonObject = canonical.loads(line)  # type: ignore[assignment]  # checked before: an object
            key, number = record_key(record)
            if key != name and trials:
                yield name, trials
                trials = {}
            name = key
            trials[number] = record
    if trials:
        yield name, trials


def _shared(baseline: Run, current: Run) -> Iterator[tuple[list[JsonObject], list[JsonObject]]]:
    """The trials that both runs have, id by id, in the order of their numbers."""
    others = _by_id(current)
    other = next(others, None)
    for name, trials in _by_id(baseline):
        while other is not None and other[0] < name:
            other = next(others, None)
        if other is not None and other[0] == name and (numbers := sorted(trials.keys() & other[1].keys())):
            yield [trials[number] for number in numbers], [other[1][number] for number in numbers]


def _values(
    name: str, before: Sequence[JsonObject], after: Sequence[JsonObject], declared: MetricDeclaration
) -> tuple[Values, int]:
    """The pairs of scores, and how many scores of the baseline have lost theirs."""
    pairs = [(_value(name, old, declared), _value(name, new, declared)) for old, new in zip(before, after, strict=True)]
    lost = sum(old is not None and new is None for old, new in pairs)
    return [(old, new) for old, new in pairs if old is not None and new is not None], lost


def _value(name: str, record: JsonObject, declared: MetricDeclaration) -> int | float | None:
    """What a record counts as: its score, or the worst of the declared range if it is not `ok`."""
    if record.get("status", "ok") != "ok":
        return declared.worst
    scores = record.get("scores")
    value = scores.get(name) if isinstance(scores, dict) else None
    return value if isinstance(value, int | float) else None


def _gatherer(name: str, aggregate: str, declared: MetricDeclaration, level: Decimal) -> _Quantile | _OfTrials:
    if found := _QUANTILE.match(aggregate):
        return _Quantile(name, int(found[1]), declared, level)
    return _OfTrials(name, aggregate, declared)


class _Quantile:
    """A quantile of the scores of all pairs, each an actual score."""

    def __init__(self, name: str, percent: int, declared: MetricDeclaration, level: Decimal) -> None:
        self._name = name
        self._share = Decimal(percent) / 100
        self._level = level
        self._declared = declared
        self._old, self._new = array("d"), array("d")
        self.lost = 0

    def add(self, values: Values) -> None:
        for old, new in values:
            self._old.append(old)
            self._new.append(new)

    def measure(self) -> Measure | str:
        if not self._old:
            return f"no pair has {self._name}"
        sides = [sorted(self._old), sorted(self._new)]
        old, new = (intervals.quantile(values, self._share) for values in sides)
        is_worse = new < old if self._declared.direction == "higher" else new > old
        pairs = Decimal(len(self._old))  # each as if it had the quantile: limits are held against sum / count
        return Measure(
            metric=self._name,
            group=None,
            declared=self._declared,
            count=len(self._old),
            baseline_sum=exact.multiply(exact.exact(old), pairs),
            current_sum=exact.multiply(exact.exact(new), pairs),
            regressed=int(is_worse) + self.lost,
            improved=int(new != old and not is_worse),
            lost=self.lost,
            interval=intervals.quantile_interval(sides[1], self._share, self._level),
            is_series=True,
        )


class _OfTrials:
    """`pass@K`, `pass^K` or `K-of-N` of each record, as one score of 0 to 1."""

    def __init__(self, name: str, aggregate: str, declared: MetricDeclaration) -> None:
        found = _OF_TRIALS.match(aggregate)
        assert found is not None  # the policy was read so
        self._name = name
        self._aggregate = aggregate
        self._declared = declared
        self._kind = found[1] or "of"
        self._k = int(found[2] or found[3])
        self._least = int(found[2] or found[4])
        self._fault = ""
        self._count = self._worse = self._better = self.lost = 0
        self._old = self._new = self._squares = self._new_squares = Decimal(0)
        self._sample = array("d")

    def add(self, values: Values) -> None:
        if len(values) < self._least:
            self._fault = f"a record has {len(values)} trials; {self._aggregate} needs {self._least}"
        elif not {score for pair in values for score in pair} <= {0, 1}:
            self._fault = f"{self._aggregate} is of scores that are 0 or 1; {self._name} has others"
        if self._fault:
            return
        old, new = (self._of(len(values), sum(int(pair[side]) for pair in values)) for side in (0, 1))
        worse = new < old if self._declared.direction == "higher" else new > old
        self._count += 1
        self._worse += worse
        self._better += new != old and not worse
        self._old, self._new = exact.add(self._old, old), exact.add(self._new, new)
        self._new_squares = exact.add(self._new_squares, exact.multiply(new, new))
        difference = exact.subtract(new, old)
        if difference:
            self._sample.append(float(difference))
        self._squares = exact.add(self._squares, exact.multiply(difference, difference))

    def _of(self, trials: int, successes: int) -> Decimal:
        if self._kind == "@":
            return repeats.pass_at_k(trials, successes, self._k)
        if self._kind == "^":
            return repeats.pass_hat_k(trials, successes, self._k)
        return repeats.k_of_n(trials, successes, self._k)

    def measure(self) -> Measure | str:
        if self._fault or not self._count:
            return self._fault or f"no pair has {self._name}"
        return Measure(
            metric=self._name,
            group=None,
            declared=self._declared,
            count=self._count,
            baseline_sum=self._old,
            current_sum=self._new,
            regressed=self._worse + self.lost,
            improved=self._better,
            lost=self.lost,
            squares=self._squares,
            current_squares=self._new_squares,
            sample=self._sample,
            is_binary=self._kind == "of",
        )
