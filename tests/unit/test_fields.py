"""Differing fields: what a person sees of one change. The laws stand in tests/property."""

from __future__ import annotations

from typing import Any

import pytest

from runstore.fields import ABSENT, FieldChange, differences, same


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, [FieldChange("/a", 1, True)]),
        ({"a": 0}, {"a": False}, [FieldChange("/a", 0, False)]),
        ({"a": 1}, {"a": "1"}, [FieldChange("/a", 1, "1")]),
        ({"a": None}, {}, [FieldChange("/a", None, ABSENT)]),
        ({}, {"a": None}, [FieldChange("/a", ABSENT, None)]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}}, [FieldChange("/a~1b/~0", 1, 2)]),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, [FieldChange("/a", 1, 2), FieldChange("/b", 1, 2)]),
        ({"a": {}}, {"a": []}, [FieldChange("/a", {}, [])]),
        ({"a": [1, 2]}, {"a": [0, 1, 2]}, [FieldChange("/a/0", ABSENT, 0)]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [FieldChange("/a/1", 2, ABSENT)]),
        ({"a": [{"x": 1, "y": 1}]}, {"a": [{"x": 2, "y": 1}]}, [FieldChange("/a/0/x", 1, 2)]),
        ("a", "b", [FieldChange("", "a", "b")]),
    ],
)
def test_the_smallest_places_are_named(before: Any, after: Any, changes: list[FieldChange]) -> None:
    assert list(differences(before, after)) == changes


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0.0, -0.0, True),
        (None, False, False),
        ("", None, False),
        ([1], [1.0], True),
        ([1], [True], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
    ],
)
def test_values_are_the_same_as_json_values_are(one: Any, other: Any, equal: bool) -> None:
    assert (same(one, other), same(other, one)) == (equal, equal)


def test_absence_says_so() -> None:
    assert repr(ABSENT) == "absent"
