"""Rules on slices: what they find, when they only warn, and what cannot be hidden from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runstore.checks import Outcome
from runstore.comparison import Comparison, compare
from runstore.errors import PolicyError
from runstore.findings import Rule, Verdict
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import Record, scored, write_run

Found = list[tuple[str, str, tuple[str, str] | None]]
ANY = "[records]\nmax_regressed = 1000\nmax_removed = 1000\n"


def policy(text: str) -> Policy:
    found = from_toml(text, "gate.toml")
    assert found is not None
    return found


def by_language(scores: Mapping[str, Sequence[float]]) -> list[Record]:
    return [
        scored(f"{lang}-{number}", acc, tags={"lang": lang})
        for lang, values in scores.items()
        for number, acc in enumerate(values)
    ]


def compared(place: Path, before: list[Record], after: list[Record], text: str, **options: Any) -> Comparison:
    write_run(place / "b", before, slices=("lang",), **options)
    write_run(place / "c", after, slices=("lang",), notes="c")
    return compare(read_run(place / "b"), read_run(place / "c"), policy(text))


def found(result: Comparison) -> Found:
    return [(f.rule.value, f.level.value, f.slice) for f in result.findings if f.record is None]


BEFORE = {"de": [1, 1, 1, 1], "fr": [0, 0, 0, 0, 0, 0]}
AFTER = {"de": [1, 1, 0, 0], "fr": [1, 1, 1, 1, 1, 1]}
DE = ("lang", "de")


@pytest.mark.parametrize(
    ("rule", "rows", "verdict"),
    [
        ("tag = 'lang'\nmax_drop = 0.5", [], "PASS"),
        ("tag = 'lang'\nmax_drop = 0.49", [("max-drop", "error", DE)], "FAIL"),
        ("tag = 'lang'\nmax_drop = 0.49\nlevel = 'warn'", [("max-drop", "warning", DE)], "PASS"),
        ("tag = 'lang'\nmax_relative_drop = 0.49", [("max-relative-drop", "error", DE)], "FAIL"),
        ("tag = 'lang'\nmin = 0.6", [("min", "error", DE)], "FAIL"),
        ("tag = 'lang'\nmax = 0.6", [("max", "error", ("lang", "fr"))], "FAIL"),
        ("where = {lang = 'de'}\nmax_drop = 0", [("max-drop", "error", DE)], "FAIL"),
        ("where = {lang = 'fr'}\nmax_drop = 0", [], "PASS"),
        ("where = {lang = 'de'}\nmetric = 'a*'\nmax_drop = 0", [("max-drop", "error", DE)], "FAIL"),
        ("where = {lang = 'xx'}\nmax_drop = 0", [("slice-missing", "inconclusive", ("lang", "xx"))], "INCONCLUSIVE"),
    ],
)
def test_a_slice_has_limits_of_its_own(tmp_path: Path, rule: str, rows: Found, verdict: str) -> None:
    text = f"[[slices]]\n{rule}\n{ANY}"
    result = compared(tmp_path, by_language(BEFORE), by_language(AFTER), text)
    assert (found(result), result.verdict.name) == (rows, verdict)


def test_every_rule_that_selects_a_slice_is_checked(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag='lang'\nmax_drop = 1\n[[slices]]\nwhere={{lang='de'}}\nmax_drop = 0\n{ANY}"
    result = compared(tmp_path, by_language(BEFORE), by_language(AFTER), text)
    origins = [(check.origin, check.slice, check.outcome) for check in result.checks if check.rule is Rule.MAX_DROP]
    assert origins == [
        ("slices.0.max_drop", DE, Outcome.HOLDS),
        ("slices.0.max_drop", ("lang", "fr"), Outcome.HOLDS),
        ("slices.1.max_drop", DE, Outcome.BROKEN),
    ]


def test_a_slice_that_is_small_in_the_baseline_only_warns_and_says_so(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0\nmin_records = 5\n{ANY}"
    result = compared(tmp_path, by_language(BEFORE), by_language(AFTER), text)
    assert (found(result), result.verdict) == (
        [("max-drop", "warning", DE), ("min-records", "notice", None)],
        Verdict.PASS,
    )
    assert result.findings[0].message.endswith("0 allowed; the slice is too small to fail (4 of 5 pairs)")


def test_a_slice_that_only_the_current_run_makes_small_is_not_excused(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0.4\nmin_records = 4\n{ANY}"
    after = [record for record in by_language(AFTER) if record["id"] != "de-0"]
    result = compared(tmp_path, by_language(BEFORE), after, text)
    assert found(result) == [("min-records", "inconclusive", DE), ("max-drop", "error", DE)]
    kept = [record for record in by_language(BEFORE) if record["id"] != "de-0"]
    result = compared(tmp_path / "more", by_language(BEFORE), kept, text)
    assert (found(result), result.verdict) == ([("min-records", "inconclusive", DE)], Verdict.INCONCLUSIVE)


def test_records_that_errored_are_records_of_a_slice(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0\nmin_records = 4\n{ANY}max_errors = 9\n"
    after = [{"id": r["id"], "tags": r["tags"], "status": "error"} for r in by_language({"de": [1, 1, 1, 1]})]
    result = compared(tmp_path, by_language({"de": [1, 1, 1, 1]}), after, text)
    assert ("max-drop", "error", DE) in found(result)


def test_records_that_errored_in_the_baseline_make_a_slice_large_enough(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0\nmin_records = 4\n{ANY}"
    erred: Record = {"id": "x", "status": "error", "tags": {"lang": "de"}}
    before = [*by_language({"de": [1, 1, 1]}), erred]
    result = compared(tmp_path, before, before[:3], text)
    assert (found(result), result.verdict) == ([("min-records", "inconclusive", DE)], Verdict.INCONCLUSIVE)


def test_a_slice_without_a_pair_is_inconclusive(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0\n{ANY}"
    result = compared(tmp_path, by_language(BEFORE), by_language({"fr": BEFORE["fr"]}), text)
    assert found(result) == [("nothing-compared", "inconclusive", DE)]


def test_tagging_records_otherwise_moves_none_to_another_slice(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0.4\n{ANY}"
    after = [{**r, "tags": {"lang": "fr"}} if r["id"] in ("de-2", "de-3") else r for r in by_language(AFTER)]
    result = compared(tmp_path, by_language(BEFORE), after, text)
    assert found(result) == [("max-drop", "error", DE)]


def test_slices_that_only_the_current_run_has_are_a_notice(tmp_path: Path) -> None:
    text = f"[[slices]]\ntag = 'lang'\nmax_drop = 0\n{ANY}max_added = 9\n"
    after = [*by_language(BEFORE), scored("new", 1, tags={"lang": "it"})]
    result = compared(tmp_path, by_language(BEFORE), after, text)
    assert found(result) == [("slice-added", "notice", None)]
    assert "lang = it" in result.findings[0].message


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        ("tag = 'topic'\nmax_drop = 0", "on slices by 'topic', which no baseline declares", "gate import --slice TAG"),
        ("tag = 'lang'\nmetric = 'f1'\nmax_drop = 0", "selects no metric with 'f1'", "the runs have: acc"),
    ],
)
def test_a_rule_on_slices_that_selects_nothing_is_an_error(tmp_path: Path, rule: str, message: str, hint: str) -> None:
    with pytest.raises(PolicyError) as refused:
        compared(tmp_path, by_language(BEFORE), by_language(AFTER), f"[[slices]]\n{rule}\n")
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_a_declared_slice_that_no_record_has_is_inconclusive(tmp_path: Path) -> None:
    plain = [scored("a"), scored("b")]
    result = compared(tmp_path, plain, plain, f"[[slices]]\ntag = 'lang'\nmax_drop = 0\n{ANY}")
    assert (found(result), result.verdict) == ([("slice-missing", "inconclusive", None)], Verdict.INCONCLUSIVE)


def test_a_slice_whose_records_lack_the_metric_is_inconclusive(tmp_path: Path) -> None:
    records = [scored("a"), {"id": "b", "tags": {"lang": "de"}}]
    result = compared(tmp_path, records, records, f"[[slices]]\ntag = 'lang'\nmetric = 'acc'\nmax_drop = 0\n{ANY}")
    assert found(result) == [("nothing-compared", "inconclusive", None)]
