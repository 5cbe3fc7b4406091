"""A small W&B server: it keeps what it is sent as W&B does, over real HTTP on this machine, and can be made to fail.

It knows what an export and W&B's own client ask (`UpsertBucket`, `CreateRunFiles`, the stream of lines, uploads to
signed addresses, the questions of the public API) and refuses everything else, so that a request nobody thought of is
seen. Lines of history have numbers: a line that is sent again under its number takes its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

KEY = "k" * 40
ENTITY = "ann"
_AUTHORIZATION = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
# What W&B's client 0.31 sends in an upsert.
_UPSERT_FIELDS = {
    *("id", "name", "groupName", "modelName", "entityName", "description", "displayName", "notes", "config", "commit"),
    *("host", "debug", "jobProgram", "jobRepo", "jobType", "state", "sweep", "tags", "summaryMetrics"),
}
Trouble = int | Literal["hang", "cut before", "cut after"]
"""A status of HTTP, silence, or a connection that ends before or after the request has had its effect."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """What it is about, in a word."""
        if self.path == "/graphql":
            found = re.search(r"(?:query|mutation)\s+(\w+)", json.loads(self.body)["query"])
            return found[1] if found else "nameless"
        return "file_stream" if self.path.endswith("/file_stream") else "upload"


@dataclass(slots=True)
class Kept:
    """A run as the server has it."""

    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    title: str = ""
    notes: str = ""
    group: str | None = None
    host: str | None = None
    state: str = "running"
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines in the order of their numbers."""
        return [self.lines[number] for number in sorted(self.lines)]


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is part of what is tested; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class WandbServer:
    """The server, its runs (entity, project, name → run) and every request that came, in order.

    `trouble` is asked before each request is answered, with the request and how many came before it.
    """

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str, str], Kept] = {}
        self.requests: list[Request] = []
        self.trouble: Callable[[Request, int], Trouble | None] = lambda request, number: None
        self.released = threading.Event()
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer, head and body, waits for the client

            def do_GET(self) -> None:
                _answer(server, self)

            def do_POST(self) -> None:
                _answer(server, self)

            def do_PUT(self) -> None:
                _answer(server, self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
                pass

        self.http = _Http(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY}

    @property
    def only_run(self) -> Kept:
        """The one run that the server has."""
        assert len(self.runs) == 1, sorted(self.runs)
        return next(iter(self.runs.values()))

    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]


@contextmanager
def wandb_server() -> Iterator[WandbServer]:
    """A server while the context lasts."""
    server = WandbServer()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def _answer(server: WandbServer, handler: BaseHTTPRequestHandler) -> None:
    size = int(handler.headers.get("Content-Length") or 0)
    try:
        body = handler.rfile.read(size)
    except OSError:
        body = b""
    if len(body) < size:  # who sent it has gone
        handler.close_connection = True
        return
    headers = {name.lower(): value for name, value in handler.headers.items()}
    request = Request(handler.command, handler.path, headers, body)
    with server.lock:
        server.requests.append(request)
        trouble = server.trouble(request, len(server.requests) - 1)
    if trouble == "hang":
        server.released.wait()
    if isinstance(trouble, int):
        _reply(handler, trouble, {"error": "trouble"})
    elif trouble in ("hang", "cut before"):
        _cut(handler)
    else:
        with server.lock:
            status, answer = _effect(server, request)
        if trouble == "cut after":
            _cut(handler)
        else:
            _reply(handler, status, answer)


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _reply(handler: BaseHTTPRequestHandler, status: int, answer: object) -> None:
    data = json.dumps(answer).encode()
    try:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
    except OSError:
        handler.close_connection = True


def _effect(server: WandbServer, request: Request) -> tuple[int, object]:
    """What a request does, and the answer to it."""
    if request.operation == "upload":
        return _upload(server, request)
    if request.headers.get("authorization") != _AUTHORIZATION:
        return 401, {"error": "no such key"}
    if request.operation == "file_stream":
        return _stream(server, request)
    asked = json.loads(request.body)
    variables = asked.get("variables") or {}
    declared = set(re.findall(r"\$(\w+)\s*:", asked["query"].partition("{")[0]))
    if not declared >= variables.keys():
        return 400, {"errors": [{"message": f"unknown variables: {variables.keys() - declared}"}]}
    answer = _OPERATIONS.get(request.operation)
    if answer is None:
        return 400, {"errors": [{"message": f"unknown operation {request.operation}"}]}
    return 200, {"data": answer(server, asked["query"], variables)}


