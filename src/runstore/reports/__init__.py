"""Reports: the view of a comparison (`runstore.view`, schemas/v1/comparison.json) in, text out. One module a format.

A new format is a module with a function `render` and a line in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # what `gate --version` loads stays small
    from runstore.canonical import JsonValue

FORMATS: dict[str, str] = {
    "text": "runstore.reports.text",
    "json": "runstore.reports.json_report",
    "markdown": "runstore.reports.markdown",
    "html": "runstore.reports.html",
    "github": "runstore.reports.github",
    "junit": "runstore.reports.junit",
    "sarif": "runstore.reports.sarif",
    "gitlab": "runstore.reports.gitlab",
    "csv": "runstore.reports.csv_report",
    "tap": "runstore.reports.tap",
}
"""Format → the module that renders it. The first is the default."""


class Report(Protocol):
    """What the module of a format must have."""

    def render(self, view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:
        """The report, ending with one LF. `color` and `width` (columns) concern formats meant for a terminal."""


def load(name: str) -> Report:
    """The module of a format, loaded when it is named: start-up is part of the cost. Raises KeyError if it is none."""
    return cast(Report, import_module(FORMATS[name]))


def load_explanation() -> Report:
    """The section that says of every check what was read and why it holds or not: text, to stand below the report."""
    return cast(Report, import_module("runstore.reports.explanation"))
