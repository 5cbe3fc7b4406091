"""JSONTestSuite: n_ must be refused, y_ is valid JSON, i_ is left to the reader.

Source: https://github.com/nst/JSONTestSuite
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runstore.canonical import JsonValue, decode, decode_document, encode, encode_document, parse_loose
from runstore.errors import CanonicalError

TWICE = "the key 'a' stands twice in one object"
REFUSED_VALID = {"y_object_duplicated_key.json": TWICE, "y_object_duplicated_key_and_value.json": TWICE}
"""Valid JSON that no reader of ours takes: which of the two members counts is left open by RFC 8259."""
# Left to the reader: these we take when reading loosely (underflow is 0, integers are exact), and only these.
TAKEN_LOOSELY = {
    "i_number_double_huge_neg_exp.json": "[0.0]",
    "i_number_real_underflow.json": "[0.0]",
    "i_number_too_big_neg_int.json": "[-123123123123123123123123123123]",
    "i_number_too_big_pos_int.json": "[100000000000000000000]",
    "i_number_very_big_negative_int.json": "[-237462374673276894279832749832423479823246327846]",
}
READERS = [decode, decode_document, parse_loose]


@pytest.fixture
def suite(conformance: Path) -> Path:
    return conformance / "json_test_suite"


def outcomes(suite: Path, kind: str, read: Callable[[bytes], JsonValue]) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """What is taken, with its value, and what is refused, with the message; anything else raised fails the test."""
    taken: dict[str, JsonValue] = {}
    refused: dict[str, str] = {}
    for path in sorted(suite.glob(f"{kind}_*.json")):
        try:
            taken[path.name] = read(path.read_bytes())
        except CanonicalError as error:
            refused[path.name] = error.message
    return taken, refused


@pytest.mark.parametrize("read", READERS)
def test_all_invalid_files_are_refused_with_a_message(suite: Path, read: Callable[[bytes], JsonValue]) -> None:
    taken, refused = outcomes(suite, "n", read)
    assert taken == {}
    assert len(refused) == 188
    assert all(refused.values())


def test_all_valid_files_are_read_loosely_but_those_with_a_key_twice(suite: Path) -> None:
    taken, refused = outcomes(suite, "y", parse_loose)
    assert refused == REFUSED_VALID
    assert len(taken) == 95 - len(REFUSED_VALID)


def test_what_is_read_loosely_from_valid_files_can_be_carried(suite: Path) -> None:
    taken, _ = outcomes(suite, "y", parse_loose)
    assert {name: decode(encode(value)) for name, value in taken.items()} == taken
    assert {name: decode_document(encode_document(value)) for name, value in taken.items()} == taken


def test_the_law_takes_of_the_valid_files_just_those_that_are_their_own_canonical_text(suite: Path) -> None:
    loosely, _ = outcomes(suite, "y", parse_loose)
    canonical = {name for name, value in loosely.items() if encode(value) == (suite / name).read_bytes()}
    taken, _ = outcomes(suite, "y", decode)
    assert taken.keys() == canonical
    assert canonical


def test_of_what_is_left_to_the_reader_just_the_listed_files_are_taken_loosely(suite: Path) -> None:
    taken, refused = outcomes(suite, "i", parse_loose)
    assert {name: repr(value) for name, value in taken.items()} == TAKEN_LOOSELY
    assert len(refused) == 35 - len(TAKEN_LOOSELY)


@pytest.mark.parametrize("read", [decode, decode_document])
def test_nothing_that_is_left_to_the_reader_is_canonical(suite: Path, read: Callable[[bytes], JsonValue]) -> None:
    taken, refused = outcomes(suite, "i", read)
    assert (taken, len(refused)) == ({}, 35)
