"""W&B's transactions: a plan in, the messages of a log out; and a log in, what it says out.

The numbers of fields are those of W&B's client (`wandb/proto/wandb_internal.proto`), where a number never changes its
meaning. A message is one record: the header, the run with its config, the files, each line of history, the summary, the
end. Nothing else is written: no clock, host, user, program, environment or telemetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters import wire
from runstore.exporters.wandb.planning import WandbPlan

PRODUCER = "0.31.0"
"""The version of W&B's client whose messages these are."""
_OLDEST_READER = "0.13.0"
EXIT_CODES = {"completed": 0, "failed": 1, "killed": 137}
STEP = "_step"

# Fields of a record, and of the messages in it.
_NUM, _HISTORY, _SUMMARY, _FILES, _RUN, _EXIT, _HEADER, _INFO = 1, 2, 3, 6, 17, 18, 21, 200
_VERSION_INFO, _INFO_PRODUCER, _INFO_OLDEST = 1, 1, 2
_STREAM = 1
_RUN_ID, _ENTITY, _PROJECT, _CONFIG, _GROUP, _TITLE, _NOTES, _TAGS, _START = 1, 2, 3, 4, 6, 8, 9, 10, 17
_UPDATE, _KEY, _NESTED_KEY, _VALUE_JSON = 1, 1, 2, 16
_ITEM, _STEP, _STEP_NUM = 1, 2, 1
_FILES_ITEM, _FILE_PATH, _FILE_POLICY, _AT_END = 1, 1, 2, 1
_EXIT_CODE = 1


def messages(plan: WandbPlan) -> Iterator[bytes]:
    """The records of a plan, in order."""
    for number, content in enumerate(_contents(plan), start=1):
        yield wire.integer(_NUM, number) + content + wire.message(_INFO, wire.text(_STREAM, plan.key))


def _contents(plan: WandbPlan) -> Iterator[bytes]:
    version = wire.text(_INFO_PRODUCER, PRODUCER) + wire.text(_INFO_OLDEST, _OLDEST_READER)
    yield wire.message(_HEADER, wire.message(_VERSION_INFO, version))
    yield wire.message(_RUN, *_run(plan))
    if plan.attachments:
        yield wire.message(_FILES, *(_file(one.path) for one in plan.attachments))
    for step, values in plan.rows():
        items = [_item(_ITEM, [name], _number(value)) for name, value in values.items()]
        items.append(_item(_ITEM, [STEP], str(step)))
        yield wire.message(_HISTORY, *items, wire.message(_STEP, wire.integer(_STEP_NUM, step)))
    yield wire.message(_SUMMARY, *_summary(plan.summary))
    yield wire.message(_EXIT, wire.integer(_EXIT_CODE, EXIT_CODES[plan.status]))


def _run(plan: WandbPlan) -> Iterator[bytes]:
    yield wire.text(_RUN_ID, plan.key)
    if plan.place.entity:
        yield wire.text(_ENTITY, plan.place.entity)
    yield wire.text(_PROJECT, plan.place.project)
    items = (
        wire.message(_UPDATE, wire.text(_KEY, name), wire.text(_VALUE_JSON, canonical.jcs(value).decode()))
        for name, value in plan.config.items()
    )
    yield wire.message(_CONFIG, *items)
    if plan.group:
        yield wire.text(_GROUP, plan.group)
    yield wire.text(_TITLE, plan.title)
    if plan.note is not None:
        yield wire.text(_NOTES, plan.note)
    for label in plan.labels:
        yield wire.text(_TAGS, label)
    yield wire.message(_START)  # a message without fields: when a run began is not sent


def _file(path: str) -> bytes:
    return wire.message(_FILES_ITEM, wire.text(_FILE_PATH, path), wire.integer(_FILE_POLICY, _AT_END))


def _item(number: int, names: list[str], value: str) -> bytes:
    """One value under a path of names: a dot in a name is no path."""
    return wire.message(number, *(wire.text(_NESTED_KEY, name) for name in names), wire.text(_VALUE_JSON, value))


def _summary(summary: Mapping[str, JsonValue]) -> Iterator[bytes]:
    for name, value in summary.items():
        if isinstance(value, dict):
            for member, inner in value.items():
                yield _item(_UPDATE, [name, member], canonical.jcs(inner).decode())
        else:
            yield _item(_UPDATE, [name], canonical.jcs(value).decode())


def _number(value: float) -> str:
    return canonical.number_text(value)


@dataclass(kw_only=True, slots=True)
class Found:
    """What stands at W&B, or in a log: the same shapes as in a plan. `files` are path → (size, MD5 in hex or None)."""

    config: dict[str, JsonValue] = field(default_factory=dict)
    summary: dict[str, JsonValue] = field(default_factory=dict)
    rows: list[dict[str, JsonValue]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    title: str = ""
    note: str = ""
    state: str = ""
    files: dict[str, tuple[int, str | None]] = field(default_factory=dict)


def read_messages(log: Iterator[bytes]) -> Found:
    """What the records of a log say. Raises ValueError or InvalidDataError for what is none."""
    found = Found(state="running")
    for record in log:
        for number, content in wire.fields(record):
            if isinstance(content, bytes):
                _read_content(found, number, content)
    return found


def _read_content(found: Found, number: int, content: bytes) -> None:
    if number == _RUN:
        for item in wire.parts(wire.part(content, _CONFIG), _UPDATE):
            _put(found.config, item)
        found.title = wire.part(content, _TITLE).decode()
        found.note = wire.part(content, _NOTES).decode()
        found.labels = [label.decode() for label in wire.parts(content, _TAGS)]
    elif number == _HISTORY:
        row: dict[str, JsonValue] = {}
        for item in wire.parts(content, _ITEM):
            _put(row, item)
        found.rows.append(row)
    elif number == _SUMMARY:
        for item in wire.parts(content, _UPDATE):
            _put(found.summary, item)
    elif number == _EXIT:
        codes = [value for field_number, value in wire.fields(content) if field_number == _EXIT_CODE]
        found.state = "failed" if any(codes) else "finished"


def _put(values: dict[str, JsonValue], item: bytes) -> None:
    """Set the value of an item, under its key or its path of keys."""
    *path, name = [part.decode() for part in wire.parts(item, _KEY) or wire.parts(item, _NESTED_KEY)]
    place = values
    for step in path:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ValueError("a value is under another")
        place = inner
    place[name] = canonical.parse_loose(wire.part(item, _VALUE_JSON), non_finite=True)
