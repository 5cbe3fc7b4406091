"""`gate validate`: one line a run, exit 0 or 3; and the corpus of invalid runs, each spoilt in one thing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.manifest import Dataset, Identity, MetricDeclaration
from runstore.store.writer import RunWriter

CORPUS = Path(__file__).parents[1] / "corpus" / "runs"
VALID = sorted(path for path in (CORPUS / "valid").iterdir() if path.is_dir())
Gate = Callable[..., tuple[int, str, str]]
Spoil = Callable[["Draft"], None]


class Draft:
    """A valid run in a folder, to be spoilt in one thing. `seal` makes sizes, counts and digests fit again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        (self.folder / path).write_bytes(data)

    def manifest(self) -> dict[str, JsonValue]:
        value = canonical.loads(self.read("manifest.json"))
        assert isinstance(value, dict)
        return value

    def edit(self, **members: JsonValue) -> None:
        self.write("manifest.json", canonical.encode_document({**self.manifest(), **members}))

    def list_file(self, path: str, **entry: JsonValue) -> None:
        """List a file as it stands, or with other figures, or (without a file and figures) no longer."""
        files = self.manifest()["files"]
        assert isinstance(files, dict)
        if (self.folder / path).is_file():
            data = self.read(path)
            found: dict[str, JsonValue] = {"sha256": canonical.sha256(data), "size": len(data)}
            if path.endswith(".jsonl"):
                found["lines"] = data.count(b"\n")
            files[path] = {**found, **entry}
        elif entry:
            files[path] = dict(entry)
        else:
            del files[path]
        self.edit(files=files)

    def seal(self) -> None:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name != "manifest.json":
                self.list_file(path.relative_to(self.folder).as_posix())


def write_valid(folder: Path) -> None:
    (folder.parent / "plot.bin").write_bytes(b"\x00\xff")
    identity = Identity(params={"seed": 7}, datasets=[Dataset(name="a", digest="1"), Dataset(name="b", digest="2")])
    metrics = {"acc": MetricDeclaration(range=(0, 1)), "loss": MetricDeclaration(direction="lower")}
    with RunWriter(folder, identity=identity, metrics=metrics, slices=["lang", "topic"]) as writer:
        writer.append({"id": "a", "input": "é", "scores": {"acc": 0.5}, "tags": {"lang": "de"}})
        writer.append({"id": "b", "metadata": {"x": 1, "y": 2}, "scores": {"acc": 0}})
        writer.append({"id": "c", "repeat": 2, "status": "ok"})
        writer.log_metric("loss", 0.5, 1)
        writer.log_metric("loss", 0.25)
        writer.add_artifact(folder.parent / "plot.bin", "plot.bin")


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valid") / "run"
    write_valid(folder)
    return folder


@pytest.fixture
def draft(valid: Path, tmp_path: Path) -> Draft:
    return Draft(Path(shutil.copytree(valid, tmp_path / "run")))


