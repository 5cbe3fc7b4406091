"""What got past the gate where it meets git and its servers, or broke git itself: each test is one way in."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from gate_action import approval, artifact, event
from gate_action.api import Api
from gate_action.checkout import Checkout
from runstore import comparison
from runstore.accepting.selection import Selection, Sieve
from runstore.errors import InvalidDataError
from runstore.git import drivers
from runstore.git.repository import Repository as GitRepository
from runstore.git.versions import Role, Versions
from runstore.policy.model import Policy
from runstore.reviewing.subjects import Judged, items_of
from tests.command_line import environment
from tests.conftest import ROOT
from tests.factories import pair_of_runs, scored, unsynced, write_run
from tests.fake_runner import REPOSITORY
from tests.github_server import serving
from tests.repositories import FIXED, Repository, gate

QA = "baselines/qa"


def merged(
    repository: Repository, name: str, base: bytes, ours: bytes, theirs: bytes
) -> subprocess.CompletedProcess[str]:
    """What `git merge` does with three versions of one file."""
    for branch, data in (("main", base), ("theirs", theirs), ("ours", ours)):
        if branch != "main":
            repository.git("checkout", "-q", "-B", branch, "main")
        repository.write(name, data)
        repository.commit(branch)
    return subprocess.run(
        ["git", "merge", "-q", "theirs"],
        cwd=repository.folder,
        env={**environment(repository.folder), **FIXED},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_driver_never_says_of_a_binary_file_that_it_crashed_for_git_would_give_up_the_whole_merge(
    tmp_path: Path,
) -> None:
    for name, data in (("base", b"a\0b\n"), ("ours", b"a\0c\n"), ("theirs", b"a\0d\n")):
        (tmp_path / name).write_bytes(data)
    command = drivers.settings(sys.executable)["merge.gate.driver"]
    places = {"%O": "base", "%A": "ours", "%B": "theirs", "%L": "7", "%P": f"{QA}/records.jsonl", "%%": "%"}
    command = re.sub("%[OABLP%SXY]", lambda found: places.get(found[0], "x"), command)
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(tmp_path), capture_output=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert (tmp_path / "ours").read_bytes() == b"a\0c\n"


def write_scores(repository: Repository, **scores: float) -> bytes:
    """Write the baseline with some scores that are not 0; its summary."""
    for file in (repository.folder / QA).glob("*"):
        file.unlink()
    made = [scored(name, acc) for name, acc in {**dict.fromkeys("abcdef", 0), **scores}.items()]
    with unsynced():
        write_run(repository.folder / QA, made)
    return (repository.folder / QA / "summary.json").read_bytes()


def test_a_stash_with_the_totals_of_the_common_version_is_not_taken_for_it(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    write_scores(repository)
    repository.commit("first")
    assert gate(tmp_path, "git", "install").code == 0
    write_scores(repository, b=1)
    repository.git("stash")
    write_scores(repository, a=1)
    repository.commit("base")
    repository.git("checkout", "-q", "-b", "theirs")
    write_scores(repository, c=0.5)
    repository.commit("theirs")
    repository.git("checkout", "-q", "-b", "ours", "main")
    write_scores(repository, a=1, e=0.25)
    repository.commit("ours")
    repository.git("merge", "-q", "theirs")
    assert gate(tmp_path, "validate", QA).code == 0


def test_where_git_does_not_tell_what_is_merged_the_tip_of_a_rebase_is_not_taken_for_a_commit_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path)
    write_scores(repository)
    first = repository.commit("first")
    wanted = write_scores(repository, a=1)
    repository.commit("a rose")
    assert write_scores(repository, b=1) == wanted
    repository.git("update-ref", "ORIG_HEAD", repository.commit("b rose, a fell"))
    repository.git("checkout", "-q", "--detach", first)
    monkeypatch.chdir(tmp_path)
    with closing(GitRepository()) as found:
        assert Versions(found, f"{QA}/summary.json", {}).run_with(wanted, Role.THEIRS) is None


def test_a_clone_in_which_install_was_cut_short_still_merges(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", "records.jsonl diff=gate merge=gate\n")
    for name, value in list(drivers.settings(sys.executable).items())[:3]:
        repository.git("config", name, value)
    done = merged(repository, "records.jsonl", b"a\n\nb\n\nc\n", b"A\n\nb\n\nc\n", b"a\n\nb\n\nC\n")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "records.jsonl").read_bytes() == b"A\n\nb\n\nC\n"


@pytest.mark.parametrize("size", ["3", "20"])
def test_a_conflict_whose_marks_have_another_length_is_told_and_can_be_mended(tmp_path: Path, size: str) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", f"*.json* conflict-marker-size={size}\n")
    assert gate(tmp_path, "git", "install").code == 0
    for branch, acc in (("main", 0), ("theirs", 0.5), ("ours", 1)):
        if branch != "main":
            repository.git("checkout", "-q", "-b", branch, "main")
        for file in (tmp_path / QA).glob("*"):
            file.unlink()
        with unsynced():
            write_run(tmp_path / QA, [scored("a", acc), scored("b")])
        repository.commit(branch)
    with pytest.raises(AssertionError):
        repository.git("merge", "-q", "theirs")
    assert "a merge has left a conflict about 'a'" in gate(tmp_path, "validate", QA).text
    records = tmp_path / QA / "records.jsonl"
    lines = [line for line in records.read_bytes().splitlines(keepends=True) if line.startswith(b"{")]
    assert len(lines) == 3
    records.write_bytes(lines[0] + lines[2])
    done = gate(tmp_path, "rebuild", QA)
    assert done.code == 0, done.text
    assert gate(tmp_path, "validate", QA).code == 0


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_artifact_that_is_packed_otherwise_is_refused_and_no_crash(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("verdict.json", b"{}" * 100)
    data = bytearray(file.getvalue())
    data[46] = 0xFF  # within the packed bytes
    with pytest.raises(InvalidDataError, match="packed"):
        artifact.read(bytes(data))


HEAD, LABEL = "a" * 40, "approved"


def label_event(place: Path, **variables: str) -> event.Event:
    """The event of mona, who has set the label."""
    pull = {
        "number": 5,
        "labels": [{"name": LABEL}],
        "base": {"sha": "b" * 40},
        "head": {"sha": HEAD, "ref": "change", "repo": {"full_name": REPOSITORY}},
    }
    payload = {"action": "labeled", "label": {"name": LABEL}, "sender": {"login": "mona"}, "pull_request": pull}
    place.write_text(json.dumps(payload))
    fixed = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": HEAD}
    return event.read({**fixed, "GITHUB_EVENT_PATH": str(place), **variables})


@pytest.mark.parametrize("attempt", ["2", ""])
def test_an_approval_that_was_taken_back_does_not_come_back_when_its_job_is_run_again(
    tmp_path: Path, attempt: str
) -> None:
    at = f"/repos/{REPOSITORY}"
    label = {
        "event": "labeled",
        "label": {"name": LABEL},
        "created_at": "2026-01-01T10:00:00Z",
        "actor": {"login": "mona"},
    }
    push = {"after": HEAD, "timestamp": "2026-01-01T09:00:00Z", "ref": "refs/heads/change"}
    with serving() as server:
        server.answers[f"{at}/collaborators/mona/permission"] = {"permission": "write", "role_name": "maintain"}
        server.answers[f"{at}/issues/5/events"] = [label]
        server.answers[f"{at}/activity"] = [push]

        def is_given(number: str) -> bool:
            found = label_event(tmp_path / "event.json", GITHUB_RUN_ATTEMPT=number)
            return approval.find(Api(root=server.url, token=""), found, LABEL, HEAD).is_given

        assert is_given("1")
        assert is_given(attempt)
        server.answers[f"{at}/issues/5/events"] = [label, {**label, "event": "unlabeled"}]
        assert not is_given(attempt)


def test_a_label_does_not_approve_a_merge_that_the_server_has_made_of_a_later_push(tmp_path: Path) -> None:
    merge = "d" * 40
    with serving() as server:
        server.answers[f"/repos/{REPOSITORY}/collaborators/mona/permission"] = {"role_name": "maintain"}
        found = label_event(tmp_path / "event.json", GITHUB_RUN_ATTEMPT="1", GITHUB_SHA=merge)
        api = Api(root=server.url, token="")
        assert approval.find(api, found, LABEL, merge, ["b" * 40, HEAD]).is_given
        assert not approval.find(api, found, LABEL, merge, ["b" * 40, "c" * 40]).is_given


def test_the_parents_of_a_merge_are_known_in_a_shallow_checkout_too(tmp_path: Path) -> None:
    author = Repository(tmp_path / "author")
    author.commit("first")
    author.git("checkout", "-q", "-b", "change")
    head = author.commit("change")
    author.git("checkout", "-q", "main")
    main = author.commit("main")
    author.git("merge", "-q", "--no-ff", "--no-edit", "change")
    clone = author.clone(tmp_path / "clone", "--depth=1")
    assert Checkout(folder=clone.folder, url="file:///nowhere", token="").parents() == [main, head]


def test_what_prepares_a_job_that_judges_loads_no_module_of_the_checkout() -> None:
    places = ("templates/gitlab.yml", "action.yml", "action/comment/action.yml", ".pre-commit-hooks.yaml")
    called = [
        (place, words)
        for place in places
        for words in re.findall(r'(?:python|\$PYTHON"?)"? (-\S.*)', (ROOT / place).read_text(encoding="utf-8"))
    ]
    assert len(called) >= len(places)
    assert [one for one in called if not one[1].startswith("-I ")] == []


def test_the_recipe_unpacks_no_artifact_through_a_link_that_the_change_has_committed(tmp_path: Path) -> None:
    (script,) = re.findall(r"- run: (.*gh run download.*)", (ROOT / "docs/ci.md").read_text(encoding="utf-8"))
    for folder in ("action", "bin", "work"):
        (tmp_path / folder).mkdir()
    (tmp_path / "work/runs").symlink_to(tmp_path / "action")
    gh = tmp_path / "bin/gh"
    gh.write_text(
        '#!/bin/sh\nfor folder; do :; done; mkdir -p "$folder" && echo evil > "$folder/json.py"\n'
    )  # as gh does
    gh.chmod(0o755)
    found = {**environment(tmp_path), "GITHUB_RUN_ID": "7"}
    found["PATH"] = f"{gh.parent}:{found['PATH']}"
    subprocess.run(["bash", "-ec", script], cwd=tmp_path / "work", env=found, check=True)
    assert (tmp_path / "work/runs/json.py").is_file()
    assert list((tmp_path / "action").iterdir()) == []


def test_a_waiver_that_would_hold_in_another_run_of_the_suite_is_not_asked_for(tmp_path: Path) -> None:
    old, worse = [scored("a", 1), scored("b", 1)], [scored("a", 0.5), scored("b", 0.75)]
    runs = {
        "de": pair_of_runs(tmp_path / "de", old, worse),
        "en": pair_of_runs(tmp_path / "en", old, [scored("a", 0.5), scored("b", 1, output="x")]),
    }
    judged = [
        Judged(
            path=path, rules=Policy(), comparison=comparison.compare(*pair, Policy(), today=date(2026, 1, 31), limit=9)
        )
        for path, pair in runs.items()
    ]
    found = {(one.run, one.change.key[0]): one.subject for one in items_of(judged, Sieve(Selection()))}
    assert [bool(found[place].falls) for place in (("de", b"a"), ("en", b"a"), ("de", b"b"))] == [False, False, True]
    assert "several runs" in found["de", b"a"].cannot_waive
