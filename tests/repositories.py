"""Real git repositories for tests, with nothing of the machine's own settings in them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from runstore.cli import main
from runstore.cli.boundary import run_guarded
from tests.command_line import Outcome, environment

FIXED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_ALLOW_PROTOCOL": "file",
}


def git(folder: Path, *words: str | Path) -> str:
    """What `git WORDS…` prints in a folder; it must succeed."""
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *map(str, words)],
        cwd=folder,
        env={**environment(folder), **FIXED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Repository:
    """A repository with a work tree."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        if not (folder / ".git").exists():
            self.git("init", "-q", "--template=", *options)

    def git(self, *words: str | Path) -> str:
        """What `git WORDS…` prints here; it must succeed."""
        return git(self.folder, *words)

    def commit(self, message: str = "change") -> str:
        """Commit all that stands in the work tree; the id of the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file of the work tree."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def clone(self, folder: Path, *options: str) -> Repository:
        """A clone of this repository, as its origin, by the file protocol."""
        git(self.folder, "clone", "-q", *options, f"file://{self.folder}", folder)
        return Repository(folder)


def gate(folder: Path, *words: str | Path, env: Mapping[str, str] = {}) -> Outcome:
    """`gate WORDS…` in a folder: the whole program, from arguments to exit code, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        chdir(folder),
        patch.dict(os.environ, environment(folder, env), clear=True),
        patch.object(sys, "argv", ["gate", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run_guarded(main.gate)
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    assert "Traceback" not in texts[1], texts[1]
    return Outcome(code, *texts)
