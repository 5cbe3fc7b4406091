"""Sending what is missing of a plan to a run at the server: again and again, and nothing is there twice.

A batch whose answer was lost may have arrived, wholly or in part, and a server may or may not drop a point that it
has. So nothing is sent blindly a second time: what the run has is read, and only what it lacks is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from runstore.canonical import JsonValue
from runstore.exporters.bodies import open_body
from runstore.exporters.contract import Attachment, ExportError, Visit
from runstore.exporters.http import ResponseError
from runstore.exporters.mlflow.batches import Batch, cut_batches
from runstore.exporters.mlflow.model import FINGERPRINT, NOTE, MlflowPlan, MlflowPoint
from runstore.exporters.mlflow.rest import Point as RemotePoint
from runstore.exporters.mlflow.rest import RemoteRun, Server, pause_after
from runstore.store.reader import Run

_REFUSED = 400
_KEYS_AGAIN = 100
"""So many metrics in a batch that may hold what is there: older servers fail on more (mlflow pull request 20807)."""


def planned_tags(plan: MlflowPlan) -> dict[str, str]:
    """All tags of the run, the note and the fingerprint among them."""
    note = {} if plan.note is None else {NOTE: plan.note}
    return {**plan.tags, **note, FINGERPRINT: plan.fingerprint}


class Sending:
    """A plan on its way into one run of a server."""

    def __init__(self, server: Server, plan: MlflowPlan, remote: RemoteRun, visit: Visit, *, fresh: bool) -> None:
        self._server = server
        self._plan = plan
        self._remote = remote
        self._visit = visit
        self._fresh = fresh
        same = visit.progress.get("run") == remote.id and visit.progress.get("plan") == plan.fingerprint
        kept = visit.progress if same and not fresh else {}
        self._batches = _number(kept, "batches")
        self._files = _number(kept, "files")

    def _keep(self) -> None:
        self._visit.keep(
            {"run": self._remote.id, "plan": self._plan.fingerprint, "batches": self._batches, "files": self._files}
        )

    def send_values(self, extra: Mapping[str, str]) -> None:
        """Params, tags (`extra` ones too) and points. Raises ExportError, also for a param that is another there."""
        plan = self._plan
        tags = {**planned_tags(plan), **extra}
        batches = list(cut_batches(plan.params, tags, plan.points))
        self._keep()
        known = 0 if self._fresh else self._batches
        for number, batch in enumerate(batches):
            if number < known:
                continue
            self._send(batch, blind=self._fresh)
            self._batches = number + 1
            self._keep()

    def _send(self, batch: Batch, *, blind: bool) -> None:
        """Send one batch, with a look at what is there before each try but a blind first.

        A job that exports the same run at once may be faster by a param, which the server then refuses from us (HTTP
        400, of its database). So a refusal is final only if nothing more is there than before it.
        """
        refused: ResponseError | None = None
        left = 0
        for number in count(1):
            parts = [batch] if blind and number == 1 else self._missing(batch)
            before, left = left, sum(len(one.params) + len(one.tags) + len(one.points) for one in parts)
            if refused is not None and left >= before:
                raise refused
            refused = None
            try:
                for part in parts:
                    self._server.log_batch(part.body(self._remote.id))
            except ExportError as error:
                if isinstance(error, ResponseError) and error.status == _REFUSED:
                    refused = error
                else:
                    pause_after(error, number, self._visit.budget)
            else:
                return

    def _missing(self, batch: Batch) -> list[Batch]:
        """What of a batch is not there yet. Raises ExportError for a param that holds something else."""
        there = self._server.get_run(self._remote.id)
        for key, value in batch.params:
            if there.params.get(key, value) != value:
                raise self._conflict(key, value, there.params[key])
        params = {key: value for key, value in batch.params if key not in there.params}
        tags = {key: value for key, value in batch.tags if there.tags.get(key) != value}
        return list(cut_batches(params, tags, self._missing_points(batch.points, there), _KEYS_AGAIN))

    def _missing_points(self, points: Sequence[MlflowPoint], there: RemoteRun) -> list[MlflowPoint]:
        wanted: dict[str, set[RemotePoint]] = {}
        for one in points:
            wanted.setdefault(one.name, set()).add(one.place)
        had: dict[str, set[RemotePoint]] = {}
        for name, places in wanted.items():
            latest = there.latest.get(name)
            if latest is None or places == {latest}:  # most often, and it saves a question
                had[name] = places if latest else set()
            else:
                had[name] = set(self._server.history(self._remote.id, name))
        return [one for one in points if one.place not in had[one.name]]

    def _conflict(self, key: str, planned: str, found: str) -> ExportError:
        return ExportError(
            f"the param {key!r} of this run holds {found[:100]!r} there, and {planned[:100]!r} here; nothing was "
            "overwritten",
            where=f"MLflow run {self._remote.id}",
            hint="delete that run in MLflow and export again, or name another experiment",
        )

    def send_datasets(self) -> None:
        """The data sets that the run lacks."""
        there = self._remote
        for number in count(1):
            had = set(there.datasets)
            missing = [one for one in self._plan.datasets if one not in had]
            if not missing:
                return
            try:
                self._server.log_datasets(self._remote.id, missing)
            except ResponseError as error:  # another job may have been faster, as with a batch
                if error.status != _REFUSED or number > 1:
                    raise
                there = self._server.get_run(self._remote.id)
            else:
                return

    def send_files(self, run: Run) -> None:
        """The files; one that was cut off is sent anew."""
        for number, one in enumerate(self._plan.attachments):
            if number >= self._files:
                self._send_file(run, one)
                self._files = number + 1
                self._keep()

    def _send_file(self, run: Run, one: Attachment) -> None:
        if one.origin is None:
            content = one.content or b""
            self._server.put_file(self._remote, one.path, content, len(content))
            return
        with open_body(run, one.origin) as file:
            self._server.put_file(self._remote, one.path, file, run.manifest.files[one.origin].size)


def _number(kept: Mapping[str, JsonValue], name: str) -> int:
    found = kept.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else 0
