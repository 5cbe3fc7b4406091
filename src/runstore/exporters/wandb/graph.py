"""W&B's GraphQL interface, as far as an export needs it: questions in, checked answers out.

The mutations are those that W&B's own client sends (`UpsertBucket`, `CreateRunFiles`), the questions those of its
public API (`wandb.Api`), so that any server which that client can speak to understands them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError
from runstore.exporters.contract import Budget, ExportError
from runstore.exporters.http import Client
from runstore.exporters.wandb.comparing import md5_from_base64
from runstore.exporters.wandb.planning import WandbPlan
from runstore.exporters.wandb.transactions import Found
from runstore.shape import Node

_JSON = {"Content-Type": "application/json"}
_FILES_A_PAGE = 1000

_VIEWER = "query Viewer { viewer { entity } }"
_RUN = """query Run($project: String!, $entity: String!, $name: String!) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { displayName state notes tags config summaryMetrics historyLineCount }
  }
}"""
_HISTORY = """query HistoryPage($project: String!, $entity: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!,
    $pageSize: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}"""
_FILES = """query RunFiles($project: String!, $entity: String!, $name: String!, $fileCursor: String, $fileLimit: Int) {
  project(name: $project, entityName: $entity) {
    run(name: $name) {
      files(after: $fileCursor, first: $fileLimit) {
        edges { node { name sizeBytes md5 } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}"""
_UPSERT = """mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String,
    $displayName: String, $notes: String, $config: JSONString, $tags: [String!]) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, groupName: $groupName,
      displayName: $displayName, notes: $notes, config: $config, tags: $tags}) {
    bucket { name historyLineCount project { name entity { name } } }
    inserted
  }
}"""
_CREATE_FILES = """mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    uploadHeaders
    files { name uploadUrl }
  }
}"""


def open_client(base: str, environment: Mapping[str, str], budget: Budget) -> Client:
    """A client of the server that knows who asks. Raises UsageError without a key, and never shows one."""
    key = environment.get("WANDB_API_KEY", "").strip()
    if not key:
        raise UsageError("no key for W&B", hint="set WANDB_API_KEY, or WANDB_MODE=offline to write to a folder")
    token = base64.b64encode(f"api:{key}".encode()).decode()
    return Client(
        base=base,
        budget=budget,
        environment=environment,
        name="W&B",
        headers={"Authorization": f"Basic {token}", "User-Agent": "runstore"},
        advice={
            401: "check WANDB_API_KEY: is it whole, and of this server?",
            403: "may this key write to the project? check WANDB_API_KEY, entity and project",
            404: "check the address of the server (WANDB_BASE_URL), entity and project",
        },
    )


@dataclass(frozen=True, slots=True)
class Graph:
    """The interface at one server, about the runs of one project."""

    client: Client
    entity: str
    project: str

    def look(self, key: str) -> tuple[Found, int] | None:
        """A run without history and files, and its lines of history; None if there is none."""
        with _sound_answer(self.client):
            run = self._run(_RUN, {"name": key})
            return None if run is None else self._looked_at(run)

    def _looked_at(self, run: Mapping[str, Node]) -> tuple[Found, int]:
        found = Found(
            config={name: node.mapping().get("value") for name, node in _document(run, "config")},  # type: ignore[misc]
            summary={name: node.value for name, node in _document(run, "summaryMetrics")},  # type: ignore[misc]
            labels=[node.string() for node in run["tags"].elements()] if _is_there(run, "tags") else [],
            title=_string(run, "displayName"),
            note=_string(run, "notes"),
            state=_string(run, "state"),
        )
        return found, run["historyLineCount"].integer() if _is_there(run, "historyLineCount") else 0

    def rows(self, key: str, first: int, last: int, count: int) -> list[dict[str, JsonValue]]:
        """The lines of history with steps from `first` to `last`, `count` of them at most."""
        asked: dict[str, JsonValue] = {"run": key, "minStep": first, "maxStep": last + 1, "pageSize": count}
        with _sound_answer(self.client):
            run = self._run(_HISTORY, asked)
            lines = [] if run is None or not _is_there(run, "history") else run["history"].elements()
            return [_parsed(line) for line in lines]

    def files(self, key: str) -> dict[str, tuple[int, str | None]]:
        """The files of a run: path → (size, MD5 in hex, if the server tells it)."""
        found: dict[str, tuple[int, str | None]] = {}
        cursor: str | None = None
        with _sound_answer(self.client):
            while True:
                run = self._run(_FILES, {"name": key, "fileCursor": cursor, "fileLimit": _FILES_A_PAGE})
                if run is None:
                    return found
                page = dict(run["files"].members())
                found.update(_file(edge) for edge in page["edges"].elements())
                ending = dict(page["pageInfo"].members())
                before, cursor = cursor, _string(ending, "endCursor")
                if ending["hasNextPage"].value is not True or cursor in ("", before):
                    return found

    def upsert(self, plan: WandbPlan, key: str) -> str:
        """Make the run of an id, or set what it says; the entity that it belongs to."""
        config: dict[str, JsonValue] = {name: {"value": value} for name, value in plan.config.items()}
        variables: dict[str, JsonValue] = {
            "name": key,
            "project": self.project,
            "entity": self.entity,
            "groupName": plan.group or None,
            "displayName": plan.title,
            "notes": plan.note,
            "config": canonical.jcs(config).decode(),
            "tags": list(plan.labels),
        }
        with _sound_answer(self.client):
            made = dict(ask(self.client, _UPSERT, variables)["upsertBucket"].members())
            bucket = dict(made["bucket"].members())
            entity = dict(dict(bucket["project"].members())["entity"].members())
            return entity["name"].string()

    def uploads(self, key: str, paths: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Where to put files: path → address; and the headers that belong to each."""
        asked: dict[str, JsonValue] = {"entity": self.entity, "project": self.project, "run": key, "files": [*paths]}
        with _sound_answer(self.client):
            made = dict(ask(self.client, _CREATE_FILES, asked)["createRunFiles"].members())
            headers = [node.string().partition(":") for node in made["uploadHeaders"].elements()]
            files = [dict(node.members()) for node in made["files"].elements()]
            places = {file["name"].string(): file["uploadUrl"].string() for file in files}
            return places, {name.strip(): value.strip() for name, _, value in headers}

    def _run(self, query: str, variables: Mapping[str, JsonValue]) -> dict[str, Node] | None:
        data = ask(self.client, query, {"project": self.project, "entity": self.entity, **variables})
        project = data.get("project")
        if project is None or project.value is None:
            return None
        run = dict(project.members()).get("run")
        return None if run is None or run.value is None else dict(run.members())


