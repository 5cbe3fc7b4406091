"""Axes: a scale and its ticks in; lines across the picture and numbers beside it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from runstore.reports.plots import lettering, svg
from runstore.reports.plots.scale import Scale, Tick

SIZE = 12
"""The font size in every picture of a panel (plots.css)."""
WIDTH = 380
"""The width of the picture of a panel: on the screen of a phone its letters still have 10 pixels."""


def below(scale: Scale, found: Sequence[Tick], top: float, bottom: float) -> Iterator[Markup]:
    """An axis at the bottom: a line up to `top` at each tick, its number under `bottom`, pushed inside the picture."""
    for tick in found:
        x = scale.place(tick.value)
        half = lettering.width(tick.text, SIZE) / 2
        yield svg.line(x, top, x, bottom, "plot-grid")
        yield svg.text(max(half, min(WIDTH - half, x)), bottom + SIZE + 3, tick.text, anchor="middle")


def beside(scale: Scale, found: Sequence[Tick], left: float, right: float) -> Iterator[Markup]:
    """An axis at the left: a line to `right` at each tick, its number before `left`."""
    for tick in found:
        y = scale.place(tick.value)
        yield svg.line(left, y, right, y, "plot-grid")
        yield svg.text(left - 6, y + SIZE / 3, tick.text, anchor="end")


def room_beside(found: Sequence[Tick]) -> float:
    """The room that the numbers at the left take."""
    return max((lettering.width(tick.text, SIZE) for tick in found), default=0.0) + 8
