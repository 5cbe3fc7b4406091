"""The policy: what a gate.toml means, and every way in which it is no policy."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runstore import policy
from runstore.errors import PolicyError
from runstore.policy import MetricRule, Policy, RecordLimits, from_toml

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
                max_drop=Decimal("0.05"),
                max_relative_drop=Decimal("0.1"),
                min=Decimal("0.5"),
                max=Decimal(1),
                level="warn",
            ),
            MetricRule(pattern="latency.*", direction="lower", max_drop=Decimal(100)),
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
    assert found.metrics == (MetricRule(pattern="acc", max_drop=Decimal("0.1")),)


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
        ("zzz = 1\n", "/zzz", "unknown name 'zzz'", "known: ['metrics', 'records']"),
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
    return MetricRule(pattern=pattern, **limits)  # type: ignore[arg-type]  # only limits are given


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
