"""The reference of the policy language: its published schema in, Markdown out.

One section a table of the file, one row a key. The part of docs/policy.md between its marks is this text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runstore import canonical
from runstore.canonical import JsonValue

_Schema = Mapping[str, JsonValue]
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def reference(schema: _Schema) -> str:
    """The sections for every table that the schema of a policy describes, in its order."""
    sections = (section for part in _members(schema).values() for section in _sections(schema, part))
    return "\n".join(sections)


def _sections(root: _Schema, part: _Schema) -> Iterator[str]:
    """The section of the table that a member leads to, and those of the tables within it."""
    table = _table(root, part)
    if table is None:
        return
    members, required = _members(table), table.get("required")
    rows = [_row(root, key, value, is_needed=key in (required or ())) for key, value in members.items()]  # type: ignore[operator]
    head = ("| key | value | default | meaning |", "|---|---|---|---|")
    yield "\n".join((f"## `{table['title']}`", "", str(table["description"]), "", *head, *rows, ""))
    for value in members.values():
        if "$ref" not in value:
            yield from _sections(root, value)


def _row(root: _Schema, key: str, part: _Schema, *, is_needed: bool) -> str:
    value, table = _resolved(root, part), _table(root, part)
    default = _code(value["default"]) if "default" in value else "required" if is_needed else "–"
    kind = "table" if table is value else "tables" if table else _kind(value)
    meaning = f"see `{table['title']}`" if table else str(value["description"])
    return f"| `{key}` | {kind} | {default} | {meaning} |"


def _kind(value: _Schema) -> str:
    """What a value may be, in words."""
    match value:
        case {"enum": list(words)}:
            return ", ".join(map(_code, words))
        case {"anyOf": list(parts)}:
            return " or ".join(_kind(part) for part in parts if isinstance(part, dict))
        case {"type": "integer" | "number" as kind}:
            told = {name: bound for name, bound in value.items() if bound != canonical.MAX_SAFE_INTEGER}
            bounds = (f" {word} {_code(told[name])}" for name, word in _BOUNDS.items() if name in told)
            return f"{kind}{''.join(bounds)}"
        case {"type": "string"}:
            return "date" if value.get("format") == "date" else "text"
        case {"type": "array", "minItems": int(count)}:
            return f"{count} numbers"
        case {"type": "array"}:
            return "list of texts"
    return '`{TAG = "VALUE"}`'


def _code(value: JsonValue) -> str:
    if isinstance(value, list):
        return f"`[{', '.join(canonical.encode(one).decode() for one in value)}]`"
    return f"`{canonical.encode(value).decode()}`"


def _table(root: _Schema, part: _Schema) -> _Schema | None:
    """The table that a member leads to: its own, or that of its elements or members; None if it is a plain value."""
    value = _resolved(root, part)
    if "properties" in value:
        return value
    for inner in (value.get("items"), value.get("additionalProperties")):
        if isinstance(inner, dict) and "$ref" in inner:
            return _resolved(root, inner)
    return None


def _resolved(root: _Schema, part: _Schema) -> _Schema:
    """The part that a reference within the schema leads to."""
    target = part.get("$ref")
    if not isinstance(target, str):
        return part
    found: JsonValue = dict(root)
    for name in target.removeprefix("#/").split("/"):
        assert isinstance(found, dict)
        found = found[name]
    assert isinstance(found, dict)
    return found


def _members(schema: _Schema) -> dict[str, _Schema]:
    members = schema["properties"]
    assert isinstance(members, dict)
    return {name: part for name, part in members.items() if isinstance(part, dict)}
