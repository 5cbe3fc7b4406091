"""Joining two sorted streams of lines by key. Bytes that are equal on both sides are never split into lines or parsed.

The baseline's lines are known to be in order. A current line that stands beside its baseline line is then in order too;
only one that stands alone is checked against the line before it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence

from runstore.errors import InvalidDataError, InvalidRunError
from runstore.record import have_same_ids, line_ids, line_key
from runstore.store.reader import Block, Run
from runstore.verification import Progress, no_progress, out_of_order

Differing = tuple[list[bytes], list[bytes]]
"""Lines, without LF, of the baseline and of the current run: as many on both sides, with the same ids one by one and
none of them equal; or one line of one side, whose id the other side has not."""

_WINDOW_BYTES = 8 * 1024
_MOST_AT_ONCE = 256


class _Cursor:
    """A place in a stream of blocks: `data[index:]` is what is at hand, from the start of a line."""

    __slots__ = ("_blocks", "_offset", "_path", "_progress", "data", "index", "last")

    def __init__(self, blocks: Iterator[Block], progress: Progress) -> None:
        self._blocks = blocks
        self._progress = progress
        self._path = ""
        self._offset = 0
        self.data = b""
        self.index = 0
        self.last = b""
        """The line before `data`; empty at the start."""

    def refill(self) -> bool:
        """Fetch the next block; False at the end."""
        if self.index:
            start = self.data.rfind(b"\n", 0, self.index - 1) + 1
            self.last = self.data[start : self.index - 1]
        rest = self.data[self.index :]
        block = next(self._blocks, None)
        if block is None:
            self.data, self.index = rest, 0
            return False
        self._path, self._offset = block.path, block.offset - len(rest)
        self._progress(len(block.data))
        self.data, self.index = rest + block.data if rest else block.data, 0
        return True

    def lines(self, most: int) -> list[bytes]:
        """At most `most` of the lines at hand, from this place, without LF; none at the end. The place stays."""
        end = self.data.find(b"\n", self.index)
        while end < 0:
            if not self.refill():
                return []
            end = self.data.find(b"\n", self.index)
        start = self.index
        found: list[bytes] = []
        # `bytes.split` looks at one byte after the other; `find` takes many at once.
        while end >= 0 and len(found) < most:
            found.append(self.data[start:end])
            start = end + 1
            end = self.data.find(b"\n", start)
        return found

    def skip(self, lines: list[bytes]) -> None:
        """Go past lines that were handed out."""
        self.index += sum(map(len, lines)) + len(lines)

    def before(self) -> bytes:
        """The line before this place; empty at the start."""
        if self.index == 0:
            return self.last
        return self.data[self.data.rfind(b"\n", 0, self.index - 1) + 1 : self.index - 1]

    def place(self) -> tuple[str, int]:
        """The file, and the offset in it, of the line at this place."""
        return self._path, self._offset + self.index


class Join:
    """Iterate over it for the lines that differ.

    Whoever iterates may find that two lines of one id are different trials, and says so with `apart`.
    """

    def __init__(
        self,
        baseline: Run,
        current: Run,
        files: tuple[Sequence[str], Sequence[str]] | None = None,
        progress: Progress = no_progress,
    ) -> None:
        """`files`: which record files of either side to join; by default all."""
        ours, theirs = files or (baseline.record_files, current.record_files)
        self._current = current
        self._left = _Cursor(baseline.blocks(list(ours)), no_progress)
        self._right = _Cursor(current.blocks(list(theirs)), progress)
        self._apart: tuple[int, int] | None = None
        self.differing = 0
        """Baseline lines that were handed out, so far."""
        self.alone = 0
        """Current lines that stood alone, so far."""

    @property
    def last(self) -> bytes:
        """The last current line that was passed."""
        return self._right.before()

    def __iter__(self) -> Iterator[Differing]:
        while self._skip_equal():
            most = 1
            while found := self._differing(most):
                yield found
                if self._apart is None:
                    self._pass(*found)
                else:
                    self._pass_apart(*found, *self._apart)
                    self._apart = None
                most = min(2 * most, _MOST_AT_ONCE)

    def apart(self, index: int, order: int) -> None:
        """Of the lines handed out last, those at `index` are different trials, and none after them was used.

        With `order` < 0 the baseline's comes first and was used alone, else the current one.
        """
        self._apart = index, order

    def _skip_equal(self) -> bool:
        """Go past what is the same on both sides; False at the end of both."""
        left, right = self._left, self._right
        while True:
            at_hand = min(len(left.data) - left.index, _WINDOW_BYTES)
            window = right.data[right.index : right.index + at_hand]
            whole = window.rfind(b"\n") + 1
            if whole and left.data.startswith(window, left.index):
                left.index += whole
                right.index += whole
                continue
            blocks = left.data, right.data
            while blocks == (left.data, right.data):
                line, other = left.lines(1), right.lines(1)
                if line != other:
                    return True
                if not line:
                    return False
                left.skip(line)
                right.skip(other)

    def _differing(self, most: int) -> Differing | None:
        """What differs at this place; None if both sides have the same line here, or no line."""
        ours, theirs = self._left.lines(most), self._right.lines(most)
        if ours[:1] == theirs[:1]:
            return None
        count = min(len(ours), len(theirs))
        if not have_same_ids(ours, theirs):
            try:
                ids, other_ids = line_ids(ours[:count]), line_ids(theirs[:count])
                if ids != other_ids:
                    count = next(index for index in range(count) if ids[index] != other_ids[index])
            except InvalidDataError as error:
                raise self.located(error, 0, []) from error
            if count == 0:
                return (ours[:1], []) if not theirs or (ours and ids[0] < other_ids[0]) else ([], theirs[:1])
        if True in map(operator.eq, ours[:count], theirs):
            count = next(index for index in range(count) if ours[index] == theirs[index])
        return ours[:count], theirs[:count]

    def _pass(self, ours: list[bytes], theirs: list[bytes]) -> None:
        """Go past lines that were handed out and not given back."""
        if not ours:
            self._check_alone(theirs[0])
            self.alone += 1
        self.differing += len(ours)
        self._left.skip(ours)
        self._right.skip(theirs)

    def _pass_apart(self, ours: list[bytes], theirs: list[bytes], index: int, order: int) -> None:
        if index:
            self._pass(ours[:index], theirs[:index])
        self._pass(*((ours[index : index + 1], []) if order < 0 else ([], theirs[index : index + 1])))

    def _check_alone(self, line: bytes) -> None:
        """Refuse a current line without a partner that does not come after the line before it."""
        before = self._right.before()
        try:
            key, key_before = line_key(line), line_key(before) if before else None
        except InvalidDataError as error:
            raise self.located(error, 0, []) from error
        if key_before is not None and key <= key_before:
            path, offset = self._right.place()
            raise out_of_order(self._current, key, key_before, path, self._current.line_number(path, offset))

    def located(self, error: InvalidDataError, index: int, theirs: list[bytes]) -> InvalidRunError:
        """The error about the current line at `index` of `theirs`, which were handed out last, with its place."""
        path, offset = self._right.place()
        offset += sum(len(line) + 1 for line in theirs[:index])
        return self._current.located(error, path, self._current.line_number(path, offset))
