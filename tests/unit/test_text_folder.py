"""The folder of large texts beside runs: each text once, whole, never written again; links are refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runstore import large_text
from runstore.errors import InvalidRunError, UsageError
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.text_folder import Sweep
from runstore.store.writer import RunWriter
from runstore.texts import check_texts
from tests.factories import ACC, Record, files_of, scored, unsynced

LONG = "one long text " * 100


@pytest.fixture(autouse=True)
def _unsynced() -> Iterator[None]:
    with unsynced():
        yield


def write(place: Path, *outputs: object, limit: int | None = 512) -> Path:
    with RunWriter(place, metrics=ACC, large_text=limit) as writer:
        for number, output in enumerate(outputs):
            writer.append(scored(f"q{number}", output=output))
    return place


def place_of(folder: Path, text: str) -> Path:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return folder / ".texts" / sha256[:2] / f"{sha256}.txt"


def texts(folder: Path) -> dict[str, bytes]:
    return files_of(folder / ".texts")


@pytest.mark.parametrize("text", [LONG, "é\r\n\t\x00😀" * 200, "a\n" * 300], ids=["plain", "odd", "lines"])
def test_a_text_stands_beside_the_run_as_its_utf8_bytes(tmp_path: Path, text: str) -> None:
    write(tmp_path / "run", text)
    assert {path.read_bytes() for path in [place_of(tmp_path, text)]} == {text.encode()}
    assert check_texts(read_run(tmp_path / "run"), FolderSource(tmp_path / "run")) == 1


def test_without_the_option_the_bytes_of_a_run_are_those_they_always_were(tmp_path: Path) -> None:
    write(tmp_path / "run", LONG, limit=None)
    assert not (tmp_path / ".texts").exists()
    assert b'"texts"' not in (tmp_path / "run/records.jsonl").read_bytes()


def test_small_texts_make_no_folder(tmp_path: Path) -> None:
    write(tmp_path / "run", "small")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_the_same_text_stands_once_for_all_records_and_runs(tmp_path: Path) -> None:
    write(tmp_path / "a", LONG, LONG, {"deep": [LONG]})
    facts = place_of(tmp_path, LONG).stat()
    write(tmp_path / "b", LONG)
    assert list(texts(tmp_path).values()) == [LONG.encode()]
    now = place_of(tmp_path, LONG).stat()
    assert (now.st_ino, now.st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)


@pytest.mark.parametrize("wrong", [b"", b"something else", LONG.encode()[:-1] + b"!"])
def test_what_is_another_text_under_the_name_is_put_right(tmp_path: Path, wrong: bytes) -> None:
    write(tmp_path / "a", LONG)
    place_of(tmp_path, LONG).write_bytes(wrong)
    write(tmp_path / "b", LONG)
    assert place_of(tmp_path, LONG).read_bytes() == LONG.encode()


def test_a_record_that_is_refused_leaves_no_text(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", metrics=ACC, large_text=512) as writer:
        with pytest.raises(InvalidRunError):
            writer.append(scored("a", 7, output=LONG))
        writer.append(scored("a", output="fine"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_run_that_is_given_up_leaves_no_text(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", metrics=ACC, large_text=512)
    writer.append(scored("a", output=LONG))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_line_holds_the_beginning_alone_so_that_long_texts_fit_its_limit(tmp_path: Path) -> None:
    whole = "x" * (17 * 1024 * 1024)
    write(tmp_path / "run", {"a": whole, "b": f"{whole}!"})
    assert (tmp_path / "run/records.jsonl").stat().st_size < 2000
    with pytest.raises(InvalidRunError, match="a line holds"):
        write(tmp_path / "other", whole, limit=None)


@pytest.mark.parametrize("limit", [-1, 0, 511, 64 * 1024 * 1024 + 1])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, limit: int) -> None:
    with pytest.raises(UsageError, match="large_text is"):
        RunWriter(tmp_path / "run", large_text=limit)
    assert list(tmp_path.iterdir()) == []


def link_the_folder(folder: Path) -> None:
    (folder / ".texts").rename(folder.parent / "elsewhere")
    (folder / ".texts").symlink_to(folder.parent / "elsewhere")


def link_the_fan(folder: Path) -> None:
    fan = place_of(folder, LONG).parent
    fan.rename(folder.parent / "elsewhere")
    fan.symlink_to(folder.parent / "elsewhere")


def link_the_text(folder: Path) -> None:
    place = place_of(folder, LONG)
    place.rename(folder.parent / "elsewhere")
    place.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize("link", [link_the_folder, link_the_fan, link_the_text])
def test_links_are_neither_read_nor_written_through(tmp_path: Path, link: object) -> None:
    here = tmp_path / "here"
    write(here / "run", LONG)
    assert callable(link)
    link(here)
    before = (tmp_path / "elsewhere").lstat().st_mtime_ns
    with pytest.raises(InvalidRunError):
        FolderSource(here / "run").open_text(place_of(here, LONG).stem)
    with pytest.raises(InvalidRunError):
        write(here / "other", LONG, f"{LONG}!")
    with pytest.raises(InvalidRunError):
        Sweep(here, "here").texts()
    assert (tmp_path / "elsewhere").lstat().st_mtime_ns == before
    assert not (here / "other").exists()


def test_texts_are_found_beside_the_folder_that_a_run_link_leads_to(tmp_path: Path) -> None:
    write(tmp_path / "there/run", LONG)
    (tmp_path / "run").symlink_to(tmp_path / "there/run")
    file = FolderSource(tmp_path / "run").open_text(place_of(tmp_path, LONG).stem)
    assert file is not None
    with file:
        assert file.read() == LONG.encode()


def test_texts_are_found_beside_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path / "run", LONG))
    assert check_texts(read_run("."), FolderSource(Path())) == 1


def test_records_that_name_texts_already_keep_their_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a", LONG)
    named: Record = large_text.part(scored("q0", output=LONG), 512).record
    with RunWriter(tmp_path / "b", metrics=ACC) as writer:
        writer.append(named)
    assert (tmp_path / "a/records.jsonl").read_bytes() == (tmp_path / "b/records.jsonl").read_bytes()


def test_nobody_sweeps_while_a_run_with_large_texts_is_written(tmp_path: Path) -> None:
    write(tmp_path / "a", LONG)
    with RunWriter(tmp_path / "b", metrics=ACC, large_text=512) as writer:
        writer.append(scored("a", output=LONG))
        with pytest.raises(UsageError, match="a run is being written here"):
            Sweep(tmp_path, "here")
    Sweep(tmp_path, "here").close()


def test_a_sweep_removes_what_it_is_told_and_the_folders_that_are_left_empty(tmp_path: Path) -> None:
    write(tmp_path / "a", LONG, f"{LONG}!")
    sweep = Sweep(tmp_path, "here")
    assert [sha256 for sha256, _ in sweep.texts()] == sorted(
        place_of(tmp_path, text).stem for text in (LONG, f"{LONG}!")
    )
    sweep.remove([place_of(tmp_path, LONG).stem])
    sweep.close()
    assert list(texts(tmp_path).values()) == [f"{LONG}!".encode()]
    assert not place_of(tmp_path, LONG).parent.exists()


@pytest.mark.parametrize("name", ["x", "ab/x.txt", f"ab/{'c' * 64}.txt", f"cc/{'c' * 64}", f"cc/{'C' * 64}.txt"])
def test_what_is_no_text_is_refused_by_a_sweep(tmp_path: Path, name: str) -> None:
    stray = tmp_path / ".texts" / name
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"")
    sweep = Sweep(tmp_path, "here")
    with pytest.raises(InvalidRunError, match="is no text"):
        sweep.texts()
    sweep.close()


def test_attributes_for_git_are_no_stray(tmp_path: Path) -> None:
    (tmp_path / ".texts").mkdir()
    (tmp_path / ".texts/.gitattributes").write_bytes(b"* -text\n")
    sweep = Sweep(tmp_path, "here")
    assert sweep.texts() == []
    sweep.close()


def test_a_file_where_the_folder_is_to_stand_is_told(tmp_path: Path) -> None:
    (tmp_path / ".texts").write_bytes(b"")
    with pytest.raises(InvalidRunError, match="a link or a file where large texts are to stand"):
        write(tmp_path / "run", LONG)
    assert [path.name for path in tmp_path.iterdir()] == [".texts"]


def test_texts_are_as_readable_as_other_files(tmp_path: Path) -> None:
    write(tmp_path / "run", LONG)
    mask = os.umask(0)
    os.umask(mask)
    assert place_of(tmp_path, LONG).stat().st_mode & 0o777 == 0o666 & ~mask
