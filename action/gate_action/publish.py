"""Mode `comment`, in a workflow of its own that may comment: the artifact of the run that judged in, a comment out.

That run was the change's, maybe a fork's, so what it left is hostile. Which commit it was, how it ended and which pull
request it belongs to, the server says; the artifact only fills in the report, and only if it says the same. No code of
the change is checked out or run, and its comparison is rendered anew, here. A failure is told and is no red run, for
nothing is guarded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gate_action import artifact, comments, event, foreign, judging, runner, telling
from gate_action.api import Api, ApiError
from gate_action.judge import BOT, open_api, published
from gate_action.judging import CODES, FILES
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError

_COMMIT = 12
_CONCLUSIONS = frozenset(
    {
        "success",
        "failure",
        "cancelled",
        "timed_out",
        "neutral",
        "skipped",
        "action_required",
        "stale",
        "startup_failure",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """The run that judged, as the server tells it."""

    id: int
    attempt: int
    head: str
    conclusion: str
    workflow: str
    source: str
    branch: str


def comment(environ: Mapping[str, str]) -> int:
    """Comment what the run said that this workflow was started by. Always 0, but for a wrong call."""
    here, api = runner.from_environment(environ), open_api(environ)
    repository = environ.get("GITHUB_REPOSITORY", "")
    if environ.get("GITHUB_EVENT_NAME") != "workflow_run" or not event.is_repository(repository):
        raise UsageError("this action comments on the run that a workflow_run is about", hint="see docs/ci.md")
    try:
        done = _told(environ, api, repository, event.load(environ))
    except ApiError as error:
        runner.annotate("warning", f"no comment: {error}")
        done = "failed"
    here.output("comment", done)
    return 0


def _told(environ: Mapping[str, str], api: Api, repository: str, payload: JsonValue) -> str:
    number = foreign.number(payload, "workflow_run", "id")
    if number is None:
        raise UsageError("the payload of the event has no workflow_run.id")
    run = _run(api.call("GET", f"/repos/{repository}/actions/runs/{number}"), payload)
    if run is None:
        runner.annotate(
            "notice",
            "no comment: not the run of the event, or not of a pull request",
        )
        return "skipped"
    pull_request = _pull_request(api, repository, run)
    if pull_request is None:
        runner.annotate("notice", f"no comment: not one open pull request stands at {run.head[:_COMMIT]}")
        return "skipped"
    text, baseline = _text(environ, api, repository, run)
    made = comments.Comment(workflow=run.workflow, baseline=baseline, run=(run.id, run.attempt), text=text)
    author = environ.get("INPUT_COMMENT_AUTHOR", "") or BOT
    return published(comments.Thread(api=api, repository=repository, number=pull_request, author=author), made)


def _run(found: JsonValue, payload: JsonValue) -> _Run | None:
    """The run, if it is the one of the event, has ended and was for a pull request."""
    head = foreign.text(found, "head_sha")
    conclusion = foreign.text(found, "conclusion")
    is_the_one = (
        head == foreign.text(payload, "workflow_run", "head_sha")
        and foreign.number(found, "id") == foreign.number(payload, "workflow_run", "id")
        and foreign.number(found, "run_attempt") == foreign.number(payload, "workflow_run", "run_attempt")
    )
    if not is_the_one or foreign.text(found, "event") != "pull_request" or not event.is_commit(head):
        return None
    return _Run(
        id=foreign.number(found, "id") or 0,
        attempt=foreign.number(found, "run_attempt") or 1,
        head=head,
        conclusion=conclusion if conclusion in _CONCLUSIONS else "unknown",
        workflow=foreign.text(found, "name"),
        source=foreign.text(found, "head_repository", "full_name"),
        branch=foreign.text(found, "head_branch"),
    )


def _pull_request(api: Api, repository: str, run: _Run) -> int | None:
    """The one open pull request from the run's branch that stands at its commit."""
    owner = run.source.partition("/")[0]
    if not event.is_repository(run.source) or not run.branch:
        return None
    wanted = quote(f"{owner}:{run.branch}", safe="")
    found = [
        foreign.number(one, "number")
        for one in api.pages(f"/repos/{repository}/pulls?state=open&head={wanted}")
        if foreign.text(one, "head", "sha") == run.head
        and foreign.text(one, "head", "repo", "full_name").lower() == run.source.lower()
        and foreign.text(one, "base", "repo", "full_name").lower() == repository.lower()
    ]
    return found[0] if len(found) == 1 else None


