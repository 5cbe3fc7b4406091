"""Text for a terminal or a CI log: the verdict first, then why, then numbers, the worst records, and what to do next.

Every text of data is made safe, and so is the whole once more, because what is safe in pieces may not be when joined.
No line but a command is wider than asked; a command stands on a line of its own, to be taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runstore.canonical import JsonValue
from runstore.reports import advice, numbers, outline
from runstore.reports.outline import Group, Outline
from runstore.reports.text import metrics, records
from runstore.reports.text.paper import Paper, paper
from runstore.reports.text_safety import anchored, fitted, one_line, without_commands

_VERDICT_STYLE = {"PASS": "1;32", "FAIL": "1;31", "INVALID": "1;31", "REVIEW": "1;33", "INCONCLUSIVE": "1;33"}
_LEVEL_STYLE = {"invalid": "31", "error": "31", "review": "33", "inconclusive": "33", "warning": "33", "notice": "2"}
_ALIKE = 5
"""So many findings of one rule are told one by one."""
_NAMED = 3
_LONG = 1000
_COMMIT = 12


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:
    """The report for people at a terminal, in lines of at most `width` columns (40 or more)."""
    contents, sheet = outline.make(view), paper(color=color, width=width)
    sections = [
        _verdict(contents, sheet),
        _findings(contents, sheet),
        _counts(contents, sheet),
        metrics.lines(contents, sheet),
        records.lines(contents, sheet),
        _next(contents, sheet),
    ]
    texts = ["\n".join(line.rstrip(" ") for line in section) for section in sections]
    return without_commands("\n\n".join(text for text in texts if text)) + "\n"


def _verdict(contents: Outline, sheet: Paper) -> Iterator[str]:
    verdict = contents.view["verdict"]
    yield from sheet.headed(verdict, f"  {contents.headline}", "", _VERDICT_STYLE[verdict])


def _findings(contents: Outline, sheet: Paper) -> Iterator[str]:
    hints: set[str] = set()
    for group, more in contents.folded(_ALIKE):
        yield from _group(group, sheet, hints)
        if more:
            yield f"  and {numbers.count(more)} more of {group.head['rule']}"


def _group(group: Group, sheet: Paper, hints: set[str]) -> Iterator[str]:
    """A finding, and the first records it is about. A hint is given once."""
    head = group.head
    run = f"{fitted(one_line(head['run']), sheet.width)}: " if head["run"] else ""
    text = f": {head['rule']}: {run}{fitted(one_line(head['message']), _LONG)}"
    yield from sheet.headed(head["level"], text, "  ", _LEVEL_STYLE[head["level"]])
    named = group.records[:_NAMED]
    for finding in named:
        name = one_line(outline.record_name(finding["record"] or "", finding["repeat"], ""))
        yield f"    - {fitted(name, sheet.width - 6)}"
    if named and group.total > len(named):
        yield f"    and {numbers.count(group.total - len(named))} more"
    if head["hint"] and head["hint"] not in hints:
        hints.add(head["hint"])
        yield from sheet.wrapped(f"hint: {fitted(one_line(head['hint']), _LONG)}", "    ")


def _counts(contents: Outline, sheet: Paper) -> Iterator[str]:
    counts = contents.view["counts"]
    if not contents.judged:
        return
    yield from sheet.wrapped(f"Compared: {_compared(contents, sheet)}", "")
    if counts["baseline"] or counts["current"]:
        sizes = f"{numbers.count(counts['baseline'])} -> {numbers.count(counts['current'])}"
        moved = f"{numbers.count(counts['added'])} added, {numbers.count(counts['removed'])} removed"
        yield from sheet.wrapped(f"Records: {sizes}; {moved}", "")
        parts = [f"{numbers.count(counts[name])} {name}" for name in outline.COMMON_CLASSES]
        yield from sheet.wrapped(f"of {numbers.count(counts['common'])} in common: {', '.join(parts)}", "  ")
    if special := outline.special(counts):
        yield from sheet.wrapped(", ".join(f"{numbers.count(number)} {words}" for number, words in special), "  ")


def _compared(contents: Outline, sheet: Paper) -> str:
    """What was compared, and by which rules."""
    policy = f"by {fitted(one_line(contents.view['policy']), sheet.width)}"
    if contents.is_suite:
        return f"{numbers.counted(len(contents.view['runs']), 'run')}, {policy}"
    sides = [side for pair in contents.view["runs"] for side in (pair["baseline"], pair["current"]) if side]
    names = "/".join(part for part in (*contents.identity(), *(side["name"] for side in sides[:1])) if part)
    commits = dict.fromkeys(anchored(one_line((side["commit"] or "none")[:_COMMIT])) for side in sides)
    moved = f", commit {' -> '.join(commits)}" if any(side["commit"] for side in sides) else ""
    return f"{fitted(one_line(names), sheet.width) or 'two runs'}{moved}, {policy}"


def _next(contents: Outline, sheet: Paper) -> Iterator[str]:
    for index, (why, line) in enumerate(advice.steps(contents)):
        yield from sheet.wrapped(f"{'or' if index else 'Next:'} {why}:", "")
        yield f"  {one_line(line)}"