def whole(path: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change a file and seal."""

    def spoil(draft: Draft) -> None:
        draft.write(path, change(draft.read(path)))
        draft.seal()

    return spoil


def swap(path: str, old: bytes, new: bytes) -> Spoil:
    """Replace what stands once in a file, and seal."""

    def change(data: bytes) -> bytes:
        assert data.count(old) == 1, (old, data)
        return data.replace(old, new)

    return whole(path, change)


records, series, summary = (partial(swap, path) for path in ("records.jsonl", "series.jsonl", "summary.json"))


def unsealed(path: str, change: Callable[[bytes], bytes]) -> Spoil:
    return lambda draft: draft.write(path, change(draft.read(path)))


def manifest(old: bytes, new: bytes) -> Spoil:
    return unsealed("manifest.json", lambda data: data.replace(old, new))


def listed(path: str, **entry: JsonValue) -> Spoil:
    return lambda draft: draft.list_file(path, **entry)


def without(path: str, *, and_unlisted: bool = False) -> Spoil:
    def remove(draft: Draft) -> None:
        (draft.folder / path).unlink()
        if and_unlisted:
            draft.list_file(path)

    return remove


def extra(path: str, data: bytes = b"", *, and_listed: bool = False) -> Spoil:
    def add(draft: Draft) -> None:
        (draft.folder / path).parent.mkdir(exist_ok=True, parents=True)
        draft.write(path, data)
        if and_listed:
            draft.list_file(path)

    return add


def link(draft: Draft) -> None:
    (draft.folder / "artifacts" / "plot.bin").unlink()
    (draft.folder / "artifacts" / "plot.bin").symlink_to(draft.folder.parent / "plot.bin")


def link_records(draft: Draft) -> None:
    (draft.folder / "records.jsonl").rename(draft.folder.parent / "outside.jsonl")
    (draft.folder / "records.jsonl").symlink_to(draft.folder.parent / "outside.jsonl")


def as_shards(draft: Draft) -> None:
    """Cut the records in two, though they take far less than 32 MiB."""
    lines = draft.read("records.jsonl").splitlines(keepends=True)
    (draft.folder / "records.jsonl").unlink()
    draft.write("records-0001.jsonl", b"".join(lines[:1]))
    draft.write("records-0002.jsonl", b"".join(lines[1:]))
    draft.list_file("records.jsonl")
    draft.list_file("records-0001.jsonl", first="a")
    draft.list_file("records-0002.jsonl", first="b")


def with_params(draft: Draft) -> None:
    identity = draft.manifest()["identity"]
    assert isinstance(identity, dict)
    draft.edit(identity={**identity, "params": {"seed": 8}})


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


DIGEST = "0" * 64
INVALID: dict[str, Spoil] = {
    # the bytes of records
    "byte order mark": whole("records.jsonl", lambda data: b"\xef\xbb\xbf" + data),
    "UTF-16": whole("records.jsonl", lambda data: data.decode().encode("utf-16")),
    "CRLF": whole("records.jsonl", lambda data: data.replace(b"\n", b"\r\n")),
    "no final line feed": whole("records.jsonl", lambda data: data[:-1]),
    "truncated line": whole("records.jsonl", lambda data: data[:-9] + b"\n"),
    "blank line": whole("records.jsonl", lambda data: data + b"\n"),
    "line beyond 16 MiB": records(b'"x":1', b'"x":"' + b"x" * 17 * 1024 * 1024 + b'"'),
    "invalid UTF-8": records("é".encode(), b"\xff"),
    "overlong UTF-8": records("é".encode(), b"\xc0\xaf"),
    "NUL": records("é".encode(), b"\x00"),
    "lone surrogate": records("é".encode(), b"\\ud800"),
    "escape not needed": records("é".encode(), b"\\u00e9"),
    "white space": records(b'{"x":1', b'{"x": 1'),
    "keys out of order": records(b'"x":1,"y":2', b'"y":2,"x":1'),
    "key twice": records(b'"x":1,"y":2', b'"x":1,"x":2'),
    "key twice, escaped": records(b'"x":1,"y":2', b'"x":1,"\\u0078":2'),
    "nested too deep": records(b'"x":1', b'"x":' + nested(63)),
    "nested far too deep": records(b'"x":1', b'"x":' + nested(100_000)),
    "integer beyond 2^53": records(b'"x":1', b'"x":9007199254740993'),
    "integer of 400 digits": records(b'"x":1', b'"x":1' + b"0" * 400),
    "integer of 5000 digits": records(b'"x":1', b'"x":1' + b"0" * 5000),
    "minus zero": records(b'"acc":0}', b'"acc":-0}'),
    "trailing zero": records(b'"acc":0.5}', b'"acc":0.50}'),
    "integral double": records(b'"acc":0}', b'"acc":0.0}'),
    "too small for a double": records(b'"acc":0}', b'"acc":1e-400}'),
    "too large for a double": records(b'"acc":0}', b'"acc":1e400}'),
    "NaN": records(b'"acc":0}', b'"acc":NaN}'),
    "Infinity": records(b'"acc":0}', b'"acc":-Infinity}'),
    # the shape of records
    "null score": records(b'"acc":0}', b'"acc":null}'),
    "boolean score": records(b'"acc":0}', b'"acc":true}'),
    "string score": records(b'"acc":0}', b'"acc":"0.99"}'),
    "undeclared metric": records(b'"acc":0}', b'"bcc":0}'),
    "score out of range": records(b'"acc":0}', b'"acc":1.5}'),
    "empty metric name": records(b'"acc":0}', b'"":0}'),
    "scores not an object": records(b'{"acc":0}', b"[0]"),
    "unknown field": records(b'"status":"ok"', b'"state":"ok"'),
    "unknown status": records(b'"status":"ok"', b'"status":"OK"'),
    "repeat 0": records(b'"repeat":2', b'"repeat":0'),
    "repeat a string": records(b'"repeat":2', b'"repeat":"2"'),
    "repeat a boolean": records(b'"repeat":2', b'"repeat":true'),
    "id a number": records(b'"id":"b"', b'"id":1'),
    "id empty": records(b'"id":"b"', b'"id":""'),
    "no id": records(b'"id":"b",', b""),
    "tag not a string": records(b'"lang":"de"', b'"lang":1'),
    "empty tag name": records(b'"lang":"de"', b'"":"de"'),
    "reason without message": records(b'"repeat":2', b'"reason":{"type":"x"}'),
    "metadata a list": records(b'{"x":1,"y":2}', b"[1]"),
    "record a list": records(b'{"id":"c","repeat":2,"status":"ok"}', b'["c"]'),
    "not sorted": records(b'"id":"b"', b'"id":"d"'),
    "key twice in the run": records(b'"id":"b"', b'"id":"a"'),
    "key twice, one with repeat": records(b'"id":"c","repeat":2', b'"id":"b","repeat":1'),
    # series
    "points not sorted": series(b'"step":1,', b'"step":1,"value":1}\n{"name":"loss","step":0,'),
    "point twice": series(b'"step":1,', b'"step":1,"value":1}\n{"name":"loss","step":1,'),
    "point of an undeclared metric": series(b'"name":"loss","step"', b'"name":"lost","step"'),
    "point of null": series(b'"value":0.25', b'"value":null'),
    "point before step 0": series(b'"step":1', b'"step":-1'),
    "unknown member of a point": series(b'"step":1', b'"time":1'),
    # summary
    "mean is wrong": summary(b'"mean": 0.25', b'"mean": 0.26'),
    "sum is wrong": whole("summary.json", lambda data: data.replace(b'"sum": "0.5"', b'"sum": "0.6"', 1)),
    "sum is not plain": whole("summary.json", lambda data: data.replace(b'"sum": "0.5"', b'"sum": "5E-1"', 1)),
    "sum is a number": whole("summary.json", lambda data: data.replace(b'"sum": "0.5"', b'"sum": 0.5', 1)),
    "records is wrong": whole("summary.json", lambda data: data.replace(b'"records": 3', b'"records": 4')),
    "slice is missing": whole("summary.json", lambda data: data.replace(b'"topic": {}', b'"topik": {}')),
    "unknown member of the summary": summary(b'"format": 1,', b'"format": 1,\n  "median": 1,'),
    "summary is not canonical": whole("summary.json", lambda data: data.replace(b"  ", b"\t")),
    "summary has CRLF": whole("summary.json", lambda data: data.replace(b"\n", b"\r\n")),
    # manifest
    "manifest is missing": without("manifest.json"),
    "manifest is not JSON": manifest(b'"format": 1,', b'<<<<<<< ours\n  "format": 1,'),
    "manifest is not canonical": manifest(b'"format": 1', b'"format":1'),
    "manifest without final line feed": unsealed("manifest.json", lambda data: data[:-1]),
    "manifest with a key twice": manifest(b'"format": 1,', b'"format": 1,\n  "format": 1,'),
    "format 2": manifest(b'"format": 1', b'"format": 2'),
    "format 0": manifest(b'"format": 1', b'"format": 0'),
    "format a string": manifest(b'"format": 1', b'"format": "1"'),
    "unknown member of the manifest": manifest(b'"format": 1,', b'"format": 1,\n  "host": "x",'),
    "status unknown": manifest(b'"status": "completed"', b'"status": "done"'),
    "run id is not derived": with_params,
    "run id is no run id": lambda draft: draft.edit(run_id="x"),
    "data sets not sorted": manifest(b'"name": "a"', b'"name": "c"'),
    "slices not sorted": lambda draft: draft.edit(slices=["topic", "lang"]),
    "slice twice": lambda draft: draft.edit(slices=["lang", "lang"]),
    "range upside down": manifest(b"[\n        0,\n        1\n      ]", b"[\n        1,\n        0\n      ]"),
    "direction unknown": manifest(b'"direction": "lower"', b'"direction": "down"'),
    "parameter an object": manifest(b'"seed": 7', b'"seed": {}'),
    # files
    "digest is wrong": listed("records.jsonl", sha256=DIGEST),
    "digest in capitals": listed("artifacts/plot.bin", sha256=DIGEST.replace("0", "A")),
    "records changed": unsealed("records.jsonl", lambda data: data.replace(b'"acc":0}', b'"acc":1}')),
    "artifact changed": unsealed("artifacts/plot.bin", lambda data: b"\x00\xfe"),
    "size is wrong": listed("records.jsonl", size=1),
    "count of lines is wrong": listed("records.jsonl", lines=2),
    "count of lines for an artifact": listed("artifacts/plot.bin", lines=1),
    "extra file": extra("notes.txt"),
    "extra hidden file": extra("artifacts/.DS_Store"),
    "extra file, listed": extra("notes.txt", and_listed=True),
    "listed file is missing": without("artifacts/plot.bin"),
    "summary is missing": without("summary.json"),
    "summary is missing and not listed": without("summary.json", and_unlisted=True),
    "records are missing": without("records.jsonl"),
    "records are missing and not listed": without("records.jsonl", and_unlisted=True),
    "records and shards": extra("records-0001.jsonl", and_listed=True),
    "shards of a small run": as_shards,
    "artifact is a link": link,
    "records are a link": link_records,
    "path climbs": listed("artifacts/../../etc/passwd", sha256=DIGEST, size=1),
    "path is absolute": listed("/etc/passwd", sha256=DIGEST, size=1),
    "path with a backslash": listed("artifacts/a\\b", sha256=DIGEST, size=1),
    "path with a stream": listed("artifacts/a:b", sha256=DIGEST, size=1),
    "path with NUL": listed("artifacts/a\x00", sha256=DIGEST, size=1),
    "path ends with a dot": listed("artifacts/a.", sha256=DIGEST, size=1),
    "path ends with a space": listed("artifacts/a ", sha256=DIGEST, size=1),
    "first id of an artifact": listed("artifacts/plot.bin", first="a"),
    "path is a device": listed("artifacts/con.txt", sha256=DIGEST, size=1),
    "path not in NFC": extra("artifacts/u\u0308.txt", and_listed=True),
    "paths differ in case": extra("artifacts/PLOT.bin", and_listed=True),
}
"""What is spoilt, and how. What `gate validate` then says stands in tests/corpus/runs/invalid.json."""
EXPECTED: dict[str, str] = json.loads((CORPUS / "invalid.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", INVALID)
def test_a_run_spoilt_in_one_thing_is_refused_with_its_place(name: str, draft: Draft, gate: Gate) -> None:
    INVALID[name](draft)
    code, out, err = gate("validate", draft.folder)
    assert (code, out.partition("\n")[0], err) == (3, f"bad  {draft.folder}{EXPECTED[name]}", "")


def test_every_row_of_the_table_of_expected_messages_is_tried() -> None:
    assert list(EXPECTED) == list(INVALID)


def test_the_run_that_the_invalid_ones_are_made_from_is_valid_and_sealing_keeps_it_so(draft: Draft, gate: Gate) -> None:
    draft.seal()
    assert gate("validate", draft.folder) == (0, f"ok   {draft.folder}  3 records\n", "")


@pytest.mark.parametrize("name", ["byte order mark", "NaN", "mean is wrong", "path climbs"])
def test_the_real_entry_point_exits_with_3_and_no_traceback(name: str, draft: Draft) -> None:
    INVALID[name](draft)
    command = [sys.executable, "-m", "runstore.cli.main", "validate", str(draft.folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    expected = (3, f"bad  {draft.folder}{EXPECTED[name]}", "")
    assert (done.returncode, done.stdout.partition("\n")[0], done.stderr) == expected


FROZEN = {
    "v1-minimal": ("239ddc865ad48c5edd1ad9f4aa60fffdee1a97042475d522be9f30816fbd533c", 0),
    "v1-records": ("723eb2b717a037d74d72dca2412ff263913a7d59a6fced0a5ddd9cc221920a8d", 7),
    "v1-training": ("a6bf9fafe59795b22374c1a446911401296dcce235556f6aefaa49c2915157e0", 0),
}
"""Runs as version 1 wrote them: the digest of the manifest, which holds all others, and the number of records."""


def test_the_frozen_runs_of_each_format_version_are_still_there_byte_for_byte() -> None:
    found = {path.name: canonical.sha256((path / "manifest.json").read_bytes()) for path in VALID}
    assert found == {name: digest for name, (digest, _) in FROZEN.items()}


def test_the_frozen_runs_of_each_format_version_validate_for_ever(gate: Gate) -> None:
    lines = [f"ok   {CORPUS / 'valid'}/{name}  {count} records\n" for name, (_, count) in FROZEN.items()]
    assert gate("validate", CORPUS / "valid") == (0, "".join(lines), "")


def test_every_run_is_checked_even_when_one_is_bad(valid: Path, tmp_path: Path, gate: Gate) -> None:
    for name in ("a", "b/c", "d"):
        shutil.copytree(valid, tmp_path / name)
    (tmp_path / "b" / "c" / "summary.json").unlink()
    code, out, _ = gate("validate", tmp_path)
    assert code == 3
    assert [line for line in out.splitlines() if not line.startswith("  hint")] == [
        f"ok   {tmp_path}/a  3 records",
        f"bad  {tmp_path}/b/c/summary.json: is listed in the manifest and missing",
        f"ok   {tmp_path}/d  3 records",
    ]


def test_one_record_is_one_record(tmp_path: Path, gate: Gate) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.append({"id": "a"})
    assert gate("validate", tmp_path / "run") == (0, f"ok   {tmp_path / 'run'}  1 record\n", "")


def test_a_missing_path_is_usage_and_nothing_is_checked(draft: Draft, tmp_path: Path, gate: Gate) -> None:
    absent = tmp_path / "absent"
    hint = "  hint: check the path; a run is a folder with a manifest.json\n"
    assert gate("validate", draft.folder, absent) == (2, "", f"gate: error: {absent}: no such folder\n{hint}")


def test_a_folder_without_runs_is_usage(tmp_path: Path, gate: Gate) -> None:
    hint = "  hint: a run is a folder with a manifest.json\n"
    assert gate("validate", tmp_path) == (2, "", f"gate: error: {tmp_path} holds no run\n{hint}")


def test_what_volatile_holds_is_not_looked_at(draft: Draft, gate: Gate) -> None:
    extra("volatile/clock.json", b"not json")(draft)
    assert gate("validate", draft.folder)[0] == 0


def test_control_characters_of_a_run_do_not_reach_the_terminal(draft: Draft, gate: Gate) -> None:
    records(b'"acc":0}', b'"\\u001b[31m\xc2\x9b\\n::error::":0}')(draft)
    code, out, _ = gate("validate", draft.folder)
    assert code == 3
    assert [char for char in out if not (char.isprintable() or char == "\n")] == []
    assert not any(line.startswith("::") for line in out.splitlines())