def default_entity(client: Client) -> str:
    """The entity that a key belongs to. Raises UsageError if the server names none."""
    with _sound_answer(client):
        viewer = ask(client, _VIEWER, {}).get("viewer")
        name = "" if viewer is None or viewer.value is None else _string(dict(viewer.members()), "entity")
    if not name:
        raise UsageError("the W&B server names no entity for this key", hint="write --target ENTITY/PROJECT")
    return name


def stream(graph: Graph, key: str, message: Mapping[str, JsonValue]) -> None:
    """Send numbered lines of a run, or its end. Raises ExportError."""
    path = f"/files/{quote(graph.entity)}/{quote(graph.project)}/{quote(key)}/file_stream"
    graph.client.send("POST", path, body=canonical.jcs(dict(message)), headers=_JSON)


def ask(client: Client, query: str, variables: Mapping[str, JsonValue]) -> dict[str, Node]:
    """The data of an answer. Raises ExportError for errors that it tells, and for what is no answer."""
    body = canonical.jcs({"query": query, "variables": dict(variables)})
    answer = client.send("POST", "/graphql", body=body, headers=_JSON)
    with _sound_answer(client):
        members = dict(Node(answer.json()).members())
        if "errors" in members and members["errors"].value:
            told = [_string(dict(one.members()), "message") for one in members["errors"].elements()]
            raise ExportError(f"refused: {client.hide('; '.join(told))[:300]}", where=client.where, hint=_REFUSED)
        return dict(members["data"].members())


@contextmanager
def _sound_answer(client: Client) -> Iterator[None]:
    """Tell an answer that has not the shape it should have as what it is: a fault of the server, not of the run."""
    try:
        yield
    except (InvalidDataError, KeyError, ValueError):
        raise ExportError("gave an answer that is none", where=client.where, hint=_NO_ANSWER) from None


_REFUSED = "check entity, project and key; a run that was deleted there cannot be exported under its id again"
_NO_ANSWER = "is this the address of a W&B server's API (WANDB_BASE_URL)?"


def _is_there(values: Mapping[str, Node], name: str) -> bool:
    return name in values and values[name].value is not None


def _string(values: Mapping[str, Node], name: str) -> str:
    return values[name].string() if _is_there(values, name) else ""


def _file(edge: Node) -> tuple[str, tuple[int, str | None]]:
    node = dict(dict(edge.members())["node"].members())
    md5 = _string(node, "md5")
    return node["name"].string(), (int(str(node["sizeBytes"].value)), md5_from_base64(md5) if md5 else None)


def _document(values: Mapping[str, Node], name: str) -> list[tuple[str, Node]]:
    """The members of a JSON object that stands in a text."""
    text = _string(values, name)
    return list(Node(canonical.parse_loose(text.encode(), non_finite=True)).members(empty=True)) if text else []


def _parsed(line: Node) -> dict[str, JsonValue]:
    value = canonical.parse_loose(line.string().encode(), non_finite=True)
    line = Node(value, line.pointer)
    return {name: node.value for name, node in line.members(empty=True)}  # type: ignore[misc]  # parsed from JSON
