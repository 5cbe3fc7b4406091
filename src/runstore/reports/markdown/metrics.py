"""The table of metrics in Markdown: what broke a rule is marked, slices of many metrics are folded away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runstore.reports import numbers, outline
from runstore.reports.markdown.code import MIDDLE, SHORT, code
from runstore.reports.outline import Interval, MeasureKey, Outline

if TYPE_CHECKING:
    from runstore.reports.shapes import Level, Measure

METRICS = 40
_ROWS = 160
_IN_THE_OPEN = 24
"""With more rows than this, slices go into a table of their own."""
_SIGN: dict[Level, str] = {"error": "❌ ", "review": "👀 ", "inconclusive": "❔ ", "warning": "⚠️ "}
Rows = list[str]


class Table:
    """Rows of metrics, and of slices if there are too many to stand among them."""

    def __init__(self, contents: Outline) -> None:
        found, self.left_out = contents.ranked_metrics(METRICS, _ROWS)
        self._intervals = contents.intervals()
        self._signs = _signs(contents)
        self._has_intervals = bool(self._intervals)
        among = sum(1 + len(slices) for _, slices, _ in found) <= _IN_THE_OPEN
        self.metrics: Rows = []
        self.slices: Rows = []
        for measure, slices, more in found:
            self.metrics.append(self._row(f"{_run(measure)}{_metric(measure)}", measure))
            rows = self.metrics if among else self.slices
            named = "· " if among else f"{_run(measure)}{code(measure['metric'], SHORT)} · "
            rows += [self._row(f"{named}{_slice(part)}", part) for part in slices]
            if more:
                rows.append(self._note(f"{named}and {numbers.counted(more, 'more slice')}"))
        if self.left_out:
            self.metrics.append(self._note(f"and {numbers.counted(self.left_out, 'more metric')}"))

    @property
    def head(self) -> str:
        """The head of either table."""
        names = ["metric", "baseline", "current", "delta", *(["interval"] if self._has_intervals else [])]
        names += ["n", "regressed", "improved"]
        return f"| {' | '.join(names)} |\n|---|{'--:|' * (len(names) - 1)}\n"

    def _note(self, text: str) -> str:
        return f"| {text} |{' |' * (7 if self._has_intervals else 6)}\n"

    def _row(self, name: str, measure: Measure) -> str:
        baseline, current = numbers.means(measure["baseline"], measure["current"])
        delta = numbers.signed(measure["delta"])
        lost = f" ({measure['lost']:,} lost)" if measure["lost"] else ""
        cells = [
            self._signs.get(outline.measure_key(measure), "") + name,
            baseline,
            current,
            f"**{delta}**" if outline.effect(measure) == "worse" else delta,
            *([_interval(self._intervals.get(outline.measure_key(measure)))] if self._has_intervals else []),
            numbers.count(measure["n"]),
            f"{numbers.count(measure['regressed'])}{lost}",
            numbers.count(measure["improved"]),
        ]
        return f"| {' | '.join(cells)} |\n"


def _signs(contents: Outline) -> dict[MeasureKey, str]:
    """Measure → the sign of the heaviest finding about it."""
    found: dict[MeasureKey, str] = {}
    for group in contents.groups:  # the heaviest first
        head = group.head
        if head["metric"] is not None and head["level"] in _SIGN:
            part = None if head["slice"] is None else (head["slice"]["tag"], head["slice"]["value"])
            found.setdefault((head["run"], head["metric"], part), _SIGN[head["level"]])
    return found


def _interval(sure: Interval | None) -> str:
    return "" if sure is None else numbers.interval(*sure)


def _run(measure: Measure) -> str:
    return f"{code(measure['run'], SHORT)} " if measure["run"] else ""


def _metric(measure: Measure) -> str:
    unit = f" {code(measure['unit'], SHORT)}" if measure["unit"] else ""
    return f"{code(measure['metric'], MIDDLE)}{unit}{' (lower is better)' if measure['direction'] == 'lower' else ''}"


def _slice(measure: Measure) -> str:
    assert measure["slice"] is not None
    return f"{code(measure['slice']['tag'], SHORT)} {code(measure['slice']['value'], SHORT)}"


def tables(contents: Outline) -> Iterator[tuple[str, str, Rows]]:
    """Title of a part that is folded away (empty for the first), head and rows."""
    table = Table(contents)
    yield "", table.head, table.metrics
    if table.slices:
        yield numbers.counted(len(table.slices), "slice"), table.head, table.slices
