"""The file that is imported: opened here and nowhere else, plain or gzip, with a limit on everything it could inflate.

A path ending in `.gz` is gzip; nothing else is sniffed. The source is read once, so it may be a pipe.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runstore.errors import SourceDataError, UsageError

_MIB = 1024 * 1024
_BLOCK_BYTES = _MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most bytes of a line (its end included), of a whole JSON document, and of all lines, after decompression."""

    line_bytes: int = 16 * _MIB
    document_bytes: int = 1024 * _MIB
    total_bytes: int = 64 * 1024 * _MIB


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to import from."""

    path: Path
    limits: Limits = Limits()

    @property
    def name(self) -> str:
        """How messages call it."""
        return str(self.path)

    def check(self) -> None:
        """Raise UsageError if there is nothing to read."""
        if not self.path.exists():
            raise UsageError(f"{self.name} does not exist")
        if self.path.is_dir():
            raise UsageError(f"{self.name} is a folder", hint="name the file that holds the results")

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as file:
            if self.path.suffix.lower() != ".gz":
                yield file
                return
            try:
                # GzipFile reads lines in Python; the reader around it does so in C.
                with io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), _BLOCK_BYTES) as unpacked:
                    yield unpacked
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise SourceDataError(f"not a whole gzip file: {error}", where=self.name) from error

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        """(number from 1, line with its end) of each line, split on LF; None stands for a line over the limit.

        Raises SourceDataError for broken gzip and past the total limit.
        """
        limit, total = self.limits.line_bytes, 0
        with self._opened() as file:
            for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), start=1):
                total += len(line)
                if len(line) <= limit:
                    yield number, line
                else:
                    while not line.endswith(b"\n") and (line := file.readline(_BLOCK_BYTES)):
                        total += len(line)
                        self._check_total(total)
                    yield number, None
                self._check_total(total)

    def _check_total(self, total: int) -> None:
        if total > self.limits.total_bytes:
            raise SourceDataError(
                f"more than {self.limits.total_bytes:,} bytes after decompression",
                where=self.name,
                hint="split the source, or check that it is not a decompression bomb",
            )

    def content(self) -> bytes:
        """All bytes. Raises SourceDataError for broken gzip and past the limit of a document."""
        limit = self.limits.document_bytes
        data = bytearray()
        with self._opened() as file:
            while len(data) <= limit and (block := file.read(_BLOCK_BYTES)):
                data += block
        if len(data) > limit:
            raise SourceDataError(
                f"larger than {limit:,} bytes, the most a JSON document may have",
                where=self.name,
                hint="convert it to JSONL, one record a line: that is read line by line",
            )
        return bytes(data)
