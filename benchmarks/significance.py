"""A study: how often the tests of a drop raise a false alarm, and how often they see a true one.

In: pairs of real runs (`--data`, else made ones). Out: Markdown tables, and with `--output` the counts behind them as
JSON. Pairs without a true drop are made from real ones: records are drawn with replacement, and a fair coin decides
for each whether its two scores change sides. So pairing and noise are real, and nobody got worse on average. In the
clustered part whole clusters are drawn and one coin swaps a whole cluster, so that its records depend on each other.
The same seed gives the same tables. Only the product and the standard library are used:

    python benchmarks/significance.py
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import drawn_pairs
from drawn_pairs import UNIT, Pairs, Pool, Sums, added, both_ways, by_cluster

from runstore.assessment import Assessment, Clusters, assess
from runstore.evidence import paired, permutation
from runstore.evidence.intervals import clopper_pearson
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy.model import Evidence, Limits

ALPHA = 0.05
LEVEL = Decimal("0.99")
SEED = "significance 1"
CHECKED = 50  # so many p a setting, computed from sums for speed, are held to what `assess` says
RESAMPLES = 1_000
SIZES = (50, 200, 1000)
GROUPS = (3, 5, 10, 20, 50)
MANY = 200  # clusters, of data that has as many
BROKEN = (0.01, 0.02, 0.05)
EFFECTIVE = (2, 3, 5, 8, 12, 20, 40, math.inf)
Z_CRITICAL = statistics.NormalDist().inv_cdf(ALPHA)
TestName = Literal["mcnemar", "t", "permutation"]


# The tests: those of the product, and the one it does not use.


def measure_of(sums: Sums, *, is_binary: bool, name: str = "score", sample: Sequence[int] | None = None) -> Measure:
    """The sums as the product's measure. `name` seeds the sign-flip test, whose differences are `sample`."""
    return Measure(
        metric=name,
        group=None,
        declared=MetricDeclaration(range=(0, 1)),
        count=sums.n,
        baseline_sum=_score(sums.before),
        current_sum=_score(sums.after),
        regressed=sums.worse,
        improved=sums.better,
        squares=Decimal(sums.d_squares).scaleb(-12),
        is_binary=is_binary,
        sample=None if sample is None else array("d", (value / UNIT for value in sample if value)),
    )


def assessed(measure: Measure, test: TestName, clusters: Clusters | None = None) -> Assessment | None:
    """What the product says; None where it says that it cannot tell."""
    rules = Evidence(alpha=Decimal(str(ALPHA)), resamples=RESAMPLES)
    found = assess(measure, Limits(test=test), Decimal("0.01"), clusters, rules, 1)
    return found if isinstance(found, Assessment) else None


@cache
def binary_p(test: TestName, n: int, worse: int, better: int, *, check: bool) -> float:
    """p of 0/1 scores, which their counts decide, by the function of the test; `check`: held to the assessment."""
    signs = [-UNIT] * worse + [UNIT] * better
    sums = Pool([0] * (worse + better), signs).sums(range(worse + better))
    sums = replace(sums, n=n)
    said = assessed(measure_of(sums, is_binary=True, sample=signs), test) if check else None
    if test == "t":
        return t_p(sums, check=check)
    if test == "mcnemar":
        return _held(paired.mcnemar(worse, better).p, said)
    return _held(permutation.sign_flip(signs, n, RESAMPLES, "score").test.p, said)


def t_p(sums: Sums, *, check: bool) -> float:
    """p of Student's t, by the function that the assessment takes it from; `check`: held to the assessment."""
    found = paired.paired_mean(sums.n, _score(sums.d), Decimal(sums.d_squares).scaleb(-12), LEVEL)
    asked = check or found is None or found.degenerate
    said = assessed(measure_of(sums, is_binary=False), "t") if asked else None
    return _held(None if found is None or found.degenerate else found.test.p, said)


def clustered_p(clusters: Sequence[Sums], total: Sums, *, check: bool) -> float:
    """p of the clustered t test, likewise."""
    units = [(one.n, _score(one.d)) for one in clusters]
    found = paired.clustered_mean(units, LEVEL)
    asked = check or found is None or found.degenerate
    said = assessed(measure_of(total, is_binary=False), "t", units) if asked else None
    return _held(None if found is None or found.degenerate else found.test.p, said)


