"""MLflow's REST API, as far as an export needs it: requests in, checked values out.

Source: https://mlflow.org/docs/latest/rest-api.html, and mlflow/server/handlers.py of 2.9 and 3.17. What may arrive
twice without harm is sent again by the client; the making of a run and a batch are not: their senders look first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters.contract import Budget, ExportError
from runstore.exporters.http import Client, ResponseError, retry_after
from runstore.exporters.mlflow import address
from runstore.exporters.mlflow.model import PlannedDataset

_API = "/api/2.0/mlflow/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"
_HISTORY_PAGE = 10_000
_SEARCH_PAGE = 200
_FILE_S = 60.0
"""How long a server may take to answer for a file: it may pass it on to a store of its own."""
_TRIES = 6
_FIRST_PAUSE_S = 0.25
_PASSING = (429, 500, 502, 503, 504)
_NOT_MLFLOW = "is this the address of an MLflow tracking server?"
_ADVICE = {
    401: "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    403: "may this user write to the experiment? See MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_TOKEN",
    404: _NOT_MLFLOW,
}
Json = dict[str, JsonValue]
Point = tuple[int, int, float]
"""(Step, timestamp, value)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteRun:
    """A run as the server has it."""

    id: str
    name: str
    status: str
    files: str
    """Where its artifacts are, an address."""
    params: Mapping[str, str]
    tags: Mapping[str, str]
    latest: Mapping[str, Point]
    """Metric → its latest point."""
    datasets: Sequence[PlannedDataset]


