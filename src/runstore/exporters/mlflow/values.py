"""What becomes of a value at MLflow: a param, a number, a long text in; what the server holds exactly out.

Its params are texts, its metrics doubles. Its REST API reads a bare NaN as 0.0, silently drops all that comes after it
in the request, and answers 200; an infinity becomes the largest double. So neither is ever sent as such: the table is
in docs/exporting-mlflow.md.
"""

from __future__ import annotations

import hashlib
import math

from runstore import canonical
from runstore.canonical import JsonValue

PARAM_CHARS = 6000
"""mlflow/utils/validation.py, MAX_PARAM_VAL_LENGTH, MLflow 2.9 to 3.17."""
TAG_CHARS = 5000
"""MAX_TAG_VAL_LENGTH of MLflow 2.9; newer servers hold 8,000."""
NAME_CHARS = 250
DATASET_NAME_CHARS = 500
DATASET_DIGEST_CHARS = 36
PATHLIKE = r"^/|/(?=/)|/$|(?:(?<=/)|^)\.{1,2}(?=/|$)|^\.\.|^ | $"
"""A name may be a path on the server's disk: what leads elsewhere, or would be written in another way, is escaped."""
_TAIL_DIGITS = 16


def param_text(value: JsonValue) -> str:
    """A param as text: a string as it is, all else its JSON text, so that a number reads back equal."""
    return value if isinstance(value, str) else canonical.jcs(value).decode()


def is_converted(value: JsonValue) -> bool:
    """Whether the text of a param no longer tells what it was: `true` and `null` may be texts or not."""
    return value is None or isinstance(value, bool)


def metric_value(value: object) -> float | None:
    """The double that is exactly this number; None if there is none that MLflow holds (NaN, an infinity, no number)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number == value else None


def cut(text: str, most: int) -> str:
    """A text of at most so many characters; of a longer one the beginning, and the digest of the whole at the end."""
    if len(text) <= most:
        return text
    tail = f"… [cut; sha256 {hashlib.sha256(text.encode()).hexdigest()[:_TAIL_DIGITS]}]"
    return text[: most - len(tail)] + tail