def flipped_p(clusters: Sequence[Sums], total: Sums, *, check: bool, name: str) -> float:
    """p of the sign-flip test of whole clusters, likewise."""
    units = [(one.n, _score(one.d)) for one in clusters]
    p = permutation.sign_flip([d for _, d in units if d], total.n, RESAMPLES, name).test.p
    return _held(p, assessed(measure_of(total, is_binary=False, name=name), "permutation", units) if check else None)


def _held(p: float | None, said: Assessment | None) -> float:
    """p as computed, else as the product says it; 1 where neither can tell: that raises no alarm."""
    if p is not None and said is not None and said.p != p:
        raise AssertionError(f"the assessment says p = {said.p!r}, its test says {p!r}")
    if p is not None:
        return p
    return 1.0 if said is None else said.p


def naive_z(sums: Sums, *, is_binary: bool) -> float:
    """z of two independent samples, as if nothing were known of the pairing; -inf or inf without any spread."""
    n, before, after = sums.n, sums.before / UNIT, sums.after / UNIT
    if is_binary:
        share = (before + after) / (2 * n)
        variance = 2 * share * (1 - share) / n
    else:
        squares = (sums.before_squares + sums.after_squares) / UNIT**2
        variance = max(0.0, squares - (before**2 + after**2) / n) / (n - 1) / n
    distance = (after - before) / n
    return distance / math.sqrt(variance) if variance else math.copysign(math.inf, distance) if distance else 0.0


def _score(value: int) -> Decimal:
    return Decimal(value).scaleb(-6)


# Counting alarms.


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`alarms` in `of` drawn pairs of runs."""

    alarms: int
    of: int

    @property
    def value(self) -> float:
        """Alarms a pair."""
        return self.alarms / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 99 % interval of Clopper and Pearson."""
        found = clopper_pearson(self.alarms, self.of, LEVEL)
        return found.low, found.high

    @property
    def holds(self) -> bool:
        """Whether the rate may be alpha or less: the interval does not lie above it."""
        return self.interval[0] <= ALPHA


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One setting: what was drawn, and of each test its alarms."""

    part: str
    data: str
    drawn: str
    tests: Mapping[str, Share]


def false_alarms(pairs: Pairs, n: int, replications: int) -> Row:
    """Alarms of every test that does without clusters, in pairs of n records of which nothing got worse."""
    rng = random.Random(f"{SEED}/alarms/{pairs.name}/{n}")
    pool = Pool(*both_ways(pairs))
    alarms = dict.fromkeys(("McNemar", "t", "sign-flip", "naive z"), 0)
    flipped = replications if pairs.is_binary else max(replications // 10, 1) if n <= SIZES[-1] else 0
    for index in range(replications):
        places = pool.drawn(rng, n)
        sums = pool.sums(places)
        alarms["naive z"] += naive_z(sums, is_binary=pairs.is_binary) <= Z_CRITICAL
        if pairs.is_binary:
            for name, test in _BINARY:
                alarms[name] += binary_p(test, n, sums.worse, sums.better, check=index < CHECKED) <= ALPHA
            continue
        alarms["t"] += t_p(sums, check=index < CHECKED) <= ALPHA
        if index < flipped:
            sample = [pool.d[place] for place in places]
            said = assessed(measure_of(sums, is_binary=False, name=str(index), sample=sample), "permutation")
            alarms["sign-flip"] += said is not None and said.p <= ALPHA
    times = dict.fromkeys(alarms, replications) | {"sign-flip": flipped}
    if not pairs.is_binary:
        times["McNemar"] = 0
    tests = {name: Share(alarms=count, of=times[name]) for name, count in alarms.items() if times[name]}
    return Row(part="alarms", data=pairs.name, drawn=f"{n:,}", tests=tests)


_BINARY: tuple[tuple[str, TestName], ...] = (("McNemar", "mcnemar"), ("t", "t"), ("sign-flip", "permutation"))


@dataclass(slots=True)
class Tally:
    """Alarms of clustered t by the effective number of clusters."""

    alarms: int = 0
    of: int = 0


def clustered_alarms(
    pairs: Pairs, groups: int, each: int | None, replications: int, effective: dict[float, Tally] | None = None
) -> Row:
    """Alarms where whole clusters change sides; `each`: so many records of each cluster, None: all that it has.

    `effective` counts the alarms of clustered t by the effective number of clusters, (sum of sizes)^2 / sum of squared
    sizes: bounds of EFFECTIVE to tallies.
    """
    rng = random.Random(f"{SEED}/clusters/{pairs.name}/{groups}/{each}")
    pools = [Pool(*columns) for columns in by_cluster(pairs)]
    whole = [pool.sums(range(len(pool.d))) for pool in pools]
    alarms = dict.fromkeys(("clustered t", "sign-flip of clusters", "t, clusters ignored", "naive z"), 0)
    flipped = replications if groups <= 10 else max(replications // 10, 1)
    for index in range(replications):
        chosen = rng.choices(range(len(pools)), k=groups)
        parts = [whole[one] if each is None else pools[one].sums(pools[one].drawn(rng, each)) for one in chosen]
        parts = [part.swapped() if rng.random() < 0.5 else part for part in parts]
        total = added(parts)
        alarm = clustered_p(parts, total, check=index < CHECKED) <= ALPHA
        alarms["clustered t"] += alarm
        if index < flipped:
            alarms["sign-flip of clusters"] += flipped_p(parts, total, check=index < CHECKED, name=str(index)) <= ALPHA
        alarms["t, clusters ignored"] += t_p(total, check=index < CHECKED) <= ALPHA
        alarms["naive z"] += naive_z(total, is_binary=pairs.is_binary) <= Z_CRITICAL
        if effective is not None:
            clusters = total.n**2 / sum(part.n**2 for part in parts)
            tally = effective.setdefault(next(bound for bound in EFFECTIVE if clusters <= bound), Tally())
            tally.alarms, tally.of = tally.alarms + alarm, tally.of + 1
    times = {name: flipped if name.startswith("sign-flip") else replications for name in alarms}
    tests = {name: Share(alarms=count, of=times[name]) for name, count in alarms.items()}
    sizes = "all their records" if each is None else f"{each} records each"
    return Row(part="clusters", data=pairs.name, drawn=f"{groups}, {sizes}", tests=tests)


# Power.


@dataclass(frozen=True, kw_only=True, slots=True)
class _Looks:
    """For each drawn pair of runs: whether the product's test raises an alarm, and the naive z."""

    alarms: list[bool]
    z: list[float]


