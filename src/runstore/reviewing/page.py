"""A page: one record that differs in; lines for a terminal out, all of them safe and none wider than asked.

Scores stand with every digit, as the records hold them: what a person accepts is what is written. What changed in the
texts is shown as in the text report, shortened; `side_by_side` shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from runstore import canonical, exact, view
from runstore.canonical import JsonValue
from runstore.comparison import Comparison
from runstore.reports import outline
from runstore.reports.outline import Outline
from runstore.reports.text import records
from runstore.reports.text.paper import Paper, paper
from runstore.reports.text_safety import anchored, fitted, one_line
from runstore.reviewing.subjects import Item
from runstore.reviewing.walk import Kind

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, Field, Score, View

_STYLES = {Kind.REGRESSED: "31", Kind.REMOVED: "31", Kind.ERRORED: "31", Kind.SKIPPED: "33", Kind.IMPROVED: "32"}
_EFFECT_STYLE = {"worse": "31", "better": "32"}
_INDENT = "  "
_REPORT_INDENT = 4
"""So much more the text report indents what belongs to a record."""
_HEAD_LINES = 2
"""The lines of a report's section before that: its class and the name of the record."""
_WHOLE = ("reason", "output")
"""Of a record that only one side has, these fields are shown."""
_SCORES = 20
_TAGS = 500
_NOTE = 1000


def lines(item: Item, comparison: Comparison, *, at: int, of: int, width: int, color: bool) -> list[str]:
    """The page of the record number `at` of `of`, counted from 0. `comparison` is that of its run."""
    sheet = paper(color=color, width=width)
    contents = Outline(view=cast("View", view.to_json(_only(item, comparison))), groups=())
    change = contents.view["changes"][0]
    found = [*_head(item, at, of, sheet), *_tags(change, sheet), *_scores(item, change, contents, sheet)]
    for note in item.notes:
        found += sheet.wrapped(f"note: {fitted(one_line(note), _NOTE)}", _INDENT)
    found += _texts(item, change, contents, width=sheet.width, color=color)
    return [line.rstrip(" ") for line in found]


def _only(item: Item, comparison: Comparison) -> Comparison:
    """The comparison with nothing in it but what the page needs."""
    whole = [(path, measure) for path, measure in comparison.measures if measure.group is None]
    return replace(comparison, changes=[("", item.change)], measures=whole, checks=(), findings=(), curves=(), runs=())


def _head(item: Item, at: int, of: int, sheet: Paper) -> Iterator[str]:
    """Which of how many, what became of it, and its name, which comes shortened."""
    kind = item.subject.kind
    name = one_line(outline.record_name(item.change.key[0].decode(), item.change.key[1], item.run))
    lead = f"{at + 1:,}/{of:,} {kind.value}"
    yield f"{lead.replace(kind.value, sheet.styled(kind.value, _STYLES.get(kind, '')))}"
    yield f"{_INDENT}{sheet.styled(fitted(name, sheet.width - len(_INDENT)), '1')}"


def _tags(change: Change, sheet: Paper) -> Iterator[str]:
    tags = cast("Mapping[str, str]", change["record"].get("tags", {}))
    if tags:
        told = ", ".join(f"{anchored(one_line(tag))}={anchored(one_line(value))}" for tag, value in tags.items())
        yield from sheet.wrapped(f"tags: {fitted(told, _TAGS)}", _INDENT)


def _scores(item: Item, change: Change, contents: Outline, sheet: Paper) -> Iterator[str]:
    """Each score that differs, exactly; of a record that only one side has, each score."""
    scores = change["scores"] or _one_sided(item, change)
    effects = outline.worst_scores({**change, "scores": scores}, contents.directions())
    for score, effect in effects[:_SCORES]:
        before, after = _number(score["baseline"]), _number(score["current"])
        name = anchored(fitted(one_line(score["metric"]), sheet.width - len(_INDENT)))
        first, *rest = sheet.wrapped(f"{name}: {before} -> {after}{_delta(score)}", _INDENT)
        style = _EFFECT_STYLE.get(effect, "") if item.change.baseline and item.change.current else ""
        yield first.replace(f"-> {after}", f"-> {sheet.styled(after, style)}", 1)
        yield from rest
    if len(effects) > _SCORES:
        yield f"{_INDENT}and {len(effects) - _SCORES:,} more scores"


def _one_sided(item: Item, change: Change) -> list[Score]:
    if item.change.baseline is not None and item.change.current is not None:
        return []
    is_new = item.change.baseline is None
    scores = cast("Mapping[str, float]", change["record"].get("scores", {}))
    return [
        {"baseline": None if is_new else value, "current": value if is_new else None, "delta": None, "metric": name}
        for name, value in scores.items()
    ]


def _number(value: float | None) -> str:
    return "none" if value is None else canonical.number_text(value)


def _delta(score: Score) -> str:
    if score["baseline"] is None or score["current"] is None:
        return ""
    delta = exact.difference(score["current"], score["baseline"])
    return f" ({'+' if delta > 0 else ''}{exact.text(delta)})"


def _texts(item: Item, change: Change, contents: Outline, *, width: int, color: bool) -> Iterator[str]:
    """What was asked, and what changed besides the scores: the part of the text report about this record."""
    fields = outline.other_fields(change)
    if item.change.baseline is None or item.change.current is None:
        fields = _whole_fields(change["record"], is_new=item.change.baseline is None)
    only = cast("Change", {**change, "scores": [], "fields": fields})
    shown = Outline(view=cast("View", {**contents.view, "changes": [only]}), groups=())
    sheet = paper(color=color, width=width + _REPORT_INDENT)
    for line in list(records.lines(shown, sheet))[_HEAD_LINES:]:
        yield line[_REPORT_INDENT:]


def _whole_fields(record: Mapping[str, JsonValue], *, is_new: bool) -> list[Field]:
    side = "after" if is_new else "before"
    return [cast("Field", {"path": f"/{name}", side: record[name]}) for name in _WHOLE if name in record]
