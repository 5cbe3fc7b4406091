"""The gate itself, as a process: what to compare in; exit code, verdict and reports out.

The exit code and the verdict of the JSON report are held against each other. Where they differ, one of them was lost on
the way, and the worse one counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate_action import foreign
from gate_action.inputs import Inputs
from runstore.canonical import JsonValue
from runstore.errors import UsageError

USAGE, BUG, SYSTEM, INTERRUPTED = 2, 70, 74, 130
CODES: Mapping[str, int] = {"PASS": 0, "FAIL": 1, "INVALID": 3, "REVIEW": 4, "INCONCLUSIVE": 5}
KNOWN = frozenset({*CODES.values(), USAGE, BUG, SYSTEM, INTERRUPTED})
FILES: Mapping[str, str] = {
    "html": "report.html",
    "json": "comparison.json",
    "junit": "junit.xml",
    "markdown": "report.md",
    "sarif": "report.sarif",
    "text": "report.txt",
    "github": "annotations.txt",
}
"""Report format → the file it goes to."""
_MESSAGE = 4000
_PREFIX = "runstore-gate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What came of the gate; without a verdict, `message` says why nothing was judged."""

    code: int
    verdict: str | None = None
    counts: Mapping[str, JsonValue] | None = None
    has_changed: bool = True
    """Whether there is anything to tell: a finding, or a record that differs."""
    message: str = ""
    warning: str = ""


def make_folder(environ: Mapping[str, str]) -> Path:
    """A new folder for the reports of this step, outside of the checkout."""
    parent = Path(environ.get("RUNNER_TEMP") or environ.get("TMPDIR") or "/tmp")  # of this job alone
    for number in range(1, 1000):
        try:
            (folder := parent / f"{_PREFIX}-{number}").mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise UsageError(f"{parent} is full of folders of earlier gates", hint="clean the runner's temporary folder")


def compare(inputs: Inputs, against: str | None, expected: str | None, folder: Path, *, is_approved: bool) -> Judged:
    """Run `gate compare` and read what it says. What the machine remembers of earlier runs is not asked."""
    words = ["compare", "--no-cache", *(f"--format={form}:{folder / name}" for form, name in FILES.items())]
    words += [f"--against={against}"] if against is not None else []
    words += ["--claims-approved"] if is_approved and against is not None else []
    words += [f"--expect-commit={expected}"] if expected is not None else []
    words += [f"--config={inputs.config}"] if inputs.config else []
    done = run_gate([*words, "--", inputs.baseline, inputs.current], inputs.folder)
    return read_judged(folder, done.returncode, done.stderr)


def run_gate(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """`gate WORDS…`, by the interpreter that runs this: not by what a PATH or the checkout calls `gate`."""
    return subprocess.run(
        [sys.executable, "-I", "-m", "runstore.cli.main", *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("INPUT_", "GITHUB_TOKEN"))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def read_judged(folder: Path, code: int, told: str) -> Judged:
    """What a gate that exited with `code` left in the folder."""
    view = _view(folder)
    verdict = foreign.text(view, "verdict")
    said = foreign.number(view, "exit_code")
    code = code if code in KNOWN else BUG
    if verdict not in CODES or said != CODES[verdict]:
        if code not in (USAGE, CODES["INVALID"], BUG, SYSTEM, INTERRUPTED):
            return Judged(
                code=BUG, message=f"the gate exited {code} and left no report that says so\n{told}"[:_MESSAGE]
            )
        return Judged(code=code, message=told[:_MESSAGE] or f"the gate exited {code}")
    if code not in (0, said):
        message = f"the gate exited {code}, its report says {verdict}\n{told}"[:_MESSAGE]
        return Judged(code=BUG if code in CODES.values() else code, message=message)
    counts = foreign.member(view, "counts")
    is_same = _nothing_to_tell(view)
    return Judged(
        code=said,
        verdict=verdict,
        counts=counts if isinstance(counts, dict) else None,
        has_changed=not is_same,
        warning="" if code == said else f"the gate's exit code was lost: it was 0, and its report says {verdict}",
    )


def _nothing_to_tell(view: JsonValue) -> bool:
    differing = ("added", "changed", "improved", "regressed", "removed", "newly_errored", "newly_skipped")
    is_pass = foreign.text(view, "verdict") == "PASS" and not foreign.items(view, "findings")
    return is_pass and not any(foreign.number(view, "counts", name) for name in differing)


def _view(folder: Path) -> JsonValue:
    try:
        found: JsonValue = json.loads((folder / FILES["json"]).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found
