"""Servers for the tests of the MLflow exporter, on 127.0.0.1: a small one of our own, a faulty way, the real one.

The small one keeps runs in memory and speaks as much of the REST API as an export uses. It is the strictest that there
is: it drops no point that it was sent twice. The faulty way stands before any server and does to a request what a test
asks for.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
Fault = str | int
"""`pass`, `drop` (not passed on), `cut` (passed on, no answer), `hang`, `trickle`, or a status of HTTP."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    app: Any

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests hang up on purpose."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], app: object) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), handler)
    server.app = app
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the name that is overridden
        """Say nothing."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, data: bytes, headers: Json | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@dataclass
class SmallMlflow:
    """The state of the small server: experiments by name, runs by id, files by path."""

    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    artifact_scheme: str = "mlflow-artifacts"
    pause_s: float = 0
    """How long each request of the API takes before it is looked at."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Be as new."""
        for state in (self.experiments, self.runs, self.files):
            state.clear()

    def whole_runs(self) -> list[Json]:
        """The runs that were not deleted and that have ended."""
        return [run for run in self.living() if run["status"] != "RUNNING"]

    def living(self) -> list[Json]:
        """The runs that were not deleted."""
        return [run for run in self.runs.values() if run["stage"] == "active"]

    def call(self, verb: str, sent: Json) -> Json:
        """One request of the API. Raises KeyError for what is not there, ValueError for what is refused."""
        return getattr(self, "_" + verb.replace("/", "_").replace("-", "_"))(sent)  # type: ignore[no-any-return]

    def _experiments_get_by_name(self, sent: Json) -> Json:
        return {"experiment": {"experiment_id": self.experiments[sent["experiment_name"]], "lifecycle_stage": "active"}}

    def _experiments_create(self, sent: Json) -> Json:
        assert sent["name"] not in self.experiments
        return {"experiment_id": self.experiments.setdefault(sent["name"], str(len(self.experiments) + 1))}

    def _runs_create(self, sent: Json) -> Json:
        name = f"{len(self.runs):032x}"
        tags = {"mlflow.runName": sent["run_name"], **_pairs(sent["tags"])}
        self.runs[name] = {
            "id": name, "experiment": sent["experiment_id"], "name": sent["run_name"], "status": "RUNNING",
            "stage": "active", "tags": tags, "params": {}, "points": [], "datasets": [],
        }  # fmt: skip
        return {"run": self._shown(self.runs[name])}

    def _shown(self, run: Json) -> Json:
        latest: dict[str, Json] = {}
        for point in run["points"]:
            before = latest.get(point["key"], point)
            latest[point["key"]] = max(before, point, key=lambda one: (one["step"], one["timestamp"], one["value"]))
        place = f"{self.artifact_scheme}:/{run['experiment']}/{run['id']}/artifacts"
        return {
            "info": {"run_id": run["id"], "run_name": run["name"], "status": run["status"], "artifact_uri": place},
            "data": {"params": _shown(run["params"]), "tags": _shown(run["tags"]), "metrics": list(latest.values())},
            "inputs": {"dataset_inputs": run["datasets"]},
        }

    def _runs_get(self, sent: Json) -> Json:
        return {"run": self._shown(self.runs[sent["run_id"]])}

    def _runs_search(self, sent: Json) -> Json:
        tag, value = sent["filter"].removeprefix("tags.`").removesuffix("'").split("` = '")
        found = [
            self._shown(run)
            for run in self.living()
            if run["experiment"] in sent["experiment_ids"] and run["tags"].get(tag) == value
        ]
        return {"runs": found} if found else {}

    def _active(self, sent: Json) -> Json:
        run = self.runs[sent["run_id"]]
        if run["stage"] != "active":
            raise ValueError("the run must be in active state")
        return run

    def _runs_log_batch(self, sent: Json) -> Json:
        run = self._active(sent)
        count = len(sent["metrics"]) + len(sent["params"]) + len(sent["tags"])
        if count > 1000 or len(sent["params"]) > 100 or len(sent["tags"]) > 100:
            raise ValueError("too many entities")
        for key, value in _pairs(sent["params"]).items():
            if run["params"].setdefault(key, value) != value:
                raise ValueError("changing param values is not allowed")
        run["points"].extend(sent["metrics"])
        run["tags"].update(_pairs(sent["tags"]))
        return {}

    def _runs_set_tag(self, sent: Json) -> Json:
        self._active(sent)["tags"][sent["key"]] = sent["value"]
        return {}

    def _runs_log_inputs(self, sent: Json) -> Json:
        self._active(sent)["datasets"].extend(sent["datasets"])
        return {}

    def _runs_update(self, sent: Json) -> Json:
        self._active(sent)["status"] = sent["status"]
        return {}

    def _runs_delete(self, sent: Json) -> Json:
        self._active(sent)["stage"] = "deleted"
        return {}

    def _metrics_get_history(self, sent: Json) -> Json:
        points = [point for point in self.runs[sent["run_id"]]["points"] if point["key"] == sent["metric_key"]]
        start, most = int(sent.get("page_token", 0)), int(sent["max_results"])
        more = {"next_page_token": str(start + most)} if start + most < len(points) else {}
        return {"metrics": points[start : start + most], **more}


