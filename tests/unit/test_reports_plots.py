"""Plots: whatever numbers and texts a view holds, pictures are well formed, stay on the paper and say what is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from runstore.reports.plots import bounds, page_plots, panel

View = dict[str, Any]
PLOTS = Path(page_plots.__file__).parent
BREAK_OUTS = (
    "</svg><script>alert(1)</script>",
    "</title></desc><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)" onclick=alert(1)>',
    "]]><!-- --><![CDATA[ <?xml?> &amp; &#60; &bogus;",
    "\x00\x1b[2J\x9b\ud800\ufffe\uffff\u202e\u2028\u200b",
    "\n::error::x\n##[error]y",
    "' style='x' {{ 7 }} {% raw %}",
    "x" * 5000,
    "日本語" * 900,
    "مرحبا e\u0301 👩‍👩‍👧",
)


def measure(**given: Any) -> View:
    found: View = {"baseline": 0.9, "current": 0.85, "delta": -0.05, "direction": "higher", "improved": 1, "lost": 0}
    found |= {"kind": "records", "metric": "acc", "moves": None, "n": 100, "regressed": 6, "run": "", "slice": None}
    return {**found, "standard_error": 0.01, "unit": None, **given}


def check(rule: str, limit: str, observed: str = "-0.05", **given: Any) -> View:
    found: View = {"assessment": None, "excused_by": [], "interval": None, "limit": limit, "margin": None}
    found |= {"metric": "acc", "observed": observed, "origin": f"metrics.acc.{rule}", "outcome": "holds", "read": ""}
    return {**found, "rule": rule, "run": "", "slice": None, "suggestion": None, "why": "", **given}


def moves(*cells: tuple[float, float, int], grid: float = 0) -> View:
    before, after, pairs = (list(column) for column in zip(*sorted(cells), strict=True))
    return {"after": after, "before": before, "grid": grid, "pairs": pairs}


def part(value: str, delta: float, **given: Any) -> View:
    return measure(slice={"tag": "lang", "value": value}, delta=delta, current=0.9 + delta, **given)


def series(**given: Any) -> View:
    found: View = {"baseline": [[0, 1.0], [10, 2.0]], "current": [[0, 1.5], [10, 1.75]], "direction": "higher"}
    return {**found, "metric": "reward", "run": "", "unit": None, **given}


def view_of(*measures: View, checks: Any = (), curves: Any = ()) -> View:
    return {"checks": [*checks], "findings": [], "metrics": [*measures], "runs": [], "series": [*curves]}


def everything(view: View) -> str:
    drawn = [*page_plots.metrics(view).values(), *(plot.svg for plot in page_plots.sections(view))]
    return "".join(drawn)


def parsed(page: str) -> ET.Element:
    return ET.fromstring(f"<page>{page}</page>")


def pictures(page: str) -> list[ET.Element]:
    return parsed(page).findall(".//svg")


def section(slug: str, *measures: View, **given: Any) -> page_plots.Plot:
    (found,) = [plot for plot in page_plots.sections(view_of(*measures, **given)) if plot.slug == slug]
    return found


def words(element: ET.Element, tag: str) -> str:
    found = element.find(tag)
    assert found is not None
    return found.text or ""


def coordinates(shape: ET.Element) -> Iterator[tuple[float, float]]:
    """Every place that a shape names; a circle's and a box's corners."""
    numbers = {name: float(value) for name, value in shape.attrib.items() if name in _NUMERIC}
    if shape.tag == "path":
        for x, y in re.findall(r"[ML](\S+?) (-?[\d.]+|\S+?)(?=[MLZh]|$)", shape.attrib["d"]):
            yield float(x), float(y)
    elif shape.tag == "circle":
        yield numbers["cx"], numbers["cy"]
    elif shape.tag == "rect":
        assert numbers.get("width", 0) >= 0
        assert numbers.get("height", 0) >= 0
        yield numbers["x"], numbers["y"]
        yield numbers["x"] + numbers.get("width", 0), numbers["y"] + numbers.get("height", 0)
    elif shape.tag == "text":
        yield numbers["x"], numbers["y"]


_NUMERIC = {"x", "y", "cx", "cy", "r", "width", "height"}
_TAGS = {"circle", "desc", "path", "rect", "svg", "text", "title"}
_ATTRIBUTES = {"class", "d", "role", "stroke-width", "text-anchor", "transform", "viewBox", *_NUMERIC}


def check_pictures(page: str) -> None:
    """Well formed, of known elements and classes, every place on the paper, and said in words."""
    for picture in pictures(page):
        left, top, width, height = map(float, picture.attrib["viewBox"].split())
        assert (left, top) == (0, 0)
        assert picture.attrib["role"] == "img"
        assert [child.tag for child in picture][:2] == ["title", "desc"]
        for shape in picture.iter():
            assert shape.tag in _TAGS
            assert set(shape.attrib) <= _ATTRIBUTES
            for name in shape.attrib.get("class", "").split():
                assert shape is picture or f".{name}" in STYLE, name
            for x, y in coordinates(shape):
                assert -0.01 <= x <= width + 0.01, ET.tostring(shape)
                assert -0.01 <= y <= height + 0.01, ET.tostring(shape)


STYLE = (PLOTS / "plots.css").read_text(encoding="utf-8")

finite = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.one_of(
    finite,
    st.sampled_from([0.0, 1, -1, 0.5, 1e300, -1e300, 1.7e308, -1.7e308, 5e-324, 1e-9, 1 + 1e-15, 2**53]),
    st.floats(-2, 2),
)
TEXTS = st.one_of(st.sampled_from(["acc", "f1", *BREAK_OUTS[:7]]), st.text(max_size=12))
COUNTS = st.sampled_from([0, 1, 2, 3, 1000, 2**53 - 1])


@st.composite
def measures(draw: st.DrawFn) -> View:
    cells = draw(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(1, 10**6)), max_size=6))
    group = draw(st.sampled_from([None, None, {"tag": "lang", "value": "de"}, {"tag": "</x>", "value": "\n"}]))
    return measure(
        baseline=draw(st.none() | NUMBERS),
        current=draw(st.none() | NUMBERS),
        delta=draw(st.none() | NUMBERS),
        direction=draw(st.sampled_from(["higher", "lower"])),
        kind=draw(st.sampled_from(["records", "records", "series"])),
        metric=draw(TEXTS),
        moves=moves(*cells, grid=draw(st.sampled_from([0, 0.25, 2**-1074, 1e300]))) if cells and not group else None,
        n=draw(COUNTS),
        regressed=draw(COUNTS),
        lost=draw(st.integers(0, 2)),
        run=draw(st.sampled_from(["", "suite/a", BREAK_OUTS[0]])),
        slice=group,
        standard_error=draw(st.none() | st.floats(0, 1.7e308)),
        unit=draw(st.none() | TEXTS),
    )


@st.composite
def views(draw: st.DrawFn) -> View:
    found = draw(st.lists(measures(), max_size=4))
    asked = []
    for one in found:
        rule = draw(st.sampled_from(["min", "max", "max-drop", "max-relative-drop", "reference-drop", "min-records"]))
        observed = one["current"] if rule in ("min", "max") else one["delta"]
        limit = draw(st.sampled_from(["0", "0.05", "-3", "1e400", "1e300", None]))
        outcome = draw(st.sampled_from(["holds", "broken", "undecided", "waived"]))
        about = {"metric": one["metric"], "run": one["run"], "slice": one["slice"], "outcome": outcome}
        asked.append(check(rule, limit, None if observed is None else repr(observed), **about))  # type: ignore[arg-type]
    points = st.none() | st.lists(st.tuples(st.integers(0, 2**53), NUMBERS), max_size=5).map(sorted)
    curves = [series(baseline=draw(points), current=draw(points), metric=one["metric"]) for one in found]
    return view_of(*found, checks=asked, curves=curves)


@given(view=views())
def test_every_place_is_finite_and_on_the_paper(view: View) -> None:
    page = everything(view)
    assert "nan" not in page.lower().split("<title>")[0]
    check_pictures(page)
    assert page == everything(json.loads(json.dumps(view)))


@pytest.mark.parametrize("value", [0, 1, -1, 1e300, -1e300, 5e-324, 1.7e308, 1e-9])
def test_one_pair_and_equal_values_are_drawn(value: float) -> None:
    one = measure(baseline=value, current=value, delta=0, n=1, standard_error=None, moves=moves((value, value / 2, 1)))
    slices = measure(**{**one, "slice": {"tag": "a", "value": "b"}, "moves": None})
    curve = series(baseline=[[3, value]], current=[[3, value]])
    page = everything(view_of(one, slices, curves=[curve]))
    check_pictures(page)
    assert len(pictures(page)) >= 5


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_texts_of_data_change_no_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    strings = json.loads((conformance / "naughty_strings.json").read_bytes())
    for text in strings[::9]:
        check_hostile(text)
    bullets = page_plots.metrics(view_of(*(measure(metric=text) for text in strings))).values()
    shape = skeleton(page_plots.metrics(view_of(measure()))[0])
    assert [skeleton(bullet) for bullet in bullets] == [shape] * page_plots.BULLETS


def check_hostile(text: str) -> None:
    page = everything(hostile_view(text))
    assert skeleton(page) == skeleton(everything(hostile_view("word")))
    check_pictures(page)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\u2028\u200b\ufffe\uffff]", page)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)", page)


def hostile_view(text: str) -> View:
    group = {"tag": text, "value": text}
    one = measure(metric=text, run=text, unit=text, moves=moves((0.5, 0.25, 3), (0.5, 1, 1)))
    about = {"metric": text, "run": text, "origin": text}
    asked = [check("max-drop", "0.05", outcome="broken", **about), check("max-drop", "0.01", slice=group, **about)]
    curve = series(metric=text, run=text, unit=text)
    return view_of(one, measure(**{**one, "slice": group, "moves": None}), checks=asked, curves=[curve])


def skeleton(page: str) -> list[tuple[str, list[str]]]:
    """Elements, the names of their attributes, and the class; but for ticks, for which long texts leave less room."""
    found = [(one.tag, [*sorted(one.attrib), one.attrib.get("class", "")]) for one in parsed(page).iter()]
    return [one for one in found if one not in _TICKS]


_TICKS = [("path", ["class", "d", "plot-grid"]), ("text", ["text-anchor", "x", "y", ""])]


def test_without_anything_to_draw_there_is_nothing() -> None:
    assert page_plots.sections(view_of()) == []
    assert page_plots.metrics(view_of()) == {}
    bare = measure(baseline=None, current=None, delta=None, n=0, standard_error=None)
    assert page_plots.sections(view_of(bare)) == []
    assert page_plots.metrics(view_of(bare)) == {}


def test_a_bullet_is_this() -> None:
    drawn = page_plots.metrics(view_of(measure(standard_error=None), checks=[check("max-drop", "0.1")]))
    assert drawn == {
        0: Markup(
            '<svg class="plot plot-bullet" viewBox="0 0 220 28" role="img">'
            "<title>acc: 0.9000 to 0.8500</title>"
            "<desc>worse is to the left; a tick for the baseline, 0.9000; a dot for the current value, 0.8500; "
            "max-drop breaks below 0.8000: holds</desc>"
            '<rect class="plot-zone" x="0" y="3" width="14.31" height="22"/>'
            '<path class="plot-track" d="M0 14L220 14"/>'
            '<path class="plot-limit" d="M14.31 2L14.31 26"/>'
            '<path class="plot-baseline" d="M140.6 4L140.6 24"/>'
            '<circle class="plot-dot plot-is-fine" cx="77.46" cy="14" r="4.5"/></svg>'
        )
    }


@pytest.mark.parametrize(
    ("rule", "limit", "observed", "direction", "origin", "expected"),
    [
        ("max-drop", "0.1", "-0.05", "higher", "metrics.acc.max_drop", [(0.8, True)]),
        ("max-drop", "0.1", "-0.05", "lower", "metrics.acc.max_drop", [(1.0, False)]),
        ("max-relative-drop", "0.1", "-0.05", "higher", "metrics.acc.max_relative_drop", [(0.81, True)]),
        ("max-drop", "0", "-0.05", "higher", "default", [(0.9, True)]),
        ("min", "0.5", "0.85", "higher", "metrics.acc.min", [(0.5, True)]),
        ("max", "0.5", "0.85", "higher", "metrics.acc.max", [(0.5, False)]),
        ("reference-drop", "0.1", "-0.1", "higher", "reference.metrics.acc.max_drop", [(0.85, True)]),
        ("reference-drop", "0.5", "-0.15", "higher", "reference.metrics.acc.max_relative_drop", [(0.5, True)]),
        ("max-drop", "0.1", "-0.07", "higher", "metrics.acc.max_drop", []),  # a quantile, say
        ("min", "0.5", "0.99", "higher", "metrics.acc.min", []),
        ("min-records", "50", "100", "higher", "metrics.acc.min_records", []),
        ("max-drop", "0.1", "-0.05", "higher", "volatile.acc.max_drop", []),
        ("max-drop", "1e400", "-0.05", "higher", "metrics.acc.max_drop", []),
    ],
)
def test_a_bound_is_where_its_rule_breaks(
    rule: str, limit: str, observed: str, direction: str, origin: str, expected: list[tuple[float, bool]]
) -> None:
    one: Any = measure(direction=direction)
    view: Any = view_of(one, checks=[check(rule, limit, observed, origin=origin)])
    found = bounds.of_measure(one, bounds.checks_of(one, bounds.checks_by_measure(view)))
    assert [(round(bound.at, 12), bound.is_floor) for bound in found] == expected


def test_bounds_at_one_place_show_the_worst_outcome() -> None:
    one: Any = measure()
    asked: Any = [check("max-drop", "0.1", outcome=outcome) for outcome in ("holds", "broken", "waived")]
    assert [bound.outcome for bound in bounds.of_measure(one, asked)] == ["broken"]


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_worse_is_to_the_left_of_the_baseline_in_every_bullet(direction: str) -> None:
    sign = -1 if direction == "higher" else 1
    one = measure(direction=direction, current=0.9 + sign * 0.05, delta=sign * 0.05)
    asked = [check("max-drop", "0.02", repr(sign * 0.05), outcome="broken")]
    (picture,) = pictures("".join(page_plots.metrics(view_of(one, checks=asked)).values()))
    (diamond,) = [shape for shape in picture.iter("path") if "plot-is-broken" in shape.attrib["class"]]
    (zone,) = picture.iter("rect")
    (tick,) = [shape for shape in picture.iter("path") if shape.attrib["class"] == "plot-baseline"]
    assert zone.attrib["x"] == "0"
    baseline = next(coordinates(tick))[0]
    assert next(coordinates(diamond))[0] < float(zone.attrib["width"]) < baseline
    assert "broken" in words(picture, "desc")


def test_a_bullet_keeps_what_is_close_apart_and_says_what_is_too_far_off() -> None:
    asked = [check("max-drop", "0.06"), check("min", "-5000", "0.85")]
    (picture,) = pictures(page_plots.metrics(view_of(measure(), checks=asked))[0])
    assert len([*picture.iter("rect")]) == 1
    assert "min breaks below -5,000: holds, too far off to be drawn" in words(picture, "desc")


def test_slices_that_no_page_shows_have_no_bullet() -> None:
    slices = [part(f"s{number:02}", -number / 100) for number in range(14)]
    assert sorted(page_plots.metrics(view_of(measure(), *slices))) == [0, *range(5, 15)]
    many = [measure(metric=f"m{number}") for number in range(page_plots.BULLETS + 20)]
    assert len(page_plots.metrics(view_of(*many))) == page_plots.BULLETS


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


def test_no_style_stands_in_a_picture_and_every_colour_is_one_of_the_page() -> None:
    names = set(re.findall(r"var\((--[a-z]+)\)", STYLE))
    assert names <= {"--text", "--quiet", "--line", "--raised", "--page", "--link", "--good", "--bad", "--doubt"}
    assert not re.search(r"#[0-9a-f]{3,6}|rgb|url\(|@import", STYLE)
    assert "style=" not in everything(hostile_view("word"))


def test_plots_are_loaded_with_the_page_alone() -> None:
    code = "import sys; from runstore import reports; [reports.load(form) for form in ('text', 'json', 'markdown')]"
    code += "; print([name for name in sys.modules if 'plots' in name or 'evidence' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
