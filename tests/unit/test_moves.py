"""Moves: what a histogram of two dimensions says of pairs that differ, whoever counted them and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runstore.moves import MOST_CELLS, Moves, edges

VALUES = st.floats(allow_nan=False, allow_infinity=False)
PAIRS = st.lists(st.tuples(VALUES, VALUES), max_size=60)


def counted(pairs: Sequence[tuple[float, float]]) -> Moves:
    moves = Moves()
    if pairs:
        old, new = zip(*pairs, strict=True)
        moves.add(old, new)
    return moves


def said(moves: Moves) -> tuple[float, list[tuple[float, float, int]]]:
    return moves.grid, moves.cells()


def test_few_pairs_of_values_are_exact() -> None:
    assert said(counted([(1, 0)] * 700 + [(0, 1)] * 3)) == (0.0, [(0, 1, 3), (1, 0, 700)])


def test_many_pairs_of_values_lie_on_the_finest_grid_with_few_cells() -> None:
    pairs = [(index / 1000, (index * 7 % 1000) / 1000) for index in range(1000)]
    grid, cells = said(counted(pairs))
    assert 0 < grid < 0.1
    assert len(cells) <= MOST_CELLS
    assert sum(times for _, _, times in cells) == 1000
    assert len({(math.floor(old / grid), math.floor(new / grid)) for old, new in pairs}) == len(cells)
    assert len({(math.floor(2 * old / grid), math.floor(2 * new / grid)) for old, new in pairs}) > MOST_CELLS


@pytest.mark.parametrize("reach", [5e-324, 1e-300, 1e-9, 1.0, 1e9, 1e300, 1.7e308])
def test_the_cells_are_few_at_every_scale(reach: float) -> None:
    moves = counted([(reach * (index % 37 - 18) / 20, reach * (index % 41 - 20) / 20) for index in range(1517)])
    assert len(moves.cells()) <= MOST_CELLS
    assert sum(times for _, _, times in moves.cells()) == 1517


def test_one_far_value_does_not_hide_the_number_of_the_others() -> None:
    moves = counted([(index / 1000, 1 - index / 1000) for index in range(1000)] + [(1e300, 0.5)])
    assert sum(times for _, _, times in moves.cells()) == 1001


@given(PAIRS, st.integers(-1020, 1075))
@example([(0.0, -5e-292)], -108)
def test_an_edge_is_at_most_one_cell_below(pairs: list[tuple[float, float]], level: int) -> None:
    values = [value for pair in pairs for value in pair]
    for value, edge in zip(values, edges(values, level) if values else [], strict=True):
        assert edge <= value
        if level <= 1000 and abs(value) < 1e300:
            assert value - edge <= math.ldexp(1.0, -level)


@given(st.data(), st.integers(1, 4))
def test_who_counted_what_in_which_order_makes_no_difference(data: st.DataObject, parts: int) -> None:
    scale = data.draw(st.sampled_from([1.0, 1e-7, 1e12]))
    numbers = data.draw(st.lists(st.integers(0, 3000), min_size=1, max_size=40))
    pairs = [(scale * (number + step) / 7, scale * (number * step % 101)) for number in numbers for step in range(40)]
    whole = counted(pairs)
    shuffled = data.draw(st.randoms(use_true_random=False))
    other = list(pairs)
    shuffled.shuffle(other)
    together = Moves()
    for part in range(parts):
        together.absorb(counted(other[part::parts]))
    assert said(together) == said(whole)