def _pairs(listed: list[Json]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in listed}


def _shown(pairs: dict[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in pairs.items()]


class _SmallHandler(_Handler):
    def _api(self, app: SmallMlflow, sent: Json) -> None:
        verb = urlsplit(self.path).path.removeprefix("/api/2.0/mlflow/")
        time.sleep(app.pause_s)
        try:
            with app.lock:
                self.answer(200, json.dumps(app.call(verb, sent)).encode())
        except KeyError as error:
            self.answer(404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": str(error)}).encode())
        except (ValueError, AssertionError) as error:
            code = "INVALID_PARAMETER_VALUE" if isinstance(error, ValueError) else "RESOURCE_ALREADY_EXISTS"
            self.answer(400, json.dumps({"error_code": code, "message": str(error)}).encode())

    def _noted(self) -> SmallMlflow:
        app: SmallMlflow = self.server.app  # type: ignore[attr-defined]  # set by _serving
        app.seen.append(f"{self.command} {self.path}")
        app.headers.append(dict(self.headers))
        return app

    def do_GET(self) -> None:  # the name that the library looks for
        app = self._noted()
        parts = urlsplit(self.path)
        if "/mlflow-artifacts/artifacts/" in parts.path:
            found = app.files.get(unquote(parts.path.partition("/mlflow-artifacts/artifacts/")[2]))
            self.answer(500 if found is None else 200, found or b"")  # as MLflow does
        elif parts.path.endswith("/mlflow-artifacts/artifacts"):
            place = parse_qs(parts.query)["path"][0] + "/"
            names = [(path.removeprefix(place), data) for path, data in app.files.items() if path.startswith(place)]
            listed = [
                {"path": name, "is_dir": False, "file_size": len(data)} for name, data in names if "/" not in name
            ]
            self.answer(200, json.dumps({"files": listed}).encode())
        else:
            query = parse_qs(parts.query, keep_blank_values=True)
            self._api(app, {name: values[0] for name, values in query.items()})

    def do_POST(self) -> None:
        app = self._noted()
        self._api(app, json.loads(self.body()))

    def do_PUT(self) -> None:
        app = self._noted()
        app.files[unquote(self.path.partition("/mlflow-artifacts/artifacts/")[2])] = self.body()
        self.answer(200, b"")


@contextmanager
def small_mlflow() -> Iterator[tuple[str, SmallMlflow]]:
    """The address of a small server, and its state."""
    app = SmallMlflow()
    with _serving(_SmallHandler, app) as address:
        yield address, app


@dataclass
class FaultyWay:
    """What happens to the requests on the way to a server: `choose` gets number (from 0), method and path."""

    target: str
    choose: Callable[[int, str, str], Fault] = lambda number, method, path: "pass"
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def next(self, method: str, path: str) -> Fault:
        """What happens to the next request."""
        with self.lock:
            self.seen.append(f"{method} {urlsplit(path).path}")
            return self.choose(len(self.seen) - 1, method, urlsplit(path).path)


class _FaultyHandler(_Handler):
    def _handle(self) -> None:
        way: FaultyWay = self.server.app  # type: ignore[attr-defined]  # set by _serving
        body = self.body()
        fault = way.next(self.command, self.path)
        if isinstance(fault, int):
            self.answer(fault, b"no", {"Retry-After": "1"} if fault == 429 else None)
        elif fault == "hang":
            way.over.wait(60)
            self.close_connection = True
        elif fault == "drop":
            self._hang_up()
        else:
            status, data = self._passed_on(way.target, body)
            if fault == "cut":
                self._hang_up()
            elif fault == "trickle":
                self._trickle(way, data)
            else:
                self.answer(status, data)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815  # the names that the library looks for

    def _passed_on(self, target: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(target.removeprefix("http://"), timeout=60)
        kept = {name: self.headers[name] for name in ("Content-Type", "Authorization") if name in self.headers}
        connection.request(self.command, self.path, body or None, kept)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _trickle(self, way: FaultyWay, data: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while not way.over.wait(0.2):
                self.wfile.write(b" ")
                self.wfile.flush()
        self.close_connection = True


@contextmanager
def faulty_way(target: str) -> Iterator[tuple[str, FaultyWay]]:
    """The address of a faulty way to a server, and what happens on it."""
    way = FaultyWay(target)
    with _serving(_FaultyHandler, way) as address:
        try:
            yield address, way
        finally:
            way.over.set()


@contextmanager
def real_mlflow(folder: Path) -> Iterator[str]:
    """The address of MLflow's own tracking server, on sqlite, with all its files in a folder, also its `log`."""
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files"),
    ]  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    quiet = {"HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # a dozen processes that no export asks anything of
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**kept, **quiet}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_up(address, process, folder / "log")
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)  # its workers, which we started with it
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _is_up(address: str) -> bool:
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=2)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().read() == b"OK"
        except (OSError, http.client.HTTPException):
            return False


def _wait_until_up(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        if _is_up(address):
            return
        time.sleep(0.2)
    raise AssertionError(f"the MLflow server did not start:\n{log.read_text(errors='replace')[-5000:]}")
