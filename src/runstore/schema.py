"""The published schemas (JSON Schema 2020-12): a JSON value in, what is wrong with it out, each with its place.

Everything that reads runs has its own, faster checks, and tests hold the two equal. This second opinion is for
`gate validate`, and for other programs, which take the same files from `schemas/`.
This is the only module that knows jsonschema; it costs start-up time, so nothing on the way of `gate compare` loads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.shape import escape, kind

VERSION = 1
NAMES = (
    "blame", "calibration", "comparison", "export", "history", "manifest", "point", "policy", "record", "selftest",
    "summary", "verdict",
)  # fmt: skip
_SHOWN_CHARS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """One place (JSON pointer, empty for the whole value) where a value breaks a schema, and how."""

    pointer: str
    message: str


def folder() -> Traversable:
    """Where the schemas are: inside an installed package, beside `src` in a checkout."""
    packaged = files("runstore") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "schemas"


@cache
def load(name: str) -> Mapping[str, JsonValue]:
    """The schema of that name (see NAMES)."""
    schema = canonical.parse_loose((folder() / f"v{VERSION}" / f"{name}.schema.json").read_bytes())
    assert isinstance(schema, dict)
    return schema


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load(name))


def validate(name: str, value: JsonValue) -> Iterator[Violation]:
    """Every place where the value breaks the schema of that name, in no promised order.

    A schema cannot say all: its `$comment`s name the rest. In particular NaN passes any range.
    """
    for error in _validator(name).iter_errors(value):
        cause = best_match([error]) or error
        pointer = "".join(f"/{escape(str(token))}" for token in cause.absolute_path)
        yield Violation(pointer=pointer, message=_message(cause))


def _message(error: ValidationError) -> str:
    """What is wrong, on one line, without the value itself: values can be large, and hostile."""
    if "propertyNames" in error.absolute_schema_path:
        return "a name is empty" if error.instance == "" else f"the name {_shown(error.instance)} is not allowed"
    expected: Any = error.validator_value
    found = error.instance
    match str(error.validator):
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            return f"expected {' or '.join(map(_kind, kinds))}, found {kind(found)}"
        case "required":
            return error.message.replace("a required property", "missing")
        case "additionalProperties":
            return f"unknown name {', '.join(map(_shown, _unknown(error)[:3]))}"
        case "enum":
            return f"{_shown(found)} is not one of {', '.join(map(str, expected))}"
        case "const":
            return f"expected {_shown(expected)}, found {_shown(found)}"
        case keyword:
            return _TOLD.get(keyword, "breaks the rule {keyword!r}").format(expected=expected, keyword=keyword)


_TOLD = {
    "maxItems": "more than {expected} elements",
    "maxLength": "longer than {expected} characters",
    "maximum": "more than {expected}",
    "minItems": "fewer than {expected} elements",
    "minLength": "empty, or shorter than {expected} characters",
    "minimum": "less than {expected}",
    "not": "has a member that does not belong to the others",
    "oneOf": "fits none, or more than one, of the allowed forms",
    "pattern": "does not match {expected}",
    "uniqueItems": "an element stands twice",
}


def _kind(name: str) -> str:
    return name if name == "null" else f"an {name}" if name[0] in "aeio" else f"a {name}"


def _unknown(error: ValidationError) -> list[str]:
    schema: Any = error.schema
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    found: Any = error.instance
    return [name for name in found if name not in known and not any(re.search(p, name) for p in patterns)]


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return kind(value)
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."
