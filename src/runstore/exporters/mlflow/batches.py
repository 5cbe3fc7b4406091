"""Batches of MLflow's `runs/log-batch`: params, tags and points in, requests out that the server takes whole.

Source of the limits: https://mlflow.org/docs/latest/rest-api.html, "Log Batch": 1,000 entities in all, of them 100
params and 100 tags at most, and 1 MB a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from runstore.canonical import JsonValue
from runstore.exporters.mlflow.model import MlflowPoint
from runstore.exporters.mlflow.rest import encode

ENTITIES = 1000
PAIRS = 100
_BYTES = 900_000
_FRAME_BYTES = 200
_POINT_BYTES = 100
"""What a point takes at most beside its name: three numbers and the words around."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What one request carries."""

    params: Sequence[tuple[str, str]] = ()
    tags: Sequence[tuple[str, str]] = ()
    points: Sequence[MlflowPoint] = ()

    def body(self, run: str) -> bytes:
        """The text of the request for a run."""
        return encode({"run_id": run, **self._members()})

    def _members(self) -> dict[str, JsonValue]:
        return {
            "params": [{"key": key, "value": value} for key, value in self.params],
            "tags": [{"key": key, "value": value} for key, value in self.tags],
            "metrics": [
                {"key": one.name, "value": one.value, "timestamp": one.timestamp, "step": one.step}
                for one in self.points
            ],
        }


def cut_batches(
    params: Mapping[str, str], tags: Mapping[str, str], points: Sequence[MlflowPoint], keys: int = ENTITIES
) -> Iterator[Batch]:
    """As few batches as hold all, in order. `keys`: so many different metrics in one at most."""
    left = {"params": _queue(params.items()), "tags": _queue(tags.items())}
    rest = 0
    while rest < len(points) or left["params"] or left["tags"]:
        room = _BYTES - _FRAME_BYTES
        taken = {}
        for name, pairs in left.items():
            taken[name], room = _take_pairs(pairs, room)
        most = ENTITIES - sum(map(len, taken.values()))
        end = _end_of_points(points, rest, most, room, keys)
        yield Batch(params=taken["params"], tags=taken["tags"], points=points[rest:end])
        rest = end


def _queue(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(pairs)[::-1]


def _take_pairs(left: list[tuple[str, str]], room: int) -> tuple[list[tuple[str, str]], int]:
    """Take from the end of a list what fits; what fits, and the room that is left."""
    taken: list[tuple[str, str]] = []
    while left and len(taken) < PAIRS:
        size = len(encode(list(left[-1]))) + 30
        if size > room:
            break
        taken.append(left.pop())
        room -= size
    return taken, room


def _end_of_points(points: Sequence[MlflowPoint], start: int, most: int, room: int, keys: int) -> int:
    """Where a batch that begins at `start` ends."""
    seen: set[str] = set()
    end = start
    for at in range(start, min(start + most, len(points))):  # a slice would copy, and stepping there take ever longer
        one = points[at]
        seen.add(one.name)
        room -= len(one.name) + _POINT_BYTES  # a name here is ASCII without quotes
        if room < 0 or len(seen) > keys:
            break
        end += 1
    return end
