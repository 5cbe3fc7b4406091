"""Classes of changed records: which class, how severe, what the strict default minds. Laws stand in tests/property."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from runstore import parallel
from runstore.change import Change, ChangeClass, Worst
from runstore.changes import Changes, Lens
from runstore.errors import InvalidDataError
from runstore.manifest import MetricDeclaration
from runstore.store.reader import read_run
from tests.factories import HIGHER, LOWER, SHARE, Record, pair_of_runs, replace_bytes, scored, write_run

METRICS = {"acc": SHARE, "loss": LOWER, "free": HIGHER}


def changes(
    place: Path, before: list[Record], after: list[Record], strict: frozenset[str] = frozenset(METRICS)
) -> Changes:
    baseline, current = pair_of_runs(place, before, after, METRICS)
    lens = Lens(declared=METRICS, ranges=current.manifest.ranges, strict=strict)
    return parallel.differences(baseline, current, lens)[0]


def only(found: Changes) -> Change:
    kept = [change for worst in found.kept.values() for change in worst.sorted()]
    assert len(kept) == 1
    return kept[0]


@pytest.mark.parametrize(
    ("before", "after", "kind", "severity", "strict"),
    [
        ({"scores": {"acc": 1}}, {"scores": {"acc": 0.5}}, "regressed", 0.5, True),
        ({"scores": {"acc": 0.5}}, {"scores": {"acc": 1}}, "improved", 0.5, False),
        ({"scores": {"loss": 1}}, {"scores": {"loss": 3}}, "regressed", 2, True),
        ({"scores": {"loss": 3}}, {"scores": {"loss": 1}}, "improved", 2, False),
        ({"scores": {"acc": 0, "loss": 2}}, {"scores": {"acc": 1, "loss": 3}}, "regressed", 1, True),
        ({"scores": {"acc": 1}}, {}, "regressed", math.inf, True),
        ({}, {"scores": {"acc": 1}}, "changed", 0, False),
        ({"output": 1}, {"output": 2}, "changed", 0, False),
        ({"output": 1}, {}, "changed", 0, False),
        ({"tags": {"a": "b"}}, {"tags": {"a": "c"}}, "changed", 0, False),
        ({"scores": {"acc": 1}, "tags": {"a": "b"}}, {"scores": {"acc": 0}}, "regressed", 1, True),
        ({"repeat": 1}, {}, "changed", 0, False),
        ({"status": "ok"}, {}, "changed", 0, False),
        ({"scores": {"acc": 0}}, {"scores": {"acc": 0}, "status": "error"}, "regressed", math.inf, False),
        ({}, {"status": "skipped"}, "regressed", math.inf, False),
        ({"status": "error"}, {}, "improved", 0, False),
        ({"status": "error"}, {"status": "skipped"}, "changed", 0, False),
        ({"scores": {"acc": 1}, "status": "error"}, {"scores": {"acc": 0}, "status": "error"}, "changed", 0, False),
        ({"status": "error", "scores": {"free": 1}}, {"scores": {"free": 0, "acc": 0.0}}, "improved", 0, False),
    ],
)
def test_a_changed_record_has_a_class_and_a_severity(
    tmp_path: Path, before: Record, after: Record, kind: str, severity: float, strict: bool
) -> None:
    anchor: list[Record] = [{"id": "z", "scores": {"acc": 1}}]
    found = only(changes(tmp_path, [{"id": "a", **before}, *anchor], [{"id": "a", **after}, *anchor]))
    assert (found.kind.value, found.severity, found.strict) == (kind, severity, strict)
    assert found.key == (b"a", 1)


def test_only_metrics_that_are_strict_make_a_change_strict(tmp_path: Path) -> None:
    before: list[Record] = [{"id": "a", "scores": {"acc": 1, "loss": 0}}]
    after: list[Record] = [{"id": "a", "scores": {"acc": 0, "loss": 0}}]
    for strict, minded in (("acc", 1), ("loss", 0), ("", 0)):
        found = changes(tmp_path / f"_{strict}", before, after, frozenset({strict}))
        assert found.strictly_regressed == minded


@pytest.mark.parametrize(
    ("before", "after", "newly", "lost"),
    [
        ({}, {"status": "error"}, (1, 0), 0),
        ({}, {"status": "skipped"}, (0, 1), 0),
        ({"status": "error"}, {"status": "skipped"}, (0, 1), 0),
        ({"status": "skipped"}, {"status": "error"}, (1, 0), 0),
        ({"status": "error", "output": 1}, {"status": "error"}, (0, 0), 0),
        ({"scores": {"acc": 1, "loss": 1}}, {}, (0, 0), 2),
        ({"scores": {"acc": 1}}, {"status": "error"}, (1, 0), 0),
        (None, {"status": "error"}, (1, 0), 0),
        (None, {}, (0, 0), 0),
        ({"scores": {"acc": 1}}, None, (0, 0), 0),
    ],
)
def test_what_newly_failed_and_what_lost_a_score_is_counted(
    tmp_path: Path, before: Record | None, after: Record | None, newly: tuple[int, int], lost: int
) -> None:
    old, new = ([] if side is None else [{"id": "a", **side}] for side in (before, after))
    found = changes(tmp_path, old, new)
    assert ((found.newly["error"], found.newly["skipped"]), found.lost_scores) == (newly, lost)


def test_trials_of_one_id_are_paired_by_their_number(tmp_path: Path) -> None:
    def trials(*numbers: int, acc: int = 1) -> list[Record]:
        return [{"id": "a", "repeat": number, "scores": {"acc": acc}} for number in numbers]

    found = changes(tmp_path, trials(1, 2, 3, 10), trials(2, 4, 10, acc=0))
    keys = {kind.value: [change.key[1] for change in worst.sorted()] for kind, worst in found.kept.items()}
    assert keys == {"regressed": [2, 10], "removed": [1, 3], "added": [4], "improved": [], "changed": []}


def change(severity: float, name: str) -> Change:
    return Change(severity, (name.encode(), 1), ChangeClass.REGRESSED, b"", b"")


def test_the_worst_are_kept_and_among_equals_those_whose_keys_come_first() -> None:
    worst = Worst(2)
    for number, severity in enumerate((1, 3, 3, 2, 3, 0)):
        if severity > worst.cut:
            worst.add(change(severity, f"k{number}"))
    assert [(found.severity, found.key[0]) for found in worst.sorted()] == [(3, b"k1"), (3, b"k2")]


def test_with_a_limit_of_none_nothing_is_kept_and_all_is_counted(tmp_path: Path) -> None:
    before, after = ([scored("a", acc), scored("b", acc)] for acc in (1, 0))
    baseline, current = pair_of_runs(tmp_path, before, after)
    lens = Lens(declared={"acc": SHARE}, ranges=current.manifest.ranges, limit=0)
    found = parallel.differences(baseline, current, lens)[0]
    assert found.counts[ChangeClass.REGRESSED] == 2
    assert found.kept[ChangeClass.REGRESSED].sorted() == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b'"acc":0.125', b'"acc":NaN', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc":0.1250', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc":1.25e-1', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc":-0', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc": 0.125', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc":0.125,"acc":1', "records.jsonl:3"),
        (b'"x3"', b'"\\u00783"', "records.jsonl:3"),
        (b'"acc":0.125', b'"acc":"1"', "records.jsonl:3 /scores/acc"),
        (b'"acc":0.125', b'"acc":7', "records.jsonl:3 /scores/acc"),
        (b'{"id":"r3",', b'{"id": "r3",', "records.jsonl:3"),
        (b'"x3"', b'"x3","status":"fine"', "records.jsonl:3 /status"),
    ],
)
def test_a_current_line_that_differs_is_refused_with_its_place(
    tmp_path: Path, old: bytes, new: bytes, where: str
) -> None:
    def records(values: dict[str, float]) -> list[dict[str, Any]]:
        return [{"id": name, "scores": {"acc": value}, "output": f"x{name[1]}"} for name, value in values.items()]

    before = write_run(tmp_path / "b", records({"r1": 1, "r2": 1, "r3": 1, "r4": 1}))
    after = write_run(tmp_path / "c", records({"r1": 0, "r2": 0, "r3": 0.125, "r4": 0}))
    if new == b'"x3","status":"fine"':
        replace_bytes(
            after, b'"output":"x3","scores":{"acc":0.125}', b'"output":"x3","scores":{"acc":0.125},"status":"fine"'
        )
    else:
        replace_bytes(after, old, new)
    lens = Lens(declared={"acc": SHARE}, ranges=read_run(after).manifest.ranges)
    with pytest.raises(InvalidDataError) as refused:
        parallel.differences(read_run(before), read_run(after), lens)
    assert where in refused.value.where


def test_a_metric_with_a_range_is_measured_by_its_width(tmp_path: Path) -> None:
    metrics = {"score": MetricDeclaration(range=(0, 100))}
    before, after = ([{"id": "a", "scores": {"score": value}}] for value in (90, 40))
    baseline, current = pair_of_runs(tmp_path, before, after, metrics)
    found = parallel.differences(baseline, current, Lens(declared=metrics, ranges=current.manifest.ranges))[0]
    assert only(found).severity == 0.5
