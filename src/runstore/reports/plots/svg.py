"""SVG by hand: elements out of names, numbers and texts. The same input gives the same bytes on every platform.

Numbers are fixed to two decimals (a hundredth of a pixel). Every text of data goes through `shown`: control,
bidirectional and invisible characters and line feeds escaped, then the characters that mean something to XML.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from runstore.reports.text_safety import fitted, one_line

_SAID_CHARACTERS = 120


def number(value: float) -> str:
    """A coordinate: at most two decimals, never `-0`."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shown(text: str) -> Markup:
    """A text of data, safe as the text of an element."""
    return escape(one_line(text))


def said(text: str) -> str:
    """A text of data on one line, short enough to be part of a sentence; not yet escaped for XML."""
    return fitted(one_line(text), _SAID_CHARACTERS)


def element(name: str, *children: Markup, **attributes: str | float) -> Markup:
    """An element. Attributes are named as in Python: `class_`, `text_anchor`; those that are empty are left out."""
    pairs = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value != "")
    inside = "".join(children)
    return Markup(f"<{name}{pairs}>{inside}</{name}>" if inside else f"<{name}{pairs}/>")  # all parts are safe


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return str(escape(value)) if isinstance(value, str) else number(value)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("path", class_=class_, d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "") -> Markup:
    """A line of text of data, of ours or both; `anchor` is where x is: `middle`, `end`, or the start."""
    return element("text", shown(content), x=x, y=y, class_=class_, text_anchor=anchor)


def drawing(width: float, height: float, class_: str, title: str, desc: str, *children: Markup) -> Markup:
    """A whole picture, which scales to the room it gets; `title` and `desc` say in words what is drawn."""
    words = (element("title", shown(title)), element("desc", shown(desc)))
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *words, *children, class_=f"plot {class_}", viewBox=box, role="img")