class Server:
    """One tracking server. Use it as a context manager."""

    def __init__(self, place: str, environment: Mapping[str, str], budget: Budget) -> None:
        self.place = place
        self._client = Client(
            base=place,
            budget=budget,
            environment=environment,
            name="MLflow",
            headers=address.headers(place, environment),
            advice=_ADVICE,
            ca_file=environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None,
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    @property
    def requests(self) -> int:
        """How many requests were sent, tries included."""
        return self._client.requests

    def _get(self, verb: str, query: Sequence[tuple[str, str]]) -> Json:
        return _object(self._client.send("GET", f"{_API}{verb}?{urlencode(query, quote_via=quote)}").json())

    def _post(self, verb: str, body: Json, *, again: bool = True) -> Json:
        data = encode(body)
        sent = {"Content-Type": "application/json"}
        tries = {} if again else {"tries": 1}
        return _object(self._client.send("POST", f"{_API}{verb}", body=data, headers=sent, **tries).json())

    def find_experiment(self, name: str) -> str | None:
        """The id of an experiment; None if there is none. Raises ExportError for one that was deleted."""
        try:
            found = self._get("experiments/get-by-name", [("experiment_name", name)])
        except ResponseError as error:
            if _code(error) == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        experiment = _object(found.get("experiment"))
        if experiment.get("lifecycle_stage") == "deleted":
            raise ExportError(
                f"the experiment {name!r} was deleted there",
                where=self._client.where,
                hint="`mlflow experiments restore` brings it back; or name another: --target ADDRESS#EXPERIMENT",
            )
        return _text(experiment, "experiment_id")

    def make_experiment(self, name: str) -> str:
        """The id of an experiment, made if need be; of two who make it at once, both get the one."""
        if (found := self.find_experiment(name)) is not None:
            return found
        try:
            return _text(self._post("experiments/create", {"name": name}), "experiment_id")
        except ResponseError as error:
            if _code(error) == "RESOURCE_ALREADY_EXISTS" and (found := self.find_experiment(name)) is not None:
                return found
            raise

    def search(self, experiment: str, tag: str, value: str) -> list[RemoteRun]:
        """The runs of an experiment, deleted ones left out, whose tag has a value without quotes in it."""
        body: Json = {
            "experiment_ids": [experiment],
            "filter": f"tags.`{tag}` = '{value}'",
            "max_results": _SEARCH_PAGE,
        }
        found: list[RemoteRun] = []
        while True:
            answer = self._post("runs/search", body)
            found.extend(_run(one) for one in _list(answer, "runs"))
            token = answer.get("next_page_token")
            if not token:
                return found
            body["page_token"] = token

    def create_run(self, experiment: str, title: str, tags: Mapping[str, str], start_ms: int) -> RemoteRun:
        """Make a run. It is asked once: if the answer is lost, look for the run."""
        body: Json = {
            "experiment_id": experiment,
            "run_name": title,
            "start_time": start_ms,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        return _run(self._post("runs/create", body, again=False).get("run"))

    def get_run(self, run: str) -> RemoteRun:
        """A run as it is now."""
        return _run(self._get("runs/get", [("run_id", run)]).get("run"))

    def history(self, run: str, metric: str) -> Iterator[Point]:
        """All points of a metric."""
        query = [("run_id", run), ("metric_key", metric), ("max_results", str(_HISTORY_PAGE))]
        token: JsonValue = ""
        while token is not None:
            answer = self._get("metrics/get-history", [*query, *([("page_token", str(token))] if token else [])])
            yield from (_point(_object(one)) for one in _list(answer, "metrics"))
            token = answer.get("next_page_token") or None

    def log_batch(self, data: bytes) -> None:
        """Send a batch, once. Raises ExportError; then some of it may have arrived."""
        sent = {"Content-Type": "application/json"}
        self._client.send("POST", f"{_API}runs/log-batch", body=data, headers=sent, tries=1)

    def set_tag(self, run: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        self._post("runs/set-tag", {"run_id": run, "key": key, "value": value})

    def log_datasets(self, run: str, datasets: Sequence[PlannedDataset]) -> None:
        """Add data sets to a run; those that it has are not added twice."""
        sent: list[JsonValue] = [
            {
                "tags": [{"key": "mlflow.data.context", "value": "evaluation"}],
                "dataset": {"name": one.name, "digest": one.digest, "source_type": "runstore", "source": one.source},
            }
            for one in datasets
        ]
        self._post("runs/log-inputs", {"run_id": run, "datasets": sent})

    def update(self, run: str, status: str, end_ms: int | None = None) -> None:
        """Set the status of a run, and when it ended."""
        body: Json = {"run_id": run, "status": status}
        self._post("runs/update", body if end_ms is None else {**body, "end_time": end_ms})

    def delete_run(self, run: str) -> None:
        """Delete a run; it can be restored there."""
        self._post("runs/delete", {"run_id": run})

    def put_file(self, run: RemoteRun, path: str, body: bytes | BinaryIO, size: int) -> None:
        """Store a file of a run; one that is there is replaced."""
        self._client.send(
            "PUT",
            f"{_FILES}/{quote(f'{self.root(run)}/{path}')}",
            body=body,
            size=size,
            headers={"Content-Type": "application/octet-stream"},
            answer_s=_FILE_S,
        )

    def get_file(self, run: RemoteRun, path: str, most_bytes: int) -> bytes | None:
        """A file of a run; None if it is not there."""
        try:
            place = f"{_FILES}/{quote(f'{self.root(run)}/{path}')}"
            return self._client.send("GET", place, most_bytes=most_bytes, answer_s=_FILE_S, tries=2).body
        except ResponseError:
            if self.file_size(run, path) is None:  # servers answer 404 or 500 for a file that is not there
                return None
            raise

    def file_size(self, run: RemoteRun, path: str) -> int | None:
        """The bytes of a file of a run; None if it is not there."""
        folder, _, name = f"{self.root(run)}/{path}".rpartition("/")
        found = _object(self._client.send("GET", f"{_FILES}?{urlencode({'path': folder}, quote_via=quote)}").json())
        for one in map(_object, _list(found, "files")):
            if one.get("path") == name and not one.get("is_dir"):
                return int(str(one.get("file_size", 0)))
        return None

    def root(self, run: RemoteRun) -> str:
        """The folder of a run's files behind the server. Raises ExportError if the server does not pass files on."""
        parts = urlsplit(run.files)
        if parts.scheme != "mlflow-artifacts":
            raise ExportError(
                f"the server keeps files in a store of its own ({parts.scheme or 'a folder'}) and passes none on",
                where=self._client.where,
                hint="start it with --serve-artifacts --artifacts-destination, or export with --no-records and "
                "--no-artifacts",
            )
        return parts.path.strip("/")


def encode(body: JsonValue) -> bytes:
    """The text of a request. A NaN never gets here: canonical JSON has none."""
    return canonical.dumps_plain(body) if canonical.is_plain(body) else canonical.jcs(body)


def pause_after(error: ExportError, number: int, budget: Budget) -> None:
    """Wait after try `number` (from 1) of what is looked up between tries. Raises an error that stays, or ends it."""
    asked = 0.0
    if isinstance(error, ResponseError):
        if error.status not in _PASSING:
            raise error
        asked = retry_after(error.answer.headers)
    if number >= _TRIES:
        raise error
    try:
        budget.pause(max(_FIRST_PAUSE_S * 2.0 ** (number - 1), asked))
    except ExportError as over:
        raise ExportError(f"{error.message}; {over.message}", where=error.where, hint=error.hint) from None


def _code(error: ResponseError) -> str:
    try:
        return str(_object(error.answer.json()).get("error_code", ""))
    except ExportError:
        return ""


def _object(value: JsonValue) -> Json:
    if not isinstance(value, dict):
        raise ExportError("the answer has not the form of MLflow's", hint=_NOT_MLFLOW)
    return value


def _list(value: Json, name: str) -> list[JsonValue]:
    found = value.get(name)
    if found is None:
        return []  # an empty list is left out
    if not isinstance(found, list):
        raise ExportError(f"the answer has not the form of MLflow's: {name} is no list", hint=_NOT_MLFLOW)
    return found


def _text(value: Json, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise ExportError(f"the answer has not the form of MLflow's: there is no {name}", hint=_NOT_MLFLOW)
    return found


def _pairs(value: Json, name: str) -> dict[str, str]:
    return {_text(_object(one), "key"): str(_object(one).get("value", "")) for one in _list(value, name)}


def _point(value: Json) -> Point:
    """A point. Proto's JSON has 64-bit integers as texts or numbers, a NaN as a text, and leaves out what is 0."""
    try:
        step, timestamp, number = (value.get(name, 0) for name in ("step", "timestamp", "value"))
        return int(str(step)), int(str(timestamp)), float(str(number))
    except ValueError:
        raise ExportError("the answer has not the form of MLflow's: a point is none", hint=_NOT_MLFLOW) from None


def _run(value: JsonValue) -> RemoteRun:
    run = _object(value)
    info, data, inputs = (_object(run.get(name, {})) for name in ("info", "data", "inputs"))
    return RemoteRun(
        id=_text(info, "run_id"),
        name=str(info.get("run_name", "")),
        status=str(info.get("status", "")),
        files=str(info.get("artifact_uri", "")),
        params=_pairs(data, "params"),
        tags=_pairs(data, "tags"),
        latest={_text(_object(one), "key"): _point(_object(one)) for one in _list(data, "metrics")},
        datasets=[_dataset(_object(_object(one).get("dataset"))) for one in _list(inputs, "dataset_inputs")],
    )


def _dataset(value: Json) -> PlannedDataset:
    return PlannedDataset(name=_text(value, "name"), digest=_text(value, "digest"), source=str(value.get("source", "")))
