"""The report for a pull request: its marker, what has room, what is folded away, and tables that are tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runstore import reports
from runstore.reports.markdown import LIMIT_BYTES
from runstore.reports.markdown.code import fenced, line, marker, span

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = [place.name for place in sorted(GOLDEN.iterdir())]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
View = dict[str, Any]


def saved(name: str) -> View:
    value: View = json.loads((GOLDEN / name / "view.json").read_bytes())
    return value


def shown(view: View) -> str:
    return reports.load("markdown").render(view)


def tables(page: str) -> list[list[list[str]]]:
    """The tables of a page as a renderer sees them: rows of cells."""
    found: list[list[list[str]]] = []
    for token in MARKDOWN.parse(page):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 3:
            found[-1][-1].append(token.content)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_the_cells_of_its_head(name: str) -> None:
    page = shown(saved(name))
    for rows in tables(page):
        assert {len(row) for row in rows} == {len(rows[0])}
    whole = [measure for measure in saved(name)["metrics"] if measure["slice"] is None]
    if whole:
        metrics = tables(page)[0]
        assert metrics[0][:4] == ["metric", "baseline", "current", "delta"]
        assert len([row for row in metrics[1:] if "· " not in row[0] and not row[0].startswith("and ")]) == min(
            len(whole), 40
        )


def test_the_verdict_comes_first_and_everything_that_is_long_is_folded_away() -> None:
    page = shown(saved("fail-regressions"))
    lines = page.splitlines()
    assert lines[0] == "<!-- runstore: qa/capitals -->"
    assert lines[1] == "## ❌ FAIL: 2 rules broken: max-regressed, max-errors"
    places = [
        page.index(text) for text in ("- **error**", "Records:", "| metric", "### Regressed: 4 of 7", "<details>")
    ]
    assert places == sorted(places)
    assert "<details><summary>3 more regressed records</summary>\n\n| record |" in page
    assert page.count("<details>") == page.count("\n</details>\n") == 2


def test_the_words_that_changed_stand_in_a_diff() -> None:
    page = shown(saved("fail-regressions"))
    assert "**`fr/001`**: `acc` from 1 to 0, `latency` from 103.5000 to 107.2500\n\n```diff\n" in page
    assert "@@ /output @@\n- The answer is [-Paris-]. Everybody" in page
    assert "\n+ The answer is {+Lyon+}. Everybody" in page
    assert "  input: Quelle est la capitale de la France ?\n" in page


def test_a_metric_that_broke_a_rule_is_marked() -> None:
    rows = tables(shown(saved("fail-policy-limits")))[0]
    assert [row[0].split("`")[0] for row in rows[1:]] == ["⚠️ ", "· ", "· ", "· ", "❌ ", "· ", "· ", "· "]
    assert rows[0][4] == "interval"
    assert rows[1][3] == "**-0.0833**"


@pytest.mark.parametrize(
    ("project", "suite", "line"),
    [
        ("qa", "capitals", "<!-- runstore: qa/capitals -->"),
        ("", "", "<!-- runstore: / -->"),
        ("my-org", "a.b_c", "<!-- runstore: my-org/a.b_c -->"),
        ("a--b", "-x-", "<!-- runstore: a%2D%2Db/%2Dx%2D -->"),
        ("a/b", "-->", "<!-- runstore: a%2Fb/%2D%2D%3E -->"),
        ("é\n", "@me #1", "<!-- runstore: %C3%A9%0A/%40me%20%231 -->"),
        ("%41", "~", "<!-- runstore: %2541/%7E -->"),
    ],
)
def test_a_suite_has_its_marker(project: str, suite: str, line: str) -> None:
    assert marker(project, suite) == line


NAME = st.text(st.sampled_from(list("aZ0.-_/%~> é\n<!\U0001f600")), max_size=120)


@given(one=st.tuples(NAME, NAME), other=st.tuples(NAME, NAME))
def test_two_suites_have_two_markers_and_none_ends_the_comment_early(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (marker(*one) == marker(*other)) == (one == other)
    inside = re.fullmatch(r"<!-- runstore: ([A-Za-z0-9._%~/-]*) -->", marker(*one))
    assert inside is not None
    assert "--" not in inside[1]
    assert not inside[1].startswith("-")
    assert len(marker(*one)) < 200


def test_the_marker_of_a_suite_does_not_depend_on_the_verdict_and_names_what_all_runs_share() -> None:
    assert [shown(saved(name)).splitlines()[0] for name in ("pass-identical", "fail-regressions")] == [
        "<!-- runstore: qa/capitals -->"
    ] * 2
    assert shown(saved("suite-of-many-runs")).splitlines()[0] == "<!-- runstore: qa/ -->"
    assert shown(saved("invalid-digest")).splitlines()[0] == "<!-- runstore: / -->"


SAFE = st.text(st.sampled_from(list("`|\\<>&*_~[]()!@#: ab")), min_size=1, max_size=30)


@given(text=SAFE)
def test_a_code_span_shows_the_text_and_nothing_else(text: str) -> None:
    for made in (line(text), span(text)):
        [_, inline, _] = MARKDOWN.parse(f"x {made} y")
        children = inline.children or []
        assert [child.type for child in children] == ["text", "code_inline", "text"]
        plain = text.replace("|", "\\x7c") if made == span(text) else text
        assert children[1].content == plain or not text.strip()


@example(lines=["```", "````", "x"])
@given(lines=st.lists(SAFE, max_size=4))
def test_a_fenced_block_holds_its_lines(lines: list[str]) -> None:
    [token] = MARKDOWN.parse(fenced("diff", lines))
    assert (token.type, token.info, token.content) == ("fence", "diff", "".join(f"{one}\n" for one in lines))


def crowded(records: int, findings: int) -> View:
    """A failed comparison with many long records, metrics and findings of as many rules."""
    view = saved("fail-regressions")
    [change] = [change for change in view["changes"] if change["id"] == "fr/001"]
    [finding, *_] = view["findings"]
    long = "語 ` | " * 60
    kinds = ("regressed", "removed", "added", "improved", "changed")
    fields = [{"path": f"/{long}", "before": long, "after": f"{long}x{long}"}] * 3
    view["changes"] = [
        {**change, "class": kind, "id": f"{index}{long}", "fields": fields}
        for kind in kinds
        for index in range(records)
    ]
    view["counts"] |= dict.fromkeys(kinds, records)
    view["findings"] = [{**finding, "message": f"{index}{long}", "rule": f"rule-{index}"} for index in range(findings)]
    view["metrics"] = [
        {**measure, "metric": f"{index}{long}", "unit": long} for index in range(100) for measure in view["metrics"][:1]
    ]
    return view


def test_a_report_keeps_to_the_limit_of_a_comment_and_says_what_it_left_out() -> None:
    page = shown(crowded(500, 500))
    assert LIMIT_BYTES - 20_000 < len(page.encode()) <= LIMIT_BYTES
    left_out = {noun: int(number) for number, noun in re.findall(r"(\d+) (findings|metrics|records)[,.]", page)}
    told = page.count("- **error** rule-")
    assert left_out["findings"] + told == 500
    assert "### Regressed: 4 of 500\n" in page
    assert "metric" in page
    assert page.splitlines()[-1].startswith("- See what each rule read")


@settings(max_examples=10)
@given(records=st.integers(0, 30), findings=st.integers(0, 60), length=st.integers(0, 4000))
def test_no_report_is_longer_than_a_comment_may_be(records: int, findings: int, length: int) -> None:
    view = crowded(records, findings)
    text = "語`" * length
    view["policy"] = text
    for measure in view["metrics"]:
        measure["metric"] = text
    page = shown(view)
    assert len(page.encode()) <= LIMIT_BYTES
    assert page.count("<details>") == page.count("</details>")
    assert page.splitlines()[1].startswith("## ❌ FAIL: ")


def test_slices_of_many_metrics_have_a_table_of_their_own() -> None:
    view = saved("pass-identical")
    whole, *slices = (measure for measure in view["metrics"] if measure["metric"] == "acc")
    view["metrics"] = [{**measure, "metric": f"m{number}"} for number in range(10) for measure in (whole, *slices)]
    page = shown(view)
    assert "<details><summary>30 slices</summary>\n\n| metric |" in page
    first, second = tables(page)[:2]
    assert [len(first), len(second)] == [11, 31]
    assert second[1][0] == "`m0` · `lang` `de`"


def test_a_hint_is_given_once() -> None:
    view = saved("fail-regressions")
    [head] = [one for one in view["findings"] if one["rule"] == "max-regressed" and one["record"] is None]
    view["findings"] = [{**head, "run": f"r{number}"} for number in range(20)]
    page = shown(view)
    assert page.count("hint: ") == 1
    assert page.count("- **error**") == 10
    assert "\n- and 10 more of max-regressed\n" in page


def test_numbers_do_not_follow_text_of_data_without_a_word_between() -> None:
    """Behind text that runs from right to left `1 → 0` would read `0 → 1`."""
    for name in NAMES:
        assert not re.search(r"</code>[^a-z<]*[0-9]", MARKDOWN.render(shown(saved(name))))
