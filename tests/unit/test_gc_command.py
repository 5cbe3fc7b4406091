"""`gate gc`: what no run names goes, what any run may name stays, and in doubt nothing goes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runstore.store.writer import RunWriter
from tests.factories import ACC, scored, unsynced
from tests.repositories import Repository, gate

LONG = "a long answer " * 60
Spoil = Callable[[Path], object]


@pytest.fixture(autouse=True)
def _unsynced() -> Iterator[None]:
    with unsynced():
        yield


def write(place: Path, *outputs: str) -> Path:
    """A run whose records have these outputs, made long."""
    with RunWriter(place, metrics=ACC, large_text=512, replace=True) as writer:
        for output in outputs:
            writer.append(scored(output, output=f"{output} {LONG}"))
    return place


def left(folder: Path) -> set[str]:
    """How the texts below a folder begin that are still there."""
    return {path.read_text().split()[0] for path in folder.rglob(".texts/*/*.txt")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs, and two texts that none of them names."""
    write(tmp_path / "runs/old", "gone", "shared", "lost")
    write(tmp_path / "runs/old", "shared")
    write(tmp_path / "runs/new", "shared", "own")
    return tmp_path


def test_texts_that_no_run_names_go(folder: Path) -> None:
    done = gate(folder, "gc", "runs")
    assert (done.code, left(folder)) == (0, {"shared", "own"})
    assert done.out.splitlines()[-1] == "removed  2 texts, 1,690 bytes; 2 texts needed"
    assert len(done.out.splitlines()) == 3
    assert gate(folder, "validate", "runs").code == 0
    assert gate(folder, "gc", "runs").out == "removed  0 texts, 0 bytes; 2 texts needed\n"


def test_a_dry_run_says_the_same_and_removes_nothing(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    dry = gate(folder, "gc", "runs", "--dry-run")
    assert dry.code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert dry.out.replace("would remove", "removed") == gate(folder, "gc", "runs").out


def test_without_any_run_all_texts_go(folder: Path) -> None:
    for name in ("old", "new"):
        shutil.rmtree(folder / "runs" / name)
    assert gate(folder, "gc", "runs").code == 0
    assert left(folder) == set()


def test_texts_of_suites_below_are_looked_at_too(folder: Path) -> None:
    write(folder / "runs/deep/er/run", "first")
    write(folder / "runs/deep/er/run", "second")
    assert gate(folder, "gc", ".").code == 0
    assert left(folder) == {"shared", "own", "second"}


def test_the_texts_of_other_folders_are_left_alone(folder: Path) -> None:
    write(folder / "other/run", "gone")
    write(folder / "other/run", "own")
    assert gate(folder, "gc", "other").code == 0
    assert left(folder) == {"gone", "shared", "lost", "own"}


def cut_records(runs: Path) -> None:
    (runs / "new/records.jsonl").write_bytes(b"")


def conflict(runs: Path) -> None:
    records = runs / "new/records.jsonl"
    records.write_bytes(b"<<<<<<< ours\n" + records.read_bytes())


def lose_manifest(runs: Path) -> None:
    (runs / "new/manifest.json").unlink()


def spoil_texts(runs: Path) -> None:
    """A run whose digests fit and whose record is none."""
    records, manifest = runs / "new/records.jsonl", runs / "new/manifest.json"
    before = records.read_bytes()
    records.write_bytes(before.replace(b'"size":', b'"Size":'))
    old, new = (hashlib.sha256(data).hexdigest() for data in (before, records.read_bytes()))
    manifest.write_text(manifest.read_text().replace(old, new))


def link_run(runs: Path) -> None:
    (runs / "new").rename(runs.parent / "elsewhere")
    (runs / "new").symlink_to(runs.parent / "elsewhere")


def link_texts(runs: Path) -> None:
    (runs / ".texts").rename(runs.parent / "elsewhere")
    (runs / ".texts").symlink_to(runs.parent / "elsewhere")


def stray(runs: Path) -> None:
    (runs / ".texts/notes.md").write_text("mine\n")


def being_built(runs: Path) -> None:
    (runs / ".new.tmp-abc123").mkdir()


def being_exchanged(runs: Path) -> None:
    (runs / ".new.old-abc123").mkdir()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (cut_records, 3),
        (conflict, 3),
        (lose_manifest, 3),
        (spoil_texts, 3),
        (link_run, 3),
        (link_texts, 3),
        (stray, 3),
        (being_built, 2),
        (being_exchanged, 2),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_in_doubt_nothing_goes(folder: Path, spoil: Spoil, code: int) -> None:
    spoil(folder / "runs")
    before = left(folder)
    for words in (("gc", "runs"), ("gc", "runs", "--dry-run")):
        done = gate(folder, *words)
        assert (done.code, done.out) == (code, "")
        assert done.err.startswith("gate: error: ")
        assert "hint: " in done.err
    assert left(folder) == before


def test_a_doubt_anywhere_below_keeps_all(folder: Path) -> None:
    write(folder / "runs/deep/run", "x")
    (folder / "runs/deep/run/summary.json").write_bytes(b"{}")
    assert gate(folder, "gc", "runs").code == 3
    assert "gone" in left(folder)


@pytest.mark.parametrize(("words", "told"), [(("runs/new",), "is a run"), (("nowhere",), "no such folder")])
def test_a_place_that_is_none_to_look_is_told(folder: Path, words: tuple[str, ...], told: str) -> None:
    done = gate(folder, "gc", *words)
    assert (done.code, told in done.err) == (2, True)


def test_a_folder_without_texts_is_fine(tmp_path: Path) -> None:
    assert gate(tmp_path, "gc", ".").out == "removed  0 texts, 0 bytes; 0 texts needed\n"


def test_a_ref_outside_a_repository_is_told(folder: Path) -> None:
    done = gate(folder, "gc", "runs", "--ref", "main", env={"GIT_CEILING_DIRECTORIES": str(folder.parent)})
    assert (done.code, "in no work tree" in done.err) == (2, True)
    assert "gone" in left(folder)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "repository")
    write(found.folder / "baselines/qa", "first")
    found.commit("first")
    return found


