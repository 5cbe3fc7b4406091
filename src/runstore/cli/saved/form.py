"""The form of a saved comparison: an object in, refused if it is of another version or breaks the published schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from runstore import canonical, schema, view
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.findings import Level, Rule, Verdict
from runstore.schema import Violation

AGAIN = "write it again with `gate compare BASELINE CURRENT --format json:FILE`, and leave it as it is"
"""What to do with a file that is not what was written."""
NEWER = "render it with the version of gate that wrote it"
"""What to do with what a newer gate wrote."""


def check_form(found: Mapping[str, JsonValue]) -> None:
    """Refuse what is no comparison of this version. Raises InvalidDataError with `where` a JSON pointer."""
    _check_head(found)
    _check_schema(found)


def _check_head(found: Mapping[str, JsonValue]) -> None:
    """Refuse what is no comparison, or one of another version, in words of its own."""
    if not {"format", "verdict", "findings"} <= found.keys():
        raise InvalidDataError("not a comparison: it lacks format, verdict or findings")
    if type(found["format"]) is not int or found["format"] != view.FORMAT:
        raise InvalidDataError(
            f"format {_shown(found['format'])} is unknown; this version reads format {view.FORMAT}",
            where="/format",
            hint=NEWER,
        )
    words = {word.name: word.value for word in Verdict}
    word, code = found["verdict"], found.get("exit_code")
    if isinstance(word, str) and word in words and code != words[word]:
        raise InvalidDataError(f"the exit code of {word} is {words[word]}, not {_shown(code)}", where="/exit_code")


def _shown(value: JsonValue) -> str:
    return canonical.jcs(value).decode()[:40]


def _check_schema(found: Mapping[str, JsonValue]) -> None:
    """Refuse what breaks the published schema. Changes and findings that are certainly sound are not looked at twice:
    of them alone there can be hundreds of thousands."""
    doubtful = {name: _doubtful(found.get(name), is_sound) for name, is_sound in _LONG.items()}
    kept = {
        name: [part[index] for index in doubtful[name]] for name in _LONG if isinstance(part := found.get(name), list)
    }
    broken = sorted(schema.validate("comparison", {**found, **kept}), key=_by_place)
    if broken:
        first = broken[0]
        more = f" (and {len(broken) - 1:,} more)" if len(broken) > 1 else ""
        hint = f"{AGAIN}; a newer gate writes more: {NEWER}" if "unknown name" in first.message else ""
        raise InvalidDataError(f"{first.message}{more}", where=_pointer(first.pointer, doubtful) or "/", hint=hint)


def _doubtful(part: JsonValue, is_sound: Callable[[JsonValue], bool]) -> list[int]:
    return [index for index, one in enumerate(part) if not is_sound(one)] if isinstance(part, list) else []


def _by_place(violation: Violation) -> tuple[bool, str, str]:
    """What says least comes last: that verdict and exit code fit no row of their table."""
    return violation.message.startswith("fits none"), violation.pointer, violation.message


def _pointer(pointer: str, doubtful: Mapping[str, Sequence[int]]) -> str:
    """The place in the whole of a place in what was looked at."""
    match = re.match(r"/(\w+)/(\d+)", pointer)
    if match is None or match[1] not in doubtful:
        return pointer
    return f"/{match[1]}/{doubtful[match[1]][int(match[2])]}{pointer[match.end() :]}"


_CHANGE = {"class", "fields", "id", "record", "repeat", "run", "scores"}
CLASSES = ("regressed", "removed", "added", "improved", "changed")
_SCORE = {"baseline", "current", "delta", "metric"}
_FIELDS = ({"after", "path"}, {"before", "path"}, {"after", "before", "path"}, {"path"})
_NUMBER = (int, float, type(None))


def _is_sound(change: JsonValue) -> bool:
    """True only if a change is certainly what the schema asks for."""
    return (
        type(change) is dict
        and change.keys() == _CHANGE
        and change["class"] in CLASSES
        and type(change["id"]) is str
        and change["id"] != ""
        and type(change["record"]) is dict
        and _is_repeat(change["repeat"])
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


_FINDING = {
    "hint", "level", "limit", "message", "metric", "observed", "record", "repeat", "rule", "run", "slice"
}  # fmt: skip
_RULES, _LEVELS = frozenset(rule.value for rule in Rule), frozenset(level.value for level in Level)
_TEXT = (str, type(None))


def _is_sound_finding(finding: JsonValue) -> bool:
    """True only if a finding is certainly what the schema asks for; those of which there are many have no slice."""
    return (
        type(finding) is dict
        and finding.keys() == _FINDING
        and finding["slice"] is None
        and type(finding["level"]) is str
        and finding["level"] in _LEVELS
        and type(finding["rule"]) is str
        and finding["rule"] in _RULES
        and type(finding["message"]) is str
        and type(finding["run"]) is str
        and all(type(finding[name]) in _TEXT for name in ("hint", "limit", "metric", "observed", "record"))
        and (finding["repeat"] is None or _is_repeat(finding["repeat"]))
    )


def _is_repeat(number: JsonValue) -> bool:
    return type(number) is int and 1 <= number <= canonical.MAX_SAFE_INTEGER


_LONG: Mapping[str, Callable[[JsonValue], bool]] = {"changes": _is_sound, "findings": _is_sound_finding}
