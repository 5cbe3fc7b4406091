"""Laws of the canonical form, each named after itself."""

from __future__ import annotations

import json
import math
import re
import struct
from typing import Any

import rfc8785
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runstore.canonical import (
    MAX_SAFE_INTEGER,
    decode,
    decode_document,
    dumps_plain,
    encode,
    encode_document,
    is_plain,
    jcs,
    jcs_document,
    loads,
    number_text,
    parse_loose,
)
from runstore.errors import CanonicalError

_SAFE = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
_DOUBLES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e-4, 1e-4),
    st.integers(-(2**70), 2**70).map(float),
    st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]).filter(math.isfinite),
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# Keys near the place where the orders of UTF-8 and UTF-16 part.
_KEYS = st.one_of(_TEXT, st.text(st.sampled_from('ab\u00e9\ud7ff\ue000\uffff\U00010000\U0001f600\n"\\'), max_size=4))


def _trees(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars, lambda below: st.lists(below, max_size=5) | st.dictionaries(_KEYS, below, max_size=5), max_leaves=12
    )


_SCALARS = st.one_of(st.none(), st.booleans(), _SAFE, _TEXT)
_VALUES = _trees(_SCALARS | _DOUBLES)
_CARRIED = _trees(_SCALARS | _DOUBLES.filter(lambda x: not MAX_SAFE_INTEGER < abs(x) < 1e21))
_ODD = st.one_of(
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=3),
    st.sampled_from([(), b"", {1: 2}, {b"\xff": 1}, {"\ud800": 1}, object()]),
)


def _outcome(act: Any, value: Any) -> bytes | None:
    try:
        result: bytes = act(value)
    except CanonicalError:
        return None
    return result


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@given(_VALUES)
@example([1e20, 1e21, 1e-6, 1e-7, -0.0, 5e-324, 1.0])
@example({"\uffff": 1, "\U0001f600": 2})
def test_jcs_equals_the_reference_package(value: Any) -> None:
    assert jcs(value) == rfc8785.dumps(value)


@given(_CARRIED | st.dictionaries(_TEXT, _CARRIED))
@example({"b": {"z": 1, "a": "x"}, "a": [1e-7, {"\uffff": 1, "\U0001f600": 2}]})
def test_the_document_for_tools_is_the_document_where_both_are(value: Any) -> None:
    assert jcs_document(value) == encode_document(value)


@given(st.dictionaries(_TEXT, _trees(_SCALARS | _DOUBLES | _ODD)))
def test_the_document_for_tools_is_refused_where_the_text_is_and_says_the_same(value: Any) -> None:
    errors = []
    for act in (jcs, jcs_document):
        try:
            act(value)
        except CanonicalError as error:
            errors.append(str(error))
    assert len(errors) in (0, 2)
    assert len(set(errors)) <= 1


@given(_DOUBLES)
def test_a_number_text_is_its_jcs(value: float) -> None:
    assert number_text(value).encode() == jcs(value)
    assert float(number_text(value)) == value


@given(_SAFE)
def test_an_integer_text_is_its_jcs(value: int) -> None:
    assert number_text(value).encode() == jcs(value)


@given(_CARRIED)
def test_what_is_encoded_reads_back_equal_and_is_encoded_the_same(value: Any) -> None:
    line = encode(value)
    assert line == jcs(value)
    assert decode(line) == value
    assert loads(line) == value
    assert encode(decode(line)) == line


@given(_CARRIED)
def test_a_document_reads_back_equal_and_holds_the_same_scalars_in_the_same_order(value: Any) -> None:
    document = encode_document(value)
    assert decode_document(document) == value
    assert encode_document(decode_document(document)) == document
    assert document.endswith(b"\n")
    assert parse_loose(document) == parse_loose(encode(value))
    # The other layout, told independently: the standard library lays out what the line holds.
    numbers_as_text = json.loads(encode(value), parse_int=_Raw, parse_float=_Raw)
    assert document.decode() == _laid_out(numbers_as_text) + "\n"


class _Raw(str):
    """The text of a number, kept as it stands."""

    __slots__ = ()


