"""The plots of a page: a view in; a small picture for each metric, and sections of larger ones out.

    metrics(view)   index in view["metrics"] → a bullet: where the value stands between baseline and limits
    sections(view)  slices as a forest, distribution of differences, before and after, training curves

Of each kind at most `panel.MOST` are drawn: those with a broken rule first, then those of which most got worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from markupsafe import Markup

from runstore.canonical import JsonValue
from runstore.reports import outline
from runstore.reports.plots import bounds, bullet, curves, forest, histogram, panel, scatter
from runstore.reports.plots.bounds import Checks
from runstore.reports.plots.panel import Panel

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure, Series, View

BULLETS = 500
"""So many metrics and slices have a bullet: those that stand first among what a page shows."""
_FEW_ROWS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """A section: `svg` is a block of HTML to stand on its own, title and caption are words of ours."""

    slug: str
    title: str
    caption: str
    svg: Markup


def metrics(view: Mapping[str, object]) -> dict[int, Markup]:
    """Index in `view["metrics"]` → its bullet. Metrics without values have none, nor have slices that no page shows."""
    shaped = cast("View", view)
    checks = bounds.checks_by_measure(shaped)
    places = {id(measure): index for index, measure in enumerate(shaped["metrics"])}
    found: dict[int, Markup] = {}
    for whole, slices, _ in outline.make(cast(Mapping[str, JsonValue], view)).metrics_with_slices():
        for measure in (whole, *slices):
            drawn = bullet.draw(measure, checks) if len(found) < BULLETS else None
            if drawn is not None:
                found[places[id(measure)]] = drawn
    return found


def sections(view: Mapping[str, object]) -> list[Plot]:
    """The sections that have something to draw."""
    shaped = cast("View", view)
    checks = bounds.checks_by_measure(shaped)
    ranked = _ranked(shaped, checks)
    moved = [measure for measure in ranked if histogram.is_drawn(measure)]
    spread = [measure for measure in moved if scatter.is_drawn(measure)]
    series = [one for one in _ranked_series(shaped, ranked) if curves.is_drawn(one)]
    return [
        *_forests(shaped, ranked, checks),
        *_plots("distribution", "How much scores differ", _DISTRIBUTION, map(histogram.draw, moved), len(moved)),
        *_plots("scatter", "Before and after", _SCATTER, map(scatter.draw, spread), len(spread)),
        *_plots("curves", "Training curves", _CURVES, map(curves.draw, series), len(series)),
    ]


_FOREST = (
    "The difference to the baseline in each slice, the worst first, with its 95% interval: Student's t over the paired "
    "differences, or the interval of the rule's own test. The dashed stroke is where a rule of that row breaks; a "
    "diamond has broken it. An interval that holds zero shows no difference; many slices show some by chance."
)
_DISTRIBUTION = "How many pairs of records differ by how much; those that did not move are left out and counted above."
_SCATTER = "Each pair that moved: its baseline score across, its current score up. A larger point is more pairs."
_CURVES = "The series of both runs by step. The dot is the last point, the ring the best one."


def _ranked(view: View, checks: Checks) -> list[Measure]:
    """Metrics over all records, the worst first; equal ones as they stand."""

    def weight(measure: Measure) -> tuple[bool, float]:
        broken = any(check["outcome"] == "broken" for check in bounds.checks_of(measure, checks))
        return not broken, -measure["regressed"] / max(1, measure["n"] + measure["lost"])

    return sorted((measure for measure in view["metrics"] if measure["slice"] is None), key=weight)


def _ranked_series(view: View, ranked: Sequence[Measure]) -> list[Series]:
    places = {
        (measure["run"], measure["metric"]): index
        for index, measure in enumerate(ranked)
        if measure["kind"] == "series"
    }
    return sorted(view["series"], key=lambda one: places.get((one["run"], one["metric"]), len(ranked)))


def _forests(view: View, ranked: Sequence[Measure], checks: Checks) -> Iterator[Plot]:
    slices: dict[tuple[str, str], list[Measure]] = {}
    for measure in view["metrics"]:
        if measure["slice"] is not None:
            slices.setdefault((measure["run"], measure["metric"]), []).append(measure)
    parts = [(whole, slices.get((whole["run"], whole["metric"]), [])) for whole in ranked]
    drawn = [(whole, found) for whole, found in parts if forest.is_drawn(whole, found)]
    rows = forest.MOST_ROWS if len(drawn) == 1 else _FEW_ROWS
    panels = (forest.draw(whole, found, checks, rows) for whole, found in drawn)
    yield from _plots("forest", "Slices", _FOREST, panels, len(drawn))


def _plots(slug: str, title: str, caption: str, panels: Iterator[Panel], total: int) -> Iterator[Plot]:
    """The section of one kind, if it has a panel; those that are not shown are not drawn."""
    if shown := [*islice(panels, panel.MOST)]:
        yield Plot(slug=slug, title=title, caption=caption, svg=panel.block(shown, total - len(shown)))
