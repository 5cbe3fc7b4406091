"""Canonical bytes by example: what is written, what is refused, and what a refusal says."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import math
from collections import OrderedDict
from typing import Any

import pytest

from runstore.canonical import (
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    decode,
    decode_document,
    dumps_plain,
    encode,
    encode_document,
    is_plain,
    jcs,
    loads,
    number_text,
    parse_loose,
    sha256,
)
from runstore.errors import CanonicalError

FORMAT_HINT = "`gate fmt` rewrites loose files canonically"
STRING_HINT = "carry it as a string"


class Text(str):
    __slots__ = ()


class Colour(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int = 1


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def refusal(act: Any, *args: Any, **options: Any) -> tuple[str, str, str]:
    with pytest.raises(CanonicalError) as caught:
        act(*args, **options)
    return caught.value.where, caught.value.message, caught.value.hint


NUMBERS = [
    (0, "0"),
    (-0.0, "0"),
    (1.0, "1"),
    (-1.0, "-1"),
    (10.0, "10"),
    (0.1, "0.1"),
    (-0.5, "-0.5"),
    (1e-5, "0.00001"),
    (1.5e-5, "0.000015"),
    (1e-6, "0.000001"),
    (9.5e-7, "9.5e-7"),
    (-1e-7, "-1e-7"),
    (5e-324, "5e-324"),
    (2.2250738585072014e-308, "2.2250738585072014e-308"),
    (0.30000000000000004, "0.30000000000000004"),
    (333333333.33333329, "333333333.3333333"),
    (1e15, "1000000000000000"),
    (1234567890123456.8, "1234567890123456.8"),
    (MAX_SAFE_INTEGER, "9007199254740991"),
    (-float(MAX_SAFE_INTEGER), "-9007199254740991"),
    (1e21, "1e+21"),
    (-1.5e300, "-1.5e+300"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
]
UNREADABLE = [
    (2.0**53, "9007199254740992"),
    (1e16, "10000000000000000"),
    (-1.5e17, "-150000000000000000"),
    (1e20, "100000000000000000000"),
    (999999999999999900000.0, "999999999999999900000"),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_a_number_has_one_text_and_it_reads_back(value: float, text: str) -> None:
    assert number_text(value) == text
    assert jcs(value) == encode(value) == jcs([value])[1:-1] == text.encode()
    assert decode(text.encode()) == value


@pytest.mark.parametrize(("value", "text"), UNREADABLE)
def test_a_double_whose_text_cannot_be_read_back_has_jcs_but_is_refused_by_encode(value: float, text: str) -> None:
    assert number_text(value) == text
    assert jcs(value) == text.encode()
    message = f"{value!r} has the canonical text {text}, an integer beyond ±(2^53-1), which cannot be read back"
    assert refusal(encode, {"a": [value]}) == ("/a/0", message, STRING_HINT)
    beyond = f"{text} is beyond ±(2^53-1), where readers lose digits"
    assert refusal(decode, text.encode()) == ("", beyond, STRING_HINT)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_and_never_become_null(value: float) -> None:
    expected = f"{value!r} is not a finite number, and JSON has no text for it"
    for act in (jcs, encode, encode_document):
        assert refusal(act, {"scores": {"f1": value}})[:2] == ("/scores/f1", expected)
    assert refusal(number_text, value)[:2] == ("", expected)


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 10**29])
def test_integers_beyond_the_safe_range_are_refused(value: int) -> None:
    expected = ("/0", f"{value} is beyond ±(2^53-1), where readers lose digits", STRING_HINT)
    assert refusal(jcs, [value]) == expected
    assert refusal(encode, [value]) == expected
    assert refusal(number_text, value) == ("", *expected[1:])


def test_an_enormous_integer_is_named_by_its_bits_and_never_printed() -> None:
    message = "an integer of 33220 bits is beyond ±(2^53-1), where readers lose digits"
    assert refusal(encode, {"n": 10**10000}) == ("/n", message, STRING_HINT)


FOREIGN: list[tuple[Any, str]] = [
    ((1, 2), "builtins.tuple"),
    (b"a", "builtins.bytes"),
    ({1}, "builtins.set"),
    (Text("a"), "Text"),
    (Colour.RED, "Colour"),
    (Point(), "Point"),
    (OrderedDict(a=1), "collections.OrderedDict"),
    (datetime.date(2024, 1, 1), "datetime.date"),
    (1j, "builtins.complex"),
]


@pytest.mark.parametrize(("value", "name"), FOREIGN)
def test_a_value_of_any_other_type_is_refused_even_if_the_engine_would_print_it(value: Any, name: str) -> None:
    for act in (jcs, encode, encode_document):
        where, message, hint = refusal(act, {"a/b~": [0, value]})
        assert (where, hint) == (
            "/a~1b~0/1",
            "convert it to a plain dict, list, str, int, float, bool or None first",
        )
        assert message.endswith(f"{name} is not a JSON type")
    assert not is_plain(value)
    assert not is_plain([value])


@pytest.mark.parametrize("value", [True, None, "1"])
def test_only_a_number_has_a_number_text(value: Any) -> None:
    assert refusal(number_text, value)[1] == f"builtins.{type(value).__name__} is not a JSON type"


@pytest.mark.parametrize("key", [1, None, True, 1.5, b"a", b"\xff", ("a",), Text("b")])
def test_a_key_that_is_not_a_string_is_refused(key: Any) -> None:
    message = f"the key {key!r} is not a string but {type(key).__name__}"
    for act in (jcs, encode, encode_document):
        assert refusal(act, [{"a": 1, key: 2}]) == ("/0", message, "")


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_a_lone_surrogate_is_refused_in_a_string_and_in_a_key(text: str) -> None:
    at = 1 if text[0] == "a" else 0
    message = f"lone surrogate U+{ord(text[at]):04X} at character {at} of a string: it has no UTF-8 form"
    for act in (jcs, encode, encode_document):
        assert refusal(act, {"a": text}) == ("/a", message, "")
        assert refusal(act, {"a": {text: 1}}) == ("/a", message, "")
    assert refusal(dumps_plain, text)[0] == ""


def test_nesting_to_the_limit_is_carried_and_one_more_is_refused_both_ways() -> None:
    deepest = nested(MAX_DEPTH)
    assert decode(encode(deepest)) == decode_document(encode_document(deepest)) == deepest
    assert jcs(deepest) == encode(deepest)
    assert parse_loose(jcs(deepest)) == deepest
    assert is_plain(deepest)
    too_deep = nested(MAX_DEPTH + 1)
    assert not is_plain(too_deep)
    for act in (jcs, encode, encode_document):
        where, message, _ = refusal(act, too_deep)
        assert (where.count("/"), message) == (MAX_DEPTH, "nested deeper than 64")
    text = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    assert refusal(decode, text)[1] == refusal(parse_loose, text)[1] == "nested deeper than 64"


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert refusal(encode, loop)[1] == "nested deeper than 64"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_hundred_thousand_openings_are_refused_without_a_traceback(opening: bytes) -> None:
    for act in (decode, decode_document, parse_loose):
        assert refusal(act, opening * 100_000)[1] == "nested deeper than 64"
    assert refusal(loads, opening * 100_000)[1].startswith("not JSON: ")


def test_keys_are_sorted_by_utf_16_where_utf_8_would_say_otherwise() -> None:
    value = {"\uffff": 1, "\U0001f600": 2, "é": 3, "b": 4, "a": 5, "": 6}
    assert not is_plain(value)
    assert encode(value) == '{"":6,"a":5,"b":4,"é":3,"\U0001f600":2,"\uffff":1}'.encode()
    assert decode(encode(value)) == value
    assert encode({"\uffff": 1, "\U00010000": 2}) == '{"\U00010000":2,"\uffff":1}'.encode()
    assert is_plain({"é": 1, "ü": {"\uffff": 2}})


def test_only_the_escapes_that_must_be_are_written() -> None:
    controls = "".join(map(chr, range(0x20)))
    expected = (
        rb'"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f'
        rb"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"
        b'\\"\\\\/\x7f\xe2\x80\xa8\xc2\x80"'
    )
    text = controls + '"\\/\x7f\u2028\x80'
    assert jcs(text) == encode(text) == dumps_plain(text) == expected
    assert decode(expected) == text


def test_a_document_has_a_member_a_line_and_ends_with_one_lf() -> None:
    value = {"b": [1.0, {}, [], [None, True]], "a": {"é": 1e-7}, "c": ""}
    text = """{
  "a": {
    "é": 1e-7
  },
  "b": [
    1,
    {},
    [],
    [
      null,
      true
    ]
  ],
  "c": ""
}
"""
    assert encode_document(value) == text.encode()
    assert decode_document(text.encode()) == value
    assert encode_document({}) == b"{}\n"


REFUSED_LINES = [
    (b'{"b":1,"a":2}', "byte 2", 'the key "b" is out of order'),
    (b'{"b a":1,"b":2}', "byte 3", 'the key "b a" is out of order'),
    (b"-0", "byte 0", "-0 must be written 0"),
    (b"-0.0", "byte 0", "-0.0 must be written 0"),
    (b"10.0", "byte 2", "10.0 must be written 10"),
    (b"[1,1E2]", "byte 4", "1E2 must be written 100"),
    (b"1e-400", "byte 0", "1e-400 must be written 0"),
    (b"1e21", "byte 2", "1e21 must be written 1e+21"),
    (b"1e-06", "byte 0", "1e-06 must be written 0.000001"),
    (b"0.1000000000000000055511151231257827", "byte 3", "0.1000000000000000055511151231257827 must be written 0.1"),
    (b'"\\u0061"', "byte 1", '"\\u0061" must be written "a"'),
    (b'{"\\u0061":1}', "byte 2", '"\\u0061" must be written "a"'),
    (b'"\\/"', "byte 1", '"\\/" must be written "/"'),
    (b'"\\u001B"', "byte 6", '"\\u001B" must be written "\\u001b"'),
    (b'"\\u000a"', "byte 2", '"\\u000a" must be written "\\n"'),
    (b'{"a": 1}', "byte 5", "white space that does not belong here"),
    (b" 1", "byte 0", "white space that does not belong here"),
    (b"1\n", "byte 1", "white space that does not belong here"),
    (b'"%s\\u0061"' % (b"x" * 70), "byte 71", f'"{"x" * 56}... must be written "{"x" * 56}...'),
]


@pytest.mark.parametrize(("line", "where", "cause"), REFUSED_LINES)
def test_a_line_that_is_json_but_not_canonical_is_refused_with_place_and_cause(
    line: bytes, where: str, cause: str
) -> None:
    assert refusal(decode, line) == (where, f"not canonical: {cause}", FORMAT_HINT)


def test_crlf_is_refused_with_the_word_about_git() -> None:
    expected = (
        "not canonical: CR: lines end with LF alone",
        "git or an editor changed the line ends; mark run folders `-text` in .gitattributes",
    )
    assert refusal(decode, b"{}\r") == ("byte 2", *expected)
    assert refusal(decode_document, b'{\r\n  "a": 1\r\n}\r\n') == ("byte 1", *expected)


REFUSED_BYTES = [
    (b"", "byte 0", "not JSON: Expecting value"),
    (b"{", "byte 1", "not JSON: Expecting property name enclosed in double quotes"),
    ('"é'.encode(), "byte 0", "not JSON: Unterminated string starting"),
    ('["é" 1]'.encode(), "byte 6", "not JSON: Expecting ',' delimiter"),
    (b'"\x1b"', "byte 1", "not JSON: Invalid control character"),
    (b"\xef\xbb\xbf1", "byte 0", "a byte order mark"),
    (b'"\xff"', "byte 1", "not UTF-8: invalid start byte"),
    (b'"\xed\xa0\x80"', "byte 1", "not UTF-8: invalid continuation byte"),
    (b'"\xc0\xaf"', "byte 1", "not UTF-8: invalid start byte"),
    ("1".encode("utf-16-le"), "byte 1", "not JSON: Extra data"),
    (b'["\\ud800"]', "/0", "lone surrogate U+D800 at character 0 of a string: it has no UTF-8 form"),
    (b'{"\\udc00":1}', "", "lone surrogate U+DC00 at character 0 of a string: it has no UTF-8 form"),
    (b'{"a":1,"a":1}', "", "the key 'a' stands twice in one object"),
    (b'{"a":[{"x":1,"y":2,"\\u0078":3}]}', "/a/0", "the key 'x' stands twice in one object"),
    (b'{"a":NaN}', "/a", "nan: a bare NaN or Infinity, or a number beyond the doubles"),
    (b"[1,-Infinity]", "/1", "-inf: a bare NaN or Infinity, or a number beyond the doubles"),
    (b"[1e999]", "/0", "inf: a bare NaN or Infinity, or a number beyond the doubles"),
    (b'{"n":' + b"1" * 5000 + b"}", "", "an integer of thousands of digits"),
]


@pytest.mark.parametrize(("data", "where", "message"), REFUSED_BYTES)
def test_what_is_not_json_or_is_doubtful_json_is_refused_by_every_reader(data: bytes, where: str, message: str) -> None:
    for act in (decode, decode_document, parse_loose):
        assert refusal(act, data)[:2] == (where, message)


@pytest.mark.parametrize("text", ["9007199254740992", "-9007199254740992", "18446744073709551616", "1" * 30])
def test_integers_beyond_the_safe_range_are_not_read_though_the_engine_would_round_them(text: str) -> None:
    message = f"{text} is beyond ±(2^53-1), where readers lose digits"
    assert refusal(decode, f'{{"n":{text}}}'.encode()) == ("/n", message, STRING_HINT)
    assert refusal(decode_document, f'{{\n  "n": {text}\n}}\n'.encode()) == ("/n", message, STRING_HINT)


REFUSED_DOCUMENTS = [
    (b"{}", "byte 2", "the text ends early (a document ends with one LF)"),
    (b"{}\n\n", "byte 3", "white space that does not belong here"),
    (b'{"a": 1\n}\n', "byte 1", "a line break or space is missing"),
    (b'{\n  "a":1\n}\n', "byte 8", "a line break or space is missing"),
    (b'{\n\t"a": 1\n}\n', "byte 2", "white space that does not belong here"),
    (b'{\n  "b": 1,\n  "a": 2\n}\n', "byte 5", 'the key "b" is out of order'),
    (b'{\n  "a": 1.0\n}\n', "byte 10", "1.0 must be written 1"),
]


@pytest.mark.parametrize(("data", "where", "cause"), REFUSED_DOCUMENTS)
def test_a_document_laid_out_otherwise_is_refused_with_place_and_cause(data: bytes, where: str, cause: str) -> None:
    assert refusal(decode_document, data) == (where, f"not canonical: {cause}", FORMAT_HINT)


def test_loose_reading_takes_what_people_write() -> None:
    text = b' {"b" : 10.0 ,\r\n\t"a":[ "\\u0061\\/", -0, 1E2 ], "c": 1e-400} '
    assert parse_loose(text) == {"b": 10.0, "a": ["a/", 0, 100.0], "c": 0.0}
    assert parse_loose(b"1" * 158) == int("1" * 158)
    assert parse_loose(b'{"a":1,"b":{"a":1}}') == {"a": 1, "b": {"a": 1}}


def test_loose_reading_hands_over_numbers_that_are_not_finite_only_when_asked() -> None:
    text = b'{"a":[NaN,Infinity,-Infinity,1e999]}'
    assert repr(parse_loose(text, non_finite=True)) == "{'a': [nan, inf, -inf, inf]}"
    assert refusal(parse_loose, text)[0] == "/a/0"


def test_loads_reads_any_json_and_says_where_it_is_not() -> None:
    assert loads(b'{"b":10.0,"a":[null]}') == {"b": 10.0, "a": [None]}
    assert refusal(loads, '["é",'.encode())[0] == "byte 6"
    assert refusal(loads, b'"\xff"')[1].startswith("not JSON: ")


def test_the_digest_is_the_sha_256_in_hexadecimal() -> None:
    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
