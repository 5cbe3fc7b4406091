"""Joining two sorted streams of lines by key. Lines that are equal byte for byte are counted, never parsed.

The baseline's lines are known to be in order. A current line that stands beside its baseline line is then in order too;
only one that stands alone is checked against the line before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from runstore.errors import InvalidDataError
from runstore.record import line_id, line_key
from runstore.store.reader import Batch, Run
from runstore.verification import Progress, no_progress, out_of_order

Pair = tuple[bytes | None, bytes | None]
"""A baseline line and the current line with its key; None where a side has none."""


class _Cursor:
    """A place in a stream of batches."""

    __slots__ = ("_batches", "batch", "done", "index", "last", "lines")

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.lines: list[bytes] = []
        self.last = b""
        self.index = 0
        self.done = False
        self.refill()

    def refill(self) -> None:
        """Go to the next batch when this one is used up."""
        while self.index >= len(self.lines) and not self.done:
            if self.lines:
                self.last = self.lines[-1]
            batch = next(self._batches, None)
            if batch is None:
                self.lines, self.done = [], True
            else:
                self.batch, self.lines = batch, batch.lines
            self.index = 0

    def before(self) -> bytes:
        """The line before this place; empty at the start."""
        return self.lines[self.index - 1] if self.index else self.last


class Join:
    """Iterate over it for the pairs that differ; then `equal` says how many lines were the same on both sides."""

    def __init__(self, baseline: Run, current: Run, progress: Progress = no_progress) -> None:
        self._current = current
        self._left = _Cursor(baseline.batches())
        self._right = _Cursor(current.batches())
        self._progress = progress
        self.equal = 0

    def __iter__(self) -> Iterator[Pair]:
        left, right = self._left, self._right
        while not (left.done or right.done):
            yield from self._beside()
            left.refill()
            right.refill()
        while not left.done:
            yield left.lines[left.index], None
            left.index += 1
            left.refill()
        while not right.done:
            yield None, self._alone()
            right.index += 1
            right.refill()

    def _beside(self) -> Iterator[Pair]:
        """Compare what both sides have at hand, line by line, until one side has a key that the other has not."""
        left, right = self._left, self._right
        count = min(len(left.lines) - left.index, len(right.lines) - right.index)
        start = left.index
        offset = right.index - start
        ours, theirs = left.lines[start : start + count], right.lines[right.index : right.index + count]
        self._progress(count)
        if ours == theirs:
            self.equal += count
            left.index += count
            right.index += count
            return
        for index, (line, other) in enumerate(zip(ours, theirs, strict=True), start=start):
            if line == other:
                self.equal += 1
                continue
            left.index, right.index = index, index + offset
            order = self._order(line, other)
            if order == 0:
                yield line, other
            elif order < 0:
                yield line, None
                left.index += 1
                return
            else:
                yield None, self._alone()
                right.index += 1
                return
        left.index, right.index = start + count, start + offset + count

    def _order(self, line: bytes, other: bytes) -> int:
        """Negative when the baseline's key comes first, 0 when the keys are equal."""
        try:
            ours, theirs = line_id(line), line_id(other)
            if ours == theirs and (b'"repeat":' in line or b'"repeat":' in other):
                return _sign(line_key(line), line_key(other))
        except InvalidDataError as error:
            raise self.located(error) from error
        return 0 if ours == theirs else -1 if ours < theirs else 1

    def _alone(self) -> bytes:
        """The current line at this place, which has no partner, in order after the one before it."""
        line, before = self._right.lines[self._right.index], self._right.before()
        try:
            key, key_before = line_key(line), line_key(before) if before else None
        except InvalidDataError as error:
            raise self.located(error) from error
        if key_before is not None and key <= key_before:
            batch = self._right.batch
            number = batch.first_line + self._right.index
            raise out_of_order(self._current, key, key_before, batch.path, number)
        return line

    def located(self, error: InvalidDataError) -> InvalidDataError:
        """The same error with the place of the current line."""
        batch = self._right.batch
        return self._current.located(error, batch.path, batch.first_line + self._right.index)


def _sign(left: tuple[bytes, int], right: tuple[bytes, int]) -> int:
    return (left > right) - (left < right)
