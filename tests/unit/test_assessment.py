"""An assessment by itself: what a test could never show, how much is drawn, and that power and smallest drop agree."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from runstore import assessment, exact
from runstore.assessment import Assessment, Clusters, Unassessed, assess
from runstore.evidence import power
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy.model import Evidence, Limits, TestName
from tests.factories import HIGHER, LOWER, SHARE

ALLOWED = Decimal("0.05")


def measure_of(
    differences: Sequence[float], declared: MetricDeclaration = SHARE, *, binary: bool = False, sample: bool = True
) -> Measure:
    steps = list(map(exact.exact, differences))
    sign = 1 if declared.direction == "higher" else -1
    return Measure(
        metric="acc",
        group=None,
        declared=declared,
        count=len(steps),
        baseline_sum=Decimal(0),
        current_sum=sum(steps, Decimal(0)),
        regressed=sum(sign * step < 0 for step in steps),
        improved=sum(sign * step > 0 for step in steps),
        squares=sum((step * step for step in steps), Decimal(0)),
        is_binary=binary,
        sample=array("d", [value for value in differences if value]) if sample else None,
    )


def assessed(
    measure: Measure,
    test: TestName = "auto",
    *,
    allowed: Decimal = ALLOWED,
    clusters: Clusters | None = None,
    family: int = 1,
    rules: Evidence | None = None,
) -> Assessment:
    found = assess(measure, Limits(max_drop=allowed, test=test), allowed, clusters, rules or Evidence(), family)
    assert isinstance(found, Assessment), found
    return found


def noise(count: int, seed: int = 1, digits: int = 4) -> list[float]:
    random = Random(seed)
    return [round(random.uniform(-0.1, 0.1), digits) or 0.1 for _ in range(count)]


@pytest.mark.parametrize("declared", [HIGHER, LOWER])
def test_turning_the_direction_turns_the_answer_and_not_the_figures(declared: MetricDeclaration) -> None:
    values = noise(50)
    sign = 1 if declared.direction == "higher" else -1
    found = assessed(measure_of(values, declared), "t")
    reference = stats.ttest_1samp([sign * value for value in values], 0, alternative="less")
    assert found.p == pytest.approx(float(reference.pvalue), abs=1e-12)
    assert found.estimate == pytest.approx(sum(values) / 50)
    assert found.interval[0] < found.estimate < found.interval[1]


def test_a_p_that_is_not_0_never_becomes_0() -> None:
    for declared, change in ((HIGHER, -0.5), (LOWER, 0.5)):
        values = [change + value / 1000 for value in noise(20_000, digits=3)]
        assert assessed(measure_of(values, declared), "t").p == 5e-324
        assert assessed(measure_of([change] * 20_000, declared), "t").p == 5e-324


@pytest.mark.parametrize(("pairs", "family", "power"), [(4, 1, 0.0), (5, 1, None), (5, 2, 0.0), (6, 2, None)])
def test_what_no_pattern_of_signs_can_show_has_no_power(pairs: int, family: int, power: float | None) -> None:
    """2^-pairs is the least p there is; Student's t, by which power is told, knows nothing of that."""
    values = [-0.1, -0.11, -0.09, -0.1, -0.1, -0.12][:pairs]
    found = assessed(measure_of(values), family=family)
    assert (found.test, found.p) == ("sign-flip", 2.0**-pairs)
    assert found.power == 0 if power == 0 else found.power is not None and found.power > 0.9
    assert found.could_show == (power is None)
    assert (found.detectable is None) == (power == 0)


def test_what_no_number_of_draws_can_show_has_no_power() -> None:
    """Of a hundred patterns the least p is 1/101, too much for the tenth part of 0.05."""
    values = [value - 0.2 for value in noise(200)]
    rules = Evidence(resamples=100)
    assert assessed(measure_of(values), "permutation", rules=rules).could_show
    found = assessed(measure_of(values), "permutation", rules=rules, family=10)
    assert (found.p, found.power, found.could_show) == (1 / 101, 0, False)


@pytest.mark.parametrize(
    ("differing", "resamples", "family", "drawn"),
    [
        (200, 10_000, 1, 10_000),
        (200, 100, 1, 100),
        (2_000, 10_000, 1, 1_000),  # as many as the work allows, and a thousand at least
        (2_000, 10_000, 100, 4_000),  # or what it takes to be able to show anything
        (2_000, 500, 1, 500),  # no more than the policy asks for
    ],
)
def test_the_patterns_that_are_drawn_are_limited_by_their_work(
    monkeypatch: pytest.MonkeyPatch, differing: int, resamples: int, family: int, drawn: int
) -> None:
    monkeypatch.setattr(assessment, "_FLIPS", 2_000_000)
    found = assessed(measure_of(noise(differing)), "permutation", rules=Evidence(resamples=resamples), family=family)
    assert found.note == f"{drawn:,} patterns of signs drawn"


def test_a_sample_that_lacks_a_pair_is_no_sample() -> None:
    whole = measure_of(noise(40))
    assert whole.sample is not None
    for sample in (None, whole.sample[1:], []):
        found = assess(
            replace(whole, sample=sample), Limits(max_drop=ALLOWED, test="permutation"), ALLOWED, None, Evidence(), 1
        )
        assert isinstance(found, Unassessed)
    assert assessed(measure_of(noise(20), sample=False)).test == "t"