def power(pairs: Pairs, n: int, broken: Sequence[float], replications: int) -> Iterator[Row]:
    """For each share of records that scores 0 in the current run: how often that is seen.

    The naive z is looked at with its own critical value, with the one that gives it the false alarms that the product's
    test has, and with the one that gives it alpha. The last two are known only to who drew the pairs.
    """
    null = _looks(pairs, n, 0, replications, "null")
    actual = sum(null.alarms) / replications
    limits = {
        "naive z": Z_CRITICAL,
        "naive z, equal false alarms": critical_value(null.z, actual),
        "naive z, 5 % false alarms": critical_value(null.z, ALPHA),
    }
    for share in (0.0, *broken):
        found = _looks(pairs, n, round(share * n), replications, "shifted") if share else null
        tests = {"McNemar or t": Share(alarms=sum(found.alarms), of=replications)}
        for name, limit in limits.items():
            tests[name] = Share(alarms=sum(z <= limit for z in found.z), of=replications)
        yield Row(part="power", data=pairs.name, drawn=f"{n:,}, {100 * share:g} %", tests=tests)


def critical_value(z: Sequence[float], alpha: float) -> float:
    """The largest of the values that at most a share alpha does not exceed; below all of them if there is none."""
    ordered = sorted(z)
    place = int(alpha * len(ordered))
    while place and place < len(ordered) and ordered[place - 1] == ordered[place]:
        place -= 1
    return ordered[place - 1] if place else -math.inf


