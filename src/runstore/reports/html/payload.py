"""The data block of the page: records in, one JSON text out, which the page's own script makes the list from.

One record a line, the worst first, up to a stated number and size: first records with their texts, then records with
name, scores, tags and findings alone, as lists without names of members, so that the list has them all. The text stands
in a `script` element of the type `application/json`: a browser never runs it, and nothing in it can end the element,
open a comment, steer a terminal or command a CI runner, because each such character is written as an escape of JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import marks, outline
from runstore.reports.html import reasons, records
from runstore.reports.html.records import Known
from runstore.reports.outline import Outline
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, Check, Field

RECORDS = 10_000
"""So many records are embedded with their texts at most: more than anybody reads."""
LISTED = 100_000
"""So many records are in the list at most, those beyond `RECORDS` without texts, and it still opens at once."""
BYTES = 24 * 2**20
"""So many bytes of all these at most: mail and artifact viewers take 25 MB, and a browser parses it within a second."""
_BATCH = 500
_LINE = 16 * 2**10
"""A record with a longer line is shortened, value by value, each to `_ROOM` characters."""
_ROOM = 4000
_FIELDS = 50
_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"), (b"##", b"#\\u0023"), (b"\x7f", b"\\u007f"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """The JSON text, and how many of the records that the view lists are in it, with and without their texts."""

    text: str
    records: int
    brief: int


def make(contents: Outline, known: Known) -> Payload:
    """The data of the page's script."""
    budget = _Budget(left=BYTES)
    metrics = _metrics(contents)
    lines = list(_lines(contents.view["changes"], known, budget))
    brief = list(_brief_lines(contents.view["changes"], known, budget, metrics))
    rules = reasons.asked(contents.view)
    head: JsonValue = {
        "checks": [_check(check) for check in rules.means],
        "limits": [[run, rule, text] for (run, rule), text in rules.limits.items()],
        "metrics": list(metrics),
        "lower": [list(one) for one in sorted(known.lower)],
    }
    [start] = _harmless(canonical.dumps_all_plain([head]))
    listed, more = ",\n".join(lines), ",\n".join(brief)
    text = f'{start[:-1]},"records":[\n{listed}\n],"brief":[\n{more}\n]}}'
    return Payload(text=text, records=len(lines), brief=len(brief))


@dataclass(slots=True)
class _Budget:
    """How many bytes may still be written."""

    left: int

    def takes(self, line: str) -> bool:
        """Whether there is room for a line, which is then taken; without room there is none for what comes after."""
        size = len(line if line.isascii() else line.encode()) + len(",\n")
        self.left = self.left - size if self.left >= size else 0
        return self.left > 0


def _lines(changes: Sequence[Change], known: Known, budget: _Budget) -> Iterator[str]:
    """The records with their texts as JSON, as many as there is room for."""
    most = min(len(known.order), RECORDS)
    for start in range(0, most, _BATCH):
        found = [_record(changes[place], place, known) for place in known.order[start : min(start + _BATCH, most)]]
        for line in _harmless(_encoded(found)):
            if not budget.takes(line):
                return
            yield line


def _brief_lines(changes: Sequence[Change], known: Known, budget: _Budget, metrics: Mapping[str, int]) -> Iterator[str]:
    """The records that come after those, without their texts, as many as there is room for."""
    for start in range(min(len(known.order), RECORDS), min(len(known.order), LISTED), _BATCH):
        if not budget.left:
            return
        places = known.order[start : min(start + _BATCH, LISTED)]
        found = [_brief(changes[place], place, known, metrics) for place in places]
        for line in _harmless(canonical.dumps_all_plain(found)):
            if not budget.takes(line):
                return
            yield line


def _metrics(contents: Outline) -> Mapping[str, int]:
    """Metric → its number, by which brief records name it."""
    names = dict.fromkeys(score["metric"] for change in contents.view["changes"] for score in change["scores"])
    return {name: number for number, name in enumerate(names)}


