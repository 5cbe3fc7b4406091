"""Records as the page knows them: a view in; which records are written into the page, the worst first, and why each
counts as it does, out.

Nothing unchanged is taken along but the record's own context: its input, target and what else it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import numbers, outline
from runstore.reports.outline import Outline

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, Field, Finding, Score, View

Key = tuple[str, str, int]
"""(Run, id, repeat) of a record."""
_SAID_APART = frozenset({"id", "repeat"})
_ONE_SIDED = ("added", "removed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the page needs to find its way from and to records."""

    order: Sequence[int]
    """Places in the view's list of changes, the worst record first."""
    places: Mapping[Key, int]
    """Record that something was found about → its place in the view's list of changes."""
    findings: Mapping[Key, Sequence[Finding]]
    """Record → what was found about it alone; quarantine holds for every trial of a record, so it has no repeat."""
    lower: frozenset[tuple[str, str]]
    """(Run, metric) where lower is better."""

    def about(self, change: Change) -> Iterator[Finding]:
        """What was found about one record."""
        return iter(self.findings.get(key(change), ()))


def know(contents: Outline) -> Known:
    """What is known of the records of a view."""
    changes = contents.view["changes"]
    ranks = {kind: rank for rank, kind in enumerate(outline.CLASSES)}
    findings: dict[Key, list[Finding]] = {}
    for finding in contents.view["findings"]:
        if finding["record"] is not None:
            findings.setdefault((finding["run"], finding["record"], finding["repeat"] or 1), []).append(finding)
    return Known(
        # The sort is stable: within a class the order is that of the view, the worst first.
        order=sorted(range(len(changes)), key=lambda place: ranks[changes[place]["class"]]),
        places={found: place for place, change in enumerate(changes) if (found := key(change)) in findings},
        findings=findings,
        lower=lower(contents.view),
    )


def key(change: Change) -> Key:
    """What a record is known by."""
    return change["run"], change["id"], change["repeat"]


def lower(view: View) -> frozenset[tuple[str, str]]:
    """(Run, metric) where lower is better."""
    measures = (measure for measure in view["metrics"] if measure["direction"] == "lower")
    return frozenset((measure["run"], measure["metric"]) for measure in measures)


def rise(score: Score, run: str, less: frozenset[tuple[str, str]]) -> float | None:
    """How much better a score is, less than 0 if it is worse; None where a side has none or it is beyond numbers."""
    if score["delta"] is None:
        return None
    return -score["delta"] if (run, score["metric"]) in less else score["delta"]


def effect(score: Score, run: str, less: frozenset[tuple[str, str]]) -> str:
    """`worse`, `better` or empty, of one score; a score that is gone is worse."""
    grown = rise(score, run, less)
    if grown is None:
        return "worse" if score["current"] is None else ""
    return "worse" if grown < 0 else "better" if grown > 0 else ""


def score_texts(score: Score) -> tuple[str, str, str]:
    """Baseline, current and difference of a score, as they are printed; the difference is empty where there is none."""
    delta = "" if score["delta"] is None else numbers.signed(score["delta"])
    return (*numbers.pair(score["baseline"], score["current"]), delta)


def context(change: Change) -> dict[str, JsonValue]:
    """The members of a record that did not change, without those that are said elsewhere; `/output` is one member."""
    changed = {field["path"].split("/", 2)[1] for field in change["fields"] if field["path"]}
    apart = changed | _SAID_APART if change["class"] in _ONE_SIDED else changed | _SAID_APART | {"scores"}
    return {name: value for name, value in change["record"].items() if name not in apart}


def value_text(value: JsonValue) -> str:
    """A value of a record as text: a string as it is, anything else as JSON with sorted keys, laid out on lines."""
    return value if isinstance(value, str) else canonical.jcs_document(value).decode().removesuffix("\n")


def sides(field: Field) -> tuple[str, str]:
    """The texts of a field before and after; empty where there was nothing. 1 and "1" are not the same."""
    before, after = field.get("before", ""), field.get("after", "")
    if "before" in field and "after" in field and isinstance(before, str) != isinstance(after, str):
        old, new = (canonical.jcs_document(value).decode().removesuffix("\n") for value in (before, after))
        return old, new
    return value_text(before), value_text(after)


def address(change: Change) -> str:
    """What stands behind `#record=` in a link to a record: run, id and repeat, each percent-encoded by itself."""
    return "/".join(quote(part, safe="") for part in (change["run"], change["id"], str(change["repeat"])))
