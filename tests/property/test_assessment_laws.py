"""What a comparison says of chance is what scipy and statsmodels say of the plain list of all differences.

Runs are made, written and compared; the list holds one difference for each pair, also for those that are equal. The
same records in another order, in shards, or joined by two processors give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from statsmodels.api import OLS  # type: ignore[import-untyped]
from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped]

from runstore import exact, parallel, shards
from runstore.assessment import Assessment
from runstore.comparison import Comparison, compare
from runstore.manifest import MetricDeclaration
from runstore.policy.model import Evidence, Limits, MetricRule, Policy, SliceRule, TestName
from runstore.store.reader import read_run
from tests.factories import SHARE, Record, unsynced, write_run

METRICS = {
    "acc": SHARE,
    "cost": MetricDeclaration(direction="lower", range=(0, 10)),
    "f1": SHARE,
    "free": MetricDeclaration(direction="higher"),
}
EXACT = 1e-9
ROW = st.fixed_dictionaries(
    {
        "acc": st.tuples(st.integers(0, 1), st.integers(0, 1)),
        "cost": st.tuples(*[st.integers(0, 10_000).map(lambda number: number / 1000)] * 2),
        "f1": st.tuples(*[st.sampled_from([0, 0.1, 0.3, 0.333, 0.5, 0.625, 1])] * 2),
        "free": st.tuples(*[st.floats(-1e6, 1e6).map(lambda number: round(number, 4))] * 2),
        "doc": st.sampled_from(["a", "b", "b", "c", "d", "d", "d"]),
        "fails": st.sampled_from([False] * 9 + [True]),
        "same": st.booleans(),
    }
)
Row = dict[str, Any]


def records_of(rows: Sequence[Row], repeats: int = 1) -> tuple[list[Record], list[Record]]:
    """Both sides; `repeats` rows after one another are trials of one id."""
    before, after = [], []
    for number, row in enumerate(rows):
        key: Record = {"id": f"r{number // repeats:03d}", "tags": {"doc": row["doc"]}}
        if number % repeats:
            key["repeat"] = number % repeats + 1
        old, new = ({name: row[name][side] for name in METRICS} for side in (0, 1))
        before.append({**key, "scores": old})
        if row["fails"]:
            after.append({**key, "status": "error", "reason": {"type": "e", "message": "m"}})
        else:
            after.append({**key, "scores": old if row["same"] else new})
    return before, after


def differences(rows: Sequence[Row], name: str) -> list[tuple[int, Decimal]]:
    """(Number of the row, exact difference) of every pair, in the metric's unit."""
    found = []
    for number, row in enumerate(rows):
        old, new = row[name]
        if row["fails"]:
            worst = METRICS[name].worst
            if worst is None:
                continue
            new = worst
        elif row["same"]:
            new = old
        found.append((number, exact.difference(new, old)))
    return found


def required(test: TestName, cluster: str | None = None) -> Limits:
    return Limits(max_drop=Decimal("0.05"), significance="required", test=test, cluster=cluster)


def policy_of(limits: Limits, **options: Any) -> Policy:
    return Policy(metrics=tuple(MetricRule(pattern=name, limits=limits) for name in METRICS), **options)


def compared(before: Sequence[Record], after: Sequence[Record], policy: Policy) -> Comparison:
    with TemporaryDirectory() as folder, unsynced():
        baseline, current = (
            read_run(write_run(Path(folder) / name, records, METRICS, slices=["doc"]))
            for name, records in (("b", before), ("c", after))
        )
        return compare(baseline, current, policy)


def assessments(found: Comparison) -> dict[tuple[str | None, tuple[str, str] | None], Assessment]:
    return {(one.metric, one.slice): one.assessment for one in found.checks if one.assessment is not None}


