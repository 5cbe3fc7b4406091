"""The same bits everywhere: figures as hexadecimal doubles, so that a platform that differs shows it."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from runstore.evidence.distributions import normal_isf, normal_sf, student_isf, student_sf
from runstore.evidence.intervals import clopper_pearson, mean, proportion, quantile_interval
from runstore.evidence.multiplicity import benjamini_hochberg, holm
from runstore.evidence.paired import clustered_mean, mcnemar, paired_mean
from runstore.evidence.permutation import sign_flip
from runstore.evidence.power import detectable, mcnemar_detectable, mcnemar_power, power_at
from runstore.evidence.reals import probability
from runstore.evidence.repeats import pass_at_k
from runstore.evidence.results import Interval, MeanDifference, Test

# Whole numbers from a generator of its own, which no library can change.
DRAWN = [(i * i * 7919 + 104729 * i) % 20011 - 10100 for i in range(400)]


def of_test(test: Test | None) -> list[float | None]:
    return [] if test is None else [test.statistic, test.p, test.p_two_sided]


def of_interval(interval: Interval | None) -> list[float | None]:
    return [] if interval is None else [interval.low, interval.high]


def of_mean(found: MeanDifference | None) -> list[float | None]:
    if found is None:
        return []
    return [found.estimate, found.standard_error, *of_interval(found.interval), *of_test(found.test)]


def sums(values: list[int]) -> tuple[int, Decimal, Decimal]:
    return len(values), Decimal(sum(values)), Decimal(sum(value * value for value in values))


FIGURES: dict[str, list[float | None]] = {
    "normal": [probability(normal_sf(Decimal(x))) for x in ("-1.5", "0.1", "1.96", "3.999", "12", "37")],
    "normal quantile": [float(normal_isf(Decimal(p))) for p in ("0.3", "0.05", "0.025", "1e-10", "1e-300")],
    "student": [probability(student_sf(Decimal("2.1"), Decimal(df))) for df in ("0.3", "1", "7", "29.5", "1e6")],
    "student, far": [probability(student_sf(Decimal(t), Decimal(1000))) for t in ("7", "20", "33", "60", "1e9")],
    "student quantile": [float(student_isf(Decimal("0.025"), Decimal(df))) for df in ("0.3", "1", "2", "12", "999999")],
    "mcnemar": of_test(mcnemar(31, 17)),
    "mcnemar, one lost": of_test(mcnemar(1, 0)),
    "mcnemar, large": of_test(mcnemar(50_400, 50_000)),
    "paired mean": of_mean(paired_mean(*sums(DRAWN), 0.95)),
    "paired mean, few": of_mean(paired_mean(3, Decimal("-0.7"), Decimal("0.29"), 0.9, 0.05)),
    "clustered mean": of_mean(clustered_mean([(i % 3 + 1, Decimal(DRAWN[i]) / 1000) for i in range(12)], 0.95)),
    "sign flip, listed": of_test(sign_flip(DRAWN[:20], 20, 1, "bits").test),
    "sign flip, counted": of_test(sign_flip([value % 7 - 3 for value in DRAWN[:60]], 60, 1, "bits").test),
    "sign flip, drawn": of_test(sign_flip(DRAWN, 400, 500, "bits").test),
    "wilson": of_interval(proportion(17, 40, 0.95)),
    "clopper-pearson": of_interval(clopper_pearson(17, 40, 0.95)),
    "mean": of_interval(mean(*sums(DRAWN), 0.99)),
    "quantile": of_interval(quantile_interval(sorted(DRAWN), 0.9, 0.95)),
    "pass at k": [float(pass_at_k(n, c, k)) for n, c, k in ((10, 3, 5), (200, 7, 100), (5, 1, 2))],
    "holm": list(holm([0.01, 0.04, 0.03, 0.005, 0.2])),
    "benjamini-hochberg": list(benjamini_hochberg([0.01, 0.04, 0.03, 0.005, 0.2])),
    "power": [power_at(effect, 0.1, df, 0.05) for effect, df in ((0.1, 3), (0.25, 49), (0.3, 999_999), (5, 2))],
    "detectable": [detectable(0.1, df, 0.05, 0.8) for df in (1, 9, 49, 999_999)],
    "mcnemar power": [mcnemar_power(n, 0.12, 0.05, 0.05) for n in (10, 200, 1400, 5000)],
    "mcnemar detectable": [mcnemar_detectable(n, 0.1, 0.05, 0.8) for n in (200, 2000, 50_000)],
}  # fmt: skip

BITS = {
    "normal": (
        "0x1.ddcb724ed3702p-1 "
        "0x1.d7375f15b2f1ep-2 "
        "0x1.9990c58859312p-6 "
        "0x1.0acd729b83f85p-15 "
        "0x1.272b313666239p-109 "
        "0x1.eaccc6bfeb0afp-995"
    ),
    "normal quantile": (
        "0x1.0c7e39582c5fbp-1 0x1.a515209676abdp+0 0x1.f5c0331eeff85p+0 0x1.97203597a2155p+2 0x1.286074064c26ep+5"
    ),
    "student": (
        "0x1.1cde1231b9573p-2 0x1.21b75e3b0004ep-3 0x1.2e93903d9d4b7p-5 0x1.6ba3ce9b76521p-6 0x1.24b155a80f49bp-6"
    ),
    "student, far": (
        "0x1.49da8a0c6bf48p-39 "
        "0x1.d66180db45ea5p-249 "
        "0x1.af8949c19e1b5p-538 "
        "0x0.0000000000001p-1022 "
        "0x0.0000000000001p-1022"
    ),
    "student quantile": (
        "0x1.9b60923988ed0p+12 0x1.96993aacc4d24p+3 0x1.135ea98e146bbp+2 0x1.16e356bbc352ep+1 0x1.f5c05aebc97bdp+0"
    ),
    "mcnemar": ("0x1.1000000000000p+4 0x1.e71fbc80ca800p-6 0x1.e71fbc80ca800p-5"),
    "mcnemar, one lost": ("0x0.0p+0 0x1.0000000000000p-1 0x1.0000000000000p+0"),
    "mcnemar, large": ("0x1.86a0000000000p+15 0x1.a9df9ae910c6bp-4 0x1.a9df9ae910c6bp-3"),
    "paired mean": (
        "-0x1.c2dc28f5c28f6p+8 "
        "0x1.2466b9af6abefp+8 "
        "-0x1.006cc6e58cc1ap+10 "
        "0x1.efeb26aab79edp+6 "
        "-0x1.8abb692f49a4cp+0 "
        "0x1.fb6f0cb3f65bcp-5 "
        "0x1.fb6f0cb3f65bcp-4"
    ),
    "paired mean, few": (
        "-0x1.ddddddddddddep-3 "
        "0x1.299147c26b992p-3 "
        "-0x1.50b09b4f701bfp-1 "
        "0x1.8706b18204b40p-3 "
        "-0x1.43047143e3f56p+0 "
        "0x1.56458e9a6a14ap-3 "
        "0x1.56458e9a6a14ap-2"
    ),
    "clustered mean": (
        "-0x1.002e6bdc80576p+1 "
        "0x1.b509783fc5794p-1 "
        "-0x1.f0a8c8f3d8159p+1 "
        "-0x1.f681d8a513276p-4 "
        "-0x1.2c1f7b656e24bp+1 "
        "0x1.3e3e7834373efp-6 "
        "0x1.3e3e7834373efp-5"
    ),
    "sign flip, listed": ("-0x1.1a46666666666p+11 0x1.e47c000000000p-5 0x1.e47c000000000p-4"),
    "sign flip, counted": ("-0x1.7777777777777p-3 0x1.104e935717680p-2 0x1.104e935717680p-1"),
    "sign flip, drawn": ("-0x1.c2dc28f5c28f6p+8 0x1.059eea0727586p-4 0x1.059eea0727586p-3"),
    "wilson": ("0x1.23efa97af3d74p-2 0x1.27f6146b31829p-1"),
    "clopper-pearson": ("0x1.14eb5914c141cp-2 0x1.2ea4954780659p-1"),
    "mean": ("-0x1.2de9ec914bdc8p+10 0x1.31ef6059aa534p+8"),
    "quantile": ("0x1.b510000000000p+12 0x1.0890000000000p+13"),
    "pass at k": ("0x1.d555555555555p-1 0x1.fc6954eb8b4edp-1 0x1.999999999999ap-2"),
    "holm": (
        "0x1.47ae147ae147bp-5 0x1.70a3d70a3d70ap-4 0x1.70a3d70a3d70ap-4 0x1.999999999999ap-6 0x1.999999999999ap-3"
    ),
    "benjamini-hochberg": (
        "0x1.999999999999ap-6 0x1.999999999999ap-5 0x1.9999999999999p-5 0x1.999999999999ap-6 0x1.999999999999ap-3"
    ),
    "power": ("0x1.91ae804263534p-3 0x1.96875ecc21985p-1 0x1.d31ad93ddd747p-1 0x1.0000000000000p+0"),
    "detectable": ("0x1.a37191da9c349p-1 0x1.1429da03f174cp-2 0x1.0234aacea47acp-2 0x1.fd3afb394fd4ep-3"),
    "mcnemar power": ("0x1.6ec2b1c037fa9p-9 0x1.7c7b3b00e929fp-1 0x1.ffffe6f160fd6p-1 0x1.0000000000000p+0"),
    "mcnemar detectable": ("0x1.d85a7b7f96c97p-5 0x1.270ddf6e8adb9p-6 0x1.cf839cf5ed0aep-9"),
}


def test_every_figure_has_its_bits() -> None:
    assert FIGURES.keys() == BITS.keys()


@pytest.mark.parametrize("name", sorted(BITS))
def test_bits(name: str) -> None:
    assert " ".join("none" if one is None else one.hex() for one in FIGURES[name]) == BITS[name]


@pytest.mark.slow
def test_decimals_computed_by_python_instead_of_c_give_the_same_bits() -> None:
    hide = "import sys; sys.modules['_decimal'] = None; import decimal, runpy; decimal.Decimal.__add__.__code__;"
    run = f"names = runpy.run_path({__file__!r}); [names['test_bits'](name) for name in names['BITS']]"
    done = subprocess.run([sys.executable, "-c", hide + run], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
