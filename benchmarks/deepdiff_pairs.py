"""What DeepDiff takes to compare the records of two runs, in µs a pair, parse not counted.

    python benchmarks/deepdiff_pairs.py [--pairs N] BASELINE CURRENT

Takes pairs of records with the same id from the start of both runs; those that are equal and those that differ are
timed apart, for they cost differently.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from deepdiff import DeepDiff

Pair = tuple[Any, Any]


def read_records(run: str) -> Iterator[dict[str, Any]]:
    for path in sorted(Path(run).glob("records*.jsonl")):
        with open(path, "rb") as stream:
            yield from map(orjson.loads, stream)


def find_pairs(baseline: str, current: str) -> Iterator[Pair]:
    """Records of one id, one of each run; ids sort alike as UTF-8 and as str."""
    others = read_records(current)
    other = next(others, None)
    for record in read_records(baseline):
        while other is not None and other["id"] < record["id"]:
            other = next(others, None)
        if other is not None and other["id"] == record["id"]:
            yield record, other


def sample(pairs: Iterator[Pair], count: int) -> dict[str, list[Pair]]:
    """Up to `count` pairs that are equal and as many that differ."""
    kept: dict[str, list[Pair]] = {"differ": [], "equal": []}
    for before, after in pairs:
        kind = kept["equal" if before == after else "differ"]
        if len(kind) < count:
            kind.append((before, after))
        if all(len(kind) == count for kind in kept.values()):
            break
    return kept


def microseconds(pairs: list[Pair]) -> float | None:
    if not pairs:
        return None
    start = time.perf_counter()
    for before, after in pairs:
        DeepDiff(before, after)
    return round((time.perf_counter() - start) * 1e6 / len(pairs), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline")
    parser.add_argument("current")
    parser.add_argument("--pairs", type=int, default=1000, metavar="N", help="of each kind, at most; default: 1000")
    given = parser.parse_args()
    kept = sample(find_pairs(given.baseline, given.current), given.pairs)
    found = {kind: {"pairs": len(pairs), "us_per_pair": microseconds(pairs)} for kind, pairs in kept.items()}
    print(json.dumps(found, sort_keys=True))


if __name__ == "__main__":
    main()
