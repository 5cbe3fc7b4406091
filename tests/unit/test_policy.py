"""The policy: what a gate.toml means, and every way in which it is no policy."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from runstore import policy
from runstore.errors import PolicyError
from runstore.policy import Limits, MetricRule, Policy, RecordLimits, from_toml
from runstore.policy.lines import lines_of
from runstore.policy.model import (
    Comparability,
    Evidence,
    Quarantine,
    Quarantined,
    Reference,
    SliceRule,
    SuiteRules,
    Waiver,
)

CORPUS = Path(__file__).parents[1] / "corpus" / "policies"
INVALID = sorted((CORPUS / "invalid").glob("*.toml"))

FULL = """
[metrics.acc]
max_drop = 0.05
max_relative_drop = 1e-1
min = 0.5
max = 1
level = "warn"

[metrics."latency.*"]
direction = "lower"
max_drop = 100

[records]
max_regressed = 3
max_removed = 2
max_added = 1
max_errors = 4
max_skipped = 5
max_lost_scores = 6
"""


def test_a_policy_says_what_the_file_says() -> None:
    assert from_toml(FULL, "gate.toml") == Policy(
        metrics=(
            MetricRule(
                pattern="acc",
                limits=Limits(
                    max_drop=Decimal("0.05"),
                    max_relative_drop=Decimal("0.1"),
                    min=Decimal("0.5"),
                    max=Decimal(1),
                    level="warn",
                    origin="metrics.acc",
                ),
            ),
            MetricRule(
                pattern="latency.*",
                direction="lower",
                limits=Limits(max_drop=Decimal(100), origin="metrics.latency.*"),
            ),
        ),
        records=RecordLimits(
            max_regressed=3, max_removed=2, max_added=1, max_errors=4, max_skipped=5, max_lost_scores=6
        ),
        origin="gate.toml",
    )


def test_what_is_not_named_stays_strict() -> None:
    found = from_toml("[records]\nmax_added = 5\n", "gate.toml")
    assert found is not None
    assert found.records == RecordLimits(max_added=5)
    assert Policy().records == RecordLimits(
        max_regressed=None, max_removed=0, max_added=None, max_errors=0, max_skipped=0, max_lost_scores=0
    )


def test_a_policy_may_stand_in_a_table_of_another_file() -> None:
    text = "[tool.gate.metrics.acc]\nmax_drop = 0.1\n[tool.other]\nx = 1\n"
    found = from_toml(text, "pyproject.toml", ("tool", "gate"))
    assert found is not None
    assert found.metrics == (MetricRule(pattern="acc", limits=Limits(max_drop=Decimal("0.1"), origin="metrics.acc")),)


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'\n", "[tool.other]\n", "tool = 1\n"])
def test_a_table_that_is_not_there_is_no_policy(text: str) -> None:
    assert from_toml(text, "pyproject.toml", ("tool", "gate")) is None


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("", "/", "the policy asks for nothing", "strict default"),
        ("# only a comment\n", "/", "the policy asks for nothing", "strict default"),
        ("[metric.acc]\nmax_drop = 0\n", "/metric", "unknown name 'metric'", "did you mean 'metrics'?"),
        ("[record]\nmax_added = 0\n", "/record", "unknown name 'record'", "did you mean 'records'?"),
        ("zzz = 1\n", "/zzz", "unknown name 'zzz'", "known: ['metrics', 'records', 'slices',"),
        ("metrics = 1\n", "/metrics", "expected an object, found an integer", ""),
        ("metrics = []\n", "/metrics", "expected an object, found an array", ""),
        ("[[metrics]]\nacc = 1\n", "/metrics", "expected an object, found an array", ""),
        ("[metrics]\nacc = 0.1\n", "/metrics/acc", "expected an object", ""),
        ("[metrics.acc]\n", "/metrics/acc", "the rule asks for nothing", "max_drop"),
        ("[metrics.acc]\nlevel = 'warn'\n", "/metrics/acc", "the rule asks for nothing", "max_drop"),
        ("[metrics.acc]\nmaxdrop = 0.1\n", "/metrics/acc/maxdrop", "unknown name", "did you mean 'max_drop'?"),
        ("[metrics.acc]\nmax_dropp = 0.1\n", "/metrics/acc/max_dropp", "unknown name", "did you mean 'max_drop'?"),
        ("[metrics.acc]\nmax_relativ_drop = 0\n", "/metrics/acc/max_relativ_drop", "", "'max_relative_drop'?"),
        ("[metrics.acc]\nmax_drop = nan\n", "/metrics/acc/max_drop", "NaN is not a finite number", ""),
        ("[metrics.acc]\nmax_drop = +nan\n", "/metrics/acc/max_drop", "not a finite number", ""),
        ("[metrics.acc]\nmax_drop = inf\n", "/metrics/acc/max_drop", "Infinity is not a finite number", ""),
        ("[metrics.acc]\nmin = -inf\n", "/metrics/acc/min", "-Infinity is not a finite number", ""),
        ("[metrics.acc]\nmax_drop = -0.1\n", "/metrics/acc/max_drop", "-0.1 is negative", "positive number"),
        ("[metrics.acc]\nmax_drop = -1\n", "/metrics/acc/max_drop", "-1 is negative", "positive number"),
        ("[metrics.acc]\nmax_drop = '0.1'\n", "/metrics/acc/max_drop", "expected a number", ""),
        ("[metrics.acc]\nmax_drop = true\n", "/metrics/acc/max_drop", "expected a number", ""),
        ("[metrics.acc]\nmax_drop = 2026-01-01\n", "/metrics/acc/max_drop", "expected a number", ""),
        ("[metrics.acc]\nmax_drop = [0.1]\n", "/metrics/acc/max_drop", "expected a number", ""),
        ("[metrics.acc]\nmin = 1e500\n", "/metrics/acc/min", "beyond what any score can reach", ""),
        ("[metrics.acc]\nmin = 1e-500\n", "/metrics/acc/min", "beyond what any score can reach", ""),
        (f"[metrics.acc]\nmin = 0.{'1' * 401}\n", "/metrics/acc/min", "beyond what any score can reach", ""),
        ("[metrics.acc]\nmax_drop = 0\nlevel = 'warning'\n", "/metrics/acc/level", "'warning' is not one of", ""),
        ("[metrics.acc]\nmax_drop = 0\nlevel = 1\n", "/metrics/acc/level", "expected a string", ""),
        ("[metrics.acc]\ndirection = 'up'\n", "/metrics/acc/direction", "'up' is not one of higher, lower", ""),
        ("[metrics.acc]\nmin = 0.9\nmax = 0.1\n", "/metrics/acc", "min 0.9 is above max 0.1", ""),
        ("[metrics.'']\nmax_drop = 0\n", "/metrics", "a name is empty", ""),
        ("[metrics.'a/b~c']\nmax_drop = nan\n", "/metrics/a~1b~0c/max_drop", "NaN", ""),
        ("[records]\nmax_removed = -1\n", "/records/max_removed", "-1 is less than 0", ""),
        ("[records]\nmax_removed = 1.0\n", "/records/max_removed", "expected an integer", ""),
        ("[records]\nmax_removed = true\n", "/records/max_removed", "found a boolean", ""),
        ("[records]\nmax_removed = '1'\n", "/records/max_removed", "found a string", ""),
        ("[records]\nmax_regresed = 1\n", "/records/max_regresed", "", "did you mean 'max_regressed'?"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_place(text: str, where: str, message: str, hint: str) -> None:
    for prefix, origin, table in (("", "gate.toml", ()), ("tool.gate", "pyproject.toml", ("tool", "gate"))):
        if prefix and "the policy asks for nothing" in message:
            continue  # in another file there is no table then, and so no policy
        with pytest.raises(PolicyError) as refused:
            from_toml(moved(text, prefix), origin, table)
        assert refused.value.where == f"{origin} {where}"
        assert message in refused.value.message
        assert hint in refused.value.hint


def moved(text: str, prefix: str) -> str:
    """The same text within the table [tool.gate]."""
    if not prefix:
        return text
    lines = [
        line.replace("[[", f"[[{prefix}.")
        if line.startswith("[[")
        else line.replace("[", f"[{prefix}.", 1)
        if line.startswith("[")
        else line
        for line in text.splitlines()
    ]
    head = "" if lines[0].startswith("[") else f"[{prefix}]\n"
    return head + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "[metrics",
        "max_drop = ",
        "[metrics.acc]\nmax_drop = 0.1\nmax_drop = 0.2\n",
        "[metrics.acc]\n[metrics.acc]\n",
        "\x00",
        "a = 01\n",
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
        "x = 1e99999999999999999999",
        "x = -1e-99999999999999999999",
    ],
)
def test_what_is_no_toml_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="not TOML") as refused:
        from_toml(text, "gate.toml")
    assert refused.value.where.startswith("gate.toml")


def rule(pattern: str, **limits: Decimal) -> MetricRule:
    return MetricRule(pattern=pattern, limits=Limits(**limits))  # type: ignore[arg-type]  # only numbers are given


def test_the_exact_name_comes_before_every_pattern_and_patterns_in_their_order() -> None:
    rules = (rule("a*"), rule("*b"), rule("acb"), rule("[x]"))
    found = policy.Policy(metrics=rules)
    assert found.rule_for("acb") is rules[2]
    assert found.rule_for("ab") is rules[0]
    assert found.rule_for("cb") is rules[1]
    assert found.rule_for("[x]") is rules[3]
    assert found.rule_for("x") is rules[3]
    assert found.rule_for("A") is None
    assert found.rule_for("y") is None


def test_a_rule_that_matches_nothing_is_found() -> None:
    rules = (rule("acc"), rule("f*"), rule("[x]"))
    found = policy.Policy(metrics=rules)
    assert found.unmatched(["acc", "f1", "[x]"]) == []
    assert found.unmatched(["acc"]) == [rules[1], rules[2]]
    assert found.unmatched([]) == list(rules)


def test_metrics_without_a_limit_on_their_drop_stay_strict() -> None:
    found = policy.Policy(
        metrics=(rule("a", max_drop=Decimal(1)), rule("b", max_relative_drop=Decimal(1)), rule("c", min=Decimal(0)))
    )
    assert found.without_drop_limit(["a", "b", "c", "d"]) == {"c", "d"}


def test_of_two_patterns_the_first_in_the_file_decides_and_an_exact_name_before_both() -> None:
    text = '[metrics."z*"]\nmin = 1\n[metrics."*"]\nmin = 2\n[metrics.zoo]\nmin = 3\n'
    found = from_toml(text, "gate.toml")
    assert found is not None
    rules = [found.rule_for(name) for name in ("zebra", "ape", "zoo")]
    assert [rule.pattern if rule else None for rule in rules] == ["z*", "*", "zoo"]


@pytest.mark.parametrize("case", INVALID, ids=lambda path: path.stem)
def test_each_way_in_which_a_file_is_no_policy_is_told_with_its_place_line_and_what_to_do(case: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        from_toml(case.read_text(encoding="utf-8"), "gate.toml")
    assert f"{refused.value}\n" == case.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_table_says_what_the_file_says() -> None:
    found = from_toml((CORPUS / "valid" / "every-table.toml").read_text(encoding="utf-8"), "gate.toml")
    assert found is not None
    assert found.metrics[0].limits == Limits(
        max_drop=Decimal("0.01"), significance="required", cluster="topic", min_records=1000, origin="metrics.acc"
    )
    assert found.metrics[1] == MetricRule(
        pattern="latency_*",
        limits=Limits(max_relative_drop=Decimal("0.10"), max=Decimal(2000), level="warn", origin="metrics.latency_*"),
        direction="lower",
        aggregate="p95",
        unit="ms",
    )
    assert [(rule.pattern, rule.at, rule.range) for rule in found.metrics[2:4]] == [
        ("loss", 7, (Decimal(0), Decimal(10))),
        ("best", "best", None),
    ]
    assert found.slices == (
        SliceRule(tag="lang", value="de", limits=Limits(min=Decimal("0.5"), origin="slices.0")),
        SliceRule(tag="lang", metric="acc", limits=Limits(max_drop=Decimal("0.1"), origin="slices.1")),
    )
    assert found.records == RecordLimits(max_regressed=1, max_added=2, max_lost_scores=1)
    assert found.comparability == Comparability(
        must_match=("project", "suite"), may_differ=("params.seed",), must_differ=("commit",)
    )


def test_every_table_of_exceptions_says_what_the_file_says() -> None:
    found = from_toml((CORPUS / "valid" / "every-table.toml").read_text(encoding="utf-8"), "gate.toml")
    assert found is not None
    assert found.waivers == (
        Waiver(
            metric="acc",
            ceiling=Decimal("0.5"),
            owner="ann",
            reason="a\nb",
            expires=date(2030, 1, 31),
            record="q-1",
            repeat=2,
            origin="waivers.0",
        ),
    )
    flaky = Quarantined(
        record="q-2", owner="bob", reason="flaky", expires=date(2030, 2, 28), origin="quarantine.records.0"
    )
    assert found.quarantine == Quarantine(max_records=1, records=(flaky,))
    drop = Limits(max_drop=Decimal("0.05"), origin="reference.metrics.acc")
    assert found.reference == Reference(path="baselines/pinned", metrics=(MetricRule(pattern="acc", limits=drop),))
    ceiling = Limits(max=Decimal(3), origin="volatile.latency_s")
    assert found.volatile == (MetricRule(pattern="latency_s", limits=ceiling, direction="lower"),)
    assert found.suites == (SuiteRules(pattern="qa/*", metrics=(), records=RecordLimits(max_errors=1)),)


def test_the_evidence_says_what_the_file_says() -> None:
    found = from_toml((CORPUS / "valid" / "evidence.toml").read_text(encoding="utf-8"), "gate.toml")
    assert found is not None
    assert found.evidence == Evidence(
        alpha=Decimal("0.01"), power=Decimal("0.9"), correction="benjamini-hochberg", resamples=100
    )
    assert Policy().evidence == Evidence(
        alpha=Decimal("0.05"), power=Decimal("0.8"), correction="holm", resamples=10_000
    )


def test_power_is_more_than_a_test_has_without_a_drop() -> None:
    for power in ("0.05", "0.01"):
        with pytest.raises(PolicyError, match=r"is not above alpha 0\.05"):
            from_toml(f"[evidence]\npower = {power}\n", "gate.toml")
    assert from_toml("[evidence]\npower = 0.06\n", "gate.toml") is not None


@pytest.mark.parametrize(
    "rule",
    [
        *(f'aggregate = "{one}"' for one in ("mean", "p1", "p9", "p10", "p99", "pass@1", "pass^9999", "1-of-1")),
        *(f'at = "{one}"' for one in ("last", "best", "min", "max")),
        *("at = 0", "at = 1000000"),
        *("range = [0, 1]", "range = [-1.5, 0]", 'unit = "s"', 'direction = "higher"'),
    ],
)
def test_a_rule_may_ask_without_a_limit(rule: str) -> None:
    assert from_toml(f"[metrics.acc]\n{rule}\n", "gate.toml") is not None


@pytest.mark.parametrize(
    "rule",
    [
        *(f'aggregate = "{one}"' for one in ("", "median", "p", "p0", "p05", "p100", "p99.9", "p50\\n", "P50")),
        *(f'aggregate = "{one}"' for one in ("pass@", "pass@0", "pass@01", "pass@10000", "pass-1", "0-of-1", "2-of-1")),
        *(f"at = {one}" for one in ('"first"', '""', "-1", "1.0", "true", "[1]")),
        *(f"range = {one}" for one in ("[0]", "[0, 1, 2]", "[1, 1]", "[1, 0]", "[0, nan]", '["a", "b"]', "1")),
        *(f"unit = {one}" for one in ('""', "1")),
        *(f"min = 0\nmin_records = {one}" for one in ("0", "-1", "1.0", '"1"', "true")),
        *(f"min = 0\ncluster = {one}" for one in ('""', "1", '["a"]')),
        *('min = 0\nsignificance = "yes"', "min = 0\nsignificance = true", 'min = 0\ntest = "z"'),
        'max_drop = 0.1\nmax_relative_drop = 0\nsignificance = "required"',
        'max_drop = 0.1\naggregate = "p95"\nsignificance = "required"',
        *("min_records = 3", 'significance = "ignored"', 'test = "t"', 'cluster = "a"'),
    ],
)
def test_what_no_rule_can_ask_is_refused(rule: str) -> None:
    with pytest.raises(PolicyError):
        from_toml(f"[metrics.acc]\n{rule}\n", "gate.toml")


def test_the_first_suite_whose_pattern_matches_decides_and_takes_the_place_of_what_it_names() -> None:
    text = (
        '[metrics.acc]\nmin = 1\n[records]\nmax_added = 1\n[suites."qa/*".metrics.acc]\nmin = 2\n[suites."*".records]\n'
    )
    found = from_toml(text, "gate.toml")
    assert found is not None
    assert found.for_run("qa/de").metrics == found.suites[0].metrics
    assert found.for_run("qa/de").records == RecordLimits(max_added=1)
    assert found.for_run("other").metrics == found.metrics
    assert found.for_run("other").records == RecordLimits()
    assert policy.Policy(metrics=found.metrics).for_run("qa/de").metrics == found.metrics


@pytest.mark.parametrize("text", ["", "[x]\n", "a.b.c = 1\n"])
def test_two_policies_that_ask_the_same_are_equal_wherever_it_stands(text: str) -> None:
    rule = "[tool.gate.metrics.acc]\nmin = 1\n"
    one, other = (from_toml(one, "pyproject.toml", ("tool", "gate")) for one in (text + rule, rule))
    assert one == other
    assert one is not None
    assert one.places["metrics.acc.min"] == text.count("\n") + 2


@pytest.mark.parametrize(
    ("text", "is_policy"),
    [
        ("[evidence]\nresamples = 100\n", True),
        ("[evidence]\nresamples = 1000000\n", True),
        ("[evidence]\nresamples = 1000001\n", False),
        ("[evidence]\npower = 0.9999\n", True),
        ("[evidence]\npower = 0.0\n", False),
    ],
)
def test_the_evidence_has_bounds(text: str, is_policy: bool) -> None:
    if is_policy:
        assert from_toml(text, "gate.toml") is not None
    else:
        with pytest.raises(PolicyError):
            from_toml(text, "gate.toml")


def test_the_repeats_of_a_record_are_waived_one_by_one() -> None:
    one = 'metric = "a"\nceiling = 1\nowner = "o"\nreason = "r"\nexpires = 2030-01-31\nrecord = "q"\n'
    found = from_toml(f"[[waivers]]\n{one}[[waivers]]\n{one}repeat = 2\n", "gate.toml")
    assert found is not None
    assert [waiver.repeat for waiver in found.waivers] == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        '""', "''", '""""""', "''''''", '"""\nx"""', '"""x""y\n"z"""', '"""x\\"""\n"""', '"""x"""""', '""""x"""',
        "'''x''y\n'z'''", "'''x'''''", '"""\\\\"""', '"]#\\""', "'#\"'", '"""[metrics.b]\nmin = 2\n"""',
        "1979-05-27 07:32:00", "[[1, 2], # ]\n [3]]", "{ a.b = [{}, {x = 1}], c = '}' }", "+inf", "[ # '\n]",
    ],
)  # fmt: skip
def test_a_value_is_passed_over_however_it_is_written(value: str) -> None:
    text = f"[x]\ny = {value} # [metrics]\n[z]\n"
    assert tomllib.loads(text).keys() == {"x", "z"}
    found = lines_of(text)
    assert (found["x",], found["x", "y"], found["z",]) == (1, 2, 3 + value.count("\n"))
    assert {path[0] for path in found} == {"x", "z"}
