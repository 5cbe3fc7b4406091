"""Repeated trials: the estimators against all ways to choose k of n trials."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.evidence.repeats import k_of_n, pass_at_k, pass_hat_k


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_the_estimators_are_means_over_all_choices_of_k_trials(trial: tuple[int, int, int]) -> None:
    n, c, k = trial
    choices = list(combinations([True] * c + [False] * (n - c), k))
    some, every = Fraction(sum(map(any, choices)), len(choices)), Fraction(sum(map(all, choices)), len(choices))
    assert abs(Fraction(pass_at_k(n, c, k)) - some) < Fraction(1, 10**39)
    assert abs(Fraction(pass_hat_k(n, c, k)) - every) < Fraction(1, 10**39)


@pytest.mark.parametrize(
    ("n", "c", "k", "some", "every", "at_least"),
    [
        (10, 3, 1, "0.3", "0.3", "1"),
        (10, 0, 5, "0", "0", "0"),
        (10, 10, 5, "1", "1", "1"),
        (4, 2, 3, "1", "0", "0"),
        (200, 100, 2, "0.7512562814070351758793969849246231155779", "0.2487437185929648241206030150753768844221", "1"),
    ],
)
def test_cases(n: int, c: int, k: int, some: str, every: str, at_least: str) -> None:
    assert [pass_at_k(n, c, k), pass_hat_k(n, c, k), k_of_n(n, c, k)] == [*map(Decimal, (some, every, at_least))]


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (3, 1, 4), (0, 0, 0)])
def test_impossible_numbers_are_refused(n: int, c: int, k: int) -> None:
    for estimate in (pass_at_k, pass_hat_k, k_of_n):
        with pytest.raises(ValueError, match="says nothing"):
            estimate(n, c, k)
