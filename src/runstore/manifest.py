"""The manifest: what was run, what it declares, and the digest of every other canonical file.

JSON in, frozen values out, and back. Reading checks everything the schema asks for and names the place of a failure by
its JSON pointer; a test holds reading and the published schema equal.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runstore import canonical, paths, shards
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.shape import Node

FORMAT = 1
Direction = Literal["higher", "lower"]
RunStatus = Literal["completed", "failed", "killed"]
DIRECTIONS = ("higher", "lower")
RUN_STATUSES = ("completed", "failed", "killed")
AGGREGATES = ("mean", "last", "min", "max")
NOT_FINISHED = "not finished"
"""What the status of a run begins with while it is being written: no status of the format, so every reader refuses."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_RUN_ID = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A data set that was asked about: name and digest of its content."""

    name: str
    digest: str
    version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The question a run answers. Two runs of one question have one `run_id`, wherever they are asked."""

    project: str = "default"
    suite: str = "default"
    name: str = "run"
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    datasets: Sequence[Dataset] = ()
    parent: str | None = None

    @property
    def run_id(self) -> str:
        """First 32 hex digits of the SHA-256 of the canonical line form of the identity."""
        return hashlib.sha256(canonical.encode(identity_json(self))).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricDeclaration:
    """What a run says about one of its metrics; `range` is (lowest, highest) in the metric's unit."""

    direction: Direction = "higher"
    unit: str | None = None
    range: tuple[int | float, int | float] | None = None
    aggregate: str | None = None

    @property
    def worst(self) -> int | float | None:
        """The worst score of the declared range: what a record that is not `ok` counts as."""
        if self.range is None:
            return None
        return self.range[0] if self.direction == "higher" else self.range[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileEntry:
    """Digest, size in bytes and number of lines of a file; `first` is the first id of a shard."""

    sha256: str
    size: int
    lines: int | None = None
    first: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where a run came from, as far as it was recorded."""

    commit: str | None = None
    dirty: bool | None = None
    environment: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """`manifest.json` as a value."""

    identity: Identity
    metrics: Mapping[str, MetricDeclaration]
    files: Mapping[str, FileEntry]
    slices: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance = Provenance()
    status: RunStatus = "completed"
    notes: str | None = None
    origin: JsonValue = None
    format: int = FORMAT

    @property
    def run_id(self) -> str:
        """See Identity.run_id."""
        return self.identity.run_id

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Declared metric → lowest and highest score allowed, infinite where no range is declared."""
        return {
            name: declared.range if declared.range else (-math.inf, math.inf) for name, declared in self.metrics.items()
        }


def _present(**members: JsonValue) -> dict[str, JsonValue]:
    return {name: value for name, value in members.items() if value is not None}


def sorted_names(names: Sequence[str]) -> list[str]:
    """Names in the order of their UTF-8 bytes, each once."""
    return sorted(set(names), key=str.encode)


def identity_json(identity: Identity) -> JsonValue:
    """The identity as JSON: the text the run id is the digest of."""
    datasets = sorted(identity.datasets, key=lambda dataset: dataset.name.encode())
    return _present(
        project=identity.project,
        suite=identity.suite,
        name=identity.name,
        params=dict(identity.params),
        datasets=[_present(name=d.name, digest=d.digest, version=d.version) for d in datasets],
        parent=identity.parent,
    )


def to_json(manifest: Manifest) -> JsonValue:
    """The manifest as JSON, to be laid out as a document."""
    metrics: dict[str, JsonValue] = {
        name: _present(
            direction=declared.direction,
            unit=declared.unit,
            range=list(declared.range) if declared.range else None,
            aggregate=declared.aggregate,
        )
        for name, declared in manifest.metrics.items()
    }
    files: dict[str, JsonValue] = {
        path: _present(sha256=entry.sha256, size=entry.size, lines=entry.lines, first=entry.first)
        for path, entry in manifest.files.items()
    }
    provenance = manifest.provenance
    return _present(
        files=files,
        format=manifest.format,
        identity=identity_json(manifest.identity),
        metrics=metrics,
        notes=manifest.notes,
        origin=manifest.origin,
        provenance=_present(
            commit=provenance.commit,
            dirty=provenance.dirty,
            environment=provenance.environment,
            attempt=provenance.attempt,
        ),
        run_id=manifest.run_id,
        slices=list(sorted_names(manifest.slices)),
        status=manifest.status,
        tags=dict(manifest.tags),
    )


_REQUIRED = ("files", "format", "identity", "metrics", "provenance", "run_id", "slices", "status", "tags")


def from_json(value: JsonValue) -> Manifest:
    """The manifest of a decoded document. Raises InvalidDataError with a JSON pointer."""
    root = Node(value)
    version = root.mapping().get("format")
    if type(version) is int and version != FORMAT:
        raise InvalidRunError(
            f"format {version} is not known to this version, which reads format {FORMAT}", where="/format"
        )
    parts = root.record(_REQUIRED, ("notes", "origin"))
    parts["format"].integer(least=1)
    status = parts["status"].value
    if isinstance(status, str) and status.startswith(NOT_FINISHED):
        hint = "wait for its process; if that was killed, `gate recover` of its folder finishes it, and loses nothing"
        parts["status"].fail("the run is not finished", hint=hint)
    manifest = Manifest(
        identity=_identity(parts["identity"]),
        metrics={name: _declaration(node) for name, node in parts["metrics"].members()},
        files=_files(parts["files"]),
        slices=_slices(parts["slices"]),
        tags={name: node.string() for name, node in parts["tags"].members()},
        provenance=_provenance(parts["provenance"]),
        status=parts["status"].string(RUN_STATUSES),  # type: ignore[arg-type]  # checked against the same choices
        notes=parts["notes"].string() if "notes" in parts else None,
        origin=_origin(parts),
    )
    claimed = parts["run_id"].string()
    if not _RUN_ID.match(claimed) or claimed != manifest.run_id:
        parts["run_id"].fail(f"the identity gives run id {manifest.run_id}", hint="`gate fmt` derives it again")
    return manifest


def _origin(parts: Mapping[str, Node]) -> JsonValue:
    if "origin" not in parts:
        return None
    parts["origin"].mapping()
    return parts["origin"].value  # type: ignore[return-value]  # decoded JSON


def _identity(node: Node) -> Identity:
    parts = node.record(("datasets", "name", "params", "project", "suite"), ("parent",))
    for _, param in parts["params"].members():
        if isinstance(param.value, dict | list):
            param.fail("a parameter must be a string, a number, a boolean or null")
    if "parent" in parts and not _RUN_ID.match(parts["parent"].string()):
        parts["parent"].fail("a run id has 32 hexadecimal digits")
    return Identity(
        project=parts["project"].string(),
        suite=parts["suite"].string(),
        name=parts["name"].string(),
        params=parts["params"].value,  # type: ignore[arg-type]  # shown to be an object of scalars
        datasets=_datasets(parts["datasets"]),
        parent=parts["parent"].string() if "parent" in parts else None,
    )


def _datasets(node: Node) -> tuple[Dataset, ...]:
    found = []
    for element in node.elements():
        parts = element.record(("digest", "name"), ("version",))
        version = parts["version"].string() if "version" in parts else None
        found.append(Dataset(name=parts["name"].string(), digest=parts["digest"].string(), version=version))
    names = [dataset.name.encode() for dataset in found]
    if names != sorted(set(names)):
        node.fail("data sets must be sorted by name, each name once")
    return tuple(found)


def _declaration(node: Node) -> MetricDeclaration:
    parts = node.record(("direction",), ("aggregate", "range", "unit"))
    return MetricDeclaration(
        direction=parts["direction"].string(DIRECTIONS),  # type: ignore[arg-type]  # checked against the same choices
        unit=parts["unit"].string() if "unit" in parts else None,
        range=_range(parts["range"]) if "range" in parts else None,
        aggregate=parts["aggregate"].string(AGGREGATES) if "aggregate" in parts else None,
    )


def _range(node: Node) -> tuple[int | float, int | float]:
    bounds = [element.number() for element in node.elements()]
    if len(bounds) != 2 or not bounds[0] < bounds[1]:
        node.fail("a range is two numbers, the lowest first")
    return bounds[0], bounds[1]


def _files(node: Node) -> dict[str, FileEntry]:
    entries = {}
    for path, member in node.members():
        try:
            paths.check(path)
        except InvalidDataError as error:
            member.fail(error.message, error.hint)
        entries[path] = _file(member, path)
    paths.check_distinct(entries)
    return entries


def _file(node: Node, path: str) -> FileEntry:
    parts = node.record(("sha256", "size"), ("first", "lines"))
    if not _SHA256.match(parts["sha256"].string()):
        parts["sha256"].fail("a SHA-256 digest has 64 lower-case hexadecimal digits")
    if (path.endswith(".jsonl") and "/" not in path) != ("lines" in parts):
        node.fail("`lines` belongs to the .jsonl files of the run, and only to them")
    if shards.is_shard(path) != ("first" in parts):
        node.fail("`first` belongs to the shards of the records, and only to them")
    return FileEntry(
        sha256=parts["sha256"].string(),
        size=parts["size"].integer(),
        lines=parts["lines"].integer() if "lines" in parts else None,
        first=parts["first"].string() if "first" in parts else None,
    )


def _slices(node: Node) -> tuple[str, ...]:
    names = [element.string() for element in node.elements()]
    encoded = [name.encode() for name in names]
    if "" in names or encoded != sorted(set(encoded)):
        node.fail("slices must be tag names, sorted, each once")
    return tuple(names)


def _provenance(node: Node) -> Provenance:
    parts = node.record((), ("attempt", "commit", "dirty", "environment"))
    return Provenance(
        commit=parts["commit"].string() if "commit" in parts else None,
        dirty=parts["dirty"].boolean() if "dirty" in parts else None,
        environment=parts["environment"].string() if "environment" in parts else None,
        attempt=parts["attempt"].integer(least=1) if "attempt" in parts else None,
    )
