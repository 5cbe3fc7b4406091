"""Panels: small multiples of one kind. Pictures with a name and a line of words in, one block of HTML out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from runstore.reports import numbers
from runstore.reports.plots import svg

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure, Series

MOST = 6
"""So many panels of a kind are drawn, the worst first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One picture. `name` is text of data, `words` say in a line what the picture cannot."""

    name: str
    words: str
    picture: Markup


def name_of(shown: Measure | Series) -> str:
    """How a metric of a run is named above its picture."""
    run = f"{shown['run']}: " if shown["run"] else ""
    unit = f" ({shown['unit']})" if shown["unit"] else ""
    way = ", lower is better" if shown["direction"] == "lower" else ""
    return svg.said(f"{run}{shown['metric']}{unit}") + way


def block(panels: Sequence[Panel], more: int) -> Markup:
    """The panels, and a line on how many others are not drawn."""
    parts = [_figure(panel) for panel in panels]
    rest = ""
    if more:
        rest = f'<p class="plot-more">and {numbers.counted(more, "more metric")}, in the JSON report</p>'
    return Markup(f'<div class="plot-panels">{"".join(parts)}</div>{rest}')  # all parts are safe


def _figure(panel: Panel) -> str:
    name, words = escape(panel.name), svg.shown(panel.words)
    return (
        f'<div class="plot-panel"><p class="plot-name"><bdi>{name}</bdi></p><p class="plot-words">{words}</p>'
        f"{panel.picture}</div>"
    )
