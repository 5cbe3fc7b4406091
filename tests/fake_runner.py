"""A fake runner of GitHub: the files and variables that a step of the action finds, and what the step leaves behind."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gate_action.program import main
from tests.command_line import environment
from tests.conftest import ROOT

yaml = pytest.importorskip("yaml")
REPOSITORY = "octo/evals"
ACTION = ROOT / "action"


@dataclass
class Step:
    """What a step left: exit code, log, outputs, summary."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


@dataclass
class Runner:
    """A job's runner: its checkout, its temporary folder, its server."""

    folder: Path
    checkout: Path
    server: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def event(self, name: str, payload: Mapping[str, Any], sha: str, **variables: str) -> None:
        """What started the workflow."""
        place = self.folder / "event.json"
        place.write_text(json.dumps(payload))
        self.variables |= {"GITHUB_EVENT_NAME": name, "GITHUB_SHA": sha, "GITHUB_EVENT_PATH": str(place), **variables}

    def run(self, mode: str = "judge", **inputs: str) -> Step:
        """A step of the action, from the variables to the exit code, in this process; the gate runs in its own."""
        given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        log = io.StringIO()
        with (
            patch.dict(os.environ, self._environment({"INPUT_TOKEN": "t0ken", **given}), clear=True),
            chdir(self.checkout),
            redirect_stdout(log),
        ):
            code = main([mode], os.environ)
        return self._step(code, log.getvalue())

    def script(self, text: str, **env: str) -> Step:
        """A script as `shell: bash` runs it."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=self.checkout,
            env=self._environment(env),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return self._step(done.returncode, done.stdout + done.stderr)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        temporary = self.folder / "temp"
        temporary.mkdir(exist_ok=True)
        for name in ("output", "summary"):
            (self.folder / name).write_bytes(b"")
        return {
            **environment(self.folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.server,
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "7",
            "GITHUB_SERVER_URL": f"file://{self.folder / 'server'}",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_WORKFLOW": "gate",
            "GITHUB_WORKSPACE": str(self.checkout),
            "RUNNER_TEMP": str(temporary),
            **self.variables,
            **more,
        }

    def _step(self, code: int, log: str) -> Step:
        assert "Traceback" not in log, log
        written = {name: (self.folder / name).read_bytes().decode() for name in ("output", "summary")}
        return Step(code=code, log=log, outputs=outputs(written["output"]), summary=written["summary"])


def outputs(text: str) -> dict[str, str]:
    """What the runner reads in the file of outputs: `name<<delimiter`, lines, `delimiter`, and nothing else."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        start = re.fullmatch(r"([a-z-]+)<<(\S+)", line)
        assert start is not None, line
        value = []
        for part in lines:
            if part == start[2]:
                break
            value.append(part)
        else:
            raise AssertionError(f"{start[1]} has no end")
        found[start[1]] = "\n".join(value)
    return found


def commands(log: str) -> list[str]:
    """The lines that a runner takes for commands."""
    return [line for line in log.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def document(*parts: str) -> Any:
    """A YAML file of the project."""
    return yaml.safe_load(ROOT.joinpath(*parts).read_text(encoding="utf-8"))
