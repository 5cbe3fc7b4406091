"""What the pictures show: slices, distributions, before against after, curves; what is cut is said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runstore.reports.plots import page_plots, panel
from tests.plot_views import (
    check,
    check_pictures,
    coordinates,
    measure,
    moves,
    part,
    pictures,
    section,
    series,
    view_of,
    words,
)


def test_a_forest_has_the_whole_and_then_the_worst_slices_first() -> None:
    slices = [part("good", 0.1), part("bad", -0.2), part("none", 0, standard_error=0), part("one", -0.1, n=1)]
    plot = section("forest", measure(), *slices)
    (picture,) = pictures(plot.svg)
    labels = [shape.text for shape in picture.iter("text") if "plot-strong" in shape.attrib.get("class", "")][::2]
    assert labels == ["all", "lang = bad", "lang = one", "lang = none", "lang = good"]
    assert "4 slices; 2 rows without interval: one pair, or all pairs differ by the same" in plot.svg
    assert len([shape for shape in picture.iter("path") if shape.attrib["class"] == "plot-whisker"]) == 3


def test_the_interval_of_a_slice_is_that_of_student() -> None:
    stats: Any = pytest.importorskip("scipy.stats")
    (picture,) = pictures(section("forest", measure(), part("de", -0.05, n=12)).svg)
    reach = stats.t.ppf(0.975, 11) * 0.01
    assert f"lang = de: -0.0500, 95% interval {-0.05 - reach:.4f} to {-0.05 + reach:.4f}, n = 12" in words(
        picture, "desc"
    )


def test_the_interval_of_a_rule_that_asked_for_evidence_wins() -> None:
    assessment = {"estimate": -0.05, "interval": [-0.2, 0.1]}
    view = view_of(measure(), checks=[check("max-drop", "0.1", assessment=assessment)])
    (picture,) = pictures(page_plots.metrics(view)[0])
    assert "a bar from 0.7000 to 1.0000, the interval of the rule's test of the difference" in words(picture, "desc")


def test_wide_numbers_leave_room_for_the_picture() -> None:
    wide = part("de" * 40, 123_456_789_012.3456, n=2**53 - 1)
    (picture,) = pictures(section("forest", measure(), wide).svg)
    places = [
        place
        for shape in picture.iter("path")
        if "plot-whisker" in shape.attrib["class"]
        for place in coordinates(shape)
    ]
    circles = [place for shape in picture.iter("circle") for place in coordinates(shape)]
    assert max(circles)[0] - min(places)[0] > 50
    assert [shape.text for shape in picture.iter("text")][-2:] == ["+1.23e+11", "9.01e+15"]


def test_a_forest_is_cut_at_its_rows_and_says_so() -> None:
    slices = [part(f"s{number:02}", -number / 100) for number in range(40)]
    plot = section("forest", measure(), *slices)
    assert "the worst 30 slices, and 10 more in the JSON report" in plot.svg
    assert "s39" in plot.svg
    assert "s09" not in plot.svg


def test_at_most_six_panels_of_a_kind_the_worst_first() -> None:
    many = [measure(metric=f"m{number}", regressed=number, moves=moves((0, 0.5, 1))) for number in range(9)]
    plot = section("distribution", *many)
    names = re.findall("<bdi>(.*?)</bdi>", plot.svg)
    assert names == ["m8", "m7", "m6", "m5", "m4", "m3"]
    assert "and 3 more metrics, in the JSON report" in plot.svg
    assert panel.MOST == 6
    broken = check("max-drop", "0.01", metric="m1", outcome="broken")
    assert "<bdi>m1</bdi>" in section("distribution", *many, checks=[broken]).svg.split("</svg>")[0]


@pytest.mark.parametrize(("direction", "worse"), [("higher", "left"), ("lower", "right")])
def test_bars_left_of_zero_are_worse_if_higher_is_better(direction: str, worse: str) -> None:
    one = measure(direction=direction, moves=moves((1, 0, 7), (0, 1, 3)), regressed=7, improved=3, n=100)
    plot = section("distribution", one)
    (picture,) = pictures(plot.svg)
    places = {shape.attrib["class"]: float(shape.attrib["x"]) for shape in picture.iter("rect")}
    assert (places["plot-worse"] < places["plot-better"]) == (worse == "left")
    assert "7 worse, 3 better, 90 of 100 pairs did not move" in plot.svg
    assert "-1.0000: 7" in words(picture, "desc")


def test_every_pair_that_moved_is_in_a_bar_and_none_holds_both_sides() -> None:
    cells = [(0.5, 0.5 + step / 100, abs(step)) for step in range(-40, 41) if step]
    (picture,) = pictures(section("distribution", measure(moves=moves(*cells), n=5000)).svg)
    bars = re.findall(r"from (\S+) to (\S+): ([\d,]+)", words(picture, "desc"))
    assert sum(int(times.replace(",", "")) for _, _, times in bars) == sum(times for _, _, times in cells)
    assert all(float(low) * float(high) >= 0 for low, high, _ in bars)


def test_pairs_that_moved_within_one_cell_stand_on_the_side_the_measure_says() -> None:
    one = measure(moves=moves((0.5, 0.5, 10), (0.5, 0, 2), grid=0.5), regressed=9, improved=3, n=50)
    (picture,) = pictures(section("distribution", one).svg)
    bars = re.findall(r"from (\S+) to (\S+): (\d+)", words(picture, "desc"))
    assert [int(times) for low, high, times in bars if float(high) > 0] == [3]
    assert sum(int(times) for low, high, times in bars if float(high) <= 0) == 9


def test_pairs_far_off_do_not_squeeze_the_others() -> None:
    one = measure(moves=moves((0, 1, 500), (0, 2, 300), (0, 1000, 2), (0, 3, 40)))
    plot = section("distribution", one)
    assert "2 pairs further off, in the outermost bar" in plot.svg
    assert len([*pictures(plot.svg)[0].iter("rect")]) == 3


def test_scores_of_0_and_1_have_no_scatter() -> None:
    binary = measure(moves=moves((1, 0, 7), (0, 1, 3)))
    assert [plot.slug for plot in page_plots.sections(view_of(binary))] == ["distribution"]


@pytest.mark.parametrize(("direction", "side"), [("higher", "below"), ("lower", "above")])
def test_the_scatter_says_which_side_of_the_diagonal_is_worse(direction: str, side: str) -> None:
    one = measure(direction=direction, moves=moves((0.2, 0.4, 9), (0.6, 0.1, 1)))
    plot = section("scatter", one)
    assert f"{side} the diagonal is worse; the largest point stands for 9" in plot.svg
    (picture,) = pictures(plot.svg)
    points = {
        shape.attrib["class"].split()[1]: shape
        for shape in picture.iter("path")
        if "plot-points" in shape.attrib["class"]
    }
    (x, y), (other_x, other_y) = (next(coordinates(points[name])) for name in ("plot-better", "plot-worse"))
    assert (x < other_x, y < other_y) == ((True, True) if direction == "higher" else (False, False))
    (shade,) = [shape for shape in picture.iter("path") if shape.attrib["class"] == "plot-shade"]
    corner = [*coordinates(shade)][1]
    assert (corner[0] > x, corner[1] > y) == ((True, True) if direction == "higher" else (False, False))
    sizes = {name: float(shape.attrib["stroke-width"]) for name, shape in points.items()}
    assert max(sizes.values()) == pytest.approx(3 * min(sizes.values()), rel=0.1)  # nine times the area


def test_512_cells_are_a_few_kilobytes() -> None:
    cells = [(one / 32, other / 16 + 0.01, 1 + one * other) for one in range(32) for other in range(16)]
    assert len(section("scatter", measure(moves=moves(*cells))).svg) < 16_000


def test_curves_mark_the_best_and_the_last_point() -> None:
    one = series(baseline=[[0, 1], [10, 3], [20, 2]], current=None)
    plot = section("curves", curves=[one])
    assert "baseline: last 2.0000 at step 20, best 3.0000 at step 10; the current has no such series" in plot.svg
    (picture,) = pictures(plot.svg)
    places = {shape.attrib["class"].split()[0]: next(coordinates(shape)) for shape in picture.iter("circle")}
    assert places["plot-ring"][0] < places["plot-last"][0]
    assert places["plot-ring"][1] < places["plot-last"][1]


@pytest.mark.parametrize(
    ("values", "is_log"),
    [
        ([9, 1, 0.02], True),
        ([9, 1, 0.02, 8], False),
        ([9, 1, 0], False),
        ([9, 1, -0.1], False),
        ([0.3, 0.2, 0.1], False),
    ],
)
def test_values_are_on_a_logarithmic_scale_only_where_they_must_be(values: list[float], is_log: bool) -> None:
    points = [*enumerate(values)]
    plot = section("curves", curves=[series(baseline=points, current=points, direction="lower")])
    assert ("values on a logarithmic scale" in plot.svg) == is_log
    check_pictures(plot.svg)
