"""Where a rule asks for evidence: a drop fails if it is large and shown; what cannot be shown is never a PASS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runstore.assessment import Assessment
from runstore.checks import Check, Outcome
from runstore.comparison import Comparison, compare
from runstore.findings import Level, Rule, Verdict
from runstore.manifest import MetricDeclaration
from runstore.policy import Policy, from_toml
from runstore.policy.model import Limits, MetricRule, Reference, SliceRule
from runstore.store.reader import read_run
from runstore.verification import VerifiedRuns
from tests.factories import HIGHER, LOWER, SHARE, Record, write_run
from tests.repositories import gate

ANY = "[records]\nmax_regressed = 100000\nmax_errors = 100000\nmax_lost_scores = 100000\n"
WIDE = MetricDeclaration(direction="higher", range=(0, 1e300))


def ruled(limits: str, more: str = "") -> Policy:
    """The policy with one rule on `acc` that asks for evidence."""
    found = from_toml(f'[metrics.acc]\nsignificance = "required"\n{limits}\n{ANY}{more}', "gate.toml")
    assert found is not None
    return found


def side(scores: Sequence[int | float | None], tags: Mapping[int, Mapping[str, str]] = {}, repeats: int = 1) -> Any:
    """A record for each score; None for one that errored."""
    found: list[Record] = []
    for number, score in enumerate(scores):
        record: Record = {"id": f"r{number // repeats:05d}"}
        if number % repeats:
            record["repeat"] = number % repeats + 1
        if number in tags:
            record["tags"] = dict(tags[number])
        if score is None:
            record |= {"status": "error", "reason": {"type": "e", "message": "m"}}
        else:
            record["scores"] = {"acc": score}
        found.append(record)
    return found


def compared(
    place: Path,
    old: list[Record],
    new: list[Record],
    policy: Policy,
    declared: MetricDeclaration = SHARE,
    slices: Sequence[str] = (),
) -> Comparison:
    baseline, current = (
        read_run(write_run(place / n, one, {"acc": declared}, slices=slices)) for n, one in (("b", old), ("c", new))
    )
    return compare(baseline, current, policy)


def the_drop(comparison: Comparison, group: tuple[str, str] | None = None) -> Check:
    (found,) = [
        one
        for one in comparison.checks
        if one.rule in (Rule.MAX_DROP, Rule.MAX_RELATIVE_DROP) and one.metric == "acc" and one.slice == group
    ]
    return found


def ones(count: int, zeros: int = 0) -> list[int]:
    return [0] * zeros + [1] * (count - zeros)


FAIL, PASS, UNKNOWN = Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("old", "new", "limits", "expected"),
    [
        # large and significant
        (ones(100), ones(100, 10), "max_drop = 0.05", FAIL),
        (ones(5), ones(5, 5), "max_drop = 0.05", FAIL),
        (ones(100), ones(100, 10), "max_relative_drop = 0.05", FAIL),
        # large and not significant
        (ones(4), ones(4, 4), "max_drop = 0.05", UNKNOWN),
        (ones(20), ones(20, 2), "max_drop = 0.05", UNKNOWN),
        (ones(1), ones(1, 1), "max_drop = 0.05", UNKNOWN),
        # not large, and a drop as large as the limit would be seen
        (ones(1000), ones(1000, 10), "max_drop = 0.05", PASS),
        (ones(1000), ones(1000, 50), "max_drop = 0.05", PASS),  # as large as allowed is not larger
        (ones(1000), ones(1000), "max_drop = 0.01", PASS),
        (ones(1000, 100), ones(1000), "max_drop = 0.05", PASS),
        (ones(100), ones(100), "max_relative_drop = 0.1", PASS),
        # not large, and it would not
        (ones(100), ones(100), "max_drop = 0.01", UNKNOWN),
        (ones(100, 10), ones(100), "max_drop = 0.01", UNKNOWN),
        (ones(1), ones(1), "max_drop = 0.05", UNKNOWN),
        (ones(100), ones(100), "max_relative_drop = 0.01", UNKNOWN),
        # the drop of errors is a drop
        (ones(100), [*[None] * 10, *ones(90)], "max_drop = 0.05", FAIL),
    ],
)
@pytest.mark.parametrize("name", ["higher", "lower"])
def test_a_drop_fails_if_it_is_large_and_shown(
    tmp_path: Path, old: Any, new: Any, limits: str, expected: Verdict, name: str
) -> None:
    declared = SHARE
    if name == "lower":
        if "relative" in limits:
            return  # a share of a baseline of 0
        declared = MetricDeclaration(direction="lower", range=(0, 1))
        old, new = ([None if one is None else 1 - one for one in scores] for scores in (old, new))
    found = compared(tmp_path, side(old), side(new), ruled(limits), declared)
    assert found.verdict is expected
    check = the_drop(found)
    assert check.outcome is {FAIL: Outcome.BROKEN, PASS: Outcome.HOLDS, UNKNOWN: Outcome.UNDECIDED}[expected]
    levels = {FAIL: Level.ERROR, UNKNOWN: Level.INCONCLUSIVE}
    assert [one.level for one in check.findings] == [levels[one] for one in [expected] if one in levels]


def test_few_pairs_that_all_fall_are_no_pass(tmp_path: Path) -> None:
    """Student's t would be sure of these; the sign-flip test, which is taken, cannot show anything with four pairs."""
    found = compared(tmp_path, side([0.5] * 4), side([0.4, 0.39, 0.41, 0.4]), ruled("max_drop = 0.05"))
    check = the_drop(found)
    assert (found.verdict, check.outcome) == (UNKNOWN, Outcome.UNDECIDED)
    assert check.assessment is not None
    assert (check.assessment.test, check.assessment.p, check.assessment.power) == ("sign-flip", 0.0625, 0)


