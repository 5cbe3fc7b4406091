"""The past of a metric: what a commit says, what it does not, and how it is shown."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, schema
from runstore.canonical import JsonValue
from runstore.git.log import Commit
from runstore.history import drawing, states, tables, text, timeline
from runstore.history.sparkline import sparkline
from runstore.history.states import Documents, Gap, State, Value
from runstore.history.timeline import History
from runstore.manifest import MetricDeclaration
from runstore.reports import csv_report
from runstore.reports.text.paper import paper
from runstore.reports.text_safety import columns
from tests.factories import edit_manifest, edit_summary, passing, scored, write_run
from tests.unit.test_reports_hostile import BREAK_OUTS

HIGHER = MetricDeclaration(direction="higher")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [scored("a", 0.5, tags={"lang": "de"}), *passing(2)], slices=["lang"])


def read(
    run: Path, group: tuple[str, str] | None = None, edited: Mapping[str, bytes | None] = MappingProxyType({})
) -> State | Gap:
    found = {name: (run / f"{name}.json").read_bytes() for name in ("manifest", "summary")}
    return states.state(Documents(**{**found, **edited}), group)


def test_a_state_is_what_the_summary_says(run: Path) -> None:
    state = read(run)
    assert isinstance(state, State)
    value = state.values["acc"]
    assert (state.records, value.count, value.missing, value.total) == (3, 3, 0, Decimal("2.5"))
    part = read(run, ("lang", "de"))
    assert isinstance(part, State)
    assert (part.records, part.values["acc"].total) == (1, Decimal("0.5"))
    nothing = read(run, ("lang", "xx"))
    assert isinstance(nothing, State)
    assert (nothing.records, nothing.values) == (0, {})


@pytest.mark.parametrize(
    ("edited", "kind", "said"),
    [
        ({"manifest": None}, "missing", "there is no manifest.json"),
        ({"manifest": b""}, "invalid", "manifest.json"),
        ({"manifest": b"<<<<<<< ours\n"}, "invalid", "manifest.json"),
        ({"manifest": b"version https://git-lfs.github.com/spec/v1\n"}, "invalid", "manifest.json"),
        ({"manifest": b"[]\n"}, "invalid", "expected an object"),
        ({"manifest": b'{\n  "format": 2\n}\n'}, "format", "format 2"),
        ({"manifest": b'{\n  "format": "x"\n}\n'}, "invalid", "missing"),
        ({"summary": None}, "invalid", "summary.json: not there"),
        ({"summary": b"{}\n"}, "invalid", "summary.json: its digest"),
    ],
)
def test_what_is_no_run_is_a_gap(run: Path, edited: Mapping[str, bytes | None], kind: str, said: str) -> None:
    gap = read(run, edited=edited)
    assert isinstance(gap, Gap)
    assert (gap.kind, said in gap.message) == (kind, True), gap.message


@pytest.mark.parametrize(
    "edit",
    [
        {"count": 4},
        {"sum": "x"},
        {"sum": "1" + "0" * 400},
        {"count": 0},
    ],
)
def test_a_summary_that_says_what_cannot_be_is_a_gap(run: Path, edit: Mapping[str, Any]) -> None:
    edit_summary(run, lambda summary: summary["metrics"]["acc"].update(edit))
    gap = read(run)
    assert isinstance(gap, Gap)
    assert gap.kind == "invalid"


def test_a_metric_that_is_not_declared_is_a_gap(run: Path) -> None:
    edit_manifest(run, lambda manifest: manifest.update(metrics={}))
    assert isinstance(read(run), Gap)


def accepted(made: int, *reasons: str) -> State:
    return State(records=0, values={}, accepted=[{"reason": one} for one in reasons], made=[made])


@pytest.mark.parametrize(
    ("older", "newer", "told"),
    [
        (None, accepted(1), ()),
        (None, accepted(1, "a"), ("a",)),
        (accepted(1, "a"), accepted(1, "a"), ()),
        (accepted(1, "a"), accepted(1, "a", "b", "c"), ("b", "c")),
        (accepted(1, "a", "b"), accepted(2, "c"), ("c",)),
        (accepted(1, "a"), accepted(2, "a"), ("a",)),  # another run, accepted whole for the same reason
        (accepted(1, "a"), accepted(2), ()),
        (accepted(1), State(records=0, values={}, accepted=[1, {"reason": 2}, {"reason": ""}], made=[1]), ()),
        (accepted(1), State(records=0, values={}, accepted="x", made=[1]), ()),
    ],
)
def test_the_reasons_of_a_change_are_those_that_are_new(older: State | None, newer: State, told: Sequence[str]) -> None:
    assert states.reasons(older, newer) == tuple(told)


def commit(number: int, subject: str = "", author: str = "") -> Commit:
    return Commit(oid=f"{number:040x}", parents=(), seconds=number * 86_400, author=author, subject=subject)


def state(total: str, count: int = 1, metric: str = "acc", unit: str | None = None) -> State:
    declared = MetricDeclaration(direction="higher", unit=unit)
    value = Value(kind="records", count=count, missing=0, total=Decimal(total), declared=declared)
    return State(records=count, values={metric: value}, accepted=None, made=None)


GAP = Gap(kind="missing", message="the folder is not there")
STATES = st.one_of(
    st.just(GAP),
    st.builds(
        state,
        st.decimals(-10, 10, places=3).map(lambda number: format(number.normalize() + 0, "f")),
        st.integers(1, 7),
        st.sampled_from(["acc", "acc", "acc", "f1"]),
    ),
)


def history(found: Sequence[State | Gap], **commits: str) -> History:
    """A history of states, oldest first."""
    newest_first = [(commit(number, **commits), one) for number, one in reversed([*enumerate(found)])]
    made = timeline.rows(newest_first, None)
    return History(path="b", ref="HEAD", tip="f" * 40, group=None, rows=made, end="start")


@given(st.lists(STATES, min_size=1, max_size=10))
def test_a_delta_is_to_the_state_before_over_any_gap(found: list[State | Gap]) -> None:
    before: State | None = None
    for row, one in zip(reversed(history(found).rows), found, strict=True):
        if isinstance(one, Gap):
            assert (row.gap, row.changes) == (one, {})
            continue
        for name, value in one.values.items():
            old = before.values.get(name) if before else None
            exact = None if old is None else Fraction(value.total) / value.count - Fraction(old.total) / old.count
            assert row.changes[name].delta == (None if exact is None else float(exact))
        before = one


@given(st.lists(STATES, min_size=1, max_size=10), st.integers(1, 11))
def test_the_last_n_rows_are_the_same_as_those_of_the_whole(found: list[State | Gap], most: int) -> None:
    read: list[int] = []

    def reading() -> Any:
        for number, one in reversed([*enumerate(found)]):
            read.append(number)
            yield commit(number), one

    rows = timeline.rows(reading(), None, most)
    assert rows[:most] == history(found).rows[:most]
    assert (len(rows) > most) == (len(found) > most)
    known = [number for number, one in enumerate(found[: max(0, len(found) - most)]) if isinstance(one, State)]
    assert min(read) == (known[-1] if known else 0)


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=50), st.integers(1, 60))
def test_a_sparkline_has_a_block_a_value_and_shows_the_lowest_and_the_highest(
    values: list[float | None], width: int
) -> None:
    line = sparkline(values, width)
    assert len(line) == min(len(values), width)
    known = [value for value in values if value is not None]
    if len(values) <= width and len(set(known)) > 1:
        assert [block == "▁" for block in line] == [value == min(known) for value in values]
        assert [block == "█" for block in line] == [value == max(known) for value in values]


def test_a_sparkline_that_is_too_short_for_its_values_hides_no_drop() -> None:
    values = [1.0] * 50 + [0.0] + [1.0] * 49
    assert sparkline(values, 10) == "█████▁████"
    assert sparkline(values, 10, lower_is_better=True) == "▄" * 10
    assert sparkline([None, 1, None, None], 2) == "▄·"


def rendered(found: History, width: int = 100) -> list[str]:
    sheet = paper(color=False, width=width)
    texts = [text.of_all(found, sheet)]
    return texts + [text.of_metric(found, metric, sheet) for metric in found.declared]


@given(st.lists(STATES, min_size=1, max_size=8).filter(lambda found: any(isinstance(one, State) for one in found)))
def test_every_output_is_the_same_twice_and_fits_what_it_claims(found: list[State | Gap]) -> None:
    made = history(found, subject="=1+1")
    document = tables.to_json(made, None)
    assert list(schema.validate("history", json.loads(canonical.jcs_document(document)))) == []
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(made))))
    assert {row["subject"] for row in rows} == {"'=1+1"}
    assert len(rows) == sum(max(1, len(row.changes)) for row in made.rows)
    ET.fromstring(drawing.draw(made))
    assert drawing.draw(made) == drawing.draw(history(found, subject="=1+1"))
    assert all(columns(line) <= 100 for one in rendered(made) for line in one.splitlines())


def test_values_that_differ_never_look_the_same() -> None:
    found = history([state("0.5"), state("0.50000001"), state("0.5")])
    lines = text.of_metric(found, "acc", paper(color=False, width=100)).splitlines()[4:7]
    shown = [line.split()[3] for line in lines]
    assert shown[0] != shown[1] != shown[2]


@pytest.mark.parametrize("word", BREAK_OUTS)
def test_hostile_words_change_nothing_of_the_structure(word: str) -> None:
    def made(word: str) -> History:
        found: list[State | Gap] = [
            state("1", metric=word or "x"),
            Gap(kind="invalid", message=word),
            state("2", metric=word, unit=word),
        ]
        told: list[State | Gap] = []
        for number, one in enumerate(found):
            reasons: JsonValue = [{"reason": word}]
            told.append(replace(one, accepted=reasons, made=[number]) if isinstance(one, State) else one)
        return history(told, subject=word, author=word)

    found, plain = made(word), made("word")
    for one, other in ((found, plain),):
        assert len(tables.to_csv(one).splitlines()) == len(tables.to_csv(other).splitlines())
        tags = [[element.tag for element in ET.fromstring(drawing.draw(each)).iter()] for each in (one, other)]
        assert tags[0] == tags[1]
    for output in rendered(found):
        assert not any(
            line.lstrip().startswith("::") or "##[" in line or "\x1b" in line for line in output.splitlines()
        )
    cells = [cell for row in csv.reader(io.StringIO(tables.to_csv(found))) for cell in row]
    assert not any(cell.lstrip().startswith(("=", "+", "@")) for cell in cells)


@given(st.text(max_size=20) | st.sampled_from(BREAK_OUTS))
def test_a_cell_is_made_safe_as_in_the_report_of_a_comparison(word: str) -> None:
    assert tables._text(word) == csv_report._text(word)


@pytest.mark.parametrize("seconds", [None, -1, 253_402_300_800, 10**30])
def test_a_commit_that_does_not_say_when_has_no_date(seconds: int | None) -> None:
    made = Commit(oid="a", parents=(), seconds=seconds, author="", subject="")
    assert (made.time, made.day) == ("", "")


def test_a_thousand_commits_are_a_picture_of_bounded_size() -> None:
    found = history([state(str(number % 7)) for number in range(1000)], subject="x" * 1000)
    assert len(drawing.draw(found)) < 30_000
