"""What can stand in a source that has no place in a run: the kinds, what each is called, and the flag that decides it.

Values only. The mapping finds misfits, decisions say what becomes of them, the report counts and places them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The stable names of the kinds, in the order in which they are reported."""

    BAD_LINE = "bad-line"
    MISSING_ID = "missing-id"
    BAD_ID = "bad-id"
    TWIN_IDS = "twin-ids"
    MISSING_SCORE = "missing-score"
    TEXT_SCORE = "text-score"
    BAD_SCORE = "bad-score"
    UNSAFE_SCORE = "unsafe-score"
    OUT_OF_RANGE = "out-of-range"
    BAD_STATUS = "bad-status"
    BAD_REPEAT = "bad-repeat"
    BAD_VALUE = "bad-value"


class Misfit(NamedTuple):
    """One thing that does not fit: its kind, the score or field it stands in, and the value as it may be shown."""

    kind: Kind
    field: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """How a kind is reported: what is counted, and the flag that decides it with its choices besides `error`."""

    counted: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    advice: str = ""


EXPLANATIONS = {
    Kind.BAD_LINE: Explanation(counted="lines or elements that are no record", flag="--on-bad-line", choices=("skip",)),
    Kind.MISSING_ID: Explanation(counted="records without an id", flag="--on-missing-id", choices=("skip",)),
    Kind.BAD_ID: Explanation(
        counted="ids that are neither text nor an integer", advice="name another field with --id, or mend the source"
    ),
    Kind.TWIN_IDS: Explanation(
        counted="ids that stand twice or more", flag="--on-duplicate", choices=("first", "last")
    ),
    Kind.MISSING_SCORE: Explanation(
        counted="scores that are no finite number (absent, null, NaN, infinite)",
        flag="--on-missing-score",
        choices=("skip", "fail"),
    ),
    Kind.TEXT_SCORE: Explanation(counted="scores that are text", flag="--on-text-score", choices=("skip", "number")),
    Kind.BAD_SCORE: Explanation(
        counted="scores that are an object or an array", advice="name a field inside it: --score NAME=FIELD.INNER"
    ),
    Kind.UNSAFE_SCORE: Explanation(
        counted="scores that are integers beyond ±(2^53-1)", flag="--on-unsafe-score", choices=("skip",)
    ),
    Kind.OUT_OF_RANGE: Explanation(
        counted="scores outside the declared range", flag="--on-out-of-range", choices=("skip",)
    ),
    Kind.BAD_STATUS: Explanation(
        counted="statuses other than ok, error and skipped", advice="mend the source, or leave --status out"
    ),
    Kind.BAD_REPEAT: Explanation(
        counted="repeats that are no integer from 1", advice="mend the source, or leave --repeat out"
    ),
    Kind.BAD_VALUE: Explanation(
        counted="fields with a value that a run cannot carry", flag="--on-bad-value", choices=("skip",)
    ),
}