def _stream(server: WandbServer, request: Request) -> tuple[int, object]:
    entity, project, name = (unquote(part) for part in request.path.split("/")[2:5])
    run = server.runs.get((entity, project, name))
    if run is None:
        return 404, {"error": "run not found"}
    message = json.loads(request.body)
    for path, part in message.get("files", {}).items():
        lines = [json.loads(line) for line in part["content"]]
        if path == "wandb-history.jsonl":
            run.lines.update(enumerate(lines, start=part["offset"]))
        elif path == "wandb-summary.json":
            run.summary = lines[-1]
    if message.get("complete"):
        run.state = "failed" if message["exitcode"] else "finished"
    return 200, {"exitcode": None, "limits": {}}


def _upload(server: WandbServer, request: Request) -> tuple[int, object]:
    """The signed address lets in; a key has no business here."""
    parts = urlsplit(request.path)
    _, folder, *path = (unquote(part) for part in f"{parts.path}/".split("/"))
    if folder != "store" or parts.query != "signed=yes" or "authorization" in request.headers:
        return 403, {}
    entity, project, name = [*path, "", "", ""][:3]
    run = server.runs.get((entity, project, name))
    if run is None:
        return 404, {}
    run.files["/".join(path[3:-1])] = request.body
    return 200, {}


def _upsert(server: WandbServer, query: str, variables: dict[str, Any]) -> object:
    fields = dict(re.findall(r"(\w+):\s*\$(\w+)", query.partition("input")[2].partition("}")[0]))
    assert fields.keys() <= _UPSERT_FIELDS, fields
    given = {name: variables[variable] for name, variable in fields.items() if variables.get(variable) is not None}
    place = (given.get("entityName") or ENTITY, given["modelName"], given["name"])
    is_new = place not in server.runs
    run = server.runs.setdefault(place, Kept())
    run.state = "running"
    run.config.update(json.loads(given.get("config", "{}")))
    run.tags = given.get("tags", run.tags)
    run.title = given.get("displayName", run.title)
    run.notes = given.get("notes", run.notes)
    run.group = given.get("groupName", run.group)
    run.host = given.get("host", run.host)
    project = {"id": "cA==", "name": place[1], "entity": {"id": "ZQ==", "name": place[0]}}
    bucket = {
        "id": "cnVu",
        "name": place[2],
        "displayName": run.title,
        "description": "",
        "config": json.dumps(run.config),
        "sweepName": None,
        "project": project,
        "historyLineCount": len(run.lines),
    }
    return {"upsertBucket": {"bucket": bucket, "inserted": is_new}}


def _create_files(server: WandbServer, query: str, variables: dict[str, Any]) -> object:
    place = f"{variables['entity']}/{variables['project']}/{variables['run']}"
    files = [
        {"name": path, "uploadUrl": f"{server.address}/store/{place}/{path}?signed=yes".replace(" ", "%20")}
        for path in variables["files"]
    ]
    return {"createRunFiles": {"runID": "cnVu", "uploadHeaders": [], "files": files}}


def _of_run(answer: Callable[[Kept, dict[str, Any]], object]) -> Callable[[WandbServer, str, dict[str, Any]], object]:
    """An answer about a run, or that there is none."""

    def answered(server: WandbServer, query: str, variables: dict[str, Any]) -> object:
        name = variables.get("name") or variables.get("run")
        run = server.runs.get((variables["entity"], variables["project"], str(name)))
        return {"project": {"run": None if run is None else answer(run, variables)}}

    return answered


def _look(run: Kept, variables: dict[str, Any]) -> object:
    return {
        "displayName": run.title,
        "state": run.state,
        "notes": run.notes,
        "tags": run.tags,
        "config": json.dumps(run.config),
        "summaryMetrics": json.dumps(run.summary),
        "historyLineCount": len(run.lines),
    }


def _history(run: Kept, variables: dict[str, Any]) -> object:
    first, end = variables["minStep"], variables["maxStep"]
    lines = [json.dumps(line) for line in run.history if first <= line["_step"] < end]
    return {"history": lines[: variables["pageSize"]]}


def _files(run: Kept, variables: dict[str, Any]) -> object:
    """Two files a page, so that paging is seen."""
    start = int(variables.get("fileCursor") or 0)
    names = sorted(run.files)
    edges = [
        {"node": {"name": name, "sizeBytes": str(len(run.files[name])), "md5": _md5(run.files[name])}}
        for name in names[start : start + 2]
    ]
    page = {"endCursor": str(start + 2), "hasNextPage": start + 2 < len(names)}
    return {"files": {"edges": edges, "pageInfo": page}}


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


_OPERATIONS: dict[str, Callable[[WandbServer, str, dict[str, Any]], object]] = {
    "CreateRunFiles": _create_files,
    "HistoryPage": _of_run(_history),
    "Run": _of_run(_look),
    "RunFiles": _of_run(_files),
    "ServerFeaturesQuery": lambda server, query, variables: {"serverInfo": {"features": []}},
    "UpsertBucket": _upsert,
    "Viewer": lambda server, query, variables: {"viewer": {"id": "dg==", "entity": ENTITY, "username": ENTITY}},
}