def test_a_large_drop_that_is_not_shown_is_no_pass_whatever_its_power_is_told_to_be(tmp_path: Path) -> None:
    found = compared(tmp_path, side([0.6] * 6), side([0.6, 0, 0.6, 0, 0, 0]), ruled("max_drop = 0.3996"))
    check = the_drop(found)
    assert check.assessment is not None
    assert check.assessment.could_show  # by Student's t, which is only near the truth for six pairs
    assert (found.verdict, check.assessment.p) == (UNKNOWN, 0.0625)
    assert "not shown to be more than noise (p = 0.0625)" in check.why


@pytest.mark.parametrize("power", ["0.1", "0.3", "0.5"])
def test_little_power_asked_for_makes_no_pass_of_a_large_drop(tmp_path: Path, power: str) -> None:
    policy = ruled("max_drop = 0.05", f"[evidence]\npower = {power}\n")
    assert compared(tmp_path, side(ones(40)), side(ones(40, 4)), policy).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("old", "new", "declared", "limits", "expected"),
    [
        # identical: what such a drop would look like is known from the range alone
        ([0.5] * 700, [0.5] * 700, SHARE, "max_drop = 0.01", PASS),
        ([0.5] * 500, [0.5] * 500, SHARE, "max_drop = 0.01", UNKNOWN),
        ([0.5] * 700, [0.5] * 700, HIGHER, "max_drop = 0.01", UNKNOWN),
        ([0.5] * 700, [0.5] * 700, WIDE, "max_drop = 0.01", UNKNOWN),
        # one that moves a little says no more
        ([0.5] * 500, [0.5001, *[0.5] * 499], SHARE, "max_drop = 0.01", UNKNOWN),
        ([0.5] * 700, [0.5001, *[0.5] * 699], SHARE, "max_drop = 0.01", PASS),
        ([0.5] * 500, [0.5001, *[0.5] * 499], HIGHER, "max_drop = 0.01", UNKNOWN),
        # all fall alike: no spread, but every sign is known
        ([0.5] * 700, [0.4] * 700, HIGHER, "max_drop = 0.05", FAIL),
        ([0.5] * 700, [0.4] * 700, HIGHER, 'max_drop = 0.05\ntest = "t"', FAIL),
        ([0.5] * 4, [0.4] * 4, HIGHER, 'max_drop = 0.05\ntest = "t"', UNKNOWN),
        ([0.5] * 700, [0.4] * 700, HIGHER, "max_drop = 0.2", UNKNOWN),
        ([0.5] * 700, [0.6] * 700, LOWER, "max_drop = 0.05", FAIL),
        ([0.5] * 700, [0.4] * 700, LOWER, "max_drop = 0.05", UNKNOWN),
        # one pair
        ([0.5], [0.1], SHARE, "max_drop = 0.05", UNKNOWN),
        ([0.5], [0.5], SHARE, "max_drop = 0.05", UNKNOWN),
    ],
)
def test_without_spread_the_declared_range_tells_what_could_be_seen(
    tmp_path: Path, old: Any, new: Any, declared: MetricDeclaration, limits: str, expected: Verdict
) -> None:
    found = compared(tmp_path, side(old), side(new), ruled(limits), declared)
    assert found.verdict is expected
    hints = [one.hint or "" for one in the_drop(found).findings]
    if expected is UNKNOWN and declared.range is None and len(old) > 4:
        assert [hint[:28] for hint in hints] == ["declare a range for the metr"]


