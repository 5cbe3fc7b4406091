"""The pinned reference, beside a baseline that moves: what is checked since, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore.comparison import Comparison, compare
from runstore.errors import InvalidDataError, PolicyError
from runstore.findings import Rule, Verdict
from runstore.manifest import Identity, RunStatus
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import LOWER, SHARE, replace_bytes, scored, write_run

TEXT = "[reference]\npath = 'pinned'\n[reference.metrics.acc]\n{}\n"


def policy(text: str) -> Policy:
    found = from_toml(text, "gate.toml")
    assert found is not None
    return found


def compared(place: Path, values: tuple[float, float, float], limit: str = "max_drop = 0.05") -> Comparison:
    """The comparison of runs whose means are those of the reference, the baseline and the current run."""
    runs = [
        read_run(write_run(place / name, [scored("a", value), scored("b", value)], notes=name))
        for name, value in zip(("r", "b", "c"), values, strict=True)
    ]
    text = TEXT.format(limit) + "[records]\nmax_regressed = 9\n"
    return compare(runs[1], runs[2], policy(text), reference=runs[0])


@pytest.mark.parametrize(
    ("values", "limit", "level"),
    [
        ((0.9, 0.86, 0.85), "max_drop = 0.05", None),
        ((0.9, 0.86, 0.84), "max_drop = 0.05", "error"),
        ((0.9, 0.84, 0.84), "max_drop = 0.05", "error"),
        ((0.9, 0.86, 0.84), "max_drop = 0.05\nlevel = 'warn'", "warning"),
        ((1, 0.9, 0.8), "max_relative_drop = 0.2", None),
        ((1, 0.9, 0.8), "max_relative_drop = 0.19", "error"),
        ((0.5, 0.9, 0.6), "max_drop = 0", None),
    ],
)
def test_a_drop_since_the_reference_is_found_however_small_the_last_step(
    tmp_path: Path, values: tuple[float, float, float], limit: str, level: str | None
) -> None:
    result = compared(tmp_path, values, limit)
    assert [(f.rule, f.level.value) for f in result.findings] == ([(Rule.REFERENCE_DROP, level)] if level else [])
    assert result.verdict is (Verdict.FAIL if level == "error" else Verdict.PASS)
    if level:
        assert "since the pinned reference" in result.findings[0].message


def test_the_reference_may_be_the_baseline_and_is_still_checked(tmp_path: Path) -> None:
    before, after = write_run(tmp_path / "b", [scored("a", 0.9)]), write_run(tmp_path / "c", [scored("a", 0.8)])
    asked = policy(TEXT.format("max_drop = 0.05") + "[metrics.acc]\nmax_drop = 1\n")
    result = compare(read_run(before), read_run(after), asked, reference=read_run(before))
    assert [finding.rule for finding in result.findings] == [Rule.REFERENCE_DROP]


def test_without_its_run_the_reference_is_inconclusive(tmp_path: Path) -> None:
    before, after = write_run(tmp_path / "b", [scored("a")]), write_run(tmp_path / "c", [scored("a")], notes="c")
    result = compare(read_run(before), read_run(after), policy(TEXT.format("max_drop = 0")))
    assert (result.verdict, result.findings[0].rule) == (Verdict.INCONCLUSIVE, Rule.REFERENCE_DROP)


@pytest.mark.parametrize(
    ("identity", "status", "rule"),
    [
        (Identity(suite="other"), "completed", Rule.COMPARABILITY),
        (Identity(params={"judge": "x"}), "completed", Rule.COMPARABILITY),
        (Identity(), "failed", Rule.RUN_STATUS),
    ],
)
def test_a_reference_that_may_not_be_compared_is_inconclusive(
    tmp_path: Path, identity: Identity, status: RunStatus, rule: Rule
) -> None:
    pinned = write_run(tmp_path / "r", [scored("a")], identity=identity, status=status)
    before, after = write_run(tmp_path / "b", [scored("a")]), write_run(tmp_path / "c", [scored("a")], notes="c")
    asked = policy(TEXT.format("max_drop = 0"))
    result = compare(read_run(before), read_run(after), asked, reference=read_run(pinned))
    assert (result.verdict, [finding.rule for finding in result.findings]) == (Verdict.INCONCLUSIVE, [rule])


def test_a_reference_that_shares_nothing_is_inconclusive(tmp_path: Path) -> None:
    pinned = write_run(tmp_path / "r", [scored("z")])
    before, after = write_run(tmp_path / "b", [scored("a")]), write_run(tmp_path / "c", [scored("a")], notes="c")
    asked = policy(TEXT.format("max_drop = 0"))
    result = compare(read_run(before), read_run(after), asked, reference=read_run(pinned))
    assert (result.verdict, result.findings[0].rule) == (Verdict.INCONCLUSIVE, Rule.NOTHING_COMPARED)


def test_a_reference_without_the_metric_is_inconclusive(tmp_path: Path) -> None:
    pinned = write_run(tmp_path / "r", [{"id": "a", "scores": {"loss": 1}}], {"loss": LOWER})
    before, after = write_run(tmp_path / "b", [scored("a")]), write_run(tmp_path / "c", [scored("a")], notes="c")
    asked = policy(TEXT.format("max_drop = 0"))
    result = compare(read_run(before), read_run(after), asked, reference=read_run(pinned))
    assert (result.verdict, result.findings[0].rule) == (Verdict.INCONCLUSIVE, Rule.REFERENCE_DROP)


def test_a_rule_on_a_metric_that_only_the_reference_has_is_inconclusive(tmp_path: Path) -> None:
    pinned = write_run(tmp_path / "r", [{"id": "a", "scores": {"acc": 1, "f1": 1}}], {"acc": SHARE, "f1": SHARE})
    before, after = write_run(tmp_path / "b", [scored("a")]), write_run(tmp_path / "c", [scored("a")], notes="c")
    asked = policy("[reference]\npath = 'r'\n[reference.metrics.f1]\nmax_drop = 0\n")
    result = compare(read_run(before), read_run(after), asked, reference=read_run(pinned))
    assert result.verdict is Verdict.INCONCLUSIVE


def test_a_rule_of_the_reference_that_selects_no_metric_is_an_error(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "b", [scored("a")]))
    with pytest.raises(PolicyError, match="selects no metric"):
        compare(run, run, policy("[reference]\npath = 'r'\n[reference.metrics.f1]\nmax_drop = 0\n"), reference=run)


def test_a_reference_is_verified_as_a_baseline_is(tmp_path: Path) -> None:
    pinned = write_run(tmp_path / "r", [scored("a"), scored("b")])
    replace_bytes(pinned, b'"id":"b"', b'"id":"a"')
    run = read_run(write_run(tmp_path / "b", [scored("a")]))
    with pytest.raises(InvalidDataError, match="stands twice"):
        compare(run, run, policy(TEXT.format("max_drop = 0")), reference=read_run(pinned))