@pytest.mark.parametrize("clusters", [[(3, Decimal(1)), (4, Decimal(-1))], [(1, Decimal(1))] * 7])
def test_mcnemar_is_never_taken_of_clusters(clusters: Clusters) -> None:
    measure = measure_of([1, -1, 1, 0, 0, 0, 0], binary=True)
    found = assess(measure, Limits(max_drop=ALLOWED, test="mcnemar"), ALLOWED, clusters, Evidence(), 1)
    assert isinstance(found, Unassessed)
    assert "knows no repeats and no clusters" in found.reason


def test_clusters_without_spread_are_as_sure_as_there_are_of_equal_size() -> None:
    """A thousand pairs in one cluster and one in each of sixty others are little more than one cluster."""
    alike = [(10, Decimal(0))] * 700
    uneven = [(6_301, Decimal(0)), *[(1, Decimal(0))] * 699]
    measure = measure_of([0] * 7_000)
    found = [assessed(measure, clusters=one, allowed=Decimal("0.01")) for one in (alike, uneven)]
    assert [one.could_show for one in found] == [True, False]
    assert [one.units for one in found] == [700, 700]


differences = st.one_of(
    st.lists(st.integers(-100, 100).map(lambda number: number / 1000), min_size=2, max_size=60),
    st.lists(st.sampled_from([0.0] * 20 + [-1.0, 1.0, -0.01]), min_size=20, max_size=80),
    st.builds(lambda value, count: [value] * count, st.sampled_from([0.0, -0.1, 0.1]), st.integers(2, 900)),
)


@given(differences, st.sampled_from([1, 3]), st.sampled_from(["0.001", "0.01", "0.05", "0.2"]), st.booleans())
def test_power_is_enough_exactly_if_the_limit_is_no_less_than_the_smallest_drop(
    values: list[float], family: int, limit: str, ranged: bool
) -> None:
    allowed = Decimal(limit)
    found = assessed(measure_of(values, SHARE if ranged else HIGHER), "t", allowed=allowed, family=family)
    assert found.could_show == (found.detectable is not None and Decimal(found.detectable) <= allowed)
    if found.could_show:
        assert found.power is not None
        assert found.power >= 0.8


@given(st.integers(2, 60), st.data())
def test_mcnemar_sees_the_smallest_drop_and_none_that_is_smaller(count: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.sampled_from([0, 0, 0, 1, -1]), min_size=count, max_size=count))
    measure = measure_of(values, binary=True)
    found = assessed(measure)
    better = Decimal(measure.improved) / count
    if found.detectable is None:
        return
    least = round(found.detectable * count)

    def chance(worse_by: int) -> float:
        return power.mcnemar_power(count, better + Decimal(worse_by) / count, better, Decimal("0.05"))

    assert math.isclose(found.detectable, least / count)
    assert chance(least) >= 0.8
    assert least == 1 or chance(least - 1) < 0.8


@pytest.mark.parametrize("count", [3, 7, 30, 31, 97, 300])
def test_power_of_a_limit_as_wide_as_the_range_is_told(count: int) -> None:
    """Shares that no decimal holds, such as 1/30 and 29/30, are still no more than 1 together."""
    for better in range(1, count, max(count // 7, 1)):
        values = [1] * better + [0] * (count - better)
        for allowed in ("0.3", "0.999", "1", "2"):
            found = assessed(measure_of(values, binary=True), allowed=Decimal(allowed))
            assert found.power is not None
            assert 0 <= found.power <= 1


@given(differences, st.sampled_from([1, 4]), st.sampled_from(["auto", "t", "permutation"]))
def test_a_p_speaks_of_a_change_for_the_worse(values: list[float], family: int, test: TestName) -> None:
    found = assessed(measure_of(values), test, family=family)
    if found.estimate > 0:
        assert found.p >= 0.4
    assert 0 < found.p <= 1
    assert found.significant == (Decimal(found.p) <= Decimal("0.05"))


@given(most=st.integers(1, 100_000), data=st.data())
def test_the_least_that_is_seen_is_found_from_any_guess_and_soon_from_a_good_one(
    most: int, data: st.DataObject
) -> None:
    least, guess = data.draw(st.integers(1, most)), data.draw(st.integers(-5, most + 5))
    for start in (guess, least, least - 1, least + 2):
        asked: list[int] = []

        def is_seen(records: int, asked: list[int] = asked) -> bool:
            asked.append(records)
            return records >= least

        assert assessment._least(is_seen, start, most) == least
        assert all(1 <= records <= most for records in asked)
        assert len(asked) <= (4 if start != guess else 2 * most.bit_length() + 2)


@pytest.mark.parametrize("count", [200, 2000, 100_000])
@pytest.mark.parametrize("better", [0, 0.001, 0.02, 0.2])
def test_the_guess_of_what_mcnemars_test_sees_is_near(count: int, better: float) -> None:
    guess = int(power.mcnemar_guess(count, better, 0.05, 0.8) * count)

    def is_seen(records: int) -> bool:
        return power.mcnemar_power(count, better + records / count, better, 0.05) >= 0.8

    assert abs(assessment._least(is_seen, guess, int(count * (1 - 2 * better))) - guess) <= 6
