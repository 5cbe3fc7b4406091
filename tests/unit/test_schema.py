"""The published schemas: sound themselves, shipped, true of what the program writes, and clear about what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runstore import canonical, comparison, composition, policy, schema, summary, view
from runstore.canonical import JsonValue
from runstore.comparison import Comparison
from runstore.errors import InvalidRunError
from runstore.manifest import Dataset, Identity, MetricDeclaration
from runstore.policy import Policy
from runstore.record import FIELDS
from runstore.schema import Violation
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.summary import Tally

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "runs" / "valid"
RUNS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


def violations(name: str, value: JsonValue) -> list[tuple[str, str]]:
    return sorted((found.pointer, found.message) for found in schema.validate(name, value))


def parts(value: object) -> Iterator[dict[str, object]]:
    """Every schema within a schema."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(child)


@pytest.mark.parametrize("name", schema.NAMES)
def test_a_schema_is_a_sound_schema_of_2020_12_under_a_name_of_ours(name: str) -> None:
    loaded = schema.load(name)
    Draft202012Validator.check_schema(loaded)
    assert loaded["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert loaded["$id"] == f"urn:runstore:schema:v1:{name}"


@pytest.mark.parametrize("name", schema.NAMES)
def test_every_member_has_a_title_and_no_object_of_ours_takes_unknown_members(name: str) -> None:
    found = [part for part in parts(schema.load(name)) if isinstance(part.get("properties"), dict)]
    told = [part for part in found if "title" in part]
    assert [part["title"] for part in told if "additionalProperties" not in part] == []
    members = [(key, member) for part in told for key, member in part["properties"].items()]  # type: ignore[attr-defined]
    assert [key for key, member in members if not {"title", "$ref"} & member.keys()] == []


def test_the_schemas_that_are_loaded_are_the_files_of_this_project() -> None:
    names = sorted(path.name for path in (ROOT / "schemas" / "v1").iterdir())
    assert names == [f"{name}.schema.json" for name in schema.NAMES]
    for name in schema.NAMES:
        assert schema.load(name) == json.loads((ROOT / "schemas" / "v1" / f"{name}.schema.json").read_bytes())


def test_the_schema_of_a_record_has_the_fields_of_a_record() -> None:
    assert tuple(schema.load("record")["properties"]) == FIELDS  # type: ignore[arg-type]


@pytest.mark.parametrize("run", RUNS)
def test_the_frozen_runs_fit_the_schemas(run: str) -> None:
    for name in ("manifest", "summary"):
        assert violations(name, canonical.decode_document((CORPUS / run / f"{name}.json").read_bytes())) == []
    for name, file in (("record", "records.jsonl"), ("point", "series.jsonl")):
        lines = (CORPUS / run / file).read_bytes().splitlines() if (CORPUS / run / file).exists() else []
        assert [violations(name, canonical.decode(line)) for line in lines] == [[] for _ in lines]


GOOD: dict[str, JsonValue] = {"id": "a", "scores": {"acc": 1}, "tags": {"lang": "de"}}
RECORDS: list[tuple[JsonValue, list[tuple[str, str]]]] = [
    ([], [("", "expected an object, found an array")]),
    ({}, [("", "'id' is missing")]),
    ({**GOOD, "id": 1}, [("/id", "expected a string, found an integer")]),
    ({**GOOD, "id": ""}, [("/id", "empty, or shorter than 1 characters")]),
    ({**GOOD, "score": {"x": "y" * 1000}}, [("", "unknown name 'score'")]),
    ({**GOOD, "scores": {"acc": True}}, [("/scores/acc", "expected a number, found a boolean")]),
    ({**GOOD, "scores": {"acc": None}}, [("/scores/acc", "expected a number, found null")]),
    ({**GOOD, "scores": {"": 1}}, [("/scores", "a name is empty")]),
    ({**GOOD, "tags": {"a/b~c": 1}}, [("/tags/a~1b~0c", "expected a string, found an integer")]),
    ({**GOOD, "repeat": 0}, [("/repeat", "less than 1")]),
    ({**GOOD, "repeat": 2**53}, [("/repeat", "more than 9007199254740991")]),
    ({**GOOD, "status": "y" * 1000}, [("/status", f"'{'y' * 56}... is not one of ok, error, skipped")]),
    ({**GOOD, "status": {"y": 1}}, [("/status", "an object is not one of ok, error, skipped")]),
    ({**GOOD, "reason": {}}, [("/reason", "'message' is missing"), ("/reason", "'type' is missing")]),
]


@pytest.mark.parametrize(("value", "expected"), RECORDS)
def test_a_violation_says_the_place_and_what_is_wrong_on_one_short_line(
    value: JsonValue, expected: list[tuple[str, str]]
) -> None:
    assert violations("record", value) == expected


def manifest(**members: JsonValue) -> JsonValue:
    value = canonical.decode_document((CORPUS / "v1-records" / "manifest.json").read_bytes())
    assert isinstance(value, dict)
    return {**value, **members}


def listed(path: str, **entry: JsonValue) -> JsonValue:
    digest: dict[str, JsonValue] = {"sha256": "0" * 64, "size": 1}
    lines: dict[str, JsonValue] = {**digest, "lines": 1}
    return {"summary.json": digest, "records.jsonl": lines, path: {**digest, **entry}}


MANIFESTS: list[tuple[JsonValue, list[tuple[str, str]]]] = [
    (manifest(format=2), [("/format", "expected 1, found 2")]),
    (manifest(slices=["a", "a"]), [("/slices", "an element stands twice")]),
    (
        manifest(run_id="0" * 33),
        [("/run_id", "does not match ^[0-9a-f]{32}$"), ("/run_id", "longer than 32 characters")],
    ),
    (manifest(metrics={"a": {"direction": "up"}}), [("/metrics/a/direction", "'up' is not one of higher, lower")]),
    (manifest(metrics={"a": {"direction": "lower", "range": [1]}}), [("/metrics/a/range", "fewer than 2 elements")]),
    (manifest(files=listed("artifacts/a/b c+ü.txt")), []),
    (manifest(files=listed("artifacts/contra/com10.txt")), []),
    (manifest(files=listed("artifacts/x.jsonl", lines=1)), [("/files/artifacts~1x.jsonl", "unknown name 'lines'")]),
    (manifest(files=listed("series.jsonl")), [("/files/series.jsonl", "'lines' is missing")]),
    (manifest(files=listed("records.jsonl", lines=1, first="a")), [("/files/records.jsonl", "unknown name 'first'")]),
    (
        manifest(files=listed("records-0001.jsonl", lines=1, first="a")),
        [("/files", "fits none, or more than one, of the allowed forms")],
    ),
    (
        manifest(files={}),
        [("/files", "'summary.json' is missing"), ("/files", "fits none, or more than one, of the allowed forms")],
    ),
]
NOT_PORTABLE = [
    "notes.txt",
    "artifacts",
    "artifacts/",
    "/artifacts/a",
    "artifacts//a",
    "artifacts/../a",
    "artifacts/.",
    "artifacts/a.",
    "artifacts/a ",
    "artifacts/ a",
    "artifacts/a:b",
    "artifacts/a\\b",
    "artifacts/a\n",
    "artifacts/a\x00",
    "artifacts/CON",
    "artifacts/con.txt",
    "artifacts/nul/a",
    "artifacts/Lpt9.x.y",
    "records.jsonl\n",
    "records-1.jsonl",
    "series.json",
]
MANIFESTS += [(manifest(files=listed(path)), [("/files", f"unknown name {path!r}")]) for path in NOT_PORTABLE]


@pytest.mark.parametrize(("value", "expected"), MANIFESTS)
def test_the_schema_of_a_manifest_says_which_paths_and_entries_there_are(
    value: JsonValue, expected: list[tuple[str, str]]
) -> None:
    assert violations("manifest", value) == expected


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ("0", []),
        ("-12.05", []),
        ("10", []),
        ("-0", ["/metrics/a/sum"]),
        ("01", ["/metrics/a/sum"]),
        ("1.0", ["/metrics/a/sum"]),
        ("1e3", ["/metrics/a/sum"]),
        (".5", ["/metrics/a/sum"]),
        ("1\n", ["/metrics/a/sum"]),
        ("", ["/metrics/a/sum"]),
    ],
)
def test_the_schema_of_a_summary_says_how_a_sum_is_written(sums: str, expected: list[str]) -> None:
    value = summary.to_json(Tally(), {})
    assert isinstance(value, dict)
    metric: JsonValue = {"count": 1, "mean": 0, "missing": 0, "sum": sums, "sum_squares": "0"}
    assert [pointer for pointer, _ in violations("summary", {**value, "metrics": {"a": metric}})] == expected


