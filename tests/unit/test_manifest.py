"""The manifest: what is read back, and every way in which it can be wrong, with its place."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from typing import Any

import pytest

from runstore import canonical, manifest
from runstore.errors import InvalidDataError
from runstore.manifest import Dataset, FileEntry, Identity, Manifest, MetricDeclaration, Provenance

FULL = Manifest(
    identity=Identity(
        project="p",
        suite="s",
        name="n",
        params={"seed": 1, "model": "m", "none": None, "flag": True},
        datasets=(Dataset(name="a", digest="1", version="v2"), Dataset(name="b", digest="2")),
        parent="0" * 32,
    ),
    metrics={
        "acc": MetricDeclaration(direction="higher", unit="share", range=(0, 1), aggregate="mean"),
        "loss": MetricDeclaration(direction="lower"),
    },
    files={
        "artifacts/a.bin": FileEntry(sha256="a" * 64, size=3),
        "records.jsonl": FileEntry(sha256="b" * 64, size=10, lines=1),
        "summary.json": FileEntry(sha256="c" * 64, size=20),
    },
    slices=("hard", "lang"),
    tags={"branch": "main"},
    provenance=Provenance(commit="abc", dirty=False, environment="e", attempt=2),
    status="failed",
    notes="# Notes",
    origin={"importer": "jsonl"},
)


def test_a_manifest_is_read_back() -> None:
    assert manifest.from_json(manifest.to_json(FULL)) == FULL


def test_the_least_manifest_is_read_back() -> None:
    least = Manifest(identity=Identity(), metrics={}, files={})
    assert manifest.from_json(manifest.to_json(least)) == Manifest(identity=Identity(), metrics={}, files={}, slices=())


def test_the_run_id_is_the_digest_of_the_canonical_identity() -> None:
    line = canonical.encode(
        {"datasets": [], "name": "run", "params": {}, "project": "default", "suite": "default"},
    )
    assert Identity().run_id == hashlib.sha256(line).hexdigest()[:32]


def test_results_clocks_commits_and_tags_have_no_part_in_the_run_id() -> None:
    other = Manifest(identity=FULL.identity, metrics={}, files={}, tags={"x": "y"}, status="killed", notes="other")
    assert other.run_id == FULL.run_id


@pytest.mark.parametrize(
    ("declared", "worst"),
    [
        (MetricDeclaration(direction="higher", range=(0, 1)), 0),
        (MetricDeclaration(direction="lower", range=(0, 1)), 1),
        (MetricDeclaration(direction="higher"), None),
        (MetricDeclaration(direction="lower"), None),
    ],
)
def test_the_worst_score_is_an_end_of_the_range(declared: MetricDeclaration, worst: int | None) -> None:
    assert declared.worst == worst


def test_a_metric_without_range_may_have_any_finite_score() -> None:
    assert FULL.ranges == {"acc": (0, 1), "loss": (-math.inf, math.inf)}


def put(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return edit


def drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        for name in path[:-1]:
            document = document[name]
        del document[path[-1]]

    return edit


_WRONG: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    *((drop(name), "/", f"'{name}' is missing") for name in ("files", "identity", "metrics", "run_id", "slices")),
    (drop("format"), "/", "'format' is missing"),
    (put("format", value=2), "/format", "format 2 is not known"),
    (put("format", value=0), "/format", "format 0 is not known"),
    (put("format", value="1"), "/format", "expected an integer, found a string"),
    (put("format", value=True), "/format", "expected an integer, found a boolean"),
    (put("format", value=1.5), "/format", "expected an integer, found a number"),
    (put("statsu", value="ok"), "/statsu", "unknown name 'statsu'"),
    (put("status", value="done"), "/status", "'done' is not one of"),
    (put("run_id", value="0" * 32), "/run_id", "the identity gives run id"),
    (put("run_id", value=FULL.run_id + "\n"), "/run_id", "the identity gives run id"),
    (put("run_id", value=7), "/run_id", "expected a string"),
    (put("identity", "params", "x", value={}), "/identity/params/x", "a parameter must be"),
    (put("identity", "parent", value="xyz"), "/identity/parent", "32 hexadecimal digits"),
    (put("identity", "project", value=None), "/identity/project", "expected a string, found null"),
    (put("identity", "datasets", value={}), "/identity/datasets", "expected an array"),
    (
        put("identity", "datasets", value=[{"name": "b", "digest": "1"}, {"name": "a", "digest": "2"}]),
        "/identity/datasets",
        "sorted by name",
    ),
    (
        put("identity", "datasets", value=[{"name": "a", "digest": "1"}, {"name": "a", "digest": "2"}]),
        "/identity/datasets",
        "each name once",
    ),
    (put("metrics", "", value={"direction": "higher"}), "/metrics", "a name is empty"),
    (put("metrics", "acc", value={}), "/metrics/acc", "'direction' is missing"),
    (put("metrics", "acc", "direction", value="up"), "/metrics/acc/direction", "'up' is not one of higher, lower"),
    (put("metrics", "acc", "range", value=[0]), "/metrics/acc/range", "a range is two numbers"),
    (put("metrics", "acc", "range", value=[1, 0]), "/metrics/acc/range", "the lowest first"),
    (put("metrics", "acc", "range", value=[0, 0]), "/metrics/acc/range", "the lowest first"),
    (put("metrics", "acc", "range", value=[0, "1"]), "/metrics/acc/range/1", "expected a number"),
    (put("metrics", "acc", "range", value=[False, True]), "/metrics/acc/range/0", "expected a number, found a boolean"),
    (put("metrics", "acc", "aggregate", value="median"), "/metrics/acc/aggregate", "'median' is not one of"),
    (put("metrics", "acc", "unti", value="ms"), "/metrics/acc/unti", "unknown name"),
    (put("files", "../x", value={"sha256": "a" * 64, "size": 1}), "/files/..~1x", "climb"),
    (put("files", "ARTIFACTS/A.bin", value={"sha256": "a" * 64, "size": 1}), "", "differ only in case"),
    (put("files", "records.jsonl", "sha256", value="A" * 64), "/files/records.jsonl/sha256", "64 lower-case"),
    (put("files", "records.jsonl", "size", value=-1), "/files/records.jsonl/size", "less than 0"),
    (put("files", "records.jsonl", "size", value=1.5), "/files/records.jsonl/size", "expected an integer"),
    (drop("files", "records.jsonl", "lines"), "/files/records.jsonl", "`lines` belongs"),
    (put("files", "summary.json", "lines", value=1), "/files/summary.json", "`lines` belongs"),
    (put("slices", value=["lang", "hard"]), "/slices", "sorted, each once"),
    (put("slices", value=["a", "a"]), "/slices", "sorted, each once"),
    (put("slices", value=[""]), "/slices", "must be tag names"),
    (put("slices", value=[1]), "/slices/0", "expected a string"),
    (put("tags", value={"a": 1}), "/tags/a", "expected a string"),
    (put("provenance", "attempt", value=0), "/provenance/attempt", "less than 1"),
    (put("provenance", "dirty", value="no"), "/provenance/dirty", "expected a boolean"),
    (put("provenance", "host", value="x"), "/provenance/host", "unknown name 'host'"),
    (put("notes", value=1), "/notes", "expected a string"),
    (put("origin", value=[]), "/origin", "expected an object"),
]


@pytest.mark.parametrize(("edit", "where", "message"), _WRONG)
def test_a_manifest_that_is_wrong_is_refused_with_its_place(
    edit: Callable[[dict[str, Any]], None], where: str, message: str
) -> None:
    document = copy.deepcopy(manifest.to_json(FULL))
    assert isinstance(document, dict)
    edit(document)
    with pytest.raises(InvalidDataError) as refused:
        manifest.from_json(document)
    assert refused.value.where == where
    assert message in refused.value.message


@pytest.mark.parametrize("document", [None, [], "x", 1, True])
def test_a_manifest_is_an_object(document: Any) -> None:
    with pytest.raises(InvalidDataError, match="expected an object"):
        manifest.from_json(document)


def test_an_unknown_name_is_answered_with_the_nearest_known() -> None:
    document = manifest.to_json(FULL)
    assert isinstance(document, dict)
    document["metrcs"] = {}
    with pytest.raises(InvalidDataError) as refused:
        manifest.from_json(document)
    assert refused.value.hint == "did you mean 'metrics'?"


def test_a_run_that_is_not_finished_says_so_and_what_finishes_it() -> None:
    document: Any = manifest.to_json(FULL)
    document["status"] = "not finished: whatever a writer says of it"
    with pytest.raises(InvalidDataError) as refused:
        manifest.from_json(document)
    assert (refused.value.where, refused.value.message) == ("/status", "the run is not finished")
    assert "`gate recover`" in refused.value.hint
