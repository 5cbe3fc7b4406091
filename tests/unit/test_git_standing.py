"""A large object is read from the work tree where a file is shown to be it, and from git in every other case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runstore.errors import InvalidRunError
from runstore.git.place import read_place
from runstore.git.repository import Repository as Opened
from runstore.git.standing import open_standing
from runstore.git.tree import GitSource, tree_of_place
from runstore.store.reader import read_run
from tests.factories import Record, scored, write_run
from tests.repositories import Repository, gate, git

LARGE = [scored(f"r{number:05d}", number % 2, output="x" * 100) for number in range(3000)]
FILE = "baselines/qa/records.jsonl"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "work")
    write_run(made.folder / "baselines" / "qa", LARGE)
    made.commit()
    return made


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, str], GitSource]]:
    """Opens a place as the gate does in a folder, and ends the processes of git."""
    with ExitStack() as stack:

        def read(folder: Path, text: str) -> GitSource:
            monkeypatch.chdir(folder)
            repository = Opened()
            stack.callback(repository.close)
            place = read_place(text)
            assert place is not None
            return tree_of_place(repository, place)

        yield read


def object_of(repository: Repository) -> tuple[str, int]:
    oid = repository.git("rev-parse", f"HEAD:{FILE}")
    return oid, int(repository.git("cat-file", "-s", oid))


def test_a_file_that_is_the_object_is_read(repository: Repository) -> None:
    file = repository.folder / FILE
    with open_standing(file, *object_of(repository)) or pytest.fail("not taken") as stream:
        assert stream.read() == file.read_bytes()


def other_bytes(file: Path) -> None:
    before = file.stat()
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"acc":1', b'"acc":0', 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def a_link(file: Path) -> None:
    file.rename(file.with_suffix(".moved"))
    file.symlink_to(file.with_suffix(".moved"))


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [other_bytes, a_link, a_pipe, a_folder, Path.unlink])
def test_nothing_else_is_taken_for_it(repository: Repository, damage: Callable[[Path], object]) -> None:
    oid, size = object_of(repository)
    damage(repository.folder / FILE)
    assert open_standing(repository.folder / FILE, oid, size) is None


def test_a_small_object_is_left_to_git(repository: Repository) -> None:
    manifest = repository.folder / "baselines" / "qa" / "manifest.json"
    oid = repository.git("rev-parse", "HEAD:baselines/qa/manifest.json")
    assert open_standing(manifest, oid, manifest.stat().st_size) is None


def test_an_edited_baseline_is_judged_by_as_it_stands_in_git(repository: Repository) -> None:
    """The edit keeps size and times, so that nothing but the bytes can tell."""
    worse: list[Record] = [{**LARGE[1], "scores": {"acc": 0}}]
    write_run(repository.folder / "runs" / "qa", [LARGE[0], *worse, *LARGE[2:]])
    other_bytes(repository.folder / FILE)
    outcome = gate(repository.folder, "compare", "HEAD:baselines/qa", "runs/qa", "--format", "json")
    assert outcome.view["counts"]["regressed"] == 1
    assert "max-regressed" in outcome.rules


def test_a_file_that_changes_after_it_was_looked_at_is_refused(
    repository: Repository, opened: Callable[[Path, str], GitSource]
) -> None:
    run = read_run(opened(repository.folder, "HEAD:baselines/qa"))
    blocks = run.blocks(["records.jsonl"])
    first = next(blocks)
    other_bytes_at_the_end(repository.folder / FILE, behind=len(first.data))
    with pytest.raises(InvalidRunError, match="is not the file that the manifest lists"):
        list(blocks)


def test_no_work_tree_is_needed(
    repository: Repository, tmp_path: Path, opened: Callable[[Path, str], GitSource]
) -> None:
    git(tmp_path, "clone", "-q", "--bare", repository.folder, tmp_path / "bare")
    run = read_run(opened(tmp_path / "bare", "main:baselines/qa"))
    assert sum(len(block.data) for block in run.blocks(["records.jsonl"])) == object_of(repository)[1]


def other_bytes_at_the_end(file: Path, *, behind: int) -> None:
    with file.open("r+b") as stream:
        data = stream.read()
        at = data.rindex(b'"acc":1')
        assert at > behind
        stream.seek(at)
        stream.write(b'"acc":0')
