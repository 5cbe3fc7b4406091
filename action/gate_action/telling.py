"""What people read of a step: its Markdown, for the summary and the comment. Text of data stands in code only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gate_action import foreign
from gate_action.event import Event, is_commit
from gate_action.inputs import Inputs
from gate_action.judging import BUG, FILES, INTERRUPTED, SYSTEM, USAGE, Judged
from runstore.canonical import JsonValue
from runstore.reports.markdown.code import MIDDLE, code, fenced
from runstore.reports.text_safety import one_line

_WHAT: Mapping[int, str] = {
    USAGE: "what was asked cannot be done as asked",
    3: "a run is not what it claims to be",
    BUG: "a bug",
    SYSTEM: "the system failed",
    INTERRUPTED: "interrupted",
}
_LINES = 40
_COMMIT = 12


def report(folder: Path, judged: Judged) -> str:
    """The report of the gate; where it left none, why nothing was judged."""
    if judged.verdict is not None:
        try:
            return (folder / FILES["markdown"]).read_text(encoding="utf-8")
        except OSError:
            return f"## {judged.verdict}\n\nThe report is missing.\n"
    return nothing_judged(judged.code, judged.message)


def nothing_judged(exit_code: int, message: str) -> str:
    """Why there is no verdict."""
    told = f"\n{quoted(message)}" if message.strip() else ""
    return f"## ⛔ Nothing was judged: exit code {exit_code}, {_WHAT.get(exit_code, 'unknown')}\n{told}"


def quoted(message: str) -> str:
    """A message of several lines as a block of code."""
    return fenced("text", [one_line(line) for line in message.strip().splitlines()[:_LINES]])


def about(event: Event, inputs: Inputs, against: str | None, url: str) -> str:
    """The line that says what was held against what, and where to look."""
    place = against[:_COMMIT] if against and is_commit(against) else against
    judge = f"by what stands at {code(place, MIDDLE)}" if place else "by nothing yet"
    return f"Commit `{event.head[:_COMMIT]}`, {code(inputs.baseline)}, judged {judge}. [Run]({url})\n\n"


def tolerated(verdict: str) -> str:
    """The banner over a step that is green though the verdict is not PASS."""
    return f"> [!WARNING]\n> The step is green and the verdict is {verdict}: `fail-on` leaves it to people.\n\n"


def run_url(environ: Mapping[str, str], repository: str, run: int) -> str:
    """The page of a run."""
    return f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}/actions/runs/{run}"


def count(counts: Mapping[str, JsonValue] | None) -> str:
    """The counts as an output: JSON on one line; empty if nothing was judged."""
    numbers = {name: foreign.number(value) or 0 for name, value in sorted((counts or {}).items())}
    return json.dumps(numbers, separators=(",", ":")) if numbers else ""
