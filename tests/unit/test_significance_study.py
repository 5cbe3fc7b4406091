"""The study of false alarms and power, in small: its own functions, on made runs."""

from __future__ import annotations

import importlib
import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def study() -> Iterator[Any]:
    """The script, imported as Python runs it: with its folder on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("significance")


@pytest.fixture(scope="module")
def made(study: Any) -> Any:
    return study.drawn_pairs.made()


@pytest.mark.parametrize("kind", [0, 1])
def test_no_test_of_the_product_raises_more_false_alarms_than_alpha(study: Any, made: Any, kind: int) -> None:
    row = study.false_alarms(made[kind], 60, 400)
    told = {name: share.interval for name, share in row.tests.items() if name != "naive z"}
    assert sorted(told) == [["McNemar", "sign-flip", "t"], ["sign-flip", "t"]][kind]
    assert [name for name, (low, _) in told.items() if low > 0.05] == []


def test_of_0_1_scores_the_sign_flip_test_raises_the_alarms_of_mcnemars(study: Any, made: Any) -> None:
    tests = study.false_alarms(made[0], 60, 200).tests
    assert tests["McNemar"] == tests["sign-flip"]


def test_whole_clusters_that_move_fool_only_the_tests_that_ignore_them(study: Any, made: Any) -> None:
    row = study.clustered_alarms(made[1], 10, 10, 300)
    assert {name: share.holds for name, share in row.tests.items() if name != "naive z"} == {
        "clustered t": True,
        "sign-flip of clusters": True,
        "t, clusters ignored": False,
    }


def test_a_drop_is_seen_more_often_by_the_pairs_than_by_the_naive_test(study: Any, made: Any) -> None:
    rows = list(study.power(made[0], 200, [0.1], 200))
    assert [row.drawn for row in rows] == ["200, 0 %", "200, 10 %"]
    seen = rows[1].tests
    assert seen["McNemar or t"].value > seen["naive z"].value + 0.1


def test_with_equal_false_alarms_the_naive_test_raises_no_more_than_the_product(study: Any, made: Any) -> None:
    null = next(study.power(made[0], 200, [], 200)).tests
    assert null["naive z, equal false alarms"].alarms <= null["McNemar or t"].alarms
    assert null["naive z, 5 % false alarms"].alarms <= 10


def test_a_p_that_the_assessment_does_not_say_stops_the_study(
    study: Any, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = study.assessed
    monkeypatch.setattr(study, "assessed", lambda *a, **k: replace(honest(*a, **k), p=0.5001))
    with pytest.raises(AssertionError, match=r"the assessment says p = 0\.5001"):
        study.false_alarms(made[1], 60, 1)


def test_sums_of_drawn_pairs_are_those_of_their_scores(study: Any) -> None:
    pool = study.Pool([1, 5, 0], [2, 3, 0])
    told = study.Sums(
        n=4, worse=1, better=2, d=0, d_squares=6, before=7, before_squares=27, after=7, after_squares=17
    )  # fmt: skip
    assert pool.sums([0, 1, 2, 0]) == told
    assert told.swapped().swapped() == told
    assert study.added([pool.sums([0, 1]), pool.sums([2, 0])]) == told


def test_swapping_the_sides_swaps_better_and_worse(study: Any) -> None:
    one = study.Pool([1, 5, 0], [2, 3, 0]).sums([0, 0, 1])
    assert one.swapped() == study.Pool([2, 3, 0], [1, 5, 0]).sums([0, 0, 1])


@pytest.mark.parametrize(
    ("z", "alpha", "limit"),
    [
        ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0),
        ([1.0, 2.0, 2.0, 4.0], 0.5, 1.0),  # both twos would be too many
        ([2.0, 2.0, 2.0, 4.0], 0.5, -math.inf),
        ([1.0, 2.0], 1.0, 2.0),
        ([1.0, 2.0], 0.0, -math.inf),
    ],
)
def test_a_critical_value_lets_through_no_more_than_its_share(
    study: Any, z: list[float], alpha: float, limit: float
) -> None:
    assert study.critical_value(z, alpha) == limit


def test_the_naive_z_is_that_of_the_textbook(study: Any) -> None:
    unit = study.UNIT
    halves = study.Pool([unit] * 60 + [0] * 40, [unit] * 50 + [0] * 50).sums(range(100))
    assert study.naive_z(halves, is_binary=True) == pytest.approx(-0.1 / math.sqrt(0.55 * 0.45 * 2 / 100))
    spread = study.Pool([0, unit, 0, unit], [0, 0, 0, unit]).sums(range(4))
    assert study.naive_z(spread, is_binary=False) == pytest.approx(-0.25 / math.sqrt((1 / 3 + 1 / 4) / 4))


def test_made_runs_and_rows_are_the_same_each_time(study: Any, made: Any) -> None:
    random.seed(3)  # the state that all share must not matter
    assert study.drawn_pairs.made() == made
    assert study.false_alarms(made[1], 50, 20) == study.false_alarms(made[1], 50, 20)


def test_tables_show_rates_above_alpha_in_bold_unless_a_drop_is_real(study: Any) -> None:
    def row(part: str, alarms: int) -> Any:
        return study.Row(part=part, data="x", drawn="50", tests={"t": study.Share(alarms=alarms, of=1000)})

    rows = [row("alarms", 50), row("clusters", 200), row("effective", 40), row("power", 200)]
    lines = [line for line in study.tables(rows).splitlines() if line.startswith("| x")]
    assert lines == [
        "| x | 50 | 5.0 % (3.4–7.1) |",
        "| x | 50 | **20.0 %** (16.8–23.4) |",
        "| x | 50 | 4.0 % (2.6–5.9) |",
        "| x | 50 | 20.0 % (16.8–23.4) |",
    ]
    assert json.loads(study.as_json(rows, 1000))["rows"][0]["tests"] == {"t": {"alarms": 50, "of": 1000}}


@pytest.mark.slow
def test_the_tests_that_are_taken_unasked_hold_alpha_on_real_runs(study: Any, realdata: Path) -> None:
    above = [
        (row.data, row.drawn, name)
        for pairs in study.drawn_pairs.real(realdata)
        for n in (50, 200)
        for row in [study.false_alarms(pairs, n, 4000)]
        for name, share in row.tests.items()
        if name in ("McNemar", "sign-flip", "t" if not pairs.is_binary else "") and not share.holds
    ]
    assert above == []
