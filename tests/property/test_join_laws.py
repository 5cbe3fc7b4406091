"""Laws of the join, each held against a naive oracle: dicts, fractions, and the words of the design."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from runstore import canonical, pairs, parallel, record, shards, summary, verification
from runstore.changes import Changes, Lens
from runstore.comparison import Comparison, compare
from runstore.errors import InvalidDataError
from runstore.exact import exact
from runstore.measures import Measure
from runstore.policy import Policy
from runstore.store import reader
from runstore.store.reader import Run, read_run
from tests.factories import Record, reseal, unsynced, write_run
from tests.strategies import METRICS, pairs_of_even_runs, pairs_of_runs

SLICES = ("hard", "lang")
Pair = tuple[list[Record], list[Record]]
Group = tuple[str, str] | None


@dataclass
class Expected:
    """What the oracle says of one metric in one group."""

    n: int = 0
    baseline: Fraction = Fraction(0)
    current: Fraction = Fraction(0)
    regressed: int = 0
    improved: int = 0
    lost: int = 0


@dataclass
class Oracle:
    """What two lists of records say, by dicts and fractions."""

    before: list[Record]
    after: list[Record]
    slices: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)
    newly: Counter[str] = field(default_factory=Counter)
    lost_scores: int = 0
    strictly_regressed: int = 0
    measures: dict[tuple[str, Group], Expected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        old, new = ({key_of(record): record for record in records} for records in (self.before, self.after))
        for group in (
            None,
            *sorted({(tag, tags(r)[tag]) for r in self.before for tag in self.slices if tag in tags(r)}),
        ):
            for name in METRICS:
                if any(ok(r) and name in scores(r) and belongs(r, group) for r in self.before):
                    self.measures[name, group] = Expected()
        self.carried = {name for name, group in self.measures if group is None}
        self.counts.update(added=len(new.keys() - old.keys()), removed=len(old.keys() - new.keys()))
        self.newly.update(status(new[key]) for key in new.keys() - old.keys() if not ok(new[key]))
        for key in old.keys() & new.keys():
            self._pair(old[key], new[key])

    def _pair(self, old: Record, new: Record) -> None:
        effects = set()
        for name in self.carried:
            was, now = self._value(old, name), self._value(new, name)
            if was is None or (now is None and not ok(old)):  # what was never there can not be lost
                continue
            sign = 1 if METRICS[name].direction == "higher" else -1
            effect = -1 if now is None else sign * ((now > was) - (now < was))
            effects.add(effect)
            self.lost_scores += now is None and ok(new)
            for group in (None, *tags(old).items()):
                if (name, group) in self.measures:
                    self._count(self.measures[name, group], was, now, effect)
        if not ok(new) and status(old) != status(new):
            self.newly[status(new)] += 1
        self.strictly_regressed += -1 in effects and not (ok(old) and not ok(new))
        self.counts[self._class(old, new, effects)] += 1

    def _class(self, old: Record, new: Record, effects: set[int]) -> str:
        if canonical.encode(old) == canonical.encode(new):
            return "unchanged"
        if (ok(old) and not ok(new)) or -1 in effects:
            return "regressed"
        return "improved" if 1 in effects or (ok(new) and not ok(old)) else "changed"

    def _value(self, record: Record, name: str) -> Fraction | None:
        """What a record counts as: its score, or the worst of the range if it is not ok."""
        value = scores(record).get(name) if ok(record) else METRICS[name].worst
        return None if value is None else Fraction(exact(value))

    def _count(self, into: Expected, was: Fraction, now: Fraction | None, effect: int) -> None:
        into.regressed += effect < 0
        into.improved += effect > 0
        if now is None:
            into.lost += 1
        else:
            into.n, into.baseline, into.current = into.n + 1, into.baseline + was, into.current + now


def key_of(record: Record) -> tuple[str, Any]:
    return str(record["id"]), record.get("repeat", 1)


def status(record: Record) -> str:
    return str(record.get("status", "ok"))


def ok(record: Record) -> bool:
    return status(record) == "ok"


def scores(record: Record) -> Mapping[str, int | float]:
    found: Mapping[str, int | float] = record.get("scores", {})
    return found


def tags(record: Record) -> Mapping[str, str]:
    found: Mapping[str, str] = record.get("tags", {})
    return found


def belongs(record: Record, group: Group) -> bool:
    return group is None or tags(record).get(group[0]) == group[1]


@contextmanager
def two_runs(
    pair: Pair, slices: tuple[str, ...], current_slices: tuple[str, ...] | None = None
) -> Iterator[tuple[Run, Run]]:
    with tempfile.TemporaryDirectory() as folder, unsynced():
        place = Path(folder)
        write_run(place / "baseline", pair[0], METRICS, slices=slices)
        write_run(place / "current", pair[1], METRICS, slices=slices if current_slices is None else current_slices)
        yield read_run(place / "baseline"), read_run(place / "current")


@contextmanager
def sizes(block: int, window: int, most: int) -> Iterator[None]:
    """Read and join in steps of so many bytes and lines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_BLOCK_BYTES", block)
        patch.setattr(pairs, "_WINDOW_BYTES", window)
        patch.setattr(pairs, "_MOST_AT_ONCE", most)
        yield


