"""Measures: means over pairs, and the figure that stands for a series."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runstore import measures
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.series import Point
from tests.factories import HIGHER, LOWER


def measure(declared: MetricDeclaration, baseline: str, current: str, count: int = 1) -> Measure:
    return Measure(
        metric="m",
        group=None,
        declared=declared,
        count=count,
        baseline_sum=Decimal(baseline),
        current_sum=Decimal(current),
    )


def test_means_and_their_difference_are_the_nearest_doubles() -> None:
    found = measure(HIGHER, "2.7", "2.55", count=3)
    assert (found.baseline, found.current, found.delta) == (0.9, 0.85, -0.05)


def test_without_pairs_there_are_no_means() -> None:
    found = measure(HIGHER, "0", "0", count=0)
    assert (found.baseline, found.current, found.delta) == (None, None, None)


@pytest.mark.parametrize(
    ("declared", "baseline", "current", "drop"),
    [
        (HIGHER, "1", "0.9", "0.1"),
        (HIGHER, "0.9", "1", "-0.1"),
        (LOWER, "1", "0.9", "-0.1"),
        (LOWER, "0.9", "1", "0.1"),
        (LOWER, "0", f"1.{'0' * 40}1", f"1.{'0' * 40}1"),
        (HIGHER, f"1.{'0' * 40}1", "0", f"1.{'0' * 40}1"),
    ],
)
def test_a_drop_is_exact_and_positive_in_the_direction_that_is_worse(
    declared: MetricDeclaration, baseline: str, current: str, drop: str
) -> None:
    assert measure(declared, baseline, current).drop_sum == Decimal(drop)


POINTS = [Point(name="m", value=value, step=step) for value, step in ((3, 0), (1, 1), (2, 2))]


@pytest.mark.parametrize(
    ("aggregate", "final", "figure"),
    [
        (None, None, 2),
        ("last", None, 2),
        ("min", None, 1),
        ("max", None, 3),
        ("last", 9, 9),
        ("min", 9, 1),
        ("max", 9, 9),
    ],
)
def test_the_figure_of_a_series_is_the_one_its_aggregate_names(
    aggregate: str | None, final: int | None, figure: int
) -> None:
    points = [*POINTS, *([Point(name="m", value=final)] if final is not None else [])]
    assert measures.figures(iter(points), {"m": MetricDeclaration(aggregate=aggregate)}) == {"m": figure}


@pytest.mark.parametrize(
    ("declared", "baseline", "current", "effect"),
    [
        (HIGHER, 1, 2, (0, 1)),
        (HIGHER, 2, 1, (1, 0)),
        (LOWER, 1, 2, (1, 0)),
        (LOWER, 2, 1, (0, 1)),
        (LOWER, 1, 1.0, (0, 0)),
    ],
)
def test_a_series_got_worse_or_better_by_its_direction(
    declared: MetricDeclaration, baseline: float, current: float, effect: tuple[int, int]
) -> None:
    sides = {"m": baseline, "gone": 1}, {"m": current, "new": 1}
    found = list(measures.of_series(*sides, {"m": declared, "gone": HIGHER}))
    assert [(each.metric, each.count, each.is_series) for each in found] == [("m", 1, True)]
    assert (found[0].regressed, found[0].improved) == effect