def _brief(change: Change, place: int, known: Known, metrics: Mapping[str, int]) -> JsonValue:
    """What the script shows of a record in a list, in the order that `expanded` of record.js reads."""
    scores: list[JsonValue] = [[metrics[score["metric"]], *records.score_texts(score)] for score in change["scores"]]
    findings: list[JsonValue] = [[one["level"], one["rule"], one["message"]] for one in known.about(change)]
    kind = outline.CLASSES.index(change["class"])
    tags = change["record"].get("tags", {})
    return [place, kind, change["run"], change["id"], change["repeat"], tags, scores, findings]


def _encoded(found: Sequence[dict[str, JsonValue]]) -> list[bytes]:
    # At the engine's own pace: a browser reads any JSON, canonical or not.
    lines = canonical.dumps_all_plain(found)
    if max(map(len, lines)) <= _LINE:
        return lines
    return [
        line if len(line) <= _LINE else canonical.dumps_all_plain([_shortened(record)])[0]
        for line, record in zip(lines, found, strict=True)
    ]


def _harmless(lines: Sequence[bytes]) -> list[str]:
    """Lines of JSON that say the same, without what could steer whoever reads the page, in whatever."""
    data = b"\n".join(lines)
    for character, escape in _ESCAPES:
        data = data.replace(character, escape)
    text = data.decode()
    if not text.isascii():
        for hidden in sorted(one for one in set(text) if not one.isascii() and visible(one) != one):
            text = text.replace(hidden, _escape(hidden))
    return text.split("\n")


def _escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _check(check: Check) -> JsonValue:
    return {
        "excused_by": list(check["excused_by"]),
        "limit": check["limit"],
        "metric": check["metric"],
        "outcome": check["outcome"],
        "rule": check["rule"],
        "run": check["run"],
        "slice": None if check["slice"] is None else [check["slice"]["tag"], check["slice"]["value"]],
    }


def _record(change: Change, place: int, known: Known) -> dict[str, JsonValue]:
    """What the script shows of a record. Numbers of scores come as they are printed, `rise` is to sort by."""
    scores: list[JsonValue] = []
    for score in change["scores"]:
        baseline, current, delta = records.score_texts(score)
        rise = records.rise(score, change["run"], known.lower)
        shown: dict[str, JsonValue] = {"baseline": baseline, "current": current, "delta": delta, "rise": rise}
        scores.append({**shown, "lost": score["current"] is None, "metric": score["metric"]})
    return {
        "class": change["class"],
        "context": records.context(change),
        "fields": outline.other_fields(change),  # type: ignore[dict-item]  # fields are JSON
        "findings": [[one["level"], one["rule"], one["message"]] for one in known.about(change)],
        "id": change["id"],
        "place": place,
        "repeat": change["repeat"],
        "run": change["run"],
        "scores": scores,
    }


def _shortened(record: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The record with its long values cut, each with its length, and the first of its many changed places."""
    fields: list[Field] = record["fields"]  # type: ignore[assignment]  # as `_record` made it
    context: dict[str, JsonValue] = record["context"]  # type: ignore[assignment]
    texts = {name: records.value_text(value) for name, value in context.items() if name != "tags"}
    lengths: dict[str, JsonValue] = {name: len(text) for name, text in texts.items() if len(text) > _ROOM}
    return {
        **record,
        "context": {**context, **{name: texts[name][:_ROOM] for name in lengths}},
        "fields": [_cut_field(field) for field in fields[:_FIELDS]],
        "lengths": lengths,
        "more_fields": max(0, len(fields) - _FIELDS),
    }


def _cut_field(field: Field) -> JsonValue:
    """The field; of long values what stands around the places that differ, with their lengths."""
    before, after = records.sides(field)
    if max(len(before), len(after)) <= _ROOM:
        return dict(field)  # type: ignore[arg-type]  # a field is JSON
    sides = marks.compare(before, after, lambda text: text, words=0)
    found: dict[str, JsonValue] = {"path": field["path"], "shortened": True}
    for name, text, pieces in zip(("before", "after"), (before, after), sides, strict=True):
        if name in field:
            found[name] = "".join(piece.text for piece in marks.shortened(pieces, _ROOM))
            found[f"{name}_length"] = len(text)
    return found
