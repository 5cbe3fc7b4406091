"""TAP 14, the Test Anything Protocol: a test point a check or broken record, with the reasons as YAML below it.

https://testanything.org/tap-version-14-specification.html. What did not pass is `not ok`, what a waiver excuses is `ok`
with `# SKIP`. Older parsers do not know that `\\#` is no directive, so a `#` of data is never written as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import cases
from runstore.reports.cases import Case
from runstore.reports.text_safety import one_line, without_commands

_SEVERITIES = {"warning": "warning", "notice": "comment"}


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The stream: version, plan, and a point a case."""
    found = cases.make(view)
    lines = ["TAP version 14", f"1..{len(found)}"]
    for number, case in enumerate(found, start=1):
        lines += _point(case, number)
    return without_commands("".join(f"{line}\n" for line in lines))


def _point(case: Case, number: int) -> Iterator[str]:
    run = f"{one_line(case.run)}: " if case.run else ""
    directive = " # SKIP waived" if case.state == "excused" else ""
    yield f"{'not ok' if case.is_red else 'ok'} {number} - {_description(f'{run}{case.name}')}{directive}"
    if case.level is None:
        return
    yield "  ---"
    yield f"  message: {_string(case.message)}"
    yield f"  severity: {_SEVERITIES.get(case.level, 'fail')}"
    yield f"  level: {case.level}"
    for key, value in (("observed", case.observed), ("limit", case.limit)):
        if value is not None:
            yield f"  {key}: {_string(value)}"
    if case.details:
        yield "  details:"
        yield from (f"    - {_string(line)}" for line in case.details)
    yield "  ..."


def _description(safe: str) -> str:
    """Safe text for the line of a test point: a `#` would begin a directive, and a backslash escapes."""
    return safe.replace("#", "\\x23").replace("\\", "\\\\")


def _string(safe: str) -> str:
    """A JSON string is a string of YAML, too; safe text holds nothing that YAML does not print."""
    return canonical.encode(safe).decode()
