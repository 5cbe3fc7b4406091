"""Running git: arguments in, bytes out, or an error that says what to do.

No shell, no prompt, no network, no code of the repository. What redirects git is dropped from the environment, but for
what says where the repository is: objects come from its own store, and settings from its files. What a setting could
change about the bytes is set here: replaced objects and grafts are off.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runstore.errors import UsageError

_KEPT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_FIXED = {
    "GIT_ALLOW_PROTOCOL": "",  # versions that do not know GIT_NO_LAZY_FETCH would fetch what a partial clone lacks
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SETTINGS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}"),
    *("-c", "core.useReplaceRefs=false"),
    *("-c", "core.bigFileThreshold=40m"),  # larger ones are streamed: no process holds more than about a shard
    *("-c", "gc.auto=0"),
)
_ERROR_CHARACTERS = 300
_BUFFER_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024


class GitError(UsageError):
    """Git could not do what was asked of it (exit 2)."""


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a git process: without what redirects it."""
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_") or name in _KEPT}
    return {**kept, **_FIXED}


def program(environment: Mapping[str, str]) -> str:
    """The path of git. A relative entry of PATH leads into the work tree and is passed over. Raises UsageError."""
    folders = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    found = shutil.which("git", path=os.pathsep.join(folders)) if folders else None
    if found is None:
        raise UsageError("git is not installed: there is none on PATH", hint="install git, or name folders instead")
    return found


def command(words: Sequence[str], *, guarded: bool) -> list[str]:
    """A whole command line; `guarded`: a bare repository that merely lies in the way is not taken for the one meant."""
    settings = (*_SETTINGS, "-c", "safe.bareRepository=explicit") if guarded else _SETTINGS
    return [program(os.environ), "--no-pager", *settings, *words]


def in_work_tree(start: Path, environment: Mapping[str, str]) -> bool:
    """Whether a folder lies in a work tree, by the looks: a change can add a bare repository to it, never a `.git`."""
    return "GIT_DIR" not in environment and any((folder / ".git").exists() for folder in (start, *start.parents))


def run(*words: str, stdin: bytes = b"", codes: Sequence[int] = (0,)) -> bytes:
    """What git prints; `codes` are the exit codes that mean an answer. Raises GitError, with git's own words."""
    guarded = in_work_tree(Path.cwd(), os.environ)
    done = subprocess.run(
        command(words, guarded=guarded), input=stdin, env=variables(os.environ), capture_output=True, check=False
    )
    if done.returncode not in codes:
        raise failure(done.stderr)
    return done.stdout


def start(*words: str, buffer_bytes: int = _BUFFER_BYTES) -> subprocess.Popen[bytes]:
    """A process of git that is asked on its standard input and answers on its standard output."""
    guarded = in_work_tree(Path.cwd(), os.environ)
    process = subprocess.Popen(
        command(words, guarded=guarded),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(os.environ),
        bufsize=buffer_bytes,
    )
    assert process.stdout is not None
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a small pipe is slower, and no worse
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def failure(errors: bytes) -> GitError:
    """The error that git's own message amounts to."""
    text = " ".join(errors.decode(errors="replace").split())
    for mark, (message, hint) in _KNOWN.items():
        if mark in text:
            return GitError(message, hint=hint)
    return GitError(f"git failed: {text[:_ERROR_CHARACTERS] or 'it said nothing'}", hint="run it by hand to see more")


_KNOWN = {
    "not a git repository": (
        "this is not a git repository",
        "run the gate where the repository is, or name folders: a text before `:` is taken for a ref",
    ),
    "dubious ownership": (
        "git does not trust this repository: another user owns it",
        'if you do: git config --global --add safe.directory "$(pwd -P)" (its top folder)',
    ),
    "cannot use bare repository": (
        "a bare repository lies in the way",
        "if it is the one you mean, set GIT_DIR to it; a change can add such a folder to a work tree",
    ),
    "promisor": (
        "this clone is partial, and what is read is not in it; nothing is fetched behind your back",
        "fetch all of it: git fetch --refetch --no-filter",
    ),
}
