"""What changed between two runs: pairs of lines in; classes, exact sums and the worst records out.

Every current line that differs is checked in full here. Nothing is kept but counts, exact sums, and for each class the
worst records up to a limit, so memory does not depend on how much changed.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter

from runstore import canonical, paired
from runstore.bulk import read_pairs
from runstore.change import Change, ChangeClass, Worst
from runstore.errors import InvalidDataError
from runstore.manifest import MetricDeclaration
from runstore.moves import Moves
from runstore.paired import Columns, Group, PairedSums, Shifts
from runstore.pairs import Join
from runstore.record import JsonObject, Ranges, line_key, read, read_pair, record_key
from runstore.scored import Scores, each_scores, each_tags, runs_of_one_shape, scores_of, shape_of, tags_of
from runstore.summary import Tally

Effect = tuple[ChangeClass, float, bool, str]
"""What a difference makes of a record: class, severity, strict and newly, as in `Change`."""

_SETTLED_EVERY = 8192
_UNAFFECTED: Effect = (ChangeClass.CHANGED, 0.0, False, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens:
    """By what a difference is judged.

    `declared`: metrics of the baseline's records, with the directions to judge by; `ranges`: what the current run
    declares; `slices`: what the baseline declares; `strict`: metrics in which no record may get worse; `limit`: how
    many changes of each class to keep; `watched`: ids of records whose changes are kept whatever the limit; `sampled`:
    (metric, tag or None) whose differences are kept one by one, for tests that need each of them.
    """

    declared: Mapping[str, MetricDeclaration]
    ranges: Ranges
    slices: Sequence[str] = ()
    strict: frozenset[str] = frozenset()
    limit: int = 300
    watched: frozenset[bytes] = frozenset()
    sampled: frozenset[tuple[str, str | None]] = frozenset()


class Changes:
    """Everything that differs between a baseline and a current run, added up."""

    def __init__(self, lens: Lens) -> None:
        declared = lens.declared
        self._sign = {name: 1 if metric.direction == "higher" else -1 for name, metric in declared.items()}
        self._width = {name: _width(metric.range) for name, metric in declared.items() if metric.range}
        self._worst = {name: metric.worst for name, metric in declared.items() if metric.worst is not None}
        self._lens = lens
        self.counts = dict.fromkeys(ChangeClass, 0)
        self.newly = {"error": 0, "skipped": 0}
        """Records whose status is now `error` or `skipped` and was not (or that are new)."""
        self.strictly_regressed = 0
        self.lost_scores = 0
        self.kept = {kind: Worst(lens.limit) for kind in ChangeClass}
        self.watched: dict[tuple[bytes, int], Change] = {}
        """Changes of the records that the lens watches, by key."""
        self.has_trials = False
        """Whether a record that differs is a later trial of its id; `compare` adds what is known of the others."""
        self._gone = Tally(lens.slices)
        self._come = Tally(lens.slices)
        self._scored: Shifts = {}
        """Of pairs in which only values of scores differ: these alone say how the totals moved."""
        self._shifted: Shifts = {}
        """Of all other pairs: `_gone` and `_come` say how the totals moved."""
        self.moves: dict[str, Moves] = {}
        """Of each metric the pairs whose score differs."""
        self._columns = Columns(lens.slices, self._sign, lens.sampled, self.moves)

    def add_pairs(self, baseline: Sequence[bytes], current: Sequence[bytes]) -> bool:
        """Pairs of lines with one id that are not equal, if all of them can be read in one go; else nothing is done."""
        pairs = read_pairs(baseline, current, self._lens.ranges)
        if pairs is None:
            return False
        before, after = pairs
        start = 0
        for end, shape in runs_of_one_shape(before, after) if len(before) > 1 else [(1, None)]:
            part = slice(start, end)
            if shape is None:
                self._add(baseline[start], current[start], before[start], after[start])
            else:
                self._add_columns(shape, baseline[part], current[part], before[part], after[part])
            start = end
        return True

    def _add_columns(
        self,
        names: tuple[str, ...],
        baseline: Sequence[bytes],
        current: Sequence[bytes],
        before: Sequence[JsonObject],
        after: Sequence[JsonObject],
    ) -> None:
        """What `_add` does with each of the pairs, metric by metric; all have one shape and standing."""
        old, new = each_scores(before), each_scores(after)
        columns = {name: (list(map(itemgetter(name), old)), list(map(itemgetter(name), new))) for name in names}
        self._columns.add(columns, each_tags(before) if self._lens.slices else [], self._scored)
        effects = {name: self._effects(name, *columns[name]) for name in names}
        worst, best = _extremes(list(effects.values()))
        lost, won = (worst, best) if not self._width else _extremes([*map(self._sizes, effects, effects.values())])
        strict = [column for name, column in effects.items() if name in self._lens.strict]
        worse = [low < 0 for low in worst]
        minded = worse if len(strict) == len(names) else [low < 0 for low in _extremes(strict)[0]] if strict else []
        self.strictly_regressed += sum(minded)
        self._keep_worst(ChangeClass.REGRESSED, worse, [-size for size in lost], minded, baseline, current)
        better = [low >= 0 and high > 0 for low, high in zip(worst, best, strict=True)]
        self._keep_worst(ChangeClass.IMPROVED, better, won, [], baseline, current)
        same = [low == 0 == high for low, high in zip(worst, best, strict=True)]
        self._keep_worst(ChangeClass.CHANGED, same, won, [], baseline, current)

    def _keep_worst(
        self,
        kind: ChangeClass,
        members: Sequence[bool],
        severities: Sequence[float],
        minded: Sequence[bool],
        baseline: Sequence[bytes],
        current: Sequence[bytes],
    ) -> None:
        """Count the `members` of a class, and keep those of them that are among its worst."""
        count = sum(members)
        self.counts[kind] += count
        kept = self.kept[kind]
        if self._lens.watched:
            for index in compress(range(len(members)), members):
                strict = bool(minded) and minded[index]
                self._watch(
                    Change(severities[index], line_key(baseline[index]), kind, baseline[index], current[index], strict)
                )
        if count == 0 or max(severities) <= kept.cut:
            return
        for index in compress(range(len(members)), members):
            if severities[index] > kept.cut:
                line, other = baseline[index], current[index]
                strict = bool(minded) and minded[index]
                kept.add(Change(severities[index], line_key(line), kind, line, other, strict))

    def _sizes(self, name: str, effects: list[float]) -> list[float]:
        """The effects on a metric, measured by the width of its declared range."""
        width = self._width.get(name, 1)
        return effects if width == 1 else [effect / width for effect in effects]

    def _effects(self, name: str, old: Sequence[int | float], new: Sequence[int | float]) -> list[float]:
        """The effects on a metric, more than 0 for better."""
        return list(map(operator.sub, new, old) if self._sign[name] > 0 else map(operator.sub, old, new))

    def add_pair(self, baseline: bytes, current: bytes) -> int:
        """Two lines with one id that are not equal.

        Returns 0, or, when they are different trials and nothing was added up, less than 0 if the baseline's repeat is
        the lower one and more if it is the higher. Raises InvalidDataError if the current line is not a record.
        """
        before, after = read_pair(baseline, current, self._lens.ranges)
        self.has_trials |= "repeat" in before
        if order := record_key(before)[1] - record_key(after)[1]:
            return order
        self._add(baseline, current, before, after)
        return 0

    def _add(self, baseline: bytes, current: bytes, before: JsonObject, after: JsonObject) -> None:
        names = shape_of(before, after)
        if names is None:
            self._keep(self._standing_differs(before, after), baseline, current)
            return
        old, new = scores_of(before), scores_of(after)
        if names:
            columns = {name: ([old[name]], [new[name]]) for name in names}
            self._columns.add(columns, [tags_of(before)] if self._lens.slices else [], self._scored)
        self._keep(self._effect(old, new), baseline, current)

    def _effect(self, old: Scores, new: Scores) -> Effect:
        """What scores of the same names make of a record."""
        worse = better = -1.0
        strict = False
        for name, value in old.items():
            effect = (new[name] - value) * self._sign[name]
            if effect < 0:
                worse = max(worse, -effect / self._width.get(name, 1))
                strict = strict or name in self._lens.strict
            elif effect > 0:
                better = max(better, effect / self._width.get(name, 1))
        return _made_of(worse, better, strict=strict)

    def _standing_differs(self, before: JsonObject, after: JsonObject) -> Effect:
        """Status, tags or the names of the scores differ: every metric may count otherwise than before."""
        self._gone.add(before)
        self._come.add(after)
        status, now = before.get("status", "ok"), after.get("status", "ok")
        lost = self.lost_scores
        values = self.values_of(after)
        if status != "ok":
            # What stood for its scores was not there, so it cannot be lost: such a metric just has no pair.
            self._unpair({name: value for name, value in self._worst.items() if name not in values}, tags_of(before))
        old = {name: value for name, value in self.values_of(before).items() if status == "ok" or name in values}
        effect = self._compare(old, values, tags_of(before))
        if now != "ok":
            self.lost_scores = lost  # counted as a record that errored or was skipped
            newly = self._newly(str(now)) if status != now else ""
            if status == "ok":
                return ChangeClass.REGRESSED, math.inf, False, newly
            return (*effect[:3], newly)
        if status != "ok" and effect is _UNAFFECTED:
            return ChangeClass.IMPROVED, 0.0, False, ""
        return effect

    def _newly(self, status: str) -> str:
        self.newly[status] += 1
        return status

    def _compare(self, old: Scores, new: Scores, tags: Mapping[str, str]) -> Effect:
        """Add up values that may differ, and say what they make of the record."""
        groups = self.groups_of(tags)
        worse = better = -1.0
        strict = False
        for name, value in old.items():
            other = new.get(name)
            effect = -math.inf if other is None else (other - value) * self._sign.get(name, 0)
            for group in groups:
                sums = paired.of_metric(paired.of_group(self._shifted, group), name)
                if sums.sample is None and (name, group and group[0]) in self._lens.sampled:
                    sums.sample = paired.no_sample()
                paired.add_values(sums, value, other, effect)
            if other is not None and other != value:
                paired.moves_of(self.moves, name).add([value], [other])
            if effect < 0:
                worse = max(worse, -effect / self._width.get(name, 1))
                strict = strict or name in self._lens.strict
                self.lost_scores += other is None
            elif effect > 0:
                better = max(better, effect / self._width.get(name, 1))
        return _made_of(worse, better, strict=strict)

    def add_removed(self, baseline: bytes) -> None:
        """A verified baseline line that has no partner."""
        record: JsonObject = canonical.loads(baseline)  # type: ignore[assignment]  # verified: an object
        self._gone.add(record)
        self._unpair(self.values_of(record), tags_of(record))
        self._keep((ChangeClass.REMOVED, 0.0, False, ""), baseline, None)

    def _unpair(self, values: Scores, tags: Mapping[str, str]) -> None:
        """Take baseline values out of the pairs."""
        for group in self.groups_of(tags):
            metrics = paired.of_group(self._shifted, group)
            for name, value in values.items():
                paired.of_metric(metrics, name).unpaired.add(value)

    def add_added(self, current: bytes) -> None:
        """A current line that has no partner. Raises InvalidDataError if it is not a record."""
        record = read(current, self._lens.ranges)
        self._come.add(record)
        status = str(record.get("status", "ok"))
        newly = self._newly(status) if status != "ok" else ""
        self._keep((ChangeClass.ADDED, 0.0, False, newly), None, current)

    def _keep(self, effect: Effect, baseline: bytes | None, current: bytes | None) -> None:
        kind, severity, strict, newly = effect
        self.counts[kind] += 1
        self.strictly_regressed += strict
        worst = self.kept[kind]
        if severity > worst.cut or self._lens.watched:
            key = line_key(current if baseline is None else baseline)  # type: ignore[arg-type]  # one of them is there
            change = Change(severity, key, kind, baseline, current, strict, newly)
            self._watch(change)
            if severity > worst.cut:
                worst.add(change)

    def _watch(self, change: Change) -> None:
        if change.key[0] in self._lens.watched:
            self.watched[change.key] = change

    def groups_of(self, tags: Mapping[str, str]) -> list[Group]:
        """The groups a baseline record counts in: all records, and one for each declared tag that it has."""
        if not self._lens.slices:
            return [None]
        return [None, *((tag, tags[tag]) for tag in self._lens.slices if tag in tags)]

    def values_of(self, record: JsonObject) -> Scores:
        """What a record counts as: its scores, or the worst of each declared range if it is not `ok`."""
        return self._worst if record.get("status", "ok") != "ok" else scores_of(record)

    def settle(self) -> None:
        """Add up what is pending, to free its memory."""
        self._columns.settle(self._scored)
        paired.settle(self._shifted)

    def paired(self, group: Group, metric: str) -> PairedSums:
        """What the pairs that differ hold of a metric in a group."""
        scored, shifted = self._scored.get(group, {}), self._shifted.get(group, {})
        return scored.get(metric, PairedSums()).plus(shifted.get(metric, PairedSums()))

    def moved(self, totals: Tally) -> Tally:
        """The totals of the current run, from those of the baseline."""
        result = totals.minus(self._gone).plus(self._come)
        for group, metrics in self._scored.items():
            tally = result if group is None else result.slices[group[0]][group[1]]
            for name, sums in metrics.items():
                tally.metrics[name] = tally.metrics[name].minus(sums.before).plus(sums.after)
        return result

    def absorb(self, other: Changes) -> None:
        """Add what differs in a later part of the same two runs."""
        self.watched |= other.watched
        self.has_trials |= other.has_trials
        for kind, count in other.counts.items():
            self.counts[kind] += count
            self.kept[kind].absorb(other.kept[kind])
        for status, count in other.newly.items():
            self.newly[status] += count
        self.strictly_regressed += other.strictly_regressed
        self.lost_scores += other.lost_scores
        for name, moves in other.moves.items():
            paired.moves_of(self.moves, name).absorb(moves)
        self._gone, self._come = self._gone.plus(other._gone), self._come.plus(other._come)
        for mine, theirs in ((self._scored, other._scored), (self._shifted, other._shifted)):
            for group, metrics in theirs.items():
                for name, sums in metrics.items():
                    known = paired.of_group(mine, group)
                    paired.of_metric(known, name).absorb(sums)


def _made_of(worse: float, better: float, *, strict: bool) -> Effect:
    """What the largest effects for the worse and for the better, -1 where there is none, make of a record."""
    if worse >= 0:
        return ChangeClass.REGRESSED, worse, strict, ""
    return (ChangeClass.IMPROVED, better, False, "") if better >= 0 else _UNAFFECTED


def _width(bounds: tuple[int | float, int | float]) -> float:
    """The width of a range; at most the largest double, so that no effect measured by it is undefined."""
    return min(float(bounds[1]) - bounds[0], sys.float_info.max)


def _extremes(columns: Sequence[list[float]]) -> tuple[list[float], list[float]]:
    """Row by row the least and the greatest of some columns."""
    if len(columns) == 1:
        return columns[0], columns[0]
    return list(map(min, *columns)), list(map(max, *columns))


def collect(join: Join, changes: Changes) -> None:
    """Classify all that differs. Raises InvalidDataError, with file, line and pointer, about a current line."""
    settled = 0
    for ours, theirs in join:
        if not theirs:
            changes.add_removed(ours[0])
        elif not ours or not changes.add_pairs(ours, theirs):
            _one_by_one(join, changes, ours, theirs)
        if join.differing - settled >= _SETTLED_EVERY:
            changes.settle()
            settled = join.differing


def _one_by_one(join: Join, changes: Changes, ours: list[bytes], theirs: list[bytes]) -> None:
    """Lines that need a closer look, or a current line that stands alone."""
    for index, line in enumerate(theirs):
        try:
            if not ours:
                changes.add_added(line)
            elif order := changes.add_pair(ours[index], line):
                join.apart(index, order)
                if order < 0:
                    changes.add_removed(ours[index])
                else:
                    changes.add_added(line)
                return
        except InvalidDataError as error:
            raise join.located(error, index, theirs) from error
