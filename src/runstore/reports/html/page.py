"""The page: a view in, one HTML text out; the same view gives the same bytes.

What stands before the data of the script is made by a template; data, script and end are put behind it as they are, so
the cost of the template does not depend on the number of records.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from runstore.canonical import JsonValue
from runstore.reports import advice, numbers, outline, text_safety
from runstore.reports.html import metrics, payload, reasons, records, worst
from runstore.reports.html.records import Known
from runstore.reports.outline import Outline
from runstore.reports.plots import page_plots
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Finding, Outcome, Side

_REPORTS = resources.files("runstore.reports")
_GROUPS = 8
"""So many findings are shown at once; the others, less heavy, are folded away."""
_MORE_GROUPS = 400
_GROUP_RECORDS = 6
_WRITTEN_RECORDS = 50
"""So many records are written out for a reader without script."""
_CHECKS = 400
_RUNS = 200
_OUTCOMES: tuple[tuple[Outcome, str], ...]
_OUTCOMES = (("broken", "broken"), ("undecided", "undecided"), ("waived", "waived"), ("holds", "hold"))
_CODE = re.compile(r"`([A-Za-z0-9][A-Za-z0-9_. -]{0,59})`")
_BAR = 1000
_LEAST = 6
"""Width of the bar of records, in its own units, and of its shortest part."""
_BAR_CLASSES = ("regressed", "removed", "changed", "unchanged", "improved", "added")


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """How many records are not in the list, and why."""

    beyond: int
    """The view lists them, and the page has no room."""
    omitted: int
    """The view does not list them."""


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The page."""
    contents = outline.make(view)
    known = records.know(contents)
    data = payload.make(contents, known)
    left = Left(
        beyond=len(known.order) - data.records - data.brief, omitted=sum(contents.view["changes_omitted"].values())
    )
    style, script = _style(), _script()
    plots = page_plots.sections(view)
    page = _template().render(
        bar=_bar(contents),
        charts=[plot for plot in plots if plot.slug != "forest"],
        checks=contents.view["checks"][:_CHECKS],
        counts=_counts(contents),
        groups=contents.groups[:_GROUPS],
        group_records=_GROUP_RECORDS,
        left=left,
        brief=data.brief,
        embedded=data.records + data.brief,
        kinds=[kind for kind in outline.CLASSES if contents.view["counts"][kind]],
        listed=len(known.order),
        more_checks=max(0, len(contents.view["checks"]) - _CHECKS),
        folded=_levels(contents.groups[_GROUPS:]),
        more_groups=contents.groups[_GROUPS:_MORE_GROUPS],
        more_runs=max(0, len(contents.view["runs"]) - _RUNS),
        outline=contents,
        place=partial(_place, known),
        anchors=_anchors(known),
        plots=plots,
        records=list(worst.shown(contents.view["changes"], known, reasons.asked(contents.view), _WRITTEN_RECORDS)),
        said=_answers(contents),
        single=_single(contents),
        runs=contents.view["runs"][:_RUNS],
        script_hash=_digest(script),
        steps=list(advice.steps(contents, is_page=True)),
        style=Markup(style),  # our own file, without text of data
        style_hash=_digest(style),
        table=metrics.table(contents, page_plots.metrics(view)),
        unnamed_groups=max(0, len(contents.groups) - _MORE_GROUPS),
        view=contents.view,
    )
    page = text_safety.COMMAND.sub(_character_reference, page)
    block = f'<script type="application/json" id="data">{data.text}</script>'
    return f"{page}\n{block}\n<script>{script}</script>\n</body>\n</html>\n"


def _character_reference(match: re.Match[str]) -> str:
    """What a CI runner would take for a command, in a page that is printed to a log, written so that it does not."""
    return "&#35;" if match[0] == "#" else f"{match[1]}&#58;"


@cache
def _style() -> str:
    return "".join(
        _REPORTS.joinpath(*path).read_text(encoding="utf-8")
        for path in (("templates", "report.css"), ("plots", "plots.css"))
    )


@cache
def _script() -> str:
    names = ("words.js", "address.js", "elements.js", "record.js", "tables.js", "report.js")
    return "".join(_REPORTS.joinpath("templates", name).read_text(encoding="utf-8") for name in names)


def _digest(text: str) -> str:
    """As a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        coded=_coded, count=numbers.count, counted=numbers.counted, name=_finding_name, visible=visible
    )
    return environment.from_string(_REPORTS.joinpath("templates", "report.html.jinja").read_text(encoding="utf-8"))


def _coded(text: str) -> Markup:
    """The text, escaped; what stands in backticks as our own words do (a command, a key of a policy) is code."""
    parts = _CODE.split(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _anchors(known: Known) -> Mapping[int, str]:
    """Place of a record that is written out → its id on the page."""
    return {place: worst.anchor(place) for place in known.order[:_WRITTEN_RECORDS]}


def _levels(groups: Sequence[outline.Group]) -> str:
    """How many findings of each level there are: `3 error, 1 warning`."""
    found = Counter(group.head["level"] for group in groups)
    return ", ".join(f"{numbers.count(number)} {level}" for level, number in found.items())


def _place(known: Known, finding: Finding) -> int | None:
    """Where in the view the record of a finding is; None if it is not listed."""
    return known.places.get((finding["run"], finding["record"] or "", finding["repeat"] or 1))


def _finding_name(finding: Finding) -> str:
    return visible(outline.record_name(finding["record"] or "", finding["repeat"], ""))


def _single(contents: Outline) -> Side | None:
    """The run that was judged, if it is one."""
    runs = contents.view["runs"]
    return runs[0]["current"] or runs[0]["baseline"] if len(runs) == 1 else None


def _answers(contents: Outline) -> str:
    """How many rules hold, how many do not."""
    found = Counter(check["outcome"] for check in contents.view["checks"])
    return ", ".join(f"{numbers.count(found[outcome])} {words}" for outcome, words in _OUTCOMES if found[outcome])


def _counts(contents: Outline) -> list[tuple[str, int]]:
    counts = contents.view["counts"]
    special = [(words, number) for number, words in outline.special(counts)]
    return [("baseline", counts["baseline"]), ("current", counts["current"]), ("in common", counts["common"]), *special]


def _bar(contents: Outline) -> list[tuple[str, int, int, int]]:
    """(Class, number of records, where it begins, how wide it is) of a bar of all records; each class can be seen."""
    counts: Mapping[str, int] = contents.view["counts"]  # type: ignore[assignment]  # a typed dict of integers
    found = [(kind, counts[kind]) for kind in _BAR_CLASSES if counts[kind]]
    total = sum(number for _, number in found)
    room, start, before, bar = _BAR - _LEAST * len(found), 0, 0, []
    for index, (kind, number) in enumerate(found, 1):
        before += number
        end = _LEAST * index + room * before // total
        bar.append((kind, number, start, end - start))
        start = end
    return bar
