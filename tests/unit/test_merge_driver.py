"""`gate git merge`: what it exits with, what it leaves in the place of our version, and how it finds the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore import canonical
from runstore.merging.unmerged import unmerged
from runstore.source import FolderSource
from tests.command_line import Outcome
from tests.factories import ACC, scored, unsynced, write_run
from tests.repositories import Repository, gate

QA = "baselines/qa"
FILES = ("manifest.json", "records.jsonl", "summary.json")
Edits = dict[str, float]


def write(folder: Path, edits: Edits, **fields: str) -> None:
    """The baseline, with some scores."""
    for file in (folder / QA).glob("*"):
        file.unlink()
    scores: Edits = {**dict.fromkeys("abcdefgh", 0), **edits}
    with unsynced():
        write_run(folder / QA, [scored(name, acc, **fields) for name, acc in scores.items()], ACC)


class Branches:
    """A repository whose branches `ours` and `theirs` have edited the baseline of `main`; `ours` is checked out."""

    def __init__(self, folder: Path, ours: Edits, theirs: Edits) -> None:
        self.repository = Repository(folder)
        self.folder = folder
        for branch, edits in (("main", {}), ("theirs", theirs), ("ours", ours)):
            if branch != "main":
                self.repository.git("checkout", "-q", "-b", branch, "main")
            write(folder, edits)
            self.repository.commit(branch)

    def merge(self, name: str, *labels: str, path: str | None = None, size: int = 7) -> tuple[Outcome, bytes]:
        for side in ("main", "ours", "theirs"):
            (self.folder / f".v_{side}").write_text(self.repository.git("show", f"{side}:{QA}/{name}") + "\n")
        asked = path or f"{QA}/{name}"
        words = ("git", "merge", "--", ".v_main", ".v_ours", ".v_theirs", str(size), asked, *labels)
        return gate(self.folder, *words), (self.folder / ".v_ours").read_bytes()


def test_each_file_is_merged_and_together_they_are_the_run_with_both_edits(tmp_path: Path) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1}, {"b": 0.5})
    made = {name: branches.merge(name) for name in FILES}
    assert {(outcome.code, outcome.text) for outcome, _ in made.values()} == {(0, "")}
    write(branches.folder, {"a": 1, "b": 0.5})
    for name, (_, data) in made.items():
        assert data == (branches.folder / QA / name).read_bytes()


def test_records_in_conflict_are_marked_and_the_documents_wait(tmp_path: Path) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1, "c": 1}, {"a": 0.5, "c": 0.5, "h": 1})
    outcome, data = branches.merge("records.jsonl", "base", "HEAD", "topic\x1b[2J")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == (
        "gate: baselines/qa/records.jsonl: both sides have changed 'a' and 1 more\n"
        "  then: settle what is marked in the records, if anything is; gate rebuild baselines/qa; "
        "git add baselines/qa\n"
    )
    assert data.startswith(b'<<<<<<< HEAD\n{"id":"a","scores":{"acc":1}}\n=======\n')
    assert data.count(b"\n>>>>>>> topic\\x1b[2J\n") == 2
    for name in ("manifest.json", "summary.json"):
        outcome, data = branches.merge(name, "%S", "%X", "%Y")
        assert (outcome.code, "records.jsonl: both sides have changed 'a'" in outcome.err) == (3, True)
        assert b"<<<<<<< ours\n" in data


def test_where_git_merges_ancestors_among_themselves_nothing_is_said(tmp_path: Path) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1}, {"a": 0.5})
    outcome, data = branches.merge("records.jsonl", size=9)
    assert (outcome.code, outcome.text) == (3, "")
    assert data.startswith(b"<<<<<<<<< ours\n")


@pytest.mark.parametrize("name", ["manifest.json", "summary.json"])
def test_a_version_that_no_commit_holds_leaves_a_conflict(tmp_path: Path, name: str) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1}, {"b": 0.5})
    outcome, data = branches.merge(name, path=f"elsewhere/{name}")
    assert (outcome.code, "stands at no commit that is known" in outcome.err) == (3, True)
    assert b"=======\n" in data


def test_a_summary_that_stands_in_two_runs_that_differ_is_not_guessed_about(tmp_path: Path) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1}, {"b": 0.5})
    for branch in ("one", "two"):
        branches.repository.git("checkout", "-q", "-b", branch, "main")
        write(branches.folder, {"b": 0.5}, output=branch)
        branches.repository.commit(branch)
    branches.repository.git("checkout", "-q", "ours")
    outcome, _ = branches.merge("summary.json")
    assert (outcome.code, "or it is not clear which it is" in outcome.err) == (3, True)
    assert branches.merge("manifest.json")[0].code == 0


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("records.jsonl", b"1\n2\n"),
        ("manifest.json", b'{"name": "site"}\n'),
        ("manifest.json", canonical.encode_document({"files": {}})),
        ("summary.json", b"text\n"),
        ("series.jsonl", b'{"id":"a"}\n'),
        ("README.md", b"text\n"),
        ("-x/records.jsonl", b"text\n"),
        ("a\nb/$(touch x)/summary.json", b"text\n"),
    ],
)
def test_what_is_no_file_of_a_run_is_left_to_git(tmp_path: Path, path: str, data: bytes) -> None:
    for side in ("base", "ours", "theirs"):
        (tmp_path / side).write_bytes(data)
    outcome = gate(tmp_path, "git", "merge", "--", "base", "ours", "theirs", "7", path)
    assert (outcome.code, outcome.text) == (5, "")
    assert {file.read_bytes() for file in tmp_path.iterdir()} == {data}


def test_outside_a_repository_documents_are_left_in_conflict(tmp_path: Path) -> None:
    branches = Branches(tmp_path / "repo", {"a": 1}, {"b": 0.5})
    branches.merge("manifest.json")
    for side in ("main", "theirs"):
        (tmp_path / side).write_text(branches.repository.git("show", f"{side}:{QA}/manifest.json") + "\n")
    (tmp_path / "ours").write_text(branches.repository.git("show", f"ours:{QA}/manifest.json") + "\n")
    outcome = gate(tmp_path, "git", "merge", "--", "main", "ours", "theirs", "7", "run/manifest.json")
    assert (outcome.code, "this is not a git repository" in outcome.err) == (3, True)


CONFLICT = b'<<<<<<< ours\n%b=======\n{"id":"b","scores":{"acc":1}}\n>>>>>>> theirs\n'


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("records.jsonl", CONFLICT % b'{"id":"a"}\n', "run/records.jsonl:1: a merge has left a conflict about 'a'\n"),
        (
            "records.jsonl",
            b'{"id":"0"}\n' + CONFLICT % b"",
            "run/records.jsonl:2: a merge has left a conflict about 'b'",
        ),
        ("records.jsonl", b"=======", "run/records.jsonl:1: a merge has left a conflict\n"),
        ("manifest.json", b"{\n<<<<<<< x\n", "run/manifest.json:2: a merge has left a conflict\n"),
        ("summary.json", b">>>>>>> x\n", "run/summary.json:1: a merge has left a conflict\n"),
    ],
)
def test_a_conflict_in_a_run_is_told_by_its_place_and_record(tmp_path: Path, path: str, data: bytes, said: str) -> None:
    run = write_run(tmp_path / "run", [scored("a", 1)])
    assert unmerged(FolderSource(run, "run")) is None
    (run / path).write_bytes(data)
    assert str(unmerged(FolderSource(run, "run"))).startswith(said)
