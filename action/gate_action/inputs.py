"""The inputs of the action: variables `INPUT_…` in, checked values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runstore.errors import UsageError

AUTO, OFF, NONE = "auto", "off", "none"
COMMENTS = (OFF, "on", "on-change")
TOLERABLE = frozenset({"REVIEW", "INCONCLUSIVE"})
"""Verdicts that a workflow may leave to people. FAIL, INVALID and what was not judged always fail the step."""
ALL = TOLERABLE | {"FAIL"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LABEL = 50
_PATH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """What the workflow asks of the action."""

    baseline: str
    current: str
    config: str
    against: str
    """`auto`: by the event; `none`: the work tree; else a ref or a commit."""
    expect_commit: str
    """`auto`: the commit that is checked out; `off`; else a commit."""
    comment: str
    label: str
    """That approves claims; empty for none."""
    fail_on: frozenset[str]
    folder: Path
    """Where the gate runs."""


def read(environ: Mapping[str, str]) -> Inputs:
    """The inputs of this step. Raises UsageError for one that cannot be meant."""

    def given(name: str, default: str = "") -> str:
        value = environ.get(f"INPUT_{name}", "").strip() or default
        if _CONTROL.search(value) or len(value) > _PATH:
            raise UsageError(f"the input {_told(name)} is not one line of at most {_PATH} characters")
        return value

    comment = given("COMMENT", OFF)
    if comment not in COMMENTS:
        raise UsageError(f"the input comment is {comment!r}", hint=f"one of {', '.join(COMMENTS)}")
    label = given("CLAIMS_APPROVED_LABEL")
    if len(label) > _LABEL:
        raise UsageError("the input claims-approved-label is longer than a label can be")
    return Inputs(
        baseline=_required(given("BASELINE"), "baseline"),
        current=_required(given("CURRENT"), "current"),
        config=given("CONFIG"),
        against=given("AGAINST", AUTO),
        expect_commit=given("EXPECT_COMMIT", AUTO),
        comment=comment,
        label=label,
        fail_on=fail_on(environ),
        folder=_folder(environ, given("WORKING_DIRECTORY", ".")),
    )


def fail_on(environ: Mapping[str, str]) -> frozenset[str]:
    """The verdicts that fail the step. Raises UsageError."""
    words = environ.get("INPUT_FAIL_ON", "").replace(",", " ").split()
    if not words or words == ["any"]:
        return ALL
    found = frozenset(word.upper() for word in words)
    if not {"FAIL"} <= found <= ALL:
        raise UsageError(
            f"the input fail-on is {' '.join(words)!r}",
            hint="`any`, or FAIL and those of REVIEW and INCONCLUSIVE that fail the step, too; FAIL always does",
        )
    return found


def _required(value: str, name: str) -> str:
    if not value:
        raise UsageError(f"the input {name} is missing", hint=f"`with: {{{name}: path}}`")
    return value


def _told(name: str) -> str:
    return name.lower().replace("_", "-")


def _folder(environ: Mapping[str, str], path: str) -> Path:
    folder = Path(environ.get("GITHUB_WORKSPACE", ".")) / path
    if not folder.is_dir():
        raise UsageError("the input working-directory names no folder", hint="check the repository out first")
    return folder
