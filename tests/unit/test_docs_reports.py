"""What docs/reports.md says of formats and of the JSON report is what the code and the schema say.

After a change of the schema, RUNSTORE_UPDATE_GOLDEN=1 writes the tables of members anew; read the difference.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from runstore import canonical, reports, schema
from runstore.cli import report
from runstore.reports import html, markdown
from runstore.reports.html import payload

Schema = Mapping[str, Any]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reports.md"
HEAD, TAIL = "<!-- members: from schemas/v1/comparison.schema.json -->\n", "<!-- end of members -->\n"


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


# The tables of members


def tables(root: Schema) -> str:
    """A section for the whole and for each part that has a name, one row a member."""
    parts = {"": root, **root["$defs"]}
    return "\n".join(section for name, part in parts.items() for section in sections(root, name, part))


def sections(root: Schema, name: str, part: Schema) -> Iterator[str]:
    """The section of an object, and those of the objects within it that have no name of their own."""
    required = part.get("required", ())
    rows = [
        f"| `{key}` | {kind(value, key)}{'' if key in required else ', optional'} | {meaning(root, value)} |"
        for key, value in part["properties"].items()
    ]
    title = f"`{name}`" if name else "The whole"
    lead = str(part.get("description", ""))
    yield "\n".join(
        (f"#### {title}", "", *([lead, ""] if lead else []), "| member | value | meaning |", "|---|---|---|", *rows, "")
    )
    for key, value in part["properties"].items():
        inner = value.get("items", value)
        if isinstance(inner, dict) and "properties" in inner:
            yield from sections(root, f"{name}.{key}".lstrip("."), inner)


def kind(value: Schema, key: str) -> str:
    """What a value may be, in words."""
    if "$ref" in value:
        name = str(value["$ref"]).rpartition("/")[2]
        return f"[`{name}`](#{name})"
    for several in ("anyOf", "oneOf"):
        if several in value:
            return " or ".join(sorted((kind(one, key) for one in value[several]), key="null".__eq__))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{canonical.encode(one).decode()}`" for one in value.get("enum", [value.get("const")]))
    types = value.get("type", "any JSON")
    words = [types] if isinstance(types, str) else types
    return " or ".join(elements(value, key) if word == "array" else word for word in words)


def elements(value: Schema, key: str) -> str:
    inner = value["items"]
    if "prefixItems" in inner:
        return "list of pairs"
    return f"list of objects, see `{key}`" if "properties" in inner else f"list of {kind(inner, key)}"


def meaning(root: Schema, value: Schema) -> str:
    """The description, or that of what it refers to."""
    if "description" in value:
        return str(value["description"])
    target = value.get("$ref", value.get("items", {}).get("$ref", "") if isinstance(value.get("items"), dict) else "")
    found = root["$defs"].get(str(target).rpartition("/")[2], {})
    return str(found.get("description", value.get("title", "")))


def test_the_members_of_the_json_report_are_those_of_the_schema() -> None:
    made = tables(schema.load("comparison"))
    head, _, rest = page().partition(HEAD)
    told, _, tail = rest.partition(TAIL)
    if os.environ.get("RUNSTORE_UPDATE_GOLDEN"):
        PAGE.write_text(f"{head}{HEAD}{made}{TAIL}{tail}", encoding="utf-8")
        told = made
    assert told == made


# What is said of formats


def test_the_table_lists_every_format_in_the_order_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page().partition("<!-- formats -->")[2].partition("\n\n")[0], re.MULTILINE)
    assert rows == list(reports.FORMATS)


def test_every_format_that_the_page_names_exists() -> None:
    named = set(re.findall(r"--format ([a-z]+)", page()))
    assert named <= set(reports.FORMATS)
    assert {"json", "html", "markdown", "junit", "sarif"} <= named


def test_every_option_of_gate_report_is_on_the_page() -> None:
    options = [one for one in report.command.params if isinstance(one, click.Option)]
    assert all(any(f"`{name}" in page() or f" {name}" in page() for name in one.opts) for one in options)
    assert set(re.findall(r"gate report[^`\n]* (--[a-z-]+)", page())) <= {name for one in options for name in one.opts}


@pytest.mark.parametrize(
    "told",
    [f"{markdown.LIMIT_BYTES:,} bytes", f"{payload.RECORDS:,} records", f"{payload.BYTES // 2**20} MiB"],
)
def test_limits_on_the_page_are_those_of_the_code(told: str) -> None:
    assert told in page()


def test_the_policy_for_content_that_the_page_quotes_is_the_one_of_the_report() -> None:
    saved = json.loads((Path(__file__).resolve().parents[1] / "golden/pass-identical/view.json").read_bytes())
    rendered = html.render(saved)
    [found] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', rendered)
    said = re.sub(r"'sha256-[^']*'", "'sha256-…'", found.replace("&#39;", "'"))
    assert f"`{said}`" in page()
