"""JUnit XML, as Jenkins, GitLab and most CI servers read it: a suite a run, a test case a check or broken record.

A broken rule is a failure; what is invalid, to be reviewed or not judged is an error; what a waiver excuses is skipped.
A record is a failed case only if a rule on records broke on it; others that got worse are told of in `system-out`.

The form is that of the schema of the Ant task, the strictest in use: it asks for a time, a host and a timestamp. The
gate has none to tell (same comparison, same bytes), so they are 0, `localhost` and the epoch.

Servers refuse what is too long: GitLab a file of 30 MB or of 250,000 XML objects, others more than 5,000 test cases. Of
more cases the heaviest are written, and the output of the first suite says how many are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from runstore.canonical import JsonValue
from runstore.reports import cases, outline
from runstore.reports.cases import Case
from runstore.reports.numbers import count, counted, pair
from runstore.reports.text_safety import without_commands

if TYPE_CHECKING:
    from runstore.reports.outline import Outline
    from runstore.reports.shapes import Change

MOST = 5000
"""Test cases in all."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_ELEMENTS = {"failed": "failure", "errored": "error", "excused": "skipped"}
_NAME, _LINE = 200, 300
_LISTED = 20


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The document."""
    contents, found = outline.make(view), cases.make(view)
    by_run: dict[str, list[Case]] = {}
    for case in cases.heaviest(found, MOST):
        by_run.setdefault(case.run, []).append(case)
    names = cases.distinct(_suite_name(contents, run) for run in by_run)
    lines: list[str] = []
    for index, (name, run) in enumerate(zip(names, by_run, strict=True)):
        left_out = 0 if index else max(0, len(found) - MOST)
        lines += _suite(contents, index, name, run, by_run[run], left_out)
    return without_commands(_HEAD + "".join(f"{line}\n" for line in lines) + "</testsuites>\n")


def _suite_name(contents: Outline, run: str) -> str:
    """The path of the run, or what the two runs are called if there are no more; never blank."""
    name = run
    for pair_of_runs in contents.view["runs"]:
        side = pair_of_runs["current"] or pair_of_runs["baseline"]
        if side is not None and not name:
            name = "/".join(part for part in (side["suite"], side["name"]) if part)
    return cases.shown(name, _NAME).strip() or "gate"


def _suite(contents: Outline, index: int, name: str, run: str, found: Sequence[Case], left_out: int) -> Iterator[str]:
    states = [case.state for case in found]
    counts = {"tests": len(found), "failures": states.count("failed"), "errors": states.count("errored")}
    numbers = "".join(f' {key}="{value}"' for key, value in {**counts, "skipped": states.count("excused")}.items())
    fixed = 'time="0" timestamp="1970-01-01T00:00:00" hostname="localhost"'
    yield f'  <testsuite id="{index}" package="gate" name="{_escaped(name)}"{numbers} {fixed}>'
    yield "    <properties>"
    view = contents.view
    for key, value in (("exit_code", str(view["exit_code"])), ("policy", view["policy"]), ("verdict", view["verdict"])):
        yield f'      <property name="{key}" value="{_escaped(cases.shown(value, _NAME))}"/>'
    yield "    </properties>"
    for case in found:
        yield from _test_case(case, name)
    said = [f"{counted(left_out, 'test case')} left out; the JSON report has them"] if left_out else []
    said += [*_remarks(found), *_within_limits(contents, run, found)]
    yield f"    <system-out>{_escaped(chr(10).join(said))}</system-out>"
    yield "    <system-err></system-err>"
    yield "  </testsuite>"


def _test_case(case: Case, suite: str) -> Iterator[str]:
    head = f'    <testcase classname="{_escaped(suite)}" name="{_escaped(case.name)}" time="0"'
    if case.state == "passed":
        yield f"{head}/>"
        return
    element = _ELEMENTS[case.state]
    kind = "" if case.state == "excused" else f' type="{_escaped(case.rule)}"'
    numbers = [f"observed: {case.observed}"] if case.observed is not None else []
    numbers += [f"limit: {case.limit}"] if case.limit is not None else []
    body = _escaped("\n".join([case.message, *numbers, *case.details]))
    yield f"{head}>"
    yield f'      <{element}{kind} message="{_escaped(case.message)}">{body}</{element}>'
    yield "    </testcase>"


def _remarks(found: Sequence[Case]) -> list[str]:
    """What cases that passed have to say."""
    return [f"{case.level}: {case.name}: {case.message}" for case in found if case.state == "passed" and case.level]


def _within_limits(contents: Outline, run: str, found: Sequence[Case]) -> Iterator[str]:
    """Records that got worse or went missing, and on which no rule broke."""
    broken = {(case.record, case.repeat) for case in found if case.record is not None}
    left = [
        change
        for kind in ("regressed", "removed")
        for change in contents.listed(kind)
        if change["run"] == run and (change["id"], change["repeat"]) not in broken
    ]
    for change in left[:_LISTED]:
        yield cases.shown(f"{change['class']}, no rule on records broke: {_record(change)}", _LINE)
    if len(left) > _LISTED:
        yield f"and {count(len(left) - _LISTED)} more like that"


def _record(change: Change) -> str:
    name = outline.record_name(change["id"], change["repeat"], "")
    scores = [f"{one['metric']}: {' -> '.join(pair(one['baseline'], one['current']))}" for one in change["scores"]]
    return "; ".join([name, *scores])


def _escaped(safe: str) -> str:
    """Text for an attribute or an element: without the characters that XML 1.0 gives a meaning to.

    Those that it does not allow at all are gone from every safe text: see `text_safety.visible`.
    """
    return safe.translate(_XML)