def test_the_deviation_stands_in_a_summary_exactly_when_there_are_two_scores() -> None:
    value = summary.to_json(Tally(), {})
    assert isinstance(value, dict)
    metric: dict[str, JsonValue] = {"mean": 0, "missing": 0, "sum": "0", "sum_squares": "0"}
    one_with: JsonValue = {**value, "metrics": {"a": {**metric, "count": 1, "stddev": 0}}}
    two_without: JsonValue = {**value, "metrics": {"a": {**metric, "count": 2}}}
    assert violations("summary", one_with) == [("/metrics/a", "has a member that does not belong to the others")]
    assert violations("summary", two_without) == [("/metrics/a", "'stddev' is missing")]


def write_run(folder: Path, scores: dict[str, float], *, loss: float) -> None:
    identity = Identity(params={"seed": 7, "note": None}, datasets=[Dataset(name="a", digest="1")])
    metrics = {"acc": MetricDeclaration(range=(0, 1)), "loss": MetricDeclaration(direction="lower", unit="nats")}
    with RunWriter(folder, identity=identity, metrics=metrics, slices=["half"]) as writer:
        for name, score in scores.items():
            tags: JsonValue = {"half": "first" if name < "c" else "second"}
            status = "ok" if score >= 0 else "error"
            writer.append({"id": name, "scores": {"acc": abs(score)}, "status": status, "tags": tags, "output": score})
        writer.log_metric("loss", loss)


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    """One record of each class, findings by record, metric and slice, a series."""
    write_run(tmp_path / "before", {"a": 1, "b": 0.5, "c": 0, "d": 1, "e": 1}, loss=0.5)
    write_run(tmp_path / "after", {"a": 0.5, "b": 1, "c": 0, "d": -1, "f": 1}, loss=0.75)
    rules = policy.from_toml("[metrics.acc]\nmax_drop = 0.01\n[records]\nmax_added = 0", "gate.toml")
    assert rules is not None
    return comparison.compare(read_run(tmp_path / "before"), read_run(tmp_path / "after"), rules)


def test_the_view_of_a_comparison_fits_its_schema(compared: Comparison) -> None:
    found = view.to_json(compared)
    assert (found["verdict"], violations("comparison", found)) == ("FAIL", [])
    assert [len(found[name]) > 1 for name in ("changes", "findings", "metrics")] == [True] * 3  # type: ignore[arg-type]


def test_the_views_of_what_was_not_compared_fit_the_schema_too(compared: Comparison) -> None:
    rules = Policy()
    ends = [
        composition.invalid(InvalidRunError("is not a run", where="x/manifest.json"), rules),
        composition.missing("a", rules),
        composition.unexpected("b/c", rules),
    ]
    suite = composition.together([("a", ends[1]), ("b/c", ends[2]), ("d", compared)], rules)
    assert [violations("comparison", view.to_json(one)) for one in [*ends, suite]] == [[]] * 4


def test_a_comparison_whose_code_is_not_that_of_its_verdict_is_refused(compared: Comparison) -> None:
    found = {**view.to_json(compared), "exit_code": 0}
    assert [pointer for pointer, _ in violations("comparison", found)] != []


def test_a_violation_is_a_value() -> None:
    assert list(schema.validate("record", None)) == [Violation(pointer="", message="expected an object, found null")]
