"""What people log, as plain JSON: a number, a param, or a clear refusal that names the thing.

Numbers of other libraries (numpy, torch, `Decimal`) come with `item()` or `__float__`; nothing of theirs is imported.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import SupportsIndex, cast

from runstore import canonical
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError, InvalidDataError
from runstore.tracking.points import holds

MAX_CHARACTERS = 1024 * 1024
"""Of one text that goes to the manifest, which takes 32 MiB with all that is in it."""


def number(name: str, value: object) -> int | float:
    """The number that a metric's value is: True is 1, an array of one element is that element.

    NaN, infinities and doubles from 2^53 are numbers here. Raises InvalidDataError for what is none, and for integers
    beyond ±(2^53-1).
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[return-value]  # its type says so
    plain = _plain(value)
    if isinstance(plain, bool):
        return int(plain)
    if type(plain) is int:
        if abs(plain) <= MAX_SAFE_INTEGER:
            return plain
        raise InvalidDataError(
            f"an integer of {plain.bit_length()} bits is beyond ±(2^53-1), where digits are lost",
            where=f"metric {name!r}",
            hint="log it as a param, in a string",
        )
    if type(plain) is float:
        return plain
    if not isinstance(plain, str | bytes) and hasattr(plain, "__float__"):
        with suppress(TypeError, ValueError, ArithmeticError, RuntimeError):  # an array, a signalling NaN, 10^400
            return float(plain)
    raise InvalidDataError(
        f"a {kind.__qualname__} is not a number", where=f"metric {name!r}", hint="log a number, or a tag for a text"
    )


def numbers(values: Mapping[str, object]) -> dict[str, int | float]:
    """`number` of each member. Raises InvalidDataError."""
    if not isinstance(values, Mapping):
        raise InvalidDataError(f"a {type(values).__qualname__} is no mapping of numbers", hint="pass {name: number}")
    return {name: number(name, value) for name, value in values.items()}


def _plain(value: object) -> object:
    """The value of a scalar of another library, a subclass or an enum as the type of JSON it stands for."""
    if isinstance(value, Enum):
        return _plain(value.value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    item = getattr(value, "item", None)
    if callable(item):
        try:
            return item()
        except (TypeError, ValueError, RuntimeError):  # more elements than one
            return value
    return value


def params(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Params as scalars: a mapping within is flattened with `.`, a list is the text of its JSON.

    Raises InvalidDataError for a name that is no text, and for what has no JSON form.
    """
    flat: dict[str, JsonValue] = {}
    for name, value in _flat(values, prefix, canonical.MAX_DEPTH):
        if name in flat:
            raise InvalidDataError("is given twice, flat and within a mapping", where=f"param {name!r:.80}")
        flat[name] = _param(name, value)
    yield from flat.items()


def _flat(values: Mapping[str, object], prefix: str, room: int) -> Iterator[tuple[str, object]]:
    if not isinstance(values, Mapping):
        raise InvalidDataError(f"a {type(values).__qualname__} is no mapping of params", hint="pass {name: value}")
    if not room:
        raise InvalidDataError(f"nested deeper than {canonical.MAX_DEPTH}", where=f"param {prefix[:80]!r}")
    for key, value in values.items():
        if not isinstance(key, str) or not key:
            raise InvalidDataError(f"{key!r:.80} is not the name of a param", hint="names are texts, and not empty")
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.", room - 1)
        else:
            yield prefix + key, value


def _param(name: str, value: object) -> JsonValue:
    plain = _plain(value)
    try:
        if isinstance(plain, list | tuple | Mapping):
            return _short(canonical.encode(_listed(plain, canonical.MAX_DEPTH)).decode(), f"the param {name!r:.80}")
        canonical.encode(plain)
    except CanonicalError as error:
        hint = error.hint or "log a text, a number, a boolean or None"
        raise InvalidDataError(error.message, where=f"param {name!r:.80}", hint=hint) from error
    if isinstance(plain, str):
        return _short(plain, f"the param {name!r:.80}")
    if type(plain) is float and plain.is_integer():
        return int(plain)  # 1.0 and 1 have one canonical text: they are one value
    return plain  # type: ignore[return-value]  # it has a canonical form, and is no container


def _listed(value: object, room: int) -> object:
    if not room:
        raise CanonicalError(f"nested deeper than {canonical.MAX_DEPTH}")
    if isinstance(value, Mapping):
        return {key: _listed(member, room - 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(member, room - 1) for member in value]
    return _plain(value)


def number_text(value: int | float) -> JsonValue:
    """A number as it stands in the journal: itself, or the text of a double that JSON cannot carry."""
    return value if holds(value) else repr(value)


def numbers_text(numbers: Mapping[str, int | float]) -> JsonValue:
    """`number_text` of each member."""
    if all(map(holds, numbers.values())):
        return dict(numbers)
    return {name: number_text(value) for name, value in numbers.items()}


def is_number(value: JsonValue) -> bool:
    """Whether a value of the journal is a number, and not the text of one that JSON cannot carry."""
    return isinstance(value, int | float)


def text(value: object, what: str) -> str:
    """A text that can be written. Raises InvalidDataError naming `what` it is."""
    if not isinstance(value, str):
        raise InvalidDataError(f"{what} must be a text, not {type(value).__qualname__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidDataError(f"{what} holds a lone surrogate, which has no UTF-8 form") from None
    return _short(str(value), what)


def _short(text: str, what: str) -> str:
    """A text that a manifest has room for."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidDataError(
            f"{what} has {len(text)} characters; the manifest takes {MAX_CHARACTERS}", hint="log it as an artifact"
        )
    return text


def name(value: object, what: str) -> str:
    """A text that is not empty. Raises InvalidDataError naming `what` it is."""
    if not text(value, what):
        raise InvalidDataError(f"{what} is empty")
    return str(value)


def step(value: object) -> int:
    """A step. Raises InvalidDataError for what is no integer from 0."""
    try:
        number = operator.index(cast(SupportsIndex, value))
    except TypeError:
        number = -1
    if isinstance(value, bool) or not 0 <= number <= canonical.MAX_SAFE_INTEGER:
        shown = type(value).__qualname__ if number > canonical.MAX_SAFE_INTEGER else f"{value!r:.40}"
        raise InvalidDataError(f"{shown} is not a step", hint="steps are integers from 0")
    return number
