"""Curves: what is left of a series that is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runstore import curves
from runstore.curves import MOST_POINTS, Curve
from runstore.manifest import MetricDeclaration
from runstore.series import Point

LOSS = {"loss": MetricDeclaration(direction="lower")}


def drawn(baseline: list[float], current: list[float], name: str = "loss") -> list[Curve]:
    sides = [
        [Point(name=name, value=value, step=step) for step, value in enumerate(side)] for side in (baseline, current)
    ]
    return list(curves.between(iter(sides[0]), iter(sides[1]), LOSS, {name: MetricDeclaration(direction="higher")}))


def test_a_short_series_is_kept_whole() -> None:
    (curve,) = drawn([3, 2, 1], [3, 1])
    assert (curve.baseline, curve.current) == ([(0, 3), (1, 2), (2, 1)], [(0, 3), (1, 1)])
    assert curve.declared.direction == "lower"


def test_a_single_point_is_no_curve() -> None:
    assert drawn([3], [2]) == []
    final = [Point(name="loss", value=1)]
    assert list(curves.between(iter(final), iter(final), LOSS, LOSS)) == []


def test_a_series_of_one_side_is_drawn_alone() -> None:
    (curve,) = drawn([], [1, 2], "new")
    assert (curve.baseline, curve.current) == (None, [(0, 1), (1, 2)])
    assert curve.declared.direction == "higher"


@given(st.integers(1, 5000))
def test_peaks_dips_and_ends_stay_and_nothing_is_made_up(count: int) -> None:
    values = [float((step * 7919) % 1009) for step in range(count)]
    (curve,) = drawn(values, [0, 1])
    kept = curve.baseline
    assert kept is not None
    assert len(kept) == count if count <= MOST_POINTS - 2 else len(kept) <= MOST_POINTS
    assert kept == sorted(kept)
    assert all(values[step] == value for step, value in kept)
    assert {kept[0], kept[-1]} == {(0, values[0]), (count - 1, values[-1])}
    assert {min(values), max(values)} <= {value for _, value in kept}
