"""The choice: two runs and a selection in; the keys of the records that are accepted, each with its class, out.

Memory depends on how many records are accepted, not on how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, islice

from runstore import canonical
from runstore.accepting.selection import Sieve, Tags
from runstore.change import ChangeClass
from runstore.changes import Changes, Lens
from runstore.errors import UsageError
from runstore.manifest import Manifest, MetricDeclaration
from runstore.record import JsonObject, key_text, line_key
from runstore.scored import scores_of, tags_of
from runstore.store.reader import Run

Key = tuple[bytes, int]
Pair = tuple[bytes | None, bytes | None]
"""The lines of one key, without LF: of the baseline and of the current run; None where a run has none."""
_NEAREST_OF = 10_000
_SHOWN = 5
_SETTLED_EVERY = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is accepted: key → class; and how many records of each class differ and are left as they were."""

    taken: Mapping[Key, ChangeClass]
    left: Mapping[ChangeClass, int]

    @property
    def counts(self) -> dict[ChangeClass, int]:
        """How many records of each class are accepted."""
        return dict(Counter(self.taken.values()))


def joined(baseline: Run, current: Run) -> Iterator[Pair]:
    """The lines of two verified runs side by side, in the order of their keys."""
    ours, theirs = lines(baseline), lines(current)
    old, new = next(ours, None), next(theirs, None)
    while old is not None or new is not None:
        order = 0 if old == new else _order(old, new)
        yield (old if order <= 0 else None), (new if order >= 0 else None)
        if order <= 0:
            old = next(ours, None)
        if order >= 0:
            new = next(theirs, None)


def lines(run: Run) -> Iterator[bytes]:
    """The lines of a run's records, without LF."""
    for batch in run.batches():
        yield from batch.lines


def _order(old: bytes | None, new: bytes | None) -> int:
    if old is None or new is None:
        return 1 if old is None else -1
    before, after = line_key(old), line_key(new)
    return (before > after) - (before < after)


def key_of(pair: Pair) -> Key:
    """The key of a pair of lines."""
    line = pair[0] if pair[0] is not None else pair[1]
    assert line is not None
    return line_key(line)


def merged(baseline: Run, current: Run, taken: Mapping[Key, ChangeClass]) -> Iterator[bytes]:
    """The lines of the baseline, with those of accepted keys as the current run has them."""
    for pair in joined(baseline, current):
        old, new = pair
        line = old if old == new or key_of(pair) not in taken else new
        if line is not None:
            yield line


def choose(baseline: Run, current: Run, sieve: Sieve, declared: Mapping[str, MetricDeclaration]) -> Choice:
    """The records that differ and are selected; `declared`: the metrics of the baseline, directions by the policy.

    Both runs are verified. Raises UsageError for a record whose scores mean something else in the baseline.
    """
    classes = _Classes(current, declared)
    foreign = foreign_metrics(baseline.manifest, current.manifest)
    taken: dict[Key, ChangeClass] = {}
    left: Counter[ChangeClass] = Counter()
    for pair in joined(baseline, current):
        if pair[0] == pair[1]:
            continue
        key, kind = key_of(pair), classes.of(*pair)
        if not sieve.takes(key[0].decode(), _tags(pair, sieve), kind):
            left[kind] += 1
            continue
        if foreign and pair[1] is not None:
            _check_metrics(key, pair[1], foreign)
        taken[key] = kind
    return Choice(taken=taken, left=left)


def _tags(pair: Pair, sieve: Sieve) -> tuple[Tags, ...]:
    return tuple(tags_of(_record(line)) for line in pair if line is not None) if sieve.asks_for_tags else ()


def _record(line: bytes) -> JsonObject:
    return canonical.loads(line)  # type: ignore[return-value]  # verified: an object


class _Classes:
    """The class of each difference, by the same rules as a comparison."""

    def __init__(self, current: Run, declared: Mapping[str, MetricDeclaration]) -> None:
        self._changes = Changes(Lens(declared=declared, ranges=current.manifest.ranges, limit=0))
        self._pending = 0

    def of(self, old: bytes | None, new: bytes | None) -> ChangeClass:
        if old is None:
            return ChangeClass.ADDED
        if new is None:
            return ChangeClass.REMOVED
        before = dict(self._changes.counts)
        self._changes.add_pair(old, new)
        self._pending += 1
        if self._pending % _SETTLED_EVERY == 0:
            self._changes.settle()
        return next(kind for kind, count in self._changes.counts.items() if count != before[kind])


def foreign_metrics(baseline: Manifest, current: Manifest) -> dict[str, str]:
    """Metrics of the current run whose scores the baseline cannot hold → why."""
    found = {}
    for name, theirs in current.metrics.items():
        ours = baseline.metrics.get(name)
        if ours is None:
            found[name] = "the baseline does not declare it"
        else:
            differ = [what for what in ("direction", "unit", "range") if getattr(ours, what) != getattr(theirs, what)]
            if differ:
                found[name] = f"its {differ[0]} differs"
    return found


def _check_metrics(key: Key, line: bytes, foreign: Mapping[str, str]) -> None:
    name = next((name for name in scores_of(_record(line)) if name in foreign), None)
    if name is not None:
        raise UsageError(
            f"the record {key_text(key)!r} has a score of {name!r}, which means nothing in the baseline:"
            f" {foreign[name]}",
            hint="a new or changed metric comes in only with the whole run: accept it without a selection",
        )


def check_matched(runs: Sequence[tuple[Run, Run]], sieve: Sieve) -> None:
    """Refuse parts of a selection that match no record of any run, equal ones too. Raises UsageError.

    `runs`: baselines with their current runs, of which all that differs went through the sieve. Nothing is read if all
    parts have matched.
    """
    if not sieve.has_unmatched:
        return
    for pair in _pairs(runs):
        sieve.takes(_name(pair), _tags(pair, sieve), None)
    for pattern in sieve.unmatched_only:
        near = _nearest(pattern, (_name(pair) for pair in chain(_differing(runs), _pairs(runs))))
        raise UsageError(f"--only {pattern!r} matches no record of either run", hint=_hint(near, "id"))
    for tag, value in sieve.unmatched_slices:
        values = (tags[tag] for pair in _pairs(runs) for tags in _tags(pair, sieve) if tag in tags)
        asked = f"{tag}={value}"
        raise UsageError(
            f"--slice {asked!r} matches no record of either run", hint=_hint(_nearest(value, values), f"tag {tag!r}")
        )


def _pairs(runs: Sequence[tuple[Run, Run]]) -> Iterator[Pair]:
    return chain.from_iterable(joined(baseline, current) for baseline, current in runs)


def _differing(runs: Sequence[tuple[Run, Run]]) -> Iterator[Pair]:
    return (pair for pair in _pairs(runs) if pair[0] != pair[1])


def _name(pair: Pair) -> str:
    return key_of(pair)[0].decode()


def _nearest(asked: str, there: Iterable[str]) -> list[str]:
    """The nearest of the first names there are, else some of them."""
    distinct = list(dict.fromkeys(islice(there, _NEAREST_OF)))
    return get_close_matches(asked, distinct, n=_SHOWN) or distinct[:_SHOWN]


def _hint(near: list[str], what: str) -> str:
    return f"there are: {', '.join(map(repr, near))}" if near else f"no record has any {what}"
