"""The table of rules: what each finds, at which level, and where exactly its limit lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runstore.comparison import Comparison, compare
from runstore.errors import PolicyError
from runstore.findings import Level, Verdict
from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import HIGHER, LOWER, SHARE, Record, passing, scored, write_run

Found = list[tuple[str, str, str | None]]
"""(Rule, level, metric) of each finding that is not about one record."""


def policy(text: str) -> Policy:
    found = from_toml(text, "gate.toml")
    assert found is not None
    return found


def compared(place: Path, before: dict[str, Any], after: dict[str, Any], text: str | None = None) -> Comparison:
    """The comparison of two runs, each given by the arguments of `write_run`, under a policy."""
    baseline, current = (read_run(write_run(place / name, **given)) for name, given in (("b", before), ("c", after)))
    return compare(baseline, current, policy(text) if text else Policy())


def found(comparison: Comparison) -> Found:
    return [(f.rule.value, f.level.value, f.metric) for f in comparison.findings if f.record is None]


def one_metric(declared: MetricDeclaration, value: float) -> dict[str, Any]:
    return {
        "records": [{"id": "a", "scores": {"m": value}}, {"id": "b", "scores": {"m": value}}],
        "metrics": {"m": declared},
    }


ANY = "[records]\nmax_regressed = 1000\n"


@pytest.mark.parametrize(
    ("declared", "before", "after", "rule", "broken"),
    [
        # Decimal, and not the double next to it: 0.9 - 0.85 is more than 0.05 in doubles.
        (HIGHER, 0.9, 0.85, "max_drop = 0.05", None),
        (HIGHER, 0.9, 0.8499999999999999, "max_drop = 0.05", "max-drop"),
        (LOWER, 0.85, 0.9, "max_drop = 0.05", None),
        (LOWER, 0.85, 0.9000000000000001, "max_drop = 0.05", "max-drop"),
        (HIGHER, 0.85, 0.9, "max_drop = 0", None),
        (LOWER, 0.9, 0.85, "max_drop = 0", None),
        (HIGHER, 0.5, 0.5, "max_drop = 0", None),
        (HIGHER, 0.3, 0.29999999999999993, "max_drop = 0", "max-drop"),
        (HIGHER, 5e-324, 0, "max_drop = 0", "max-drop"),
        (LOWER, 1e-300, 1e300, "max_drop = 1e300", None),
        # Differences in digits that a decimal context of 28 would round away.
        (LOWER, 0, 2**53 - 1, "max_drop = 9007199254740990.99999999999999999999", "max-drop"),
        (LOWER, -1e-30, 1e15, "max_drop = 1000000000000000", "max-drop"),
        (HIGHER, 1e15, -1e-30, "max_drop = 1000000000000000", "max-drop"),
        (HIGHER, 1, 0.9, "max_relative_drop = 0.1", None),
        (HIGHER, 1, 0.8999999999999999, "max_relative_drop = 0.1", "max-relative-drop"),
        (LOWER, 100, 110, "max_relative_drop = 0.1", None),
        (LOWER, 100, 110.00000000000001, "max_relative_drop = 0.1", "max-relative-drop"),
        (HIGHER, -1, -1.1, "max_relative_drop = 0.1", None),
        (HIGHER, -1, -1.2, "max_relative_drop = 0.1", "max-relative-drop"),
        # A baseline of 0: every drop is infinitely large, and none is no drop.
        (HIGHER, 0, -1e-300, "max_relative_drop = 0.5", "max-relative-drop"),
        (LOWER, 0, 1e-300, "max_relative_drop = 1000000", "max-relative-drop"),
        (HIGHER, 0, 0, "max_relative_drop = 0", None),
        (HIGHER, 0, 1, "max_relative_drop = 0", None),
        (HIGHER, 1, 0.7, "max_drop = 0.3\nmax_relative_drop = 0.1", "max-relative-drop"),
        (HIGHER, 1, 0.7, "max_drop = 0.1\nmax_relative_drop = 0.3", "max-drop"),
        # A floor and a ceiling are the current run's alone, whatever the direction.
        (HIGHER, 0.5, 0.5, "min = 0.5", None),
        (HIGHER, 0.5, 0.5, "min = 0.50000000000000000001", "min"),
        (LOWER, 0.5, 0.5, "max = 0.5", None),
        (LOWER, 0.5, 0.5, "max = 0.49999999999999999999", "max"),
        (LOWER, 0.5, 0.4, "min = 0.45", "min"),
        (HIGHER, 0.5, 0.6, "max = 0.55", "max"),
        (HIGHER, -5, -5, "min = -5", None),
        (HIGHER, -5, -5, "min = -4.99", "min"),
        # The direction of the policy stands above that of the run.
        (HIGHER, 1, 2, "direction = 'lower'\nmax_drop = 0.5", "max-drop"),
        (LOWER, 2, 1, "direction = 'higher'\nmax_drop = 1", None),
    ],
)
def test_a_limit_on_a_metric_lies_exactly_where_it_says(
    tmp_path: Path, declared: MetricDeclaration, before: float, after: float, rule: str, broken: str | None
) -> None:
    text = f"[metrics.m]\n{rule}\n{ANY}"
    result = compared(tmp_path, one_metric(declared, before), one_metric(declared, after), text)
    expected: Found = [(broken, "error", "m")] if broken else []
    assert [row for row in found(result) if row[0] != "identical"] == expected
    assert result.verdict is (Verdict.FAIL if broken else Verdict.PASS)


def test_a_broken_rule_of_level_warn_is_a_warning_and_a_pass(tmp_path: Path) -> None:
    text = f"[metrics.m]\nmax_drop = 0\nlevel = 'warn'\n{ANY}"
    result = compared(tmp_path, one_metric(HIGHER, 1), one_metric(HIGHER, 0.5), text)
    assert found(result) == [("max-drop", "warning", "m")]
    assert result.verdict is Verdict.PASS


def test_a_finding_holds_what_was_observed_and_the_limit_and_rounds_nothing_away(tmp_path: Path) -> None:
    text = f"[metrics.m]\nmax_drop = 0.050\n{ANY}"
    result = compared(tmp_path, one_metric(HIGHER, 0.9), one_metric(HIGHER, 0.8499999999999999), text)
    finding = result.findings[0]
    assert (finding.observed, finding.limit) == ("-0.0500000000000001", "0.05")
    assert "0.9 to 0.8499999999999999" in finding.message


MIXED: list[Record] = [{"id": f"r{n}", "scores": {"a": 1, "b": 1}} for n in range(4)]


def dropped(name: str, count: int = 1) -> dict[str, Any]:
    after = [{**r, "scores": {"a": 1, "b": 1, name: 0}} if n < count else r for n, r in enumerate(MIXED)]
    return {"records": after, "metrics": {"a": SHARE, "b": SHARE}}


BOTH: dict[str, Any] = {"records": MIXED, "metrics": {"a": SHARE, "b": SHARE}}


@pytest.mark.parametrize(
    ("name", "text", "rules"),
    [
        ("a", None, ["max-regressed"]),
        ("a", "[metrics.a]\nmax_drop = 0.25\n", []),
        ("a", "[metrics.a]\nmax_drop = 0.24\n", ["max-drop"]),
        ("b", "[metrics.a]\nmax_drop = 0.25\n", ["max-regressed"]),
        ("b", "[metrics.'*']\nmax_drop = 0.25\n", []),
        ("b", "[metrics.'*']\nmax_drop = 0\n[metrics.b]\nmax_drop = 1\n", []),
        ("a", "[metrics.'*']\nmax_drop = 0\n[metrics.b]\nmax_drop = 1\n", ["max-drop"]),
        ("a", "[metrics.'[ab]']\nmax_relative_drop = 0.25\n", []),
        ("a", "[metrics.a]\nmin = 0.1\n", ["max-regressed"]),
        ("a", "[metrics.a]\ndirection = 'higher'\n", ["max-regressed"]),
        ("a", "[metrics.a]\ndirection = 'lower'\n", []),
        ("a", "[records]\nmax_regressed = 1\n", []),
        ("a", "[records]\nmax_regressed = 0\n", ["max-regressed"]),
        ("a", "[records]\nmax_added = 0\n", ["max-regressed"]),
        ("a", "[metrics.a]\nmax_drop = 1\n[records]\nmax_regressed = 0\n", ["max-regressed"]),
    ],
)
def test_a_metric_is_strict_until_a_limit_covers_its_drop(
    tmp_path: Path, name: str, text: str | None, rules: list[str]
) -> None:
    result = compared(tmp_path, BOTH, dropped(name), text)
    assert [rule for rule, _, _ in found(result)] == rules
    assert result.verdict is (Verdict.FAIL if rules else Verdict.PASS)


def test_every_record_that_got_worse_is_named_the_worst_first(tmp_path: Path) -> None:
    after = [scored("r000", 0.9), scored("r001", 0.1), scored("r002", 0.5), scored("r003")]
    result = compared(tmp_path, {"records": passing(4)}, {"records": after})
    assert [finding.record for finding in result.findings] == [None, "r001", "r002", "r000"]
    assert result.findings[0].message == "3 records got worse in a score; 0 allowed"


_OTHER: list[Record] = [*passing(3)[1:], scored("new", 0)]
_ERRED: list[Record] = [{"id": "r000", "status": "error"}, *passing(3)[1:]]
_SKIPPED: list[Record] = [{"id": "r000", "status": "skipped"}, *passing(3)[1:]]
_LOST: list[Record] = [{"id": "r000"}, *passing(3)[1:]]


@pytest.mark.parametrize(
    ("after", "limit", "rules"),
    [
        (_OTHER, "", [("max-removed", "error"), ("max-added", "notice")]),
        (_OTHER, "max_removed = 1", [("max-added", "notice")]),
        (_OTHER, "max_removed = 0", [("max-removed", "error"), ("max-added", "notice")]),
        (_OTHER, "max_removed = 1\nmax_added = 1", []),
        (_OTHER, "max_removed = 1\nmax_added = 0", [("max-added", "error")]),
        (_ERRED, "", [("max-errors", "error")]),
        (_ERRED, "max_errors = 0", [("max-errors", "error")]),
        (_ERRED, "max_errors = 1", []),
        (_ERRED, "max_skipped = 1", [("max-errors", "error")]),
        (_ERRED, "max_errors = 1\nmax_regressed = 0", [("max-regressed", "error")]),
        (_SKIPPED, "", [("max-skipped", "error")]),
        (_SKIPPED, "max_skipped = 1", []),
        (_LOST, "", [("max-regressed", "error"), ("max-lost-scores", "error")]),
        (_LOST, "max_lost_scores = 1", [("max-regressed", "error")]),
        (_LOST, "max_lost_scores = 1\nmax_regressed = 1", []),
        (_LOST, "max_lost_scores = 0\nmax_regressed = 1", [("max-lost-scores", "error")]),
    ],
)
def test_limits_on_the_set_of_records(
    tmp_path: Path, after: list[Record], limit: str, rules: list[tuple[str, str]]
) -> None:
    text = f"[records]\n{limit}\n" if limit else None
    result = compared(tmp_path, {"records": passing(3)}, {"records": after}, text)
    assert [(rule, level) for rule, level, _ in found(result)] == rules
    assert result.verdict is (Verdict.FAIL if "error" in {level for _, level in rules} else Verdict.PASS)


def test_a_record_that_is_not_ok_counts_as_the_worst_of_the_range(tmp_path: Path) -> None:
    text = "[metrics.acc]\nmax_drop = 0.3\n[records]\nmax_errors = 1\n"
    result = compared(tmp_path, {"records": passing(3)}, {"records": _ERRED}, text)
    assert found(result) == [("max-drop", "error", "acc")]
    assert result.measures[0][1].current == pytest.approx(2 / 3)


def test_an_errored_record_that_recovers_has_got_better_though_it_never_had_every_metric(tmp_path: Path) -> None:
    metrics = {"acc": SHARE, "f1": SHARE}
    others: list[Record] = [scored("b"), {"id": "c", "scores": {"f1": 1}}]
    before = {"records": [{"id": "a", "status": "error"}, *others], "metrics": metrics}
    after = {"records": [scored("a"), *others], "metrics": metrics}
    result = compared(tmp_path, before, after)
    assert (result.verdict, result.counts.improved, result.counts.lost_scores) == (Verdict.PASS, 1, 0)


def test_a_drop_as_wide_as_the_doubles_is_a_regression(tmp_path: Path) -> None:
    wide = {"m": MetricDeclaration(range=(-1e308, 1e308))}
    before: list[Record] = [{"id": "a", "scores": {"m": 1e308}}, {"id": "b", "scores": {"m": 0}}]
    after: list[Record] = [{"id": "a", "scores": {"m": -1e308}}, {"id": "b", "scores": {"m": 0}}]
    result = compared(tmp_path, {"records": before, "metrics": wide}, {"records": after, "metrics": wide})
    assert (result.verdict, result.counts.regressed, result.counts.improved) == (Verdict.FAIL, 1, 0)


def test_a_difference_beyond_the_doubles_is_judged(tmp_path: Path) -> None:
    text = f"[metrics.m]\nmax_drop = 1e308\n{ANY}"
    result = compared(tmp_path, one_metric(HIGHER, 1.5e308), one_metric(HIGHER, -1.5e308), text)
    assert result.verdict is Verdict.FAIL


RUN: dict[str, Any] = {"records": passing(3)}
NONE: dict[str, Any] = {"records": []}
NOTHING = ("nothing-compared", "inconclusive")
CHANGED_METRIC = [("metric-declaration", "review")]


def declaring(**declared: Any) -> dict[str, Any]:
    """The same run, whose metric is declared otherwise."""
    return {**RUN, "metrics": {"acc": MetricDeclaration(**declared)}}


@pytest.mark.parametrize(
    ("before", "after", "rows", "verdict"),
    [
        (RUN, NONE, [("no-records", "error"), NOTHING, ("max-removed", "error")], "FAIL"),
        (NONE, RUN, [NOTHING, ("max-added", "notice")], "INCONCLUSIVE"),
        (NONE, NONE, [("no-records", "error"), NOTHING, ("identical", "notice")], "FAIL"),
        (RUN, {**RUN, "status": "failed"}, [("run-status", "error")], "FAIL"),
        (RUN, {**RUN, "status": "killed"}, [("run-status", "error")], "FAIL"),
        ({**RUN, "status": "failed"}, RUN, [("run-status", "inconclusive")], "INCONCLUSIVE"),
        (RUN, {**RUN, "identity": Identity(suite="other")}, [("comparability", "inconclusive")], "INCONCLUSIVE"),
        (RUN, {**RUN, "identity": Identity(project="other")}, [("comparability", "inconclusive")], "INCONCLUSIVE"),
        (RUN, {**RUN, "identity": Identity(name="other", params={"x": 1})}, [], "PASS"),
        (RUN, declaring(), CHANGED_METRIC, "REVIEW"),
        (RUN, declaring(range=(0, 100)), CHANGED_METRIC, "REVIEW"),
        (RUN, declaring(range=(0, 1), unit="%"), CHANGED_METRIC, "REVIEW"),
        (RUN, declaring(range=(0, 1), direction="lower"), CHANGED_METRIC, "REVIEW"),
        (RUN, declaring(range=(0.0, 1.0)), [("identical", "notice")], "PASS"),
        (RUN, {**RUN, "provenance": Provenance(attempt=2)}, [("attempt", "notice")], "PASS"),
        (RUN, {**RUN, "provenance": Provenance(attempt=1)}, [], "PASS"),
        (RUN, {**RUN, "notes": "another"}, [], "PASS"),
        (RUN, RUN, [("identical", "notice")], "PASS"),
    ],
)
def test_what_stands_in_the_way_of_judging(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], rows: list[tuple[str, str]], verdict: str
) -> None:
    result = compared(tmp_path, before, after)
    assert [(rule, level) for rule, level, _ in found(result)] == rows
    assert result.verdict.name == verdict


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ([("d", "1")], [("d", "2")], ["data set 'd' differs: baseline '1', current '2'"]),
        ([("d", "1")], [], ["data set 'd' differs: baseline '1', current has none"]),
        ([("d", "1"), ("e", "1")], [("e", "2")], ["data set 'd'", "data set 'e'"]),
        ([("d", "1")], [("d", "1")], []),
    ],
)
def test_other_data_sets_are_not_compared_and_are_named(
    tmp_path: Path, old: list[tuple[str, str]], new: list[tuple[str, str]], named: list[str]
) -> None:
    before, after = (
        {**RUN, "identity": Identity(datasets=[Dataset(name=name, digest=digest) for name, digest in pairs])}
        for pairs in (old, new)
    )
    result = compared(tmp_path, before, {**after, "notes": "another"})
    assert [f.level for f in result.findings] == [Level.INCONCLUSIVE] * len(named)
    for finding, text in zip(result.findings, named, strict=True):
        assert finding.message.startswith(text)


def test_a_metric_that_vanished_is_a_failure(tmp_path: Path) -> None:
    renamed = {"records": [{"id": "r000", "scores": {"accuracy": 1}}], "metrics": {"accuracy": SHARE}}
    result = compared(tmp_path, {"records": passing(1)}, renamed, "[records]\nmax_regressed = 9\nmax_lost_scores = 9\n")
    assert found(result) == [("metric-missing", "error", "acc")]


SERIES: dict[str, Any] = {"metrics": {"loss": LOWER, "acc": HIGHER}, "points": [("loss", 2, 0), ("loss", 1, None)]}


@pytest.mark.parametrize(
    ("points", "text", "rows"),
    [
        ([("loss", 1, None)], None, []),
        ([("loss", 0.5, None)], None, []),
        ([("loss", 1.01, None)], None, [("max-drop", "error", "loss")]),
        ([("loss", 1.01, None)], "[metrics.loss]\nmax_drop = 0.01\n", []),
        ([("loss", 1.01, None)], "[metrics.loss]\nmax_drop = 0.009\n", [("max-drop", "error", "loss")]),
        ([("loss", 1.01, None)], "[metrics.loss]\nmax = 1\n", [("max", "error", "loss")]),
        ([("acc", 1, None)], None, [("metric-missing", "error", "loss")]),
        ([], None, [("no-records", "error", None), (*NOTHING, None), ("metric-missing", "error", "loss")]),
    ],
)
def test_a_run_without_records_is_judged_by_its_series(
    tmp_path: Path, points: list[Any], text: str | None, rows: Found
) -> None:
    result = compared(tmp_path, SERIES, {**SERIES, "points": points}, text)
    assert set(found(result)) >= set(rows)
    if rows:
        assert result.verdict is Verdict.FAIL
    else:
        assert (found(result), result.verdict) == ([], Verdict.PASS)


NEW_METRIC: dict[str, Any] = {
    "records": [{"id": "r000", "scores": {"acc": 1, "f1": 0.5}}],
    "metrics": {"acc": SHARE, "f1": SHARE},
}


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("min = 0.5", []),
        ("min = 0.6", [("min", "error", "f1")]),
        ("max_drop = 0.1", [("metric-missing", "inconclusive", "f1")]),
    ],
)
def test_of_a_metric_only_the_current_run_has_a_floor_is_checked_and_a_drop_is_not(
    tmp_path: Path, rule: str, rows: Found
) -> None:
    assert found(compared(tmp_path, {"records": passing(1)}, NEW_METRIC, f"[metrics.f1]\n{rule}\n")) == rows


def test_a_rule_that_selects_no_metric_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    for pattern in ("acccc", "z*"):
        with pytest.raises(PolicyError, match="selects no metric") as refused:
            compared(tmp_path / pattern.strip("*"), RUN, RUN, f"[metrics.'{pattern}']\nmax_drop = 1\n")
        assert refused.value.hint == "the runs have: acc; of several rules for one the first decides"


def test_a_rule_on_a_metric_that_is_declared_and_carried_by_nothing_is_inconclusive(tmp_path: Path) -> None:
    declared = {**RUN, "metrics": {"acc": SHARE, "f1": SHARE}}
    result = compared(tmp_path, declared, {**declared, "notes": "x"}, "[metrics.f1]\nmax_drop = 0\n")
    assert found(result) == [("nothing-compared", "inconclusive", "f1")]


def test_a_metric_that_no_record_has_on_both_sides_is_inconclusive(tmp_path: Path) -> None:
    after = {"records": [{"id": "r000"}, scored("new")]}
    text = "[metrics.acc]\nmax_drop = 1\n[records]\nmax_lost_scores = 9\nmax_regressed = 9\n"
    result = compared(tmp_path, {"records": passing(1)}, after, text)
    assert ("nothing-compared", "inconclusive", "acc") in found(result)
    assert result.verdict is Verdict.INCONCLUSIVE
