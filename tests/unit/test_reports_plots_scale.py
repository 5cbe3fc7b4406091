"""What plots are made of: scales and their ticks, the room that texts take, numbers and texts as SVG has them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runstore.reports.plots import lettering, scale, svg
from runstore.reports.plots.scale import Scale

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1, -1, 0.5, 1e300, -1e300, 1.7e308, -1.7e308, 5e-324, 1e-9, 1 + 1e-15, 2**53]),
    st.floats(-2, 2),
)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 5, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 1, 4, ["0", "0.5", "1.0"]),
        (-1, 1, 4, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
        (0, 3000, 3, ["0", "1,000", "2,000", "3,000"]),
        (0.123, 0.129, 3, ["0.124", "0.126", "0.128"]),
        (0, 1e-9, 2, ["0", "5e-10", "1e-9"]),
        (-1e300, 1e300, 2, ["-1e300", "0", "1e300"]),
        (1e6, 1e6 + 0.002, 2, ["1e6", "1.000000001e6", "1.000000002e6"]),
        (7, 7.4, 1, ["7.0"]),
    ],
)
def test_ticks_are_round_numbers_told_apart(low: float, high: float, most: int, expected: list[str]) -> None:
    assert [tick.text for tick in scale.ticks(Scale(low=low, high=high, start=0, end=100), most)] == expected


@example(values=[9.999999999090909e305], room=124.0)
@given(values=st.lists(NUMBERS, min_size=1, max_size=4), room=st.floats(60, 400))
def test_ticks_are_few_in_order_told_apart_and_do_not_overlap(values: list[float], room: float) -> None:
    found = scale.spanning(values, start=0, end=room)
    assert found.low < found.high
    ticks = scale.fitting(found, 12)
    assert len(ticks) <= 9
    places = [found.place(tick.value) for tick in ticks]
    assert all(map(math.isfinite, places))
    assert len({tick.text for tick in ticks}) == len(ticks)
    for index in range(len(ticks) - 1):
        widths = [lettering.width(ticks[place].text, 12) for place in (index, index + 1)]
        assert places[index + 1] - places[index] >= sum(widths) / 2
    assert all(found.low <= scale.finite(value) <= found.high for value in values)


@given(low=NUMBERS, high=NUMBERS, value=NUMBERS)
def test_a_scale_keeps_order_and_its_ends(low: float, high: float, value: float) -> None:
    found = scale.spanning([low, high], start=100, end=10)
    assert 10 <= found.place(value) <= 100
    assert found.place(low) >= found.place(high) if low < high else found.place(low) <= found.place(high)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.004, "0"), (-0.001, "0"), (10.0, "10"), (1.005, "1"), (99.999, "100")]
)
def test_a_coordinate_has_two_decimals_at_most(value: float, expected: str) -> None:
    assert svg.number(value) == expected


@given(text=st.text(max_size=60), room=st.floats(40, 300))
def test_a_fitted_text_fits(text: str, room: float) -> None:
    found = lettering.fitted(text, room, 12)
    assert lettering.width(found, 12) <= room + 1e-9
    assert found == text or "..." in found


def test_a_long_text_is_fitted_from_its_ends_alone() -> None:
    assert lettering.fitted("a" * 10**7 + "z", 100, 12).endswith("z")


def test_widths_are_never_less_than_those_of_the_font() -> None:
    """Hundredths of the em in DejaVu Sans, as the font's own table of advances has them."""
    assert [lettering.width(text, 100) for text in ("i", "W", "0", "é", "日", "e\u0301")] == [28, 99, 64, 80, 100, 62]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<b>&\"'", "a&lt;b&gt;&amp;&#34;&#39;"),
        ("a\nb\x1b\u202e", "a\\nb\\x1b\\u202e"),
        ("::x ##[y]", "\\x3a:x \\x23#[y]"),
    ],
)
def test_a_text_is_escaped_for_the_eye_the_log_and_xml(text: str, expected: str) -> None:
    assert svg.shown(text) == expected
