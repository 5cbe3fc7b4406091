"""A live mirror at MLflow: what is logged in, a run there that grows with it out.

Only what stays true is sent while the run goes on: params, tags, and points with a step. What may still change (values
without a step, of which the last is the final figure) or has no place there (NaN, an infinity: told in a tag) waits.
At the end the run gets the key of the finished run and is pushed as an export would be, which sends what is missing.
The tracked run keeps the mark of its run there, by which a process that resumes it and a later export find that run.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Options, Visit
from runstore.exporters.live import Facts, Live
from runstore.exporters.mlflow.address import read_place
from runstore.exporters.mlflow.batches import cut_batches
from runstore.exporters.mlflow.figures import METRIC_NAMES
from runstore.exporters.mlflow.mirrored import find_live, take_up
from runstore.exporters.mlflow.model import LIVE, NOTE, MlflowPoint
from runstore.exporters.mlflow.planning import PARAM_NAMES, TAG_NAMES, make_plan
from runstore.exporters.mlflow.push import push
from runstore.exporters.mlflow.rest import Server
from runstore.exporters.mlflow.values import PARAM_CHARS, TAG_CHARS, cut, metric_value, param_text
from runstore.manifest import Dataset, RunStatus
from runstore.record import JsonObject
from runstore.store.reader import read_run

NOT_FINITE = "runstore.not_finite"
_CALL_S = 10.0
_END_S = 60.0
_CHECKED = "checked"


def open_mirror(options: Mapping[str, str]) -> LiveRun:
    """A mirror of one run; `options` may have `target`. Raises UsageError for a target that cannot be."""
    unknown = sorted(options.keys() - {"target"})
    if unknown:
        raise UsageError(f"the mirror to MLflow knows no option {unknown[0]!r:.40}", hint="it knows `target`")
    return LiveRun(options.get("target"), dict(os.environ))


class LiveRun:
    """One run at MLflow while it is logged: `runstore.tracking.mirror.Mirror`."""

    def __init__(self, target: str | None, environment: Mapping[str, str]) -> None:
        self._target = target
        self._environment = environment
        self._run = ""
        self._place = read_place(Options(target=target, environment=environment), _CHECKED)
        self._remote: Mapping[str, str] = {}
        self._sent: dict[tuple[str, int], float] = {}
        self._is_true: bool | None = True
        """Whether all that was sent still holds: a value that was logged again for its step cannot be taken back.

        None: part of it was sent by another process, and the server is asked.
        """

    def _server(self, seconds: float = _CALL_S) -> Server:
        return Server(self._place.server, self._environment, Deadline(seconds))

    def identify(self, run: Facts) -> dict[str, str]:  # noqa: ARG002  # nothing of the run makes it
        """A mark of the run there, which gives it an id of its own."""
        return {"token": secrets.token_hex(16)}

    def open(self, run: Facts) -> None:
        """Make the run, or find the one that a run which is resumed had."""
        self._remote = run.remote or self.identify(run)
        self._place = read_place(Options(target=self._target, environment=self._environment), run.project)
        token = self._remote["token"]
        with self._server() as server:
            experiment = server.make_experiment(self._place.experiment)
            mine = find_live(server, experiment, token) if run.is_resumed else None
            if mine is not None:
                self._is_true = None
                self._sent = dict(_placed(run.points))
            else:
                mine = server.create_run(experiment, run.name or "run", {LIVE: token}, int(time.time() * 1000))
            self._run = mine.id
        self.tags(run.tags)

    def _send(self, params: Mapping[str, str], tags: Mapping[str, str], points: Sequence[MlflowPoint] = ()) -> None:
        with self._server() as server:
            for batch in cut_batches(params, tags, points):
                server.log_batch(batch.body(self._run))

    def params(self, values: Mapping[str, JsonValue]) -> None:
        """Send params as an export sends them."""
        self._send({PARAM_NAMES.name(name): cut(param_text(value), PARAM_CHARS) for name, value in values.items()}, {})

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        self._send({}, {TAG_NAMES.name(name): cut(value, TAG_CHARS) for name, value in values.items()})

    def note(self, text: str) -> None:
        """Set the note."""
        self._send({}, {NOTE: cut(text, TAG_CHARS)})

    def points(self, points: Sequence[Live]) -> None:
        """Send the points that have a step and are numbers."""
        sent: dict[tuple[str, int], float] = {}
        odd = {}
        for one in points:
            name, value = METRIC_NAMES.name(one.name), metric_value(one.value)
            if value is None:
                odd[NOT_FINITE] = cut(f"{one.name}: {one.value!r} at step {one.step}", TAG_CHARS)
            elif one.step is not None:
                place = (name, one.step)
                before = sent.get(place, self._sent.get(place))
                if before is not None and before != value:
                    self._is_true = False
                if before != value:  # a server may hold a point twice that it is sent twice
                    sent[place] = value
        made = [MlflowPoint(name=name, step=step, value=value) for (name, step), value in sent.items()]
        self._sent.update(sent)
        self._send({}, odd, made)

    def dataset(self, dataset: Dataset) -> None:
        """Comes with the end."""

    def artifact(self, path: Path, name: str) -> None:
        """Comes with the end."""

    def records(self, records: Sequence[JsonObject]) -> None:
        """Come with the end, as a table is sent whole."""

    def close(self, status: RunStatus, folder: Path) -> None:  # noqa: ARG002  # the run itself says how it ended
        """Push the finished run, into this one if it is the first of its key and all that it holds still holds."""
        run = read_run(folder)
        plan = make_plan(run, Options(target=self._target, environment=self._environment, live=self._remote))
        budget = Deadline(_END_S)
        if self._run:
            with Server(self._place.server, self._environment, budget) as server:
                take_up(server, plan, server.make_experiment(self._place.experiment), is_true=self._is_true)
        push(plan, run, Visit(environment=self._environment, budget=budget, progress={}, keep=_forget, warn=_forget))


def _placed(points: Sequence[Live]) -> Iterator[tuple[tuple[str, int], float]]:
    """Points as they were sent: (name there, step) and value."""
    for one in points:
        if (value := metric_value(one.value)) is not None and one.step is not None:
            yield (METRIC_NAMES.name(one.name), one.step), value


def _forget(told: object) -> None:
    """Nothing is kept: the push of the end looks at what is there."""
