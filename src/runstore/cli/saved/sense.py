"""The sense of a saved comparison: a view of the right form in, refused if it contradicts itself."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import cast

from runstore import canonical, record
from runstore.cli.saved.form import CLASSES, NEWER
from runstore.errors import CanonicalError, InvalidDataError
from runstore.findings import Level, Rule, verdict
from runstore.reports.shapes import Change, Check, Counts, Field, Finding, Measure, Slice, View

_WEIGHTY = frozenset(level.value for level in Level) - {Level.NOTICE.value}
_OPEN = ("broken", "undecided")
_OF_RECORDS = frozenset(
    rule.value
    for rule in (
        Rule.MAX_ADDED,
        Rule.MAX_CHANGED,
        Rule.MAX_ERRORS,
        Rule.MAX_LOST_SCORES,
        Rule.MAX_REGRESSED,
        Rule.MAX_REMOVED,
        Rule.MAX_SKIPPED,
    )
)
"""Rules that allow a number of records."""
_COUNT = re.compile("[0-9]{1,16}")


def check_sense(found: View) -> None:
    """Refuse what contradicts itself. Raises InvalidDataError."""
    _check_verdict(found)
    _check_answers(found["checks"], found["findings"])
    _check_figures(found["checks"])
    _check_counts(found["counts"])
    _check_listed(found)
    _check_runs(found)
    for index, change in enumerate(found["changes"]):
        _check_record(change, f"/changes/{index}")
    for index, measure in enumerate(found["metrics"]):
        _check_measure(measure, f"/metrics/{index}")


def _check_verdict(found: View) -> None:
    reached = verdict([Level(finding["level"]) for finding in found["findings"]])
    if found["verdict"] != reached.name:
        raise InvalidDataError(
            f"the findings lead to {reached.name}, and the verdict is {found['verdict']}", where="/verdict"
        )


def _check_figures(checks: Sequence[Check]) -> None:
    """A limit on a number of records holds only if no more were counted than it allows."""
    for index, check in enumerate(checks):
        counted, allowed = check["observed"] or "", check["limit"] or ""
        if check["outcome"] != "holds" or check["rule"] not in _OF_RECORDS or not (counted and allowed):
            continue
        if not (_COUNT.fullmatch(counted) and _COUNT.fullmatch(allowed)):
            raise InvalidDataError("observed and limit are no numbers of records", where=f"/checks/{index}")
        if int(counted) > int(allowed):
            raise InvalidDataError(
                f"holds, and {counted} were counted where {allowed} are allowed", where=f"/checks/{index}/outcome"
            )


Place = tuple[str, str | None, tuple[str, str] | None]
"""What a check or a finding is about: run, metric, slice."""


def _check_answers(checks: Sequence[Check], findings: Sequence[Finding]) -> None:
    """What a check found broken or could not decide is told by a finding about the same, and the other way round."""
    known = {rule.value for rule in Rule}
    for name, entries in (("checks", checks), ("findings", findings)):
        for index, entry in enumerate(entries):
            if entry["rule"] not in known:
                raise InvalidDataError(f"unknown rule {entry['rule']!r}", where=f"/{name}/{index}/rule", hint=NEWER)
    told = {_place(finding) for finding in findings if finding["level"] in _WEIGHTY}
    opened = [check for check in checks if check["outcome"] in _OPEN]
    asked = {*map(_place, opened), *map(_question, opened)}  # one check can find the same of several metrics
    for index, check in enumerate(checks):
        if check["outcome"] in _OPEN and _place(check) not in told:
            raise InvalidDataError(f"{check['outcome']}, and no finding says so", where=f"/checks/{index}/outcome")
    for index, finding in enumerate(findings):
        if finding["level"] in _WEIGHTY and not {_place(finding), _question(finding)} & asked:
            raise InvalidDataError("no check is broken or undecided that found this", where=f"/findings/{index}")


def _place(entry: Check | Finding) -> Place:
    return entry["run"], entry["metric"], _group(entry["slice"])


def _question(entry: Check | Finding) -> tuple[str, str]:
    return entry["run"], entry["rule"]


def _group(part: Slice | None) -> tuple[str, str] | None:
    return None if part is None else (part["tag"], part["value"])


def _check_counts(counts: Counts) -> None:
    sums = {
        "common": counts["regressed"] + counts["improved"] + counts["changed"] + counts["unchanged"],
        "baseline": counts["common"] + counts["removed"],
        "current": counts["common"] + counts["added"],
    }
    found: Mapping[str, int] = cast(Mapping[str, int], counts)
    for name, total in sums.items():
        if found[name] != total:
            raise InvalidDataError(f"{found[name]:,}, and its parts add up to {total:,}", where=f"/counts/{name}")


def _check_listed(found: View) -> None:
    """Records of a class that are listed, and those that are not, are as many as are counted."""
    counts = cast(Mapping[str, int], found["counts"])
    listed = dict.fromkeys(CLASSES, 0)
    seen: set[tuple[str, str, int]] = set()
    for index, change in enumerate(found["changes"]):
        listed[change["class"]] += 1
        seen.add((change["run"], change["id"], change["repeat"]))
        if len(seen) == index:
            raise InvalidDataError("a record stands there twice", where=f"/changes/{index}")
    for name, number in cast(Mapping[str, int], found["changes_omitted"]).items():
        if listed[name] + number != counts[name]:
            raise InvalidDataError(
                f"{listed[name]:,} listed and {number:,} omitted are not the {counts[name]:,} counted",
                where=f"/changes_omitted/{name}",
            )


def _check_runs(found: View) -> None:
    """Everything is about a run that was compared; what a suite's policy has to say of itself is about none."""
    paths = [pair["path"] for pair in found["runs"]]
    if len(set(paths)) != len(paths):
        raise InvalidDataError("a run stands there twice", where="/runs")
    if not paths:
        raise InvalidDataError("no run was compared", where="/runs")
    for place, run in _named(found):
        if run not in paths and not (run == "" and place.startswith(("/checks", "/findings"))):
            raise InvalidDataError(f"no run {run!r} was compared", where=place)
    asked = {check["run"] for check in found["checks"]}
    for index, path in enumerate(paths):
        if path not in asked:
            raise InvalidDataError("no check was made of it", where=f"/runs/{index}")


