"""Limits on one metric: enough pairs, the declared scale, the point of a series, margins, what could be tightened."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runstore.checks import Check, Outcome
from runstore.comparison import Comparison, compare
from runstore.evidence import intervals
from runstore.evidence.results import Interval
from runstore.findings import Rule, Verdict
from runstore.judgement.case import told
from runstore.manifest import MetricDeclaration
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import HIGHER, LOWER, SHARE, Record, passing, scored, write_run

Found = list[tuple[str, str, str | None]]


def compared(place: Path, before: dict[str, Any], after: dict[str, Any], text: str) -> Comparison:
    policy = from_toml(text, "gate.toml")
    assert policy is not None
    for name, given in (("b", before), ("c", {**after, "notes": "c"})):
        write_run(place / name, **given)
    return compare(read_run(place / "b"), read_run(place / "c"), policy)


def found(result: Comparison) -> Found:
    return [(f.rule.value, f.level.value, f.metric) for f in result.findings if f.record is None]


@pytest.mark.parametrize(
    ("least", "level", "rows"),
    [
        (3, "error", []),
        (4, "error", [("min-records", "inconclusive", "acc")]),
        (4, "warn", [("min-records", "warning", "acc")]),
    ],
)
def test_a_verdict_needs_as_many_pairs_as_asked(tmp_path: Path, least: int, level: str, rows: Found) -> None:
    text = f"[metrics.acc]\nmax_drop = 1\nmin_records = {least}\nlevel = '{level}'\n[records]\nmax_removed = 9\n"
    result = compared(tmp_path, {"records": passing(9)}, {"records": passing(3)}, text)
    assert found(result) == rows
    assert result.verdict is (Verdict.INCONCLUSIVE if rows and level == "error" else Verdict.PASS)


@pytest.mark.parametrize(
    ("declared", "values", "rule", "interval"),
    [
        (SHARE, [1, 1, 1, 0], "min = 0", intervals.proportion(3, 4, Decimal("0.95"))),
        (HIGHER, [1, 2, 4, 7], "min = 0", intervals.mean(4, Decimal(14), Decimal(70), Decimal("0.95"))),
        (LOWER, [*range(1, 101)], "max = 100\naggregate = 'p50'", None),
        (HIGHER, [3], "min = 0", None),
    ],
)
def test_a_floor_or_ceiling_shows_the_interval_that_fits_the_value(
    tmp_path: Path, declared: MetricDeclaration, values: list[int], rule: str, interval: Interval | None
) -> None:
    records = [{"id": f"r{number:03}", "scores": {"m": value}} for number, value in enumerate(values)]
    given = {"records": records, "metrics": {"m": declared}}
    result = compared(tmp_path, given, given, f"[metrics.m]\n{rule}\n")
    (check,) = [one for one in result.checks if one.rule in (Rule.MIN, Rule.MAX)]
    if len(values) == 100:
        interval = intervals.quantile_interval(sorted(map(float, values)), Decimal("0.5"), Decimal("0.95"))
        assert interval is not None
    assert check.interval == interval


def test_too_few_pairs_do_not_excuse_a_drop(tmp_path: Path) -> None:
    text = "[metrics.acc]\nmax_drop = 0.1\nmin_records = 9\n"
    result = compared(tmp_path, {"records": passing(2)}, {"records": [scored("r000", 0), scored("r001")]}, text)
    assert [rule for rule, _, _ in found(result)] == ["min-records", "max-drop"]
    assert result.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("rule", "declared", "says"),
    [
        ("unit = 's'", MetricDeclaration(unit="s"), []),
        ("unit = 's'", MetricDeclaration(unit="ms"), ["unit s of m; the baseline declares ms", "the current run"]),
        ("unit = 's'", MetricDeclaration(), ["unit s of m; the baseline declares none", "the current run"]),
        ("range = [0, 1]", MetricDeclaration(range=(0, 1.0)), []),
        ("range = [0, 0.1]", MetricDeclaration(range=(0, 0.1)), []),
        (
            "range = [0, 1]",
            MetricDeclaration(range=(0, 100)),
            ["range [0, 1] of m; the baseline declares [0, 100]", ""],
        ),
        ("range = [0, 1]", MetricDeclaration(), ["the baseline declares none", "the current run declares none"]),
    ],
)
def test_the_scale_that_a_rule_names_must_be_declared_by_both_runs(
    tmp_path: Path, rule: str, declared: MetricDeclaration, says: list[str]
) -> None:
    run: dict[str, Any] = {"records": [{"id": "a", "scores": {"m": 0}}], "metrics": {"m": declared}}
    result = compared(tmp_path, run, run, f"[metrics.m]\n{rule}\nmax_drop = 0\n")
    assert found(result) == [("metric-declaration", "review", "m")] * len(says)
    assert all(text in finding.message for text, finding in zip(says, result.findings, strict=True))
    assert result.verdict is (Verdict.REVIEW if says else Verdict.PASS)


LOSS: list[Any] = [("loss", 5, 0), ("loss", 1, 1), ("loss", 3, 2), ("loss", 4, None)]


@pytest.mark.parametrize(
    ("at", "direction", "value"),
    [
        (None, LOWER, 4.0),
        ("'last'", LOWER, 4.0),
        ("'best'", LOWER, 1.0),
        ("'best'", HIGHER, 5.0),
        ("'min'", HIGHER, 1.0),
        ("'max'", LOWER, 5.0),
        ("0", LOWER, 5.0),
        ("2", LOWER, 3.0),
        ("'last'", MetricDeclaration(direction="lower", aggregate="min"), 4.0),
        (None, MetricDeclaration(direction="lower", aggregate="min"), 1.0),
    ],
)
def test_a_rule_says_which_point_stands_for_a_series(
    tmp_path: Path, at: str | None, direction: MetricDeclaration, value: float
) -> None:
    text = "[metrics.loss]\nmax_drop = 0\n" + (f"at = {at}\n" if at else "")
    before: dict[str, Any] = {"metrics": {"loss": direction}, "points": LOSS}
    result = compared(tmp_path, before, before, text)
    assert [measure.current for _, measure in result.measures] == [value]
    assert result.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("old", "new", "row", "verdict"),
    [
        (3, 1, ("metric-missing", "error", "loss"), "FAIL"),
        (1, 3, ("metric-missing", "inconclusive", "loss"), "INCONCLUSIVE"),
        (1, 1, ("metric-missing", "inconclusive", "loss"), "FAIL"),
    ],
)
def test_a_step_that_a_series_has_no_point_at_is_a_finding(
    tmp_path: Path, old: int, new: int, row: tuple[str, str, str], verdict: str
) -> None:
    before, after = ([("loss", 1, step) for step in range(count)] for count in (old, new))
    sides: list[dict[str, Any]] = [{"metrics": {"loss": LOWER}, "points": points} for points in (before, after)]
    result = compared(tmp_path, sides[0], sides[1], "[metrics.loss]\nat = 2\nmax_drop = 0\n")
    assert (row in found(result), result.verdict.name) == (True, verdict)
    assert all("has no point at step 2" in f.message for f in result.findings if f.rule is Rule.METRIC_MISSING)


def test_at_of_a_metric_that_is_no_series_is_never_silent(tmp_path: Path) -> None:
    text = "[metrics.acc]\nat = 'best'\nmax_drop = 0\n"
    result = compared(tmp_path, {"records": passing(1)}, {"records": passing(1)}, text)
    assert (found(result), result.verdict) == ([("nothing-compared", "inconclusive", "acc")], Verdict.INCONCLUSIVE)


_SAME: list[Record] = passing(3)
_ONE_WORSE: list[Record] = [scored("r000", 0.5), *passing(3)[1:]]


@pytest.mark.parametrize(("limit", "rules"), [(1, []), (0, ["max-changed"])])
def test_records_that_changed_in_any_field_can_be_limited(tmp_path: Path, limit: int, rules: list[str]) -> None:
    text = f"[records]\nmax_changed = {limit}\nmax_regressed = 9\n"
    for number, after in enumerate(([{**_SAME[0], "output": "x"}, *_SAME[1:]], _ONE_WORSE)):
        result = compared(tmp_path / str(number), {"records": _SAME}, {"records": after}, text)
        assert [rule for rule, _, _ in found(result)] == rules
    after = [*_SAME, scored("new")]
    result = compared(tmp_path / "new", {"records": _SAME}, {"records": after}, f"{text}max_added = 1\n")
    assert found(result) == []


def bound(result: Comparison, rule: Rule) -> Check:
    return next(check for check in result.checks if check.rule is rule)


@pytest.mark.parametrize(
    ("rule", "before", "after", "margin", "suggestion"),
    [
        ("min = 0.50", 0.8, 0.9, "0.4", "0.8"),
        ("min = 0.50", 0.9, 0.876, "0.376", "0.87"),
        ("min = 0.50", 0.5049, 0.9, "0.4", None),
        ("min = 0.5", 0.9, 0.5, "0.0", None),
        ("max = 0.5", 0.12, 0.3, "0.2", "0.3"),
        ("max = 0.50", 0.121, 0.3009, "0.1991", "0.31"),
        ("min = -3", -1.5, -1.2, "1.8", "-2"),
        ("min = 1e1", 99, 42, "32.0", "40"),
    ],
)
def test_a_floor_that_holds_says_by_how_much_and_what_both_runs_would_keep(
    tmp_path: Path, rule: str, before: float, after: float, margin: str, suggestion: str | None
) -> None:
    sides: list[dict[str, Any]] = [
        {
            "records": [{"id": "a", "scores": {"m": value}}, {"id": "b", "scores": {"m": value}}],
            "metrics": {"m": HIGHER},
        }
        for value in (before, after)
    ]
    result = compared(tmp_path, sides[0], sides[1], f"[metrics.m]\n{rule}\n[records]\nmax_regressed = 9\n")
    check = bound(result, Rule.MIN if rule.startswith("min") else Rule.MAX)
    assert (check.outcome, check.margin, check.suggestion) == (Outcome.HOLDS, margin, suggestion)


def test_one_run_alone_suggests_no_limit(tmp_path: Path) -> None:
    before: dict[str, Any] = {"records": passing(1), "metrics": {"acc": SHARE, "f1": SHARE}}
    after: dict[str, Any] = {**before, "records": [{"id": "r000", "scores": {"acc": 1, "f1": 1}}]}
    result = compared(tmp_path, before, after, "[metrics.f1]\nmin = 0.1\n")
    check = bound(result, Rule.MIN)
    assert (check.outcome, check.margin, check.suggestion) == (Outcome.HOLDS, "0.9", None)


def test_every_default_rule_is_a_check_with_an_answer_also_of_a_pass(tmp_path: Path) -> None:
    for name in "bc":
        write_run(tmp_path / name, passing(2), notes=name)
    result = compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), Policy())
    assert result.verdict is Verdict.PASS
    assert {check.outcome for check in result.checks} == {Outcome.HOLDS}
    assert [check.rule.value for check in result.checks] == [
        "no-records", "nothing-compared", "run-status", "comparability", "comparability", "metric-declaration",
        "metric-missing", "max-regressed", "max-removed", "max-errors", "max-skipped", "max-lost-scores", "max-added",
    ]  # fmt: skip
    assert all(check.origin == "default" and check.read for check in result.checks)


@pytest.mark.parametrize(
    ("numbers", "beside", "texts"),
    [
        ((1.0, 0.5, -0.5), "0.3", ["1.0", "0.5", "-0.5"]),
        ((0.8589420654911839, 0.8261964735516373, -0.0327455919395466), "0.01", ["0.858942", "0.826196", "-0.0327456"]),
        ((0.8589420654911839, 0.8589420654911838, -1e-16), "0", ["0.8589420654911839", "0.8589420654911838", "-1e-16"]),
        ((0.12345670123456, 0.12345680123456), "1", ["0.123456701", "0.123456801"]),
        ((0.75, 0.74, -0.010000000001), "0.01", ["0.75", "0.74", "-0.010000000001"]),
        ((None, 1 / 3), "1", ["none", "0.333333"]),
        ((123456789.0, 123456788.0), "1", ["123456789.0", "123456788.0"]),
    ],
)
def test_a_sentence_has_digits_enough_and_no_more(
    numbers: tuple[float | None, ...], beside: str, texts: list[str]
) -> None:
    assert told(*numbers, beside=[Decimal(beside)]) == texts
