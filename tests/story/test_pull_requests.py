"""A baseline that lives in git through some weeks: two people, a server, pull requests, an accepted drop, a fork."""

from __future__ import annotations

import shutil
from pathlib import Path

from runstore.manifest import Provenance
from tests.command_line import Outcome, gate
from tests.factories import Record, scored, unsynced, write_run
from tests.repositories import Repository, git

POLICY = "[metrics.acc]\nmax_drop = 0.02\n\n[records]\nmax_regressed = 1\n\n[trust]\nmax_claimed_regressed = 2\n"


def evaluate(repository: Repository, scores: dict[str, float], place: str = "runs/qa") -> None:
    """What the evaluation of a commit leaves behind."""
    commit = repository.git("rev-parse", "HEAD")
    records: list[Record] = [scored(name, acc) for name, acc in scores.items()]
    shutil.rmtree(repository.folder / place, ignore_errors=True)
    with unsynced():
        write_run(repository.folder / place, records, provenance=Provenance(commit=commit, dirty=False))


def judged(repository: Repository, *words: str) -> Outcome:
    """The gate as the workflow of a pull request runs it."""
    head = repository.git("rev-parse", "HEAD")
    command = ("compare", "origin/main:baselines/qa", "runs/qa", "--expect-commit", head, "--format", "json")
    return gate(repository.folder, *command, *words)


def accept(repository: Repository) -> None:
    """Make the current run the baseline."""
    shutil.rmtree(repository.folder / "baselines/qa", ignore_errors=True)
    shutil.copytree(repository.folder / "runs/qa", repository.folder / "baselines/qa")


def merge(server: Path, author: Repository, branch: str) -> None:
    """What the server does when the button is pressed."""
    author.git("push", "-q", "origin", branch)
    author.git("fetch", "-q", "origin")
    author.git("checkout", "-q", "--detach", "origin/main")
    author.git("merge", "-q", "--no-ff", "-m", f"merge {branch}", branch)
    author.git("push", "-q", "origin", "HEAD:main")
    author.git("fetch", "-q", "origin")
    assert git(server, "rev-parse", "main") == author.git("rev-parse", "origin/main")


def test_a_baseline_lives_in_pull_requests(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "server.git")
    server = tmp_path / "server.git"
    scores = {f"q{number}": 0.5 for number in range(8)}

    # The first baseline and the policy come in a change of their own, reviewed by people.
    ann = Repository(tmp_path / "ann")
    ann.git("remote", "add", "origin", f"file://{server}")
    ann.write(".gitignore", "/runs/\n")
    ann.write("gate.toml", POLICY)
    ann.commit("code")
    evaluate(ann, scores)
    accept(ann)
    ann.commit("first baseline")
    ann.git("push", "-q", "origin", "HEAD:main")
    ann.git("fetch", "-q", "origin")

    # A change that makes nothing worse.
    ann.git("checkout", "-q", "-b", "harmless", "origin/main")
    ann.write("code.py", "better = True\n")
    ann.commit("harmless")
    evaluate(ann, {**scores, "q0": 0.9})
    assert (judged(ann).code, judged(ann).rules) == (0, [])

    # A change that makes it worse, and one that lowers the bar with it: both are red.
    ann.git("checkout", "-q", "-b", "worse", "origin/main")
    ann.write("code.py", "better = False\n")
    ann.commit("worse")
    worse = {**scores, "q1": 0.1, "q2": 0.1}
    evaluate(ann, worse)
    assert (judged(ann).code, judged(ann).rules) == (1, ["max-regressed", "max-drop"])
    accept(ann)
    ann.commit("accept")
    evaluate(ann, worse)
    outcome = judged(ann)
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-regressed", "max-drop"])
    assert [one["record"] for one in outcome.view["findings"] if one["rule"] == "claims"] == [None, "q1", "q2"]

    # A maintainer looks, and approves: the run that CI made is what is claimed, but for where it came from.
    outcome = judged(ann, "--claims-approved")
    assert (outcome.code, outcome.rules) == (0, ["claims"])
    merge(server, ann, "worse")

    # Bob started before that. His change is judged by what is in force now, and claims nothing.
    bob = Repository(tmp_path / "ann").clone(tmp_path / "bob")
    bob.git("remote", "set-url", "origin", f"file://{server}")
    bob.git("fetch", "-q", "origin")
    bob.git("checkout", "-q", "-b", "bobs", "origin/main~1")
    bob.write("other.py", "x = 1\n")
    bob.commit("other")
    evaluate(bob, worse)
    assert (judged(bob).code, judged(bob).rules) == (0, [])

    # A third record is one more than the policy lets any change lower, whoever approves.
    bob.git("rebase", "-q", "origin/main")
    lower = {**worse, "q3": 0.1, "q4": 0.1, "q5": 0.1}
    evaluate(bob, lower)
    accept(bob)
    bob.commit("accept three")
    evaluate(bob, lower)
    outcome = judged(bob, "--claims-approved")
    assert (outcome.code, outcome.rules) == (1, ["claims"])
    assert "3 records of the baseline edited to worse ones; 2 allowed" in outcome.text

    # An artifact of last week does not fit the commit.
    bob.git("checkout", "-q", "-B", "bobs", "origin/main")
    bob.commit("again")
    evaluate(bob, worse, "runs/old")
    bob.commit("and again")
    shutil.rmtree(bob.folder / "runs/qa")
    (bob.folder / "runs/old").rename(bob.folder / "runs/qa")
    assert (judged(bob).code, judged(bob).rules) == (4, ["provenance"])

    # A shallow checkout, as CI makes it, fetches what it is told to and says the same.
    bob.git("push", "-q", "origin", "bobs")
    runner = tmp_path / "runner"
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=bobs", f"file://{server}", runner)
    ci = Repository(runner)
    evaluate(ci, worse)
    outcome = judged(ci)
    assert outcome.code == 2
    hint = outcome.err.split("hint: ")[1].strip()
    ci.git(*hint.split()[1:])
    assert (judged(ci).code, judged(ci).rules) == (0, [])
