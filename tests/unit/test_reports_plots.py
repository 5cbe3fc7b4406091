"""Plots: whatever numbers and texts a view holds, pictures are well formed, stay on the paper and say what is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from runstore.reports.plots import bounds, page_plots
from tests.plot_views import (
    BREAK_OUTS,
    STYLE,
    View,
    check,
    check_pictures,
    coordinates,
    everything,
    measure,
    moves,
    parsed,
    part,
    pictures,
    series,
    view_of,
    words,
)

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
