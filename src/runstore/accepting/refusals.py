"""What is not accepted, and why: decided from values, before anything is written.

A refusal carries the exit code of its reason: 4 if the provenance does not fit, 5 if the runs could not be judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runstore.comparison import Comparison
from runstore.errors import UsageError
from runstore.findings import Level, Rule, Verdict
from runstore.manifest import Manifest

_REASON_CHARACTERS = 500
_UNJUDGED = (Rule.COMPARABILITY, Rule.NOTHING_COMPARED)
_NO = ("", "0", "false", "no", "off")
# Every CI service in wide use sets one of these; each documents it among its predefined variables.
CI_VARIABLES = (
    "CI",
    "CONTINUOUS_INTEGRATION",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "BITBUCKET_BUILD_NUMBER",
    "CODEBUILD_BUILD_ID",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a run is not accepted: the verdict whose exit code says so, the reason and what to do next."""

    verdict: Verdict
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}"


def check_person(environment: Mapping[str, str]) -> None:
    """Refuse to work for a CI service: a baseline is accepted by a person. Raises UsageError."""
    name = next((name for name in CI_VARIABLES if environment.get(name, "").strip().lower() not in _NO), None)
    if name is not None:
        raise UsageError(
            f"this is CI ({name} is set), and a baseline is accepted by a person, in a change of its own",
            hint="run `gate accept` on your machine and commit what it writes; --dry-run only shows it",
        )


def checked_reason(text: str | None) -> str:
    """The reason, without white space around it. Raises UsageError for one that says nothing or is not one line."""
    reason = (text or "").strip()
    if not reason:
        raise UsageError(
            "no reason is given", hint="say with --reason why the baseline may change: a reviewer reads it"
        )
    if not reason.isprintable():
        raise UsageError("the reason is not one line of printable text", hint="write it on one line, without tabs")
    if len(reason) > _REASON_CHARACTERS:
        raise UsageError(
            f"the reason has {len(reason)} characters; {_REASON_CHARACTERS} are allowed",
            hint="put the long version into the message of the commit",
        )
    return reason


def unfit(current: Manifest, records: int) -> Refusal | None:
    """Why a run can be no baseline at all: with it, nothing could be judged again."""
    if current.status != "completed":
        return Refusal(
            verdict=Verdict.INCONCLUSIVE,
            message=f"the current run was not completed: {current.status}",
            hint="run it again; what is compared with half a run is judged by half",
        )
    has_series = "series.jsonl" in current.files
    if not records and not has_series:
        return Refusal(
            verdict=Verdict.INCONCLUSIVE,
            message="the current run has no records and no series",
            hint="an evaluation that produced nothing is no baseline; look at its log",
        )
    return None


def unjudged(judged: Comparison, *, in_part: bool, allowed: bool) -> Refusal | None:
    """Why the gate could not hold the current run against the baseline; `allowed` by a person for a whole run."""
    if allowed and not in_part:
        return None
    reasons = [
        finding.message
        for finding in judged.findings
        if finding.rule in _UNJUDGED and finding.level is Level.INCONCLUSIVE
    ]
    if not reasons:
        return None
    return Refusal(
        verdict=Verdict.INCONCLUSIVE,
        message=f"the gate cannot compare the two runs: {'; '.join(reasons)}",
        hint="records of runs that answer other questions do not belong into one baseline; accept the whole run with"
        " --incomparable"
        if in_part
        else "was the right run named? If the question itself has changed, --incomparable accepts the whole run",
    )
