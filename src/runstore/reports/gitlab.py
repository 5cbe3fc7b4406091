"""GitLab code quality: a list of what is wrong, worst first, for the widget of a merge request.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format. The widget calls every entry a finding,
so only what asks for something is one: not notices, nor what a waiver excuses. A comparison that passes without a
warning is an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import cases
from runstore.reports.cases import Case
from runstore.reports.text_safety import one_line

_SEVERITIES = {
    "invalid": "blocker",
    "error": "critical",
    "review": "major",
    "inconclusive": "major",
    "warning": "minor",
}


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The report, one member a line."""
    found = [_entry(case) for case in cases.worst_first(cases.make(view)) if case.level in _SEVERITIES]
    return canonical.jcs_document(found).decode()


def _entry(case: Case) -> JsonValue:
    run = f"{one_line(case.run)}: " if case.run else ""
    path = "/".join(one_line(part) for part in case.place)
    return {
        "check_name": case.rule,
        "description": f"{run}{case.rule}: {case.message}",
        "fingerprint": case.fingerprint,
        "location": {"lines": {"begin": 1}, "path": path},
        "severity": _SEVERITIES[case.level or ""],
    }
