"""Keystrokes: what a key sends is one key, however it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reviewing.keystrokes import END, OTHER, next_key, next_line


def keys(data: bytes) -> tuple[list[str], bytes]:
    found: list[str] = []
    while True:
        key, data = next_key(data)
        if key is None:
            return found, data
        found.append(key)


@pytest.mark.parametrize(
    ("data", "expected", "rest"),
    [
        (b"yn", ["y", "n"], b""),
        (b"\x1b[A", [OTHER], b""),
        (b"\x1b[1;5Ay", [OTHER, "y"], b""),
        (b"\x1bOAy", [OTHER, "y"], b""),
        (b"\x1b[3~d", [OTHER, "d"], b""),
        (b"\x1b\x1b[Ay", [OTHER, "y"], b""),
        (b"\x1by", [OTHER], b""),
        (b"\x1b", [], b"\x1b"),
        (b"\x1b[", [], b"\x1b["),
        (b"\x1b[1;", [], b"\x1b[1;"),
        (b"\x1bO", [], b"\x1bO"),
        (b"\x04", [END], b""),
        (b"\n", ["\n"], b""),
        ("äA".encode(), ["ä", "A"], b""),
        ("ä".encode()[:1], [], b"\xc3"),
        (b"\xc3A", [OTHER, "A"], b""),
        (b"\xffy", [OTHER, "y"], b""),
        (b"\xf0y", [], b"\xf0y"),
        (b"\xf0123", [OTHER, "1", "2", "3"], b""),
        (b"\x80y", [OTHER, "y"], b""),
    ],
)
def test_bytes_are_these_keys(data: bytes, expected: list[str], rest: bytes) -> None:
    assert keys(data) == (expected, rest)


@given(st.sampled_from([b"\x1b[A", b"\x1bOA", b"\x1b[1;5A", b"\x1b[15~", "ä".encode()]), st.data())
def test_a_key_that_comes_in_pieces_is_the_same_key(sent: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(sent) - 1))
    assert next_key(sent[:cut]) == (None, sent[:cut])
    assert keys(sent)[0] == keys(sent[:cut] + sent[cut:])[0]
    assert len(keys(sent)[0]) == 1


@given(st.binary(max_size=20))
def test_any_bytes_are_taken_in(data: bytes) -> None:
    found, rest = keys(data)
    assert len(rest) < 16 or rest.startswith(b"\x1b")
    assert len(found) <= len(data)


def test_a_line_ends_with_its_line_feed() -> None:
    assert next_line(b"why\nrest") == ("why", b"rest")
    assert next_line(b"why") == (None, b"why")
    assert next_line(b"\xff\n") == ("\udcff", b"")
