"""What is captured of a run's surroundings when it is asked for: the commit, the environment, the source files.

Git and the environment are looked at in a thread, once, while the run goes on; what fails there is told at its end.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from threading import Thread

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import RunstoreError
from runstore.git.process import GitError, run
from runstore.tracking.journal import Entry

_CODE_BYTES = 16 * 1024 * 1024
Log = Callable[[Entry], None]


def git_facts() -> dict[str, JsonValue]:
    """`commit` and `dirty` of the working folder: whether tracked files differ from the commit. Raises GitError."""
    found = run("status", "--porcelain=v2", "--branch", "--untracked-files=no").decode(errors="replace").splitlines()
    commit = next((line.removeprefix("# branch.oid ") for line in found if line.startswith("# branch.oid ")), "")
    facts: dict[str, JsonValue] = {"dirty": any(not line.startswith("#") for line in found)}
    if commit and commit != "(initial)":
        facts["commit"] = commit
    return facts


def environment() -> dict[str, JsonValue]:
    """Python, system and the versions of all packages that are installed."""
    distributions = import_module("importlib.metadata").distributions  # costs start-up time, and is seldom asked for
    packages = {
        name.lower().replace("_", "-"): found.version for found in distributions() if (name := found.metadata["Name"])
    }
    listed: dict[str, JsonValue] = {name: packages[name] for name in sorted(packages)}
    return {
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "packages": listed,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def fingerprint(described: JsonValue) -> str:
    """32 hexadecimal digits that two equal environments share."""
    return canonical.sha256(canonical.encode(described))[:32]


class Capture:
    """A look at the surroundings that goes on beside the run; it logs what it finds."""

    def __init__(self, log: Log, *, git: bool, environment: bool) -> None:
        self.failure: str | None = None
        """Why something that was asked for could not be had."""
        self._log = log
        self._git, self._environment = git, environment
        self._thread = Thread(target=self._look, name="runstore-capture", daemon=True)
        if git or environment:
            self._thread.start()

    def wait(self) -> None:
        """Wait until all that was asked for is logged."""
        if self._thread.ident is not None:
            self._thread.join()

    def _look(self) -> None:
        try:
            if self._git:
                self._log({"op": "provenance", "values": git_facts()})
            if self._environment:
                described = environment()
                self._log({"op": "provenance", "values": {"environment": fingerprint(described)}})
                self._log({"op": "volatile", "name": "environment", "value": described})
        except (RunstoreError, OSError) as error:
            self.failure = error.message if isinstance(error, RunstoreError) else str(error)


def code_files() -> Iterator[tuple[Path, str]]:
    """The source files of the code that runs, with their names: what git tracks here, and the main script.

    A main script from elsewhere (a program that runs other programs) counts only where git tracks nothing.
    """
    try:
        listed = run("ls-files", "-z", "--", ".").split(b"\0")
        names = sorted(os.fsdecode(name) for name in listed if name.endswith(b".py"))
    except (GitError, RunstoreError):
        names = []
    found = [name for name in names if Path(name).is_file() and not Path(name).is_symlink()]
    yield from ((Path(name), name) for name in found)
    main = Path(getattr(sys.modules.get("__main__"), "__file__", None) or "")
    if main.is_file():
        here, real = Path.cwd().resolve(), main.resolve()
        name = real.relative_to(here).as_posix() if real.is_relative_to(here) else ""
        if name not in found and (name or not found):
            yield main, name or main.name


def within_limit(files: Iterator[tuple[Path, str]]) -> tuple[list[tuple[Path, str]], int]:
    """As many files as 16 MiB hold, in order, and how many were left out."""
    kept, left_out, size = [], 0, 0
    for path, name in files:
        size += path.stat().st_size
        if size <= _CODE_BYTES:
            kept.append((path, name))
        else:
            left_out += 1
    return kept, left_out
