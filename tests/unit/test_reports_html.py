"""The page as text: what is in it and in which order, what is left out and said, and that nothing of it can run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import reports
from runstore.reports import outline, text_safety
from runstore.reports.html import metrics, payload, records
from tests.browser import pages

RENDER = reports.load("html").render
SCRIPTS = ("words.js", "address.js", "elements.js", "record.js", "tables.js", "report.js")
CODE = {name: resources.files("runstore.reports").joinpath("templates", name).read_text() for name in (
    *SCRIPTS, "report.css", "report.html.jinja"
)}  # fmt: skip


def data_of(page: str) -> dict[str, Any]:
    """What the script of the page reads."""
    block = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    value: dict[str, Any] = json.loads(block)
    return value


def made(view: Mapping[str, Any]) -> payload.Payload:
    contents = outline.make(view)
    return payload.make(contents, records.know(contents))


def test_the_policy_of_the_page_allows_its_style_and_script_and_nothing_else() -> None:
    page = RENDER(pages.quiz())
    digests = {
        name: base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for name, found in re.findall(r"(?s)<(style|script)>(.*?)</\1>", page)
    }
    allowed = "".join(f"{name}-src 'sha256-{digests[name]}'; " for name in ("script", "style"))
    policy = f"default-src 'none'; {allowed}base-uri 'none'; form-action 'none'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert page.count("<script") == 2


def test_the_page_fetches_nothing_and_has_no_inline_code() -> None:
    page = RENDER(pages.quiz())
    for name in SCRIPTS:
        page = page.replace(CODE[name], "")
    assert re.findall(r"(?i)\s(?:src|srcset|action|style|on[a-z]+)=", page) == []
    assert {link[:1] for link in re.findall(r'href="([^"]*)"', page)} == {"#"}
    assert re.findall(r"(?i)url\(|@import|http://|https://", page) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_markup_is_made_from_a_string(name: str) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|setAttributeNS|DOMParser|srcdoc"
    )
    assert re.findall(forbidden, CODE[name]) == []
    assert re.findall(r"fetch\(|XMLHttpRequest|import\(|localStorage|document\.cookie", CODE[name]) == []
    assert "</" not in CODE[name]
    assert "<!--" not in CODE[name]
    assert len(CODE[name].splitlines()) < 400


@pytest.mark.parametrize("name", [*SCRIPTS, "report.css"])
def test_our_own_code_holds_nothing_that_a_runner_obeys(name: str) -> None:
    assert text_safety.COMMAND.search(CODE[name]) is None  # or its digest would not fit what is printed
    assert (
        CODE[name].isascii()
        or name == "report.css"
        or set(filter(lambda one: not one.isascii(), CODE[name])) <= set("→…")
    )


def test_every_record_is_in_the_data_the_worst_first() -> None:
    view = pages.quiz()
    view["changes"] = [*view["changes"][65:], *view["changes"][:65]]  # as a suite has them, run by run
    found = data_of(RENDER(view))["records"]
    assert len(found) == len(view["changes"])
    ranks = [outline.CLASSES.index(one["class"]) for one in found]
    assert ranks == sorted(ranks)
    assert [one["id"] for one in found if one["class"] == "regressed"] == [
        one["id"] for one in view["changes"] if one["class"] == "regressed"
    ]


def test_a_record_takes_its_own_context_along_and_nothing_that_did_not_change() -> None:
    change = pages.change(4)
    change["record"] |= {"scores": {"acc": 0.4, "other": 1}, "metadata": {"model": "m"}}
    [found] = data_of(RENDER(pages.view_of([change])))["records"]
    assert found["context"] == {
        "input": "What is the question number 4?", "metadata": {"model": "m"}, "tags": {"lang": "en"}, "target": "4",
    }  # fmt: skip
    assert [field["path"] for field in found["fields"]] == ["/output"]
    assert [(one["baseline"], one["current"], one["delta"]) for one in found["scores"]] == [
        ("1.0000", "0.4000", "-0.6000")
    ]


def test_a_record_of_one_side_has_its_scores() -> None:
    change = pages.change(4, "removed")
    change["record"] |= {"scores": {"acc": 0.4}}
    [found] = data_of(RENDER(pages.view_of([change])))["records"]
    assert found["context"]["scores"] == {"acc": 0.4}


def test_scores_print_differently_if_they_differ() -> None:
    change = pages.change(1, scores=[pages.score("acc", 0.3, 0.1 + 0.2)])
    page = RENDER(pages.view_of([change]))
    [found] = data_of(page)["records"]
    assert found["scores"][0]["baseline"] != found["scores"][0]["current"]
    assert f"{found['scores'][0]['baseline']} → {found['scores'][0]['current']}" in page


def test_a_rise_is_better_whichever_way_the_metric_runs() -> None:
    change = pages.change(1, scores=[pages.score("latency", 1, 3), pages.score("acc", 0, 1), pages.score("x", 1, None)])
    view = pages.view_of([change], metrics=[pages.measure("latency", direction="lower"), pages.measure()])
    [found] = data_of(RENDER(view))["records"]
    assert [(one["rise"], one["lost"]) for one in found["scores"]] == [(-2, False), (1, False), (None, True)]


def test_no_more_records_than_stated_are_embedded_and_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "RECORDS", 60)
    monkeypatch.setattr(payload, "LISTED", 100)
    view = pages.quiz()
    view["changes_omitted"]["added"] = 1234
    page = RENDER(view)
    assert (len(data_of(page)["records"]), len(data_of(page)["brief"])) == (60, 40)
    assert "The 60 worst are here with their texts; 40 more with their scores alone" in page
    assert "and 30 more, in the JSON report" in page
    assert "and 1,234 more, not listed (--limit)" in page


def test_no_more_bytes_than_stated_are_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "BYTES", 20_000)
    found = made(pages.quiz())
    assert 0 < found.records < 130
    assert found.brief == 0
    assert 15_000 < len(found.text.partition('"records":')[2].encode()) <= 20_000
    monkeypatch.setattr(payload, "RECORDS", 20)
    found = made(pages.quiz())
    assert found.records == 20
    assert 50 < found.brief == len(json.loads(found.text)["brief"])
    monkeypatch.setattr(payload, "BYTES", 12_000)
    assert 0 < made(pages.quiz()).brief < found.brief


def test_the_stated_limits_are_what_the_documents_say() -> None:
    assert (payload.RECORDS, payload.LISTED, payload.BYTES) == (10_000, 100_000, 24 * 1024 * 1024)


def test_a_record_without_its_texts_keeps_what_the_list_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "RECORDS", 0)
    about = pages.finding("waived", "notice", "r0002", repeat=2, message="waived")
    change = pages.change(2, run="a", repeat=2, scores=[pages.score("acc", 1, 0.25), pages.score("f1", 0.5, None)])
    view = pages.view_of([change], findings=[{**about, "run": "a"}])
    found = data_of(RENDER(view))
    scores = [[0, "1.0000", "0.2500", "-0.7500"], [1, "0.5000", "none", ""]]
    assert found["metrics"] == ["acc", "f1"]
    assert found["brief"] == [[0, 0, "a", "r0002", 2, {"lang": "fr"}, scores, [["notice", "waived", "waived"]]]]


def test_long_values_are_shortened_around_what_differs_with_their_length() -> None:
    long = "word " * 4000
    change = pages.change(1, fields=[{"path": "/output", "before": f"{long}old{long}", "after": f"{long}new{long}"}])
    change["record"] = {"id": "r", "input": long, "tags": {"lang": "en"}}
    [found] = data_of(RENDER(pages.view_of([change])))["records"]
    [field] = found["fields"]
    assert ("old" in field["before"], "new" in field["after"]) == (True, True)
    assert (field["before_length"], field["after_length"]) == (40_003, 40_003)
    assert max(len(field["before"]), len(field["after"]), len(found["context"]["input"])) <= 4000
    assert found["lengths"] == {"input": 20_000}
    assert found["context"]["tags"] == {"lang": "en"}


def test_the_page_grows_with_what_changed_and_not_with_what_is_long() -> None:
    long = "x" * 1_000_000
    fields = [{"path": f"/metadata/{number}", "before": long, "after": long + "y"} for number in range(200)]
    page = RENDER(pages.view_of([pages.change(1, fields=fields)]))
    assert len(page) < 2_000_000
    assert data_of(page)["records"][0]["more_fields"] == 150


def texts() -> st.SearchStrategy[str]:
    nasty = st.sampled_from(
        [
            "</script>",
            "<!--",
            "##[error]",
            "##vso[",
            "::error::",
            "\u2028",
            "\x7f",
            "\x9b",
            "\u202e",
            "\\u003c",
            "&",
            "]]>",
        ]
    )
    return st.lists(nasty | st.text(max_size=5), max_size=6).map("".join)


@given(text=texts())
def test_the_data_says_what_the_view_says_and_steers_nothing(text: str) -> None:
    change = pages.change(1, fields=[{"path": f"/metadata/{text}", "before": text, "after": {text: text}}])
    change["record"] = {"id": "r", "input": text, "tags": {text: text}}
    found = made(pages.view_of([{**change, "id": text or "x", "run": text}])).text
    [record] = json.loads(found)["records"]
    assert (record["id"], record["run"], record["context"]["input"]) == (text or "x", text, text)
    assert record["fields"] == change["fields"]
    assert not re.search(r"[<>&\x7f-\x9f]|##|^\s*::", found, re.MULTILINE)
    assert text_safety.visible(found) == found or max(map(len, re.findall(r"[^\x00-\x7f]+", found)), default=0) > 4


def test_the_same_view_gives_the_same_bytes_whatever_the_order_of_its_members() -> None:
    view = pages.quiz()
    turned = json.loads(json.dumps(view), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert RENDER(turned) == RENDER(view)


def test_what_was_found_about_a_record_stands_with_it() -> None:
    leave = pages.finding("waived", "notice", "r0001", message="waived up to 0.9 until 2026-12-31 by ann: a new tone")
    flaky = pages.finding("quarantined", "notice", "r0002", message="in quarantine", run="other")
    page = RENDER(pages.view_of([pages.change(1), pages.change(2)], findings=[pages.finding("max-drop"), leave, flaky]))
    found = [one["findings"] for one in data_of(page)["records"]]
    assert found == [[["notice", "waived", leave["message"]]], []]
    assert page.count(leave["message"]) == 3  # among the findings, with the record, and in the data


def test_names_in_findings_lead_to_the_record() -> None:
    about = [pages.finding("max-drop", record=f"r{number:04d}") for number in (1, 60, 99)]
    changes = [pages.change(number) for number in range(80)]
    page = RENDER(pages.view_of(changes, findings=[pages.finding("max-drop"), *about]))
    assert '<a href="#record-1" data-record="1"><bdi>r0001</bdi></a>' in page
    assert '<div class="body" id="record-1">' in page
    assert '<span data-record="60"><bdi>r0060</bdi></span>' in page  # not written out: a link needs the script
    assert "<li><bdi>r0099</bdi></li>" in page


@pytest.mark.parametrize("outcome", ["holds", "broken", "undecided", "waived"])
def test_limits_stand_with_their_metric(outcome: str) -> None:
    asked = pages.check("max-drop", outcome, metric="acc", limit="0.01", excused_by=["waivers.0"])
    lang = {"tag": "lang", "value": "de"}
    others = [pages.check("waived", "waived", metric="acc", limit="0.9"), pages.check("min", metric="acc", slice=lang)]
    view = pages.view_of([], checks=[asked, *others], metrics=[pages.measure(), pages.measure(slice=lang)])
    table = metrics.table(outline.make(view), {})
    [block] = table.blocks
    assert [(one.rule, one.text, one.outcome, one.excused_by) for one in block.whole.limits] == [
        ("max-drop", "0.01", outcome, "waivers.0")
    ]
    assert (table.has_limits, table.has_slices, table.slices_have_limits) == (True, True, False)
    assert f"{outcome} by <bdi>waivers.0</bdi>" in RENDER(view)


def test_of_too_many_metrics_those_with_a_broken_rule_are_shown() -> None:
    many = [pages.measure(f"m{number:03d}", delta=0.1) for number in range(400)]
    broken = pages.check("max-drop", "broken", metric="m399", limit="0.01")
    table = metrics.table(outline.make(pages.view_of([], metrics=many, checks=[broken])), {})
    assert table.blocks[0].whole.measure["metric"] == "m399"
    assert (len(table.blocks), table.more) == (300, 100)


def test_the_interval_of_a_delta_is_that_of_its_standard_error() -> None:
    [block] = metrics.table(outline.make(pages.view_of([])), {}).blocks
    assert block.whole.interval == "-0.0705 to -0.0295"  # t(0.975, 29) = 2.0452, scipy.stats.t.ppf


def test_the_bar_of_records_is_whole_and_shows_every_class() -> None:
    view = pages.quiz()
    view["counts"] |= {"unchanged": 10**7}
    bars = [
        (int(start), int(wide))
        for start, wide in re.findall(r'<rect class="bar-[a-z]+" x="(\d+)" y="0" width="(\d+)"', RENDER(view))
    ]
    assert [start for start, _ in bars] == [sum(wide for _, wide in bars[:index]) for index in range(len(bars))]
    assert sum(wide for _, wide in bars) == 1000
    assert min(wide for _, wide in bars) >= 6
    assert len(bars) == 6


def test_a_comparison_without_anything_to_show_still_has_a_page() -> None:
    nothing = dict.fromkeys(pages.view_of([])["counts"], 0)
    view = pages.view_of(
        [], metrics=[], checks=[], findings=[], counts=nothing, runs=[], verdict="INVALID", exit_code=3
    )
    page = RENDER(view)
    assert "<h1>INVALID</h1>" in page
    assert 'id="records"' not in page


def test_the_page_does_not_say_how_to_make_the_page() -> None:
    view = pages.quiz()
    assert "html:report.html" in reports.load("text").render(view)
    page = RENDER(view)
    assert "html:report.html" not in page
    assert "--explain" in page


def test_findings_beyond_the_first_are_folded_and_counted_by_level() -> None:
    many = [pages.finding(f"rule-{number}", "error" if number < 9 else "warning") for number in range(500)]
    page = RENDER(pages.view_of([], findings=many))
    assert "<summary>and 492 more findings: 1 error, 491 warning</summary>" in page
    assert page.index("something broke rule-7<") < page.index("and 492 more") < page.index("something broke rule-8<")
    assert "and 100 more, in the JSON report" in page


def test_what_is_in_backticks_is_code_only_if_it_reads_as_ours() -> None:
    hint = "see `gate.toml`, `a</code><script>`, ` x`, `` and `open"
    page = RENDER(pages.view_of([], findings=[pages.finding("max-drop", hint=hint)]))
    assert "see <code>gate.toml</code>, `a&lt;/code&gt;&lt;script&gt;`, ` x`, `` and `open" in page


def test_ids_of_records_hold_no_text_of_data() -> None:
    changes = [pages.change(0, id="a b\"'<&>", run="ü/x", repeat=12), pages.change(1, id="y" * 1000)]
    page = RENDER(pages.view_of(changes))
    ids = re.findall(r'<div class="body" id="([^"]*)"', page)
    assert ids == ["record-0", "record-1"]
    assert [f'href="#{one}"' in page for one in ids] == [True, True]