def _looks(pairs: Pairs, n: int, fallen: int, replications: int, what: str) -> _Looks:
    rng = random.Random(f"{SEED}/power/{what}/{pairs.name}/{n}/{fallen}")
    before, after = both_ways(pairs)
    whole, zero = Pool(before, after), Pool(before, [0] * len(before))
    found = _Looks(alarms=[], z=[])
    for index in range(replications):
        places = whole.drawn(rng, n)
        sums = added([whole.sums(places[fallen:]), zero.sums(places[:fallen])]) if fallen else whole.sums(places)
        p = (
            binary_p("mcnemar", n, sums.worse, sums.better, check=index < CHECKED)
            if pairs.is_binary
            else t_p(sums, check=index < CHECKED)
        )
        found.alarms.append(p <= ALPHA)
        found.z.append(naive_z(sums, is_binary=pairs.is_binary))
    return found


# The whole.


def study(data: Sequence[Pairs], replications: int) -> Iterator[Row]:
    """All rows, part by part."""
    for pairs in data:
        for n in sorted({*SIZES, len(pairs.baseline)}):
            yield false_alarms(pairs, n, replications)
    effective: dict[str, dict[float, Tally]] = {pairs.name: {} for pairs in data}
    for pairs in data:
        for groups in GROUPS:
            yield clustered_alarms(pairs, groups, 10, replications)
        for groups in (*GROUPS, MANY) if len(set(pairs.cluster)) >= MANY else GROUPS:
            yield clustered_alarms(pairs, groups, None, replications, effective[pairs.name])
    for name, tallies in effective.items():
        for low, high in pairwise((1, *EFFECTIVE)):
            if high in tallies:
                tests = {"clustered t": Share(alarms=tallies[high].alarms, of=tallies[high].of)}
                drawn = f"{low} to {high}" if high < math.inf else f"more than {low}"
                yield Row(part="effective", data=name, drawn=drawn, tests=tests)
    for pairs in data:
        for n in (200, 1000):
            yield from power(pairs, n, BROKEN, replications)


HEADINGS = {
    "alarms": "pairs of scores",
    "clusters": "clusters",
    "effective": "effective number of clusters",
    "power": "pairs, share of them that breaks",
}


def tables(rows: Sequence[Row]) -> str:
    """Markdown: a table a part. A rate above alpha beyond its interval is bold, but where a drop is real."""
    return "\n\n".join("\n".join(_table(part, [row for row in rows if row.part == part])) for part in HEADINGS)


def _table(part: str, rows: Sequence[Row]) -> Iterator[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.tests))
    yield f"| data | {HEADINGS[part]} | {' | '.join(names)} |"
    yield "|---" * (len(names) + 2) + "|"
    for row in rows:
        yield f"| {row.data} | {row.drawn} | {' | '.join(_cell(row.tests.get(name), part) for name in names)} |"


def _cell(share: Share | None, part: str) -> str:
    if share is None:
        return "–"
    low, high = (f"{100 * bound:.1f}" for bound in share.interval)
    rate = f"{100 * share.value:.1f} %"
    return f"{rate if share.holds or part == 'power' else f'**{rate}**'} ({low}–{high})"


def as_json(rows: Sequence[Row], replications: int) -> str:
    """The counts behind the tables."""
    listed = [
        {"part": row.part, "data": row.data, "drawn": row.drawn,
         "tests": {name: {"alarms": share.alarms, "of": share.of} for name, share in row.tests.items()}}
        for row in rows
    ]  # fmt: skip
    return json.dumps({"seed": SEED, "alpha": ALPHA, "replications": replications, "rows": listed}, indent=2) + "\n"


def main() -> None:
    shared = Path(os.environ.get("RUNSTORE_REALDATA") or Path(__file__).resolve().parents[2] / "shared")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=shared / "realdata", help="folder of the real runs")
    parser.add_argument("--replications", type=int, default=10_000, help="pairs of runs drawn for each setting")
    parser.add_argument("--output", type=Path, help="where to write the counts as JSON")
    options = parser.parse_args()
    if options.replications < 1:
        parser.error("--replications: draw at least one pair of runs")
    try:
        data = drawn_pairs.real(options.data)
    except FileNotFoundError as error:
        print(f"{error.filename} is not there: these are made runs, not real ones", file=sys.stderr)
        data = drawn_pairs.made()
    rows = []
    for row in study(data, options.replications):
        rows.append(row)
        print(f"{row.part}: {row.data}, {row.drawn}", file=sys.stderr)
    if options.output:
        options.output.write_text(as_json(rows, options.replications), encoding="utf-8")
    print(tables(rows))


if __name__ == "__main__":
    main()
