"""`gate init`: what it writes works as it stands, in a repository of its own, by the steps of its own workflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runstore import policy, starter
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.verification import verify
from tests.command_line import gate
from tests.factories import files_of

yaml = pytest.importorskip("yaml")
AUTHOR = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def steps(workflow: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The scripts of a workflow of GitHub that judge, with their environments; installing is the test's business."""
    found = [step for step in workflow["jobs"]["gate"]["steps"] if "run" in step]
    return [(step["run"], step.get("env", {})) for step in found if "pip install" not in step["run"]]


def script(folder: Path, text: str, **env: str) -> subprocess.CompletedProcess[str]:
    tools = folder.parent / "tools"
    if not tools.exists():
        tools.mkdir()
        place = tools / "gate"
        place.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runstore.cli.main "$@"\n')
        place.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RUNSTORE_CACHE_DIR": str(folder.parent / "cache"),
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md"),
        **env,
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def pull_request(tmp_path: Path) -> Path:
    """A clone with a branch of its own, of a repository in which `gate init` was run and committed."""
    server = tmp_path / "server"
    server.mkdir()
    git(server, "init", "-q")
    assert gate(server, "init").code == 0
    git(server, "add", "-A")
    git(server, "commit", "-qm", "A gate")
    git(tmp_path, "clone", "-q", str(server), "clone")
    git(tmp_path / "clone", "switch", "-qc", "change")
    return tmp_path / "clone"


def judged(clone: Path) -> subprocess.CompletedProcess[str]:
    """What the workflow says of the branch: the steps in order until one fails."""
    workflow = yaml.safe_load((clone / ".github/workflows/gate.yml").read_text())
    for text, env in steps(workflow):
        done = script(
            clone, text, **{name: value.replace("${{ github.base_ref }}", "main") for name, value in env.items()}
        )
        if done.returncode:
            return done
    return done


def test_a_change_of_nothing_is_green_and_a_wrong_answer_is_red(pull_request: Path) -> None:
    done = judged(pull_request)
    assert (done.returncode, done.stderr) == (0, "")
    assert (pull_request / "report.html").read_text().startswith("<!DOCTYPE html>")
    results = pull_request / "evals/results.jsonl"
    results.write_text(
        results.read_text().replace(
            '"Paris", "expected": "Paris", "correct": true', '"Lyon", "expected": "Paris", "correct": false'
        )
    )
    done = judged(pull_request)
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL")
    assert "capital-fr" in done.stdout


def test_the_steps_for_gitlab_judge_as_well(tmp_path: Path, pull_request: Path) -> None:
    (pull_request / ".github/workflows/gate.yml").unlink()
    assert gate(pull_request, "init", "--ci", "gitlab").code == 0
    job = yaml.safe_load((pull_request / ".gitlab-ci.yml").read_text())["gate"]
    variables = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "TARGET": "origin/main"}
    lines = [line for line in (*job["before_script"], *job["script"]) if "pip install" not in line]
    done = script(pull_request, "\n".join(lines), **variables)
    assert (
        done.returncode,
        done.stderr.replace("note: correct: booleans were read as 1 and 0 (4 of 4 scores)\n", ""),
    ) == (0, "")
    assert (pull_request / job["artifacts"]["reports"]["junit"]).exists()


def test_nothing_that_was_there_is_touched_and_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("volatile/\n")
    (tmp_path / "gate.toml").write_text("[records]\nmax_added = 1\n")
    (tmp_path / "baselines/example").mkdir(parents=True)
    before = files_of(tmp_path)
    outcome = gate(tmp_path, "init")
    assert outcome.code == 0
    assert "it lacks the line: /runs/" in outcome.out
    assert "it lacks the line: volatile/" not in outcome.out
    assert {name: content for name, content in files_of(tmp_path).items() if name in before} == before
    assert not (tmp_path / "baselines/example/records.jsonl").exists()
    again = gate(tmp_path, "init")
    assert "wrote" not in again.out


def test_without_a_server_there_is_no_workflow(tmp_path: Path) -> None:
    assert gate(tmp_path, "init", "--ci", "none").code == 0
    assert not (tmp_path / ".github").exists()
    assert gate(tmp_path, "init", "nowhere").code == 2


def test_the_baseline_is_what_the_evaluation_makes(tmp_path: Path) -> None:
    assert gate(tmp_path, "init").code == 0
    assert script(tmp_path, "evals/evaluate.sh").returncode == 0
    assert files_of(tmp_path / "runs/example") == files_of(tmp_path / "baselines/example")
    verify(read_run(FolderSource(tmp_path / "baselines/example")))
    assert gate(tmp_path, "compare", "baselines/example", "runs/example").code == 0


def test_every_example_in_the_policy_is_one(tmp_path: Path) -> None:
    assert gate(tmp_path, "init").code == 0
    place = tmp_path / "gate.toml"
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", place.read_text())
    found = policy.from_toml(text, "gate.toml")
    assert found is not None
    assert (len(found.metrics), len(found.slices)) == (1, 1)
    place.write_text(text)
    assert gate(tmp_path, "config", "check", "gate.toml", "--run", "baselines/example").code == 0


def test_the_workflow_installs_this_version(tmp_path: Path) -> None:
    for server in starter.WORKFLOWS:
        content = starter.files(server, "9.8.7")[starter.WORKFLOWS[server][0]]
        assert b"runstore==9.8.7" in content
        assert b"VERSION" not in content
