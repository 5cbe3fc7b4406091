"""The report for a terminal: what comes first, what fits, what is marked, and commands to be taken as they are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from runstore import reports
from runstore.reports.text_safety import columns
from tests.factories import scored, write_run
from tests.repositories import gate

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = [place.name for place in sorted(GOLDEN.iterdir())]
View = dict[str, Any]


def saved(name: str) -> View:
    value: View = json.loads((GOLDEN / name / "view.json").read_bytes())
    return value


def shown(view: View, width: int = 100, *, color: bool = False) -> str:
    return reports.load("text").render(view, width=width, color=color)


def table(page: str) -> list[str]:
    """The lines of the table of metrics."""
    return page[page.index("\nMetric") + 1 :].split("\n\n")[0].splitlines()


@pytest.mark.parametrize("width", [1, 40, 53, 80, 120, 200])
@pytest.mark.parametrize("name", NAMES)
def test_every_line_fits_the_width_but_commands(name: str, width: int) -> None:
    above, _, below = shown(saved(name), width).partition("\nNext: ")
    lines = [*above.splitlines(), *(line for line in f"Next: {below}".splitlines() if not line.startswith("  "))]
    unescaped = [re.sub(r"^( *)\\x3a:", r"\1::", line) for line in lines]  # a break may make a command of some text
    assert [line for line in unescaped if columns(line) > max(width, 40)] == []


def test_the_verdict_comes_first_then_why_then_numbers_then_records_then_what_to_do() -> None:
    page = shown(saved("fail-regressions"))
    places = [
        page.index(text) for text in ("FAIL  ", "error: max-regressed", "Records:", "Metric", "Regressed:", "Next:")
    ]
    assert places == sorted(places)
    assert places[0] == 0


def test_each_finding_says_what_was_observed_and_what_is_allowed() -> None:
    page = " ".join(shown(saved("fail-policy-limits"), 60).split())
    assert "error: max-relative-drop: latency got worse from 119.25 to 119.854 (+0.604167)" in page
    assert "0.001 of the baseline allowed" in page
    assert "warning: min: acc is 0.916667, below its floor of 0.95" in page


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (40, ["baseline", "current", "delta"]),
        (52, ["baseline", "current", "delta", "regressed"]),
        (72, ["baseline", "current", "delta", "n", "regressed", "improved"]),
        (100, ["baseline", "current", "delta", "std", "error", "n", "regressed", "improved"]),
    ],
)
def test_a_wider_terminal_shows_more_columns(width: int, heads: list[str]) -> None:
    view = saved("fail-regressions")
    view["metrics"] = [measure for measure in view["metrics"] if measure["metric"] == "acc"]
    first, *rest = table(shown(view, width))
    assert first.split()[1:] == heads
    assert {len(line) for line in rest} == {len(first)}
    assert rest[0].split()[:4] == ["acc", "1.0000", "0.7083", "-0.2917"]


def test_where_numbers_do_not_fit_beside_a_name_they_stand_below_it() -> None:
    view = saved("fail-regressions")
    for measure in view["metrics"]:
        measure |= {"baseline": 0.1 + 0.2, "current": 0.3, "delta": -5.551115123125783e-17}
    page = shown(view, 40)
    assert "Metrics\n  acc\n      0.30000000000000004 -> 0.3\n        -5.5511e-17\n    lang = de\n" in page


def test_an_interval_stands_beside_the_drop_that_was_tested() -> None:
    view = saved("fail-policy-limits")
    interval = next(one["assessment"]["interval"] for one in view["checks"] if one["assessment"])
    lines = table(shown(view, 120))
    assert "interval" in lines[0]
    assert f"[{interval[0]:.4f}, +{interval[1]:.4f}]" in lines[1]
    assert "[" not in lines[2]


def test_words_that_changed_stand_in_brackets_and_in_colour() -> None:
    view = saved("fail-regressions")
    assert "- The answer is [-Paris-]. Everybody" in shown(view)
    assert "+ The answer is {+Lyon+}. Everybody" in shown(view)
    colored = shown(view, color=True)
    assert "\x1b[31m[-Paris-]\x1b[0m. Everybody" in colored
    assert "\x1b[32m{+Lyon+}\x1b[0m. Everybody" in colored


def test_a_change_far_inside_a_long_text_is_shown_with_what_stands_around_it() -> None:
    view = saved("fail-regressions")
    [change] = [change for change in view["changes"] if change["id"] == "fr/001"]
    text = "so it goes on and on " * 200
    change["fields"] = [{"path": "/output", "before": f"{text}yes {text}", "after": f"{text}no {text}"}]
    view["changes"] = [change]
    page = shown(view, 80)
    old, new = page[page.index("/output") : page.index("\nNext")].split("        + ")
    for side, word in ((old.split("        - ")[1], "[-yes-]"), (new, "{+no+}")):
        words = " ".join(side.split())
        assert words.startswith("[...] ")
        assert words.endswith(" [...]")
        assert words.count("[...]") == 2
        assert f" on and on {word} so it goes on" in words
    assert len(page[page.index("/output") : page.index("\nNext")].splitlines()) <= 8


def test_short_values_stand_on_one_line_and_blank_ones_in_quotes() -> None:
    view = saved("fail-regressions")
    [change] = [change for change in view["changes"] if change["id"] == "fr/001"]
    change["fields"] = [
        {"path": "/output", "before": "C", "after": "A"},
        {"path": "/metadata/a", "before": "", "after": "  "},
        {"path": "/metadata/b", "before": 1, "after": "1"},
    ]
    view["changes"] = [change]
    page = shown(view)
    assert '      /output: C -> A\n      /metadata/a\n        - ""\n        + "  "\n' in page
    assert '      /metadata/b: 1 -> "1"\n' in page


def test_what_was_asked_stands_with_a_record_and_what_tells_most_comes_first() -> None:
    page = shown(saved("fail-regressions"))
    record = page[page.index("  - de/006") : page.index("  - fr/001\n      acc")]
    places = [record.index(text) for text in ("acc:", "input: Was ist", "target:", "/status", "/reason", "/output")]
    assert places == sorted(places)


def test_scores_that_got_worse_come_first_and_many_are_counted() -> None:
    view = saved("fail-regressions")
    [change] = [change for change in view["changes"] if change["id"] == "fr/001"]
    change["scores"] = [
        {"baseline": 0, "current": 1 - number, "delta": 1 - number, "metric": f"m{number:02d}"}
        for number in range(3, -1, -1)
    ] * 2 + [{"baseline": 1, "current": None, "delta": None, "metric": "gone"}]
    view["changes"] = [change]
    first = view["metrics"][0]
    view["metrics"] = [{**first, "metric": f"m{number:02d}", "slice": None} for number in range(4)]
    page = shown(view)
    found = re.findall(r"      (m\d\d|gone): ", page)
    assert found == ["m03", "m02", "m03", "m02", "gone", "m01"]
    assert "      and 3 more scores\n" in page


def many_runs(count: int) -> View:
    """A suite in which every third run failed, the later the worse."""
    view = saved("suite-of-many-runs")
    [pair] = [pair for pair in view["runs"] if pair["path"] == "qa/capitals"]
    [head] = [one for one in view["findings"] if one["rule"] == "max-regressed" and one["record"] is None]
    measures = [one for one in view["metrics"] if one["run"] == "qa/capitals"]
    paths = [f"task-{number:03d}" for number in range(count)]
    failed = [(path, number) for number, path in enumerate(paths) if number % 3 == 0]
    view["verdict"], view["exit_code"] = "FAIL", 1
    view["runs"] = [{**pair, "path": path} for path in paths]
    view["findings"] = [
        {**head, "run": path, "message": f"{number} records got worse in a score; 0 allowed", "observed": str(number)}
        for path, number in failed
    ]
    view["metrics"] = [{**measure, "run": path} for path in paths for measure in measures]
    return view


def test_of_many_runs_the_worst_are_told_and_the_others_counted() -> None:
    page = shown(many_runs(200))
    assert page.startswith("FAIL  1 rule broken: max-regressed; in 67 of 200 runs\n")
    assert re.findall(r"error: max-regressed: (task-\d+)", page) == [f"task-{number}" for number in range(186, 199, 3)]
    assert "  and 62 more of max-regressed\n" in page
    assert page.count("hint:") == 1
    assert len(page.splitlines()) < 150
    assert "and 380 more metrics" in page


def test_of_many_metrics_those_that_broke_a_rule_come_first() -> None:
    view = saved("pass-identical")
    [first] = [measure for measure in view["metrics"] if measure["metric"] == "acc" and not measure["slice"]]
    view["metrics"] = [
        {**first, "metric": f"m{number:02d}", "delta": -0.25 if number == 31 else 0.25, "regressed": 6 * (number == 31)}
        for number in range(50)
    ]
    [finding] = view["findings"]
    view["findings"] = [{**finding, "level": "error", "rule": "min", "metric": "m44"}]
    names = re.findall(r"(?m)^(m\d\d) ", shown(view))
    assert names[:3] == ["m44", "m31", "m00"]
    assert len(names) == 20
    assert "and 30 more metrics; all of them: --format json\n" in shown(view)


def commands(page: str) -> list[str]:
    """The lines below `Next:` that are commands."""
    return re.findall(r"(?m)^  (gate .*)$", page[page.index("\nNext: ") :])


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pass-identical", "gate compare BASELINE CURRENT --explain"),
        ("fail-regressions", "gate compare BASELINE CURRENT --format html:report.html"),
        ("review-declaration", "gate compare BASELINE CURRENT --explain"),
        ("inconclusive-nothing-in-common", "gate compare BASELINE CURRENT --explain"),
        ("invalid-digest", "gate validate BASELINE CURRENT"),
        ("suite-of-many-runs", "gate validate BASELINE/broken CURRENT/broken"),
    ],
)
def test_the_report_ends_with_what_to_do_next(name: str, first: str) -> None:
    page = shown(saved(name), 40)
    assert commands(page)[0] == first
    assert page.splitlines()[-1].strip() == commands(page)[-1] or "max_drop" in page.splitlines()[-1]


@pytest.mark.parametrize("run", ["a b", "it's", "-x", "$(touch x)", "a;b", '"q"', "`c`", "*", "~"])
def test_a_path_in_a_command_is_one_word_of_the_shell(run: str) -> None:
    view = saved("suite-of-many-runs")
    for finding in view["findings"]:
        finding["run"] = run if finding["level"] == "invalid" else finding["run"]
    assert shlex.split(commands(shown(view))[0]) == ["gate", "validate", f"BASELINE/{run}", f"CURRENT/{run}"]


@pytest.mark.parametrize("run", ["ü", "new\nline", "\x1b[31m", "x" * 200, "##[error]"])
def test_a_path_that_cannot_be_taken_from_a_terminal_is_left_out(run: str) -> None:
    view = saved("suite-of-many-runs")
    for finding in view["findings"]:
        finding["run"] = run if finding["level"] == "invalid" else finding["run"]
    assert commands(shown(view))[0] == "gate validate BASELINE CURRENT"


def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    write_run(tmp_path / "b", [scored("a"), scored("b")])
    write_run(tmp_path / "c", [scored("a"), scored("b", 0)])
    page = gate(tmp_path, "compare", "b", "c")
    told = [shlex.split(line.replace("BASELINE", "b").replace("CURRENT", "c"))[1:] for line in commands(page.out)]
    [accept] = [words for words in told if words[0] == "accept"]
    for words in told:
        assert words == accept or gate(tmp_path, *words).code == 1
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")
    [line] = re.findall(r"(?m)^  (metrics\..*)$", page.out)
    (tmp_path / "gate.toml").write_text(line.replace("0.01", "0.5"))
    assert gate(tmp_path, "compare", "b", "c").code == 0
    (tmp_path / "gate.toml").unlink()
    assert gate(tmp_path, *accept).code == 0
    assert gate(tmp_path, "compare", "b", "c").code == 0


def test_numbers_behind_a_name_that_runs_from_right_to_left_do_not_change_places() -> None:
    view = saved("fail-regressions")
    for measure in view["metrics"]:
        measure["metric"] = "دقة"
    for change in view["changes"]:
        for score in change["scores"]:
            score["metric"] = "دقة"
    page = shown(view)
    assert re.search(r"(?m)^دقة\u200e +1\.0000", page)
    assert "دقة\u200e: 1 -> 0 (-1)" in page


def test_colour_is_never_the_only_sign() -> None:
    page = shown(saved("fail-regressions"))
    assert all(sign in page for sign in ("FAIL", "error: ", "-0.2917", "[-Paris-]", "{+Lyon+}", "- ", "+ "))


def test_the_explanation_counts_what_holds() -> None:
    page = reports.load_explanation().render(saved("fail-policy-limits"))
    assert re.match(r"Checks: (\d+); 3 broken, \d+ hold\n", page)
    assert "interval [-0.2667, +0.1001]" in page
