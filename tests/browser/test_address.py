"""The address of the page: whatever the filters and the record are, a link keeps them, and any text is an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser
Script = Callable[[str, Any], Any]

NAMES = st.text(max_size=12) | st.sampled_from(["a=b&c", "%", "%41", "#/", "''"])
FILTERS = st.fixed_dictionaries(
    {
        "classes": st.sampled_from([[], ["regressed"], ["regressed", "removed", "changed"]]),
        "slice": st.none() | st.lists(NAMES, min_size=2, max_size=2),
        "metric": NAMES,
        "text": NAMES,
        "order": st.sampled_from(["", "id", "delta"]),
    }
)
RECORDS = st.fixed_dictionaries({"run": NAMES, "id": NAMES, "repeat": st.integers(1, 10**6)})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=FILTERS, record=RECORDS)
def test_what_is_written_is_read(script: Script, filters: dict[str, Any], record: dict[str, Any]) -> None:
    expression = "[address.keyOf(value[1]), address.read(address.written(value[0], address.keyOf(value[1])))]"
    key, read = script(expression, [filters, record])
    assert read == {"filters": filters, "record": key}
    assert key == "/".join(quote(part, safe="") for part in (record["run"], record["id"], str(record["repeat"])))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fragment=st.text(st.sampled_from(list("ab=&%/41,#recordclass\u202e<'")), max_size=40))
def test_any_text_is_an_address(script: Script, fragment: str) -> None:
    once = script("address.read(value)", fragment)
    assert script("address.read(address.written(value.filters, value.record))", once) == once


@pytest.mark.parametrize(
    ("fragment", "record"),
    [("record=/a%2fb/1", "/a%2Fb/1"), ("record=/a b/1", "/a%20b/1"), ("record=/100%/1", "/100%25/1"), ("x=1", "")],
)
def test_a_record_is_found_however_it_was_encoded(script: Script, fragment: str, record: str) -> None:
    assert script("address.read(value).record", fragment) == record