@contextmanager
def small_shards(above: int, target: int) -> Iterator[None]:
    """Shard runs of so many bytes, and spread all that are sharded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARDED_ABOVE", above)
        patch.setattr(shards, "_TARGET_BYTES", target)
        patch.setattr(parallel, "_SPREAD_FROM_BYTES", 0)
        yield


def lens_of(run: Run, limit: int = 1000) -> Lens:
    slices = run.manifest.slices
    return Lens(declared=METRICS, ranges=run.manifest.ranges, slices=slices, strict=frozenset(METRICS), limit=limit)


def seen(changes: Changes) -> Any:
    """Everything that may be asked of what changed."""
    groups = (
        None,
        *((tag, value) for tag, values in (("hard", ("no", "yes")), ("lang", ("de", "fr"))) for value in values),
    )
    paired = {}
    for group in groups:
        for name in METRICS:
            sums = changes.paired(group, name)
            # A value that is equal on both sides may be added to both, or to none.
            shift = sums.after.minus(sums.before)
            totals = [(part.count, part.sum, part.squares) for part in (shift, sums.unpaired)]
            paired[group, name] = totals, sums.regressed, sums.improved, sums.lost
    kept = {kind: worst.sorted() for kind, worst in changes.kept.items()}
    return changes.counts, changes.newly, changes.lost_scores, changes.strictly_regressed, kept, paired


def check_against_oracle(pair: Pair, slices: tuple[str, ...], found: Comparison) -> None:
    expected = Oracle(*pair, slices)
    counts = found.counts
    assert {
        name: getattr(counts, name) for name in ("added", "removed", "regressed", "improved", "changed", "unchanged")
    } == {name: expected.counts[name] for name in ("added", "removed", "regressed", "improved", "changed", "unchanged")}
    assert (counts.baseline, counts.current) == (len(pair[0]), len(pair[1]))
    assert counts.common == len(pair[0]) - counts.removed
    assert (counts.newly_errored, counts.newly_skipped) == (expected.newly["error"], expected.newly["skipped"])
    assert counts.lost_scores == expected.lost_scores
    assert {(m.metric, m.group): numbers(m) for _, m in found.measures} == expected.measures


def numbers(measure: Measure) -> Expected:
    return Expected(
        n=measure.count,
        baseline=Fraction(measure.baseline_sum),
        current=Fraction(measure.current_sum),
        regressed=measure.regressed,
        improved=measure.improved,
        lost=measure.lost,
    )


_PAIRS = st.one_of(pairs_of_runs(), pairs_of_even_runs())
_SLICES = st.sampled_from([(), SLICES])


@given(_PAIRS, _SLICES)
def test_a_comparison_is_what_a_naive_one_says(pair: Pair, slices: tuple[str, ...]) -> None:
    with two_runs(pair, slices) as (baseline, current):
        check_against_oracle(pair, slices, compare(baseline, current, Policy()))


@given(_PAIRS, _SLICES, st.integers(1, 64), st.integers(1, 64), st.integers(1, 4))
def test_no_boundary_of_blocks_or_windows_shows(
    pair: Pair, slices: tuple[str, ...], block: int, window: int, most: int
) -> None:
    with two_runs(pair, slices) as (baseline, current):
        whole = parallel.differences(baseline, current, lens_of(current))
        with sizes(block, window, most):
            parts = parallel.differences(baseline, current, lens_of(current))
            check_against_oracle(pair, slices, compare(baseline, current, Policy()))
    assert (seen(parts[0]), parts[1]) == (seen(whole[0]), whole[1])


@settings(max_examples=10)
@given(_PAIRS, _SLICES, st.integers(0, 400), st.integers(0, 400))
def test_runs_of_several_blocks_are_joined_as_small_ones_are(
    pair: Pair, slices: tuple[str, ...], padded: int, between: int
) -> None:
    filler: list[Record] = [
        {"id": f"r1{n:04}", "input": "x" * (padded + n % 7), "scores": {"free": n}} for n in range(300)
    ]
    changed: list[Record] = [
        {**r, "scores": {"free": -1}} if n % (between + 1) == 0 else r for n, r in enumerate(filler)
    ]
    large = pair[0] + filler, changed + pair[1]
    with two_runs(large, slices) as (baseline, current):
        check_against_oracle(large, slices, compare(baseline, current, Policy()))


@given(_PAIRS, _SLICES)
def test_the_totals_that_were_moved_are_those_derived_anew(pair: Pair, slices: tuple[str, ...]) -> None:
    with two_runs(pair, slices) as (baseline, current):
        changes, _ = parallel.differences(baseline, current, lens_of(current))
        moved = changes.moved(verification.derive(baseline))
        assert summary.to_json(moved, {}) == summary.to_json(verification.derive(current), {})


@given(_PAIRS)
def test_records_that_got_worse_in_a_strict_metric_are_counted_apart_from_those_that_errored(pair: Pair) -> None:
    expected = Oracle(*pair, ())
    declared = {name: METRICS[name] for name in sorted(expected.carried)}
    with two_runs(pair, ()) as (baseline, current):
        lens = Lens(declared=declared, ranges=current.manifest.ranges, strict=frozenset(declared))
        changes, _ = parallel.differences(baseline, current, lens)
    assert changes.strictly_regressed == expected.strictly_regressed


@given(_PAIRS)
def test_a_current_run_with_other_slices_is_compared_by_those_of_the_baseline(pair: Pair) -> None:
    with two_runs(pair, SLICES, ("lang",)) as (baseline, current):
        check_against_oracle(pair, SLICES, compare(baseline, current, Policy()))


@given(_PAIRS, _SLICES, st.integers(0, 400), st.integers(60, 200), st.integers(2, 3))
def test_parts_give_what_the_whole_gives(
    pair: Pair, slices: tuple[str, ...], above: int, target: int, processors: int
) -> None:
    with small_shards(above, target), two_runs(pair, slices) as (baseline, current):
        whole = parallel.differences(baseline, current, lens_of(current), processors=1)
        parts = parallel.differences(baseline, current, lens_of(current), processors=processors)
        event(f"{len(parallel.split(baseline, current, processors))} parts")
        check_against_oracle(pair, slices, compare(baseline, current, Policy()))
    assert (seen(parts[0]), parts[1]) == (seen(whole[0]), whole[1])


@given(_PAIRS, _SLICES, st.integers(0, 3))
def test_what_is_kept_are_the_worst(pair: Pair, slices: tuple[str, ...], limit: int) -> None:
    with two_runs(pair, slices) as (baseline, current):
        every = parallel.differences(baseline, current, lens_of(current))[0]
        kept = parallel.differences(baseline, current, lens_of(current, limit))[0]
    for kind, worst in every.kept.items():
        in_order = sorted(worst.sorted(), key=lambda change: (-change.severity, change.key))
        assert [change.key for change in kept.kept[kind].sorted()] == [change.key for change in in_order[:limit]]
        assert len(in_order) == every.counts[kind]


@given(_PAIRS)
def test_a_run_is_equal_to_itself(pair: Pair) -> None:
    with two_runs((pair[0], pair[0]), ()) as (baseline, current):
        found = compare(baseline, current, Policy())
    assert (found.counts.unchanged, found.counts.common) == (len(pair[0]), len(pair[0]))
    assert {finding.rule.value for finding in found.findings} <= {"identical", "no-records", "nothing-compared"}


def damaged(lines: list[bytes], data: st.DataObject) -> list[bytes]:
    """The lines with one thing done to them that a run may not have, or may."""
    act = data.draw(st.sampled_from(["swap", "twin", "drop", "flip", "cut", "move", "empty", "id", "form", "none"]))
    one, other = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    result = list(lines)
    if act == "swap":
        result[one], result[other] = result[other], result[one]
    elif act == "twin":
        result.insert(other, lines[one])
    elif act == "drop":
        del result[one]
    elif act == "move":
        result.insert(other, result.pop(one))
    elif act == "empty":
        result.insert(one, b"\n")
    elif act == "form":
        old, new = data.draw(
            st.sampled_from([(b":0", b":-0"), (b":", b": "), (b"0.", b".0e1"), (b"5}", b"50}"), (b"a", b"\\u0061")])
        )
        result[one] = lines[one].replace(old, new, 1)
    elif act == "id":
        result[one] = re.sub(rb'^\{"id":"[^"\\]*', lambda found: lines[other][: found.end()].rstrip(b'"'), lines[one])
    elif act in ("flip", "cut"):
        place = data.draw(st.integers(0, len(lines[one]) - 1))
        rest = lines[one][place + 1 :] if act == "flip" else b""
        result[one] = lines[one][:place] + bytes([lines[one][place] ^ (1 << data.draw(st.integers(0, 6)))]) + rest
    return result


def with_honest_totals(run: Path) -> None:
    """Give the run the summary of its lines, as far as they are records at all."""
    totals = summary.Tally(json.loads((run / "manifest.json").read_bytes())["slices"])
    try:
        for line in (run / "records.jsonl").read_bytes().splitlines():
            totals.add(record.read(line, read_run(run).manifest.ranges))
        (run / "summary.json").write_bytes(canonical.encode_document(summary.to_json(totals, {})))
    except (InvalidDataError, AttributeError):
        pass
    reseal(run)


@settings(max_examples=200)
@given(_PAIRS, _SLICES, st.data(), st.sampled_from([None, 1, 7, 40]))
def test_a_current_run_is_refused_exactly_when_it_is_not_sound(
    pair: Pair, slices: tuple[str, ...], data: st.DataObject, size: int | None
) -> None:
    """Lines are looked at only where they differ, so what a comparison lets pass must be what a full check does."""
    assume(pair[1])
    with two_runs(pair, slices) as (baseline, current):
        place = Path(current.label)
        lines = (place / "records.jsonl").read_bytes().splitlines(keepends=True)
        after = b"".join(damaged(lines, data))
        (place / "records.jsonl").write_bytes(after)
        reseal(place)
        with_honest_totals(place)
        sound = outcome(lambda: verification.verify(read_run(place)))
        with sizes(size, size, 3) if size else nullcontext():
            accepted = outcome(lambda: compare(baseline, read_run(place), Policy()))
    event("sound" if sound else "not sound")
    assert accepted == sound


def outcome(act: Callable[[], object]) -> bool:
    try:
        act()
    except InvalidDataError:
        return False
    return True
