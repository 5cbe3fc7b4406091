"""Symbols that several plots share: how a value looks whose rules hold, are in doubt, or are broken.

Never by colour alone: what breaks a rule is a diamond, what does not is round.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup

from runstore.reports.plots import svg

if TYPE_CHECKING:
    from runstore.reports.shapes import Outcome

State = Literal["broken", "doubt", "fine", "unruled"]


def state(outcomes: Collection[Outcome]) -> State:
    """What the outcomes of the rules on one value come to."""
    if "broken" in outcomes:
        return "broken"
    if "undecided" in outcomes or "waived" in outcomes:
        return "doubt"
    return "fine" if outcomes else "unruled"


def dot(x: float, y: float, radius: float, looks: State) -> Markup:
    """A value at a place."""
    if looks == "broken":
        reach = radius * 1.3
        corners = ((x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y))
        path = "L".join(f"{svg.number(left)} {svg.number(top)}" for left, top in corners)
        return svg.element("path", class_="plot-dot plot-is-broken", d=f"M{path}Z")
    return svg.element("circle", class_=f"plot-dot plot-is-{looks}", cx=x, cy=y, r=radius)
