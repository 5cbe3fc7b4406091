"""Tables of Markdown for the text tab: names and values in, text out from which they can be had back.

A cell is a JSON text in a code span. What would end the span or the cell is written as JSON's own escape, so nothing of
the data is Markdown, and `json.loads` of a cell is the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runstore import canonical
from runstore.canonical import JsonValue

_ESCAPED = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "`|<>&\x7f\u2028\u2029"})


def make_table(head: Iterable[str], rows: Iterable[Iterable[JsonValue]]) -> str:
    """A table. `head` is ours, cells are data."""
    heads = list(head)
    lines = [_line(heads), _line(["---"] * len(heads))]
    lines += [_line(map(_cell, row)) for row in rows]
    return "\n".join(lines) + "\n"


def of_members(members: Mapping[str, JsonValue]) -> str:
    """A table of names and values."""
    return make_table(("name", "value"), members.items())


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: JsonValue) -> str:
    return f"`{canonical.jcs(value).decode().translate(_ESCAPED)}`"
