"""`docs/tutorial.md` is true word for word: each of its commands, in one shell, prints what stands below it.

With `RUNSTORE_UPDATE_GOLDEN=1` the page is written anew from what its commands print; read it before you commit it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "\x1eend of the command\x1e"
TIMES = {"GIT_AUTHOR_DATE": "2026-01-05T09:00:00Z", "GIT_COMMITTER_DATE": "2026-01-05T09:00:00Z"}


def commands(page: str) -> list[str]:
    """The commands of a page in order; a line that begins with `> ` goes on with the command before."""
    found: list[str] = []
    for block in BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            elif line.startswith("> "):
                found[-1] += f"\n{line[2:]}"
    return found


def tools(folder: Path) -> Path:
    """A folder for the PATH, with the `gate` under test."""
    place = folder / "tools" / "gate"
    place.parent.mkdir()
    place.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m runstore.cli.main "$@"\n')
    place.chmod(0o755)
    return place.parent


def printed(folder: Path, script: list[str]) -> list[str]:
    """What each command prints, on both streams, run one after the other in one shell."""
    work = folder / "work"
    work.mkdir()
    (folder / ".gitconfig").write_text("[user]\nname = ann\nemail = ann@example.com\n")
    variables = environment(folder, {"GIT_CONFIG_NOSYSTEM": "1", "COLUMNS": "100", **TIMES})
    variables["PATH"] = f"{tools(folder)}{os.pathsep}{variables['PATH']}"
    text = "".join(f"{command}\nprintf '%s\\n' '{END}'\n" for command in script)
    done = subprocess.run(
        ["bash", "-u"],
        cwd=work,
        env=variables,
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode().split(f"{END}\n")[:-1]


def written(page: str, outputs: list[str]) -> str:
    """The page with these outputs below its commands."""
    left = iter(outputs)

    def block(match: re.Match[str]) -> str:
        lines: list[str] = []
        output = ""
        for line in match[1].splitlines(keepends=True):
            if line.startswith("$ "):
                lines.append(output)
                lines.append(line)
                output = next(left)
            elif line.startswith("> "):
                lines.append(line)
        return f"```console\n{''.join(lines)}{output}```"

    return BLOCK.sub(block, page)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return printed(tmp_path_factory.mktemp("tutorial"), commands(PAGE.read_text(encoding="utf-8")))


def test_every_command_of_the_tutorial_prints_what_stands_below_it(outputs: list[str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = written(page, outputs)
    if os.environ.get("RUNSTORE_UPDATE_GOLDEN"):
        PAGE.write_text(found, encoding="utf-8")
    assert found == page


def test_the_story_has_every_verdict_that_it_tells_of(outputs: list[str]) -> None:
    assert re.findall(r"^exit (\d)$", "".join(outputs), re.MULTILINE) == ["0", "1", "1", "0", "0", "0"]