def _text(environ: Mapping[str, str], api: Api, repository: str, run: _Run) -> tuple[str, str]:
    """The text of the comment, and the baseline that it is about."""
    baseline = environ.get("INPUT_BASELINE", "")
    url = telling.run_url(environ, repository, run.id)
    head = f"Commit `{run.head[:_COMMIT]}`: the run that judged it ended with **{run.conclusion}**. [Run]({url})\n\n"
    last = "\nThis is what that run, which the change can steer, left behind; the required check is what counts.\n"
    try:
        report = _report(environ, _artifact(environ, api, repository, run), run)
    except (InvalidDataError, UsageError, OSError) as error:
        return f"{head}## ⛔ The report of the run is not shown\n\n{telling.quoted(str(error))}{last}", baseline
    return head + report + last, baseline


def _artifact(environ: Mapping[str, str], api: Api, repository: str, run: _Run) -> artifact.Artifact:
    """The artifact of the run by its name. Raises InvalidDataError if there is not one."""
    name = environ.get("INPUT_REPORT_ARTIFACT", "") or "gate-report"
    listed = api.pages(f"/repos/{repository}/actions/runs/{run.id}/artifacts?name={quote(name, safe='')}", "artifacts")
    found = [one for one in listed if foreign.text(one, "name") == name and not foreign.member(one, "expired")]
    number = foreign.number(max(found, key=lambda one: foreign.number(one, "id") or 0), "id") if found else None
    if number is None:
        raise InvalidDataError(f"the run left no artifact {name!r}", hint="it may have failed before the gate")
    return artifact.read(api.download(f"/repos/{repository}/actions/artifacts/{number}/zip", artifact.MAX_ZIP))


def _report(environ: Mapping[str, str], found: artifact.Artifact, run: _Run) -> str:
    """The report, if it is about this run and agrees with how it ended. Raises InvalidDataError."""
    verdict, code = found.verdict["verdict"], foreign.number(dict(found.verdict), "exit_code")
    asked = environ.get("INPUT_BASELINE", "")
    if found.verdict["head"] != run.head or found.verdict["run"] != {"attempt": run.attempt, "id": run.id}:
        raise InvalidDataError("the artifact is about another commit or another run", hint="run the job again")
    if found.verdict["baseline"] != asked:
        raise InvalidDataError("the artifact is about another baseline than this workflow asks for")
    if (code == 0) is not (run.conclusion == "success") and not _is_left_to_people(verdict, run):
        raise InvalidDataError(
            f"the artifact says {verdict or f'exit code {code}'}, and the run ended with {run.conclusion}",
            hint="another job failed, or the step's exit code was lost: a pipe needs `set -o pipefail`",
        )
    if not isinstance(verdict, str):
        return telling.nothing_judged(code or judging.BUG, foreign.text(dict(found.verdict), "message"))
    if found.comparison is None:
        raise InvalidDataError("the artifact holds no comparison")
    return _rendered(environ, found.comparison, CODES[verdict])


def _is_left_to_people(verdict: JsonValue, run: _Run) -> bool:
    return verdict in ("REVIEW", "INCONCLUSIVE") and run.conclusion == "success"


def _rendered(environ: Mapping[str, str], comparison: bytes, code: int) -> str:
    """The Markdown of a comparison, made by the gate that is installed here. Raises InvalidDataError."""
    folder = judging.make_folder(environ)
    place = folder / FILES["json"]
    place.write_bytes(comparison)
    done = judging.run_gate(["report", FILES["json"], f"--format=markdown:{FILES['markdown']}"], folder)
    if done.returncode != code or not (folder / FILES["markdown"]).is_file():
        raise InvalidDataError("the comparison in the artifact is not what a gate writes, or has another verdict")
    return (folder / FILES["markdown"]).read_text(encoding="utf-8")
