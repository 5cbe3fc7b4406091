"""The plan for MLflow: what is sent, renamed, converted, cut, left out. Nothing here speaks to a server."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import UsageError
from runstore.exporters.contract import Change, Options
from runstore.exporters.mlflow import address, exporter
from runstore.exporters.mlflow.batches import cut_batches
from runstore.exporters.mlflow.claims import SAW, settle
from runstore.exporters.mlflow.figures import METRIC_NAMES
from runstore.exporters.mlflow.model import MlflowPlan, MlflowPoint
from runstore.exporters.mlflow.rest import RemoteRun
from runstore.exporters.mlflow.values import cut, metric_value, param_text
from runstore.manifest import Dataset, Identity, Provenance
from runstore.store.reader import read_run
from tests.factories import HIGHER, SHARE, Point, Record, scored, unsynced, write_run

SERVER = "http://127.0.0.1:5000"


def plan_of(
    place: Path,
    records: Sequence[Record] = (),
    points: Sequence[Point] = (),
    *,
    target: str = SERVER,
    redact: Sequence[str] = (),
    send_records: bool = True,
    previous: str | None = None,
    **options: Any,
) -> MlflowPlan:
    names = {name for name, _, _ in points} - {"acc"}
    with unsynced():
        write_run(place, records, {"acc": SHARE, **dict.fromkeys(names, HIGHER)}, points=points, **options)
    asked = Options(target=target, redact=redact, records=send_records, previous=previous)
    return exporter.plan(read_run(place), asked)


def told(changes: Sequence[Change]) -> list[tuple[str, str, str, str | None]]:
    return [(one.kind, one.name, one.deed, one.sent) for one in changes]


def content_of(plan: MlflowPlan, path: str) -> Any:
    (found,) = [one.content for one in plan.attachments if one.path == path]
    return json.loads(found or b"")


def test_the_final_figure_stands_at_the_last_step_and_is_the_latest(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", points=[("loss", 0.5, 3), ("loss", 0.25, 7), ("loss", 0.75, None)])
    assert plan.points == [
        MlflowPoint(name="loss", step=3, value=0.5),
        MlflowPoint(name="loss", step=7, value=0.25),
        MlflowPoint(name="loss", step=7, value=0.75, final=True),
    ]
    assert max(plan.points, key=lambda point: point.place).final


def test_the_means_and_the_numbers_of_records_are_metrics(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", [scored("a", 1), scored("b", 0.5), {"id": "c", "status": "error"}])
    assert {point.name: point.value for point in plan.points} == {
        "acc": 0.75,
        "runstore/records": 3,
        "runstore/records/error": 1,
        "runstore/records/skipped": 0,
    }


def test_a_mean_does_not_mix_with_a_series_of_its_name(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", [scored("a", 1)], [("acc", 0.5, 0)])
    assert [(p.name, p.value) for p in plan.points[:2]] == [("acc", 0.5), ("acc/mean_of_records", 1)]


def test_params_become_texts_and_their_types_travel_in_a_file(tmp_path: Path) -> None:
    params = {"flag": True, "lr": 1e-5, "n": 2**53 - 1, "none": None, "text": "1"}
    plan = plan_of(tmp_path / "run", identity=Identity(params=params))
    assert plan.params == {
        "flag": "true", "lr": "0.00001", "n": "9007199254740991", "none": "null", "text": "1",
    }  # fmt: skip
    assert told(plan.changes) == [("param", "flag", "converted", "true"), ("param", "none", "converted", "null")]
    assert content_of(plan, "runstore/params.json") == params


def test_a_text_that_is_too_long_is_cut_with_its_digest_and_travels_whole(tmp_path: Path) -> None:
    long = "ä" * 7000
    plan = plan_of(tmp_path / "run", identity=Identity(params={"p": long}), tags={"t": long}, notes=long)
    assert (len(plan.params["p"]), len(plan.tags["t"]), len(plan.note or "")) == (6000, 5000, 5000)
    assert plan.params["p"].endswith(" [cut; sha256 " + plan.params["p"][-17:])
    assert {(one.kind, one.deed) for one in plan.changes} == {
        ("param", "truncated"), ("tag", "truncated"), ("note", "truncated"),
    }  # fmt: skip
    assert content_of(plan, "runstore/params.json") == {"p": long}
    assert content_of(plan, "runstore/tags.json") == {"t": long}
    assert [one.content for one in plan.attachments if one.path == "runstore/notes.md"] == [long.encode()]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("train/loss", "train/loss"),
        ("pass@1", "pass_x40_1"),
        ("a:b", "a_x3a_b"),
        ("größe", "gr_xf6__xdf_e"),
        ("../up", "_x2e__x2e_/up"),
        ("/etc", "_x2f_etc"),
        ("a//b", "a_x2f_/b"),
        ("a/./b", "a/_x2e_/b"),
        ("a/", "a_x2f_"),
        ("..a", "_x2e__x2e_a"),
        (" a ", "_x20_a_x20_"),
        ("runstore/records", "_x72_unstore/records"),
    ],
)
def test_a_name_that_the_server_refuses_or_reads_as_a_path_is_escaped(name: str, sent: str) -> None:
    assert METRIC_NAMES.name(name) == sent


def test_a_tag_cannot_pose_as_one_of_mlflow_or_of_the_export(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", tags={"mlflow.user": "root", "runstore.key": "mine"})
    assert plan.tags["_x6d_lflow.user"] == "root"
    assert plan.tags["_x72_unstore.key"] == "mine"
    assert plan.tags["runstore.key"] == plan.key
    assert "mlflow.user" not in plan.tags


def test_environment_and_host_stay_here_and_the_commit_goes(tmp_path: Path) -> None:
    made = Provenance(commit="c" * 40, dirty=True, environment="my-laptop")
    plan = plan_of(tmp_path / "run", [scored("a")], provenance=made)
    assert (plan.tags["mlflow.source.git.commit"], plan.tags["mlflow.source.git.dirty"]) == ("c" * 40, "True")
    assert "my-laptop" not in repr(plan)


def test_a_data_set_keeps_its_whole_digest_in_its_source(tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    identity = Identity(datasets=[Dataset(name="d", digest=digest, version="2")])
    plan = plan_of(tmp_path / "run", identity=identity)
    (sent,) = plan.datasets
    assert (sent.name, sent.digest) == ("d", digest[:36])
    assert json.loads(sent.source) == {"digest": digest, "name": "d", "version": "2"}
    assert told(plan.changes) == [("dataset", "d", "truncated", digest[:36])]


def test_records_travel_as_they_are_and_as_a_table(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", [scored("a", 0.5, input={"q": 1}, tags={"lang": "en"}), scored("b", 1)])
    assert [(one.path, one.origin) for one in plan.attachments] == [
        ("runstore/records.jsonl", "records.jsonl"),
        ("runstore/records.json", None),
    ]
    assert content_of(plan, "runstore/records.json") == {
        "columns": ["id", "status", "input", "scores.acc", "tags.lang"],
        "data": [["a", "ok", '{"q":1}', 0.5, "en"], ["b", "ok", None, 1, None]],
    }
    assert json.loads(plan.tags["mlflow.loggedArtifacts"]) == [{"path": "runstore/records.json", "type": "table"}]


def test_without_records_none_leaves(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", [scored("a", input="secret")], send_records=False)
    assert plan.attachments == []
    assert told(plan.changes) == [("record", "records.jsonl", "dropped", None)]
    assert "mlflow.loggedArtifacts" not in plan.tags


def test_what_is_redacted_leaves_in_no_form(tmp_path: Path) -> None:
    secret = "s3cret"
    plan = plan_of(
        tmp_path / "run",
        [scored("a", input=secret, metadata={"deep": [{"email": secret}], "n": 1}, tags={"user": secret})],
        identity=Identity(params={"api_key": secret, "lr": 1}),
        tags={"user": secret, "team": "x"},
        notes=secret,
        redact=["input", "email", "*_key", "user", "notes"],
    )
    assert secret not in repr(plan)
    assert (plan.params, plan.tags["team"], plan.note) == ({"lr": "1"}, "x", None)
    assert [one.name for one in plan.changes if one.deed == "redacted"] == [
        "api_key", "user", "notes", "records.jsonl",
    ]  # fmt: skip


def test_the_id_redacted_keeps_all_records_here(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "run", [scored("jane@example.com")], redact=["id"])
    assert "jane" not in repr(plan)


def test_the_key_is_of_the_run_the_target_and_what_is_redacted(tmp_path: Path) -> None:
    one = plan_of(tmp_path / "a", [scored("a")])
    assert plan_of(tmp_path / "b", [scored("a")], send_records=False, previous="0" * 32).key == one.key
    assert plan_of(tmp_path / "f", [scored("a")], redact=["x"]).key != one.key
    assert plan_of(tmp_path / "c", [scored("a")], previous="0" * 32).fingerprint == one.fingerprint
    assert plan_of(tmp_path / "d", [scored("a", 0.5)]).key != one.key
    assert plan_of(tmp_path / "e", [scored("a")], target=f"{SERVER}#other").key != one.key


@pytest.mark.parametrize(
    ("target", "environment", "wanted"),
    [
        ("http://h:1/pre/#my exp", {}, "http://h:1/pre#my exp"),
        ("http://h:1", {"MLFLOW_EXPERIMENT_NAME": "e"}, "http://h:1#e"),
        (None, {"MLFLOW_TRACKING_URI": "https://me:pw@h/x"}, "https://h/x#project"),
        ("http://h#e", {"MLFLOW_TRACKING_URI": "http://other"}, "http://h#e"),
    ],
)
def test_the_target_is_read_as_mlflow_reads_it(target: str | None, environment: dict[str, str], wanted: str) -> None:
    assert address.read_place(Options(target=target, environment=environment), "project").target == wanted


@pytest.mark.parametrize(
    "target", ["", "./mlruns", "sqlite:///x.db", "databricks", "http://me:s3cret@h", "http://[", "http://h#\n"]
)
def test_a_target_that_is_no_server_is_refused_without_showing_a_secret(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        address.read_place(Options(target=target), "project")
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        (
            {"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p", "MLFLOW_TRACKING_TOKEN": "t"},
            "Basic dTpw",
        ),
        ({"MLFLOW_TRACKING_URI": "http://u:p@h"}, "Basic dTpw"),
        ({"MLFLOW_TRACKING_URI": "http://u:p@other"}, None),
    ],
)
def test_credentials_are_those_of_the_sdk_and_go_to_their_own_server(
    environment: dict[str, str], wanted: str | None
) -> None:
    assert address.headers("http://h", environment).get("Authorization") == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.1, 0.1), (3, 3.0), (5e-324, 5e-324), (1.7976931348623157e308, 1.7976931348623157e308), (2**53, 2.0**53),
        (2**53 + 1, None), (10**400, None), (math.nan, None), (math.inf, None), (-math.inf, None),
        (True, None), (None, None), ("1", None),
    ],
)  # fmt: skip
def test_a_number_is_a_double_exactly_or_not_a_metric(value: object, wanted: float | None) -> None:
    assert metric_value(value) == wanted


def test_a_param_that_is_a_number_reads_back_equal() -> None:
    for number in (0.1, 1e-7, 1e300, 5e-324, -3, 2**53 - 1):
        assert json.loads(param_text(number)) == number


def test_two_long_texts_stay_two() -> None:
    assert cut("a" * 9000, 6000) != cut("a" * 9001, 6000)
    assert cut("a" * 6000, 6000) == "a" * 6000


@pytest.mark.parametrize(
    ("params", "tags", "points", "batches"),
    [(0, 0, 0, 0), (100, 7, 893, 1), (100, 7, 894, 2), (250, 0, 10, 3), (0, 0, 10_000, 10)],
)
def test_batches_are_as_few_as_the_server_takes(params: int, tags: int, points: int, batches: int) -> None:
    named = [MlflowPoint(name="m", step=step, value=0.5) for step in range(points)]
    made = list(cut_batches({f"p{n}": "1" for n in range(params)}, {f"t{n}": "1" for n in range(tags)}, named))
    assert len(made) == batches
    assert all(len(b.params) <= 100 and len(b.params) + len(b.tags) + len(b.points) <= 1000 for b in made)
    assert [point for batch in made for point in batch.points] == named


def test_no_batch_is_larger_than_a_megabyte() -> None:
    params = {f"p{n}": "\x01" * 6000 for n in range(100)}
    points = [MlflowPoint(name=f"{n:0250d}", step=n, value=-1.2345678901234567e-300, final=True) for n in range(2000)]
    made = list(cut_batches(params, {f"t{n}": "\U0001f600" * 5000 for n in range(100)}, points))
    assert max(len(batch.body("0" * 32)) for batch in made) <= 1_000_000
    assert sum(len(batch.params) for batch in made) == 100
    assert sum(len(batch.points) for batch in made) == 2000


def remote(name: str, saw: str | None) -> RemoteRun:
    tags = {} if saw is None else {SAW: saw}
    return RemoteRun(id=name, name="", status="RUNNING", files="", params={}, tags=tags, latest={}, datasets=[])


@pytest.mark.parametrize(
    ("views", "winner"),
    [
        ({"b": "b", "a": "a b"}, "b"),  # b looked before a was made
        ({"a": "a b", "b": "a b"}, "a"),
        ({"a": "a b c", "b": "b c", "c": "b c"}, "b"),
        ({"a": None, "b": "b"}, "b"),  # the maker of a died before it looked
        ({"a": None, "b": None}, "a"),
        ({"b": "a b"}, "b"),  # a was deleted
    ],
)
def test_of_several_runs_with_a_key_everybody_picks_the_same(views: dict[str, str | None], winner: str) -> None:
    runs = [remote(name, saw) for name, saw in views.items()]
    assert settle(runs).id == settle(runs[::-1]).id == winner
