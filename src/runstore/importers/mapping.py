"""From a row to a record: which field of the source becomes which field of the record, and what does not fit.

Pure. A row comes in; out come the record made of all that fits and a list of misfits, which are not in the record.
Nothing is guessed: a boolean score is 1 or 0 and an integer id its decimal text, and both are told to the caller; every
other value that is not what its field asks for is a misfit.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from runstore import canonical
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError
from runstore.importers.field_path import FieldPath, Missing
from runstore.importers.misfits import Kind, Misfit
from runstore.importers.rows import Row, shown
from runstore.record import STATUSES, JsonObject

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_INTEGER = 300
_BOOLEAN_CELLS = {"true": True, "True": True, "false": False, "False": False}
_INPUT_DIGITS = 16


class IdSource(Enum):
    """Where the id of a record comes from."""

    FIELDS = "fields"
    INPUT = "input"
    UNSAID = "unsaid"
    """The key of a member of an object; else the field `id`, if every record has it as text."""


@dataclass(frozen=True, slots=True)
class ScoreField:
    """Where a score stands. With `whole`, a row that is a bare number or boolean is the score itself."""

    path: FieldPath
    whole: bool = False
    range: tuple[int | float, int | float] | None = None

    def find(self, value: JsonValue) -> JsonValue | Missing:
        """The score in the value of a row, or MISSING."""
        return value if self.whole and type(value) is not dict else self.path.find(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldMap:
    """The mapping that the flags ask for. `scores`, `tags` and `metadata` go from the name in the run to the source."""

    id_source: IdSource = IdSource.UNSAID
    ids: tuple[FieldPath, ...] = ()
    scores: dict[str, ScoreField]
    tags: dict[str, FieldPath] = field(default_factory=dict)
    metadata: dict[str, FieldPath] = field(default_factory=dict)
    contents: dict[str, FieldPath] = field(default_factory=dict)
    """`input`, `output`, `target`: fields that hold any JSON value."""
    status: FieldPath | None = None
    repeat: FieldPath | None = None
    text_cells: bool = False
    text_numbers: bool = False
    """Whether a text that is exactly a JSON number is that number (`--on-text-score number`)."""

    def named_paths(self) -> Iterator[tuple[str, FieldPath]]:
        """(flag, path) of each mapped field."""
        for path in self.ids:
            yield "--id", path
        for flag, paths in (("--tag", self.tags), ("--metadata", self.metadata)):
            for name, path in paths.items():
                yield f"{flag} {name}", path
        for name, path in self.contents.items():
            yield "--output-field" if name == "output" else f"--{name}", path
        for name, single in (("status", self.status), ("repeat", self.repeat)):
            if single is not None:
                yield f"--{name}", single


class Mapped(NamedTuple):
    """What became of a row: the record, its canonical bytes, what did not fit, and what was read in another type."""

    record: JsonObject
    line: bytes
    misfits: Sequence[Misfit]
    booleans: Sequence[str]
    """The scores that were booleans."""
    integer_id: bool


def map_row(row: Row, fields: FieldMap) -> Mapped:
    """The record of a row. It has no `id` if there is a misfit of kind missing-id or bad-id."""
    record: JsonObject = {}
    misfits: list[Misfit] = []
    integer_id = _map_id(row, fields, record, misfits)
    if fields.contents:
        record.update(_present(fields.contents, row, fields))
    if fields.metadata and (metadata := _present(fields.metadata, row, fields)):
        record["metadata"] = metadata
    if fields.tags:
        _map_tags(row, fields, record, misfits)
    if fields.status is not None:
        _map_status(fields.status.find(row.value), record, misfits)
    if fields.repeat is not None:
        _map_repeat(fields.repeat.find(row.value), fields, record, misfits)
    booleans = _map_scores(row, fields, record, misfits)
    return Mapped(record, _settle(record, misfits), misfits, booleans, integer_id)


def _present(paths: Mapping[str, FieldPath], row: Row, fields: FieldMap) -> dict[str, JsonValue]:
    """Name → value of the paths where something stands; an empty cell is nothing, a JSON null is something."""
    found = {}
    for name, path in paths.items():
        value = path.find(row.value)
        if not (isinstance(value, Missing) or (value is None and fields.text_cells)):
            found[name] = value
    return found


_ID = FieldPath.parse("id")


def _map_id(row: Row, fields: FieldMap, record: JsonObject, misfits: list[Misfit]) -> bool:
    if fields.id_source is IdSource.INPUT:
        return _map_id_from_input(row, fields, record, misfits)
    if fields.id_source is IdSource.UNSAID:
        if row.key is not None:
            _take_id([row.key], record, misfits)
            return False
        value = _ID.find(row.value)
        if isinstance(value, str | Missing) or value is None:
            _take_id([value], record, misfits)
        else:
            misfits.append(Misfit(Kind.BAD_ID, "id", shown(value)))
        return False
    values = [path.find(row.value) for path in fields.ids]
    _take_id(values, record, misfits)
    return any(type(value) is int for value in values)


def _take_id(values: Sequence[JsonValue | Missing], record: JsonObject, misfits: list[Misfit]) -> None:
    parts = []
    for value in values:
        if type(value) is str and value:
            parts.append(value)
        elif type(value) is int:
            parts.append(str(value))
        elif value == "" or isinstance(value, Missing):
            misfits.append(Misfit(Kind.MISSING_ID, "id", "absent" if isinstance(value, Missing) else "empty"))
            return
        else:
            misfits.append(Misfit(Kind.BAD_ID, "id", shown(value)))
            return
    record["id"] = "/".join(parts)


def _map_id_from_input(row: Row, fields: FieldMap, record: JsonObject, misfits: list[Misfit]) -> bool:
    value = fields.contents["input"].find(row.value)
    if isinstance(value, Missing) or value is None:
        misfits.append(Misfit(Kind.MISSING_ID, "id", "no input to derive it from"))
        return False
    try:
        record["id"] = hashlib.sha256(canonical.encode(value)).hexdigest()[:_INPUT_DIGITS]
    except CanonicalError:
        misfits.append(Misfit(Kind.BAD_ID, "id", "the input has no canonical form"))
    return False


def _map_tags(row: Row, fields: FieldMap, record: JsonObject, misfits: list[Misfit]) -> None:
    tags: dict[str, JsonValue] = {}
    for name, path in fields.tags.items():
        value = path.find(row.value)
        if type(value) is str:
            tags[name] = value
        elif type(value) is bool or type(value) is int:
            tags[name] = str(value).lower()
        elif not (value is None or isinstance(value, Missing)):
            misfits.append(Misfit(Kind.BAD_VALUE, f"tag {name}", shown(value)))
    if tags:
        record["tags"] = tags


def _map_status(value: JsonValue | Missing, record: JsonObject, misfits: list[Misfit]) -> None:
    if isinstance(value, Missing) or value is None or value == "ok":
        return
    if value in STATUSES:
        record["status"] = value
    else:
        misfits.append(Misfit(Kind.BAD_STATUS, "status", shown(value)))


def _map_repeat(value: JsonValue | Missing, fields: FieldMap, record: JsonObject, misfits: list[Misfit]) -> None:
    if isinstance(value, Missing) or value is None:
        return
    if fields.text_cells and isinstance(value, str):
        value = _read_cell(value)
    if type(value) is int and 1 <= value <= MAX_SAFE_INTEGER:
        record["repeat"] = value
    else:
        misfits.append(Misfit(Kind.BAD_REPEAT, "repeat", shown(value)))


def _map_scores(row: Row, fields: FieldMap, record: JsonObject, misfits: list[Misfit]) -> Sequence[str]:
    scores: dict[str, JsonValue] = {}
    booleans: list[str] = []
    for name, score in fields.scores.items():
        found = value = score.find(row.value)
        if fields.text_cells and type(value) is str:
            value = _read_cell(value)
        if type(value) is bool:
            booleans.append(name)
            value = int(value)
        elif type(value) is str and fields.text_numbers:
            value = _number_in(value, name, misfits)
        kind = _misfit(value, score.range)
        if kind is None:
            scores[name] = value  # type: ignore[assignment]  # a number, or it would be a misfit
        elif kind is not Kind.MISSING_SCORE or "status" not in record:
            # A record that errored or was skipped has no score to miss.
            misfits.append(Misfit(kind, name, "absent" if isinstance(found, Missing) else shown(found)))
    if scores:
        record["scores"] = scores
    return booleans


def _misfit(value: JsonValue | Missing, bounds: tuple[int | float, int | float] | None) -> Kind | None:
    """Why a value is no score; None if it is one."""
    if type(value) is float or type(value) is int:
        if type(value) is float and not math.isfinite(value):
            return Kind.MISSING_SCORE
        if abs(value) > MAX_SAFE_INTEGER and (type(value) is int or abs(value) < 1e21):
            return Kind.UNSAFE_SCORE
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            return Kind.OUT_OF_RANGE
        return None
    if value is None or isinstance(value, Missing):
        return Kind.MISSING_SCORE
    return Kind.TEXT_SCORE if type(value) is str else Kind.BAD_SCORE


def _read_cell(text: str) -> JsonValue:
    """What a CSV cell says: a number or boolean if it is exactly one, else the text."""
    number = json_number(text)
    return _BOOLEAN_CELLS.get(text, text) if number is None else number


def json_number(text: str) -> int | float | None:
    """The number whose JSON text this is exactly (infinite beyond the doubles), or None."""
    found = _JSON_NUMBER.fullmatch(text)
    if found is None:
        return None
    is_integer = found[1] is None and found[2] is None and len(text) <= _LONGEST_INTEGER
    return int(text) if is_integer else float(text)


def _number_in(text: str, name: str, misfits: list[Misfit]) -> JsonValue:
    """The number in a text, told as a misfit that was decided; null, so a missing score, if it is no JSON number."""
    number = json_number(text)
    if number is not None:
        misfits.append(Misfit(Kind.TEXT_SCORE, name, shown(text)))
    return number


def _settle(record: JsonObject, misfits: list[Misfit]) -> bytes:
    """The canonical bytes of the record; a value that has none is taken out of it and told as a misfit."""
    while True:
        try:
            return canonical.encode(record)
        except CanonicalError as error:
            tokens = [token.replace("~1", "/").replace("~0", "~") for token in error.where.split("/")[1:]]
            misfits.append(Misfit(Kind.BAD_VALUE, shown(error.where), f"unfit: {error.message}"))
            metadata = record[tokens[0]]
            if tokens[0] == "metadata" and type(metadata) is dict and len(metadata) > 1:
                del metadata[tokens[1]]
            else:
                del record[tokens[0]]
