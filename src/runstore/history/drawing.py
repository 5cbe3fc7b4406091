"""A history as a picture: one SVG file that needs nothing else, a line for each metric, oldest commit to the left.

The line is broken at a gap. Nothing is fetched, there is no script and no style; texts of data are made safe as in
`reports.plots.svg`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from runstore.history.timeline import History
from runstore.history.wording import about, day, place
from runstore.reports import numbers
from runstore.reports.plots import lettering, scale, svg
from runstore.reports.plots.scale import Scale
from runstore.reports.text_safety import one_line

_WIDTH, _PANEL, _MARGIN, _HEAD = 640, 190, 16, 34
_TOP, _BOTTOM = 32, 148
_SIZE, _TITLE = 11, 13
_MOST = 24
_DOTS = 60
"""More points than these are a line without dots."""
_FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
_PAPER, _TEXT, _QUIET, _GRID, _LINE = "#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#0550ae"


def draw(found: History) -> str:
    """The picture, ending with one LF; the same history gives the same bytes."""
    names = list(found.declared)[:_MOST]
    left_out = len(found.declared) - len(names)
    height = _HEAD + _PANEL * len(names) + (24 if left_out else 0)
    head = place(found)
    parts = [
        svg.element("rect", fill=_PAPER, width=_WIDTH, height=height),
        _label(_MARGIN, 22, lettering.fitted(head, _WIDTH - 2 * _MARGIN, _SIZE), _QUIET),
    ]
    for index, name in enumerate(names):
        parts += _panel(found, name, _HEAD + index * _PANEL)
    if left_out:
        parts.append(_label(_MARGIN, height - 10, f"and {numbers.counted(left_out, 'more metric')}", _QUIET))
    picture = svg.element(
        "svg",
        svg.element("title", svg.shown(svg.said(head))),
        svg.element("desc", svg.shown("; ".join(_words(found, name) for name in names))),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=_WIDTH,
        height=height,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
    )
    return f"{picture}\n"


def _words(found: History, name: str) -> str:
    known = [value.mean for value in found.values(name) if value is not None]
    first, last = numbers.means(known[-1], known[0])
    return f"{svg.said(name)}: {first} -> {last}"


def _label(x: float, y: float, content: str, color: str, *, size: int = _SIZE, anchor: str = "") -> Markup:
    return svg.element(
        "text", svg.shown(content), x=x, y=y, fill=color, font_family=_FONT, font_size=size, text_anchor=anchor
    )


def _panel(found: History, name: str, top: float) -> Iterator[Markup]:
    """A metric's name, its first and last value, and its line."""
    values = [None if value is None else value.mean for value in reversed(found.values(name))]
    known = [value for value in values if value is not None]
    upright = scale.spanning(known, start=top + _BOTTOM, end=top + _TOP)
    rows = scale.ticks(upright, 4)
    left = _MARGIN + max((lettering.width(tick.text, _SIZE) for tick in rows), default=0.0) + 8
    left = min(left, _WIDTH / 2)
    across = Scale(low=0.0, high=float(max(1, len(values) - 1)), start=left + 6, end=_WIDTH - _MARGIN - 6)
    first, last = numbers.means(known[0], known[-1])
    room = _WIDTH - 2 * _MARGIN - lettering.width(f"{first} to {last}", _TITLE) - 24
    yield _label(
        _MARGIN, top + 18, lettering.fitted(about(name, found.declared[name]), room, _TITLE), _TEXT, size=_TITLE
    )
    yield _label(_WIDTH - _MARGIN, top + 18, f"{first} to {last}", _TEXT, size=_TITLE, anchor="end")
    for tick in rows:
        y = upright.place(tick.value)
        yield _path([(left, y), (_WIDTH - _MARGIN, y)], _GRID, 1)
        yield _label(left - 6, y + _SIZE / 3, tick.text, _QUIET, anchor="end")
    yield _label(left, top + _BOTTOM + 20, day(found.rows[-1].commit), _QUIET)
    yield _label(_WIDTH - _MARGIN, top + _BOTTOM + 20, day(found.rows[0].commit), _QUIET, anchor="end")
    yield from _line(values, across, upright, [one_line(row.commit.subject) for row in reversed(found.rows)])


def _line(values: Sequence[float | None], across: Scale, upright: Scale, subjects: Sequence[str]) -> Iterator[Markup]:
    stretch: list[tuple[float, float]] = []
    has_dots = len(values) <= _DOTS
    for index, value in enumerate([*values, None]):
        if value is not None:
            stretch.append((across.place(index), upright.place(value)))
            if has_dots:
                x, y = stretch[-1]
                title = svg.element("title", svg.shown(f"{numbers.single(value)}: {svg.said(subjects[index])}"))
                yield svg.element("circle", title, cx=x, cy=y, r=3, fill=_LINE)
            continue
        if len(stretch) > 1:
            yield _path(stretch, _LINE, 1.5)
        elif stretch and not has_dots:
            yield svg.element("circle", cx=stretch[0][0], cy=stretch[0][1], r=1.5, fill=_LINE)
        stretch = []


def _path(places: Sequence[tuple[float, float]], color: str, width: float) -> Markup:
    path = "L".join(f"{svg.number(x)} {svg.number(y)}" for x, y in places)
    return svg.element("path", fill="none", stroke=color, stroke_width=width, d=f"M{path}")
