"""The events of a run: a plan in, the bytes of its event file out; and back, what such a file says.

All that belongs to a step is one event. TensorBoard shows scalars of 24 bits only (its fast reader passes over
tensors of doubles), so a scalar is a tensor of one such number, and carries the double itself in its `double_val`,
which readers leave alone: every number comes back equal. The wall time of an event is its step in seconds: no clock,
and TensorBoard's relative axis then counts steps. Source of the messages: event.proto, summary.proto, tensor.proto and
the plugins' plugin_data.proto of TensorBoard (https://github.com/tensorflow/tensorboard).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runstore.exporters import wire
from runstore.exporters.contract import PlannedPoint
from runstore.exporters.tensorboard import framing
from runstore.exporters.tensorboard.model import Bucket, Param, TensorboardPlan

_DT_FLOAT, _DT_DOUBLE, _DT_STRING = 1, 2, 7
_SCALAR, _TENSOR = 1, 2
_SESSION_START, _SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"
_STATUS = {"completed": 1, "failed": 2, "killed": 2}
_COLUMNS = 3
_FILE_VERSION = "brain.Event:2"
_NO_TENSOR = wire.message(8, wire.integer(1, _DT_FLOAT), wire.message(2, wire.message(2)))
_pack_float, _pack_double = struct.Struct("<f").pack, struct.Struct("<d").pack
_FLOAT_VAL, _DOUBLE_VAL = wire.message(5, bytes(4))[:-4], wire.message(6, bytes(8))[:-8]
_SCALAR_TENSOR = wire.message(
    8, wire.integer(1, _DT_FLOAT), wire.message(2), _FLOAT_VAL, bytes(4), _DOUBLE_VAL, bytes(8)
)[: -(4 + len(_DOUBLE_VAL) + 8)]
_unpack_float = struct.Struct("<f").unpack
_LARGEST, _SMALLEST = struct.unpack("<ff", bytes.fromhex("ffff7f7f01000000"))


@dataclass(slots=True)
class Found:
    """What an event file says: tag → (step, value) in order; tag → text or buckets; hyperparameters and status."""

    scalars: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    histograms: dict[str, list[Bucket]] = field(default_factory=dict)
    hyperparameters: dict[str, Param] = field(default_factory=dict)
    status: int = 0


def write(plan: TensorboardPlan) -> Iterator[bytes]:
    """The bytes of the event file, piece by piece."""
    yield write_start()
    values = [*_texts(plan.texts), *_histograms(plan.histograms), *_session(plan)]
    yield _framed(0, wire.message(5, *values))
    yield from write_scalars(plan.points, {})


def write_start() -> bytes:
    """The bytes that an event file begins with."""
    return _framed(0, wire.text(3, _FILE_VERSION))


def write_scalars(points: Iterable[PlannedPoint], told: dict[str, bytes]) -> Iterator[bytes]:
    """The bytes of scalars, step by step.

    `told` keeps the tags that were written before: only the first of a tag says what it is.
    """
    for step, scalars in _by_step(points, told):
        yield _framed(step, wire.message(5, *scalars))


def write_texts(texts: Mapping[str, str]) -> Iterator[bytes]:
    """The bytes of an event file that holds only texts."""
    yield write_start()
    yield _framed(0, wire.message(5, *_texts(texts)))


def _framed(step: int, content: bytes) -> bytes:
    head = wire.double(1, float(step)) + (wire.integer(2, step) if step else b"")
    return framing.frame(head + content)


def _by_step(points: Iterable[PlannedPoint], told: dict[str, bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The scalars of each step, in order."""
    by_step: dict[int, list[tuple[str, float]]] = {}
    for point in points:
        by_step.setdefault(point.step, []).append((point.name, point.value))
    about = _about("scalars", _SCALAR)
    for step in sorted(by_step):
        values = []
        for name, number in by_step[step]:
            tag = told.get(name)
            if tag is None:
                tag = told[name] = wire.text(1, name)
                values.append(wire.message(1, tag, about, _scalar(number)))
            else:
                values.append(wire.message(1, tag, _scalar(number)))
        yield step, values


def _scalar(number: float) -> bytes:
    return b"".join((_SCALAR_TENSOR, _pack_float(shown(number)), _DOUBLE_VAL, _pack_double(number)))


