"""`gate fmt`: what a person edited is written again canonically, whole or not at all, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runstore.manifest import Dataset, Identity, MetricDeclaration
from runstore.store.writer import RunWriter

CORPUS = Path(__file__).parents[1] / "corpus" / "runs" / "valid"
Gate = Callable[..., tuple[int, str, str]]
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def canonical_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canonical") / "run"
    (folder.parent / "plot.bin").write_bytes(b"\x00\xff")
    identity = Identity(params={"seed": 7}, datasets=[Dataset(name="a", digest="1"), Dataset(name="b", digest="2")])
    metrics = {"acc": MetricDeclaration(range=(0, 10)), "loss": MetricDeclaration(direction="lower")}
    with RunWriter(folder, identity=identity, metrics=metrics, slices=["lang", "topic"]) as writer:
        writer.append({"id": "a", "input": "é", "scores": {"acc": 10}, "tags": {"lang": "de"}})
        writer.append({"id": "b", "metadata": {"x": 1, "y": 2}, "scores": {"acc": 0}})
        writer.append({"id": "c", "repeat": 2})
        writer.log_metric("loss", 0.5, 1)
        writer.log_metric("loss", 0.25)
        writer.add_artifact(folder.parent / "plot.bin", "plot.bin")
        writer.add_volatile("clock", {"seconds": 1})
    return folder


@pytest.fixture
def run(canonical_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(canonical_run, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def times(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in [folder, *sorted(folder.rglob("*"))]}


def rewritten(path: str, change: Callable[[bytes], bytes]) -> Edit:
    def edit(folder: Path) -> None:
        (folder / path).write_bytes(change((folder / path).read_bytes()))

    return edit


def swapped(path: str, old: bytes, new: bytes) -> Edit:
    def change(data: bytes) -> bytes:
        assert data.count(old) == 1, (old, data)
        return data.replace(old, new)

    return rewritten(path, change)


def edited(**members: object) -> Edit:
    """Members of the manifest set; None removes one."""

    def change(data: bytes) -> bytes:
        value = {**json.loads(data), **members}
        return json.dumps({name: member for name, member in value.items() if member is not None}).encode()

    return rewritten("manifest.json", change)


def reversed_lines(data: bytes) -> bytes:
    return b"".join(reversed(data.splitlines(keepends=True)))


def reordered_members(data: bytes) -> bytes:
    return json.dumps(dict(reversed(json.loads(data).items())), indent=7).encode()


RESTORED: dict[str, Edit] = {
    "lines in another order": rewritten("records.jsonl", reversed_lines),
    "CRLF": rewritten("records.jsonl", lambda data: data.replace(b"\n", b"\r\n")),
    "no final line feed": rewritten("records.jsonl", lambda data: data[:-1]),
    "blank lines": rewritten("records.jsonl", lambda data: b"\n \r\n" + data + b"\n\t\n"),
    "byte order mark": rewritten("records.jsonl", lambda data: b"\xef\xbb\xbf" + data),
    "white space": swapped("records.jsonl", b'{"x":1,"y":2}', b' { "x" : 1 ,\t"y": 2 } '),
    "keys out of order": swapped("records.jsonl", b'"x":1,"y":2', b'"y":2,"x":1'),
    "escapes": swapped("records.jsonl", "é".encode(), b"\\u00E9"),
    "integral double": swapped("records.jsonl", b'"acc":10}', b'"acc":1.00e1}'),
    "repeat as a double": swapped("records.jsonl", b'"repeat":2', b'"repeat":2.0'),
    "minus zero": swapped("records.jsonl", b'"acc":0}', b'"acc":-0.0}'),
    "points in another order": rewritten("series.jsonl", reversed_lines),
    "step as a double": swapped("series.jsonl", b'"step":1', b'"step":1.0'),
    "manifest in another layout": rewritten("manifest.json", lambda data: json.dumps(json.loads(data)).encode()),
    "manifest with members in another order": rewritten("manifest.json", reordered_members),
    "manifest with a byte order mark": rewritten("manifest.json", lambda data: b"\xef\xbb\xbf" + data),
    "manifest with the run id of another": edited(run_id="0" * 32),
    "manifest without a run id": edited(run_id=None),
    "manifest without digests": edited(files=None),
    "manifest with the digests of another": edited(files={"records.jsonl": {"lines": 1, "sha256": "x", "size": -1}}),
    "slices in another order": edited(slices=["topic", "lang"]),
    "data sets in another order": edited(
        identity={
            "datasets": [{"digest": "2", "name": "b"}, {"digest": "1", "name": "a"}],
            "name": "run",
            "params": {"seed": 7.0},
            "project": "default",
            "suite": "default",
        }
    ),
    "stale summary": swapped("summary.json", b'"records": 3', b'"records": 4'),
    "summary with merge marks": rewritten("summary.json", lambda data: b"<<<<<<< ours\n" + data),
    "summary of nothing": rewritten("summary.json", lambda data: b""),
    "no summary": lambda folder: (folder / "summary.json").unlink(),
}
"""Edits that say nothing new: the run as it was comes back, byte for byte."""


@pytest.mark.parametrize("name", RESTORED)
def test_an_edit_that_says_nothing_new_gives_the_same_bytes_as_before(
    name: str, run: Path, canonical_run: Path, gate: Gate
) -> None:
    RESTORED[name](run)
    assert gate("fmt", "--check", run) == (1, f"would change  {run}\n", "")
    assert gate("fmt", run) == (0, f"formatted  {run}\n", "")
    assert contents(run) == contents(canonical_run)
    assert gate("fmt", "--check", run) == (0, "", "")


ERRORS: dict[str, tuple[Edit, str]] = {
    "unknown field": (swapped("records.jsonl", b'"repeat":2', b'"repat":2'), "/records.jsonl:3 record 'c' /repat:"),
    "undeclared metric": (
        swapped("records.jsonl", b'"acc":0}', b'"bcc":0}'),
        "/records.jsonl:2 record 'b' /scores/bcc:",
    ),
    "out of range": (swapped("records.jsonl", b'"acc":0}', b'"acc":11}'), "/records.jsonl:2 record 'b' /scores/acc:"),
    "key twice in an object": (swapped("records.jsonl", b'"y":2', b'"x":2'), "/records.jsonl:2 /metadata: the key 'x'"),
    "twin keys": (
        rewritten("records.jsonl", lambda data: data + b'{"id":"a","repeat":1}\n'),
        "/records.jsonl:4: the key of records.jsonl:1 stands here again",
    ),
    "twin points": (
        rewritten("series.jsonl", lambda data: data + data.splitlines(keepends=True)[0]),
        "/series.jsonl:3: the key of series.jsonl:1 stands here again",
    ),
    "cut off line": (rewritten("records.jsonl", lambda data: data[:-5]), "/records.jsonl:3 byte 10: not JSON"),
    "not a record": (swapped("records.jsonl", b'{"id":"c","repeat":2}', b"7"), "/records.jsonl:3: expected an object"),
    "NaN": (swapped("records.jsonl", b'"acc":0}', b'"acc":NaN}'), "/records.jsonl:2 /scores/acc: nan"),
    "too large an integer": (
        swapped("records.jsonl", b'"x":1', b'"x":9007199254740993'),
        "/records.jsonl:2 /metadata/x: 9007199254740993 is beyond",
    ),
    "invalid UTF-8": (swapped("records.jsonl", "é".encode(), b"\xff"), "/records.jsonl:1 byte 19: not UTF-8"),
    "point of an undeclared metric": (
        swapped("series.jsonl", b'"loss","step"', b'"lost","step"'),
        "/series.jsonl:1 /name: the manifest declares no metric 'lost'",
    ),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), ": manifest.json is missing"),
    "manifest not JSON": (
        rewritten("manifest.json", lambda data: b"<<<<<<<" + data),
        "/manifest.json byte 0: not JSON",
    ),
    "manifest not an object": (rewritten("manifest.json", lambda data: b"[]"), "/manifest.json: expected an object"),
    "unknown member of the manifest": (edited(host="x"), "/manifest.json /host: unknown name 'host'"),
    "unknown member of a file": (
        edited(files={"records.jsonl": {"note": "mine"}}),
        "/manifest.json /files/records.jsonl/note: unknown name 'note'",
    ),
    "no identity": (edited(identity=None), "/manifest.json /: 'identity' is missing"),
    "slices of numbers": (edited(slices=[2, 1]), "/manifest.json /slices/0: expected a string"),
    "data sets of numbers": (
        edited(identity={"datasets": [2, 1], "name": "", "params": {}, "project": "", "suite": ""}),
        "/manifest.json /identity/datasets/0: expected an object",
    ),
    "format 2": (edited(format=2), "/manifest.json /format: format 2 is not known"),
    "unknown member of the summary": (
        swapped("summary.json", b'"records": 3', b'"median": 1, "records": 3'),
        "/summary.json /median: unknown name 'median'",
    ),
    "unknown total of a metric": (
        swapped("summary.json", b'"missing": 1', b'"median": 1, "missing": 1'),
        "/summary.json /metrics/acc/median: unknown name 'median'",
    ),
    "file of no use": (lambda folder: (folder / "notes.txt").touch(), "/notes.txt: is no file of a run"),
    "shard out of style": (
        lambda folder: (folder / "records-1.jsonl").touch(),
        "/records-1.jsonl: is no file of a run",
    ),
    "listed artifact gone": (
        lambda folder: (folder / "artifacts" / "plot.bin").unlink(),
        "/manifest.json /files/artifacts~1plot.bin: is listed and missing",
    ),
    "records gone": (
        lambda folder: (folder / "records.jsonl").unlink(),
        "/manifest.json /files/records.jsonl: is listed and missing",
    ),
    "artifact with a name that is not portable": (
        lambda folder: (folder / "artifacts" / "a:b").touch(),
        "/artifacts/a:b: character that is not portable",
    ),
    "link": (
        lambda folder: (folder / "artifacts" / "link").symlink_to("/etc/passwd"),
        "/artifacts/link: neither a file nor a folder",
    ),
}
"""Edits that cannot be written without loss, or without a guess; and where the message says so."""


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("flags", [(), ("--check",)], ids=["fmt", "check"])
def test_what_cannot_be_kept_is_refused_with_its_place_and_nothing_changes(
    name: str, flags: tuple[str, ...], run: Path, gate: Gate
) -> None:
    edit, expected = ERRORS[name]
    edit(run)
    before = times(run)
    code, out, err = gate("fmt", *flags, run)
    assert (code, out) == (3, "")
    assert err.startswith(f"gate: error: {run}{expected}"), err
    assert times(run) == before
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_canonical_run_is_not_touched(run: Path, gate: Gate) -> None:
    before = times(run)
    assert gate("fmt", run) == (0, "", "")
    assert times(run) == before


def test_the_frozen_runs_of_each_format_version_are_canonical(gate: Gate) -> None:
    assert gate("fmt", "--check", CORPUS) == (0, "", "")


def test_check_writes_nothing(run: Path, gate: Gate) -> None:
    RESTORED["lines in another order"](run)
    before = times(run.parent)
    assert gate("fmt", "--check", run)[0] == 1
    assert times(run.parent) == before


def test_an_edited_score_moves_summary_and_digests_and_stays_edited(run: Path, gate: Gate) -> None:
    swapped("records.jsonl", b'"acc":0}', b'"acc": 5 }')(run)
    assert gate("fmt", run) == (0, f"formatted  {run}\n", "")
    assert gate("validate", run) == (0, f"ok   {run}  3 records\n", "")
    assert b'"acc":5}' in (run / "records.jsonl").read_bytes()
    assert json.loads((run / "summary.json").read_bytes())["metrics"]["acc"]["sum"] == "15"


def test_volatile_facts_are_kept_as_they_are(run: Path, gate: Gate) -> None:
    (run / "volatile" / "deep").mkdir()
    (run / "volatile" / "deep" / "host.bin").write_bytes(b"\xff\r\n")
    (run / "volatile" / "deep" / "link").symlink_to("/nowhere")
    RESTORED["stale summary"](run)
    before = contents(run / "volatile")
    assert gate("fmt", run)[0] == 0
    assert contents(run / "volatile") == before
    assert (run / "volatile" / "deep" / "link").readlink() == Path("/nowhere")


def test_a_new_artifact_is_listed(run: Path, gate: Gate) -> None:
    (run / "artifacts" / "new.txt").write_bytes(b"new")
    assert gate("fmt", run)[0] == 0
    listed = json.loads((run / "manifest.json").read_bytes())["files"]
    assert sorted(listed) == [
        "artifacts/new.txt",
        "artifacts/plot.bin",
        "records.jsonl",
        "series.jsonl",
        "summary.json",
    ]


def test_shards_of_a_run_that_became_small_become_one_file(run: Path, gate: Gate, canonical_run: Path) -> None:
    lines = (run / "records.jsonl").read_bytes().splitlines(keepends=True)
    (run / "records.jsonl").unlink()
    (run / "records-0001.jsonl").write_bytes(b"".join(lines[:1]))
    (run / "records-0002.jsonl").write_bytes(b"".join(lines[1:]))
    edited(files={})(run)
    assert gate("fmt", run) == (0, f"formatted  {run}\n", "")
    assert contents(run) == contents(canonical_run)


def test_every_run_of_a_folder_is_formatted_even_when_one_cannot_be(run: Path, tmp_path: Path, gate: Gate) -> None:
    for name in ("bad", "loose", "sound"):
        shutil.copytree(run, tmp_path / "all" / name)
    RESTORED["CRLF"](tmp_path / "all" / "loose")
    ERRORS["NaN"][0](tmp_path / "all" / "bad")
    code, out, err = gate("fmt", tmp_path / "all")
    assert (code, out) == (3, f"formatted  {tmp_path / 'all'}/loose\n")
    assert err.startswith(f"gate: error: {tmp_path / 'all'}/bad/records.jsonl:2 /scores/acc: nan")


def test_a_run_reached_through_a_link_is_written_at_its_real_place(
    run: Path, tmp_path: Path, canonical_run: Path, gate: Gate
) -> None:
    link = tmp_path / "link"
    link.symlink_to(run)
    RESTORED["CRLF"](run)
    assert gate("fmt", link) == (0, f"formatted  {link}\n", "")
    assert (link.is_symlink(), contents(run)) == (True, contents(canonical_run))


def test_the_working_folder_is_not_replaced_under_the_callers_feet(
    run: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    RESTORED["CRLF"](run)
    monkeypatch.chdir(run)
    hint = "  hint: call from the folder above it\n"
    expected = f"gate: error: . is the working folder, and is to be replaced\n{hint}"
    assert gate("fmt", ".") == (2, "", expected)
    assert gate("fmt", "--check", ".") == (1, "would change  .\n", "")


def test_a_missing_path_is_usage(tmp_path: Path, gate: Gate) -> None:
    assert gate("fmt", tmp_path / "absent")[0] == 2


def test_shards_with_lines_in_another_order_are_cut_and_sorted_as_before(tmp_path: Path, gate: Gate) -> None:
    run = tmp_path / "run"
    with RunWriter(run) as writer:
        for number in range(40):
            writer.append({"id": f"{number:02}", "output": "x" * 900_000})
    expected = contents(run)
    first, second, *others = sorted(path.name for path in run.glob("records-*.jsonl"))
    assert others
    moved = (run / first).read_bytes()
    (run / first).write_bytes(b"")
    rewritten(second, lambda data: reversed_lines(data + moved))(run)
    assert gate("fmt", run) == (0, f"formatted  {run}\n", "")
    assert contents(run) == expected
