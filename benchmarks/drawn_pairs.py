"""Pairs of runs to draw from, real and made, and the sums that tests of a drop need of what is drawn.

In: the folder of the real runs, or nothing. Out: scores side by side in millionths, so that sums are whole numbers and
no order matters; what is not a score within [0, 1] on both sides ("N/A", NaN, 66) is left out.
"""

from __future__ import annotations

import gzip
import json
import math
import operator
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNIT = 10**6
"""Scores are rounded to six decimals and counted in millionths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Two runs of the same records: scores in millionths, side by side, and the cluster of each record."""

    name: str
    is_binary: bool
    baseline: Sequence[int]
    current: Sequence[int]
    cluster: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What the tests need of a drawn pair of runs: sums of d = current - baseline and of either side, in millionths."""

    n: int
    worse: int
    better: int
    d: int
    d_squares: int
    before: int
    before_squares: int
    after: int
    after_squares: int

    def swapped(self) -> Sums:
        """With the two sides changed over."""
        return Sums(
            n=self.n, worse=self.better, better=self.worse, d=-self.d, d_squares=self.d_squares, before=self.after,
            before_squares=self.after_squares, after=self.before, after_squares=self.before_squares,
        )  # fmt: skip


def both_ways(pairs: Pairs) -> tuple[list[int], list[int]]:
    """The scores of each pair both ways round: to draw from them is to draw a record and toss a coin."""
    return [*pairs.baseline, *pairs.current], [*pairs.current, *pairs.baseline]


class Pool:
    """Pairs of scores to draw from, each column ready to be added up."""

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        self.before, self.after = list(before), list(after)
        self.d = [new - old for old, new in zip(before, after, strict=True)]
        self._squares = [[value * value for value in column] for column in (self.before, self.after, self.d)]

    def drawn(self, rng: random.Random, n: int) -> list[int]:
        """The places of n pairs, drawn with replacement."""
        return rng.choices(range(len(self.d)), k=n)

    def sums(self, places: Sequence[int]) -> Sums:
        """The sums over the pairs that stand there."""
        differences = [self.d[place] for place in places]
        worse = sum(value < 0 for value in differences)
        before_squares, after_squares, d_squares = (
            sum(map(column.__getitem__, places)) for column in self._squares
        )  # fmt: skip
        return Sums(
            n=len(places), worse=worse, better=len(places) - worse - differences.count(0), d=sum(differences),
            d_squares=d_squares, before=sum(map(self.before.__getitem__, places)), before_squares=before_squares,
            after=sum(map(self.after.__getitem__, places)), after_squares=after_squares,
        )  # fmt: skip


_fields = operator.attrgetter(*Sums.__slots__)


def added(parts: Iterable[Sums]) -> Sums:
    """The sums over all parts."""
    columns = zip(*map(_fields, parts), strict=True)
    return Sums(**dict(zip(Sums.__slots__, map(sum, columns), strict=True)))


def by_cluster(pairs: Pairs) -> Iterator[tuple[list[int], list[int]]]:
    """Of each cluster the scores before and after."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for name, old, new in zip(pairs.cluster, pairs.baseline, pairs.current, strict=True):
        before, after = found.setdefault(name, ([], []))
        before.append(old)
        after.append(new)
    return iter(found.values())


Scored = Mapping[str, tuple[Any, str]]
"""Id of a record -> its score and its cluster."""


def real(folder: Path) -> list[Pairs]:
    """Three pairs of real runs: two of 0/1 scores, one of continuous ones. Raises OSError if a file is not there."""
    bench = [
        _solved(folder / f"swebench_pro/claude-{name}-10132025/eval_results.json") for name in ("4sonnet", "45sonnet")
    ]
    answered = [
        _answered(folder / f"lm_eval/samples/{name}/eus_trivia_test_5-shot.jsonl")
        for name in ("gpt-3.5-turbo-0125", "gpt-4-0125-preview")
    ]
    embedded = [
        _embedded(folder / f"mteb/model-intfloat__multilingual-e5-{name}.jsonl.gz") for name in ("small", "base")
    ]
    return [
        _paired("SWE-bench Pro", True, bench[0], bench[1]),
        _paired("eus_trivia", True, answered[0], answered[1]),
        _paired("MTEB", False, embedded[0], embedded[1]),
    ]


def _solved(path: Path) -> Scored:
    repository = re.compile(r"[0-9a-f]{40}.*")  # what is left of an id is the repository
    return {key: (int(value), repository.sub("", key)) for key, value in json.loads(path.read_bytes()).items()}


def _answered(path: Path) -> Scored:
    found = map(json.loads, path.read_bytes().splitlines())
    return {str(one["id"]): (int(one["correct"]), f"{one['category']}, {one['difficulty']}") for one in found}


def _embedded(path: Path) -> Scored:
    with gzip.open(path) as stream:
        found = [json.loads(line) for line in stream]
    return {one["id"]: (one["metrics"].get("main_score"), one["id"].split("/")[0]) for one in found}


def _paired(name: str, is_binary: bool, baseline: Scored, current: Scored) -> Pairs:
    """What both runs scored, in the order of the ids."""
    shared = [key for key in sorted(baseline.keys() & current.keys()) if _fits(baseline[key]) and _fits(current[key])]
    return Pairs(
        name=name,
        is_binary=is_binary,
        baseline=[round(baseline[key][0] * UNIT) for key in shared],
        current=[round(current[key][0] * UNIT) for key in shared],
        cluster=[baseline[key][1] for key in shared],
    )


def _fits(scored: tuple[Any, str]) -> bool:
    return isinstance(scored[0], int | float) and 0 <= scored[0] <= 1


def made(records: int = 1200, clusters: int = 60) -> list[Pairs]:
    """Two pairs of made runs: logistic noise around an ability, the task's and the record's difficulty."""
    rng = random.Random("significance/made 1")

    def noise(scale: float) -> float:
        share = rng.uniform(1e-9, 1 - 1e-9)
        return scale * math.log(share / (1 - share))

    columns: dict[str, list[float]] = {"baseline": [], "current": []}
    names = [f"task {int(clusters * rng.random() ** 2)}" for _ in range(records)]
    tasks = {name: noise(0.5) for name in sorted(set(names))}
    shifts = {name: noise(0.2) for name in sorted(set(names))}
    for name in names:
        level = tasks[name] + noise(1)
        columns["baseline"].append(1 / (1 + math.exp(-level - noise(0.5))))
        columns["current"].append(1 / (1 + math.exp(-level - shifts[name] - noise(0.5))))
    found = []
    for title, is_binary in (("made, 0/1", True), ("made, continuous", False)):
        scores = [[round(value) if is_binary else value for value in column] for column in columns.values()]
        old, new = ({str(i): (value, names[i]) for i, value in enumerate(column)} for column in scores)
        found.append(_paired(title, is_binary, old, new))
    return found
