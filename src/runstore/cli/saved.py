"""A saved comparison: the file that `gate compare --format json` wrote in, the view that every report is made from out.

What is read is held to its word before anything is rendered: the form (docs/format.md, section 2), the schema, and what
a schema cannot say: the verdict is the one its findings lead to, counts add up, and nothing is about a run that was not
compared. So a file that was cut short, merged or edited is refused, and a verdict cannot be changed by itself. Whoever
edits everything that belongs together is not found out: a saved report is as trustworthy as the place it was kept in.
"""

from __future__ import annotations

import math
import re
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from runstore import canonical, record, schema, view
from runstore.canonical import JsonValue
from runstore.errors import CanonicalError, InvalidDataError, UsageError
from runstore.findings import Level, Rule, Verdict, verdict
from runstore.reports.shapes import Change, Check, Counts, Field, Finding, Measure, Slice, View
from runstore.schema import Violation

STDIN = Path("-")
MAX_BYTES = 512 * 2**20
"""A larger file is refused: a report that people read lists some thousands of records at most."""

_AGAIN = "write it again with `gate compare BASELINE CURRENT --format json:FILE`, and leave it as it is"
_SAME = "render it with the version of gate that wrote it"
# `reports.json_report` writes `##[` so, and some others, because a CI runner would obey it; nothing else writes it so.
_ESCAPED = re.compile(rb"#\\u0023(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
_WEIGHTY = frozenset(level.value for level in Level) - {Level.NOTICE.value}
_OPEN = ("broken", "undecided")


def load_view(path: Path) -> Mapping[str, JsonValue]:
    """The view that a file holds; `-` is standard input.

    Raises UsageError if there is no such file, or one too large; InvalidDataError if it is not what `gate compare`
    wrote. System errors pass.
    """
    label = "standard input" if path == STDIN else str(path)
    found = _decoded(_bytes(path, label), label)
    try:
        _check_head(found)
        _check_schema(found)
        _check_sense(cast(View, found))
    except InvalidDataError as error:
        raise _at(label, error) from None
    return found


def _at(label: str, error: InvalidDataError) -> InvalidDataError:
    place = f"{label}{'' if error.where.startswith(':') else ' '}{error.where}" if error.where else label
    return InvalidDataError(error.message, where=place, hint=error.hint or _AGAIN)


def _bytes(path: Path, label: str) -> bytes:
    """All of a file, a pipe or standard input, if it is not too large."""
    if path == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{label}: no such file", hint="name the report that `--format json:FILE` wrote") from None
        if stat.S_ISDIR(mode):
            raise UsageError(f"{label} is a folder", hint="name the JSON report of a comparison")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{label} is larger than {MAX_BYTES:,} bytes", hint="compare again with a smaller --limit")
    return data


def _decoded(data: bytes, label: str) -> dict[str, JsonValue]:
    """The object that the bytes say in the one form in which it is written. Raises InvalidDataError."""
    if not data:
        raise InvalidDataError("the file is empty", where=label, hint=_AGAIN)
    plain = _ESCAPED.sub(b"##", data)
    try:
        found = canonical.loads(plain)
        if not canonical.is_plain(found):
            found = _as_doubles(found, canonical.REPORT_DEPTH)
        written = canonical.jcs_document(found)
    except CanonicalError as error:
        raise _at(label, _not_json(plain) or error) from None
    if written != plain:
        raise _at(label, _not_json(plain) or _difference(plain, written))
    if not isinstance(found, dict):
        raise InvalidDataError("not a comparison: the file holds no JSON object", where=label, hint=_AGAIN)
    return found


def _as_doubles(value: JsonValue, room: int) -> JsonValue:
    """The value with integers beyond the safe range as what they were before they were written: doubles."""
    if type(value) is int and abs(value) > canonical.MAX_SAFE_INTEGER:
        return float(value)
    if not room:
        return value  # too deep: whoever writes it again says so
    if isinstance(value, dict):
        return {name: _as_doubles(member, room - 1) for name, member in value.items()}
    return [_as_doubles(item, room - 1) for item in value] if isinstance(value, list) else value


def _not_json(data: bytes) -> CanonicalError | None:
    """What is wrong with the bytes as JSON: a key that stands twice, a text that ends early."""
    try:
        canonical.parse_loose(data)
    except CanonicalError as error:
        return error
    return None


def _difference(data: bytes, written: bytes) -> InvalidDataError:
    """Where the text is not the one that its value has."""
    pairs = zip(data.split(b"\n"), written.split(b"\n"), strict=False)
    line = next((number for number, (one, other) in enumerate(pairs, start=1) if one != other), 1)
    return InvalidDataError("not as reports are written: it was edited or laid out anew", where=f":{line}")


def _check_head(found: Mapping[str, JsonValue]) -> None:
    """Refuse what is no comparison, or one of another version, in words of its own."""
    if not {"format", "verdict", "findings"} <= found.keys():
        raise InvalidDataError("not a comparison: it lacks format, verdict or findings")
    if type(found["format"]) is not int or found["format"] != view.FORMAT:
        raise InvalidDataError(
            f"format {_shown(found['format'])} is unknown; this version reads format {view.FORMAT}",
            where="/format",
            hint=_SAME,
        )
    words = {word.name: word.value for word in Verdict}
    word, code = found["verdict"], found.get("exit_code")
    if isinstance(word, str) and word in words and code != words[word]:
        raise InvalidDataError(f"the exit code of {word} is {words[word]}, not {_shown(code)}", where="/exit_code")


def _shown(value: JsonValue) -> str:
    return canonical.jcs(value).decode()[:40]


def _check_schema(found: Mapping[str, JsonValue]) -> None:
    """Refuse what breaks the published schema. Changes that are certainly sound are not looked at twice: of them alone
    there can be hundreds of thousands."""
    changes = found.get("changes")
    doubtful = [i for i, change in enumerate(changes) if not _is_sound(change)] if isinstance(changes, list) else []
    rest = {**found, "changes": [changes[index] for index in doubtful]} if isinstance(changes, list) else found
    broken = sorted(schema.validate("comparison", rest), key=_by_place)  # type: ignore[arg-type]  # a Mapping, as JSON
    if broken:
        first = broken[0]
        more = f" (and {len(broken) - 1:,} more)" if len(broken) > 1 else ""
        hint = f"{_AGAIN}; a newer gate writes more: {_SAME}" if "unknown name" in first.message else ""
        raise InvalidDataError(f"{first.message}{more}", where=_pointer(first.pointer, doubtful) or "/", hint=hint)


def _by_place(violation: Violation) -> tuple[bool, str, str]:
    """What says least comes last: that verdict and exit code fit no row of their table."""
    return violation.message.startswith("fits none"), violation.pointer, violation.message


def _pointer(pointer: str, doubtful: Sequence[int]) -> str:
    """The place in the whole of a place in what was looked at."""
    match = re.match(r"/changes/(\d+)", pointer)
    return pointer if match is None else f"/changes/{doubtful[int(match[1])]}{pointer[match.end() :]}"


_CHANGE = {"class", "fields", "id", "record", "repeat", "run", "scores"}
_CLASSES = ("regressed", "removed", "added", "improved", "changed")
_SCORE = {"baseline", "current", "delta", "metric"}
_FIELDS = ({"after", "path"}, {"before", "path"}, {"after", "before", "path"}, {"path"})
_NUMBER = (int, float, type(None))


def _is_sound(change: JsonValue) -> bool:
    """True only if a change is certainly what the schema asks for."""
    return (
        type(change) is dict
        and change.keys() == _CHANGE
        and change["class"] in _CLASSES
        and type(change["id"]) is str
        and change["id"] != ""
        and type(change["record"]) is dict
        and type(change["repeat"]) is int
        and 1 <= change["repeat"] <= canonical.MAX_SAFE_INTEGER
        and type(change["run"]) is str
        and type(change["fields"]) is list
        and all(map(_is_sound_field, change["fields"]))
        and type(change["scores"]) is list
        and all(map(_is_sound_score, change["scores"]))
    )


def _is_sound_field(field: JsonValue) -> bool:
    return type(field) is dict and field.keys() in _FIELDS and type(field["path"]) is str


def _is_sound_score(score: JsonValue) -> bool:
    return (
        type(score) is dict
        and score.keys() == _SCORE
        and type(score["metric"]) is str
        and score["metric"] != ""
        and type(score["baseline"]) in _NUMBER
        and type(score["current"]) in _NUMBER
        and type(score["delta"]) in _NUMBER
    )


def _check_sense(found: View) -> None:
    """Refuse what contradicts itself. Raises InvalidDataError."""
    _check_verdict(found)
    _check_answers(found["checks"], found["findings"])
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


Place = tuple[str, str | None, tuple[str, str] | None]
"""What a check or a finding is about: run, metric, slice."""


def _check_answers(checks: Sequence[Check], findings: Sequence[Finding]) -> None:
    """What a check found broken or could not decide is told by a finding about the same, and the other way round."""
    known = {rule.value for rule in Rule}
    for name, entries in (("checks", checks), ("findings", findings)):
        for index, entry in enumerate(entries):
            if entry["rule"] not in known:
                raise InvalidDataError(f"unknown rule {entry['rule']!r}", where=f"/{name}/{index}/rule", hint=_SAME)
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
    listed = dict.fromkeys(_CLASSES, 0)
    for change in found["changes"]:
        listed[change["class"]] += 1
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
