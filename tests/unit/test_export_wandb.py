"""The W&B exporter without a server: what is planned, the log that is written by hand, the folder."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.canonical import JsonValue
from runstore.errors import RunstoreError, UsageError
from runstore.exporters.contract import ExportError, Options
from runstore.exporters.exporting import refuse_conflicts
from runstore.exporters.names import unescape
from runstore.exporters.wandb import exporter, log, offline
from runstore.exporters.wandb.place import CLOUD, Place, read_place
from runstore.exporters.wandb.planning import TABLE_FILE
from runstore.exporters.wandb.table import MOST_ROWS
from runstore.exporters.wandb.transactions import messages, read_messages
from runstore.manifest import Identity
from runstore.store.reader import Run, read_run
from runstore.store.writer import RunWriter
from tests.command_line import environment as clean_environment
from tests.factories import HIGHER, passing, unsynced, write_run
from tests.wandb_runs import METRICS, PARAMS, planned, visit, write_full_run


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with unsynced():
        return write_full_run(tmp_path_factory.mktemp("full") / "run")


def deeds(run: Run, **options: Any) -> list[tuple[str, str, str, str | None]]:
    changes = planned(run, "./out", {}, **options).changes
    return [(change.deed, change.kind, change.name, change.sent) for change in changes]


@pytest.mark.parametrize(
    ("target", "environment", "place"),
    [
        (None, {}, Place(project="my project")),
        ("p", {}, Place(project="p")),
        ("ann/p", {}, Place(project="p", entity="ann")),
        ("https://w.example.com/ann/p", {}, Place(project="p", entity="ann", base="https://w.example.com")),
        (
            "https://w.example.com",
            {"WANDB_ENTITY": "e"},
            Place(project="my project", entity="e", base="https://w.example.com"),
        ),
        (None, {"WANDB_PROJECT": "q", "WANDB_BASE_URL": "http://h:1/"}, Place(project="q", base="http://h:1")),
        ("./out", {}, Place(project="my project", folder="./out")),
        ("out/", {"WANDB_PROJECT": "q"}, Place(project="q", folder="out/")),
        (None, {"WANDB_MODE": "offline"}, Place(project="my project", folder="wandb")),
        ("ann/p", {"WANDB_MODE": "offline", "WANDB_DIR": "/d"}, Place(project="p", entity="ann", folder="/d")),
    ],
)
def test_a_target_is_a_project_an_address_or_a_folder(
    target: str | None, environment: dict[str, str], place: Place
) -> None:
    assert read_place(target, environment, "my project") == place


@pytest.mark.parametrize("target", ["a/b/c", "a//b", "p?q", "p:q", "https://key@h/a/b", "x" * 129, "a/\n"])
def test_a_target_that_cannot_be_is_refused_with_what_to_write(target: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_place(target, {}, "p")
    assert refused.value.hint
    assert "key@" not in str(refused.value)


def test_what_is_disabled_sends_nothing_and_a_folder_is_still_written() -> None:
    disabled = {"WANDB_MODE": "disabled"}
    with pytest.raises(UsageError, match="disabled"):
        read_place("ann/qa", disabled, "p")
    assert read_place("./out", disabled, "p").folder == "./out"


def test_the_project_of_a_run_becomes_a_name_that_w_and_b_takes() -> None:
    assert read_place(None, {}, "a/b:c").project == "a_x2f_b_x3a_c"
    assert CLOUD in read_place(None, {}, "p").target


def test_every_value_of_a_run_is_in_the_plan_as_it_is(full: Run) -> None:
    plan = planned(full, "./out", {})
    names = {name: unescape(name) for name in plan.config if name != "runstore"}
    assert {names[name]: plan.config[name] for name in names} == PARAMS
    assert {unescape(point.name) for point in plan.points} == {"loss", "loss.val", "acc"}
    assert list(plan.rows()) == [
        (0, {"acc": 0.25, "loss": 1.0}),
        (10, {"loss": 0.5, "loss_x2e_val": -0.1}),
        (20, {"loss": 1 / 3}),
        (30, {"loss": 0.25}),
        (35, {"loss_x2e_val": 1e-7}),
    ]
    table = plan.summary["records"]
    assert isinstance(table, dict)
    assert {name: value for name, value in plan.summary.items() if name != "records"} == {
        "acc": 0.25,
        "acc/mean_of_records": 0.5,
        "gr_xf6__xdf_e": 2**53 - 1,
        "loss": 0.25,
        "loss_x2e_val": 1e-7,
        "pass_x40_1": 1,
    }
    assert plan.config["runstore"] == {
        "commit": "c" * 40,
        "datasets": [{"digest": "sha256:abc", "name": "questions", "version": "2"}],
        "digest": full.digest,
        "dirty": True,
        "key": plan.key,
        "name": "small",
        "parent": "0123456789abcdef" * 2,
        "project": "qa",
        "records": 3,
        "run_id": full.manifest.run_id,
        "status": "completed",
        "suite": "nightly",
        "tags": {"long": "x" * 80, "owner": "ann"},
    }
    assert (plan.title, plan.note, plan.group) == ("small", "# Read *this*\n", "nightly")


def test_every_change_is_told(full: Run) -> None:
    label = planned(full, "./out", {}).labels[0]
    assert len(label) == 64
    assert label.startswith("long=xxx")
    assert deeds(full) == [
        ("renamed", "param", "_hidden", "_x5f_hidden"),
        ("renamed", "param", "model.size", "model_x2e_size"),
        ("renamed", "param", "runstore", "_x72_unstore"),
        ("renamed", "metric", "größe", "gr_xf6__xdf_e"),
        ("renamed", "metric", "loss.val", "loss_x2e_val"),
        ("renamed", "metric", "pass@1", "pass_x40_1"),
        ("converted", "metric", "acc", "acc/mean_of_records"),
        ("truncated", "record", "output", "output"),
        ("truncated", "tag", "long", label),
    ]


def test_the_names_that_were_changed_can_be_had_back_from_a_file(full: Run) -> None:
    files = {one.path: one.content for one in planned(full, "./out", {}).attachments}
    names = json.loads(files["runstore/names.json"] or b"")
    assert names["metric"] == {"gr_xf6__xdf_e": "größe", "loss_x2e_val": "loss.val", "pass_x40_1": "pass@1"}
    assert list(files) == ["artifacts/models/weights.bin", TABLE_FILE, "records.jsonl", "runstore/names.json"]


def test_two_figures_of_one_name_are_a_conflict_and_nothing_is_sent(tmp_path: Path) -> None:
    metrics = {"acc": HIGHER, "acc/mean_of_records": HIGHER}
    points = [("acc", 1, 0), ("acc/mean_of_records", 7, None)]
    run = read_run(write_run(tmp_path / "r", passing(2), metrics, points=points))
    plan = planned(run, "./out", {})
    with pytest.raises(UsageError, match="1 conflict"):
        refuse_conflicts(plan)


def test_the_table_shows_each_record_with_numbers_as_numbers(full: Run) -> None:
    table = next(one for one in planned(full, "./out", {}).attachments if one.path == TABLE_FILE)
    assert json.loads(table.content or b"") == {
        "columns": ["id", "score/acc", "score/pass@1", "tag/lang", "input", "output"],
        "data": [
            ["q-0", 0, 0, "de", '{"email":"bob@example.com","question":0}', "short"],
            ["q-1", 0.5, 1, "de", '{"email":"bob@example.com","question":1}', "short"],
            ["q-2", 1, 2, "de", '{"email":"bob@example.com","question":2}', "y" * 4000 + "…"],
        ],
    }


def test_a_table_ends_where_w_and_b_ends_it_and_the_records_travel_whole(tmp_path: Path) -> None:
    with unsynced():
        run = read_run(write_run(tmp_path / "r", passing(MOST_ROWS + 1)))
    plan = planned(run, "./out", {})
    table = plan.summary["records"]
    assert isinstance(table, dict)
    assert table["nrows"] == MOST_ROWS
    assert deeds(run) == [("truncated", "record", "table", f"{MOST_ROWS} rows")]
    assert "records.jsonl" in [one.path for one in plan.attachments]


@pytest.mark.parametrize(
    ("glob", "secret"),
    [
        ("email", "bob@example.com"),
        ("input.email", "bob@example.com"),
        ("input", '"question":'),
        ("owner", "ann"),
        ("lang", '"de"'),
        ("tags.lang", '"de"'),
        ("_hidden", "_hidden"),
        ("notes", "Read"),
        ("pass@*", "pass"),
        ("scores.acc", "score/acc"),
        ("id", "q-0"),
    ],
)
def test_what_is_redacted_is_nowhere_in_what_is_written(full: Run, tmp_path: Path, glob: str, secret: str) -> None:
    def written(place: str, redact: list[str]) -> str:
        plan = planned(full, str(tmp_path / place), {}, redact=redact)
        receipt = exporter.push(plan, full, visit())
        assert receipt.url is not None
        parts = [file.read_bytes() for file in Path(receipt.url).rglob("*") if file.is_file()]
        return b"".join(parts).decode(errors="replace").replace('\\"', '"')

    assert secret in written("all", [])
    assert secret not in written("some", [glob])
    assert any(deed == "redacted" for deed, *_ in deeds(full, redact=[glob]))


def test_what_is_left_out_makes_another_run_and_where_it_goes_does_not(full: Run) -> None:
    key = planned(full, "./out", {}).key
    assert key == planned(full, "ann/p", {}).key
    others: list[dict[str, Any]] = [{"redact": ["x"]}, {"records": False}, {"artifacts": False}]
    assert len({key, *(planned(full, "./out", {}, **other).key for other in others)}) == 4


def test_without_records_and_artifacts_no_file_of_the_run_is_sent(full: Run) -> None:
    plan = planned(full, "./out", {}, records=False, artifacts=False)
    assert [one.path for one in plan.attachments] == ["runstore/names.json"]
    dropped = [(kind, name) for deed, kind, name, _ in deeds(full, records=False, artifacts=False) if deed == "dropped"]
    assert dropped == [("record", "records.jsonl"), ("artifact", "artifacts/models/weights.bin")]


def test_what_is_written_offline_reads_back_equal(full: Run, tmp_path: Path) -> None:
    plan = planned(full, str(tmp_path), {})
    receipt = exporter.push(plan, full, visit())
    assert (receipt.created, receipt.requests) == (True, 0)
    assert exporter.verify(plan, full, visit()) == []
    folder = tmp_path / f"offline-run-19700101_000000-{plan.key}"
    assert receipt.url == str(folder)
    assert (folder / "files/artifacts/models/weights.bin").read_bytes() == bytes(range(256))


def test_the_same_run_gives_the_same_bytes_and_is_one_run(full: Run, tmp_path: Path) -> None:
    plans = [planned(full, str(tmp_path / name), {}) for name in ("a", "b")]
    logs = []
    for plan in plans:
        exporter.push(plan, full, visit())
        logs.append((offline.folder_of(plan, {}) / f"run-{plan.key}.wandb").read_bytes())
    assert logs[0] == logs[1]
    assert not exporter.push(plans[0], full, visit()).created
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_nothing_of_this_machine_is_written(full: Run, tmp_path: Path) -> None:
    plan = planned(full, str(tmp_path / "out"), {"USER": "somebody", "HOME": "/home/somebody", "SECRET": "hush"})
    exporter.push(plan, full, visit({"SECRET": "hush"}))
    data = b"".join(file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file())
    told = [socket.gethostname(), str(Path.cwd()), str(tmp_path), "somebody", "hush", "fingerprint-of-this-host"]
    assert [word for word in told if word.encode() in data] == []


@pytest.mark.parametrize("damage", ["cut", "flip", "header", "empty", "gone"])
def test_a_damaged_folder_is_told_and_never_changed(full: Run, tmp_path: Path, damage: str) -> None:
    plan = planned(full, str(tmp_path), {})
    exporter.push(plan, full, visit())
    file = offline.folder_of(plan, {}) / f"run-{plan.key}.wandb"
    data = file.read_bytes()
    damaged = {"cut": data[:-3], "flip": data[:99] + b"\x00" + data[100:], "header": b"x" + data, "empty": b""}
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(damaged[damage])
    for act in (exporter.push, exporter.verify):
        with pytest.raises(ExportError) as told:
            act(plan, full, visit())
        assert told.value.hint
        assert str(file) in told.value.where
    assert damage == "gone" or file.read_bytes() == damaged[damage]


def test_each_thing_that_differs_is_found(full: Run, tmp_path: Path) -> None:
    plan = planned(full, str(tmp_path), {})
    exporter.push(plan, full, visit())
    other = write_full_run(tmp_path / "other", lr=0.2)
    wrong = planned(other, str(tmp_path), {})
    folder = offline.folder_of(plan, {})
    (folder / "files/records.jsonl").write_bytes(b"")
    (folder / "files" / TABLE_FILE).unlink()
    (folder / f"run-{plan.key}.wandb").rename(folder / f"run-{wrong.key}.wandb")
    folder.rename(offline.folder_of(wrong, {}))
    found = {(one.kind, one.name): (one.planned, one.found) for one in exporter.verify(wrong, other, visit())}
    assert found.pop(("run", "digest")) == (f'"{other.digest}"', f'"{full.digest}"')
    assert found.pop(("run", "key")) == (f'"{wrong.key}"', f'"{plan.key}"')
    assert found.pop(("run", "run_id"))
    assert found.pop(("param", "lr")) == ("0.2", "0.1")
    assert found.pop(("artifact", TABLE_FILE)) == ("a file", None)
    assert found.pop(("artifact", "records.jsonl"))[1] == "0 bytes, MD5 d41d8cd98f00b204e9800998ecf8427e"
    assert found == {}


_WRITE = """
import sys
from runstore.exporters.exporting import export
export(sys.argv[1], to="wandb", target=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("seen", ["*", "*/files", "*/files/artifacts/*", "*/*.wandb", "offline-run-*"])
def test_a_job_that_is_killed_while_it_writes_leaves_nothing_that_passes_for_a_run(tmp_path: Path, seen: str) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(8 * 1024 * 1024)
    with RunWriter(tmp_path / "run", metrics=METRICS) as writer:
        for number in range(4):
            writer.add_artifact(big, f"{number}.bin")
    out = tmp_path / "out"
    out.mkdir()
    words = [sys.executable, "-c", _WRITE, str(tmp_path / "run"), str(out)]
    environment = clean_environment(tmp_path)
    process = subprocess.Popen(words, env=environment)
    while process.poll() is None and not any(out.glob(seen)):
        pass
    process.kill()
    process.wait()
    run = read_run(tmp_path / "run")
    plan = planned(run, str(out), {})
    whole = [place for place in out.iterdir() if not place.name.startswith(".")]
    assert whole == [] or exporter.verify(plan, run, visit()) == []
    subprocess.run(words, env=environment, check=True)
    assert exporter.verify(plan, run, visit()) == []
    assert [place.name for place in out.iterdir() if not place.name.startswith(".")] == [
        f"offline-run-19700101_000000-{plan.key}"
    ]


def test_a_log_that_ends_too_early_is_no_whole_run(full: Run, tmp_path: Path) -> None:
    plan = planned(full, str(tmp_path), {})
    exporter.push(plan, full, visit())
    file = offline.folder_of(plan, {}) / f"run-{plan.key}.wandb"
    file.write_bytes(log.write(list(messages(plan))[:-1]))
    with pytest.raises(ExportError, match="something else"):
        exporter.push(plan, full, visit())
    assert [(one.name, one.found) for one in exporter.verify(plan, full, visit())] == [("state", "running")]


def test_a_push_without_time_leaves_nothing_behind(full: Run, tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        exporter.push(planned(full, str(tmp_path), {}), full, visit(timeout_s=0))
    assert list(tmp_path.iterdir()) == []


def test_another_run_at_the_place_is_left_alone(full: Run, tmp_path: Path) -> None:
    plan = planned(full, str(tmp_path), {})
    place = offline.folder_of(plan, {})
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with pytest.raises(ExportError):
        exporter.push(plan, full, visit())
    assert [one.name for one in place.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("status", "state"), [("completed", "finished"), ("failed", "failed"), ("killed", "failed")])
def test_how_a_run_ended_is_told(tmp_path: Path, status: Any, state: str) -> None:
    run = write_full_run(tmp_path / "r", status)
    plan = planned(run, "./out", {})
    found = read_messages(log.read(log.write(messages(plan))))
    own = found.config["runstore"]
    assert isinstance(own, dict)
    assert (found.state, own["status"]) == (state, status)


def test_a_run_without_anything_is_a_run(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "r", [], {}))
    plan = planned(run, str(tmp_path / "out"), {})
    exporter.push(plan, run, visit())
    assert exporter.verify(plan, run, visit()) == []
    assert (plan.attachments, plan.summary, plan.row_count) == ([], {}, 0)


@given(st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(bytes)), max_size=12))
def test_a_log_gives_back_the_messages_it_was_made_of(parts: list[bytes]) -> None:
    assert list(log.read(log.write(parts))) == parts


