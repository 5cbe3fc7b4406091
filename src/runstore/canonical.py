"""The canonical form: JSON values in, bytes out and back, and nothing lost between (docs/format.md, section 2).

The form is RFC 8785 (JCS). orjson is the engine, never the definition: a walk first asks whether the engine's text of
this value is certainly the JCS text (`is_plain`); if not, the value is rebuilt with sorted keys and with every odd
number as text of our own. One law reads: `encode(decode(data)) == data`; it needs no list of what is forbidden.
This is the only module that knows orjson. Source of the form: https://www.rfc-editor.org/rfc/rfc8785
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import orjson

from runstore.errors import CanonicalError

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
"""What a JSON text denotes. Exactly these types: a subclass (an enum, a numpy float) is refused."""

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every reader of JSON holds exactly (RFC 8785, section 3.2.2.3)."""
MAX_DEPTH = 64
"""A scalar has depth 0; each array or object around it adds 1."""

REPORT_DEPTH = MAX_DEPTH + 8
"""What `jcs_document` allows: a report holds whole records some levels down."""

# Below, UTF-8 order (the engine's) and UTF-16 order (RFC 8785, section 3.2.3) agree. From here characters are surrogate
# pairs in UTF-16, which begin with D800 to DBFF and so sort before U+E000 to U+FFFF; in UTF-8 they sort after.
_ORDERS_DIFFER_FROM = "\U00010000"
_SORTED = orjson.OPT_SORT_KEYS
_LAID_OUT = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def is_plain(value: Any, room: int = MAX_DEPTH - 1) -> bool:  # noqa: C901  # one loop without calls: the hot path
    """True only if the engine's text of the value, keys sorted, is certainly its RFC 8785 text, or the engine refuses.

    (It refuses lone surrogates and keys that are not strings.) Whatever is doubtful, rare or forbidden gives False:
    integral, tiny and huge doubles, integers beyond the safe range, keys whose order may differ, types that are not
    JSON. `room` is how many arrays and objects may still be opened within the value.
    """
    kind = type(value)
    if kind is dict:
        try:
            for key in value:
                if not key.isascii() and max(key) >= _ORDERS_DIFFER_FROM:
                    return False
        except (AttributeError, TypeError):  # not a string
            return False
    for item in value.values() if kind is dict else value if kind is list else (value,):
        kind = type(item)
        if kind is str:
            continue
        if kind is float:
            if not (1e-5 < item < 1e15 or -1e15 < item < -1e-5) or item % 1 == 0:
                return False
        elif kind is dict or kind is list:
            if not room or not is_plain(item, room - 1):
                return False
        elif kind is int:
            if not -9007199254740991 <= item <= 9007199254740991:  # constants cost less than names
                return False
        elif kind is not bool and item is not None:
            return False
    return True


def dumps_plain(value: object) -> bytes:
    """The canonical bytes of a value for which `is_plain` holds; of any other value, not to be used.

    Raises CanonicalError for a lone surrogate.
    """
    try:
        return orjson.dumps(value, option=_SORTED)
    except orjson.JSONEncodeError as error:
        raise CanonicalError(str(error)) from None


def dumps_all_plain(values: Sequence[object]) -> list[bytes]:
    """`dumps_plain` of several values at the engine's own pace. Raises CanonicalError."""
    try:
        return list(map(orjson.dumps, values, repeat(None), repeat(_SORTED)))
    except orjson.JSONEncodeError as error:
        raise CanonicalError(str(error)) from None


def loads_all(texts: Sequence[bytes]) -> list[JsonValue]:
    """`loads` of several texts at the engine's own pace. Raises CanonicalError."""
    try:
        return list(map(orjson.loads, texts))
    except orjson.JSONDecodeError as error:
        raise CanonicalError(str(error)) from None


def encode(value: object) -> bytes:
    """The canonical line of a value, without LF: its RFC 8785 text, and one that `decode` reads back as an equal value.

    Raises CanonicalError with `where` a JSON pointer: for what `jcs` refuses, and for doubles whose text is an integer
    beyond the safe range (2^53 <= |x| < 10^21).
    """
    if is_plain(value):
        try:
            return orjson.dumps(value, option=_SORTED)
        except orjson.JSONEncodeError:
            pass  # a lone surrogate: the rebuilding says where
    return _rebuilt(value)


