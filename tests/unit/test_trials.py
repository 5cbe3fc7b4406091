"""Quantiles and repeats, from every pair: what each is, held to a plain count, and what it cannot be of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstore.checks import Check, Outcome
from runstore.comparison import Comparison, compare
from runstore.facts import Whole
from runstore.findings import Rule, Verdict
from runstore.manifest import MetricDeclaration
from runstore.policy import from_toml
from runstore.store.reader import read_run
from runstore.trials import read_whole
from tests.factories import HIGHER, LOWER, SHARE, Record, unsynced, write_run

Trials = Sequence[Sequence[float | None]]
"""Of each id the score of each trial; None for a trial that errored."""
ANY = "[records]\nmax_regressed = 100000\nmax_errors = 100000\nmax_removed = 100000\nmax_lost_scores = 100000\n"


def records(ids: Trials, tag: Callable[[int, int], str] | None = None) -> list[Record]:
    found: list[Record] = []
    for number, trials in enumerate(ids):
        for trial, score in enumerate(trials):
            record: Record = {"id": f"r{number:03d}"}
            if trial:
                record["repeat"] = trial + 1
            if tag:
                record["tags"] = {"lang": tag(number, trial)}
            if score is None:
                record |= {"status": "error", "reason": {"type": "e", "message": "m"}}
            else:
                record["scores"] = {"acc": score}
            found.append(record)
    return found


def whole(old: list[Record], new: list[Record], aggregate: str = "", declared: MetricDeclaration = SHARE) -> Whole:
    with TemporaryDirectory() as folder, unsynced():
        runs = [
            read_run(write_run(Path(folder) / name, side, {"acc": declared}, slices=["lang"]))
            for name, side in (("b", old), ("c", new))
        ]
        aggregates = {"acc": aggregate} if aggregate else {}
        return read_whole(runs[0], runs[1], {"acc": declared}, aggregates, frozenset({"acc"}), Decimal("0.95"))


def compared(
    place: Path, old: list[Record], new: list[Record], rule: str, declared: MetricDeclaration = SHARE
) -> Comparison:
    policy = from_toml(f"[metrics.acc]\n{rule}\n{ANY}", "gate.toml")
    assert policy is not None
    sides = (("b", old), ("c", new))
    baseline, current = (read_run(write_run(place / name, side, {"acc": declared})) for name, side in sides)
    return compare(baseline, current, policy)


def checks_of(comparison: Comparison, *rules: Rule) -> list[Check]:
    return [one for one in comparison.checks if one.rule in rules and one.origin.startswith("metrics.acc")]


SCORE = st.one_of(st.integers(-3, 3), st.floats(-1e9, 1e9).map(lambda number: round(number, 3)))


@settings(max_examples=30)
@given(st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=120), st.integers(1, 99))
def test_a_quantile_is_the_inverted_distribution_of_numpy(pairs: list[tuple[float, float]], percent: int) -> None:
    sides = [[one[side] for one in pairs] for side in (0, 1)]
    old, new = (records([[value] for value in side]) for side in sides)
    measure = whole(old, new, f"p{percent}", HIGHER).aggregates["acc"]
    # A share such as 0.07 is no double, and numpy takes the one next to it; ours is a whole number of hundredths.
    expected = [sorted(side)[max(math.ceil(Fraction(percent, 100) * len(side)), 1) - 1] for side in sides]
    assert [measure.baseline, measure.current] == expected
    assert measure.count == len(pairs)
    if percent in (25, 50, 75):
        method = numpy.quantile(sides[1], percent / 100, method="inverted_cdf")
        assert measure.current == method


def of_subsets(trials: Sequence[int], k: int, good: Callable[[Sequence[int]], bool]) -> Fraction:
    chosen = list(combinations(trials, k))
    return Fraction(sum(map(good, chosen)), len(chosen))


@settings(max_examples=30)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 1), min_size=2 * n, max_size=2 * n), min_size=1)
    )
)
def test_aggregates_of_trials_are_those_of_every_subset(ids: list[list[int]]) -> None:
    n = len(ids[0]) // 2
    old, new = [one[:n] for one in ids], [one[n:] for one in ids]
    for k in range(1, n + 1):
        ways: dict[str, Callable[[Sequence[int]], Fraction]] = {
            f"pass@{k}": lambda trials, k=k: of_subsets(trials, k, any),  # type: ignore[misc]
            f"pass^{k}": lambda trials, k=k: of_subsets(trials, k, all),  # type: ignore[misc]
            f"{k}-of-{n}": lambda trials, k=k: Fraction(int(sum(trials) >= k)),  # type: ignore[misc]
        }
        for aggregate, way in ways.items():
            measure = whole(records(old), records(new), aggregate).aggregates["acc"]
            before, after = ([way(trials) for trials in side] for side in (old, new))
            assert measure.count == len(ids)
            assert measure.baseline == pytest.approx(float(sum(before) / len(ids)), abs=1e-15)
            assert measure.current == pytest.approx(float(sum(after) / len(ids)), abs=1e-15)
            steps = [new - old for old, new in zip(before, after, strict=True)]
            assert (measure.regressed, measure.improved) == (
                sum(one < 0 for one in steps),
                sum(one > 0 for one in steps),
            )
            assert float(measure.squares) == pytest.approx(float(sum(one * one for one in steps)), abs=1e-12)
            assert sorted(measure.sample or ()) == pytest.approx(sorted(float(one) for one in steps if one))


def test_trials_of_one_id_are_summed_up_in_the_slices_of_their_own_tags() -> None:
    old, new = [[1.0] * 4] * 3, [[0.0, 0.25, 0.5, 1.0], [1.0] * 4, [0.0] * 4]
    tag = lambda number, trial: "de" if trial < 2 else "en"  # noqa: E731
    found = whole(records(old, tag), records(new, tag)).units
    assert found["acc", None] == [(4, Decimal("-2.25")), (4, Decimal(0)), (4, Decimal(-4))]
    assert found["acc", ("lang", "de")] == [(2, Decimal("-1.75")), (2, Decimal(0)), (2, Decimal(-2))]
    assert found["acc", ("lang", "en")] == [(2, Decimal("-0.5")), (2, Decimal(0)), (2, Decimal(-2))]


def test_only_trials_that_both_runs_have_are_pairs() -> None:
    old, new = records([[1, 1, 1], [1], [0, 0]]), records([[0, 0], [1, 1, 1], [1, 1]])
    new = [record for record in new if record["id"] != "r002" or record.get("repeat") == 2]
    new += [{"id": "a", "scores": {"acc": 1}}, {"id": "z", "scores": {"acc": 1}}]
    assert whole(old, new).units["acc", None] == [(2, Decimal(-2)), (1, Decimal(0)), (1, Decimal(1))]


@pytest.mark.parametrize(
    ("ids", "aggregate", "why"),
    [
        ([[1, 1], [1]], "pass@2", "a record has 1 trials; pass@2 needs 2"),
        ([[1, 1]], "2-of-3", "a record has 2 trials; 2-of-3 needs 3"),
        ([[1, 0.5]], "pass^2", "is of scores that are 0 or 1"),
    ],
)
@pytest.mark.parametrize("limits", ["max_drop = 1", "min = 0", 'max_drop = 1\nsignificance = "required"'])
def test_what_a_record_cannot_tell_is_inconclusive(
    tmp_path: Path, ids: Trials, aggregate: str, why: str, limits: str
) -> None:
    found = compared(tmp_path, records(ids), records(ids), f'aggregate = "{aggregate}"\n{limits}')
    assert found.verdict is Verdict.INCONCLUSIVE
    (check,) = checks_of(found, Rule.NOTHING_COMPARED)
    assert why in check.why


def test_a_trial_that_is_gone_leaves_too_few(tmp_path: Path) -> None:
    found = compared(tmp_path, records([[1, 1]]), records([[1]]), 'aggregate = "pass@2"\nmax_drop = 0.1')
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("old", "new", "rule", "expected"),
    [
        # pass@2 goes from 1 to 2/3, 2-of-3 from 1 to 0, pass^2 from 1/3 to 0
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "pass@2"\nmax_drop = 0.33', Verdict.FAIL),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "pass@2"\nmax_drop = 0.34', Verdict.PASS),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "pass@2"\nmin = 0.66', Verdict.PASS),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "pass@2"\nmin = 0.67', Verdict.FAIL),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "2-of-3"\nmax_drop = 0.9', Verdict.FAIL),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "1-of-3"\nmax_drop = 0', Verdict.PASS),
        ([[1, 1, 0]], [[1, 0, 0]], 'aggregate = "pass^2"\nmax_relative_drop = 0.99', Verdict.FAIL),
        ([[1, 1, 0]], [[1, 1, None]], 'aggregate = "pass@2"\nmax_drop = 0', Verdict.PASS),
        ([[1, 1, 0]], [[1, None, None]], 'aggregate = "pass@2"\nmax_drop = 0.33', Verdict.FAIL),
        # p50 of 0.1 to 0.9 is 0.5
        ([[n / 10] for n in range(9)], [[n / 10] for n in range(1, 10)], 'aggregate = "p50"\nmin = 0.5', Verdict.PASS),
        ([[1]] * 9, [[1]] * 4 + [[0]] * 5, 'aggregate = "p50"\nmax_drop = 0.9', Verdict.FAIL),
        ([[1]] * 9, [[1]] * 5 + [[0]] * 4, 'aggregate = "p50"\nmax_drop = 0', Verdict.PASS),
        ([[1]] * 9, [[1]] * 5 + [[None]] * 4, 'aggregate = "p50"\nmin_records = 9\nmax_drop = 0', Verdict.PASS),
        ([[1]] * 9, [[1]] * 9, 'aggregate = "p50"\nmin_records = 10\nmax_drop = 0', Verdict.INCONCLUSIVE),
    ],
)  # fmt: skip
def test_limits_hold_of_an_aggregate(tmp_path: Path, old: Trials, new: Trials, rule: str, expected: Verdict) -> None:
    assert compared(tmp_path, records(old), records(new), rule).verdict is expected


@pytest.mark.parametrize("aggregate", ["p50", "pass@1", "1-of-1"])
def test_scores_that_are_gone_are_not_left_out_in_silence(tmp_path: Path, aggregate: str) -> None:
    """Without a range there is nothing that an errored record could count as: its drop is not known."""
    old, new = records([[1]] * 9), records([[1]] * 8 + [[None]])
    found = compared(tmp_path, old, new, f'aggregate = "{aggregate}"\nmax_drop = 0', HIGHER)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "1 record of the baseline have no acc now" in checks_of(found, Rule.NOTHING_COMPARED)[0].why


@pytest.mark.parametrize(("aggregate", "test"), [("pass@2", "t"), ("pass@2", "permutation"), ("2-of-3", "mcnemar")])
@pytest.mark.parametrize("declared", [SHARE, MetricDeclaration(direction="lower", range=(0, 1))])
def test_evidence_of_trials_is_that_of_one_score_a_record(
    tmp_path: Path, aggregate: str, test: str, declared: MetricDeclaration
) -> None:
    random = Random(1)
    good = 1 if declared.direction == "higher" else 0
    old = [[good if random.random() < 0.9 else 1 - good for _ in range(3)] for _ in range(60)]
    new = [[good if random.random() < 0.4 else 1 - good for _ in range(3)] for _ in range(60)]
    rule = f'aggregate = "{aggregate}"\nmax_drop = 0.05\nsignificance = "required"\ntest = "{test}"'
    found = compared(tmp_path, records(old), records(new), rule, declared)
    (check,) = checks_of(found, Rule.MAX_DROP)
    assert check.assessment is not None
    names = {"t": "t", "permutation": "sign-flip", "mcnemar": "mcnemar"}
    assert (check.assessment.test, check.assessment.pairs, check.assessment.units) == (names[test], 60, 60)
    assert (found.verdict, check.outcome) == (Verdict.FAIL, Outcome.BROKEN)


def test_an_aggregate_knows_no_clusters(tmp_path: Path) -> None:
    old = records([[1, 1]] * 60)
    rule = 'aggregate = "pass@2"\nmax_drop = 0.1\nsignificance = "required"\ncluster = "lang"'
    found = compared(tmp_path, old, old, rule)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "pass@2 knows no clusters" in checks_of(found, Rule.MAX_DROP)[0].why


def test_lower_is_better_holds_of_a_quantile(tmp_path: Path) -> None:
    old, new = records([[n] for n in range(100)]), records([[n + 1] for n in range(100)])
    for rule, expected in (
        ("max_drop = 1", Verdict.PASS),
        ("max_drop = 0.5", Verdict.FAIL),
        ("max = 94", Verdict.FAIL),
    ):
        found = compared(tmp_path / rule, old, new, f'aggregate = "p95"\n{rule}', LOWER)
        assert found.verdict is expected
