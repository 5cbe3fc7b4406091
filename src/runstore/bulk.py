"""Reading many pairs of lines at once: lines in, records out, or the word that some of them need a closer look.

It says no more than `record.read` would of each line, at a fraction of its cost: the engine reads and writes all of a
batch in one go, and what `record` asks of each field of each record is asked of the columns of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from operator import contains, itemgetter

from runstore import canonical, large_text
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError
from runstore.record import PREFIX, SOUND, JsonObject, Ranges, is_sound, sound_scores

_OUTPUT = b',"output":'
_SCORES = b',"scores":{'
_TEXT_THEN_SCORES = b'"' + _SCORES
_REPEAT = b'"repeat":'
_REPEAT_BYTES = len(_REPEAT) + 16  # the mark and the digits of the largest integer

_TEXTS = ("id", "input", "output", "target")

Cut = tuple[bytes, bytes]
"""The end of a verified line, and what of the other line is read beside it, each as an object of its own."""


def read_pairs(
    verified: Sequence[bytes], lines: Sequence[bytes], ranges: Ranges
) -> tuple[list[JsonObject], list[JsonObject]] | None:
    """The records of pairs of lines with one id: the first verified before, the second checked in full here.

    Of the first only the fields from `output` or `scores` on are parsed; and of the second, what follows a beginning
    that both share: see `_cut_at_output`. Returns None if any of them needs a closer look: ask `record.read_pair` then.
    """
    for cut in (_cut_at_output, _cut_at_scores):
        cuts = list(map(cut, verified, lines))
        if None not in cuts and (found := _read(*zip(*cuts, strict=True))):
            before, after = found
            return found if _all_sound(before, after, ranges) else None
    return None


def _read(rests: Sequence[bytes], pieces: Sequence[bytes]) -> tuple[list[JsonObject], list[JsonObject]] | None:
    try:
        before, after = canonical.loads_all(rests), canonical.loads_all(pieces)
        if canonical.dumps_all_plain(after) == list(pieces) and set(map(type, after)) == {dict}:
            return before, after  # type: ignore[return-value]  # objects, both
    except CanonicalError:
        pass
    return None


# When both lines are the same up to a mark, `,"scores":{` or `,"output":`, only the rest of the other line is read.
# That is exact: the rest of the verified line from the same mark, a brace before it, is parsed too, and if the mark
# stood inside a nested value, that rest would have a closing brace too many. (Nor can it stand inside a string, where a
# quote has a backslash before it.) So it stands in the record itself, after a verified beginning. Where between the two
# marks there is but a text without quotes, the rest from the second says as much as that from the first; and if the
# first quote after the first byte of that value ends a text before the second mark, it is so: no other quote of an
# object, an array or a text with quotes can be followed by that mark.


def _cut_at_output(verified: bytes, line: bytes) -> Cut | None:
    start = verified.find(_OUTPUT)
    if start <= 0:
        return None
    value = start + len(_OUTPUT)
    end = verified.find(b'"', value + 1)
    rest = end + 1 if verified.startswith(_TEXT_THEN_SCORES, end) else start
    return _cut(verified, line, start, value, rest)


def _cut_at_scores(verified: bytes, line: bytes) -> Cut | None:
    start = verified.rfind(_SCORES)
    if start <= 0 or _REPEAT in verified[max(0, start - _REPEAT_BYTES) : start]:
        return None  # which trial it is would not be seen
    return _cut(verified, line, start, start + len(_SCORES), start)


def _cut(verified: bytes, line: bytes, start: int, end: int, rest: int) -> Cut | None:
    """The cut of a verified line at `rest`, and of the other at the mark from `start` to `end` if both are the same."""
    if line.startswith(verified[:end]):
        return b"{" + verified[rest + 1 :], b"{" + line[start + 1 :]
    return (b"{" + verified[rest + 1 :], line) if line.startswith(PREFIX) else None


def _all_sound(before: Sequence[JsonObject], after: Sequence[JsonObject], ranges: Ranges) -> bool:
    """Whether all records `after` are sound (see `record.SOUND`), and none of either side says which trial it is."""
    if True in map(contains, before, repeat("repeat")):
        return False
    if len(after) == 1:
        return "repeat" not in after[0] and is_sound(after[0], ranges)
    shapes = list(map(tuple, after))
    different = set(shapes)
    for shape in different:
        group, known = after, before
        if len(different) > 1:
            members = [names == shape for names in shapes]
            group, known = list(compress(after, members)), list(compress(before, members))
        for name in shape:
            column = list(map(itemgetter(name), group))
            if name == "tags" and _are_same(column, [fields.get(name) for fields in known]):
                continue
            if name == large_text.FIELD and all(map(large_text.is_sound, group)):
                continue  # where a text begins is beside it, or it takes a closer look
            if name == "repeat" or not _is_sound_column(name, column, ranges):
                return False
    return True


def _are_same(tags: Sequence[JsonValue], verified: Sequence[JsonValue]) -> bool:
    """Whether tags are those of verified records, in an order that the engine and RFC 8785 agree on."""
    if set(map(type, tags)) != {dict} or tags != verified:
        return False
    return "".join(map("".join, tags)).isascii()  # type: ignore[arg-type]  # objects: their names


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
        name in ranges and name.isascii() and _are_sound_numbers(list(map(itemgetter(name), objects)), *ranges[name])
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
