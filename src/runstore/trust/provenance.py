"""Where the current run says that it came from, held against the commit that is expected (`--expect-commit`)."""

from __future__ import annotations

import re

from runstore.checks import Check, check
from runstore.comparison import Comparison
from runstore.errors import UsageError
from runstore.findings import Finding, Level, Rule

_TEXT_CHARACTERS = 60
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_EXPECTED = re.compile(r"[0-9a-f]{7,64}\Z")


def expected_commit(text: str) -> str:
    """A commit as `--expect-commit` takes it. Raises UsageError."""
    found = text.strip().lower()
    if not _EXPECTED.match(found):
        raise UsageError(f"{text!r} is no commit", hint='its id, of at least 7 digits: "$(git rev-parse HEAD)"')
    return found


def judge_provenance(found: Comparison, expected: str) -> Check:
    """Whether each current run says that it was made from the commit that is expected, without edits."""
    findings = []
    for pair in found.runs:
        if pair.current is None:
            continue
        provenance = pair.current.provenance
        problem = _misfit(provenance.commit, provenance.dirty, expected)
        if problem:
            hint = "run the evaluation again at that commit, and have it record what it ran"
            told = Finding(
                rule=Rule.PROVENANCE, level=Level.REVIEW, message=problem, observed=provenance.commit, limit=expected,
                hint=hint, run=pair.path,
            )  # fmt: skip
            findings.append(told)
    return check(Rule.PROVENANCE, "the commit that the current run states", *findings, origin="--expect-commit")


def _misfit(commit: str | None, dirty: bool | None, expected: str) -> str:
    """What does not fit; empty if all does."""
    if commit is None:
        return "the current run does not say which commit it was made from"
    if not _COMMIT.match(commit.lower()):
        return f"the current run names no whole commit: {commit[:_TEXT_CHARACTERS]}"
    if not commit.lower().startswith(expected):
        return f"the current run was made from {commit[:12]}, not from {expected[:12]}"
    if dirty is not False:
        return (
            "the current run was made with edits that are not committed"
            if dirty
            else "the current run does not say whether its code had edits"
        )
    return ""
