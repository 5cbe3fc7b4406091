"""GitHub: workflow commands, which a step prints to become annotations of the run: the verdict first, then the worst.

GitHub shows ten annotations of a level in a step and leaves out the others without a word; these are at most ten in
all, and the last says how many are left out. There is no `file=`: no file of the repository is to blame.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Mapping

from runstore.canonical import JsonValue
from runstore.reports import cases, outline
from runstore.reports.cases import Case
from runstore.reports.numbers import counted
from runstore.reports.text_safety import one_line

MOST = 10
"""Annotations in all."""
_COMMANDS = {"invalid": "error", "error": "error", "review": "error", "inconclusive": "error", "warning": "warning"}
_TITLE = 200
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """A command a line."""
    contents = outline.make(view)
    verdict = contents.view["verdict"]
    found = [case for case in cases.worst_first(cases.make(view)) if case.rule != cases.VERDICT]
    shown = found if len(found) < MOST else found[: MOST - 2]
    lines = [_command("notice" if verdict == "PASS" else "error", f"gate: {verdict}", contents.headline)]
    lines += [_annotation(case) for case in shown]
    if left := found[len(shown) :]:
        red = sum(case.is_red for case in left)
        message = f"{counted(red, 'error')} and {counted(len(left) - red, 'other')} not shown here; see the reports"
        lines.append(_command("error" if red else "notice", "gate: left out", message))
    return "".join(f"{line}\n" for line in lines)


def _annotation(case: Case) -> str:
    run = f"{case.run}: " if case.run else ""
    command = _COMMANDS.get(case.level or "notice", "notice")
    return _command(command, cases.shown(f"{run}{case.name}", _TITLE), case.message)


def _command(name: str, title: str, message: str) -> str:
    """A workflow command: what ends a property, a line or the command stands encoded in data."""
    return f"::{name} title={one_line(title).translate(_PROPERTY)}::{one_line(message).translate(_DATA)}"
