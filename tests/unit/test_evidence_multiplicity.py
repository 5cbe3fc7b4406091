"""Adjusted p against statsmodels."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]

from runstore.evidence.multiplicity import benjamini_hochberg, holm

PS = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 5e-324, 0.01, 0.05, 1.0])), min_size=1, max_size=30)


@settings(max_examples=20)  # statsmodels collects garbage in each call
@given(PS)
def test_adjusted_p_are_those_of_statsmodels(ps: list[float]) -> None:
    for found, method in ((holm(ps), "holm"), (benjamini_hochberg(ps), "fdr_bh")):
        known = multipletests(ps, method=method)[1]
        assert all(math.isclose(*pair, rel_tol=1e-12, abs_tol=1e-320) for pair in zip(found, known, strict=True))


def test_a_case_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == (0.03, 0.06, 0.06, 0.02)
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == (0.02, 0.04, 0.04, 0.02)


def test_no_tests_need_no_adjustment() -> None:
    assert (holm([]), benjamini_hochberg([])) == ((), ())


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_what_is_no_p_is_refused(bad: float) -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match=r"must lie within \[0, 1\]"):
            adjust([0.5, bad])