def check_mean(found: Assessment, errors: Any, values: Sequence[float], df: int) -> None:
    """`errors`: the standard error that a reference gives."""
    assert found.pairs == len(values)
    assert found.units == df + 1
    assert found.estimate == pytest.approx(sum(values) / len(values), rel=EXACT, abs=EXACT)
    assert found.standard_error == pytest.approx(float(errors), rel=EXACT, abs=EXACT)
    reach = stats.t.isf(0.025, df) * found.standard_error
    assert found.interval == pytest.approx((found.estimate - reach, found.estimate + reach), rel=EXACT, abs=EXACT)


def turned(name: str, values: Sequence[float]) -> list[float]:
    """The same with signs such that negative is worse."""
    return [-value for value in values] if METRICS[name].direction == "lower" else list(values)


@given(st.lists(ROW, min_size=2, max_size=40))
def test_student_is_that_of_all_differences(rows: list[Row]) -> None:
    found = assessments(compared(*records_of(rows), policy_of(required("t"))))
    for name in METRICS:
        exactly = [value for _, value in differences(rows, name)]
        values = [float(value) for value in exactly]
        if len(values) < 2:
            assert (name, None) not in found
            continue
        mine = found[name, None]
        if len(set(exactly)) == 1:
            worse = turned(name, values)[0] < 0
            assert (mine.test, mine.standard_error) == ("sign-flip", 0)
            assert mine.p == (0.5 ** len(values) if worse else 1)
            continue
        assert mine.test == "t"
        check_mean(mine, stats.sem(values), values, len(values) - 1)
        reference = stats.ttest_1samp(turned(name, values), 0, alternative="less").pvalue
        assert mine.p == pytest.approx(float(reference), rel=1e-8, abs=EXACT)


@given(st.lists(ROW, min_size=2, max_size=40))
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(rows: list[Row]) -> None:
    found = assessments(compared(*records_of(rows), policy_of(required("auto"))))["acc", None]
    values = [value for _, value in differences(rows, "acc")]
    worse, better = sum(value < 0 for value in values), sum(value > 0 for value in values)
    assert found.test == "mcnemar"
    check_mean(found, stats.sem([float(value) for value in values]), [float(value) for value in values], len(rows) - 1)
    reference = stats.binomtest(worse, worse + better, alternative="greater").pvalue if worse + better else 1
    assert found.p == pytest.approx(float(reference), rel=EXACT)


@settings(max_examples=20)
@given(st.lists(ROW, min_size=2, max_size=7))
def test_the_sign_flip_test_is_the_count_of_all_patterns(rows: list[Row]) -> None:
    found = assessments(compared(*records_of(rows), policy_of(required("permutation"))))
    for name in METRICS:
        exactly = [value for _, value in differences(rows, name)]
        if len(exactly) < 2:
            continue
        values = [-value if METRICS[name].direction == "lower" else value for value in exactly]
        patterns = [
            sum(sign * value for sign, value in zip(signs, values, strict=True))
            for signs in product((1, -1), repeat=len(values))
        ]
        assert found[name, None].test == "sign-flip"
        assert found[name, None].p == sum(total <= sum(values) for total in patterns) / len(patterns)


@settings(max_examples=25)
@given(st.lists(ROW, min_size=4, max_size=40))
def test_clusters_of_any_size_are_those_of_statsmodels(rows: list[Row]) -> None:
    found = assessments(compared(*records_of(rows), policy_of(required("t", "doc"))))
    for name in METRICS:
        check_clusters(found, name, differences(rows, name), [row["doc"] for row in rows])