def test_what_head_names_stays_until_the_change_is_committed(repository: Repository) -> None:
    here = repository.folder
    write(here / "baselines/qa", "second")
    assert gate(here, "gc", "baselines").code == 0
    assert left(here) == {"first", "second"}
    repository.commit("second")
    assert gate(here, "gc", "baselines").code == 0
    assert left(here) == {"second"}
    repository.git("checkout", "-q", "HEAD~1", "--", "baselines")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    assert gate(here, "validate", "baselines").code == 0


def test_what_the_index_names_stays(repository: Repository) -> None:
    here = repository.folder
    write(here / "baselines/qa", "staged")
    repository.git("add", "baselines/qa")
    write(here / "baselines/qa", "last")
    assert gate(here, "gc", "baselines").code == 0
    assert left(here) == {"first", "staged", "last"}


def test_what_any_side_of_a_conflict_names_stays(repository: Repository) -> None:
    here = repository.folder
    for branch in ("ours", "theirs"):
        repository.git("checkout", "-q", "-b", branch, "main")
        write(here / "baselines/qa", "first", f"of-{branch}")
        repository.commit(branch)
    with pytest.raises(AssertionError):
        repository.git("merge", "-q", "ours")
    assert gate(here, "gc", "baselines").code == 3
    repository.git("checkout", "-q", "--ours", "--", "baselines/qa")
    assert gate(here, "gc", "baselines").code == 0
    assert left(here) == {"first", "of-ours", "of-theirs"}


def test_what_a_ref_names_stays_if_it_is_asked_for(repository: Repository) -> None:
    here = repository.folder
    repository.git("tag", "one")
    write(here / "baselines/qa", "second")
    repository.commit("second")
    assert gate(here, "gc", "baselines", "--ref", "one", "--ref", "HEAD").code == 0
    assert left(here) == {"first", "second"}
    assert gate(here, "gc", "baselines").code == 0
    assert left(here) == {"second"}


@pytest.mark.parametrize("ref", ["nowhere", "--all", "-n", "a..b", ""])
def test_a_ref_that_is_none_keeps_all(repository: Repository, ref: str) -> None:
    write(repository.folder / "baselines/qa", "second")
    repository.commit("second")
    assert gate(repository.folder, "gc", "baselines", f"--ref={ref}").code == 2
    assert left(repository.folder) == {"first", "second"}


def test_records_in_git_that_are_none_keep_all(repository: Repository) -> None:
    here = repository.folder
    records = here / "baselines/qa/records.jsonl"
    good = records.read_bytes()
    write(here / "baselines/qa", "second")
    whole = records.read_bytes()
    records.write_bytes(b"version https://git-lfs.github.com/spec/v1\n" + good)
    repository.git("add", "baselines")
    records.write_bytes(whole)
    done = gate(here, "gc", "baselines")
    assert (done.code, "is no record; records that cannot be read may name any text" in done.err) == (3, True)
    assert left(here) == {"first", "second"}


def test_a_repository_without_a_commit_is_fine(tmp_path: Path) -> None:
    Repository(tmp_path)
    write(tmp_path / "runs/a", "x")
    assert gate(tmp_path, "gc", "runs").code == 0
    assert left(tmp_path) == {"x"}


def test_it_works_from_another_folder_and_another_repository(repository: Repository, tmp_path: Path) -> None:
    Repository(tmp_path / "elsewhere")
    write(repository.folder / "baselines/qa", "second")
    assert gate(tmp_path / "elsewhere", "gc", repository.folder / "baselines").code == 0
    assert left(repository.folder) == {"first", "second"}