def mixed(count: int) -> tuple[list[float], list[float]]:
    """Scores that differ everywhere, by -0.02 to 0.02."""
    return [0.5] * count, [0.5 + (number % 5 - 2) / 100 for number in range(count)]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ('test = "mcnemar"', "it is a test of scores of 0 and 1"),
        ('cluster = "topic"', "no declared tag 'topic'"),
        ('cluster = "doc"', "1 of 100 pairs are in no cluster"),
        ('cluster = "all"', "one cluster has no spread"),
    ],
)
def test_a_test_that_does_not_fit_is_not_changed_for_another(tmp_path: Path, limits: str, why: str) -> None:
    old, new = mixed(100)
    tags = {number: {"all": "x", "topic": "t"} | ({"doc": f"d{number % 9}"} if number else {}) for number in range(100)}
    for place, fall in (("a", 0.0), ("b", 0.2)):
        after = side([one - fall for one in new], tags)
        found = compared(
            tmp_path / place, side(old, tags), after, ruled(f"max_drop = 0.1\n{limits}"), SHARE, ["all", "doc"]
        )
        check = the_drop(found)
        assert (found.verdict, check.outcome, check.assessment) == (UNKNOWN, Outcome.UNDECIDED, None)
        assert why in check.why


def test_clusters_within_a_slice_are_not_known(tmp_path: Path) -> None:
    tags = {number: {"lang": "de", "doc": f"d{number % 9}"} for number in range(100)}
    part = '[[slices]]\ntag = "lang"\ncluster = "doc"\nmax_drop = 0.1\nsignificance = "required"\n'
    old, new = mixed(100)
    found = compared(tmp_path, side(old, tags), side(new, tags), ruled("max_drop = 0.1", part), SHARE, ["lang", "doc"])
    assert (found.verdict, the_drop(found).outcome) == (UNKNOWN, Outcome.HOLDS)
    assert "clusters by doc are not known within a slice" in the_drop(found, ("lang", "de")).why


