"""Waivers and quarantine: what they excuse, how far and until when, and what they never excuse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from runstore.checks import Outcome
from runstore.comparison import Comparison, compare
from runstore.findings import Rule, Verdict
from runstore.manifest import MetricDeclaration
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import LOWER, SHARE, Record, passing, scored, write_run

TODAY = date(2026, 7, 1)
Rows = list[tuple[str, str]]


def waiver(metric: str = "acc", ceiling: str = "0.2", expires: str = "2026-08-01", **given: Any) -> str:
    lines = [f"{name} = {value!r}" for name, value in given.items() if not isinstance(value, dict)]
    lines += [f"{name} = {{{key} = {value!r}}}" for name, pair in given.items() if isinstance(pair, dict)
              for key, value in pair.items()]  # fmt: skip
    return (
        f"[[waivers]]\nmetric = {metric!r}\nceiling = {ceiling}\nowner = 'ann'\nreason = 'known'\nexpires = {expires}\n"
        + "".join(f"{line}\n" for line in lines)
    )


def policy(text: str) -> Policy:
    found = from_toml(text, "gate.toml")
    assert found is not None
    return found


def compared(
    place: Path,
    before: Sequence[Record],
    after: Sequence[Record],
    text: str,
    metrics: dict[str, MetricDeclaration] | None = None,
    today: date = TODAY,
    limit: int = 300,
) -> Comparison:
    write_run(place / "b", before, metrics or {"acc": SHARE}, slices=("lang",))
    write_run(place / "c", after, metrics or {"acc": SHARE}, slices=("lang",), notes="c")
    return compare(read_run(place / "b"), read_run(place / "c"), policy(text), today=today, limit=limit)


def rows(result: Comparison) -> Rows:
    return [
        (f.rule.value, f.level.value)
        for f in result.findings
        if f.record is None or f.rule in (Rule.WAIVED, Rule.QUARANTINE_UNUSED, Rule.QUARANTINE_EXPIRED)
    ]


WAIVED = ("waived", "notice")
UNUSED = ("waiver-unused", "warning")
REGRESSED = ("max-regressed", "error")
THREE = passing(3)


def with_first(value: float) -> list[Record]:
    return [scored("r000", value), *passing(3)[1:]]


@pytest.mark.parametrize(
    ("after", "text", "found"),
    [
        (with_first(0.8), waiver(record="r000"), [WAIVED]),
        (with_first(0.79), waiver(record="r000"), [REGRESSED, UNUSED]),
        (with_first(1), waiver(record="r000"), [UNUSED]),
        (with_first(0.9), waiver(record="r001"), [REGRESSED, UNUSED]),
        (with_first(0.9), waiver(record="r000", repeat=2), [REGRESSED, UNUSED]),
        (with_first(0.9), waiver(record="*"), [REGRESSED, UNUSED]),
        (with_first(0.9), waiver(record="r000", expires="2026-07-01"), [WAIVED]),
        (with_first(0.9), waiver(record="r000", expires="2026-06-30"), [REGRESSED, ("waiver-expired", "warning")]),
        (with_first(0.9), waiver(), [REGRESSED, UNUSED]),
        (with_first(0.9), waiver(record="r000") + "[records]\nmax_regressed = 0\n", [WAIVED]),
        (with_first(0.9), waiver(record="r000") + "[records]\nmax_regressed = 1\n", [WAIVED]),
        ([scored("r000", 0.9), scored("r001", 0.9), scored("r002")], waiver(record="r000"), [REGRESSED, WAIVED]),
        # What a waiver never excuses.
        (passing(3)[1:], waiver(record="r000"), [("max-removed", "error"), UNUSED]),
        ([{"id": "r000", "status": "error"}, *THREE[1:]], waiver(record="r000", ceiling="0.99"),
         [("max-errors", "error"), UNUSED]),
        ([{"id": "r000", "status": "skipped"}, *THREE[1:]], waiver(record="r000", ceiling="0.99"),
         [("max-skipped", "error"), UNUSED]),
        ([{"id": "r000"}, *THREE[1:]], waiver(record="r000", ceiling="0.99"),
         [REGRESSED, ("max-lost-scores", "error"), UNUSED]),
    ],
)  # fmt: skip
def test_a_record_may_be_worse_as_far_as_its_waiver_reaches(
    tmp_path: Path, after: list[Record], text: str, found: Rows
) -> None:
    result = compared(tmp_path, THREE, after, text)
    assert sorted(rows(result)) == sorted(found)
    assert result.verdict is (Verdict.FAIL if "error" in {level for _, level in found} else Verdict.PASS)


def test_a_record_that_is_worse_than_its_waiver_is_named_with_both_numbers(tmp_path: Path) -> None:
    for limit in (0, 300):
        result = compared(tmp_path / str(limit), THREE, with_first(0.5), waiver(record="r000"), limit=limit)
        assert "r000 is worse in acc by 0.5, and its waiver allows 0.2" in result.findings[0].message


def test_a_notice_says_who_answers_for_it_why_and_until_when(tmp_path: Path) -> None:
    result = compared(tmp_path, THREE, with_first(0.9), waiver(record="r000", issue="#12"))
    finding = result.findings[0]
    assert finding.message == "r000 got worse in acc by 0.1; waived up to 0.2 until 2026-08-01 by ann: known (#12)"
    assert (finding.record, finding.metric, finding.observed, finding.limit) == ("r000", "acc", "0.1", "0.2")
    assert [check.excused_by for check in result.checks if check.outcome is Outcome.WAIVED] == [("waivers.0",)]


TWO = {"acc": SHARE, "f1": SHARE}


def both(acc: float, f1: float) -> list[Record]:
    return [{"id": "r000", "scores": {"acc": acc, "f1": f1}}]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (waiver(record="r000"), [REGRESSED, UNUSED]),
        (waiver(record="r000") + waiver("f1", record="r000"), [WAIVED, WAIVED]),
        (waiver(record="r000") + waiver("f1", "0.05", record="r000"), [REGRESSED, UNUSED, UNUSED]),
        (waiver(record="r000") + "[metrics.f1]\nmax_drop = 1\n", [WAIVED]),
        (waiver(record="r000") + "[metrics.f1]\nmax_drop = 1\n[records]\nmax_regressed = 0\n", [REGRESSED, UNUSED]),
    ],
)
def test_every_metric_in_which_a_record_got_worse_needs_a_waiver(tmp_path: Path, text: str, found: Rows) -> None:
    assert rows(compared(tmp_path, both(1, 1), both(0.9, 0.9), text, TWO)) == found


def test_worse_is_what_the_direction_says(tmp_path: Path) -> None:
    sides: list[list[Record]] = [[{"id": "a", "scores": {"ms": value}}] for value in (100, 110)]
    metrics = {"ms": LOWER}
    for ceiling, found in (("10", [WAIVED]), ("9.9", [REGRESSED, UNUSED])):
        text = waiver("ms", ceiling, record="a")
        assert rows(compared(tmp_path / ceiling, sides[0], sides[1], text, metrics)) == found


LANG: list[Record] = [scored(f"{lang}{n}", tags={"lang": lang}) for lang in ("de", "fr") for n in range(2)]
WORSE: list[Record] = [{**record, "scores": {"acc": 0.8}} if record["id"] in ("de0", "de1") else record
                       for record in LANG]  # fmt: skip
DROP = ("max-drop", "error")
ON_METRIC = "[metrics.acc]\nmax_drop = 0.05\n"
ON_SLICE = "[metrics.acc]\nmax_drop = 1\n[[slices]]\ntag = 'lang'\nmax_drop = 0.05\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ON_METRIC + waiver(ceiling="0.1"), [WAIVED]),
        (ON_METRIC + waiver(ceiling="0.09"), [DROP, UNUSED]),
        (ON_METRIC + waiver(ceiling="0.1", expires="2026-06-30"), [DROP, ("waiver-expired", "warning")]),
        (ON_METRIC + waiver(ceiling="0.2", slice={"lang": "de"}), [DROP, UNUSED]),
        (ON_METRIC + waiver("f1", ceiling="0.2"), [DROP, UNUSED]),
        (ON_METRIC + waiver(record="de0"), [DROP, UNUSED]),
        ("[metrics.acc]\nmax_relative_drop = 0.05\n" + waiver(ceiling="0.1"), [WAIVED]),
        (ON_SLICE + waiver(ceiling="0.2", slice={"lang": "de"}), [WAIVED]),
        (ON_SLICE + waiver(ceiling="0.19", slice={"lang": "de"}), [DROP, UNUSED]),
        (ON_SLICE + waiver(ceiling="0.2", slice={"lang": "fr"}), [DROP, UNUSED]),
        (ON_SLICE + waiver(ceiling="0.2"), [DROP, UNUSED]),
        # Floors are not excused.
        ("[metrics.acc]\nmax_drop = 1\nmin = 0.95\n" + waiver(ceiling="0.5"), [("min", "error"), UNUSED]),
    ],
)
def test_a_drop_of_a_mean_is_waived_by_name_as_far_as_the_ceiling(tmp_path: Path, text: str, found: Rows) -> None:
    result = compared(tmp_path, LANG, WORSE, text)
    assert rows(result) == found
    assert result.verdict is (Verdict.FAIL if "error" in {level for _, level in found} else Verdict.PASS)


@pytest.mark.parametrize(
    ("ceiling", "expires", "broad"),
    [
        ("1", "2026-08-01", True),
        ("0.99", "2026-08-01", False),
        ("0.5", "2027-07-02", False),
        ("0.5", "2027-07-03", True),
    ],
)
def test_a_waiver_without_a_real_ceiling_or_end_is_a_warning(
    tmp_path: Path, ceiling: str, expires: str, broad: bool
) -> None:
    text = ON_METRIC + waiver(ceiling=ceiling, expires=expires)
    result = compared(tmp_path, LANG, WORSE, text)
    assert rows(result) == [WAIVED] + [("waiver-broad", "warning")] * broad


def test_a_waiver_of_what_is_not_there_says_so(tmp_path: Path) -> None:
    result = compared(tmp_path, THREE, THREE, waiver(record="nope"))
    assert result.findings[-1].message.endswith("excuses nothing; neither run has that record")
    result = compared(tmp_path / "2", THREE, THREE, waiver(record="r001"))
    assert result.findings[-1].message.endswith("excuses nothing")


def test_without_a_day_every_waiver_has_expired(tmp_path: Path) -> None:
    for name, records in (("b", THREE), ("c", with_first(0.9))):
        write_run(tmp_path / name, records)
    result = compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), policy(waiver(record="r000")))
    assert rows(result) == [REGRESSED, ("waiver-expired", "warning")]


def quarantine(*names: str, expires: str = "2026-08-01") -> str:
    return "[quarantine]\nmax_records = 9\n" + "".join(
        f"[[quarantine.records]]\nrecord = {name!r}\nowner = 'ann'\nreason = 'flaky'\nexpires = {expires}\n"
        for name in names
    )


QUARANTINED = ("quarantined", "notice")
ERRED: list[Record] = [{"id": "r000", "status": "error"}, *THREE[1:]]
SKIPPED: list[Record] = [{"id": "r000", "status": "skipped"}, *THREE[1:]]


@pytest.mark.parametrize(
    ("after", "text", "found"),
    [
        (with_first(0), quarantine("r000"), [QUARANTINED]),
        (with_first(0), quarantine("r000") + "[records]\nmax_regressed = 0\n", [QUARANTINED]),
        (ERRED, quarantine("r000"), [QUARANTINED]),
        (ERRED, quarantine("r000") + "[records]\nmax_regressed = 0\n", [QUARANTINED]),
        (SKIPPED, quarantine("r000"), [QUARANTINED]),
        (with_first(0), quarantine("r001"), [REGRESSED]),
        (with_first(0), quarantine("r00*"), [REGRESSED, ("quarantine-unused", "warning")]),
        (with_first(1), quarantine("r000"), []),
        (with_first(0), quarantine("r000", expires="2026-06-30"), [REGRESSED, ("quarantine-expired", "warning")]),
        (THREE, quarantine("nope"), [("quarantine-unused", "warning")]),
        # It must still be run, and still counts in the mean.
        (THREE[1:], quarantine("r000"), [("max-removed", "error")]),
        (with_first(0), quarantine("r000") + "[metrics.acc]\nmax_drop = 0.3\n", [("max-drop", "error")]),
        ([{"id": "r000"}, *THREE[1:]], quarantine("r000"), [("max-lost-scores", "error"), QUARANTINED]),
    ],
)
def test_a_quarantined_record_is_run_and_counted_and_not_held_against_the_limits_on_records(
    tmp_path: Path, after: list[Record], text: str, found: Rows
) -> None:
    result = compared(tmp_path, THREE, after, text)
    assert rows(result) == found
    assert result.verdict is (Verdict.FAIL if "error" in {level for _, level in found} else Verdict.PASS)


def test_all_repeats_of_a_record_are_in_quarantine_and_each_is_named(tmp_path: Path) -> None:
    before: list[Record] = [scored("a"), scored("a", repeat=2), scored("b")]
    after: list[Record] = [scored("a", 0), scored("a", 0, repeat=2), scored("b")]
    result = compared(tmp_path, before, after, quarantine("a"), limit=0)
    named = [(f.record, f.repeat) for f in result.findings if f.rule is Rule.QUARANTINED]
    assert named == [(None, None), ("a", None), ("a", 2)]
    assert result.verdict is Verdict.PASS


def test_a_record_in_quarantine_that_is_waived_too_is_taken_off_once(tmp_path: Path) -> None:
    after = [scored("r000", 0.9), scored("r001", 0.9), scored("r002")]
    result = compared(tmp_path, THREE, after, quarantine("r000") + waiver(record="r000"))
    assert (rows(result), result.findings[0].observed) == ([REGRESSED, QUARANTINED, UNUSED], "1")


@pytest.mark.parametrize("quote", ['"', "\\", "\u00e9", "\U0001f600", "a\nb"])
def test_odd_ids_are_found(tmp_path: Path, quote: str) -> None:
    name = f"r{quote}0"
    records: list[Record] = [scored(name), scored(f"{name}1")]
    write_run(tmp_path / "b", records)
    write_run(tmp_path / "c", records, notes="c")
    asked = policy("[records]\nmax_regressed = 0\n")
    from_text = policy(quarantine("x"))
    assert from_text.quarantine is not None
    entry = from_text.quarantine.records[0]
    odd = type(entry)(record=name, owner="a", reason="b", expires=entry.expires, origin="quarantine.records.0")
    unknown = type(entry)(
        record=f"{name}2", owner="a", reason="b", expires=entry.expires, origin="quarantine.records.1"
    )
    held = type(from_text.quarantine)(max_records=2, records=(odd, unknown))
    asked = Policy(records=asked.records, quarantine=held)
    result = compare(read_run(tmp_path / "b"), read_run(tmp_path / "c"), asked, today=TODAY)
    assert [(f.rule, f.record) for f in result.findings] == [(Rule.QUARANTINE_UNUSED, f"{name}2")]


def test_a_waiver_excuses_no_drop_from_the_reference_and_none_of_a_volatile_measure(tmp_path: Path) -> None:
    text = "[reference]\npath = 'r'\n[reference.metrics.acc]\nmax_drop = 0\n[metrics.acc]\nmax_drop = 0\n"
    text += "[volatile.acc]\ndirection = 'higher'\nmax_drop = 0\n" + waiver(ceiling="0.5")
    for name, acc in (("b", 1), ("c", 0.9)):
        write_run(tmp_path / name, [scored("a", acc)])
        (tmp_path / name / "volatile").mkdir()
        (tmp_path / name / "volatile/measures.json").write_text(f'{{"acc": {acc}}}')
    before, after = read_run(tmp_path / "b"), read_run(tmp_path / "c")
    result = compare(before, after, policy(text), reference=before, today=TODAY)
    assert rows(result) == [WAIVED, ("reference-drop", "error"), DROP]
    assert [check.origin for check in result.checks if check.outcome is Outcome.BROKEN] == [
        "reference.metrics.acc.max_drop",
        "volatile.acc.max_drop",
    ]


def test_records_that_are_excused_are_not_among_those_that_failed(tmp_path: Path) -> None:
    before = passing(4)
    after = [scored("r000", 0.9), scored("r001", 0.9), scored("r002", 0.9), scored("r003")]
    result = compared(tmp_path, before, after, waiver(record="r000") + quarantine("r001"))
    assert [f.record for f in result.findings if f.rule is Rule.MAX_REGRESSED] == [None, "r002"]
    assert result.findings[0].message == "1 record got worse in a score; 0 allowed"


@pytest.mark.parametrize("side", ["b", "c"])
def test_a_record_that_either_run_has_is_there_however_little_it_holds(tmp_path: Path, side: str) -> None:
    extra: list[Record] = [{"id": "bare"}, *(scored(f"x{n:04d}", output="." * 100) for n in range(2000))]
    sides = {"b": extra, "c": extra} if side == "b" else {"b": [], "c": extra}
    for name, records in sides.items():
        write_run(tmp_path / name, [*THREE, *records], notes=name)
    runs = [read_run(tmp_path / name) for name in "bc"]
    text = quarantine("bare", "x0000", "x0700", "x1999", "r000", "x2000", "bar", "bare2")
    result = compare(runs[0], runs[1], policy(text), today=TODAY)
    assert [f.record for f in result.findings if f.rule is Rule.QUARANTINE_UNUSED] == ["x2000", "bar", "bare2"]
