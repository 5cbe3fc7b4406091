"""Laws of the statistics: what must hold whatever the data are."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runstore.evidence.multiplicity import benjamini_hochberg, holm
from runstore.evidence.paired import clustered_mean, mcnemar, paired_mean
from runstore.evidence.permutation import SignFlip, sign_flip
from runstore.evidence.power import detectable, power_at
from runstore.evidence.results import MeanDifference

THOUSANDTHS = st.integers(-1000, 1000).map(lambda n: Decimal(n) / 1000)
SAMPLES = st.lists(THOUSANDTHS, min_size=2, max_size=30)
CLUSTERS = st.lists(st.tuples(st.integers(1, 9), THOUSANDTHS), min_size=2, max_size=12)
PS = st.lists(st.floats(0, 1), max_size=12)


def t_of(values: list[Decimal], margin: Decimal | int = 0) -> MeanDifference:
    found = paired_mean(len(values), sum(values, Decimal(0)), sum((v * v for v in values), Decimal(0)), 0.95, margin)
    assert found is not None
    return found


def flip(values: list[Decimal]) -> SignFlip:
    return sign_flip(values, len(values), 200, "law")


@given(CLUSTERS, st.randoms(use_true_random=False))
def test_the_order_of_clusters_changes_no_bit(clusters: list[tuple[int, Decimal]], source: random.Random) -> None:
    shuffled = source.sample(clusters, len(clusters))
    assert clustered_mean(clusters, 0.95) == clustered_mean(shuffled, 0.95)


@given(st.lists(THOUSANDTHS, min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_differences_changes_no_bit(values: list[Decimal], source: random.Random) -> None:
    assert flip(values) == flip(source.sample(values, len(values)))


@pytest.mark.parametrize("count", [200, 6000])
def test_the_order_of_drawn_differences_changes_no_bit(count: int) -> None:
    source = random.Random(count)
    values = [source.gauss(-0.05, 1) for _ in range(count)]
    found = sign_flip(values, count, 50, "law")
    assert not found.exact
    assert found == sign_flip(source.sample(values, count), count, 50, "law")


@given(st.lists(THOUSANDTHS, min_size=1, max_size=40), st.integers(1, 20))
def test_pairs_without_a_difference_do_not_matter_to_the_signs(values: list[Decimal], zeros: int) -> None:
    one, other = flip(values).test, flip([*values, *[Decimal(0)] * zeros]).test
    assert (one.p, one.p_two_sided) == (other.p, other.p_two_sided)


@given(SAMPLES, st.sampled_from([Decimal("1e-200"), Decimal("0.5"), Decimal(1000), Decimal("1e200")]))
def test_a_change_of_unit_changes_no_p(values: list[Decimal], unit: Decimal) -> None:
    scaled = [value * unit for value in values]
    assert t_of(values).test == t_of(scaled).test
    assert flip(values).test.p == flip(scaled).test.p


@given(st.lists(THOUSANDTHS, min_size=1, max_size=14))
def test_worse_and_better_are_mirror_images(values: list[Decimal]) -> None:
    mirrored = [-value for value in values]
    assert flip(values).test.p_two_sided == flip(mirrored).test.p_two_sided
    assert flip(values).test.p + flip(mirrored).test.p >= 1


@given(SAMPLES)
def test_a_t_test_and_its_mirror_image_share_all_chance(values: list[Decimal]) -> None:
    one, other = t_of(values), t_of([-value for value in values])
    assert (one.interval.low, one.interval.high) == (-other.interval.high, -other.interval.low)
    assert one.test.p_two_sided == other.test.p_two_sided
    if not one.degenerate:
        assert one.test.p + other.test.p == pytest.approx(1, abs=1e-15)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_and_its_mirror_image_overlap_in_what_was_seen(worse: int, better: int) -> None:
    one, other = mcnemar(worse, better), mcnemar(better, worse)
    assert one.p_two_sided == other.p_two_sided
    assert one.p + other.p >= 1
    assert mcnemar(worse + 1, better).p <= one.p <= mcnemar(worse, better + 1).p


@given(SAMPLES, st.integers(0, 500), st.integers(0, 500))
def test_a_larger_margin_is_harder_to_pass(values: list[Decimal], one: int, other: int) -> None:
    small, large = sorted((Decimal(one) / 1000, Decimal(other) / 1000))
    assert t_of(values, small).test.p <= t_of(values, large).test.p


@example([0.0, 0.0, 0.9723892546113475])
@example([0.0, 0.0, 0.4864354032704449])
@given(PS)
def test_an_adjusted_p_is_never_less_than_the_raw_one(ps: list[float]) -> None:
    assert all(raw <= slack <= strict for raw, slack, strict in zip(ps, benjamini_hochberg(ps), holm(ps), strict=True))


@given(PS, st.randoms(use_true_random=False))
def test_adjusted_p_keep_the_order_of_the_raw_ones(ps: list[float], source: random.Random) -> None:
    order = source.sample(range(len(ps)), len(ps))
    for adjust in (holm, benjamini_hochberg):
        found = adjust(ps)
        assert adjust([ps[index] for index in order]) == tuple(found[index] for index in order)
        ranked = sorted(zip(ps, found, strict=True))
        assert [after for _, after in ranked] == sorted(found)
        assert len({after for _, after in ranked}) <= len(set(ps))


@settings(max_examples=30)
@given(st.integers(1, 500), st.floats(0, 4), st.floats(0, 4), st.sampled_from([0.01, 0.05]))
def test_a_larger_effect_is_seen_more_often(df: int, one: float, other: float, alpha: float) -> None:
    small, large = power_at(min(one, other), 1, df, alpha), power_at(max(one, other), 1, df, alpha)
    assert small is not None
    assert large is not None
    assert alpha - 1e-12 <= small <= large


@settings(max_examples=30)
@given(st.integers(2, 500), st.sampled_from([0.01, 0.05, 0.1]), st.sampled_from([0.5, 0.8, 0.95]))
def test_a_detectable_effect_grows_with_the_error_and_shrinks_with_degrees(df: int, alpha: float, goal: float) -> None:
    effect, doubled, more = (detectable(*spread, alpha, goal) for spread in ((1, df), (2, df), (1, df + 1)))
    assert effect is not None
    assert more is not None
    assert doubled == 2 * effect
    assert more < effect
