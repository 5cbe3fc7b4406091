"""What a person can do next: an outline in; commands and lines of `gate.toml` out, the same for every format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runstore import canonical
from runstore.reports import text_safety
from runstore.reports.outline import Outline

if TYPE_CHECKING:
    from runstore.reports.shapes import View

_KEY_ROOM = 80
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_BARE_PATH = re.compile(r"[A-Za-z0-9_./-]+\Z")
_PLAIN = re.compile(r"[ -~]+\Z")
_COMPARE = "gate compare BASELINE CURRENT"


def steps(outline: Outline, *, is_page: bool = False) -> Iterator[tuple[str, str]]:
    """What to do next: (why, command or line of `gate.toml`). The line may hold text of data: a metric's name.

    `is_page`: it is said on the page that has every record, so how to make that page is left out.
    """
    view = outline.view
    if view["verdict"] == "INVALID":
        yield "see every fault of a run", f"gate validate {' '.join(_faulty(outline))}"
    if view["verdict"] in ("REVIEW", "INCONCLUSIVE"):
        yield "see what each rule read, and why it could not hold", f"{_COMPARE} --explain"
    if view["changes"] and not is_page:
        yield "see every record", f"{_COMPARE} --format html:report.html"
    if view["verdict"] == "FAIL" and "max-regressed" in outline.rules("error"):
        yield "allow a small drop, in gate.toml", f"metrics.{_key(_worst_metric(view))}.max_drop = 0.01"
    if view["verdict"] in ("PASS", "FAIL") and view["changes"]:
        yield "make what is meant the new baseline", 'gate accept CURRENT BASELINE --reason "WHY"'
    if view["verdict"] in ("PASS", "FAIL") and outline.judged:
        yield "see what each rule read and allows", f"{_COMPARE} --explain"


def _faulty(outline: Outline) -> list[str]:
    """The folders of the first pair in which a run is not what it claims to be, as words of a shell."""
    run = next((group.head["run"] for group in outline.groups if group.head["level"] == "invalid"), "")
    if not run or len(run) > _KEY_ROOM or not _PLAIN.match(run) or text_safety.one_line(run) != run:
        return ["BASELINE", "CURRENT"]
    return [_word(f"{side}/{run}") for side in ("BASELINE", "CURRENT")]


def _word(path: str) -> str:
    """A path as one word of a POSIX shell."""
    quoted = path.replace("'", "'\"'\"'")
    return path if _BARE_PATH.match(path) else f"'{quoted}'"


def _worst_metric(view: View) -> str:
    """The metric in which most records got worse."""
    whole = [measure for measure in view["metrics"] if measure["slice"] is None]
    return max(whole, key=lambda measure: measure["regressed"])["metric"] if whole else "*"


def _key(name: str) -> str:
    """A key of TOML: bare if it can be, else a basic string that no report has to change; `METRIC` for a long one.

    A JSON string of ASCII is one. What a CI runner or a table would take for its own is escaped in TOML's way, too.
    """
    if _BARE_KEY.match(name):
        return name if len(name) <= _KEY_ROOM else "METRIC"
    text = text_safety.ascii_only(canonical.encode(name).decode()).replace("\x7f", "\\u007f")
    for sign in "|:#":
        text = text.replace(sign, f"\\u{ord(sign):04x}") if sign == "|" or sign * 2 in text else text
    return text if len(text) <= _KEY_ROOM else "METRIC"
