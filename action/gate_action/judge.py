"""Mode `judge`, the step that guards: event and inputs in; reports, outputs, a comment and the gate's exit code out.

Whatever happens, the summary is written and the exit code is that of the gate: nothing that is told of it changes it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gate_action import approval, checkout, comments, event, inputs, judging, runner, telling, verdict_file
from gate_action.api import Api, ApiError
from gate_action.event import Event
from gate_action.inputs import OFF, Inputs
from gate_action.judging import FILES, Judged
from gate_action.runner import Runner
from runstore.errors import InvalidDataError, UsageError

BOT = "github-actions[bot]"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """What is known before the gate runs."""

    environ: Mapping[str, str]
    runner: Runner
    event: Event
    inputs: Inputs
    folder: Path
    api: Api


def judge(environ: Mapping[str, str]) -> int:
    """Judge the change of this event; the exit code of the step."""
    here = runner.from_environment(environ)
    try:
        step = _Step(
            environ=environ, runner=here, event=event.read(environ), inputs=inputs.read(environ),
            folder=judging.make_folder(environ), api=open_api(environ),
        )  # fmt: skip
    except (UsageError, OSError) as error:
        judged = failure(error)
        here.output("exit-code", str(judged.code))
        here.summarize(telling.nothing_judged(judged.code, judged.message))
        runner.annotate("error", judged.message)
        return judged.code
    against, judged = _judged(step)
    _leave(step, judged, against)
    return exit_code(judged.code, judged.verdict, step.inputs.fail_on)


def exit_code(code: int, verdict: str | None, failing: frozenset[str]) -> int:
    """The exit code of a step: the gate's, unless the workflow leaves this verdict to people."""
    return 0 if verdict in inputs.TOLERABLE and verdict not in failing else code


def open_api(environ: Mapping[str, str]) -> Api:
    """The API of the server of this run."""
    return Api(root=environ.get("GITHUB_API_URL", "https://api.github.com"), token=environ.get("INPUT_TOKEN", ""))


def failure(error: BaseException) -> Judged:
    """What an error of the step itself comes to: never a verdict."""
    if isinstance(error, UsageError):
        return Judged(code=judging.USAGE, message=str(error))
    if isinstance(error, OSError):
        return Judged(code=judging.SYSTEM, message=f"{error.filename or 'the system'}: {error.strerror or error}")
    if isinstance(error, KeyboardInterrupt):
        return Judged(code=judging.INTERRUPTED, message="interrupted")
    places = [f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__)]
    message = "\n".join([f"this is a bug in the action; nothing was judged: {type(error).__name__}: {error}", *places])
    return Judged(code=judging.BUG, message=message)


def _judged(step: _Step) -> tuple[str | None, Judged]:
    """The commit that judges, and what came of it; an error is told, not raised."""
    against = None
    try:
        place = checkout.open_checkout(step.environ, step.inputs, step.event)
        against = checkout.judging_commit(place, step.inputs, step.event)
        expected = checkout.expected_commit(place, step.inputs, step.event)
        approved = approval.find(
            step.api, step.event, step.inputs.label, place.commit("HEAD"), place.parents() if step.inputs.label else ()
        )
        if approved.why:
            runner.annotate("notice", approved.why)
        if against is None:
            runner.annotate("warning", "against: none: the baseline is the change's own, and the change can edit it")
        found = judging.compare(step.inputs, against, expected, step.folder, is_approved=approved.is_given)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # a step that fails to judge is told of, too
        found = failure(error)
    return against, found


def _leave(step: _Step, judged: Judged, against: str | None) -> None:
    """Tell everyone: log, outputs, summary, comment; `verdict.json` last. Only that one may fail the step."""
    _log(step.folder, judged)
    run = verdict_file.run_of(step.environ)
    url = telling.run_url(step.environ, step.event.repository, run[0])
    told = telling.about(step.event, step.inputs, against, url) + telling.report(step.folder, judged)
    if judged.verdict and exit_code(judged.code, judged.verdict, step.inputs.fail_on) != judged.code:
        told = telling.tolerated(judged.verdict) + told
        runner.annotate("warning", f"the step is green and the verdict is {judged.verdict}: see the input fail-on")
    step.runner.summarize(told)
    commented = _comment(step, judged, told, run)
    place = verdict_file.write(
        step.folder, judged, event=step.event, baseline=step.inputs.baseline, against=against, run=run
    )
    outputs = {
        "verdict": judged.verdict or "",
        "exit-code": str(judged.code),
        "counts": telling.count(judged.counts),
        "reports": str(step.folder),
        "report-html": _path(step.folder, "html"),
        "report-markdown": _path(step.folder, "markdown"),
        "comparison": _path(step.folder, "json"),
        "verdict-file": str(place),
        "comment": commented,
    }
    for name, value in outputs.items():
        step.runner.output(name, value)


def _path(folder: Path, form: str) -> str:
    place = folder / FILES[form]
    return str(place) if place.is_file() else ""


def _log(folder: Path, judged: Judged) -> None:
    """The report of the gate and its annotations, which are commands of its own making, safe by `reports.github`."""
    if judged.verdict is None:
        runner.say(judged.message)
        runner.annotate("error", f"nothing was judged: exit code {judged.code}: {judged.message}")
        return
    for form, write in (("text", runner.say), ("github", sys.stdout.write)):
        place = folder / FILES[form]
        if place.is_file():
            write(place.read_text(encoding="utf-8", errors="backslashreplace"))
    sys.stdout.flush()
    if judged.warning:
        runner.annotate("error", judged.warning)


def _comment(step: _Step, judged: Judged, text: str, run: tuple[int, int]) -> str:
    """Comment in the pull request if that is asked and can be; what came of it. Never an error."""
    if step.inputs.comment == OFF:
        return OFF
    if step.event.pull_request is None:
        return _noticed(f"no comment: a run of the event {step.event.name!r} has no pull request")
    if step.event.is_fork:
        return _noticed("no comment: a change from a fork may only read; docs/ci.md shows the second workflow")
    comment = comments.Comment(
        workflow=step.environ.get("GITHUB_WORKFLOW", ""), baseline=step.inputs.baseline, run=run, text=text
    )
    author = step.environ.get("INPUT_COMMENT_AUTHOR", "") or BOT
    thread = comments.Thread(
        api=step.api, repository=step.event.repository, number=step.event.pull_request, author=author
    )
    is_wanted = step.inputs.comment == "on" or judged.has_changed
    return published(thread, comment, create=is_wanted)


def published(thread: comments.Thread, comment: comments.Comment, *, create: bool = True) -> str:
    """Publish a comment; what came of it. A server that refuses is told of, and changes nothing else."""
    thread.api.restart()
    try:
        return thread.publish(comment, create=create)
    except ApiError as error:
        may_only_read = error.status in (401, 403)
        hint = "; the job needs `pull-requests: write`, which a change from a fork never has" if may_only_read else ""
        runner.annotate("notice" if may_only_read else "warning", f"no comment: {error}{hint}")
    except (InvalidDataError, UnicodeError, OSError, ValueError) as error:
        runner.annotate("warning", f"no comment: {error}")
    return "failed"


def _noticed(message: str) -> str:
    runner.annotate("notice", message)
    return "skipped"
