"""What a comparison keeps for the tests of significance is what each pair of records says, one by one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from runstore import exact, paired
from runstore.changes import Changes, Lens, collect
from runstore.pairs import Join
from tests.factories import SHARE, Record, pair_of_runs, unsynced

SCORE = st.sampled_from([0, 1, 0.5, 0.25, 1e-7, 0.1, 0.3, 0.123456, 0.1234567])
RECORD = st.fixed_dictionaries(
    {"acc": SCORE, "status": st.sampled_from(["ok", "ok", "ok", "error"]), "lang": st.sampled_from(["de", "en", None])}
)


def _record(number: int, fields: dict[str, object]) -> Record:
    tags = {} if fields["lang"] is None else {"tags": {"lang": fields["lang"]}}
    if fields["status"] == "error":
        return {"id": f"r{number}", "status": "error", "reason": {"type": "e", "message": "m"}, **tags}
    return {"id": f"r{number}", "scores": {"acc": fields["acc"]}, **tags}


def _counts_as(record: Record) -> Decimal:
    return exact.exact(record["scores"]["acc"]) if "scores" in record else Decimal(0)


@given(st.lists(st.tuples(RECORD, SCORE, st.booleans()), min_size=1, max_size=30))
def test_squares_and_sample_are_those_of_each_pair(rows: list[tuple[dict[str, object], float, bool]]) -> None:
    before = [_record(number, fields) for number, (fields, _, _) in enumerate(rows)]
    after = [
        _record(number, {**fields, "acc": score, "status": "error" if fails else "ok"})
        for number, (fields, score, fails) in enumerate(rows)
    ]
    lens = Lens(declared={"acc": SHARE}, ranges={"acc": (0, 1)}, slices=(), sampled=frozenset({("acc", None)}))
    with TemporaryDirectory() as folder, unsynced():
        baseline, current = pair_of_runs(Path(folder), before, after)
        changes = Changes(lens)
        collect(Join(baseline, current), changes)
    changes.settle()
    naive = [_counts_as(new) - _counts_as(old) for old, new in zip(before, after, strict=True)]
    sums = changes.paired(None, "acc")
    assert sums.differences.squares == sum(value * value for value in naive)
    assert sums.differences.sum == sum(naive)
    assert sorted(sums.sample or []) == sorted(float(value) for value in naive if value)


@given(st.lists(st.tuples(SCORE, SCORE), min_size=1))
def test_columns_hold_what_the_pairs_hold_one_by_one(pairs: list[tuple[float, float]]) -> None:
    old, new = [one for one, _ in pairs], [other for _, other in pairs]
    together, apart = paired.PairedSums(), paired.PairedSums()
    together.add_columns(list(old), list(new))
    for one, other in pairs:
        apart.absorb(_alone(one, other))
    for name in ("before", "after", "differences"):
        mine, theirs = getattr(together, name), getattr(apart, name)
        assert (mine.count, mine.sum, mine.squares) == (theirs.count, theirs.sum, theirs.squares)


def _alone(old: float, new: float) -> paired.PairedSums:
    sums = paired.PairedSums()
    sums.add(old, new)
    return sums
