"""Draws: pairs of runs that nobody made, of the scores that the real ones have, between which nothing changed.

For each record two different runs are drawn, one for its baseline score and one for its current score. So a drawn pair
differs from one record to the next as two real runs do, and on average not at all. The draws come from a hash of a
seed, so the same runs give the same draws everywhere; sums are sums of integers, and so exact.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import getitem

from runstore import exact
from runstore.calibration.noise import Noise, Noisy
from runstore.paired import Group

_WORD_BYTES = 4  # a word modulo the number of pairs of runs: of 90, none is likelier than another by 2e-8

Table = list[tuple[int, ...]]
"""By noisy record, by pair of runs: an integer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """One metric in one group of a drawn pair: the sums in steps of 10^-`decimals`, and how many records have both."""

    count: int
    baseline: int
    current: int
    decimals: int
    lost: int = 0
    """Records that only have the baseline's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One drawn pair, as far as the limits of a policy ask."""

    sums: Mapping[tuple[str, Group], Sums]
    regressed: int
    strict: int
    errored: int
    skipped: int
    lost_scores: int


class Urn:
    """Where pairs are drawn from. `groups`: of which metrics, in which slices, sums are wanted.

    `strict`: the metrics in which no record may get worse; `excused`: ids that limits on records do not count.
    """

    def __init__(
        self,
        noise: Noise,
        groups: Sequence[tuple[str, Group]],
        strict: frozenset[str],
        excused: frozenset[str] = frozenset(),
    ) -> None:
        # By digest, so that the order in which runs are named does not matter.
        order = sorted(range(noise.runs), key=lambda run: noise.digests[run])
        self._seed = ",".join(noise.digests[run] for run in order)
        self._pairs = [(a, b) for a in order for b in order if a != b]
        self._size = len(noise.noisy)
        self._columns = {group: _Column(noise, *group, self._pairs) for group in groups}
        sign = {name: 1 if one.direction == "higher" else -1 for name, one in noise.declared.items()}
        minded = {name: sign[name] for name in strict if name in sign}
        counting = [one.key[0].decode() not in excused for one in noise.noisy]

        def table(ask: Callable[[Noisy, int, int], int], *, excusing: bool = True) -> Table:
            return [
                tuple(ask(one, a, b) if counts or not excusing else 0 for a, b in self._pairs)
                for one, counts in zip(noise.noisy, counting, strict=True)
            ]

        self._regressed = table(lambda one, a, b: _worse(one, a, b, sign))
        self._strict = table(lambda one, a, b: _fell(one, a, b, minded))
        self._errored = table(lambda one, a, b: _newly(one, a, b, "error"))
        self._skipped = table(lambda one, a, b: _newly(one, a, b, "skipped"))
        self._lost = table(_lost, excusing=False)

    def draw(self, purpose: str, times: int) -> Iterator[Drawn]:
        """So many pairs; another purpose gives others."""
        for number in range(times):
            picks = self._picks(purpose, number)
            yield Drawn(
                sums={group: column.sums(picks) for group, column in self._columns.items()},
                regressed=_total(self._regressed, picks),
                strict=_total(self._strict, picks),
                errored=_total(self._errored, picks),
                skipped=_total(self._skipped, picks),
                lost_scores=_total(self._lost, picks),
            )

    def runs_of(self, purpose: str, number: int) -> list[tuple[int, int]]:
        """For each noisy record, of which runs the baseline's and the current score are in one drawn pair."""
        return [self._pairs[pick] for pick in self._picks(purpose, number)]

    def _picks(self, purpose: str, number: int) -> list[int]:
        seed = f"{self._seed}/{purpose}/{number}"
        data = hashlib.shake_128(seed.encode()).digest(_WORD_BYTES * self._size)
        pairs = len(self._pairs)
        return [word % pairs for word in struct.unpack(f"<{self._size}I", data)]


def _total(table: Table, picks: Sequence[int]) -> int:
    return sum(map(getitem, table, picks))


class _Column:
    """What the records hold of one metric in one group, in integers."""

    def __init__(self, noise: Noise, metric: str, group: Group, pairs: Sequence[tuple[int, int]]) -> None:
        self._members = None if group is None else noise.members(group)
        members = noise.members(group)
        values = [[found.get(metric) for found in noise.noisy[index].values] for index in members]
        count, total = noise.counted(metric, group, 0)
        there = [scores[0] for scores in values if scores[0] is not None]
        rest = exact.subtract(total, exact.total(there))
        self.decimals = _decimals([rest, *{exact.exact(one) for row in values for one in row if one is not None}])
        self._rest = _scaled(rest, self.decimals)
        self._count = count - len(there) + len(values)
        scaled = [[None if one is None else _scaled(exact.exact(one), self.decimals) for one in row] for row in values]
        self._before = [tuple(_either(row, a, b)[0] for a, b in pairs) for row in scaled]
        self._after = [tuple(_either(row, a, b)[1] for a, b in pairs) for row in scaled]
        gaps = any(one is None for row in scaled for one in row)
        self._unpaired = [tuple(int(None in (row[a], row[b])) for a, b in pairs) for row in scaled] if gaps else []
        self._lost = (
            [tuple(int(row[a] is not None and row[b] is None) for a, b in pairs) for row in scaled] if gaps else []
        )

    def sums(self, picks: Sequence[int]) -> Sums:
        chosen = picks if self._members is None else [picks[index] for index in self._members]
        return Sums(
            count=self._count - _total(self._unpaired, chosen),
            baseline=self._rest + _total(self._before, chosen),
            current=self._rest + _total(self._after, chosen),
            decimals=self.decimals,
            lost=_total(self._lost, chosen),
        )


def _either(row: Sequence[int | None], a: int, b: int) -> tuple[int, int]:
    """Both values, or nothing if one is missing: then the record has no pair."""
    before, after = row[a], row[b]
    return (0, 0) if before is None or after is None else (before, after)


def _decimals(values: Sequence[Decimal]) -> int:
    exponents = [value.as_tuple().exponent for value in values]
    return max([0, *(-exponent for exponent in exponents if isinstance(exponent, int))])


def _scaled(value: Decimal, decimals: int) -> int:
    return int(exact.multiply(value, Decimal((0, (1,), decimals))))


def _worse(one: Noisy, a: int, b: int, sign: Mapping[str, int]) -> int:
    """Whether a record got worse: in a score, by losing one, or by not being `ok` any more."""
    return int(one.statuses[a] == "ok" != one.statuses[b]) or _fell(one, a, b, sign)


def _fell(one: Noisy, a: int, b: int, sign: Mapping[str, int]) -> int:
    """Whether a record that is `ok` in both runs has a worse score, or has lost one."""
    if one.statuses[a] != "ok" or one.statuses[b] != "ok":
        return 0
    before, after = one.values[a], one.values[b]
    return int(
        any(
            name in sign and (name not in after or (after[name] - score) * sign[name] < 0)
            for name, score in before.items()
        )
    )


def _newly(one: Noisy, a: int, b: int, status: str) -> int:
    return int(one.statuses[b] == status != one.statuses[a])


def _lost(one: Noisy, a: int, b: int) -> int:
    """Scores that a record had and, being `ok`, has no more."""
    if one.statuses[a] != "ok" or one.statuses[b] != "ok":
        return 0
    return len(one.scored[a] - one.scored[b])


def value(total: int, decimals: int) -> Decimal:
    """A sum as a decimal."""
    return exact.multiply(Decimal(total), Decimal((0, (1,), -decimals)))
