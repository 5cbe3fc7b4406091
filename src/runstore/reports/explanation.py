"""The explanation: of every check what was asked and where, what was read, and why it holds or not; also of a PASS.

Text to stand below the text report. Every text of data is made safe, and so is the whole once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from runstore.canonical import JsonValue
from runstore.reports import outline
from runstore.reports.numbers import count, counted, interval, single
from runstore.reports.text_safety import fitted, one_line, without_commands, wrapped

if TYPE_CHECKING:
    from runstore.reports.shapes import Assessment, Check, Outcome

_WORDS: dict[Outcome, str] = {"broken": "broken", "undecided": "undecided", "waived": "waived", "holds": "hold"}
_STYLE: dict[Outcome, str] = {"holds": "32", "broken": "31", "undecided": "33", "waived": "33"}
_MIN_WIDTH = 40
_LONG = 1000


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:
    """Every check on a few lines, in the order of the rules."""
    checks = outline.make(view).view["checks"]
    lines = [f"Checks: {_summary(checks)}"]
    for check in checks:
        lines += _lines(check, color=color, width=max(width, _MIN_WIDTH))
    return without_commands("\n".join(line.rstrip(" ") for line in lines)) + "\n"


def _summary(checks: Sequence[Check]) -> str:
    """How many there are, and how many of each outcome if not all have one."""
    found = Counter(check["outcome"] for check in checks)
    parts = [f"{count(found[outcome])} {word}" for outcome, word in _WORDS.items() if found[outcome]]
    return f"{count(len(checks))}{'; ' if parts else ''}{', '.join(parts)}"


def _lines(check: Check, *, color: bool, width: int) -> Iterator[str]:
    outcome = check["outcome"]
    run = f"{one_line(check['run'])}: " if check["run"] else ""
    origin = "" if check["origin"] == "default" else f" ({one_line(check['origin'])})"
    text = fitted(f"{run}{one_line(check['read'])}{origin}", _LONG)
    first, *rest = wrapped(f"{outcome}: {check['rule']}: {text}", width, "  ", "    ")
    yield first.replace(outcome, f"\x1b[{_STYLE[outcome]}m{outcome}\x1b[0m", 1) if color else first
    yield from rest
    for detail in _details(check):
        yield from wrapped(fitted(one_line(detail), _LONG), width, "    ", "      ")


def _details(check: Check) -> Iterator[str]:
    if check["why"]:
        yield check["why"]
    if check["assessment"] is not None:
        yield _evidence(check["assessment"])
    if (sure := check["interval"]) is not None:
        ends = f"{single(sure['low'])} to {single(sure['high'])}"
        yield f"the current value lies within {ends} at a confidence of {single(sure['level'])} ({sure['method']})"
    if check["excused_by"]:
        yield f"excused by {', '.join(check['excused_by'])}"
    if check["suggestion"] is not None:
        yield f"baseline and current both keep {check['suggestion']}: the limit could be that tight"


def _evidence(found: Assessment) -> str:
    parts = [f"{found['test']} over {counted(found['units'], 'unit')}: p = {single(found['p'])}"]
    if found["p_adjusted"] != found["p"]:
        parts.append(f"{single(found['p_adjusted'])} for all rules together")
    parts.append(f"interval {interval(found['interval'][0], found['interval'][1])}")
    if found["power"] is not None:
        parts.append(f"power {single(found['power'])}")
    if found["detectable"] is not None:
        parts.append(f"a drop of {single(found['detectable'])} could be seen")
    return ", ".join(parts) + (f"; {found['note']}" if found["note"] else "")
