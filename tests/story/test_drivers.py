"""Branches that both accept, brought together by git itself: merge, rebase, cherry-pick, revert, stash, work trees."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from runstore.git import drivers
from runstore.manifest import MetricDeclaration
from tests.factories import ACC, files_of, scored, unsynced, write_run
from tests.repositories import Repository, gate

NAMES = [f"r{number:02d}" for number in range(12)]
QA = "baselines/qa"
Scores = Mapping[str, float | None]
"""Name of a record → its score; None where it is not there."""


def run_with(place: Path, scores: Scores) -> Path:
    found = {**dict.fromkeys(NAMES, 0), **scores}
    made = [
        scored(name, acc, output=f"it is {acc}", tags={"lang": "de" if name < "r06" else "fr"})
        for name, acc in found.items()
        if acc is not None
    ]
    metrics = {**ACC, "loss": MetricDeclaration(direction="lower")}
    with unsynced():
        return write_run(place, made, metrics, slices=["lang"], points=[("loss", 1, None)])


class Baseline:
    """A repository with a baseline and the drivers."""

    def __init__(self, folder: Path, path: str = QA) -> None:
        self.repository = Repository(folder)
        self.folder = folder
        self.path = path
        self.repository.write(".gitignore", "volatile/\n/runs/\n")
        run_with(folder / path, {})
        assert gate(folder, "git", "install", Path(path).parent).code == 0
        self.git("config", "rerere.enabled", "false")
        self.commit("first")

    def git(self, *words: str) -> str:
        return self.repository.git(*words)

    def commit(self, message: str) -> str:
        return self.repository.commit(message)

    def current(self, scores: Scores, name: str = "today") -> Path:
        shutil.rmtree(self.folder / "runs" / name, ignore_errors=True)
        return run_with(self.folder / "runs" / name, scores)

    def accept(self, reason: str, scores: Scores, *, at: str | None = None) -> str:
        """Accept these records on a branch of that name, from `at` if it is given; the commit."""
        if at is not None:
            self.git("checkout", "-q", "-b", reason, at)
        today = self.current(scores)
        only = [word for name in scores for word in ("--only", name)]
        done = gate(self.folder, "accept", today, self.path, "--reason", reason, *only)
        assert done.code == 0, done.text
        return self.commit(reason)

    def fails(self, *words: str, saying: str) -> None:
        with pytest.raises(AssertionError, match=saying):
            self.git(*words)

    @property
    def reasons(self) -> list[str]:
        described = json.loads((self.folder / self.path / "manifest.json").read_bytes())
        return [entry["reason"] for entry in described.get("origin", {}).get("accepted", [])]

    def holds(self, scores: Scores, *reasons: str) -> None:
        """Refuse unless the baseline is sound, is clean in git, and has these scores, accepted for these reasons."""
        validated = gate(self.folder, "validate", self.path)
        assert validated.code == 0, validated.text
        assert self.git("status", "--porcelain") == ""
        assert sorted(self.reasons) == sorted(reasons)
        current = self.current(scores, "both")
        judged = gate(self.folder, "compare", self.path, current)
        assert judged.code == 0, judged.text
        records = "records.jsonl"
        assert (self.folder / self.path / records).read_bytes() == (current / records).read_bytes()

    def is_refused(self) -> None:
        assert gate(self.folder, "validate", self.path).code == 3


@pytest.fixture
def baseline(tmp_path: Path) -> Baseline:
    return Baseline(tmp_path / "repo")


ONE, OTHER = {"r02": 1, "new": 1}, {"r03": 0.5, "r09": None}
BOTH = {**ONE, **OTHER}
slow = pytest.mark.slow


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("merge", "--no-edit", "one"), id="merge"),
        pytest.param(("merge", "--no-edit", "-s", "ort", "one"), id="ort", marks=slow),
        pytest.param(("merge", "--no-edit", "-s", "recursive", "one"), id="recursive", marks=slow),
        pytest.param(("rebase", "-q", "one"), id="rebase"),
        pytest.param(("rebase", "-q", "--apply", "one"), id="apply", marks=slow),
        pytest.param(("cherry-pick", "one"), id="cherry-pick"),
    ],
)
def test_two_branches_that_accept_different_records_come_together(baseline: Baseline, words: tuple[str, ...]) -> None:
    baseline.accept("one", ONE, at="main")
    baseline.accept("other", OTHER, at="main")
    baseline.git(*words)
    baseline.holds(BOTH, "one", "other")


def test_two_acceptances_in_the_same_words_are_both_told(baseline: Baseline) -> None:
    improved: dict[str, Scores] = {"one": {"r02": 1}, "other": {"r09": 0.5}}
    for branch, scores in improved.items():
        baseline.git("checkout", "-q", "-b", branch, "main")
        words = ("--improved", "--reason", "better")
        assert gate(baseline.folder, "accept", baseline.current(scores), baseline.path, *words).code == 0
        baseline.commit(branch)
    baseline.git("merge", "--no-edit", "one")
    baseline.holds({"r02": 1, "r09": 0.5}, "better", "better")


@slow
def test_a_rebase_of_several_acceptances_goes_through(baseline: Baseline) -> None:
    baseline.accept("one", ONE, at="main")
    baseline.accept("other", {"r03": 0.5}, at="main")
    baseline.accept("third", {"r03": 0.5, "r11": 0.25})
    baseline.accept("fourth", {"r03": 0.5, "r09": None, "r11": 0.25})
    baseline.git("rebase", "-q", "one")
    baseline.holds({**BOTH, "r11": 0.25}, "one", "other", "third", "fourth")


@slow
def test_an_acceptance_is_reverted_and_the_later_one_stays(baseline: Baseline) -> None:
    first = baseline.accept("one", {"r02": 1})
    baseline.accept("other", {"r02": 1, "r03": 0.5})
    baseline.git("revert", "--no-edit", first)
    baseline.holds({"r03": 0.5}, "other")


@slow
def test_a_stash_is_popped_onto_another_acceptance(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1}, at="main")
    baseline.git("reset", "-q", "--soft", "main")
    baseline.git("stash")
    baseline.git("checkout", "-q", "main")
    baseline.accept("other", {"r09": 0.5})
    baseline.git("stash", "pop")
    baseline.commit("popped")
    baseline.holds({"r02": 1, "r09": 0.5}, "one", "other")


@slow
def test_a_merge_in_a_linked_work_tree_with_an_odd_path(tmp_path: Path) -> None:
    first = Baseline(tmp_path / 'it\'s a "repo"', "base lines/q'a $x")
    first.accept("one", ONE, at="main")
    first.accept("other", OTHER, at="main")
    first.git("checkout", "-q", "main")
    linked = tmp_path / "linked 'tree'"
    first.git("worktree", "add", "-q", str(linked), "other")
    there = Repository(linked)
    there.git("merge", "--no-edit", "one")
    assert gate(linked, "validate", first.path).code == 0
    first.git("merge", "-q", "--ff-only", "other")
    first.holds(BOTH, "one", "other")


def test_where_both_sides_have_one_summary_the_manifest_waits_for_gate_rebuild(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1}, at="main")
    baseline.accept("other", {"r03": 1}, at="main")
    advice = "; gate rebuild baselines/qa; git add baselines/qa\n"
    baseline.fails("merge", "one", saying=f"both sides have the same summary, .*\n  then: .*{advice}")
    assert baseline.git("diff", "--name-only", "--diff-filter=U") == f"{QA}/manifest.json"
    baseline.is_refused()
    assert gate(baseline.folder, "rebuild", QA).code == 0
    baseline.commit("merged")
    baseline.holds({"r02": 1, "r03": 1}, "other", "one")


def test_a_record_that_both_have_changed_is_marked_refused_and_settled_by_hand(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1, "r05": 0.25}, at="main")
    baseline.accept("other", {"r02": 0.5, "r09": None}, at="main")
    baseline.fails("merge", "one", saying="records.jsonl: both sides have changed 'r02'\n")
    assert set(baseline.git("diff", "--name-only", "--diff-filter=U").split()) == {
        f"{QA}/{name}" for name in ("manifest.json", "records.jsonl", "summary.json")
    }
    records = baseline.folder / QA / "records.jsonl"
    text = records.read_text()
    assert text.count("<<<<<<< ") == text.count(">>>>>>> ") == 1
    baseline.is_refused()
    refused = gate(baseline.folder, "rebuild", QA)
    assert (refused.code, "a merge has left conflicts here: lines 3-7" in refused.text) == (3, True)
    kept = [line for line in text.splitlines() if not line.startswith(("<<<", "===", ">>>")) and "is 0.5" not in line]
    records.write_text("".join(f"{line}\n" for line in kept))
    assert gate(baseline.folder, "rebuild", QA).code == 0
    baseline.commit("merged")
    baseline.holds({"r02": 1, "r05": 0.25, "r09": None}, "one", "other")


@slow
def test_a_record_that_one_has_removed_and_the_other_changed_is_a_conflict(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": None}, at="main")
    baseline.accept("other", {"r02": 0.5}, at="main")
    baseline.fails("merge", "one", saying="both sides have changed 'r02'")
    baseline.is_refused()


@slow
def test_the_same_acceptance_on_both_sides_is_told_once(baseline: Baseline) -> None:
    one = baseline.accept("one", {"r02": 1}, at="main")
    baseline.accept("other", {"r03": 0.5}, at="main")
    baseline.git("cherry-pick", one)
    baseline.git("merge", "--no-edit", "one")
    baseline.holds({"r02": 1, "r03": 0.5}, "one", "other")


@slow
def test_a_criss_cross_whose_common_version_both_sides_have_made_is_merged(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1}, at="main")
    baseline.accept("other", {"r03": 0.5}, at="main")
    baseline.git("branch", "left", "one")
    baseline.git("merge", "--no-edit", "one")
    baseline.accept("more", {"r02": 1, "r03": 0.5, "r08": 0.25}, at="other")
    baseline.git("checkout", "-q", "left")
    baseline.git("merge", "--no-edit", "other~1")
    baseline.accept("most", {"r02": 1, "r03": 0.5, "r10": 0.75}, at="left")
    baseline.git("merge", "--no-edit", "more")
    baseline.holds({"r02": 1, "r03": 0.5, "r08": 0.25, "r10": 0.75}, "one", "other", "more", "most")


@slow
def test_a_baseline_that_both_have_made_is_merged_if_nothing_in_it_differs_by_choice(tmp_path: Path) -> None:
    made = Baseline(tmp_path / "repo", "baselines/old")
    for name, scores in (("one", ONE), ("other", OTHER)):
        made.git("checkout", "-q", "-b", name, "main")
        run_with(made.folder / QA, scores)
        made.commit(name)
    made.fails("merge", "one", saying="both sides have changed 'r02'|both sides have changed 'r03'")
    assert gate(made.folder, "validate", QA).code == 3


def with_settings(baseline: Baseline, interpreter: str) -> None:
    for name, value in drivers.settings(interpreter).items():
        baseline.git("config", name, value)


def killed_program(folder: Path) -> str:
    program = folder / "py'thon"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("kind", ["gone", pytest.param("killed", marks=slow), pytest.param("other", marks=slow)])
def test_without_the_tool_git_goes_on_as_if_there_were_no_drivers(
    baseline: Baseline, tmp_path: Path, kind: str
) -> None:
    baseline.accept("one", {"r02": 1}, at="main")
    baseline.accept("other", {"r10": 0.5}, at="main")
    programs = {"gone": "/nowhere/100% 'gone'/python", "killed": killed_program(tmp_path), "other": "/bin/false"}
    with_settings(baseline, programs[kind])
    assert '+{"id":"r10","output":"it is 0.5"' in baseline.git("diff", "HEAD~1")
    assert '+{"id":"r10","output":"it is 0.5"' in baseline.git("log", "-p", "-1")
    baseline.fails("merge", "one", saying="gate: merged as plain text")
    assert "<<<<<<< ours" in (baseline.folder / QA / "manifest.json").read_text()
    assert list(baseline.folder.glob(".merge_file*")) == []
    baseline.is_refused()
    assert gate(baseline.folder, "rebuild", QA).code == 0
    baseline.commit("merged")
    baseline.holds({"r02": 1, "r10": 0.5}, "one", "other")


@slow
def test_without_the_settings_the_attributes_alone_change_nothing(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1}, at="main")
    baseline.accept("other", {"r10": 0.5}, at="main")
    assert gate(baseline.folder, "git", "uninstall").code == 0
    baseline.git("checkout", "-q", ".gitattributes")
    with pytest.raises(AssertionError):
        baseline.git("merge", "one")
    assert gate(baseline.folder, "rebuild", QA).code == 0
    baseline.commit("merged")
    baseline.holds({"r02": 1, "r10": 0.5}, "one", "other")


def test_a_diff_shows_a_field_a_line_and_names_the_record(baseline: Baseline) -> None:
    baseline.accept("one", {"r02": 1})
    shown = baseline.git("diff", "-U0", "HEAD~1", "--", f"{QA}/records.jsonl").splitlines()
    assert shown[-6:] == [
        "@@ -12 +12 @@ record r02",
        "-  scores/acc: 0",
        "+  scores/acc: 1",
        "@@ -14 +14 @@ record r02",
        "-  output: it is 0",
        "+  output: it is 1",
    ]


def test_files_of_the_same_names_that_are_no_runs_are_merged_and_shown_as_text(baseline: Baseline) -> None:
    texts = {"manifest.json": '{"a": 1}\n', "records.jsonl": "1\n2\n3\n4\n", "summary.json": "x\ny\nz\n"}
    for side, edit in (("main", None), ("one", ("1", "one")), ("other", ("4", "four"))):
        if edit:
            baseline.git("checkout", "-q", "-b", side, "main")
        for name, text in texts.items():
            baseline.repository.write(f"baselines/site/{name}", text.replace(*edit) if edit else text)
        baseline.commit(side)
    baseline.git("merge", "--no-edit", "one")
    assert files_of(baseline.folder / "baselines/site")["records.jsonl"] == b"one\n2\n3\nfour\n"
    assert "+four\n" in baseline.git("diff", "HEAD^2", "--", "baselines/site/records.jsonl") + "\n"