def shown(number: float) -> float:
    """The number of 24 bits that TensorBoard shows: the nearest that is finite, and 0 only for 0.

    NaN and the infinities, which only a live mirror meets, are shown as they are.
    """
    if not math.isfinite(number):
        return number
    if number == 0 or _SMALLEST <= abs(number) <= _LARGEST:
        found: float = _unpack_float(_pack_float(number))[0]
        return found
    return math.copysign(_LARGEST if abs(number) > 1 else _SMALLEST, number)


def _about(plugin: str, data_class: int, content: bytes = b"") -> bytes:
    """The metadata of a value: which plugin shows it."""
    told = wire.message(1, wire.text(1, plugin), *([wire.message(2, content)] if content else []))
    return wire.message(9, told, wire.integer(4, data_class))


def _texts(texts: Mapping[str, str]) -> Iterator[bytes]:
    about = _about("text", _TENSOR)
    for tag, text in texts.items():
        tensor = wire.message(8, wire.integer(1, _DT_STRING), wire.message(2), wire.text(8, text))
        yield wire.message(1, wire.text(1, tag), about, tensor)


def _histograms(histograms: Mapping[str, Sequence[Bucket]]) -> Iterator[bytes]:
    about = _about("histograms", _TENSOR)
    for tag, buckets in histograms.items():
        shape = [wire.message(2, wire.integer(1, size)) for size in (len(buckets), _COLUMNS)]
        numbers = wire.doubles(6, (number for bucket in buckets for number in bucket))
        tensor = wire.message(8, wire.integer(1, _DT_DOUBLE), wire.message(2, *shape), numbers)
        yield wire.message(1, wire.text(1, tag), about, tensor)


def _session(plan: TensorboardPlan) -> Iterator[bytes]:
    """What the hyperparameter tab reads: the params when the run began, its status when it ended."""
    members = [
        wire.message(1, wire.text(1, name), wire.message(2, _param(value)))
        for name, value in plan.hyperparameters.items()
    ]
    start = wire.message(3, *members)
    end = wire.message(4, wire.integer(1, _STATUS[plan.status]))
    for tag, content in ((_SESSION_START, start), (_SESSION_END, end)):
        yield wire.message(1, wire.text(1, tag), _about("hparams", _TENSOR, content), _NO_TENSOR)


def _param(value: Param) -> bytes:
    """A google.protobuf.Value."""
    if value is None:
        return wire.integer(1, 0)
    if isinstance(value, bool):
        return wire.integer(4, int(value))
    return wire.text(3, value) if isinstance(value, str) else wire.double(2, value)


def read(data: bytes) -> Found:
    """What an event file says. Raises ValueError, in words, where it is damaged."""
    found = Found()
    plugins: dict[str, str] = {}
    for event in framing.read(data):
        step = wire.whole(event, 2)
        for value in wire.parts(wire.part(event, 5), 1):
            _take(found, plugins, step, value)
    return found


def _take(found: Found, plugins: dict[str, str], step: int, value: bytes) -> None:
    tag = wire.part(value, 1).decode()
    about = wire.part(wire.part(value, 9), 1)
    plugin = plugins.setdefault(tag, wire.part(about, 1).decode())
    tensor = wire.part(value, 8)
    numbers = wire.read_doubles(wire.part(tensor, 6))
    if plugin == "scalars":
        if len(numbers) != 1 or _pack_float(shown(numbers[0])) != wire.part(tensor, 5):
            raise ValueError(f"a scalar of {tag!r} at step {step} shows another number than it holds")
        found.scalars.setdefault(tag, []).append((step, numbers[0]))
    elif plugin == "histograms":
        rows = zip(numbers[::_COLUMNS], numbers[1::_COLUMNS], numbers[2::_COLUMNS], strict=True)
        found.histograms[tag] = list(rows)
    elif plugin == "text":
        found.texts[tag] = wire.part(tensor, 8).decode()
    elif tag == _SESSION_START:
        for member in wire.parts(wire.part(wire.part(about, 2), 3), 1):
            found.hyperparameters[wire.part(member, 1).decode()] = _read_param(wire.part(member, 2))
    elif tag == _SESSION_END:
        found.status = wire.whole(wire.part(wire.part(about, 2), 4), 1)


def _read_param(data: bytes) -> Param:
    for number, value in wire.fields(data):
        if number == 2 and isinstance(value, bytes):
            return wire.read_doubles(value)[0]
        if number == 3 and isinstance(value, bytes):
            return value.decode()
        if number == 4:
            return bool(value)
    return None


def status_number(status: str) -> int:
    """How TensorBoard counts a status: 1 success, 2 failure."""
    return _STATUS[status]
