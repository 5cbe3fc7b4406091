"""What the tests of significance cost, beside a parse of the records that they are about.

`assess()` is timed with the differences of so many pairs, all of which differ, and `orjson.loads` with twice as many
lines of 1.2 KB. Timings wander: run it more than once, and say what else the machine did.

    python benchmarks/evidence_cost.py --pairs 1000000
"""

from __future__ import annotations

import argparse
import resource
import time
from array import array
from collections.abc import Callable
from decimal import Decimal
from random import Random

import orjson

from runstore.assessment import Assessment, assess
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy.model import Evidence, Limits, TestName

_RECORD = {
    "id": "q-0000001",
    "input": "x" * 500,
    "metadata": {"model": "m", "seed": 1, "source": "web", "tokens": 812, "turn": 3},
    "output": "y" * 400,
    "scores": {"exact_match": 1, "f1": 0.512345},
    "tags": {"lang": "de", "topic": "law"},
    "target": "z" * 60,
}


def measure_of(pairs: int, *, binary: bool, digits: int = 3) -> Measure:
    """A measure over so many pairs that all differ: by 1 either way, or by thousandths."""
    random = Random(7)
    steps = [random.choice((-1, 1)) for _ in range(pairs)]
    if not binary:
        steps = [step * random.randint(1, 10**digits) for step in steps]
    unit = Decimal(1) if binary else Decimal(1).scaleb(-digits)
    worse = sum(step < 0 for step in steps)
    return Measure(
        metric="f1",
        group=None,
        declared=MetricDeclaration(direction="higher", range=(0, 1)),
        count=pairs,
        baseline_sum=Decimal(pairs),
        current_sum=Decimal(pairs) + sum(steps) * unit,
        regressed=worse,
        improved=pairs - worse,
        squares=sum(step * step for step in steps) * unit * unit,
        is_binary=binary,
        sample=array("d", [float(step * unit) for step in steps]),
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parse(lines: int) -> float:
    """Seconds that `orjson.loads` takes for so many lines; one line again and again, so memory plays no part."""
    line = orjson.dumps(_RECORD, option=orjson.OPT_SORT_KEYS)
    loads = orjson.loads

    def work() -> None:
        for _ in range(lines):
            loads(line)

    return timed(work)


def main() -> None:
    """Print one line for each test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    pairs = parser.parse_args().pairs
    yardstick = parse(2 * pairs)
    print(f"orjson.loads of {2 * pairs:,} lines: {yardstick:.2f} s")
    rows: tuple[tuple[TestName, bool, int], ...] = (
        ("mcnemar", True, 0), ("t", False, 3), ("permutation", False, 3), ("permutation", False, 6),
    )  # fmt: skip
    for test, binary, digits in rows:
        measure = measure_of(pairs, binary=binary, digits=digits)
        limits = Limits(max_drop=Decimal("0.01"), significance="required", test=test)
        found: list[object] = []
        took = timed(lambda: found.append(assess(measure, limits, Decimal("0.01"), None, Evidence(), 1)))  # noqa: B023
        assert isinstance(found[0], Assessment)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{test:12} {digits} digits: {took:6.2f} s, {took / yardstick:5.2f} of it, peak {peak:,.0f} MiB;"
              f" p = {found[0].p:.3g}, {found[0].note}")  # fmt: skip


if __name__ == "__main__":
    main()