def _rebuilt(value: object) -> bytes:
    return orjson.dumps(_settled(value, MAX_DEPTH, _readable_float))


def encode_document(value: object) -> bytes:
    """The canonical document of a value: the scalars and key order of `encode`, two-space indent, one LF at the end.

    Raises CanonicalError with `where` a JSON pointer.
    """
    return orjson.dumps(_settled(value, MAX_DEPTH, _readable_float), option=_LAID_OUT)


def jcs_document(value: object) -> bytes:
    """`encode_document` without its restriction to what `decode` reads back: any finite double, as `jcs` does.

    For output that tools read and that is no file of a run. Raises CanonicalError with `where` a JSON pointer.
    """
    if type(value) is dict and value:
        try:
            return _document_by_member(value)
        except (orjson.JSONEncodeError, CanonicalError, TypeError):
            pass  # the rebuilding of the whole says what is wrong, and where; and it orders names that are not ASCII
    return orjson.dumps(_settled(value, REPORT_DEPTH, _any_float), option=_LAID_OUT)


def _document_by_member(value: dict[str, Any]) -> bytes:
    """`jcs_document` of an object: each member of which the engine's text is right is written by it in one go.

    Raises TypeError for names that are not ASCII, CanonicalError or an error of the engine for what cannot be written.
    """
    if not all(map(str.isascii, value)):
        raise TypeError
    members = []
    for name in sorted(value):
        part = value[name]
        if is_plain(part, REPORT_DEPTH - 2):
            text = orjson.dumps({name: part}, option=_SORTED | orjson.OPT_INDENT_2)
        else:
            text = orjson.dumps({name: _settled(part, REPORT_DEPTH - 1, _any_float)}, option=orjson.OPT_INDENT_2)
        members.append(text[2:-2])  # without the brace and the line feed at either end
    return b"{\n" + b",\n".join(members) + b"\n}\n"


def jcs(value: object) -> bytes:
    """The RFC 8785 text of a value, any finite double included, without LF.

    Raises CanonicalError with `where` a JSON pointer for NaN, infinities, integers beyond ±(2^53-1), lone surrogates,
    keys that are not strings, nesting past MAX_DEPTH, and types that are not JSON.
    """
    return orjson.dumps(_settled(value, MAX_DEPTH, _any_float))


def number_text(value: int | float) -> str:
    """The RFC 8785 text of a finite number (ECMA-262, Number::toString). Raises CanonicalError as `jcs` does."""
    if type(value) is int:
        return str(_safe_integer(value))
    if type(value) is not float:
        raise _not_a_json_type(value)
    text = repr(value)
    if "e" not in text:
        if text.endswith(".0"):
            return "0" if text == "-0.0" else text[:-2]
        if "n" in text:
            raise _not_finite(value)
        return text
    mantissa, _, exponent = text.partition("e")
    power = int(exponent)
    if not -7 < power < 21:
        return f"{mantissa}e{power:+d}"
    sign = "-" if mantissa[0] == "-" else ""
    digits = mantissa.lstrip("-").replace(".", "")
    return sign + (digits.ljust(power + 1, "0") if power > 0 else "0." + "0" * (-power - 1) + digits)


def _not_finite(value: float) -> CanonicalError:
    return CanonicalError(
        f"{value!r} is not a finite number, and JSON has no text for it", hint="leave the member out, or write null"
    )


def _not_a_json_type(value: object) -> CanonicalError:
    kind = type(value)
    return CanonicalError(
        f"{kind.__module__}.{kind.__qualname__} is not a JSON type",
        hint="convert it to a plain dict, list, str, int, float, bool or None first",
    )


def _safe_integer(value: int) -> int:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    shown = str(value) if value.bit_length() < 100 else f"an integer of {value.bit_length()} bits"
    raise CanonicalError(f"{shown} is beyond ±(2^53-1), where readers lose digits", hint="carry it as a string")


