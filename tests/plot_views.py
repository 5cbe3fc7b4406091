"""Views for the tests of plots, and what every picture must be: well formed, on the paper, said in words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runstore.reports.plots import page_plots

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
