"""`gate git install` and `uninstall`: what is written where, once, and never over what the user has written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runstore import starter
from runstore.git import drivers
from runstore.git.attributes import new_lines
from tests.repositories import Repository, gate

NAMES = ("diff.gate.textconv", "diff.gate.xfuncname", "merge.gate.name", "merge.gate.driver")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def attributes(repository: Repository) -> str:
    return (repository.folder / ".gitattributes").read_text()


def attribute(repository: Repository, name: str, path: str) -> str:
    return repository.git("check-attr", name, "--", path).rpartition(": ")[2]


def set_names(repository: Repository) -> list[str]:
    found = repository.git("config", "--local", "--name-only", "--list").split()
    return sorted(name for name in found if ".gate." in name)


def test_it_writes_lines_and_settings_and_says_what_servers_do(repository: Repository) -> None:
    done = gate(repository.folder, "git", "install")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "wrote   .gitattributes\n  + /baselines/** -text\n  + /baselines/**/manifest.json diff=gate"
    )
    assert "Servers never run drivers" in done.out
    assert set_names(repository) == sorted(NAMES)
    for name in ("manifest.json", "records.jsonl", "records-0001.jsonl", "series.jsonl", "summary.json"):
        for path in (f"baselines/{name}", f"baselines/deep/er/{name}"):
            assert {attribute(repository, kind, path) for kind in ("diff", "merge")} == {"gate"}
            assert attribute(repository, "text", path) == "unset"
    for path in ("manifest.json", "site/manifest.json", "baselines/qa/artifacts/plot.png", "baselines/x.jsonl"):
        assert attribute(repository, "merge", path) == "unspecified"


def test_called_again_it_changes_nothing(repository: Repository) -> None:
    gate(repository.folder, "git", "install")
    before = attributes(repository), (repository.folder / ".git/config").read_bytes()
    done = gate(repository.folder, "git", "install")
    assert done.out.splitlines()[:5] == [
        "kept    .gitattributes, which has it so already",
        *(f"kept    {name}" for name in ("diff.gate.textconv", "diff.gate.xfuncname", "merge.gate.driver")),
        "kept    merge.gate.name",
    ]
    assert (attributes(repository), (repository.folder / ".git/config").read_bytes()) == before


def test_a_dry_run_says_all_and_writes_nothing(repository: Repository) -> None:
    done = gate(repository.folder, "git", "install", "--dry-run")
    assert "would write .gitattributes\n  + /baselines/** -text\n" in done.out
    assert "would set merge.gate.driver\n" in done.out
    assert not (repository.folder / ".gitattributes").exists()
    assert set_names(repository) == []


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_lines_of_the_user_stay_and_none_is_doubled(repository: Repository, ending: bytes) -> None:
    own = b"*.png binary\n/baselines/**/summary.json diff=gate merge=gate\n# mine" + ending
    repository.write(".gitattributes", own)
    gate(repository.folder, "git", "install")
    content = (repository.folder / ".gitattributes").read_bytes()
    assert content.startswith(own)
    assert content.count(b"summary.json diff=gate") == 1
    assert content.count(b"diff=gate merge=gate") == 5
    assert gate(repository.folder, "git", "uninstall").code == 0
    left = (repository.folder / ".gitattributes").read_bytes()
    assert left.startswith(b"*.png binary\n# mine")
    assert (b"gate" in left, set_names(repository)) == (False, [])


def test_after_gate_init_only_the_drivers_are_added(repository: Repository) -> None:
    gate(repository.folder, "init")
    before = attributes(repository)
    gate(repository.folder, "git", "install")
    template = starter.files(None, "1")[".gitattributes"].decode()
    assert before == template
    wanted = [line for line in template.splitlines() if not line.startswith("#")]
    assert set(wanted) <= set(drivers.attribute_lines("baselines"))
    assert attributes(repository).startswith(before)
    assert attributes(repository).count("-text") == 1


def test_other_drivers_of_the_user_are_not_overruled(repository: Repository) -> None:
    repository.write(".gitattributes", "*.json merge=ours\n")
    done = gate(repository.folder, "git", "install")
    assert (done.code, "attributes say merge=ours for baselines/run/manifest.json" in done.err) == (2, True)
    assert (attributes(repository), set_names(repository)) == ("*.json merge=ours\n", [])


@pytest.mark.parametrize("name", ["diff.gate.textconv", "merge.gate.driver"])
def test_settings_of_somebody_else_are_not_overwritten(repository: Repository, name: str) -> None:
    repository.git("config", name, "mine %A")
    for word in ("install", "uninstall"):
        done = gate(repository.folder, "git", word)
        assert (done.code, f"{name} is set to something else" in done.err) == (2, True)
    assert set_names(repository) == [name]
    assert not (repository.folder / ".gitattributes").exists()


def test_settings_of_another_installation_are_brought_up_to_date(repository: Repository) -> None:
    for name, value in drivers.settings("/old/python").items():
        repository.git("config", name, value)
    repository.git("config", "diff.gate.wordRegex", "mine")
    assert "set     merge.gate.driver\n" in gate(repository.folder, "git", "install").out
    assert "/old/python" not in repository.git("config", "merge.gate.driver")
    gate(repository.folder, "git", "uninstall")
    assert set_names(repository) == ["diff.gate.wordregex"]


def test_below_the_top_in_a_linked_work_tree_it_writes_at_the_top_of_that_one(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write("evals/x", "")
    repository.commit()
    repository.git("config", "core.hooksPath", "hooks")
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked")
    assert gate(linked.folder / "evals", "git", "install", "base lines", "../it's [b]\"*").code == 0
    assert attribute(linked, "diff", "evals/base lines/qa/records.jsonl") == "gate"
    assert attribute(linked, "diff", "it's [b]\"*/qa/records.jsonl") == "gate"
    assert attribute(linked, "diff", "it's b\"x/qa/records.jsonl") == "unspecified"
    assert not (repository.folder / ".gitattributes").exists()
    assert set_names(repository) == sorted(NAMES)
    gate(linked.folder, "git", "uninstall")
    assert set_names(repository) == []


@pytest.mark.parametrize("folder", ["../outside", "a\nb", "/", ".", "/etc", "baselines/volatile"])
def test_a_folder_that_can_hold_no_baseline_is_refused(repository: Repository, folder: str) -> None:
    assert gate(repository.folder, "git", "install", folder).code == 2
    assert set_names(repository) == []


def test_outside_a_work_tree_it_says_so(tmp_path: Path) -> None:
    done = gate(tmp_path, "git", "install")
    assert (done.code, "not a git repository" in done.err) == (2, True)
    Repository(tmp_path / "bare", "--bare")
    assert gate(tmp_path / "bare", "git", "install", env={"GIT_DIR": str(tmp_path / "bare")}).code == 2


def test_a_link_in_the_place_of_the_file_is_not_followed(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / ".gitattributes").symlink_to(tmp_path / "elsewhere")
    done = gate(repository.folder, "git", "install")
    assert (done.code, "symbolic link" in done.err) == (2, True)
    assert set_names(repository) == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_failing_disk_leaves_the_file_as_it_was(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write(".gitattributes", "*.png binary\n")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert gate(repository.folder, "git", "install").code == 74
    assert (attributes(repository), set_names(repository)) == ("*.png binary\n", [])
    assert [path.name for path in repository.folder.iterdir() if path.name != ".git"] == [".gitattributes"]


def test_a_change_that_brings_the_lines_in_is_told_as_one_that_could_hide_a_diff() -> None:
    content = drivers.with_lines(b"", drivers.attribute_lines("baselines"))
    told = new_lines({".gitattributes": None}, {".gitattributes": content}, ["baselines/qa/records.jsonl"])
    assert told
    assert os.linesep not in told[0]


def test_help_names_what_there_is(tmp_path: Path) -> None:
    done = gate(tmp_path, "git", "--help")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in ("install", "merge", "textconv", "uninstall"))
    assert gate(tmp_path, "git", "nonsense").code == 2
