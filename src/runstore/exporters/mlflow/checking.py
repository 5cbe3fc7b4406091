"""Reading a run back from an MLflow server and comparing it with its plan, number by number and byte by byte."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from runstore import canonical
from runstore.exporters.contract import Attachment, Difference, Kind, Visit
from runstore.exporters.mlflow.claims import settle
from runstore.exporters.mlflow.model import KEY, MlflowPlan
from runstore.exporters.mlflow.rest import Point, RemoteRun, Server
from runstore.exporters.mlflow.sending import planned_tags
from runstore.store.reader import Run

LARGE_BYTES = 64 * 1024 * 1024
"""A file of more bytes is not read back into memory; its size is compared."""
_MORE_BYTES = 1024 * 1024
_Signed = tuple[int, int, float, float]


def verify(plan: MlflowPlan, run: Run, visit: Visit) -> list[Difference]:
    """What reads back other than planned. Raises ExportError, UsageError."""
    with Server(plan.server, visit.environment, visit.budget) as server:
        experiment = server.find_experiment(plan.experiment)
        found = server.search(experiment, KEY, plan.key) if experiment is not None else []
        if not found:
            return [Difference(kind="run", name=plan.title, planned=plan.key, found=None)]
        remote = server.get_run(settle(found).id)
        return [
            *(
                Difference(kind="run", name="a second run with this key", planned=None, found=one.id)
                for one in found
                if one.id != remote.id
            ),
            *_facts(plan, remote),
            *_points(server, plan, remote),
            *_files(server, plan, run, remote),
        ]


def _facts(plan: MlflowPlan, remote: RemoteRun) -> Iterator[Difference]:
    yield from _texts("run", {"status": plan.status}, {"status": remote.status})
    yield from _texts("run", {"title": plan.title}, {"title": remote.name})
    yield from _texts("param", plan.params, remote.params, exact=True)
    yield from _texts("tag", planned_tags(plan), remote.tags)
    had = {(one.name, one.digest): one.source for one in remote.datasets}
    yield from _texts(
        "dataset",
        {f"{one.name} {one.digest}": one.source for one in plan.datasets},
        {f"{name} {digest}": source for (name, digest), source in had.items()},
    )


def _texts(
    kind: Kind, planned: Mapping[str, str], found: Mapping[str, str], *, exact: bool = False
) -> Iterator[Difference]:
    """What is planned and is not there so; if `exact`, also what is there and not planned."""
    for name in {**planned, **found} if exact else planned:
        if planned.get(name) != found.get(name):
            yield Difference(kind=kind, name=name, planned=planned.get(name), found=found.get(name))


def _points(server: Server, plan: MlflowPlan, remote: RemoteRun) -> Iterator[Difference]:
    planned: dict[str, Counter[_Signed]] = {}
    for one in plan.points:
        planned.setdefault(one.name, Counter())[_signed(one.place)] += 1
    for name, points in planned.items():
        there = Counter(map(_signed, server.history(remote.id, name) if name in remote.latest else ()))
        if there != points:
            yield from _unequal(name, points, there)
        elif _signed(remote.latest[name]) != max(points):
            yield Difference(
                kind="metric",
                name=f"{name} latest",
                planned=_told(max(points)),
                found=_told(_signed(remote.latest[name])),
            )
    for name in remote.latest.keys() - planned.keys():
        yield Difference(kind="metric", name=name, planned=None, found=_told(_signed(remote.latest[name])))


def _signed(point: Point) -> _Signed:
    """A point that tells 0 from -0, which are equal and not the same number."""
    return (*point, math.copysign(1.0, point[2]))


def _unequal(name: str, planned: Counter[_Signed], found: Counter[_Signed]) -> Iterator[Difference]:
    """The points of a metric that differ, by step and whether they are the final figure."""
    missing, extra = sorted((planned - found).elements()), sorted((found - planned).elements())
    by_place = {one[:2]: one for one in extra}
    for one in missing:
        other = by_place.pop(one[:2], None)
        place = f"{name} {'final' if one[1] else f'step {one[0]}'}"
        yield Difference(kind="metric", name=place, planned=_value(one), found=None if other is None else _value(other))
    matched = {one[:2] for one in missing}
    for one in extra:
        if one[:2] not in matched:
            yield Difference(kind="metric", name=f"{name} step {one[0]}", planned=None, found=_told(one))


def _value(point: _Signed) -> str:
    return repr(point[2])


def _told(point: _Signed) -> str:
    return f"{point[2]!r} at step {point[0]}"


def _files(server: Server, plan: MlflowPlan, run: Run, remote: RemoteRun) -> Iterator[Difference]:
    for one in plan.attachments:
        size, digest = _file(one, run)
        planned, found = f"{size} bytes", None
        if size > LARGE_BYTES:
            there = server.file_size(remote, one.path)
            found = None if there is None else f"{there} bytes"
        else:
            data = server.get_file(remote, one.path, 2 * size + _MORE_BYTES)
            planned += f", sha256 {digest}"
            found = None if data is None else f"{len(data)} bytes, sha256 {canonical.sha256(data)}"
        if found != planned:
            yield Difference(kind="artifact", name=one.path, planned=planned, found=found)


def _file(one: Attachment, run: Run) -> tuple[int, str]:
    if one.origin is None:
        content = one.content or b""
        return len(content), canonical.sha256(content)
    entry = run.manifest.files[one.origin]
    return entry.size, entry.sha256
