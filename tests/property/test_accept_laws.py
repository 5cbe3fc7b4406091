"""Laws of accepting: everything at once is the run; in parts, in any order, comes to the same; the rest stays put."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runstore import comparison, shards
from runstore.accepting import acceptance
from runstore.accepting.acceptance import Acceptance, Side
from runstore.accepting.choice import lines
from runstore.accepting.selection import Selection, Sieve
from runstore.change import ChangeClass
from runstore.comparison import Comparison
from runstore.findings import Level, Verdict
from runstore.policy import Policy
from runstore.record import line_id
from runstore.store.reader import Run, read_run
from runstore.store.replacement import Replacement
from runstore.verification import VerifiedRuns, verify
from tests.factories import Record, unsynced, write_run

IDS = ["a", "b", "b*", "c", 'd"', "é", "e", "zz"]
STATUSES = ["ok", "error", "skipped"]


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Some records, of few ids, so that two runs share many; one of them is in every run."""
    found: list[Record] = [{"id": "shared", "scores": {"acc": 1}}]
    for name in draw(st.lists(st.sampled_from(IDS), unique=True)):
        for repeat in draw(st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True)):
            record: Record = {"id": name, "repeat": repeat, "scores": {"acc": draw(st.sampled_from([0, 0.5, 1]))}}
            record["status"] = draw(st.sampled_from(STATUSES))
            record["tags"] = {"lang": draw(st.sampled_from(["de", "en"]))}
            found.append(record)
    return found


@contextmanager
def runs(baseline: list[Record], current: list[Record], shard_bytes: int) -> Iterator[tuple[Path, Run]]:
    with tempfile.TemporaryDirectory() as folder, unsynced(), cut_at(shard_bytes):
        write_run(Path(folder) / "baseline", baseline, slices=["lang"])
        yield Path(folder) / "baseline", read_run(write_run(Path(folder) / "current", current, slices=["lang"]))


@contextmanager
def cut_at(size: int) -> Iterator[None]:
    before = shards.SHARDED_ABOVE, shards._TARGET_BYTES
    shards.SHARDED_ABOVE = shards._TARGET_BYTES = size
    try:
        yield
    finally:
        shards.SHARDED_ABOVE, shards._TARGET_BYTES = before


def judged(baseline: Path, current: Run) -> Comparison:
    return comparison.compare_checked(read_run(baseline), current, Policy(), verified=VerifiedRuns(None), limit=0)


def accept(baseline: Path, current: Run, selection: Selection) -> Acceptance:
    """Accept as the command does, but for git, CI and words."""
    old = Side(run=read_run(baseline), folder=baseline)
    new = Side(run=current, folder=baseline.parent / "current")
    plan = acceptance.plan(old, new, judged(baseline, current), Sieve(selection), "why")
    assert isinstance(plan, Acceptance)
    if not plan.changes_nothing:
        with Replacement(baseline, "baseline") as place:
            acceptance.build(plan, place.path, "baseline")
            place.commit(old.run.digest)
    verify(read_run(baseline))
    return plan


def held(run: Run) -> list[bytes]:
    return list(lines(run))


selections = st.builds(
    Selection,
    only=st.lists(st.sampled_from([*IDS, "*", "[ab]*"]), max_size=3).map(tuple),
    slices=st.sampled_from([(), (("lang", "de"),)]),
    improved=st.booleans(),
)
sizes = st.sampled_from([32 * 1024 * 1024, 200])


@given(records(), records(), sizes)
def test_accepting_everything_makes_the_gate_pass_without_a_difference(
    old: list[Record], new: list[Record], size: int
) -> None:
    with runs(old, new, size) as (baseline, current):
        accept(baseline, current, Selection())
        assert held(read_run(baseline)) == held(current)
        found = judged(baseline, current)
        assert found.verdict is Verdict.PASS
        assert found.counts.unchanged == len(new)
        assert all(finding.level is Level.NOTICE for finding in found.findings)
        assert accept(baseline, current, Selection()).changes_nothing


@given(records(), records(), selections, sizes)
def test_a_selection_takes_what_it_names_and_leaves_every_other_line_as_it_was(
    old: list[Record], new: list[Record], selection: Selection, size: int
) -> None:
    with runs(old, new, size) as (baseline, current):
        before = held(read_run(baseline))
        plan = accept(baseline, current, selection)
        after, theirs = held(read_run(baseline)), held(current)
        if selection.is_everything:
            assert after == theirs
            return
        taken = {key[0] for key in plan.choice.taken}
        assert set(after) - set(before) <= set(theirs)
        assert [line for line in after if line_id(line) not in taken] == [
            line for line in before if line_id(line) not in taken
        ]
        assert sum(plan.counts.values()) + sum(plan.left.values()) == len(set(before) ^ set(theirs)) - sum(
            kind not in (ChangeClass.ADDED, ChangeClass.REMOVED) for kind in plan.choice.taken.values()
        ) - sum(count for kind, count in plan.left.items() if kind not in (ChangeClass.ADDED, ChangeClass.REMOVED))


@given(records(), records(), st.lists(st.sampled_from(IDS), unique=True), st.booleans(), sizes)
def test_two_parts_in_any_order_come_to_the_same_as_both_at_once(
    old: list[Record], new: list[Record], names: list[str], swap: bool, size: int
) -> None:
    half = len(names) // 2
    parts = [Selection(only=tuple(part)) for part in (names[:half], names[half:]) if part]
    with runs(old, new, size) as (baseline, current):
        for part in reversed(parts) if swap else parts:
            accept(baseline, current, part)
        in_parts = held(read_run(baseline)), read_run(baseline).document("summary.json")
    with runs(old, new, size) as (baseline, current):
        if names:
            accept(baseline, current, Selection(only=tuple(names)))
        assert (held(read_run(baseline)), read_run(baseline).document("summary.json")) == in_parts


@given(records(), records(), selections)
def test_the_same_acceptance_writes_the_same_bytes(old: list[Record], new: list[Record], selection: Selection) -> None:
    written = []
    for _ in range(2):
        with runs(old, new, 1000) as (baseline, current):
            accept(baseline, current, selection)
            written.append({path.name: path.read_bytes() for path in baseline.iterdir()})
            assert sorted(path.name for path in baseline.parent.iterdir()) == ["baseline", "current"]
    assert written[0] == written[1]
