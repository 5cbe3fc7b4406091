"""The TensorBoard exporter: what it plans, the bytes it writes, and what it reads back."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import re
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.errors import InvalidRunError, UsageError
from runstore.exporters import wire
from runstore.exporters.contract import ExportError, PlannedPoint
from runstore.exporters.tensorboard import events, exporter, framing
from runstore.exporters.tensorboard.histograms import BUCKETS, make_buckets
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.exporters.tensorboard.tables import of_members
from runstore.manifest import Identity
from runstore.store.reader import read_run
from tests.export_runs import NUMBERS, PARAMS, options, visit, whole_run, write_whole_run
from tests.factories import files_of, write_run

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def planned(tmp_path: Path, **asked: object) -> TensorboardPlan:
    return exporter.plan(whole_run(tmp_path / "run"), options(tmp_path / "tb", **asked))


def pushed(tmp_path: Path) -> tuple[TensorboardPlan, Path]:
    """The plan of a run that was exported, and the folder it stands in."""
    run = whole_run(tmp_path / "run")
    plan = exporter.plan(run, options(tmp_path / "tb"))
    exporter.push(plan, run, visit())
    return plan, tmp_path / "tb" / plan.folder


def told(plan: TensorboardPlan) -> list[tuple[str, str, str, str | None]]:
    return [(change.deed, change.kind, change.name, change.sent) for change in plan.changes]


def test_the_checksum_is_crc_32c() -> None:
    """RFC 3720, appendix B.4."""
    assert framing.crc32c(b"123456789") == 0xE3069283
    assert framing.crc32c(bytes(32)) == 0x8A9136AA
    assert framing.crc32c(b"\xff" * 32) == 0x62A8AB43


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_what_is_framed_is_read_back(messages: list[bytes]) -> None:
    assert list(framing.read(b"".join(map(framing.frame, messages)))) == messages


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_file_with_a_changed_or_missing_byte_is_damaged(message: bytes, data: st.DataObject) -> None:
    whole = framing.frame(message)
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(changed), whole[: place or 1]):
        with pytest.raises(ValueError, match=r"cut off|checksum"):
            list(framing.read(damaged))


@given(st.integers(0, 2**63 - 1), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"])))
def test_fields_of_a_message_are_read_back(number: int, value: float, text: str) -> None:
    data = wire.integer(1, number) + wire.double(2, value) + wire.text(3, text) + wire.doubles(4, (value, 0.5))
    assert wire.whole(data, 1) == number
    assert wire.read_doubles(wire.part(data, 2)) == (value,)
    assert wire.part(data, 3).decode() == text
    assert wire.read_doubles(wire.part(data, 4)) == (value, 0.5)


def test_every_number_comes_back_to_the_bit(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    found = events.read((folder / plan.file).read_bytes())
    assert [struct.pack("<d", value) for _, value in found.scalars["huge"]] == [
        struct.pack("<d", float(value)) for value in NUMBERS
    ]
    assert found.scalars["pass@1 é"] == [(step * 3, step / 7) for step in range(12)]
    assert found.scalars["final/loss"] == [(0, 0.123456789012345678)]
    assert found.scalars["records/mean/acc"] == [(0, 0.45)]
    assert found.status == 1


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (0, 0.0),
        (0.5, 0.5),
        (0.1, 0.10000000149011612),
        (16777217, 16777216.0),
        (1e300, 3.4028234663852886e38),
        (-1e300, -3.4028234663852886e38),
        (5e-324, 1.401298464324817e-45),
        (-1e-50, -1.401298464324817e-45),
    ],
)
def test_a_number_is_shown_as_the_nearest_that_is_finite_and_0_only_for_0(number: float, seen: float) -> None:
    assert events.shown(number) == seen


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_is_shown_as_0_or_infinite_that_is_not(number: float) -> None:
    seen = events.shown(number)
    assert math.isfinite(seen)
    assert (seen == 0) == (number == 0)
    assert events.shown(seen) == seen
    assert math.copysign(1, seen) == math.copysign(1, number)


def test_params_keep_their_type_and_text_tables_their_values(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    found = events.read((folder / plan.file).read_bytes())
    assert {name: (value, type(value)) for name, value in found.hyperparameters.items()} == {
        name: (value, float if type(value) is int else type(value)) for name, value in PARAMS.items()
    }
    rows = re.findall(r"^\| `(.*)` \| `(.*)` \|$", found.texts["runstore/params"], re.M)
    assert {json.loads(name): json.loads(value) for name, value in rows} == PARAMS
    assert found.texts["runstore/notes"] == "# Notes\n\n*first* try"
    assert '| `"squad"` | `"sha256:00"` | `"2"` |' in found.texts["runstore/datasets"]
    assert '| `"team"` | `"qa"` |' in found.texts["runstore/tags"]


def test_nothing_of_the_host_is_sent(tmp_path: Path) -> None:
    _, folder = pushed(tmp_path)
    sent = b"".join(files_of(folder).values())
    for private in (b"fingerprint-of-a-host", os.uname().nodename.encode(), os.fsencode(tmp_path)):
        assert private not in sent


def test_the_plan_tells_what_is_not_as_it_was(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert told(plan) == [
        ("renamed", "metric", "final/acc", "_x66_inal/acc"),
        *(("converted", "metric", tag, tag) for tag in ("final/loss", "huge", "pass@1 é", "records/mean/acc")),
        ("converted", "record", "acc", "records/scores/acc"),
        ("dropped", "artifact", "artifacts/program.py", None),
        ("attached", "record", "records", "runstore/records"),
    ]
    assert plan.folder == f"demo _x2f_ x/try one-{plan.key[:8]}"
    assert plan.counts() == {
        "params": 9, "tags": 2, "notes": 1, "points": 38, "files": 3, "texts": 5, "histograms": 1,
    }  # fmt: skip


def test_the_records_stand_beside_with_every_byte(tmp_path: Path) -> None:
    _, folder = pushed(tmp_path)
    assert (folder / "runstore/records.jsonl").read_bytes() == (tmp_path / "run/records.jsonl").read_bytes()
    assert json.loads((folder / "runstore/names.json").read_text()) == {"metric": {"_x66_inal/acc": "final/acc"}}


def test_a_histogram_counts_the_scores_of_records_that_are_ok(tmp_path: Path) -> None:
    """Of 40 records two are not; ten values, four records each, less those two."""
    buckets = planned(tmp_path).histograms["records/scores/acc"]
    assert [count for *_, count in buckets if count] == [4, 4, 4, 3, 4, 4, 3, 4, 4, 4]


def test_a_final_figure_is_never_taken_for_a_metric_of_that_name(tmp_path: Path) -> None:
    names = [point.name for point in planned(tmp_path).points]
    assert {"final/loss", "_x66_inal/acc"} <= set(names)
    assert "final/acc" not in names


@pytest.mark.parametrize(
    ("glob", "gone"),
    [
        ("lr", "lr"),
        ("owner*", "ann@example.com"),
        ("squad", "squad"),
        ("notes", "first"),
        ("loss", "0.12345"),
        ("metadata.email", "metadata.email"),
        ("email", "email"),
    ],
)
def test_what_is_redacted_is_in_no_file_and_is_told(tmp_path: Path, glob: str, gone: str) -> None:
    run = whole_run(tmp_path / "run")
    plan = exporter.plan(run, options(tmp_path / "tb", redact=[glob]))
    exporter.push(plan, run, visit())
    assert any(change.deed == "redacted" for change in plan.changes)
    folder = tmp_path / "tb" / plan.folder
    found = events.read((folder / plan.file).read_bytes())
    assert gone not in str(found)
    assert (folder / "runstore/series.jsonl").read_text().count('"name":"loss"') == (glob != "loss")
    records = (folder / "runstore/records.jsonl").read_text()
    assert ("email" in records) == (glob not in ("email", "metadata.email"))
    assert list(exporter.verify(plan, run, visit())) == []


def test_a_redacted_id_keeps_all_records_here(tmp_path: Path) -> None:
    plan = planned(tmp_path, redact=["id"])
    assert ("redacted", "record", "id", None) in told(plan)
    assert [file.path for file in plan.attachments] == ["runstore/series.jsonl", "runstore/names.json"]


def test_the_same_run_makes_the_same_bytes_wherever_it_goes(tmp_path: Path) -> None:
    found = []
    for place in ("one", "two/deep"):
        run = read_run(write_whole_run(tmp_path / place / "run"))
        plan = exporter.plan(run, options(tmp_path / place / "tb"))
        exporter.push(plan, run, visit())
        found.append(files_of(tmp_path / place / "tb"))
    assert found[0] == found[1]


def test_the_same_run_again_is_there_already_and_nothing_is_touched(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    receipt = exporter.push(plan, read_run(tmp_path / "run"), visit())
    assert not receipt.created
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


def test_a_changed_run_is_another_run_and_names_the_one_before(tmp_path: Path) -> None:
    first, folder = pushed(tmp_path)
    changed = read_run(write_whole_run(tmp_path / "run", replace=True, shift=1.0))
    second = exporter.plan(changed, options(tmp_path / "tb", previous=first.key))
    exporter.push(second, changed, visit())
    there = tmp_path / "tb" / second.folder
    assert there != folder
    assert second.link_file is not None
    assert first.key in events.read((there / second.link_file).read_bytes()).texts["runstore/previous"]
    assert list(exporter.verify(second, changed, visit())) == []
    # What is known of runs before changes no byte of the run itself.
    again = exporter.plan(changed, options(tmp_path / "tb"))
    assert not exporter.push(again, changed, visit()).created


def export_at_once(tmp_path: Path, number: int) -> None:
    run = read_run(tmp_path / "run")
    receipt = exporter.push(exporter.plan(run, options(tmp_path / "tb")), run, visit())
    (tmp_path / f"created-{number}").write_text(str(receipt.created))


def test_jobs_at_once_make_one_run(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run", records=300, steps=300)
    jobs = [multiprocessing.get_context("fork").Process(target=export_at_once, args=(tmp_path, n)) for n in range(6)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
    assert sorted((tmp_path / f"created-{number}").read_text() for number in range(6)) == ["False"] * 5 + ["True"]
    assert len(list((tmp_path / "tb").rglob("*tfevents*"))) == 1
    assert not list((tmp_path / "tb").rglob(".making-*"))


def test_with_something_left_out_it_is_another_run_there(tmp_path: Path) -> None:
    plan, _ = pushed(tmp_path)
    run = read_run(tmp_path / "run")
    less = exporter.plan(run, options(tmp_path / "tb", redact=["lr"]))
    assert less.key != plan.key
    assert exporter.push(less, run, visit()).created


def test_a_file_that_holds_something_else_is_never_written_to(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    (folder / plan.file).write_bytes(b"other")
    with pytest.raises(ExportError, match="holds something else") as caught:
        exporter.push(plan, read_run(tmp_path / "run"), visit())
    assert "remove its folder" in caught.value.hint
    assert (folder / plan.file).read_bytes() == b"other"
    assert not list(folder.rglob(".making-*"))


def test_without_hard_links_a_file_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object, **how: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    plan, folder = pushed(tmp_path)
    run = read_run(tmp_path / "run")
    assert list(exporter.verify(plan, run, visit())) == []
    assert not exporter.push(plan, run, visit()).created
    assert not list(folder.rglob(".making-*"))


def damaged(folder: Path, plan: TensorboardPlan, edit: str) -> None:
    file = folder / plan.file
    data = file.read_bytes()
    if edit == "point":
        at = data.rindex(struct.pack("<d", 11 / 7))
        frames = list(framing.read(data))
        changed = [
            one.replace(struct.pack("<d", 11 / 7), struct.pack("<d", math.nextafter(11 / 7, 9))) for one in frames
        ]
        assert at > 0
        assert changed != frames
        file.write_bytes(b"".join(map(framing.frame, changed)))
    elif edit == "cut":
        file.write_bytes(data[:-3])
    elif edit == "gone":
        file.unlink()
    elif edit == "more":
        more = replace(plan, points=[PlannedPoint(name="extra", step=0, value=1.0)])
        file.write_bytes(data + b"".join(list(events.write(more))[2:]))
    elif edit == "records":
        (folder / "runstore/records.jsonl").write_bytes(b"{}\n")


@pytest.mark.parametrize(
    ("edit", "kind", "name", "found"),
    [
        ("point", "metric", "pass@1 é", "1.5714285714285716 at step 33"),
        ("cut", "run", "try one", "a damaged event file: cut off at byte"),
        ("gone", "run", "try one", None),
        ("more", "metric", "extra", "1.0 at step 0"),
        ("records", "artifact", "runstore/records.jsonl", "ca3d163bab055381827226140568f3be"),
    ],
)  # fmt: skip
def test_what_reads_back_otherwise_is_told(tmp_path: Path, edit: str, kind: str, name: str, found: str | None) -> None:
    plan, folder = pushed(tmp_path)
    damaged(folder, plan, edit)
    one = list(exporter.verify(plan, read_run(tmp_path / "run"), visit()))
    assert [(difference.kind, difference.name) for difference in one] == [(kind, name)]
    assert (one[0].found or "").startswith(found or "")
    assert (one[0].found is None) == (found is None)


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    (tmp_path / "tb").write_text("")
    with pytest.raises(UsageError, match="is or lies in a file"):
        exporter.push(exporter.plan(run, options(tmp_path / "tb")), run, visit())


def test_a_budget_that_is_over_leaves_nothing_half_written(tmp_path: Path) -> None:
    run = whole_run(tmp_path / "run")
    plan = exporter.plan(run, options(tmp_path / "tb"))
    with pytest.raises(ExportError, match="are over"):
        exporter.push(plan, run, visit(1e-9))
    assert list(files_of(tmp_path / "tb")) == []


def test_a_record_that_was_changed_is_found_while_it_is_planned(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    path = tmp_path / "run/records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"acc":0.3', b'"acc":0.4'))
    with pytest.raises(InvalidRunError, match="is not the file that the manifest lists"):
        exporter.plan(read_run(tmp_path / "run"), options(tmp_path / "tb"))


def test_a_run_without_anything_is_a_run_there(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run"))
    plan = exporter.plan(run, options(tmp_path / "tb"))
    assert exporter.push(plan, run, visit()).created
    assert list(exporter.verify(plan, run, visit())) == []
    assert list(plan.changes) == []


@pytest.mark.parametrize(
    ("project", "name", "folder"),
    [
        ("p", "n", "p/n"),
        ("..", ".hidden", "_x2e__x2e_/_x2e_hidden"),
        ("a/b", "con", "a_x2f_b/_x63__x6f__x6e_"),
        ("", "x" * 200, "_x_/" + "x" * 64 + "_xh"),
    ],
)
def test_the_folder_of_a_run_stays_within_the_target(tmp_path: Path, project: str, name: str, folder: str) -> None:
    identity = Identity(project=project, name=name)
    plan = exporter.plan(read_run(write_run(tmp_path / "run", identity=identity)), options("tb"))
    assert plan.folder.startswith(folder)
    assert plan.folder.count("/") == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_buckets_hold_every_number_and_lie_side_by_side(values: list[float]) -> None:
    buckets = make_buckets(values)
    assert sum(count for *_, count in buckets) == len(values)
    assert (buckets[0][0], buckets[-1][1]) == (min(values), max(values))
    assert all(one[1] == other[0] for one, other in pairwise(buckets))
    assert all(left <= right for left, right, _ in buckets)
    assert len(buckets) == (1 if min(values) == max(values) else BUCKETS)
    assert make_buckets(sorted(values)) == buckets


@given(st.dictionaries(TEXTS, TEXTS))
def test_a_cell_holds_no_markdown_and_is_read_back(members: dict[str, str]) -> None:
    lines = of_members({**members}).split("\n")[2:-1]
    cells = [re.fullmatch(r"\| `([^`|<>]*)` \| `([^`|<>]*)` \|", line) for line in lines]
    assert {json.loads(cell[1]): json.loads(cell[2]) for cell in cells if cell} == members
