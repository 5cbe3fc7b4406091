"""actionlint and zizmor find nothing in our workflows, the actions, the template of `gate init` and the recipes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

yaml = pytest.importorskip("yaml")
CI = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
ACTIONS = [ROOT / "action.yml", ROOT / "action" / "comment" / "action.yml"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", CI, re.DOTALL)


def workflows() -> Iterator[tuple[str, str]]:
    """Name → text of every workflow of GitHub that we write or recommend."""
    for path in [
        *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
        ROOT / "src/runstore/starter/files/github.yml",
    ]:
        yield path.name.replace(".", f"-{path.parent.name}.", 1), path.read_text(encoding="utf-8")
    for number, text in enumerate(block for block in blocks("yaml") if "\njobs:\n" in block):
        yield f"ci-{number}.yml", text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository that holds them all."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for name, text in workflows():
        (folder / name).write_text(text, encoding="utf-8")
    for path in ACTIONS:
        (copy := tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def tool(name: str) -> str:
    """A program of the environment of the tests, or of the machine."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.slow
def test_zizmor_finds_nothing(place: Path) -> None:
    words = [tool("zizmor"), "--offline", "--strict-collection", "--no-progress", "--format=json", "."]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout or "null") == [], done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    (place / ".github/workflows/bad.yml").write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: x\n    steps:\n"
        '      - run: echo "${{ github.event.pull_request.title }}"\n'
    )
    assert subprocess.run(words, cwd=place, capture_output=True, check=False).returncode != 0


@pytest.mark.slow
def test_actionlint_finds_nothing(place: Path) -> None:
    files = sorted((place / ".github" / "workflows").glob("*.yml"))
    done = subprocess.run([tool("actionlint"), *files], cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_recipes_give_no_right_that_they_do_not_name_and_keep_the_change_out_of_jobs_that_may_write() -> None:
    recipes = [yaml.safe_load(text) for name, text in workflows() if re.match(r"ci-\d", name)]
    assert [recipe["name"] for recipe in recipes] == ["gate", "take the approval off", "gate comment"]
    for recipe in recipes:
        assert recipe["permissions"] == {}
        assert "pull_request_target" not in recipe[True]  # YAML 1.1 reads `on` so
        for job in recipe["jobs"].values():
            assert job["timeout-minutes"] > 0
            if "write" in job["permissions"].values():
                assert not [step for step in job["steps"] if "./" in step.get("run", "")]
    assert not [step for step in recipes[2]["jobs"]["comment"]["steps"] if "checkout" in step.get("uses", "")]


def test_the_recipes_use_inputs_that_the_actions_have() -> None:
    inputs = {
        "runstore/runstore": yaml.safe_load(ACTIONS[0].read_text())["inputs"],
        "runstore/runstore/action/comment": yaml.safe_load(ACTIONS[1].read_text())["inputs"],
    }
    used = []
    for _, text in workflows():
        for job in yaml.safe_load(text)["jobs"].values():
            for step in job.get("steps", ()):
                name = step.get("uses", "").partition("@")[0]
                if name in inputs or name == "./":
                    known = inputs.get(name, inputs["runstore/runstore"])
                    used.append(name)
                    assert set(step["with"]) <= set(known)
                    assert {one for one, told in known.items() if told.get("required")} <= set(step["with"])
    assert set(used) == {*inputs, "./"}


def test_every_input_and_output_is_in_the_page() -> None:
    found: dict[str, Any] = yaml.safe_load(ACTIONS[0].read_text())
    rows = "\n".join(re.findall(r"^\| `.*$", CI, re.MULTILINE))
    assert [name for name in (*found["inputs"], *found["outputs"]) if f"`{name}`" not in rows] == []


def test_the_ruleset_of_the_page_asks_for_the_job_of_its_workflow() -> None:
    rules = {rule["type"]: rule.get("parameters") for rule in json.loads(blocks("json")[0])["rules"]}
    asked = [check["context"] for check in rules["required_status_checks"]["required_status_checks"]]
    gate = next(yaml.safe_load(text) for name, text in workflows() if name == "ci-0.yml")
    assert asked == [gate["jobs"]["gate"]["name"]]
    assert rules["pull_request"]["require_code_owner_review"] is True
    assert gate["jobs"]["gate"]["if"] == "${{ !cancelled() }}"


def test_the_hooks_of_the_page_are_ours() -> None:
    known = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    page = next(yaml.safe_load(text) for text in blocks("yaml") if text.startswith("repos:"))
    assert {hook["id"] for hook in page["repos"][0]["hooks"]} == known