def _laid_out(value: Any, indent: str = "\n") -> str:
    if isinstance(value, _Raw):
        return str(value)
    inner = indent + "  "
    if isinstance(value, dict) and value:
        return "{" + ",".join(f"{inner}{_as_text(k)}: {_laid_out(v, inner)}" for k, v in value.items()) + indent + "}"
    if isinstance(value, list) and value:
        return "[" + ",".join(inner + _laid_out(item, inner) for item in value) + indent + "]"
    return _as_text(value)


@given(_trees(_SCALARS | _DOUBLES | _ODD))
@example({b"\xff": 1})
@example(["\ud800"])
def test_what_is_plain_the_engine_prints_as_jcs_or_both_refuse(value: Any) -> None:
    assume(is_plain(value))
    assert _outcome(dumps_plain, value) == _outcome(jcs, value) == _outcome(encode, value)


@given(_trees(_SCALARS | st.floats(1e-4, 1e14).filter(lambda x: not x.is_integer())))
def test_ordinary_values_are_plain_unless_a_key_lies_past_the_parting_of_orders(value: Any) -> None:
    past = any(char >= "\U00010000" for char in _as_text(value))
    assert is_plain(value) or past


@given(_trees(_SCALARS | _DOUBLES | _ODD))
def test_whatever_is_given_the_answer_is_bytes_that_read_back_or_a_canonical_error(value: Any) -> None:
    line, document = _outcome(encode, value), _outcome(encode_document, value)
    assert (line is None) == (document is None)
    assert line is None or decode(line) == value


@given(
    st.binary(max_size=40)
    | st.text(st.sampled_from('{}[]":,0-1e.+ \n\r\\ud8aNtrue\u00e9'), max_size=25).map(str.encode)
)
def test_on_any_bytes_reading_obeys_the_law_or_raises_a_canonical_error(data: bytes) -> None:
    for read, write in ((decode, encode), (decode_document, encode_document)):
        try:
            value = read(data)
        except CanonicalError:
            continue
        assert write(value) == data


@given(_CARRIED, st.data())
def test_one_changed_byte_never_reads_as_the_same_value(value: Any, data: st.DataObject) -> None:
    line = encode(value)
    at = data.draw(st.integers(0, len(line) - 1))
    other = line[:at] + bytes([data.draw(st.integers(0, 255))]) + line[at + 1 :]
    assume(other != line)
    try:
        read = decode(other)
    except CanonicalError:
        return
    assert encode(read) == other


@given(
    _trees(_SCALARS | _DOUBLES | st.integers()),
    st.sampled_from([None, 0, 1, "\t"]),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t:")]),
)
def test_loose_reading_agrees_with_the_standard_library(
    value: Any, indent: Any, ascii_only: bool, separators: tuple[str, str]
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=separators)
    assert repr(parse_loose(text.encode())) == repr(json.loads(text))


@given(
    st.dictionaries(_KEYS, _SCALARS, min_size=1, max_size=4),
    st.sampled_from([":", " :", ": ", "\n:"]),
    st.data(),
)
def test_a_key_that_stands_twice_is_always_refused(members: dict[str, Any], colon: str, data: st.DataObject) -> None:
    pairs = [*members.items(), (data.draw(st.sampled_from(sorted(members))), ":")]
    inner = ",".join(f"{json.dumps(key)}{colon}{json.dumps(item)}" for key, item in pairs)
    for text in (f"{{{inner}}}", f'[0,{{"deep":{{{inner}}}}}]'):
        assert _outcome(parse_loose, text.encode()) is None
        assert _outcome(decode, text.encode()) is None


_REPORTS = st.dictionaries(
    _KEYS,
    st.recursive(_DOUBLES | _SAFE, lambda inner: st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6),
    min_size=1,
)


@given(_REPORTS)
def test_a_report_is_its_canonical_text_laid_out(value: dict[str, Any]) -> None:
    laid_out = jcs_document(value)
    assert jcs(value) == re.sub(rb'("(?:[^"\\]|\\.)*")|\s+', rb"\1", laid_out)
    within = jcs_document({"": value})
    assert within == b'{\n  "": %b\n}\n' % laid_out.removesuffix(b"\n").replace(b"\n", b"\n  ")
