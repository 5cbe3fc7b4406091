"""A live mirror at W&B: what is logged in, a run there that grows with it out.

The run gets an id by chance, as nothing of it is known yet that could make one; the tracked run keeps that id. Lines
of history are sent as their steps come, and sent again under their number when a step gets another value; a run that is
resumed sends all of its lines anew. At the end the finished run is pushed over it, exactly as an export does that comes
later, so that everything (records, artifacts, final figures) is there. What is not a finite number has no place in a
line; it is shown in the summary as the word it is, until the end.
"""

from __future__ import annotations

import math
import os
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import ExportError, Options, Visit
from runstore.exporters.http import Client
from runstore.exporters.live import Facts, Live
from runstore.exporters.wandb.figures import METRICS, OWN
from runstore.exporters.wandb.graph import Graph, default_entity, open_client, stream
from runstore.exporters.wandb.online import Server
from runstore.exporters.wandb.place import read_place
from runstore.exporters.wandb.planning import PARAMS, WandbPlan, labels_of, plan_run
from runstore.exporters.wandb.transactions import STEP
from runstore.manifest import Dataset, RunStatus
from runstore.record import JsonObject
from runstore.store.reader import read_run

_CALL_S = 10.0
_END_S = 60.0
_STEPS_HELD = 1_000
_POINTS_AT_ONCE = 1_000


def open_mirror(options: Mapping[str, str]) -> LiveRun:
    """A mirror of one run; `options` may have `target`. Raises UsageError without a key, or for a wrong target."""
    unknown = sorted(options.keys() - {"target"})
    if unknown:
        raise UsageError(f"the mirror to W&B knows no option {unknown[0]!r:.40}", hint="it knows `target`")
    target, environment = options.get("target"), dict(os.environ)
    place = read_place(target, environment, "checked")
    if place.folder is not None:
        raise UsageError("W&B offline has no live mirror", hint="track locally, and export the run when it is finished")
    open_client(place.base, environment, Deadline(_CALL_S)).close()
    return LiveRun(target, environment)


class _Renewed:
    """A budget that begins anew with each call of a mirror, so that a silent server costs that call alone."""

    def __init__(self) -> None:
        self.renew()

    def renew(self, seconds: float = _CALL_S) -> None:
        """Begin anew."""
        self._deadline = Deadline(seconds)

    def left(self) -> float:
        """Seconds left. Raises ExportError when none is."""
        return self._deadline.left()

    def pause(self, seconds: float) -> None:
        """Wait before another try. Raises ExportError."""
        self._deadline.pause(seconds)