def test_clusters_are_the_units_that_power_is_told_of(tmp_path: Path) -> None:
    """A hundred records, as sure as the two, or the twenty, documents that they are about."""
    old, new = mixed(100)
    for count, expected in ((2, UNKNOWN), (20, PASS)):
        tags = {number: {"doc": f"d{number // (100 // count)}"} for number in range(100)}
        after = [one + (number // (100 // count)) % 2 / 50 for number, one in enumerate(new)]
        policy = ruled('max_drop = 0.02\ncluster = "doc"')
        found = compared(tmp_path / str(count), side(old, tags), side(after, tags), policy, SHARE, ["doc"])
        check = the_drop(found)
        assert check.assessment is not None
        assert (found.verdict, check.assessment.test, check.assessment.units) == (expected, "sign-flip", count)


@pytest.mark.parametrize(
    ("sizes", "test"),
    [
        ([5] * 40, "clustered-t"),
        ([5] * 29, "sign-flip"),
        ([1] * 30 + [70], "sign-flip"),
        ([4] * 30 + [6], "clustered-t"),
    ],
)
def test_few_clusters_or_few_that_weigh_are_tested_by_their_signs(tmp_path: Path, sizes: list[int], test: str) -> None:
    docs = [f"d{number}" for number, size in enumerate(sizes) for _ in range(size)]
    tags = {number: {"doc": doc} for number, doc in enumerate(docs)}
    old, new = mixed(len(docs))
    after = [one - (1 + int(doc[1:]) % 2) / 1000 for one, doc in zip(new, docs, strict=True)]
    limits = 'max_drop = 0.5\ncluster = "doc"'
    found = compared(tmp_path, side(old, tags), side(after, tags), ruled(limits), SHARE, ["doc"])
    check = the_drop(found)
    assert check.assessment is not None
    assert check.assessment.test == test


def test_permutation_turns_the_signs_of_whole_clusters(tmp_path: Path) -> None:
    tags = {number: {"doc": f"d{number % 6}"} for number in range(60)}
    limits = 'max_drop = 0.05\ncluster = "doc"\ntest = "permutation"'
    found = compared(
        tmp_path, side([0.5] * 60, tags), side([0.4 - number % 6 / 100 for number in range(60)], tags),
        ruled(limits), SHARE, ["doc"],
    )  # fmt: skip
    check = the_drop(found)
    assert check.assessment is not None
    assert (check.assessment.test, check.assessment.units, check.assessment.p) == ("sign-flip", 6, 2.0**-6)
    assert found.verdict is FAIL


def test_permutation_of_runs_in_which_nothing_differs_is_made(tmp_path: Path) -> None:
    found = compared(tmp_path, side([0.5] * 700), side([0.5] * 700), ruled('max_drop = 0.01\ntest = "permutation"'))
    check = the_drop(found)
    assert check.assessment is not None
    assert (found.verdict, check.assessment.test, check.assessment.p) == (PASS, "sign-flip", 1)


def family(correction: str, rules: int) -> Policy:
    """A rule on all records and one on each of some slices, all asking for evidence."""
    asked = 'max_drop = 0.15\nsignificance = "required"'
    parts = "".join(f'[[slices]]\nwhere = {{lang = "l{number}"}}\n{asked}\n' for number in range(rules))
    return ruled("max_drop = 0.05", f'[evidence]\ncorrection = "{correction}"\n{parts}')


@pytest.mark.parametrize(
    ("correction", "rules", "expected"),
    [("holm", 0, FAIL), ("holm", 5, UNKNOWN), ("benjamini-hochberg", 5, UNKNOWN), ("none", 5, FAIL)],
)
def test_many_rules_eat_alpha_and_what_they_leave_too_little_of_is_not_known(
    tmp_path: Path, correction: str, rules: int, expected: Verdict
) -> None:
    """Six of a hundred fall: p = 1/64, too much for the sixth part of 0.05."""
    tags = {number: {"lang": f"l{number % 5}"} for number in range(100)}
    found = compared(
        tmp_path, side(ones(100), tags), side(ones(100, 6), tags), family(correction, rules), SHARE, ["lang"]
    )
    check = the_drop(found)
    assert check.assessment is not None
    assert check.assessment.p == 2.0**-6
    assert check.outcome is {FAIL: Outcome.BROKEN, UNKNOWN: Outcome.UNDECIDED}[expected]
    if rules and correction == "holm":
        assert check.assessment.p_adjusted == 6 * 2.0**-6


def test_rules_of_a_program_without_a_place_are_told_apart(tmp_path: Path) -> None:
    """Two limits, and two rules, that no file names: each has its own power."""
    loose = Limits(max_drop=Decimal("0.3"), max_relative_drop=Decimal("0.01"), significance="required")
    strict = Limits(max_drop=Decimal("0.02"), significance="required")
    policy = Policy(
        metrics=(MetricRule(pattern="acc", limits=loose),),
        slices=tuple(SliceRule(tag="lang", limits=one) for one in (loose, strict)),
    )
    tags = {number: {"lang": "de"} for number in range(100)}
    found = compared(tmp_path, side(ones(100), tags), side(ones(100), tags), policy, SHARE, ["lang"])
    outcomes = [(one.slice, one.limit, one.outcome) for one in found.checks if one.assessment]
    assert outcomes == [
        (None, "0.3", Outcome.HOLDS),
        (None, "0.01", Outcome.UNDECIDED),
        (("lang", "de"), "0.3", Outcome.HOLDS),
        (("lang", "de"), "0.01", Outcome.UNDECIDED),
        (("lang", "de"), "0.02", Outcome.UNDECIDED),
    ]


def test_evidence_that_nobody_gathered_is_no_pass(tmp_path: Path) -> None:
    """A program may ask it of the pinned reference, of whose pairs nothing is known."""
    limits = Limits(max_drop=Decimal("0.3"), significance="required")
    rule = (MetricRule(pattern="acc", limits=limits),)
    runs = [read_run(write_run(tmp_path / n, side(ones(100)))) for n in "bcr"]
    write_run(tmp_path / "other", side(ones(101)))
    policy = Policy(metrics=rule, reference=Reference(path="r", metrics=rule))
    found = compare(runs[0], runs[1], policy, reference=read_run(tmp_path / "other"))
    assert [(one.rule, one.outcome) for one in found.checks if one.limit == "0.3"] == [
        (Rule.MAX_DROP, Outcome.HOLDS),
        (Rule.REFERENCE_DROP, Outcome.UNDECIDED),
    ]


@pytest.mark.parametrize("test", ["auto", "t", "permutation"])
@pytest.mark.parametrize("fall", [0.0, 1.0])
@pytest.mark.parametrize(
    ("declared", "high"),
    [
        (WIDE, 1e300),
        (HIGHER, 1.7e308),
        (MetricDeclaration(direction="higher", range=(-1.7e308, 1.7e308)), 1.7e308),
        (LOWER, -1.7e308),
    ],
)
def test_scores_at_the_end_of_the_doubles_are_judged(
    tmp_path: Path, declared: MetricDeclaration, high: float, fall: float, test: str
) -> None:
    """No overflow, no refusal of a run that is valid, and no PASS for the drop."""
    low = 0.0 if declared is WIDE else -high
    old = [high if number % 2 else 0.0 for number in range(60)]
    new = [low if fall and one == high else one for one in old]
    found = compared(tmp_path, side(old), side(new), ruled(f'max_drop = 1\ntest = "{test}"'), declared)
    assert found.verdict in ((FAIL, UNKNOWN) if fall else (UNKNOWN, PASS))
    if fall and declared is WIDE:
        assert found.verdict is FAIL


def test_records_that_only_make_noise_hide_no_drop(tmp_path: Path) -> None:
    """A hundred records that fall, beside more and more that jump up and down: FAIL, then INCONCLUSIVE, never PASS."""
    verdicts = []
    for noise in (0, 100, 1000, 4000):
        old = ones(100) + [number % 2 for number in range(noise)]
        new = ones(100, 100) + [1 - number % 2 for number in range(noise)]
        policy = ruled(f"max_drop = {Decimal(99) / (100 + noise):.6f}")
        verdicts.append(compared(tmp_path / str(noise), side(old), side(new), policy).verdict)
    assert verdicts == [FAIL, FAIL, FAIL, UNKNOWN]


def test_scores_that_are_lost_are_no_pairs_of_a_test(tmp_path: Path) -> None:
    """The six that lost their score count as worse records, and not in McNemar's test of the pairs that are left."""
    after = side(ones(100, 10))
    for record in after[:6]:
        del record["scores"]
    found = compared(tmp_path, side(ones(100)), after, ruled("max_drop = 0.01"))
    check = the_drop(found)
    assert check.assessment is not None
    assert (check.assessment.pairs, check.assessment.p, check.assessment.note) == (94, 0.0625, "4 pairs differ")


@pytest.mark.parametrize("differs", ["nothing", "the first trial"])
def test_repeats_are_known_by_the_baseline(tmp_path: Path, differs: str) -> None:
    """Ten trials of each of twenty records are twenty units, also where no second trial differs, and later too."""
    old, new = ones(200), ones(200)
    if differs == "the first trial":
        new[0] = 0
    runs = [read_run(write_run(tmp_path / n, side(one, repeats=10))) for n, one in (("b", old), ("c", new))]
    for verified in (None, VerifiedRuns(tmp_path / "cache"), VerifiedRuns(tmp_path / "cache")):
        found = compare(runs[0], runs[1], ruled("max_drop = 0.1"), verified=verified)
        assessment = the_drop(found).assessment
        assert assessment is not None
        assert (found.verdict, assessment.pairs, assessment.units) == (UNKNOWN, 200, 20)
    single = [read_run(write_run(tmp_path / f"s{n}", side(one))) for n, one in (("b", old), ("c", new))]
    assert compare(single[0], single[1], ruled("max_drop = 0.1")).verdict is PASS


def test_a_series_is_no_sample(tmp_path: Path) -> None:
    baseline, current = (
        read_run(write_run(tmp_path / name, (), {"acc": SHARE}, points=[("acc", value, None)]))
        for name, value in (("b", 0.9), ("c", 0.1))
    )
    found = compare(baseline, current, ruled("max_drop = 0.05"))
    assert found.verdict is UNKNOWN
    assert "a series is one figure, not a mean of pairs" in the_drop(found).why


def test_a_warning_that_is_shown_stays_a_warning(tmp_path: Path) -> None:
    found = compared(tmp_path, side(ones(100)), side(ones(100, 20)), ruled('max_drop = 0.05\nlevel = "warn"'))
    assert (found.verdict, [one.level for one in the_drop(found).findings]) == (PASS, [Level.WARNING])


def test_a_waiver_excuses_a_drop_that_is_shown(tmp_path: Path) -> None:
    waiver = '[[waivers]]\nmetric = "acc"\nceiling = 0.2\nowner = "ann"\nreason = "x"\nexpires = 9999-12-31\n'
    found = compared(tmp_path, side(ones(100)), side(ones(100, 20)), ruled("max_drop = 0.05", waiver))
    assert the_drop(found).outcome is Outcome.WAIVED


def test_what_is_not_asked_for_is_told_and_decides_nothing(tmp_path: Path) -> None:
    policy = from_toml(f"[metrics.acc]\nmax_drop = 0.5\n{ANY}", "gate.toml")
    assert policy is not None
    found = compared(tmp_path, side(ones(4)), side(ones(4, 1)), policy)
    assessment = the_drop(found).assessment
    assert isinstance(assessment, Assessment)
    assert (found.verdict, assessment.p, assessment.could_show) == (PASS, 0.5, False)


def test_the_command_line_says_what_is_missing(tmp_path: Path) -> None:
    write_run(tmp_path / "b", side(ones(50)))
    write_run(tmp_path / "c", side(ones(50, 1)))
    (tmp_path / "gate.toml").write_text(f'[metrics.acc]\nmax_drop = 0.01\nsignificance = "required"\n{ANY}')
    found = gate(tmp_path, "compare", "--explain", "b", "c")
    assert found.code == 5
    assert "evaluate more records, or allow a larger drop" in found.text
    assert "mcnemar over 50 units: p = 0.5" in found.text
