"""Verifying a run in full: every line by the law and the schema, the order, every digest, the summary derived again.

What was verified once is remembered by the digest of its manifest, outside the run: see `VerifiedRuns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from runstore import canonical, shards, summary
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.record import key_text, read, record_key
from runstore.shape import escape
from runstore.store.reader import Run, shard_rank
from runstore.summary import Tally

Progress = Callable[[int], None]
"""Called now and then with the number of lines done since the last call."""

_RULES = "4"
"""Changes whenever verification gets stricter, or more of it is remembered: then what was is looked at again."""
_ALONE = b"alone"


def no_progress(lines: int) -> None:
    """Report nothing."""


class VerifiedRuns:
    """The digests of the runs that were verified in full, as files in a folder; None remembers none for later.

    A file says that no record of the run has several trials; an empty one does not know.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._trials: dict[str, bool] = {}

    def __contains__(self, run: Run) -> bool:
        try:
            return self._folder is not None and (self._folder / self._name(run)).exists()
        except OSError:
            return False

    def remember(self, run: Run, *, has_trials: bool = True) -> None:
        """Remember a verified run. A folder that cannot be written costs time later, and nothing else."""
        self._trials[run.digest] = has_trials
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / self._name(run)).write_bytes(b"" if has_trials else _ALONE)
        except OSError:
            self._folder = None

    def has_trials(self, run: Run) -> bool:
        """Whether a record of a verified run has several trials; True if that is not known any more."""
        known = self._trials.get(run.digest)
        if known is not None or self._folder is None:
            return known is not False
        try:
            return (self._folder / self._name(run)).read_bytes() != _ALONE
        except OSError:
            return True

    def _name(self, run: Run) -> str:
        return f"{_RULES}-{run.digest}"


def verify(run: Run, progress: Progress = no_progress) -> bool:
    """Check everything a run promises. Returns whether a record has several trials.

    Raises InvalidDataError with file, line and JSON pointer.
    """
    tally, has_trials = _derived(run, progress)
    points = Counter(point.name for point in run.points())
    check_artifacts(run)
    check_summary(run, tally, points)
    return has_trials


def check_artifacts(run: Run) -> None:
    """Check the digests of a run's artifacts. Raises InvalidRunError."""
    for path in run.manifest.files:
        if path.startswith("artifacts/"):
            run.check_file(path)


def derive(run: Run, progress: Progress = no_progress) -> Tally:
    """The tally of a run's records, each checked in full, their order and their shards too."""
    return _derived(run, progress)[0]


def _derived(run: Run, progress: Progress) -> tuple[Tally, bool]:
    """The tally, and whether an id stands more than once."""
    tally, has_trials = Tally(run.manifest.slices), False
    ranges = run.manifest.ranges
    bits = shard_rank(run.manifest, run.record_files)
    before = (b"", 0)
    for batch in run.batches():
        number = batch.first_line
        for line in batch.lines:
            try:
                record = read(line, ranges)
            except InvalidDataError as error:
                raise run.located(error, batch.path, number) from error
            key = record_key(record)
            if key <= before:
                raise out_of_order(run, key, before, batch.path, number)
            if bits is not None and number > 1 and key[0] != before[0] and shards.starts_shard(key[0], bits):
                raise InvalidRunError("this record has to start a shard", where=run.where(batch.path, number))
            if number == 1 and key[0] == before[0]:
                raise InvalidRunError("a shard starts between trials of one id", where=run.where(batch.path, number))
            tally.add(record)
            has_trials |= key[0] == before[0]
            before = key
            number += 1
        progress(len(batch.lines))
    return tally, has_trials


def out_of_order(run: Run, key: tuple[bytes, int], before: tuple[bytes, int], path: str, line: int) -> InvalidRunError:
    """The error for a record whose key does not come after the one before it."""
    if key == before:
        return InvalidRunError(
            f"the key {key_text(key)!r} stands twice", where=run.where(path, line), hint="ids must be unique"
        )
    return InvalidRunError(
        f"the records are not sorted: {key_text(key)!r} stands after {key_text(before)!r}",
        where=run.where(path, line),
        hint="`gate fmt` sorts them",
    )


def check_summary(run: Run, tally: Tally, points: Mapping[str, int]) -> None:
    """Refuse a summary that is not what the records and series say. Raises InvalidRunError naming the first member."""
    derived = summary.to_json(tally, points)
    claimed = run.document("summary.json")
    if canonical.encode(derived) != canonical.encode(claimed):
        pointer, there, here = _first_difference(claimed, derived, "")
        raise InvalidRunError(
            f"says {there}; the records say {here}",
            where=run.where("summary.json", pointer=pointer),
            hint="run again, or `gate fmt` to derive it again",
        )


def _first_difference(claimed: JsonValue, derived: JsonValue, pointer: str) -> tuple[str, str, str]:
    if isinstance(claimed, dict) and isinstance(derived, dict):
        for name in sorted({**claimed, **derived}):
            here = f"{pointer}/{escape(name)}"
            if name not in claimed:
                return here, "nothing", canonical.encode(derived[name]).decode()
            if name not in derived:
                return here, canonical.encode(claimed[name]).decode(), "nothing"
            if canonical.encode(claimed[name]) != canonical.encode(derived[name]):
                return _first_difference(claimed[name], derived[name], here)
    return pointer, canonical.encode(claimed).decode(), canonical.encode(derived).decode()
