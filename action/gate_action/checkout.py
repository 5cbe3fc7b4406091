"""The checkout: the commit that judges is brought here if it is not, straight from the server.

It is fetched from GITHUB_SERVER_URL/GITHUB_REPOSITORY and not from what the checkout calls `origin`, by its id, and
without tags; with `--depth=1` only in a clone that is shallow, for it would make a whole one shallow.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gate_action.event import Event, is_commit
from gate_action.inputs import AUTO, NONE, Inputs
from runstore.errors import UsageError

_SECONDS = 600
_MESSAGE = 500
_PRIVATE = ("GIT_", "INPUT_")
"""Variables that git does not get: those that steer it, and those of the action, the token among them."""
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A work tree, and the server that it came from."""

    folder: Path
    url: str
    token: str

    def commit(self, name: str) -> str:
        """The id of the commit that a name stands for here; empty if for none."""
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return done.stdout.strip() if done.returncode == 0 else ""

    def parents(self) -> list[str]:
        """The ids of the parents of HEAD, as the commit itself names them: also those that a shallow clone lacks."""
        head = self._git("--no-replace-objects", "cat-file", "commit", "HEAD").stdout.partition("\n\n")[0]
        return [line.removeprefix("parent ") for line in head.split("\n") if line.startswith("parent ")]

    def fetch(self, wanted: str) -> str:
        """Bring a commit, named by its id or by a whole ref, and return its id. Raises UsageError."""
        depth = ["--depth=1"] if self._git("rev-parse", "--is-shallow-repository").stdout.strip() == "true" else []
        words = ["--quiet", "--no-tags", *depth, "--no-recurse-submodules", "--end-of-options", self.url, wanted]
        done = self._git("fetch", *words)
        found = self.commit(wanted if is_commit(wanted) else "FETCH_HEAD") if done.returncode == 0 else ""
        if not found:
            raise UsageError(
                f"what judges could not be fetched: {wanted}: {done.stderr.strip()[:_MESSAGE]}",
                hint="it may be gone from the server by a forced push; else give the job `contents: read`",
            )
        return found

    def _git(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", *_SAFE, *words],
                cwd=self.folder,
                env=_environment(self.url, self.token),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise UsageError("there is no git here", hint="install git on the runner") from None
        except subprocess.TimeoutExpired:
            raise UsageError(f"git {words[0]} took more than {_SECONDS} s", hint="run the job again") from None


def open_checkout(environ: Mapping[str, str], inputs: Inputs, event: Event) -> Checkout:
    """The checkout that the gate runs in. Raises UsageError if it is none, or not of this event."""
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    found = Checkout(folder=inputs.folder, url=f"{server}/{event.repository}", token=environ.get("INPUT_TOKEN", ""))
    if not found.commit("HEAD"):
        raise UsageError("there is no git checkout here", hint="a step with actions/checkout comes first")
    return found


def judging_commit(checkout: Checkout, inputs: Inputs, event: Event) -> str | None:
    """The commit that baseline and policy are read from; None: the work tree. Raises UsageError.

    A name of a ref that is neither a commit nor whole (`origin/main`) stays as it is: the gate finds it, or refuses.
    """
    if inputs.against == NONE:
        return None
    if inputs.against != AUTO:
        wanted = inputs.against
        if not is_commit(wanted) and not wanted.startswith("refs/"):
            return wanted
    else:
        wanted = event.base or event.base_ref
    if not wanted:
        raise UsageError(
            f"nothing says what judges a run of the event {event.name!r}",
            hint="give the input `against`: a commit that the change cannot move",
        )
    return (checkout.commit(wanted) if is_commit(wanted) else "") or checkout.fetch(wanted)


def expected_commit(checkout: Checkout, inputs: Inputs, event: Event) -> str | None:
    """The commit that the current run must have been made from. Raises UsageError for a checkout of another event."""
    if inputs.expect_commit == "off":
        return None
    if inputs.expect_commit != AUTO:
        return inputs.expect_commit
    here = checkout.commit("HEAD")
    if here not in event.checkouts:
        raise UsageError(
            f"the checkout stands at {here[:12]}, and the event is about {event.head[:12]}",
            hint="check the commit of the event out, or say by `expect-commit` what the run was made from",
        )
    return here


def _environment(url: str, token: str) -> dict[str, str]:
    """Variables for git: it asks nobody, and the token goes to the server alone, on no command line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    parts = urlsplit(url)
    if not token or parts.scheme != "https":
        return kept
    key = f"http.{parts.scheme}://{parts.netloc}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    # The first, empty value takes away the header that actions/checkout may have left: two would be refused.
    return kept | {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": key,
        "GIT_CONFIG_VALUE_0": "",
        "GIT_CONFIG_KEY_1": key,
        "GIT_CONFIG_VALUE_1": f"AUTHORIZATION: basic {basic}",
    }
