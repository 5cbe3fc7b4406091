"""Laws of the differing fields: they tell exactly whether, where and how two JSON values differ."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, fields
from runstore.fields import ABSENT, FieldChange, differences, same
from runstore.shape import escape
from tests.strategies import json_objects, json_values


def tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def applied(value: Any, changes: list[FieldChange]) -> Any:
    """The value after the changes; every change must find what it says was there."""
    result = copy.deepcopy(value)
    for change in changes:
        if change.path == "":
            assert same(result, change.before)  # type: ignore[arg-type]  # a value, or the comparison fails
            result = change.after
            continue
        *way, last = tokens(change.path)
        parent = result
        for token in way:
            parent = parent[token]
        if change.before is ABSENT:
            assert last not in parent
        else:
            assert same(parent.pop(last), change.before)  # type: ignore[arg-type]
        if change.after is not ABSENT:
            parent[last] = change.after
    return result


@given(json_values(), json_values())
def test_there_are_none_exactly_if_two_values_are_equal_as_json(before: Any, after: Any) -> None:
    assert (not list(differences(before, after))) == (canonical.encode(before) == canonical.encode(after))


@given(json_values())
def test_a_value_does_not_differ_from_its_copy(value: Any) -> None:
    assert list(differences(value, copy.deepcopy(value))) == []


@given(json_values(arrays=False), json_values(arrays=False))
def test_applied_to_before_they_give_after(before: Any, after: Any) -> None:
    assert canonical.encode(applied(before, list(differences(before, after)))) == canonical.encode(after)


@given(json_values(), json_values())
def test_turned_round_they_are_the_differences_the_other_way(before: Any, after: Any) -> None:
    forth, back = list(differences(before, after)), list(differences(after, before))
    assert bool(forth) == bool(back)
    if not any(isinstance(value, list) for value in every(before) + every(after)):
        assert [(change.path, change.after, change.before) for change in forth] == [
            (change.path, change.before, change.after) for change in back
        ]


def every(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(found for member in inner for found in every(member))]


_PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "x", "1"]))
_NAMES = st.sampled_from(["a", "b", "c", "a/b", "~"])
_OBJECTS = st.recursive(
    st.dictionaries(_NAMES, _PLAIN, max_size=3),
    lambda inner: st.dictionaries(_NAMES, st.one_of(_PLAIN, inner), max_size=3),
    max_leaves=6,
)


@given(_OBJECTS, _OBJECTS)
def test_for_objects_deepdiff_says_the_same_places(before: Any, after: Any) -> None:
    tree = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    places = {
        "".join(f"/{escape(str(token))}" for token in level.path(output_format="list"))
        for levels in tree.values()
        for level in levels
    }
    assert {change.path for change in differences(before, after)} == places


_FLAT = st.lists(st.sampled_from(["a", "b", "c", 1, True, None]), max_size=8)


@given(_FLAT, _FLAT)
def test_elements_of_an_array_that_are_not_named_are_the_same_in_order(before: list[Any], after: list[Any]) -> None:
    changes = list(differences(before, after))
    gone = {int(change.path[1:]) for change in changes if change.after is ABSENT}
    come = {int(change.path[1:]): change for change in changes if change.after is not ABSENT}
    for place, change in come.items():
        assert same(after[place], change.after)  # type: ignore[arg-type]
    for place in gone:
        assert place < len(before)
    assert len(after) - len(before) == sum(change.before is ABSENT for change in come.values()) - len(gone)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 20), st.just("new"))
def test_one_inserted_element_is_one_change(values: list[Any], place: int, new: str) -> None:
    place = min(place, len(values))
    longer: list[Any] = [*values[:place], new, *values[place:]]
    assert list(differences(values, longer)) == [FieldChange(f"/{place}", ABSENT, new)]
    assert list(differences(longer, values)) == [FieldChange(f"/{place}", new, ABSENT)]


@given(json_objects(), json_objects())
def test_paths_of_objects_come_in_order(before: Any, after: Any) -> None:
    first = [change.path.split("/")[1] for change in differences(before, after)]
    unescaped = [tokens(f"/{name}")[0].encode() for name in first]
    assert unescaped == sorted(unescaped)


def test_very_long_arrays_are_one_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "_ALIGNED_PAIRS", 0)
    assert list(differences({"a": [1, 2]}, {"a": [1, 3]})) == [FieldChange("/a", [1, 2], [1, 3])]
    assert list(differences({"a": [1, 2]}, {"a": [1, 2]})) == []
