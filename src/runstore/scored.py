"""What checked records are scored and tagged by, and which pairs of them can be added together."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

from runstore.record import JsonObject

Scores = Mapping[str, int | float]

_NO_SCORES: Scores = {}
_NO_TAGS: Mapping[str, str] = {}
_SCORES: Callable[[JsonObject], Any] = itemgetter("scores")
_TAGS: Callable[[JsonObject], Any] = itemgetter("tags")


def scores_of(record: JsonObject) -> Scores:
    """The scores of a checked record."""
    return record.get("scores", _NO_SCORES)  # type: ignore[return-value]  # shape checked when it was read


def tags_of(record: JsonObject) -> Mapping[str, str]:
    """The tags of a checked record."""
    return record.get("tags", _NO_TAGS)  # type: ignore[return-value]  # shape checked when it was read


def each_scores(records: Sequence[JsonObject]) -> list[Scores]:
    """`scores_of` of each, at the pace of the interpreter's own loops if all have some."""
    try:
        return list(map(_SCORES, records))
    except KeyError:
        return list(map(scores_of, records))


def each_tags(records: Sequence[JsonObject]) -> list[Mapping[str, str]]:
    """`tags_of` of each, as `each_scores`."""
    try:
        return list(map(_TAGS, records))
    except KeyError:
        return list(map(tags_of, records))


def shape_of(before: JsonObject, after: JsonObject) -> tuple[str, ...] | None:
    """The names of the scores of two records if both are `ok` and have the same tags and the same names; else None."""
    old = tuple(scores_of(before))
    if old != tuple(scores_of(after)) or before.get("tags") != after.get("tags"):
        return None
    return old if before.get("status", "ok") == "ok" == after.get("status", "ok") else None


def runs_of_one_shape(
    before: Sequence[JsonObject], after: Sequence[JsonObject]
) -> Iterator[tuple[int, tuple[str, ...] | None]]:
    """Pairs in a row that can be added together: where they end, and the names of their scores.

    None instead of names stands for a single pair that is looked at by itself.
    """
    both = (*before, *after)
    names = set(map(tuple, each_scores(both)))
    is_one = len(names) == 1 and () not in names and True not in map(operator.contains, both, repeat("status"))
    if is_one and each_tags(before) == each_tags(after):
        yield len(before), names.pop()
        return
    shapes = [shape_of(*pair) or None for pair in zip(before, after, strict=True)]
    for index, shape in enumerate(shapes):
        if shape is None or index + 1 == len(shapes) or shapes[index + 1] != shape:
            yield index + 1, shape
