"""Shifts: scores in, other scores out whose sum is moved by an amount, exactly, as far as scores can say it.

Damage is done to as few records as it takes: one after the other is moved to its bound, and the last one part of the
way. Scores that are all integers (0 and 1, points) stay integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from runstore import exact

Score = int | float


def shifted(
    scores: Sequence[tuple[int, Score]], amount: Decimal, bound: Score | None, *, up: bool, past: bool
) -> dict[int, Score] | None:
    """New scores by index, by which the sum moves up (or down) by as much of `amount` as it can, and no more.

    With `past`: by the least that is more than `amount`. `bound` is the score that none goes beyond; None: there is
    none. `amount` is not negative. Returns None if the scores cannot move that far (with `past`), {} if none moves.
    """
    sign = 1 if up else -1
    if all(isinstance(score, int) for _, score in scores):
        return _of_integers(scores, amount, bound, sign, past=past)
    return _of_decimals(scores, amount, bound, sign, past=past)


def _of_integers(
    scores: Sequence[tuple[int, Score]], amount: Decimal, bound: Score | None, sign: int, *, past: bool
) -> dict[int, Score] | None:
    left = math.floor(amount) + past
    found: dict[int, Score] = {}
    for index, score in scores:
        if left == 0:
            break
        step = left if bound is None else min(left, math.floor((bound - score) * sign))
        if step > 0:
            found[index] = score + step * sign
            left -= step
    return None if left and past else found


def _of_decimals(
    scores: Sequence[tuple[int, Score]], amount: Decimal, bound: Score | None, sign: int, *, past: bool
) -> dict[int, Score] | None:
    left = amount
    found: dict[int, Score] = {}
    for index, score in scores:
        if left < 0 or (left == 0 and not past):
            break
        new = _moved(score, left, bound, sign, past=past)
        moved = exact.multiply(exact.subtract(exact.exact(new), exact.exact(score)), Decimal(sign))
        if moved > 0:
            found[index] = new
            left = exact.subtract(left, moved)
    return None if past and left >= 0 else found


def _moved(score: Score, amount: Decimal, bound: Score | None, sign: int, *, past: bool) -> Score:
    """The score moved by the largest double that is within `amount`, or by the least that is past it."""
    here = exact.exact(score)
    target = exact.add(here, exact.multiply(amount, Decimal(sign)))
    if bound is not None and exact.subtract(target, exact.exact(bound)) * sign >= 0:
        return bound
    new = float(target)
    if not math.isfinite(new):
        return score
    away = math.inf * sign
    while past and exact.subtract(exact.exact(new), target) * sign <= 0:
        new = math.nextafter(new, away)
    while not past and exact.subtract(exact.exact(new), target) * sign > 0:
        new = math.nextafter(new, -away)
    return new if bound is None or (bound - new) * sign >= 0 else bound
