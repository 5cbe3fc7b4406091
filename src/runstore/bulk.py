"""Reading many pairs of lines at once: lines in, records out, or the word that some of them need a closer look.

It says no more than `record.read` would of each line, at a fraction of its cost: the engine reads and writes all of a
batch in one go, and what `record` asks of each field of each record is asked of the columns of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from runstore import canonical
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError
from runstore.record import PREFIX, SOUND, JsonObject, Ranges, sound_scores

_OUTPUT = b',"output":'
_SCORES = b',"scores":{'
_REPEAT = b'"repeat":'
_REPEAT_BYTES = len(_REPEAT) + 16  # the mark and the digits of the largest integer

_TEXTS = ("id", "input", "output", "target")

Pairs = list[tuple[JsonObject, JsonObject]]


def read_pairs(verified: Sequence[bytes], lines: Sequence[bytes], ranges: Ranges) -> Pairs | None:
    """The records of pairs of lines with one id: the first verified before, the second checked in full here.

    Of the first only the fields from `output` or `scores` on are parsed; and of the second, what follows a beginning
    that both share: see `_cut`. Returns None if any of them needs a closer look: then ask `record.read_pair` of each.
    """
    cuts = [_cut(known, line) for known, line in zip(verified, lines, strict=True)]
    if None in cuts:
        return None
    rests, pieces = zip(*cuts, strict=True)
    try:
        before, after = canonical.loads_all(rests), canonical.loads_all(pieces)
        if canonical.dumps_all_plain(after) != list(pieces):
            return None
    except CanonicalError:
        return None
    return list(zip(before, after, strict=True)) if _all_sound(before, after, ranges) else None  # type: ignore[arg-type]  # objects


def _cut(verified: bytes, line: bytes) -> tuple[bytes, bytes] | None:
    """The end of a verified line, and what of the other line is to be read beside it, each as an object of its own.

    When both lines are the same up to `,"scores":{` or `,"output":`, only the rest of the other line is read. That is
    exact because the rest of the verified line from the same mark, with a brace before it, is parsed too: if the mark
    stood inside a nested value, that rest would have a closing brace too many. (Nor can it stand inside a string, where
    a quote has a backslash before it.) So it stands in the record itself, after a verified beginning.
    """
    scores = verified.rfind(_SCORES)
    if scores <= 0 or _REPEAT in verified[max(0, scores - _REPEAT_BYTES) : scores]:
        return None
    if line.startswith(verified[: scores + len(_SCORES)]):
        return b"{" + verified[scores + 1 :], b"{" + line[scores + 1 :]
    output = verified.rfind(_OUTPUT, 0, scores)
    if output > 0 and line.startswith(verified[: output + len(_OUTPUT)]):
        return b"{" + verified[output + 1 :], b"{" + line[output + 1 :]
    return (b"{" + verified[scores + 1 :], line) if line.startswith(PREFIX) else None


def _all_sound(before: Sequence[JsonObject], after: Sequence[JsonObject], ranges: Ranges) -> bool:
    """Whether all records `after` are sound (see `record.SOUND`), and none says which trial it is."""
    if set(map(type, after)) != {dict}:
        return False
    shapes = list(map(tuple, after))
    for shape in set(shapes):
        if "repeat" in shape:
            return False
        members = [names == shape for names in shapes]
        group = list(compress(after, members))
        for name in shape:
            column = [fields[name] for fields in group]
            if name == "tags" and _are_same(column, [fields.get(name) for fields in compress(before, members)]):
                continue
            if not _is_sound_column(name, column, ranges):
                return False
    return True


def _are_same(tags: Sequence[JsonValue], verified: Sequence[JsonValue]) -> bool:
    """Whether tags are those of verified records; the order of their names is a part of that."""
    return set(map(type, tags)) == {dict} and tags == verified and [*map(list, tags)] == [*map(list, verified)]  # type: ignore[arg-type]


def _is_sound_column(name: str, column: Sequence[JsonValue], ranges: Ranges) -> bool:
    """Whether all values of one field are sound."""
    if name == "scores":
        return _are_sound_scores(column, ranges)
    if set(map(type, column)) == {str} and name in _TEXTS:
        return name != "id" or "" not in column
    test = SOUND.get(name)
    return test is not None and all(map(test, column))


def _are_sound_scores(column: Sequence[JsonValue], ranges: Ranges) -> bool:
    objects = [scores for scores in column if type(scores) is dict]
    shapes = set(map(tuple, objects))
    if len(shapes) != 1 or len(objects) != len(column):
        return all(sound_scores(scores, ranges) for scores in column)
    names: tuple[str, ...] = shapes.pop()
    return all(
        name in ranges and name.isascii() and _are_sound_numbers([scores[name] for scores in objects], *ranges[name])
        for name in names
    )


def _are_sound_numbers(values: Sequence[JsonValue], low: float, high: float) -> bool:
    """`record.sound_scores` of one metric."""
    kinds = set(map(type, values))
    if not kinds <= {int, float}:
        return False
    least, greatest = min(values), max(values)  # type: ignore[type-var]
    if not (low <= least and greatest <= high and least >= -MAX_SAFE_INTEGER and greatest <= MAX_SAFE_INTEGER):  # type: ignore[operator]
        return False
    if float not in kinds:
        return True
    doubles = [value for value in values if type(value) is float]
    sizes = list(map(abs, doubles))
    return min(sizes) > 1e-5 and max(sizes) < 1e15 and not any(map(float.is_integer, doubles))