def _named(found: View) -> Iterator[tuple[str, str]]:
    """(Place, run) of everything that is about a run."""
    members = cast(Mapping[str, Collection[Mapping[str, str]]], found)
    for name in ("changes", "checks", "findings", "metrics", "series"):
        for index, entry in enumerate(members.get(name, ())):
            yield f"/{name}/{index}/run", entry["run"]


def _check_record(change: Change, place: str) -> None:
    """A change holds a record, as a run could, and places of it."""
    held = change["record"]
    scores = held.get("scores")
    any_score = dict.fromkeys(scores, (-math.inf, math.inf)) if isinstance(scores, dict) else {}
    try:
        if "id" not in held or not record.is_sound(held, any_score):
            record.check(held, any_score)
            canonical.encode(held)
    except InvalidDataError as error:
        raise InvalidDataError(error.message, where=f"{place}/record{error.where}") from None
    if (held["id"], held.get("repeat", 1)) != (change["id"], change["repeat"]):
        raise InvalidDataError("the record has another id or repeat", where=f"{place}/record")
    for index, field in enumerate(change["fields"]):
        _check_field(field, f"{place}/fields/{index}")


def _check_field(field: Field, place: str) -> None:
    empty, *names = field["path"].split("/")
    if empty or not names or names[0] not in record.FIELDS:
        raise InvalidDataError("no JSON pointer to a field of a record", where=f"{place}/path")
    for name in ("before", "after"):
        value = field.get(name)
        if not canonical.is_plain(value):
            try:
                canonical.encode(value)
            except CanonicalError as error:
                raise InvalidDataError(error.message, where=f"{place}/{name}{error.where}") from None


def _check_measure(measure: Measure, place: str) -> None:
    """The cells of what moved are triples, and no more pairs moved than there are."""
    moves = cast(Mapping[str, Sequence[int]] | None, measure.get("moves"))
    if moves is None:
        return
    if not len(moves["before"]) == len(moves["after"]) == len(moves["pairs"]):
        raise InvalidDataError("before, after and pairs are not equally long", where=f"{place}/moves")
    if sum(moves["pairs"]) > measure["n"]:
        raise InvalidDataError("more pairs moved than there are", where=f"{place}/moves/pairs")
