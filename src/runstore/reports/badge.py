"""The badge: a view in, a small static SVG out that says the verdict and one metric, for a README or a dashboard.

The metric is the one whose rule is closest to its limit, or furthest beyond it, as a share of the way from the baseline
to the limit; without a rule, that in which most records got worse. Nothing is fetched: the font is any that is there,
and each text is told how long to be, so that it fits in all of them. Texts of data are made safe as in `plots.svg`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from markupsafe import Markup

from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.reports import numbers
from runstore.reports.plots import bounds, lettering, svg
from runstore.reports.plots.bounds import Bound, Checks
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure, Verdict, View

LABEL = "gate"
_COLORS: dict[Verdict, str] = {
    "PASS": "#14622f",
    "FAIL": "#a4161a",
    "INVALID": "#7d1128",
    "REVIEW": "#7a4a00",
    "INCONCLUSIVE": "#4b4f58",
}
"""White letters on each have a contrast of 7 to 1 at least."""
_LABEL_COLOR = "#2b3038"
_HEIGHT, _SIZE, _PADDING, _CORNER = 20, 11, 7, 3
_MOST = 200
"""The widest that a label or a metric's name is."""
_NEAR_NAMES = 10


def render(view: Mapping[str, JsonValue], *, metric: str | None = None, label: str = LABEL) -> str:
    """The badge, ending with one LF; the same view gives the same bytes.

    `metric` names the one to show; raises UsageError if the comparison has no value of it.
    """
    shaped = cast("View", view)
    measure = _headline(shaped, metric)
    left = lettering.fitted(one_line(label), _MOST, _SIZE)
    value = _value(measure) if measure else ""
    right = f"{shaped['verdict']} \u00b7 {value}" if value else shaped["verdict"]
    said = f"{shaped['verdict']}{f', {_said(measure)}' if measure else ''}"
    said = f"{svg.said(label)}: {said}" if left else said
    return f"{_drawing(left, right, _COLORS[shaped['verdict']], said)}\n"


def _headline(view: View, metric: str | None) -> Measure | None:
    """The metric to show; None if the comparison has none."""
    whole = [one for one in view["metrics"] if one["slice"] is None and one["current"] is not None]
    if metric is not None:
        named = [one for one in whole if one["metric"] == metric]
        if not named:
            raise UsageError(f"the comparison has no value of a metric {metric!r}", hint=_names(whole))
        whole = named
    checks = bounds.checks_by_measure(view)
    return min(whole, key=lambda one: _closeness(one, checks), default=None)


def _names(whole: Sequence[Measure]) -> str:
    names = list(dict.fromkeys(one["metric"] for one in whole))
    shown = ", ".join(map(repr, names[:_NEAR_NAMES]))
    if not names:
        return "it has no metric at all"
    return f"it has {shown}{f' and {len(names) - _NEAR_NAMES} more' if len(names) > _NEAR_NAMES else ''}"


def _closeness(measure: Measure, checks: Checks) -> tuple[int, float]:
    """Less is closer to a limit, or further beyond it. Metrics without a rule come last, the worst of them first."""
    baseline, current = measure["baseline"], measure["current"]
    found = bounds.of_measure(measure, bounds.checks_of(measure, checks))
    if baseline is None or current is None or not found:
        return 2, -float(measure["regressed"])
    return min((0 if bound.outcome == "broken" else 1, _room(bound, baseline, current)) for bound in found)


def _room(bound: Bound, baseline: float, current: float) -> float:
    """The room that is left to a limit, as a share of what there is from the baseline; negative beyond it."""
    reach, slack = abs(bound.at - baseline), bound.slack(current)
    if reach and math.isfinite(reach) and math.isfinite(slack):
        return slack / reach
    return math.copysign(math.inf, slack) if slack else 0.0


def _value(measure: Measure) -> str:
    """The metric's name, its current value with digits enough to tell it from the baseline, and its unit."""
    unit = lettering.fitted(f" {one_line(measure['unit'])}", _MOST / 4, _SIZE) if measure["unit"] else ""
    name = lettering.fitted(one_line(measure["metric"]), _MOST, _SIZE)
    return f"{name} {numbers.means(measure['baseline'], measure['current'])[1]}{unit}"


def _said(measure: Measure) -> str:
    before, after = numbers.means(measure["baseline"], measure["current"])
    return f"{svg.said(measure['metric'])} {after}, baseline {before}"


def _drawing(left: str, right: str, color: str, said: str) -> Markup:
    sizes = [math.ceil(lettering.width(text, _SIZE)) for text in (left, right)]
    edge = sizes[0] + 2 * _PADDING if left else 0
    width = edge + sizes[1] + 2 * _PADDING
    return svg.element(
        "svg",
        svg.element("title", svg.shown(said)),
        svg.element("rect", fill=_LABEL_COLOR if left else color, width=width, height=_HEIGHT, rx=_CORNER),
        *([svg.element("path", fill=color, d=_right_side(edge, width))] if left else []),
        *_texts(((left, _PADDING, sizes[0]), (right, edge + _PADDING, sizes[1]))),
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=_HEIGHT,
        role="img",
    )


def _right_side(edge: float, width: float) -> str:
    """A box whose right corners are round."""
    straight, corner = svg.number(width - edge - _CORNER), svg.number(_CORNER)
    turn = f"a{corner} {corner} 0 0 1"
    sides = f"M{svg.number(edge)} 0h{straight}{turn} {corner} {corner}v{svg.number(_HEIGHT - 2 * _CORNER)}"
    return f"{sides}{turn} -{corner} {corner}h-{straight}z"


def _texts(texts: Sequence[tuple[str, float, float]]) -> Iterator[Markup]:
    for text, x, size in texts:
        if text:
            yield svg.element(
                "text",
                svg.shown(text),
                x=x,
                y=14,
                fill="#ffffff",
                font_family="Verdana, 'DejaVu Sans', Geneva, sans-serif",
                font_size=_SIZE,
                textLength=size,
                lengthAdjust="spacingAndGlyphs",
            )
