"""Laws of reports: what was saved renders to the same bytes, and what was edited is refused or rendered, never a crash.

They hold for every row of the table of formats, so a new one is held to them the day it is added.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, reports, schema, view
from runstore.cli import saved
from runstore.comparison import Comparison, compare
from runstore.errors import InvalidDataError
from runstore.manifest import MetricDeclaration
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from tests.factories import Point, Record, unsynced, write_run
from tests.strategies import METRICS, pairs_of_runs

View = dict[str, Any]
Place = tuple[str | int, ...]
POLICY = """
[metrics.free]
max_drop = 0.1
min = -1000
significance = "required"
[metrics.bounded]
max_relative_drop = 0.1
level = "warn"
[[slices]]
tag = "lang"
metric = "free"
max_drop = 0.2
min_records = 2
[records]
max_regressed = 2
max_removed = 1
[[waivers]]
metric = "free"
ceiling = 0.3
owner = "ann"
reason = "a new model"
expires = 2030-01-01
"""
POINTS: tuple[list[Point], list[Point]] = (
    [("loss", 3, 0), ("loss", 2.5, 1), ("loss", 2, 7)],
    [("loss", 3, 0), ("loss", 2.75, 1), ("loss", 1e300, 2), ("loss", 2, 7)],
)
# A rule must select something: these records are in every run.
KNOWN: list[Record] = [
    {"id": f"known {number}", "scores": {"bounded": 0.5, "free": number / 4}, "tags": {"lang": "de"}}
    for number in range(3)
]


def compared(baseline: list[Record], current: list[Record], policy: Policy, limit: int) -> Comparison:
    series = {"loss": MetricDeclaration(direction="lower")}
    with tempfile.TemporaryDirectory() as folder, unsynced():
        sides = [
            read_run(
                write_run(
                    Path(folder) / name,
                    [*KNOWN, *records],
                    {**METRICS, **series},
                    points=points,
                    slices=("lang", "hard"),
                )
            )
            for name, records, points in zip("bc", (baseline, current), POINTS, strict=True)
        ]
        return compare(sides[0], sides[1], policy, today=date(2029, 6, 1), limit=limit)


def reloaded(text: str) -> View:
    """What `load_view` makes of a report."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "comparison.json"
        place.write_bytes(text.encode())
        return dict(saved.load_view(place))


def strict_and_loose() -> Iterator[Policy]:
    yield Policy()
    found = from_toml(POLICY, "gate.toml")
    assert found is not None
    yield found


def without_loss(records: list[Record]) -> list[Record]:
    """`loss` is a series here."""
    return [
        {**record, "scores": {name: score for name, score in record.get("scores", {}).items() if name != "loss"}}
        for record in records
    ]


@given(pairs_of_runs(), st.sampled_from(list(strict_and_loose())), st.sampled_from([0, 1, 300]))
def test_a_saved_comparison_renders_to_the_same_bytes_in_every_format(
    both: tuple[list[Record], list[Record]], policy: Policy, limit: int
) -> None:
    baseline, current = map(without_loss, both)
    known = view.to_json(compared(baseline, current, policy, limit))
    again = reloaded(reports.load("json").render(known))
    for form in reports.FORMATS:
        assert reports.load(form).render(again) == reports.load(form).render(known)
    assert reports.load_explanation().render(again) == reports.load_explanation().render(known)


@cache
def rich() -> str:
    """The JSON report of a comparison that has something of everything."""
    odd: list[Record] = [
        {"id": "gone", "scores": {"free": 1}},
        {"id": "failed", "repeat": 2, "scores": {"free": 1, "bounded": 1}, "tags": {"lang": "fr", "hard": "yes"}},
        {"id": "text", "input": {"a": [1, "x"]}, "output": "one two", "scores": {"free": 0.5}},
    ]
    now: list[Record] = [
        {**odd[1], "status": "error", "reason": {"message": "late", "type": "Timeout"}, "scores": {}},
        {**odd[2], "output": "one too", "scores": {"free": 0.25}},
        {"id": "new", "scores": {"bounded": 1}},
    ]
    *_, policy = strict_and_loose()
    return reports.load("json").render(view.to_json(compared(odd, now, policy, 300)))


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """Every place of a JSON value."""
    if here:
        yield here
    for name, member in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(member, (*here, name))


@cache
def all_places() -> list[Place]:
    return list(places(json.loads(rich())))


VALUES: list[object] = [
    None, True, 0, 1, -1, 0.5, -1e300, 5e-324, 1e17, 2**53 - 1, "", "x", "PASS", "error", "holds", "\x00\n</script>",
    [], {}, [1], [None], {"a": 1}, [[0, 1]], [[1, 2], [0, 3]],
]  # fmt: skip


def edited(place: Place, how: str, value: object) -> View:
    """The rich view with one place changed, removed or doubled."""
    found: View = json.loads(rich())
    inner: Any = found
    for step in place[:-1]:
        inner = inner[step]
    if how == "remove":
        del inner[place[-1]]
    elif how == "double" and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[int(place[-1])]))
    else:
        inner[place[-1]] = value
    return found


@given(
    st.sampled_from(all_places()),
    st.sampled_from(["change", "change", "change", "remove", "double"]),
    st.sampled_from(VALUES),
)
def test_an_edited_comparison_is_refused_or_rendered(place: Place, how: str, value: object) -> None:
    found = edited(place, how, value)
    is_valid = not list(schema.validate("comparison", found))
    text = canonical.jcs_document(found).decode()
    try:
        loaded = reloaded(text)
    except InvalidDataError as error:
        refused = error
    else:
        check_rendered(loaded, place, is_valid=is_valid)
        return
    assert (refused.where != "", refused.hint != "") == (True, True)


def check_rendered(loaded: View, place: Place, *, is_valid: bool) -> None:
    assert is_valid
    assert loaded["verdict"] == json.loads(rich())["verdict"] or place[0] in ("findings", "checks")
    for form in reports.FORMATS:
        assert reports.load(form).render(loaded).endswith("\n")
    assert reports.load_explanation().render(loaded)


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(5))
def test_an_edit_of_any_place_is_refused_or_rendered(turn: int) -> None:
    for number, place in enumerate(all_places()):
        which = (number * 5 + turn) % (len(VALUES) + 2)
        how = {len(VALUES): "remove", len(VALUES) + 1: "double"}.get(which, "change")
        found = edited(place, how, VALUES[which % len(VALUES)])
        try:
            loaded = reloaded(canonical.jcs_document(found).decode())
        except InvalidDataError:
            continue
        check_rendered(loaded, place, is_valid=not list(schema.validate("comparison", found)))


@given(st.integers(0, 1_000_000), st.binary(min_size=1, max_size=3), st.booleans())
def test_bytes_that_were_damaged_are_refused_or_say_the_same(at: int, noise: bytes, insert: bool) -> None:
    data = rich().encode()
    at %= len(data)
    damaged = data[:at] + noise + data[at + (0 if insert else len(noise)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.json"
        path.write_bytes(damaged)
        try:
            loaded = saved.load_view(path)
        except InvalidDataError:
            return
    assert reports.load("json").render(loaded).encode() == damaged
