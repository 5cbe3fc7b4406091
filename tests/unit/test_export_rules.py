"""What holds for every backend: what is redacted goes nowhere, and what is sent is shown before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runstore import schema
from runstore.exporters.contract import Exporter, Plan
from runstore.exporters.discovery import find_exporter
from runstore.exporters.redaction import kept_record
from runstore.exporters.tensorboard.folder import attachment_bytes
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.manifest import Dataset, Identity, Provenance
from runstore.store.reader import Run, read_run
from runstore.store.writer import RunWriter
from tests.export_runs import options, whole_run, write_whole_run
from tests.factories import HIGHER, SHARE
from tests.repositories import gate

TARGETS = {"mlflow": "http://127.0.0.1:9", "tensorboard": "tb", "wandb": "ann/qa"}
each_backend = pytest.mark.parametrize("backend", sorted(TARGETS))

# Glob → what of the run of `write_secret_run` must be nowhere in what is sent.
REDACTED: Mapping[str, tuple[str, ...]] = {
    "p-*": ("p-name", "p-value"),
    "t-*": ("t-name", "t-value"),
    "d-*": ("d-name", "d-digest"),
    "m-*": ("m-name",),
    "f-*": ("f-name",),
    "s-name": ("s-name",),
    "notes": ("n-value",),
    "commit": ("c-value",),
    "input.e-name": ("e-name", "e-value"),
    "r-*": ("r-name", "r-value"),
    "id": ("i-value", "e-value"),
}
EVERYTHING = sorted({word for words in REDACTED.values() for word in words})


def write_secret_run(place: Path, *, large: str = "") -> Run:
    """A run each part of which can be told apart in what is sent."""
    identity = Identity(
        project="demo",
        params={"p-name": "p-value", "plain": 1},
        datasets=[Dataset(name="d-name", digest="d-digest", version="d-version"), Dataset(name="open", digest="x")],
    )
    place.with_name("file.txt").write_text("content")
    with RunWriter(
        place,
        identity=identity,
        metrics={"m-name": HIGHER, "s-name": SHARE, "acc": SHARE},
        tags={"t-name": "t-value"},
        notes="n-value",
        large_text=1000 if large else None,
        provenance=Provenance(commit="c-value", dirty=True),
    ) as run:
        for number in range(3):
            # `s-name` is a score and a series: the mean of the records then goes by another name.
            record: dict[str, Any] = {
                "id": f"i-value{number}",
                "input": {"e-name": f"e-value{large}"},
                "tags": {"r-name": "r-value"},
            }
            run.append({**record, "scores": {"s-name": number / 3, "acc": 1}})
        run.log_metric("m-name", 0.123, 1)
        run.log_metric("s-name", 0.5, 1)
        run.add_artifact(place.with_name("file.txt"), "f-name.txt")
    return read_run(place)


def sent_by(plan: Plan, run: Run) -> str:
    """Everything of a plan that is sent, as one text."""
    told = [plan.params, plan.tags, plan.note, plan.title, plan.more(), [one.name for one in plan.points]]
    files = [f"{one.path}\n{file_content(plan, run, one.path)}" for one in plan.attachments]
    return json.dumps(told, default=str) + "\n".join(files)


def file_content(plan: Plan, run: Run, path: str) -> str:
    (one,) = [one for one in plan.attachments if one.path == path]
    if isinstance(plan, TensorboardPlan):
        return b"".join(attachment_bytes(plan, run, one)).decode()
    if one.origin is None:
        return (one.content or b"").decode()
    with run.source.open(one.origin) as file:
        return file.read().decode()


def exporter_of(backend: str) -> Exporter:
    return find_exporter(backend)


def plan_of(backend: str, run: Run, **asked: Any) -> Plan:
    return exporter_of(backend).plan(run, options(TARGETS[backend], **asked))


@each_backend
@pytest.mark.parametrize("glob", [*REDACTED, "*"])
def test_what_is_redacted_is_nowhere_in_what_is_sent_and_the_plan_tells_it(
    tmp_path: Path, backend: str, glob: str
) -> None:
    run = write_secret_run(tmp_path / "run")
    whole, plan = plan_of(backend, run), plan_of(backend, run, redact=[glob])
    dropped = {"f-name"} if backend == "tensorboard" else set()  # it takes no artifacts
    for word in REDACTED.get(glob, EVERYTHING):
        assert (word in sent_by(whole, run)) is (word not in dropped), word
        assert word not in sent_by(plan, run), word
    if glob != "f-*" or backend != "tensorboard":
        assert "redacted" in {change.deed for change in plan.changes}


@each_backend
def test_a_redacted_run_is_another_run_there_in_whatever_order_the_globs_are_named(
    tmp_path: Path, backend: str
) -> None:
    run = write_secret_run(tmp_path / "run")
    keys = [plan_of(backend, run, redact=globs).key for globs in ([], ["a", "b"], ["b", "a", "b"], ["a"])]
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3


@each_backend
def test_the_digest_of_a_large_text_that_is_redacted_is_not_sent(tmp_path: Path, backend: str) -> None:
    run = write_secret_run(tmp_path / "run", large="x" * 3000)
    (record, *_) = [json.loads(line) for batch in run.batches() for line in batch.lines]
    (digest,) = {entry["sha256"] for entry in record["texts"].values()}
    whole, plan = plan_of(backend, run), plan_of(backend, run, redact=["e-name"])
    assert digest in sent_by(whole, run)
    assert digest not in sent_by(plan, run)
    assert [one.deed for one in whole.changes if one.name == "large texts"] == ["dropped"]


def test_a_record_of_which_nothing_is_redacted_is_as_it_is() -> None:
    assert kept_record({"id": "a", "texts": {"/input": 1}}, []) == {"id": "a", "texts": {"/input": 1}}


@each_backend
def test_a_dry_run_shows_all_that_is_sent(tmp_path: Path, backend: str) -> None:
    """Each text that is counted among what is sent stands in the JSON of the plan, and a line of text tells of it."""
    run = whole_run(tmp_path / "run")
    plan = plan_of(backend, run)
    words = ("export", "run", "--to", backend, "--target", TARGETS[backend], "--dry-run")
    text, view = gate(tmp_path, *words), gate(tmp_path, *words, "--format", "json").view
    assert list(schema.validate("export", view)) == []
    (told,) = view["runs"]
    assert told["plan"]["counts"] == dict(plan.counts())
    assert told["plan"]["more"] == json.loads(json.dumps(plan.more()))
    kinds = {
        "mlflow": ["dataset ", "link ", "note "],
        "tensorboard": ["text ", "histogram ", "hyperparameter ", "event ", "folder "],
        "wandb": ["config ", "figure ", "label "],
    }
    lines = [line.strip() for line in text.out.split("\n")]
    for kind in kinds[backend]:
        assert any(line.startswith(kind) for line in lines), kind
    if backend == "mlflow":
        finals = {(one["name"], one["timestamp"]) for one in told["plan"]["points"]}
        assert ("loss", 1) in finals
        assert told["plan"]["more"]["datasets"][0]["name"] == "squad"


@each_backend
def test_a_plan_is_the_same_text_every_time(tmp_path: Path, backend: str) -> None:
    write_whole_run(tmp_path / "run")
    words = ("export", "run", "--to", backend, "--target", TARGETS[backend], "--dry-run")
    told = {gate(tmp_path, *words, env={"TZ": zone, "LC_ALL": "C"}).out for zone in ("UTC", "Asia/Kolkata")}
    assert len(told) == 1
