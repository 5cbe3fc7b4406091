"""The public test vectors of RFC 8785: six files and the head of the number series; slow: a million numbers.

The series is described at https://github.com/cyberphone/json-canonicalization/tree/master/testdata: edge cases, then
2,000 doubles counted up from the smallest normal one, then 8-byte pieces (little-endian) of a chain of SHA-256 digests
that begins with the digest of 32 zero bytes, without zeros, NaN and infinities. The digests below are published there.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from runstore.canonical import jcs, number_text, parse_loose

NAMES = ("arrays", "french", "structures", "unicode", "values", "weird")
SHA256_BY_LINES = {
    1_000: "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687",
    10_000: "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892",
    100_000: "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7",
    1_000_000: "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16",
}
EDGE_CASES = 168
COUNTED_UP = 2_000
SMALLEST_NORMAL = 0x0010000000000000


@pytest.fixture
def vectors(conformance: Path) -> Path:
    return conformance / "rfc8785"


@pytest.fixture
def published(vectors: Path) -> list[tuple[str, str]]:
    """The first 10,000 lines of the series: bits of the double in hexadecimal, expected text."""
    lines = (vectors / "es6_numbers_first10000.txt").read_text().splitlines()
    return [(bits, text) for bits, _, text in (line.partition(",") for line in lines)]


def double(bits: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def chained() -> Iterator[int]:
    block = bytes(32)
    while True:
        block = hashlib.sha256(block).digest()
        for bits in struct.unpack("<4Q", block):
            if double(bits) != 0 and math.isfinite(double(bits)):
                yield bits


def digest_of(count: int, published: list[tuple[str, str]]) -> str:
    """The digest of the first lines of the series; only its edge cases are taken from the published file."""
    edge_cases = [int(bits, 16) for bits, _ in published[:EDGE_CASES]]
    series = itertools.chain(edge_cases, range(SMALLEST_NORMAL, SMALLEST_NORMAL + COUNTED_UP), chained())
    digest = hashlib.sha256()
    for bits in itertools.islice(series, count):
        digest.update(b"%x,%b\n" % (bits, jcs(double(bits))))
    return digest.hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_a_published_file_is_canonicalized_byte_for_byte(name: str, vectors: Path) -> None:
    value = parse_loose((vectors / "input" / f"{name}.json").read_bytes())
    expected = bytes.fromhex((vectors / "outhex" / f"{name}.txt").read_text())
    assert jcs(value) == expected == (vectors / "output" / f"{name}.json").read_bytes()


def test_ten_thousand_published_numbers_have_their_published_text(published: list[tuple[str, str]]) -> None:
    doubles = [double(int(bits, 16)) for bits, _ in published]
    assert len(doubles) == 10_000
    assert [jcs(value).decode() for value in doubles] == [text for _, text in published]
    assert [number_text(value) for value in doubles] == [text for _, text in published]


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_the_series_made_here_has_the_published_digest(count: int, published: list[tuple[str, str]]) -> None:
    assert digest_of(count, published) == SHA256_BY_LINES[count]


@pytest.mark.slow
@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_million_numbers_made_here_have_the_published_digest(count: int, published: list[tuple[str, str]]) -> None:
    assert digest_of(count, published) == SHA256_BY_LINES[count]
