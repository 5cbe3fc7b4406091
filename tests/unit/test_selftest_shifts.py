"""Scores moved so that their sum is as near to a limit as scores can bring it: the arithmetic of the self-test."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import exact
from runstore.selftest.shifts import Score, shifted

Scores = list[tuple[int, Score]]


@pytest.mark.parametrize(
    ("scores", "amount", "bound", "up", "past", "expected"),
    [
        ([(0, 1), (1, 0), (2, 1)], "1", 0, False, False, {0: 0}),
        ([(0, 1), (1, 0), (2, 1)], "1", 0, False, True, {0: 0, 2: 0}),
        ([(0, 1), (1, 0), (2, 1)], "1.9", 0, False, False, {0: 0}),
        ([(0, 1), (1, 0), (2, 1)], "1.9", 0, False, True, {0: 0, 2: 0}),
        ([(0, 1), (1, 1)], "2", 0, False, True, None),
        ([(0, 3)], "2", None, True, True, {0: 6}),
        ([(0, 0.5), (1, 0.25)], "0.6", 0, False, False, {0: 0, 1: 0.15}),
        ([(0, 0.5), (1, 0.25)], "0.6", 0, False, True, {0: 0, 1: 0.14999999999999997}),
        ([(0, 0.5)], "0", 0, False, False, {}),
        ([(0, 0.5)], "0", 0, False, True, {0: 0.49999999999999994}),
        ([(0, 0.5)], "0.5", 1, True, True, None),
        ([(0, 0.5)], "0.5", 0, False, False, {0: 0}),
    ],
)
def test_scores_are_moved_to_a_limit_or_by_the_least_step_past_it(
    scores: Scores, amount: str, bound: Score | None, up: bool, past: bool, expected: dict[int, Score] | None
) -> None:
    assert shifted(scores, Decimal(amount), bound, up=up, past=past) == expected


FLOATS = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=8)
AMOUNTS = st.decimals(0, 6, places=3)


def moved(scores: Scores, new: dict[int, Score], sign: int) -> Decimal:
    old = dict(scores)
    return exact.multiply(exact.subtract(exact.total(new.values()), exact.total(old[i] for i in new)), Decimal(sign))


@given(FLOATS, AMOUNTS, st.booleans())
def test_what_is_moved_stays_within_the_amount_or_goes_past_it_and_never_beyond_the_bound(
    values: list[float], amount: Decimal, up: bool
) -> None:
    scores: Scores = list(enumerate(values))
    sign, bound = (1, 1) if up else (-1, 0)
    within = shifted(scores, amount, bound, up=up, past=False)
    past = shifted(scores, amount, bound, up=up, past=True)
    assert within is not None
    assert moved(scores, within, sign) <= amount
    room = exact.multiply(exact.subtract(Decimal(bound * len(values)), exact.total(values)), Decimal(sign))
    assert (past is None) == (room <= amount)
    for new in (within, past or {}):
        assert all(0 <= score <= 1 for score in new.values())
    if past is not None:
        step = moved(scores, past, sign) - amount
        assert 0 < step < Decimal("1e-15")
    if room >= amount:
        assert amount - moved(scores, within, sign) < Decimal("1e-15")
