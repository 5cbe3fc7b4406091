"""What a step says to the runner: log lines, annotations, outputs and the summary.

Text of data can neither command the runner nor end an output early. An output is written between two lines of a
delimiter that holds the digest of the value, so the value cannot hold it.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runstore.reports.text_safety import one_line, safe_text

SUMMARY_BYTES = 2**20
"""The summary of a step may have 1 MiB; a longer one is dropped by the runner."""
_TOO_LONG = "\nThe report is too long for the summary: see the artifact.\n"
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_MESSAGE = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Runner:
    """The files that the runner reads after the step; without one, what is for it is dropped."""

    outputs: Path | None
    summary: Path | None

    def output(self, name: str, value: str) -> None:
        """Set an output of the step."""
        if self.outputs is None:
            return
        delimiter = f"end-{hashlib.sha256(value.encode()).hexdigest()}"
        with self.outputs.open("ab") as file:
            file.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n".encode())

    def summarize(self, markdown: str) -> None:
        """Add to the summary of the step, as far as it has room."""
        if self.summary is None:
            return
        used = self.summary.stat().st_size if self.summary.exists() else 0
        data = f"{markdown}\n".encode()
        data = data if used + len(data) <= SUMMARY_BYTES else _TOO_LONG.encode()
        if used + len(data) <= SUMMARY_BYTES:
            with self.summary.open("ab") as file:
                file.write(data)


def from_environment(environ: Mapping[str, str]) -> Runner:
    """The runner of this step."""
    outputs, summary = environ.get("GITHUB_OUTPUT"), environ.get("GITHUB_STEP_SUMMARY")
    return Runner(outputs=Path(outputs) if outputs else None, summary=Path(summary) if summary else None)


def say(text: str) -> None:
    """Print lines to the log; none is taken for a command."""
    sys.stdout.write(safe_text(text.rstrip("\n")) + "\n")
    sys.stdout.flush()


def annotate(level: str, message: str) -> None:
    """Print an annotation: `notice`, `warning` or `error`."""
    sys.stdout.write(f"::{level} title=gate::{one_line(message[:_MESSAGE]).translate(_DATA)}\n")
    sys.stdout.flush()
