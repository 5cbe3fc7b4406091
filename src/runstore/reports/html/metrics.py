"""The table of metrics: a view in, rows of texts out; metrics whose limits are broken are never left out.

A row has baseline, current, the difference and how sure it is, and each limit with the answer of its rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from runstore.reports import numbers, outline
from runstore.reports.outline import Outline
from runstore.reports.plots import bounds, spread
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Check, Measure, Outcome

_ROWS = 300
"""So many metrics are in the table; those of a rule that does not hold come first if there are more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What a rule allows, and its answer."""

    rule: str
    text: str
    outcome: Outcome
    excused_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A metric, or a slice of one."""

    measure: Measure
    baseline: str
    current: str
    delta: str
    effect: str
    interval: str
    limits: Sequence[Limit]
    plot: Markup | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A metric, its slices, and how many of them are not there."""

    whole: Row
    slices: Sequence[Row]
    more: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The metrics of a comparison, and how many are not there."""

    blocks: Sequence[Block]
    more: int

    @property
    def has_limits(self) -> bool:
        """Whether any metric over all records has a limit."""
        return any(block.whole.limits for block in self.blocks)

    @property
    def has_slices(self) -> bool:
        """Whether any metric has slices."""
        return any(block.slices for block in self.blocks)

    @property
    def slices_have_limits(self) -> bool:
        """Whether any slice has a limit."""
        return any(row.limits for block in self.blocks for row in block.slices)


def table(contents: Outline, plots: Mapping[int, Markup]) -> Table:
    """The table of metrics and slices; `plots`: index of a measure in the view → where it stands, drawn."""
    checks = bounds.checks_by_measure(contents.view)
    found = list(contents.metrics_with_slices())
    if len(found) > _ROWS:
        found.sort(key=lambda block: _weight(block[0], checks))
    places = {id(measure): place for place, measure in enumerate(contents.view["metrics"])}
    drawn = {key: plots[place] for key, place in places.items() if place in plots}
    return Table(
        blocks=[
            Block(whole=_row(whole, checks, drawn), slices=[_row(part, checks, drawn) for part in slices], more=more)
            for whole, slices, more in found[:_ROWS]
        ],
        more=max(0, len(found) - _ROWS),
    )


def _weight(measure: Measure, checks: bounds.Checks) -> tuple[bool, bool]:
    held = all(check["outcome"] == "holds" for check in bounds.checks_of(measure, checks))
    return held, outline.effect(measure) != "worse"


def _row(measure: Measure, checks: bounds.Checks, drawn: Mapping[int, Markup]) -> Row:
    asked = bounds.checks_of(measure, checks)
    baseline, current = numbers.means(measure["baseline"], measure["current"])
    sure = spread.of_change(measure, asked)
    return Row(
        measure=measure,
        baseline=baseline,
        current=current,
        delta=numbers.signed(measure["delta"]),
        effect=outline.effect(measure),
        interval="" if sure is None else f"{numbers.signed(sure.low)} to {numbers.signed(sure.high)}",
        limits=list(_limits(asked)),
        plot=drawn.get(id(measure)),
    )


def _limits(asked: Sequence[Check]) -> Iterator[Limit]:
    """The rules with a limit, and those that do not hold."""
    for check in asked:
        # A waiver of a record is no limit of the metric; it is said with the record.
        if not check["rule"].startswith("waive") and (check["limit"] is not None or check["outcome"] != "holds"):
            text = "" if check["limit"] is None else visible(check["limit"])
            excused = visible(", ".join(check["excused_by"]))
            yield Limit(rule=visible(check["rule"]), text=text, outcome=check["outcome"], excused_by=excused)