def _any_float(value: float) -> object:
    if value.is_integer() and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return int(value)
    if 1e-5 < abs(value) < 1e15:
        return value
    return orjson.Fragment(number_text(value))


def _readable_float(value: float) -> object:
    if MAX_SAFE_INTEGER < abs(value) < 1e21:
        raise CanonicalError(
            f"{value!r} has the canonical text {number_text(value)}, an integer beyond ±(2^53-1), "
            "which cannot be read back",
            hint="carry it as a string",
        )
    return _any_float(value)


def _in_order(members: dict[Any, object]) -> list[str]:
    """The keys in the order of RFC 8785: by UTF-16 code units."""
    if set(map(type, members)) <= {str} and "".join(members).isascii():
        return sorted(members)
    return sorted(members, key=_utf16)


def _utf16(key: object) -> bytes:
    if type(key) is not str:
        raise CanonicalError(f"the key {key!r} is not a string but {type(key).__qualname__}")
    return _sound_text(key).encode("utf-16-be")


def _sound_text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise CanonicalError(
                f"lone surrogate U+{ord(text[error.start]):04X} at character {error.start} of a string: "
                "it has no UTF-8 form"
            ) from None
    return text


def _settled(value: Any, room: int, settle_float: Callable[[float], object]) -> object:
    """The value rebuilt so that the engine, left to the order it finds, prints its RFC 8785 text."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _sound_text(value)
    if kind is float:
        return settle_float(value)
    if kind is int:
        return _safe_integer(value)
    if kind is bool or value is None:
        return value
    if kind is not dict and kind is not list:
        raise _not_a_json_type(value)
    if not room:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
    pairs = enumerate(value) if kind is list else [(key, value[key]) for key in _in_order(value)]
    settled = {}
    segment: object = ""
    try:
        for segment, item in pairs:
            settled[segment] = _settled(item, room - 1, settle_float)
    except CanonicalError as error:
        raise _seen_from(str(segment), error) from None
    return settled if kind is dict else list(settled.values())


def _seen_from(segment: str, error: CanonicalError) -> CanonicalError:
    """The error with `where` seen from one level up (JSON pointer, RFC 6901)."""
    shown = segment.replace("~", "~0").replace("/", "~1")
    return CanonicalError(error.message, where=f"/{shown}{error.where}", hint=error.hint)


def loads(data: bytes) -> JsonValue:
    """The value of bytes already known to be canonical. Checks that they are JSON and nothing more.

    Raises CanonicalError with `where` a byte offset.
    """
    try:
        return orjson.loads(data)  # type: ignore[no-any-return]
    except orjson.JSONDecodeError as error:
        raise _not_json(error) from None


def _not_json(error: json.JSONDecodeError) -> CanonicalError:
    before = len(error.doc[: error.pos].encode())
    return CanonicalError(f"not JSON: {error.msg.removesuffix(' at')}", where=f"byte {before}")


def decode(data: bytes) -> JsonValue:
    """The value of a canonical line, given without its LF: `encode(decode(data)) == data`.

    Raises CanonicalError for any other bytes, with `where` a byte offset, or a JSON pointer where a value is at fault.
    """
    try:
        value: JsonValue = orjson.loads(data)
        if (orjson.dumps(value, option=_SORTED) if is_plain(value) else _rebuilt(value)) == data:
            return value
    except (orjson.JSONDecodeError, CanonicalError):
        pass  # the engine reads huge integers as doubles: what it says of a value may not be what the bytes say
    raise _refusal(data, encode)


def decode_document(data: bytes) -> JsonValue:
    """The value of a canonical document, final LF included: `encode_document(decode_document(data)) == data`.

    Raises CanonicalError as `decode` does.
    """
    try:
        value: JsonValue = orjson.loads(data)
        if encode_document(value) == data:
            return value
    except (orjson.JSONDecodeError, CanonicalError):
        pass
    raise _refusal(data, encode_document)


def _refusal(data: bytes, layout: Callable[[object], bytes]) -> CanonicalError:
    """Why these bytes are not canonical. Slow and exact; only for bytes that are refused already."""
    try:
        return _difference(data, layout(parse_loose(data)))
    except CanonicalError as error:
        return error


_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[ \t\r\n]++|[^" \t\r\n,:\[\]{}]++|.', re.DOTALL)
_WHITE = b" \t\r\n"
_FORMAT_HINT = "`gate fmt` rewrites loose files canonically"
_LINE_END_HINT = "git or an editor changed the line ends; mark run folders `-text` in .gitattributes"


def _difference(data: bytes, want: bytes) -> CanonicalError:
    size = min(len(data), len(want))
    # The length of the longest common prefix: so many prefixes agree.
    at = bisect.bisect_left(range(size), True, key=lambda end: data[: end + 1] != want[: end + 1])
    hint = _LINE_END_HINT if data[at : at + 1] == b"\r" else _FORMAT_HINT
    return CanonicalError(f"not canonical: {_cause(data, want, at)}", where=f"byte {at}", hint=hint)


def _cause(data: bytes, want: bytes, at: int) -> str:
    if at == len(data):
        return "the text ends early (a document ends with one LF)"
    start, token = next((found.start(), found.group()) for found in _TOKEN.finditer(data) if found.end() > at)
    if token[0] in _WHITE:
        return "CR: lines end with LF alone" if data[at] == 0x0D else "white space that does not belong here"
    if at == start and at < len(want) and want[at] in _WHITE:
        return "a line break or space is missing"
    right = jcs(parse_loose(token))
    if token == right:
        return f"the key {_shown(token)} is out of order"
    return f"{_shown(token)} must be written {_shown(right)}"


def _shown(token: bytes) -> str:
    text = token.decode(errors="replace")
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Twice:
    """Stands for an object in which a key stands twice, until the walk knows its place."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key


