"""What the project says of itself in several places, held to be one thing: README, CI, changelog, workflows."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runstore

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RUN_README = 'python3 -m venv .venv && .venv/bin/pip install -q -e ".[test]" && .venv/bin/pytest'
GATE_README = " && ".join(
    (
        "python3 -m venv .venv",
        ".venv/bin/pip install -q .",
        ".venv/bin/gate compare examples/qa/baseline examples/qa/current",
    )
)
LEFT_BY_TOOLS = {"__pycache__", "build", "dist", "volatile"}
OURS = {".ci", ".github"}
HOME = re.compile(rf"{os.sep}(?:home|Users|root){os.sep}[A-Za-z0-9_.-]+{os.sep}")

workflows = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def text(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(text("pyproject.toml"))["project"]
    return table


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ \[;]", requirement)[0] for requirement in requirements}


def project_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(
            {name for name in folders if not name.startswith(".")} - LEFT_BY_TOOLS | OURS & set(folders)
        )
        yield from (Path(folder, name) for name in files)


def test_readme_holds_the_two_commands_each_one_line_to_paste() -> None:
    found = [line for line in text("README.md").splitlines() if line.startswith("python3 -m venv")]
    assert found == [GATE_README, RUN_README]


def test_ci_run_takes_its_commands_from_readme() -> None:
    patterns = re.findall(r"command=\$\(readme_command '([^']+)'\)", text(".ci", "run"))
    chosen = [
        [line for line in (GATE_README, RUN_README) if re.search(rf"^python3 -m venv \.venv && .*{pattern}$", line)]
        for pattern in patterns
    ]
    assert chosen == [[GATE_README], [RUN_README]]


def test_ci_run_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_ci_workflow_runs_the_test_command_of_readme() -> None:
    assert f"run: {RUN_README}\n" in text(".github", "workflows", "ci.yml")


def test_the_changelog_tells_of_the_version_that_is_built() -> None:
    changelog = text("CHANGELOG.md")
    sections = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    version = project()["version"]
    unreleased = changelog.split("## [Unreleased]")[1].split("\n## [")[0]
    assert sections[0] == "Unreleased"
    assert version in sections or version in unreleased


def test_every_runtime_dependency_has_a_reason() -> None:
    needed = text("docs", "dependencies.md").split("## Needed at run time")[1].split("\n## ")[0]
    assert set(re.findall(r"^### (.+)$", needed, re.MULTILINE)) == names(project()["dependencies"])


def test_every_runtime_dependency_has_a_floor_and_nothing_else() -> None:
    loose = [item for item in project()["dependencies"] if not re.fullmatch(r"[a-z0-9]+>=[0-9.]+", item)]
    assert loose == []


def test_no_test_dependency_is_needed_at_run_time() -> None:
    extras = project()["optional-dependencies"]
    assert names(extras["test"] + extras["lint"] + extras["bench"]) & names(project()["dependencies"]) == set()


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert project()["license"] == "Apache-2.0"
    assert [line.strip() for line in text("LICENSE").splitlines() if line.strip()][:2] == [
        "Apache License",
        "Version 2.0, January 2004",
    ]


def test_there_are_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["benchmarks.yml", "ci.yml", "gate.yml"]


@workflows
def test_actions_are_pinned_to_a_commit_and_say_which_version_that_is(workflow: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", workflow.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    assert [use for use in used if not re.fullmatch(r"\./( # .+)?|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


@workflows
def test_workflows_may_read_and_no_more(workflow: Path) -> None:
    content = workflow.read_text(encoding="utf-8")
    assert "\npermissions:\n  contents: read\n\n" in content
    assert content.count("permissions:") == 1
    assert "secrets." not in content
    assert "pull_request_target" not in content


@workflows
def test_checkouts_leave_no_credentials_behind(workflow: Path) -> None:
    content = workflow.read_text(encoding="utf-8")
    assert content.count("persist-credentials: false") == content.count("actions/checkout@")


@workflows
def test_every_job_has_a_time_limit(workflow: Path) -> None:
    content = workflow.read_text(encoding="utf-8")
    assert content.count("timeout-minutes: ") == content.count("runs-on: ")


@workflows
def test_files_that_a_workflow_names_are_there(workflow: Path) -> None:
    named = re.findall(r"(?<![\w./-])((?:examples|benchmarks|\.ci)/[\w./-]+)", workflow.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_one_action_has_one_version_everywhere() -> None:
    used = {use for path in WORKFLOWS for use in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({use.split("@")[0] for use in used})


def test_decision_records_are_numbered_without_gaps_and_say_context_options_choice_and_cost() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{number:04d}" for number in range(1, len(records) + 1)]
    for path in records:
        content = path.read_text(encoding="utf-8")
        sections = re.findall(r"^## (.+)$", content, re.MULTILINE)
        assert (path.name, sections) == (path.name, ["Context", "Options", "Choice", "Cost"])


def test_the_decision_on_exit_codes_holds_every_row_of_the_table() -> None:
    codes = re.findall(r"^\| (\d+) \|", text("docs", "adr", "0003-exit-codes.md"), re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4", "5", "70", "74", "130"]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = []
    for path in project_files():
        content = path.read_bytes().decode("utf-8", errors="replace")
        if HOME.search(content):
            found.append(path.relative_to(ROOT).as_posix())
    assert found == []


def test_type_checkers_see_the_public_names_where_they_are_loaded_from() -> None:
    tree = ast.parse(Path(runstore.__file__).read_text(encoding="utf-8"))
    [guarded] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.asname: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert imported == runstore._HOME
