"""Comparing two runs: what is checked, what is remembered, what the value holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore import composition, verification
from runstore.comparison import compare
from runstore.errors import InvalidDataError, InvalidRunError, PolicyError
from runstore.facts import Counts
from runstore.findings import Verdict
from runstore.policy import Policy, from_toml
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns
from tests.factories import LOWER, SHARE, edit_summary, files_of, passing, replace_bytes, reseal, scored, write_run


def run(place: Path, **given: Any) -> Run:
    return read_run(write_run(place, **{"records": passing(3), **given}))


def test_a_comparison_holds_counts_measures_changes_and_both_runs(tmp_path: Path) -> None:
    before = run(tmp_path / "b", points=[("loss", 1, None)], metrics={"acc": SHARE, "loss": LOWER})
    after = run(
        tmp_path / "c",
        records=[*passing(2), scored("s", 0.5)],
        metrics={"acc": SHARE, "loss": LOWER},
        points=[("loss", 0.5, None)],
    )
    found = compare(before, after, Policy())
    assert found.verdict is Verdict.FAIL
    assert found.counts == Counts(baseline=3, current=3, common=2, added=1, removed=1, unchanged=2)
    assert [(path, m.metric, m.count, m.baseline, m.current) for path, m in found.measures] == [
        ("", "acc", 2, 1.0, 1.0),
        ("", "loss", 1, 1.0, 0.5),
    ]
    assert [(path, change.kind.value, change.key) for path, change in found.changes] == [
        ("", "removed", (b"r002", 1)),
        ("", "added", (b"s", 1)),
    ]
    assert [(pair.path, pair.baseline_digest, pair.current_digest) for pair in found.runs] == [
        ("", before.digest, after.digest)
    ]


def test_measures_come_for_all_records_and_then_slice_by_slice_as_the_baseline_declares(tmp_path: Path) -> None:
    before = [
        scored(name, acc, tags={"lang": lang}) for name, acc, lang in (("a", 1, "de"), ("b", 1, "fr"), ("c", 1, "de"))
    ]
    after = [
        scored(name, acc, tags={"lang": lang}) for name, acc, lang in (("a", 0, "de"), ("b", 1, "fr"), ("c", 1, "xx"))
    ]
    sides = run(tmp_path / "b", records=before, slices=("lang",)), run(tmp_path / "c", records=after)
    found = compare(*sides, Policy())
    assert [(m.group, m.count, m.baseline, m.current, m.regressed) for _, m in found.measures] == [
        (None, 3, 1.0, 2 / 3, 1),
        (("lang", "de"), 2, 1.0, 0.5, 1),
        (("lang", "fr"), 1, 1.0, 1.0, 0),
    ]


def test_counts_and_verdict_do_not_depend_on_the_limit(tmp_path: Path) -> None:
    sides = (
        run(tmp_path / "b", records=passing(9)),
        run(tmp_path / "c", records=[scored(f"r{n:03d}", 0) for n in range(9)]),
    )
    full, none = (compare(*sides, Policy(), limit=limit) for limit in (100, 0))
    assert (full.counts, full.verdict, full.measures) == (none.counts, none.verdict, none.measures)
    assert (len(full.changes), len(none.changes)) == (9, 0)


def test_a_baseline_is_verified_once_and_remembered_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    verify = verification.verify

    def counted(run: Run, *rest: Any) -> None:
        calls.append(run.label)
        verify(run, *rest)

    monkeypatch.setattr(verification, "verify", counted)
    verified = VerifiedRuns(tmp_path / "cache")
    before, after = run(tmp_path / "b"), run(tmp_path / "c", notes="c")
    for _ in range(2):
        compare(before, after, Policy(), verified=verified)
    write_run(tmp_path / "copy", passing(3))
    compare(read_run(tmp_path / "copy"), after, Policy(), verified=verified)
    assert calls == [before.label]
    compare(run(tmp_path / "other", records=passing(2)), after, Policy(), verified=verified)
    compare(before, after, Policy())
    assert calls == [before.label, str(tmp_path / "other"), before.label]


def test_a_baseline_that_is_not_sound_is_not_remembered(tmp_path: Path) -> None:
    place = write_run(tmp_path / "b", passing(3))
    replace_bytes(place, b'"r001"', b'"r000"')
    verified = VerifiedRuns(tmp_path / "cache")
    for _ in range(2):
        with pytest.raises(InvalidDataError, match="stands twice"):
            compare(read_run(place), run(tmp_path / f"c{_}"), Policy(), verified=verified)


def test_a_remembered_baseline_whose_records_were_changed_since_is_refused(tmp_path: Path) -> None:
    verified = VerifiedRuns(tmp_path / "cache")
    before, after = run(tmp_path / "b"), run(tmp_path / "c", notes="c")
    compare(before, after, Policy(), verified=verified)
    path = tmp_path / "b/records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"acc":1}}\n{"id":"r001"', b'"acc":0}}\n{"id":"r001"'))
    with pytest.raises(InvalidDataError, match="is not the file that the manifest lists"):
        compare(read_run(tmp_path / "b"), after, Policy(), verified=verified)


def put_mean(summary: dict[str, Any]) -> None:
    summary["metrics"]["acc"]["mean"] = 0.95


def put_count(summary: dict[str, Any]) -> None:
    summary["status"].update(ok=2, error=1)


def put_slice(summary: dict[str, Any]) -> None:
    summary["slices"]["lang"] = {}


def put_metric(summary: dict[str, Any]) -> None:
    summary["metrics"]["f1"] = summary["metrics"]["acc"]


@pytest.mark.parametrize("edit", [put_mean, put_count, put_slice, put_metric])
@pytest.mark.parametrize("side", ["b", "c"])
def test_a_summary_that_does_not_follow_from_the_records_is_refused(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], side: str
) -> None:
    for name in ("b", "c"):
        write_run(tmp_path / name, [scored("a", 0.8), scored("b", 1 if name == "b" else 0.9)])
    edit_summary(tmp_path / side, edit)
    with pytest.raises(InvalidDataError, match="the records say") as refused:
        compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), Policy())
    assert f"{tmp_path}/{side}/summary.json /" in refused.value.where


@pytest.mark.parametrize("side", ["b", "c"])
def test_artifacts_and_series_of_both_sides_are_checked(tmp_path: Path, side: str) -> None:
    for name in ("b", "c"):
        place = write_run(tmp_path / name, passing(2), {"acc": SHARE, "loss": LOWER}, points=[("loss", 1, 0)])
        (place / "artifacts").mkdir()
        (place / "artifacts/a.bin").write_bytes(b"abc")
        reseal(place)
    compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), Policy())
    for path, old, new in (("artifacts/a.bin", b"abc", b"abd"), ("series.jsonl", b'"value":1', b'"value":2')):
        file = tmp_path / side / path
        good = file.read_bytes()
        file.write_bytes(good.replace(old, new))
        with pytest.raises(InvalidDataError, match="is not the file that the manifest lists"):
            compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), Policy())
        file.write_bytes(good)


def test_a_metric_of_both_records_and_series_is_two_measures(tmp_path: Path) -> None:
    sides = [run(tmp_path / name, points=[("acc", 0.5, None)], notes=name) for name in "bc"]
    found = compare(sides[0], sides[1], Policy())
    assert [(m.metric, m.is_series, m.baseline) for _, m in found.measures] == [("acc", False, 1.0), ("acc", True, 0.5)]


def test_a_run_that_is_invalid_is_a_comparison_that_judged_nothing() -> None:
    found = composition.invalid(InvalidRunError("broken", where="c/records.jsonl:3", hint="mend it"), Policy(), "qa")
    assert (found.verdict, found.counts, found.measures) == (Verdict.INVALID, Counts(), ())
    assert [(f.rule.value, f.message, f.hint, f.run) for f in found.findings] == [
        ("invalid-run", "c/records.jsonl:3: broken", "mend it", "qa")
    ]


def test_a_policy_that_selects_nothing_raises_before_anything_is_printed(tmp_path: Path) -> None:
    rules = from_toml("[metrics.nope]\nmax_drop = 1\n", "gate.toml")
    assert rules is not None
    with pytest.raises(PolicyError):
        compare(run(tmp_path / "b"), run(tmp_path / "c"), rules)


def test_comparing_changes_nothing_on_disk(tmp_path: Path) -> None:
    sides = run(tmp_path / "b"), run(tmp_path / "c", records=[scored("a", 0)])
    before = files_of(tmp_path)
    compare(*sides, Policy())
    assert files_of(tmp_path) == before


def test_a_summary_as_old_as_the_baseline_with_new_records_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "b", passing(3))
    place = write_run(tmp_path / "c", [scored("r000", 0), *passing(3)[1:]])
    (place / "summary.json").write_bytes((tmp_path / "b/summary.json").read_bytes())
    reseal(place)
    assert json.loads((place / "summary.json").read_bytes())["metrics"]["acc"]["mean"] == 1
    with pytest.raises(InvalidDataError, match="the records say"):
        compare(read_run(tmp_path / "b"), read_run(place), Policy())
