"""`gate badge`: a saved comparison drawn as a small picture, whatever its texts are, and what it refuses."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.errors import UsageError
from runstore.manifest import MetricDeclaration
from runstore.reports import badge
from tests.factories import scored, write_run

Gate = Callable[..., tuple[int, str, str]]
View = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
BREAK_OUTS = (
    "</text></svg><script>alert(1)</script>",
    "</title><title>PASS",
    "\" onload='alert(1)' x=\"",
    "]]><!--<?xml &amp; &x;",
    "\x00\x1b[31m\u202e\ud800\ufffe",
    "\n::error::x ##[error]y",
    "x" * 5000,
    "日本語" * 500,
)


def measure(metric: str = "acc", current: float | None = 0.85, **given: Any) -> View:
    found: View = {"baseline": 0.9, "current": current, "delta": None if current is None else current - 0.9}
    found |= {"direction": "higher", "improved": 0, "kind": "records", "lost": 0, "metric": metric, "moves": None}
    return {**found, "n": 9, "regressed": 1, "run": "", "slice": None, "standard_error": None, "unit": None, **given}


def floor(metric: str, limit: float, current: float = 0.85, outcome: str = "holds") -> View:
    return {
        "assessment": None, "interval": None, "limit": repr(limit), "metric": metric, "observed": repr(current),
        "origin": f"metrics.{metric}.min", "outcome": outcome, "rule": "min", "run": "", "slice": None,
    }  # fmt: skip


def view_of(*measures: View, checks: Any = (), verdict: str = "FAIL") -> Any:
    return {"checks": [*checks], "findings": [], "metrics": [*measures], "verdict": verdict}


def texts(drawn: str) -> list[str]:
    return [found.text or "" for found in ET.fromstring(drawn).iter(f"{SVG}text")]


def title(drawn: str) -> str:
    return ET.fromstring(drawn).findtext(f"{SVG}title") or ""


def test_a_badge_is_this() -> None:
    font = 'font-family="Verdana, &#39;DejaVu Sans&#39;, Geneva, sans-serif" font-size="11"'
    assert badge.render(view_of(measure(unit="points"), verdict="PASS")) == (
        '<svg xmlns="http://www.w3.org/2000/svg" width="196" height="20" role="img">'
        "<title>gate: PASS, acc 0.8500, baseline 0.9000</title>"
        '<rect fill="#2b3038" width="196" height="20" rx="3"/>'
        '<path fill="#14622f" d="M39 0h154a3 3 0 0 1 3 3v14a3 3 0 0 1 -3 3h-154z"/>'
        f'<text x="7" y="14" fill="#ffffff" {font} textLength="25" lengthAdjust="spacingAndGlyphs">gate</text>'
        f'<text x="46" y="14" fill="#ffffff" {font} textLength="143" lengthAdjust="spacingAndGlyphs">'
        "PASS · acc 0.8500 points</text></svg>\n"
    )


def test_without_a_metric_or_a_label_there_is_the_verdict_alone() -> None:
    drawn = badge.render(view_of(measure(current=None), verdict="INVALID"), label="")
    assert texts(drawn) == ["INVALID"]
    assert title(drawn) == "INVALID"
    assert badge.render(view_of(verdict="INVALID"), label="") == drawn


@pytest.mark.parametrize(
    ("checks", "shown"),
    [
        ([], "a"),
        ([floor("b", 0.1)], "b"),
        ([floor("a", 0.1), floor("c", 0.84)], "c"),
        ([floor("a", 0.84), floor("b", 0.86, outcome="broken"), floor("c", 0.95, outcome="broken")], "c"),
        ([floor("a", 0.85), floor("b", 0.84)], "a"),
        ([floor("b", 0.9, outcome="broken"), floor("c", 0.85)], "b"),  # no room at all was left from the baseline
        ([floor("b", 0.5, current=0.1), floor("c", 0.2)], "c"),  # of a quantile, not of this value
    ],
)
def test_the_metric_is_the_one_closest_to_its_limit_or_furthest_beyond(checks: list[View], shown: str) -> None:
    drawn = badge.render(view_of(measure("a"), measure("b"), measure("c"), checks=checks))
    assert texts(drawn)[1] == f"FAIL · {shown} 0.8500"


def test_how_close_a_limit_is_does_not_depend_on_the_unit() -> None:
    large = measure("b", 850.0, baseline=900.0, delta=-50.0)
    drawn = badge.render(view_of(measure("a"), large, checks=[floor("a", 0.1), floor("b", 840.0, 850.0)]))
    assert texts(drawn)[1] == "FAIL · b 850.0000"


def test_without_rules_the_metric_is_that_in_which_most_records_got_worse() -> None:
    drawn = badge.render(view_of(measure("a", regressed=1), measure("b", regressed=3), measure("c", regressed=3)))
    assert texts(drawn)[1] == "FAIL · b 0.8500"


def test_a_value_differs_from_the_baseline_if_it_does() -> None:
    assert texts(badge.render(view_of(measure(current=0.90000001))))[1] == "FAIL · acc 0.90000001"


def test_a_metric_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no value of a metric 'accc'") as caught:
        badge.render(view_of(measure(), measure("gone", None)), metric="accc")
    assert caught.value.hint == "it has 'acc'"


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_texts_of_data_change_no_structure(text: str) -> None:
    check_hostile(text)


@given(text=st.text(min_size=1))
def test_no_text_changes_the_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        if text:
            check_hostile(text)


def check_hostile(text: str) -> None:
    drawn = badge.render(view_of(measure(text, unit=text)), label=text)
    assert skeleton(drawn) == skeleton(badge.render(view_of(measure("word", unit="word")), label="word"))
    assert drawn == badge.render(view_of(measure(text, unit=text)), label=text)
    assert float(ET.fromstring(drawn).attrib["width"]) < 600
    assert len(drawn) < 4000
    assert drawn.count("\n") == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ufffe]", drawn)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)", drawn)


def skeleton(drawn: str) -> list[object]:
    return [(found.tag, sorted(found.attrib)) for found in ET.fromstring(drawn).iter()]


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INVALID", "REVIEW", "INCONCLUSIVE"])
def test_letters_are_readable_on_the_colour_of_each_verdict(verdict: str) -> None:
    """Contrast of 7 to 1, level AAA. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    for color in re.findall('fill="(#[0-9a-f]{6})"', badge.render(view_of(verdict=verdict)))[:2]:
        shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 7


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> Path:
    """The working folder, with `comparison.json` of a run whose accuracy fell and whose cost did not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNSTORE_CACHE_DIR", str(tmp_path / "cache"))
    metrics = {"acc": MetricDeclaration(direction="higher", range=(0, 1)), "<b>": MetricDeclaration(direction="lower")}
    for side, acc in (("b", 1), ("c", 0.5)):
        write_run(tmp_path / side, [{**scored("r", acc), "scores": {"acc": acc, "<b>": 3}}], metrics)
    assert gate("compare", "b", "c", "--format", "json:comparison.json")[0] == 1
    return tmp_path


def test_a_saved_comparison_is_drawn_to_stdout_or_a_file(saved: Path, gate: Gate) -> None:
    code, drawn, told = gate("badge", "comparison.json")
    assert (code, told) == (0, "")
    assert title(drawn) == "gate: FAIL, acc 0.5000, baseline 1.0000"
    assert gate("badge", "comparison.json", "-o", "badge.svg") == (0, "", "")
    assert (saved / "badge.svg").read_bytes() == drawn.encode()


def test_a_comparison_is_read_from_standard_input(saved: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = gate("badge", "comparison.json")
    stream = io.TextIOWrapper(io.BytesIO((saved / "comparison.json").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert gate("badge", "-") == drawn


@pytest.mark.usefixtures("saved")
def test_label_and_metric_are_chosen(gate: Gate) -> None:
    drawn = gate("badge", "comparison.json", "--metric", "<b>", "--label", "nightly & co")[1]
    assert texts(drawn) == ["nightly & co", "FAIL · <b> 3.0000"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere.json"], 2, "nowhere.json"),
        (["comparison.json", "--metric", "accuracy"], 2, "no value of a metric 'accuracy'"),
        (["comparison.json", "-o", "./comparison.json"], 2, "is the comparison itself"),
        (["comparison.json", "-o", "b"], 2, "is a symbolic link, a folder or a device"),
        (["b/manifest.json"], 3, "b/manifest.json"),
        (["cut.json"], 3, "cut.json"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_is_written(
    saved: Path, gate: Gate, words: list[str], code: int, said: str
) -> None:
    whole = (saved / "comparison.json").read_bytes()
    (saved / "cut.json").write_bytes(whole[:-100])
    before = sorted(saved.iterdir())
    assert gate("badge", *words)[:2] == (code, "")
    assert said in gate("badge", *words)[2]
    assert sorted(saved.iterdir()) == before
    assert (saved / "comparison.json").read_bytes() == whole