@settings(max_examples=12)
@given(st.lists(ROW, min_size=4, max_size=30), st.integers(2, 4))
def test_the_trials_of_a_record_are_one_unit(rows: list[Row], repeats: int) -> None:
    before, after = records_of(rows, repeats)
    if not any(old != new and "repeat" in old for old, new in zip(before, after, strict=True)):
        return  # see `test_repeats_are_known_by_the_baseline` for trials of which none differs
    policy = policy_of(required("t"), slices=(SliceRule(tag="doc", limits=required("t")),))
    found = assessments(compared(before, after, policy))
    ids = [number // repeats for number in range(len(rows))]
    for name in METRICS:
        check_clusters(found, name, differences(rows, name), ids)
        for doc in {row["doc"] for row in rows}:
            part = [(number, value) for number, value in differences(rows, name) if rows[number]["doc"] == doc]
            if len({ids[number] for number, _ in part}) < len(part):
                check_clusters(found, name, part, ids, ("doc", doc))


def check_clusters(
    found: Any,
    name: str,
    pairs: Sequence[tuple[int, Decimal]],
    groups: Sequence[object],
    part: tuple[str, str] | None = None,
) -> None:
    codes = {group: code for code, group in enumerate(dict.fromkeys(groups[number] for number, _ in pairs))}
    if len(codes) < 2:
        assert (name, part) not in found
        return
    if len(codes) == len(pairs):
        return  # every pair is a unit: checked above
    values = turned(name, [float(value) for _, value in pairs])
    labels = [codes[groups[number]] for number, _ in pairs]
    reference = OLS(values, [1.0] * len(values)).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    mine = found[name, part]
    scale = max(map(abs, values)) or 1
    assert mine.standard_error == pytest.approx(float(reference.bse[0]), rel=1e-8, abs=1e-9 * scale)
    if mine.standard_error < 1e-9 * scale:
        return  # statsmodels divides by what rounding left of nothing
    assert mine.test == "clustered-t"
    check_mean(mine, mine.standard_error, [float(value) for _, value in pairs], len(codes) - 1)
    p = stats.t.cdf(float(reference.tvalues[0]), len(codes) - 1)
    assert mine.p == pytest.approx(float(p), rel=1e-7, abs=EXACT)


@settings(max_examples=15)
@given(
    st.lists(ROW, min_size=2, max_size=30),
    st.sampled_from([("holm", "holm"), ("benjamini-hochberg", "fdr_bh"), ("none", None)]),
)
def test_the_family_is_every_limit_that_asks_for_evidence(rows: list[Row], how: tuple[Any, str | None]) -> None:
    limits = Limits(max_drop=Decimal("0.05"), max_relative_drop=Decimal("0.1"), significance="required", test="t")
    plain = Limits(max_drop=Decimal("0.05"), test="t")
    policy = Policy(
        metrics=(MetricRule(pattern="f1", limits=limits), MetricRule(pattern="cost", limits=plain)),
        slices=(SliceRule(tag="doc", metric="acc", limits=limits),),
        evidence=Evidence(correction=how[0]),
    )
    checks = [one for one in compared(*records_of(rows), policy).checks if one.assessment is not None]
    family = [one.assessment for one in checks if one.metric != "cost" and one.assessment]
    raw = [one.p for one in family]
    adjusted = raw if how[1] is None or not raw else multipletests(raw, method=how[1])[1]
    assert [one.p_adjusted for one in family] == pytest.approx(list(map(float, adjusted)), rel=EXACT)
    assert all(one.significant == (Decimal(one.p_adjusted) <= Decimal("0.05")) for one in family)
    for one in (one.assessment for one in checks if one.metric == "cost" and one.assessment):
        assert one.p_adjusted == one.p


@settings(max_examples=6)
@given(st.lists(ROW, min_size=12, max_size=40), st.integers(1, 2), st.randoms())
def test_order_shards_and_processors_leave_every_bit(rows: list[Row], repeats: int, chance: Any) -> None:
    before, after = records_of(rows, repeats)
    policies = [policy_of(required("permutation"), evidence=Evidence(resamples=100)), policy_of(required("t", "doc"))]
    plain = [compared(before, after, policy).checks for policy in policies]
    chance.shuffle(before)
    chance.shuffle(after)
    assert [compared(before, after, policy).checks for policy in policies] == plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARDED_ABOVE", 1000)
        patch.setattr(shards, "_TARGET_BYTES", 300)
        assert [compared(before, after, policy).checks for policy in policies] == plain
        patch.setattr(parallel, "_SPREAD_FROM_BYTES", 0)
        patch.setattr(parallel, "_processors", lambda: 2)
        assert [compared(before, after, policy).checks for policy in policies] == plain