class LiveRun:
    """One run at W&B while it is logged: `runstore.tracking.mirror.Mirror`."""

    def __init__(self, target: str | None, environment: Mapping[str, str]) -> None:
        self.target = target
        self._environment = environment
        self._budget = _Renewed()
        self._tags: dict[str, str] = {}
        self._lines: OrderedDict[int, tuple[int, dict[str, JsonValue]]] = OrderedDict()
        self._line_count = 0
        self._summary: dict[str, JsonValue] = {}
        self._remote: Mapping[str, str] = {}
        self._client: Client | None = None
        self._graph: Graph | None = None

    def identify(self, run: Facts) -> dict[str, str]:  # noqa: ARG002  # nothing of the run makes it
        """The id of the run there."""
        return {"id": uuid.uuid4().hex}

    def open(self, run: Facts) -> None:
        """Make the run; of one that is resumed, go on in its own."""
        self._remote = run.remote or self.identify(run)
        with self._disconnected_by_errors():
            self._begin(run)
        for start in range(0, len(run.points), _POINTS_AT_ONCE):
            self.points(run.points[start : start + _POINTS_AT_ONCE])

    def _begin(self, run: Facts) -> None:
        place = read_place(self.target, self._environment, run.project)
        self._client = client = open_client(place.base, self._environment, self._budget)
        self._budget.renew()
        self._tags = dict(run.tags)
        self._plan = WandbPlan(
            backend="wandb",
            target=place.target,
            place=place,
            run_id="",
            digest="",
            key=self._remote["id"],
            title=run.name,
            status="completed",
            config={OWN: {"live": True, "name": run.name, "project": run.project}},
            labels=labels_of(self._tags, []),
        )
        graph = Graph(client, place.entity or default_entity(client), place.project)
        self._graph = replace(graph, entity=graph.upsert(self._plan, self._plan.key))

    def _begun(self) -> Graph:
        if self._graph is None:
            raise ExportError("the live run could not be begun")
        return self._graph

    def params(self, values: Mapping[str, JsonValue]) -> None:
        """Add to the config."""
        self._begun()
        config = {**self._plan.config, **{PARAMS.name(name): value for name, value in values.items()}}
        self._tell(replace(self._plan, config=config))

    def tags(self, values: Mapping[str, str]) -> None:
        """Add labels."""
        self._begun()
        self._tags.update(values)
        self._tell(replace(self._plan, labels=labels_of(self._tags, [])))

    def note(self, text: str) -> None:
        """Set the note."""
        self._begun()
        self._tell(replace(self._plan, note=text))

    def _tell(self, plan: WandbPlan) -> None:
        graph = self._begun()
        self._plan = plan
        self._budget.renew()
        with self._disconnected_by_errors():
            graph.upsert(plan, plan.key)

    def points(self, points: Sequence[Live]) -> None:
        """Send the lines of the steps that got a value, and the summary."""
        changed: dict[int, dict[str, JsonValue]] = {}
        for point in points:
            name = METRICS.name(point.name)
            if math.isfinite(point.value):
                self._summary[name] = point.value
                if point.step is not None and (line := self._line(point.step)) is not None:
                    number, values = line
                    values[name] = point.value
                    changed[number] = values
            else:
                self._summary[name] = "NaN" if math.isnan(point.value) else f"{'-' * (point.value < 0)}Infinity"
        self._budget.renew()
        for start, lines in _runs(changed):
            self._stream("wandb-history.jsonl", start, lines)
        self._stream("wandb-summary.json", 0, [self._summary])

    def _line(self, step: int) -> tuple[int, dict[str, JsonValue]] | None:
        """Number and values of the line of a step; None for a step of long ago, which the end of the run corrects."""
        if step not in self._lines:
            if self._lines and step < next(iter(self._lines)):
                return None
            self._lines[step] = (self._line_count, {STEP: step})
            self._line_count += 1
            if len(self._lines) > _STEPS_HELD:
                self._lines.popitem(last=False)
        return self._lines.get(step)

    def _stream(self, path: str, number: int, lines: Sequence[Mapping[str, JsonValue]]) -> None:
        content: list[JsonValue] = [canonical.jcs(dict(line)).decode() for line in lines]
        with self._disconnected_by_errors():
            stream(self._begun(), self._plan.key, {"files": {path: {"content": content, "offset": number}}})

    def dataset(self, dataset: Dataset) -> None:
        """Comes with the end."""

    def artifact(self, path: Path, name: str) -> None:
        """Comes with the end."""

    def records(self, records: Sequence[JsonObject]) -> None:
        """Come with the end, as a table is sent whole."""

    def close(self, status: RunStatus, folder: Path) -> None:  # noqa: ARG002  # the run itself says how it ended
        """Push the finished run over what is there."""
        self.disconnect()
        run = read_run(folder)
        plan = plan_run(run, Options(target=self.target, environment=self._environment, live=self._remote))
        visit = Visit(environment=self._environment, budget=Deadline(_END_S), progress={}, keep=_forget, warn=_forget)
        with closing(Server(plan, run, visit)) as server:
            server.push()

    @contextmanager
    def _disconnected_by_errors(self) -> Iterator[None]:
        """No call may come after one that failed, and a connection that nobody closes would stay."""
        try:
            yield
        except BaseException:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """Close the connection; another call opens it again."""
        if self._client is not None:
            self._client.close()


def _forget(told: object) -> None:
    """Nothing is kept: the push of the end is short, and the run is whole without it."""


def _runs(lines: Mapping[int, dict[str, JsonValue]]) -> list[tuple[int, list[dict[str, JsonValue]]]]:
    """Lines whose numbers follow one another, together: (first number, lines)."""
    found: list[tuple[int, list[dict[str, JsonValue]]]] = []
    for number in sorted(lines):
        if found and number == found[-1][0] + len(found[-1][1]):
            found[-1][1].append(lines[number])
        else:
            found.append((number, [lines[number]]))
    return found
