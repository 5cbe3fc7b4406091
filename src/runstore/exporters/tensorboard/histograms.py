"""Histograms of scores: numbers in, buckets of equal width out, as TensorBoard draws them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

from runstore.exporters.tensorboard.model import Bucket

BUCKETS = 30


def make_buckets(values: Sequence[float]) -> list[Bucket]:
    """Thirty buckets from the smallest to the largest of at least one number; one bucket if all are equal.

    A number on an edge counts to the right, the largest to the last bucket. The same numbers in any order make the same
    buckets, to the bit.
    """
    low, high = min(values), max(values)
    if low == high:
        return [(low, high, float(len(values)))]
    span = high - low
    width = span / BUCKETS if math.isfinite(span) else high / BUCKETS - low / BUCKETS
    edges = [min(low + width * number, high) for number in range(BUCKETS)]
    counts = [0] * BUCKETS
    for value in values:
        counts[bisect.bisect_right(edges, value) - 1] += 1
    return list(zip(edges, [*edges[1:], high], map(float, counts), strict=True))
