"""The template for GitLab: its shape, and its script on a merge request, in a clone of a real repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import environment
from tests.conftest import ROOT
from tests.factories import scored, unsynced, write_run
from tests.repositories import Repository

yaml = pytest.importorskip("yaml")
JOB: dict[str, Any] = yaml.safe_load((ROOT / "templates/gitlab.yml").read_text())[".gate"]


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    """A clone of a merge request; the baseline of the target branch has become stricter since."""
    server = Repository(tmp_path / "server")
    server.write(".gitignore", "/runs/\n/gate-*\n/.gate-venv\n")
    with unsynced():
        write_run(server.folder / "baselines/qa", [scored("r0", 0.5)])
        server.commit("baseline")
        server.git("branch", "change")
        for place in (server.folder / "baselines/qa").iterdir():
            place.unlink()
        (server.folder / "baselines/qa").rmdir()
        write_run(server.folder / "baselines/qa", [scored("r0", 1)])
        server.commit("better")
        made = server.clone(tmp_path / "clone", "--branch", "change", "--single-branch")
        write_run(made.folder / "runs/qa", [scored("r0", 0.5)])
    tool = made.folder / ".gate-venv/bin/gate"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runstore.cli.main "$@"\n')
    tool.chmod(0o755)
    return made


def run(clone: Repository, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script of the job as a runner of GitLab runs it."""
    given = {
        **JOB["variables"],
        "GATE_BASELINE": "baselines/qa",
        "GATE_CURRENT": "runs/qa",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": clone.git("rev-parse", "HEAD"),
        **variables,
    }
    return subprocess.run(
        ["bash", "-c", "\n".join(JOB["script"])],
        cwd=clone.folder,
        env={**environment(clone.folder), "GIT_ALLOW_PROTOCOL": "file", **given},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tip_of_the_target_branch_judges_and_the_reports_are_left(clone: Repository) -> None:
    done = run(clone)
    assert (done.returncode, done.stdout[:4]) == (1, "FAIL"), done.stderr
    reports = JOB["artifacts"]["reports"]
    assert (clone.folder / reports["junit"]).read_text().startswith("<?xml")
    assert json.loads((clone.folder / reports["codequality"]).read_text())
    assert all((clone.folder / path).is_file() for path in JOB["artifacts"]["paths"])


def test_where_the_change_left_it_judges_if_that_is_asked(clone: Repository) -> None:
    done = run(clone, GATE_AGAINST="diff-base")
    assert (done.returncode, done.stdout[:4]) == (0, "PASS"), done.stderr


def test_a_target_branch_that_is_not_there_is_no_pass(clone: Repository) -> None:
    assert run(clone, CI_MERGE_REQUEST_TARGET_BRANCH_NAME="nowhere").returncode not in (0, 1)
    assert run(clone, GATE_BASELINE="").returncode == 2


def test_the_job_has_the_shape_that_gitlab_takes() -> None:
    assert set(JOB) == {"image", "rules", "variables", "before_script", "script", "artifacts"}
    assert all(isinstance(value, str) for value in JOB["variables"].values())
    assert all(isinstance(line, str) for line in (*JOB["before_script"], *JOB["script"]))
    assert JOB["artifacts"]["when"] == "always"
    assert set(JOB["artifacts"]["reports"]) == {"junit", "codequality"}
    assert "allow_failure" not in JOB
