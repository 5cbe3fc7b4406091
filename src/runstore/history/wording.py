"""Words that several outputs of a history share: values in, short safe texts out."""

from __future__ import annotations

from collections.abc import Iterator

from runstore.git.log import Commit
from runstore.history.states import Gap
from runstore.history.timeline import History
from runstore.manifest import MetricDeclaration
from runstore.reports import numbers
from runstore.reports.text.paper import Paper
from runstore.reports.text_safety import one_line

AT_MOST = 12
"""So many digits of a commit are shown."""
_NO_DAY = "no date"
_GAPS = {"missing": "missing", "invalid": "INVALID", "format": "another format", "lost": "not here"}
_CUT = {
    "shallow": ("this clone is shallow. Fetch the rest of its history:", "git fetch --unshallow"),
    "partial": ("older bytes are not in this clone, which is partial. Fetch them:", "git fetch --refetch --no-filter"),
}


def short(oid: str) -> str:
    """A commit's id, short."""
    return oid[:AT_MOST]


def day(commit: Commit) -> str:
    """The day of a commit, in UTC."""
    return commit.day or _NO_DAY


def folder(path: str) -> str:
    """The folder of a baseline."""
    return one_line(path) if path else "the root of the repository"


def about(metric: str, declared: MetricDeclaration) -> str:
    """A metric's name, its unit, and its direction if that is not the usual one."""
    notes = [one_line(declared.unit)] if declared.unit else []
    notes += ["lower is better"] if declared.direction == "lower" else []
    return one_line(metric) + (f" ({', '.join(notes)})" if notes else "")


def place(found: History) -> str:
    """What the history is of."""
    group = f", {one_line(found.group[0])} = {one_line(found.group[1])}" if found.group else ""
    count = numbers.counted(len(found.rows), "commit")
    return f"{folder(found.path)} at {one_line(found.ref)} ({short(found.tip)}){group}: {count}"


def gap(found: Gap) -> str:
    """Why a commit says nothing."""
    return f"{_GAPS[found.kind]}: {one_line(found.message)}"


def end(found: History, sheet: Paper) -> Iterator[str]:
    """Why there is nothing before the oldest commit."""
    last = found.rows[-1].commit
    if found.end in _CUT:
        yield from cut(last, found.end, sheet)
        return
    more = f"There is more before {short(last.oid)}: a larger -n shows it."
    start = f"The folder begins at {short(last.oid)}. If it had another name before, that is not followed."
    yield from sheet.wrapped(more if found.end == "more" else start, "")


def cut(last: Commit, how: str, sheet: Paper) -> Iterator[str]:
    """Where a history is cut, and the command that fetches the rest, on a line of its own."""
    why, command = _CUT[how]
    yield from sheet.wrapped(f"The history is cut at {short(last.oid)}: {why}", "")
    yield f"  {command}"
