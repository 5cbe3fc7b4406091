"""Leeway: what a policy lets through, found by bisection: how many records it lets fail, and how far a mean may fall.

The search assumes that a policy which refuses some damage refuses more of the same; the figure that is told was judged
and passed, and the one above it was judged and did not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from runstore import exact
from runstore.selftest.lab import Lab, number
from runstore.selftest.shifts import shifted

_STEPS = 12
"""Halvings of the interval in which a drop is looked for: it is found to one part in 4,096."""

Passes = Callable[[Mapping[str, bytes]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leeway:
    """What passes in one metric: `failed` records with the worst score; a mean worse by `drop`, exact text.

    `of` records could fail. `everything`: there is no number of failed records that does not pass.
    """

    metric: str
    failed: int
    of: int
    drop: str

    @property
    def everything(self) -> bool:
        """Whether nothing is refused."""
        return self.failed == self.of


def leeways(lab: Lab, passes: Passes) -> Iterator[Leeway]:
    """The leeway of every metric that records carry and in which they can get worse."""
    for metric in lab.metrics:
        able = lab.can_get_worse(metric)
        if not able:
            continue
        failed = _most(len(able), lambda count, m=metric, a=able: passes(_failing(lab, m, a[:count])))  # type: ignore[misc]
        yield Leeway(metric=metric, failed=failed, of=len(able), drop=_drop(lab, metric, able, failed, passes))


def _failing(lab: Lab, metric: str, indices: list[int]) -> dict[str, bytes]:
    return lab.specimen.copy({**lab.rescored(metric, dict.fromkeys(indices, lab.worst(metric)))})


def _most(limit: int, passes: Callable[[int], bool]) -> int:
    """The largest count up to the limit that passes, by doubling and then halving; work grows with the answer."""
    low, high = 0, 1
    while high <= limit and passes(high):
        low, high = high, 2 * high
    high = min(high, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _drop(lab: Lab, metric: str, able: list[int], failed: int, passes: Passes) -> str:
    """By how much the mean may get worse: what the failed records lose, and, of decimals, a part of one more."""
    rows, worst = lab.specimen.rows, lab.worst(metric)
    count = Decimal(lab.measures[metric, None].count)
    low = lab.lost(metric, dict.fromkeys(able[:failed], worst))
    high = lab.lost(metric, dict.fromkeys(able[: failed + 1], worst))
    scores = [(index, rows[index].scores[metric]) for index in able]
    if failed < len(able) and any(isinstance(score, float) for _, score in scores):
        up = lab.declared(metric).direction == "lower"
        for _ in range(_STEPS):
            middle = exact.multiply(exact.add(low, high), Decimal("0.5"))
            new = shifted(scores, middle, worst, up=up, past=False)
            if not new or not passes(lab.specimen.copy({**lab.rescored(metric, new)})):
                high = middle
            else:
                low = lab.lost(metric, new)
    return number(low / count)
