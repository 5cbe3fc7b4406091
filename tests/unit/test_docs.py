"""What the documentation says of rules, keys, commands and verdicts is what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runstore import policy, schema
from runstore.cli import config
from runstore.cli.main import COMMANDS
from runstore.findings import EXPLANATIONS, Rule, Verdict
from runstore.policy.reference import reference
from runstore.reports import FORMATS
from runstore.store.reader import read_run
from runstore.verification import verify

ROOT = Path(__file__).resolve().parents[2]


def page(*parts: str) -> str:
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def blocks(language: str, *parts: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page(*parts), re.DOTALL)


def test_every_rule_has_an_explanation_and_a_row_in_the_policy_page() -> None:
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page("docs", "policy.md").split("<!-- rules -->")[1], re.M))
    assert rows == {rule.value: EXPLANATIONS[rule] for rule in Rule}


def test_the_keys_of_the_policy_page_are_those_of_the_schema() -> None:
    """`gate config reference` prints what belongs between the marks."""
    text = page("docs", "policy.md")
    told = text.split("<!-- keys: from `gate config reference` -->\n")[1].split("<!-- end of keys -->\n")[0]
    assert told == reference(schema.load("policy"))


def test_the_policy_of_the_policy_page_is_a_policy() -> None:
    found = [policy.from_toml(block, "policy.md") for block in blocks("toml", "docs", "policy.md")]
    assert [None if one is None else [rule.pattern for rule in one.metrics] for one in found] == [
        ["accuracy", "latency_*"]
    ]


@pytest.mark.parametrize("place", [("README.md",), ("docs", "policy.md")])
def test_every_subcommand_of_gate_config_that_is_told_of_exists(place: tuple[str, ...]) -> None:
    assert set(re.findall(r"gate config ([a-z]+)", page(*place))) <= set(config.command.commands)


def test_the_readme_tells_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d) \| ([A-Z–]+) \|", page("README.md"), re.MULTILINE)
    assert [(word, int(code)) for code, word in rows if word != "–"] == [(v.name, v.value) for v in Verdict]


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"(?:^|/)gate ([a-z]+)", page("README.md"), re.MULTILINE))
    assert named <= set(COMMANDS)
    assert {"compare", "import", "validate", "show"} <= named


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command_starts_with_the_line_of_the_table(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runstore.cli.main", name, "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: gate {name}" in done.stdout


def test_the_help_of_compare_names_every_report_format() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runstore.cli.main", "compare", "--help"], capture_output=True, text=True, check=False
    )
    assert all(name in done.stdout for name in FORMATS)


def test_the_policy_of_the_readme_is_a_policy() -> None:
    block = re.search(r"```toml\n(.*?)```", page("README.md"), re.DOTALL)
    assert block is not None
    found = policy.from_toml(block[1], "README.md")
    assert found is not None
    assert [rule.pattern for rule in found.metrics] == ["accuracy", "latency_*"]


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    for block in blocks("python", "README.md"):
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    verify(read_run(tmp_path / "runs" / "today"))
    [tracked] = (tmp_path / "experiments" / "demo").iterdir()
    verify(read_run(tracked))


def test_the_example_runs_are_what_their_script_makes(tmp_path: Path) -> None:
    script = ROOT / "examples" / "make_qa.py"
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for made in sorted(tmp_path.rglob("*.json*")):
        assert made.read_bytes() == (ROOT / "examples" / "qa" / made.relative_to(tmp_path)).read_bytes()


def test_the_readme_shows_the_verdict_line_of_its_example() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runstore.cli.main", "compare", "examples/qa/baseline", "examples/qa/current"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"```text\n{done.stdout.splitlines()[0]}\n" in page("README.md")
