"""Why a record counts as it does: a view and a record in; what got worse, what was found about it, and the rules that
count it, out.

A limit on the number of records counts a record if something was found about it; a rule on a mean counts every record
that has the metric, and the tag if it is about a slice. The script of the page says the same (templates/record.js); a
test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runstore.reports.html import records
from runstore.reports.html.records import Known
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, Check, Finding, Outcome, View

CHECKS = 2000
"""So many rules on means the page knows of, those that do not hold first; and so many broken limits on records."""
SHOWN = 6
"""So many rules are named with a record, besides those that do not hold."""
_RANKS: Mapping[Outcome, int] = {"broken": 0, "undecided": 1, "waived": 2, "holds": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The rules that can count a record."""

    means: Sequence[Check]
    """Rules on a metric that have a limit or do not hold: the broken ones first."""
    limits: Mapping[tuple[str, str], str]
    """(Run, rule) → `7 counted, 2 allowed`, of limits on records that are broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A score that got worse or better; `by` is empty if it is gone."""

    name: str
    by: str
    is_lower_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was found about a record, and how many there are of its kind if that is more than allowed."""

    level: str
    rule: str
    message: str
    against: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasons:
    """Why a record counts as it does."""

    moves: Sequence[tuple[Literal["worse", "better"], Sequence[Move]]]
    found: Sequence[Found]
    rules: Sequence[Check]
    more: int
    """Rules that hold and are not named."""


def asked(view: View) -> Asked:
    """The rules of a view that can count a record. A waiver of a record is said with what was found about it."""
    means = [
        check
        for check in view["checks"]
        if check["metric"] is not None
        and not check["rule"].startswith("waive")
        and (check["limit"] is not None or check["outcome"] != "holds")
    ]
    limits = {
        (check["run"], check["rule"]): f"{check['observed']} counted, {check['limit']} allowed"
        for check in view["checks"]
        if check["metric"] is None and check["outcome"] == "broken" and check["observed"] and check["limit"]
    }
    return Asked(
        means=sorted(means, key=lambda check: _RANKS[check["outcome"]])[:CHECKS],
        limits=dict(list(limits.items())[:CHECKS]),
    )


def of_record(change: Change, known: Known, rules: Asked) -> Reasons:
    """Why one record counts as it does."""
    counting = list(_counting(change, rules))
    open_rules = [check for check in counting if check["outcome"] != "holds"]
    shown = counting[: max(SHOWN, len(open_rules))]
    worse, better = (list(_moves(change, known, effect)) for effect in ("worse", "better"))
    moves: list[tuple[Literal["worse", "better"], Sequence[Move]]] = [("worse", worse), ("better", better)]
    return Reasons(
        moves=[move for move in moves if move[1]],
        found=[_found(finding, change, rules) for finding in known.about(change)],
        rules=shown,
        more=len(counting) - len(shown),
    )


def _counting(change: Change, rules: Asked) -> Iterator[Check]:
    metrics = {score["metric"] for score in change["scores"]}
    tags = change["record"].get("tags")
    for check in rules.means:
        group = check["slice"]
        has_tag = group is None or (isinstance(tags, dict) and tags.get(group["tag"]) == group["value"])
        if check["run"] == change["run"] and check["metric"] in metrics and has_tag:
            yield check


def _moves(change: Change, known: Known, effect: str) -> Iterator[Move]:
    for score in change["scores"]:
        if records.effect(score, change["run"], known.lower) == effect:
            is_lower = (change["run"], score["metric"]) in known.lower
            delta = records.score_texts(score)[2]
            yield Move(name=visible(score["metric"]), by=delta.lstrip("+-"), is_lower_better=is_lower)


def _found(finding: Finding, change: Change, rules: Asked) -> Found:
    against = rules.limits.get((change["run"], finding["rule"]), "") if finding["level"] == "error" else ""
    return Found(level=finding["level"], rule=finding["rule"], message=finding["message"], against=visible(against))