@given(st.integers(32_700, 32_800), st.integers(0, 40_000))
def test_a_message_may_end_anywhere_in_a_block(first: int, second: int) -> None:
    parts = [bytes(first), b"x" * second, b"end"]
    assert list(log.read(log.write(parts))) == parts


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.data())
def test_a_log_that_was_changed_anywhere_is_refused_or_says_the_same(parts: list[bytes], data: st.DataObject) -> None:
    whole = log.write(parts)
    place = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError):  # noqa: PT011  # which words depends on where it was changed
        list(log.read(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]))


_NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1), st.floats(-1e15, 1e15, allow_subnormal=True), st.sampled_from([1e300, 5e-324])
)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
        st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(st.characters(codec="utf-8"), max_size=20)),
        max_size=6,
    ),
    st.lists(_NUMBERS, max_size=6),
)
def test_any_params_and_numbers_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, params: dict[str, JsonValue], values: list[int | float]
) -> None:
    place = tmp_path_factory.mktemp("any")
    try:
        with unsynced():
            run = read_run(
                write_run(
                    place / "r",
                    [],
                    METRICS,
                    identity=Identity(params=params),
                    points=[("loss", value, step) for step, value in enumerate(values)],
                )
            )
    except RunstoreError:
        return  # a number that a run cannot hold
    plan = exporter.plan(run, Options(target=str(place / "out")))
    with unsynced():
        exporter.push(plan, run, visit())
    assert exporter.verify(plan, run, visit()) == []
    assert {unescape(name): value for name, value in plan.config.items() if name != "runstore"} == params
