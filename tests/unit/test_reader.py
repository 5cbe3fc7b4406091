"""Reading a run: what is refused at once, what is refused when it is read, and how its lines come out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.store import reader
from runstore.store.reader import read_run
from runstore.verification import VerifiedRuns, verify
from tests.factories import edit_manifest, passing, replace_bytes, reseal, rewrite, scored, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", passing(5))


def refusal(run: Path) -> InvalidDataError:
    with pytest.raises(InvalidDataError) as refused:
        verify(read_run(run))
    return refused.value


def test_a_run_says_what_it_holds(run: Path) -> None:
    found = read_run(run)
    assert (found.label, found.record_count, found.record_files) == (str(run), 5, ["records.jsonl"])
    assert found.where("records.jsonl", 3, "/scores") == f"{run}/records.jsonl:3 /scores"


def test_a_run_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        read_run(tmp_path / "missing")


def test_a_folder_without_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidRunError, match=r"manifest.json is missing"):
        read_run(tmp_path)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_lines_come_out_whole_whatever_the_size_of_the_blocks(
    run: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_BLOCK_BYTES", size)
    batches = list(read_run(run).batches())
    assert [line for batch in batches for line in batch.lines] == (run / "records.jsonl").read_bytes().splitlines()
    count = 1
    for batch in batches:
        assert (batch.path, batch.first_line) == ("records.jsonl", count)
        count += len(batch.lines)


def test_a_byte_offset_is_turned_into_the_number_of_its_line(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 7)
    offset = 0
    for number, line in enumerate((run / "records.jsonl").read_bytes().splitlines(keepends=True), start=1):
        assert read_run(run).line_number("records.jsonl", offset) == number
        offset += len(line)


_UNSEALED: list[tuple[Callable[[Path], object], str]] = [
    (lambda run: (run / "extra").write_bytes(b""), "extra: is not listed in the manifest"),
    (lambda run: (run / "volatiles").write_bytes(b""), "volatiles: is not listed"),
    (lambda run: (run / ".hidden").write_bytes(b""), ".hidden: is not listed"),
    (lambda run: (run / "records.jsonl").unlink(), "records.jsonl: is listed in the manifest and missing"),
    (lambda run: (run / "summary.json").unlink(), "summary.json: is listed in the manifest and missing"),
    (lambda run: (run / "records.jsonl").write_bytes(b""), "records.jsonl: has 0 bytes; the manifest says"),
    (
        lambda run: swap(run / "records.jsonl", b"r004", b"r009"),
        "records.jsonl: is not the file that the manifest lists",
    ),
    (
        lambda run: swap(run / "summary.json", b'"ok": 5', b'"ok": 4'),
        "summary.json: is not the file that the manifest lists",
    ),
    (lambda run: edit_manifest(run, lambda m: m["files"]["records.jsonl"].update(lines=4)), "5 lines found"),
    (lambda run: edit_manifest(run, lambda m: m["files"].pop("summary.json")), "summary.json: is not listed"),
    (lambda run: add_listed(run, "note.txt"), "is no file of a run"),
    (lambda run: (run / "manifest.json").write_bytes(b""), "manifest.json"),
    (lambda run: (run / "manifest.json").write_bytes((run / "manifest.json").read_bytes() + b"\n"), "not canonical"),
]


def swap(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def add_listed(run: Path, name: str) -> None:
    (run / name).write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    edit_manifest(run, lambda manifest: manifest["files"].update({name: {"sha256": empty, "size": 0}}))


@pytest.mark.parametrize(("damage", "message"), _UNSEALED)
def test_the_file_set_and_every_digest_are_exact(run: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(run)
    assert message in str(refusal(run))


@pytest.mark.parametrize(
    ("damage", "where", "message"),
    [
        (lambda run: replace_bytes(run, b'"r002"', b'"r001"'), "records.jsonl:3", "the key 'r001' stands twice"),
        (lambda run: replace_bytes(run, b'"r002"', b'"r0"'), "records.jsonl:3", "not sorted: 'r0' stands after 'r001'"),
        (
            lambda run: rewrite(run, "records.jsonl", lambda d: d[:-1]),
            "records.jsonl:5",
            "does not end with a line feed",
        ),
        (
            lambda run: rewrite(run, "records.jsonl", lambda d: d[:-9]),
            "records.jsonl:5",
            "does not end with a line feed",
        ),
        (lambda run: rewrite(run, "records.jsonl", lambda d: d + b"\n"), "records.jsonl:6 byte 0", "not JSON"),
        (lambda run: replace_bytes(run, b'"records": 5', b'"records": 6', "summary.json"), "summary.json", "/records"),
        (lambda run: replace_bytes(run, b'"mean": 1,', b'"mean": 0.95,', "summary.json"), "summary.json", "0.95"),
        (lambda run: rewrite(run, "summary.json", lambda d: d.replace(b"\n", b"\r\n")), "summary.json", "CR"),
    ],
)
def test_what_is_wrong_within_a_file_is_refused_with_its_place(
    run: Path, damage: Callable[[Path], object], where: str, message: str
) -> None:
    damage(run)
    found = str(refusal(run))
    assert where in found
    assert message in found


def test_a_last_line_that_is_cut_off_is_refused_whatever_the_size_of_the_blocks(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(run, "records.jsonl", lambda data: data[:-1])
    for size in (1, 5, 31, 32, 1000):
        monkeypatch.setattr(reader, "_BLOCK_BYTES", size)
        assert refusal(run).where.endswith("records.jsonl:5")


def test_a_line_is_refused_once_it_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", [scored("a"), scored("b", input="x" * 200), scored("c")])
    longest = max(map(len, (run / "records.jsonl").read_bytes().splitlines(keepends=True)))
    for size in (1, 7, 50):
        monkeypatch.setattr(reader, "_BLOCK_BYTES", size)
        monkeypatch.setattr(reader, "LINE_BYTES", longest)
        verify(read_run(run))
        monkeypatch.setattr(reader, "LINE_BYTES", longest - 1)
        error = refusal(run)
        assert error.where.endswith("records.jsonl:2"), size
        assert "a line is longer than" in error.message


def test_an_artifact_is_held_against_its_digest(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", passing(1))
    (run / "artifacts").mkdir()
    (run / "artifacts/a.bin").write_bytes(b"abc")
    reseal(run)
    verify(read_run(run))
    (run / "artifacts/a.bin").write_bytes(b"abd")
    assert "artifacts/a.bin: is not the file" in str(refusal(run))


def test_volatile_files_have_no_part_in_a_run(run: Path) -> None:
    before = read_run(run).digest
    (run / "volatile").mkdir()
    (run / "volatile/anything").write_bytes(b"\x00")
    verify(read_run(run))
    assert read_run(run).digest == before


def test_a_verified_run_is_remembered_by_its_digest(run: Path, tmp_path: Path) -> None:
    verified = VerifiedRuns(tmp_path / "cache/verified")
    found = read_run(run)
    assert found not in verified
    verified.remember(found)
    assert found in verified
    assert read_run(write_run(tmp_path / "other", passing(2))) not in verified
    assert found not in VerifiedRuns(None)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(run: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"")
    verified = VerifiedRuns(tmp_path / "cache")
    verified.remember(read_run(run))
    assert read_run(run) not in verified
