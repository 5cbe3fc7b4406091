"""The hooks for pre-commit: from the files of a commit to their runs, and to what pre-commit makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runstore.cli.hook import main, runs_of
from tests.command_line import environment
from tests.conftest import ROOT
from tests.factories import files_of, passing, unsynced, write_run
from tests.repositories import Repository

yaml = pytest.importorskip("yaml")
HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    with unsynced():
        for name in ("baselines/a", "baselines/b/deep", "-rf x"):
            write_run(made.folder / name, passing(3))
    made.write("web/manifest.json", "{}")
    made.write("web/records.txt", "{}")
    made.commit("runs")
    return made


def call(folder: Path, hook: str, *files: str) -> subprocess.CompletedProcess[str]:
    """The hook's entry on files, as pre-commit calls it."""
    python, *words = HOOKS[hook]["entry"].split()
    assert python == "python"
    return subprocess.run(
        [sys.executable, *words, *files],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_files_stand_for_the_runs_they_lie_in_each_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.folder)
    files = ["baselines/b/deep/records.jsonl", "baselines/a/summary.json", "baselines/a/manifest.json"]
    assert runs_of(files) == [Path("baselines/a"), Path("baselines/b/deep")]
    assert runs_of(["web/manifest.json", "nowhere/records.jsonl"]) == []
    assert runs_of(["baselines/a/artifacts/deep/x"]) == [Path("baselines/a")]


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("baselines/a/manifest.json", True),
        ("manifest.json", True),
        ("a/records.jsonl", True),
        ("a/records-0001.jsonl", True),
        ("a/artifacts/x.bin", True),
        ("a/series.jsonl", True),
        ("a/other.jsonl", False),
        ("a/xmanifest.json", False),
        ("a/manifest.json.orig", False),
    ],
)
def test_pre_commit_hands_over_the_files_of_runs(path: str, is_ours: bool) -> None:
    assert {bool(re.search(hook["files"], path)) for hook in HOOKS.values()} == {is_ours}


def test_a_sound_run_holds_and_a_damaged_one_does_not(repository: Repository) -> None:
    assert call(repository.folder, "gate-validate", "baselines/a/records.jsonl", "-rf x/summary.json").returncode == 0
    place = repository.folder / "baselines/a/records.jsonl"
    place.write_bytes(place.read_bytes().replace(b'"acc":1', b'"acc":0', 1))
    done = call(repository.folder, "gate-validate", "baselines/a/records.jsonl", "web/manifest.json")
    assert (done.returncode, done.stdout.startswith("bad  ")) == (3, True)
    assert call(repository.folder, "gate-validate", "baselines/b/deep/records.jsonl").returncode == 0
    assert call(repository.folder / "baselines/a", "gate-validate", "records.jsonl").returncode == 3
    assert call(repository.folder / "baselines/b/deep", "gate-validate", "records.jsonl").returncode == 0


def test_a_run_that_was_edited_by_hand_is_written_canonically(repository: Repository) -> None:
    before = files_of(repository.folder / "baselines/a")
    place = repository.folder / "baselines/a/records.jsonl"
    place.write_bytes(place.read_bytes().replace(b'"id":', b'"id": '))
    assert call(repository.folder, "gate-fmt", "baselines/a/records.jsonl").returncode == 0
    assert files_of(repository.folder / "baselines/a") == before


def test_nothing_to_do_is_fine_and_another_word_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / "manifest.json")]) == 0
    assert main(["rm"]) == 2
    assert main([]) == 2
    assert "one of fmt, validate" in capsys.readouterr().err


@pytest.mark.slow
def test_pre_commit_itself_refuses_the_commit(repository: Repository) -> None:
    """With the real pre-commit, if it is there, and these hooks in the environment of the tests."""
    tool = shutil.which("pre-commit")
    if tool is None:
        pytest.skip("pre-commit is not installed")
    hooks = [
        {**hook, "language": "system", "entry": hook["entry"].replace("python", sys.executable, 1)}
        for hook in HOOKS.values()
    ]
    config = {"repos": [{"repo": "local", "hooks": hooks}]}
    repository.write(".pre-commit-config.yaml", yaml.safe_dump(config))
    repository.commit("hooks")

    def run() -> subprocess.CompletedProcess[str]:
        repository.git("add", "-A")
        env = {**environment(repository.folder), "PRE_COMMIT_HOME": str(repository.folder.parent / "home")}
        return subprocess.run(
            [tool, "run"], cwd=repository.folder, env=env, capture_output=True, text=True, check=False
        )

    place = repository.folder / "baselines/a/records.jsonl"
    good = place.read_bytes()
    place.write_bytes(good.replace(b'"id":', b'"id": '))
    done = run()
    assert done.returncode == 1, done.stdout
    assert "files were modified by this hook" in done.stdout
    assert place.read_bytes() == good
    place.write_bytes(good.replace(b'"r001"', b'"r000"'))
    done = run()
    assert done.returncode == 1
    assert "gate validate" in done.stdout
    place.write_bytes(good)
    repository.write("web/manifest.json", '{"name": "app"}')
    assert run().returncode == 0