def _members(pairs: list[tuple[str, object]]) -> object:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen: set[str] = set()
    return _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


_LOOSE = json.JSONDecoder(object_pairs_hook=_members)


def parse_loose(data: bytes, *, non_finite: bool = False) -> JsonValue:
    """The value of any RFC 8259 text in UTF-8: free white space, key order and number forms; integers exact.

    With `non_finite`, the bare tokens NaN, Infinity and -Infinity and numbers beyond the doubles (1e999) come back as
    float nan and inf, for the caller to name. Raises CanonicalError (`where` a byte offset or a JSON pointer) for what
    is not JSON, a key that stands twice, a byte order mark, invalid UTF-8, lone surrogates, nesting past MAX_DEPTH.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise CanonicalError("a byte order mark", where="byte 0", hint="save the file as UTF-8 without BOM")
    try:
        value = _LOOSE.decode(data.decode())
    except UnicodeDecodeError as error:
        raise CanonicalError(f"not UTF-8: {error.reason}", where=f"byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH}") from None
    except ValueError:  # Python refuses to convert integers past some thousands of digits
        raise CanonicalError("an integer of thousands of digits", hint="carry it as a string") from None
    _check_loose(value, MAX_DEPTH, non_finite)
    return value  # type: ignore[no-any-return]


def _check_loose(value: Any, room: int, non_finite: bool) -> None:
    kind = type(value)
    if kind is str:
        _sound_text(value)
    elif kind is float:
        if not (non_finite or math.isfinite(value)):
            raise CanonicalError(f"{value!r}: a bare NaN or Infinity, or a number beyond the doubles")
    elif kind is _Twice:
        raise CanonicalError(f"the key {value.key!r} stands twice in one object")
    elif kind is dict or kind is list:
        if not room:
            raise CanonicalError(f"nested deeper than {MAX_DEPTH}")
        for key in value if kind is dict else ():
            _sound_text(key)
        segment: object = ""
        pairs = value.items() if kind is dict else enumerate(value)
        try:
            for segment, item in pairs:  # noqa: B007  # named in the error below
                if not (type(item) is str and item.isascii()):  # most items need no call
                    _check_loose(item, room - 1, non_finite)
        except CanonicalError as error:
            raise _seen_from(str(segment), error) from None


def sha256(data: bytes) -> str:
    """The SHA-256 of the bytes, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
