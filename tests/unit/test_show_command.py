"""`gate show`: what a run holds, readable for people and exact for programs, and safe for a terminal."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runstore.cli import main
from runstore.cli.boundary import run_guarded
from runstore.manifest import Identity, MetricDeclaration
from runstore.store.writer import RunWriter

CORPUS = Path(__file__).parents[1] / "corpus" / "runs" / "valid"
Gate = Callable[..., tuple[int, str, str]]

TEXT = """\
run          qa / hard / réponse
run id       f2a68e920c7c304c7c12586a463947e9
status       completed
parent       00000000000000000000000000000000
data set     a 3 sha256:1
data set     b sha256:2
param        model = "m-1"
param        temperature = 0.2
tag          team = search
commit       cccccccccccccccccccccccccccccccccccccccc
environment  py3.11
attempt      2
origin       {"decisions":{"duplicate":{"choice":"first","count":2}},"importer":"jsonl","mapping":{"id":"doc_id"}}
notes        # Notes\\nTwo lines, "quoted".
records      7 (5 ok, 1 error, 1 skipped)

metric       better  unit  count  missing  mean                 stddev
exact_match  higher  -     4      3        0.4375               0.42695628191498325
latency      lower   s     3      4        0.10000003333333334  0.09999995000000417

series   better  unit  points
latency  lower   s     1

lang  records  exact_match  latency
de    1        1            0.1
en    2        0            0.2

topic  records  exact_match  latency
maths  1        1            0.1

file                        bytes  lines  sha256
artifacts/empty             0      -      e3b0c44298fc
artifacts/plots/grün 1.bin  13     -      7992995e575c
records.jsonl               685    7      bdb46f5d1b78
series.jsonl                32     1      99a5c5cd372d
summary.json                2143   -      5c0b6851ec0d
"""


def test_a_run_is_shown_whole(gate: Gate) -> None:
    assert gate("show", CORPUS / "v1-records") == (0, TEXT, "")


def test_the_json_form_holds_manifest_and_summary_as_they_are(gate: Gate) -> None:
    code, out, err = gate("show", CORPUS / "v1-training", "--format", "json")
    expected = {
        name: json.loads((CORPUS / "v1-training" / f"{name}.json").read_bytes()) for name in ("manifest", "summary")
    }
    assert (code, json.loads(out), err) == (0, expected, "")


def test_a_record_is_shown_with_all_its_repeats(gate: Gate) -> None:
    expected = """\
id: q-1

id: q-1
repeat: 2
scores: {"exact_match":0.5}

id: q-1
repeat: 10
scores: {"exact_match":0.25,"latency":1e-7}
"""
    assert gate("show", CORPUS / "v1-records", "--record", "q-1") == (0, expected, "")


def test_a_record_that_failed_shows_why(gate: Gate) -> None:
    expected = """\
id: \ue000
status: error
reason: {"message":"60 s","type":"TimeoutError"}
scores: {"latency":60}
tags: {"lang":"en"}
"""
    assert gate("show", CORPUS / "v1-records", "--record", "\ue000") == (0, expected, "")


def test_a_record_in_json_is_an_array_of_its_repeats(gate: Gate) -> None:
    code, out, _ = gate("show", CORPUS / "v1-records", "--record", "q-2", "--format", "json")
    lines = (CORPUS / "v1-records" / "records.jsonl").read_bytes().splitlines()
    assert (code, json.loads(out)) == (0, [json.loads(line) for line in lines if b'"q-2"' in line])


def test_a_record_that_is_not_there_is_usage(gate: Gate) -> None:
    run = CORPUS / "v1-records"
    expected = f"gate: error: {run} has no record 'q-3'\n  hint: ids are compared exactly\n"
    assert gate("show", run, "--record", "q-3") == (2, "", expected)


@pytest.mark.parametrize("flags", [(), ("--format", "json"), ("--record", "a")])
def test_a_run_that_is_not_one_exits_with_3(flags: tuple[str, ...], tmp_path: Path, gate: Gate) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.append({"id": "a"})
    for path in ("summary.json", "records.jsonl"):
        data = (tmp_path / "run" / path).read_bytes()
        (tmp_path / "run" / path).write_bytes(data.replace(b"1", b"2").replace(b"a", b"b"))
    code, out, err = gate("show", tmp_path / "run", *flags)
    assert (code, out, "is not the file that the manifest lists" in err) == (3, "", True)


def hostile_run(folder: Path) -> Path:
    hostile = "\x1b[31m\x9b\u202e\n::error::x"
    metrics = {"a" + hostile: MetricDeclaration(unit=hostile)}
    with RunWriter(
        folder,
        identity=Identity(name=hostile, params={hostile: hostile}),
        metrics=metrics,
        slices=[hostile],
        notes=hostile,
    ) as writer:
        writer.append({"id": "a", "output": hostile, "scores": {"a" + hostile: 1}, "tags": {hostile: hostile}})
    return folder


@pytest.mark.parametrize("flags", [(), ("--record", "a")])
def test_nothing_of_a_run_reaches_a_terminal_as_a_control_or_a_log_as_a_command(
    flags: tuple[str, ...], tmp_path: Path, gate: Gate
) -> None:
    code, out, _ = gate("show", hostile_run(tmp_path / "run"), *flags)
    assert (code, [char for char in out if not (char.isprintable() or char == "\n")]) == (0, [])
    assert [line for line in out.splitlines() if line.lstrip().startswith("::")] == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_exact_in_a_pipe_and_escaped_on_a_terminal(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hostile_run(tmp_path / "run")
    _, piped, _ = gate("show", run, "--record", "a", "--format", "json")
    assert json.loads(piped)[0]["output"] == "\x1b[31m\x9b\u202e\n::error::x"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run_guarded(main.gate) == 0
    assert "\x9b" in piped
    assert [char for char in terminal.getvalue() if not (char.isprintable() or char == "\n")] == []


def test_many_values_of_a_slice_are_cut_and_counted(tmp_path: Path, gate: Gate) -> None:
    with RunWriter(tmp_path / "run", slices=["user"]) as writer:
        for number in range(25):
            writer.append({"id": str(number), "tags": {"user": f"u{number:02}"}})
    _, out, _ = gate("show", tmp_path / "run")
    rows = out.split("user")[1].splitlines()
    assert rows[:3] == ["          records", "u00           1", "u01           1"]
    assert rows[20:22] == ["u19           1", "… and 5 more"]


def test_a_record_is_found_in_whichever_shard_it_stands(tmp_path: Path, gate: Gate) -> None:
    with RunWriter(tmp_path / "run") as writer:
        for number in range(40):
            writer.append({"id": f"{number:02}", "output": "x" * 900_000, "metadata": {"n": number}})
    shards = [path.read_bytes() for path in sorted((tmp_path / "run").glob("records-*.jsonl"))]
    assert len(shards) > 2
    ends = sorted({line[7:9].decode() for data in shards for line in (data, data.splitlines()[-1])})
    for name in ends:
        code, out, _ = gate("show", tmp_path / "run", "--record", name, "--format", "json")
        assert (code, [found["metadata"] for found in json.loads(out)]) == (0, [{"n": int(name)}])


def test_volatile_measures_are_listed(tmp_path: Path, gate: Gate) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.append({"id": "a"})
        writer.add_volatile("measures", {"p95_ms": 112.5, "cost\x1b": 2})
    _, out, _ = gate("show", tmp_path / "run")
    assert out.endswith("volatile  value\ncost\\x1b  2\np95_ms    112.5\n")
