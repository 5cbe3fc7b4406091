"""Random histories of a baseline: whatever people do with git, it is valid or visibly conflicted, and nothing is lost.

Ann and Ben commit, branch, accept, merge with the driver and without it, rebase and cherry-pick, in any order. What a
merge must come to is worked out here from git's own objects, record by record, and not by the code under test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import repositories
from tests.command_line import Outcome, environment
from tests.factories import scored, unsynced, write_run

PLACE = "baselines/qa"
RECORDS = f"{PLACE}/records.jsonl"
SUMMARY = f"{PLACE}/summary.json"
IDS = [f"q{number}" for number in range(9)]
ATTRIBUTES = "/baselines/** -text\n"
Scores = dict[str, float]
BRANCH = st.integers(0, 4)
CHANGES = st.dictionaries(st.sampled_from(IDS), st.sampled_from([0, 0.25, 0.5, 0.75, 1, None]), min_size=1, max_size=3)


class Histories(RuleBasedStateMachine):
    """A repository; what its branches have accepted is known from the objects of their commits."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="histories-"))
        self.folder = self.home / "work"
        self.branches = ["main"]
        self.count = 0
        self.conflicts = 0
        tools = self.home / "tools"
        tools.mkdir()
        (tools / "gate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runstore.cli.main "$@"\n')
        (tools / "gate").chmod(0o755)
        self.path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def teardown(self) -> None:
        shutil.rmtree(self.home)

    # What people do

    @initialize(
        scores=st.dictionaries(st.sampled_from(IDS), st.sampled_from([0, 0.5, 1]), min_size=5),
        changes=st.lists(CHANGES, min_size=3, max_size=3),
    )
    def first_baseline(self, scores: Scores, changes: list[dict[str, float | None]]) -> None:
        """A baseline from which three branches have gone on their own."""
        self.folder.mkdir()
        self.git("init", "-q", "-b", "main", "--template=")
        self.write(".gitattributes", ATTRIBUTES)
        self.write(".gitignore", "/runs/\n")
        self.run_of(scores)
        self.gate("accept", "runs/qa", PLACE, "--new", "--reason", self.reason())
        self.gate("git", "install")
        self.save("the first baseline")
        self.branch("main")
        self.branch("main")
        for on, change in enumerate(changes):
            self.accepts_on(on, change)

    @rule(on=BRANCH)
    def commits_something_else(self, on: int) -> None:
        self.switch(on)
        self.write(f"src/{self.next()}.txt", "x\n")
        self.save("code")

    @precondition(lambda self: len(self.branches) < 5)
    @rule(start=BRANCH)
    def branches_off(self, start: int) -> None:
        self.branch(self.branches[start % len(self.branches)])

    @rule(on=BRANCH, changes=CHANGES)
    def accepts(self, on: int, changes: dict[str, float | None]) -> None:
        self.accepts_on(on, changes)

    def accepts_on(self, on: int, changes: dict[str, float | None]) -> None:
        """Some records are changed, added or removed."""
        self.switch(on)
        before = self.scores("HEAD")
        wanted = {name: score for name, score in changes.items() if before.get(name) != score}
        after = {name: score for name, score in {**before, **wanted}.items() if score is not None}
        if not wanted or not after:
            return
        self.run_of(after)
        reason = self.reason()
        self.gate("accept", "runs/qa", PLACE, "--reason", reason, *(f"--only={name}" for name in wanted))
        self.save(reason)
        assert self.scores("HEAD") == after
        assert reason in self.reasons("HEAD")

    @rule(into=BRANCH, which=BRANCH, has_driver=st.booleans())
    def merges(self, into: int, which: int, has_driver: bool) -> None:
        self.switch(into)
        other = self.branches[which % len(self.branches)]
        ours, theirs = self.commit("HEAD"), self.commit(other)
        bases = self.git("merge-base", "--all", "HEAD", other).split()
        expected = merged([self.scores(base) for base in bases], self.scores(ours), self.scores(theirs))
        done = self.try_git(has_driver, "merge", "--no-edit", "-q", other)
        self.settles(done, ours, theirs, expected, has_driver)

    @rule(into=BRANCH, which=BRANCH, has_driver=st.booleans())
    def cherry_picks(self, into: int, which: int, has_driver: bool) -> None:
        self.switch(into)
        other = self.commit(self.branches[which % len(self.branches)])
        parents = self.git("rev-list", "--parents", "-n", "1", other).split()[1:]
        if len(parents) != 1:
            return
        ours = self.commit("HEAD")
        expected = merged([self.scores(parents[0])], self.scores(ours), self.scores(other))
        done = self.try_git(has_driver, "cherry-pick", "--allow-empty", "--keep-redundant-commits", other)
        self.settles(done, ours, other, expected, has_driver, is_named=False)

    @rule(which=BRANCH, onto=BRANCH, has_driver=st.booleans())
    def rebases(self, which: int, onto: int, has_driver: bool) -> None:
        self.switch(which)
        before = self.commit("HEAD")
        done = self.try_git(has_driver, "rebase", "-q", self.branches[onto % len(self.branches)])
        if done.returncode:
            self.is_visible()
            self.git("rebase", "--abort")
            assert self.commit("HEAD") == before
        elif self.gate_says("validate", PLACE).code:
            assert not has_driver, "with the driver a clean rebase is a valid baseline"
            self.mends()

    # What then must hold

    def settles(
        self,
        done: subprocess.CompletedProcess[str],
        ours: str,
        theirs: str,
        expected: Scores | None,
        has_driver: bool,
        *,
        is_named: bool = True,
    ) -> None:
        """A merge ended: as worked out, or in a conflict that is seen, and is mended or given up.

        `is_named`: git tells a driver what is merged. In a pick it does not, and what several commits hold is not
        guessed about: records are merged, documents wait for `gate rebuild`.
        """
        unmerged = set(self.git("diff", "--name-only", "--diff-filter=U").splitlines())
        if done.returncode == 0:
            if self.gate_says("validate", PLACE).code:
                assert not has_driver, "with the driver a clean merge is a valid baseline"
                self.mends()
        else:
            assert unmerged, done.stderr
            self.conflicts += 1
            self.is_visible()
            if has_driver and expected is not None:
                # Git asks no driver about a summary that is the same on both sides, though that of the merge is not.
                alike = self.git("rev-parse", f"{ours}:{SUMMARY}") == self.git("rev-parse", f"{theirs}:{SUMMARY}")
                assert alike or not is_named, "what can be merged is"
                assert RECORDS not in unmerged, "what can be merged is"
            if RECORDS in unmerged or self.gate_says("rebuild", PLACE).code:
                assert not has_driver or expected is None, "what was merged can be rebuilt"
                self.git("reset", "-q", "--hard", ours)  # also ends a merge or a pick
                return
            self.save("merged by hand")
        found = self.scores("HEAD")
        if expected is not None:
            assert found == expected
        for name in {**self.scores(ours), **self.scores(theirs)}:
            assert found.get(name) in (self.scores(ours).get(name), self.scores(theirs).get(name)), name
        assert self.reasons(ours) <= self.reasons("HEAD"), "why a record was accepted is kept, too"

    def mends(self) -> None:
        """Git merged lines on its own; what follows from them is made again."""
        assert self.gate_says("compare", PLACE, PLACE).code == 3, "nobody is judged by it before"
        assert self.gate_says("rebuild", PLACE).code == 0
        self.save("rebuilt")

    def is_visible(self) -> None:
        outcome = self.gate_says("validate", PLACE)
        unmerged = self.git("diff", "--name-only", "--diff-filter=U").splitlines()
        if any(path.startswith(PLACE) for path in unmerged):
            assert outcome.code == 3, "a conflict is refused"

    @invariant()
    def the_baseline_on_disk_is_valid(self) -> None:
        if self.folder.exists():
            assert self.gate_says("validate", PLACE).code == 0
            assert not self.git("status", "--porcelain")

    # How it is done

    def switch(self, which: int) -> None:
        self.git("switch", "-q", self.branches[which % len(self.branches)])

    def branch(self, start: str) -> None:
        self.branches.append(f"b{self.next()}")
        self.git("switch", "-q", "-c", self.branches[-1], start)

    def git(self, *words: str) -> str:
        done = self.try_git(True, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_git(self, has_driver: bool, *words: str) -> subprocess.CompletedProcess[str]:
        """Git with the driver, or as a server has it: without any."""
        plain = () if has_driver else ("-c", "merge.gate.driver=git merge-file -L ours -L base -L theirs %A %O %B")
        variables = {**environment(self.home), **repositories.FIXED, "PATH": self.path, "GIT_EDITOR": "true"}
        return subprocess.run(
            ["git", *plain, *words], cwd=self.folder, env=variables, capture_output=True, text=True, check=False
        )

    def gate_says(self, *words: str) -> Outcome:
        with unsynced():
            return repositories.gate(self.folder, *words, env={"PATH": self.path})

    def gate(self, *words: str) -> None:
        outcome = self.gate_says(*words)
        assert outcome.code == 0, outcome.text

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def run_of(self, scores: Mapping[str, float]) -> None:
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        with unsynced():
            write_run(self.folder / "runs" / "qa", [scored(name, score) for name, score in scores.items()])

    def save(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def next(self) -> int:
        self.count += 1
        return self.count

    def reason(self) -> str:
        return f"reason {self.next()}"

    def commit(self, ref: str) -> str:
        return self.git("rev-parse", f"{ref}^{{commit}}")

    def scores(self, ref: str) -> Scores:
        lines = self.git("show", f"{ref}:{RECORDS}").splitlines()
        return {record["id"]: record["scores"]["acc"] for record in map(json.loads, lines)}

    def reasons(self, ref: str) -> set[str]:
        manifest = json.loads(self.git("show", f"{ref}:{PLACE}/manifest.json"))
        return {entry["reason"] for entry in manifest["origin"]["accepted"]}


def merged(bases: list[Scores], ours: Scores, theirs: Scores) -> Scores | None:
    """What a merge must come to; None if both changed one record, each in its own way, or there is not one base."""
    if len(bases) != 1:
        return None
    [base] = bases
    found: Scores = {}
    for name in {**base, **ours, **theirs}:
        was, mine, other = base.get(name), ours.get(name), theirs.get(name)
        if mine != was and other != was and mine != other:
            return None
        value = mine if mine != was else other
        if value is not None:
            found[name] = value
    return found


@pytest.mark.slow
@pytest.mark.parametrize("start", [1, 2])
def test_fifty_random_histories_lose_no_accepted_record(start: int) -> None:
    """Fifty in two parts, so that the workers share them."""
    run_state_machine_as_test(
        seed(start)(Histories),
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_a_few_random_histories_lose_no_accepted_record() -> None:
    run_state_machine_as_test(Histories, settings=settings(max_examples=2, stateful_step_count=10, deadline=None))
