"""SARIF 2.1.0 for code scanning: a result for each case that has something to say; a PASS may have none.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/. What fails, is invalid, must be reviewed or could not be judged is of
level `error`: readers look at the level, not all of them at the kind, so nothing that did not pass is less. What is
asked and holds is no result, for the same reason. A view knows neither the folder of a run nor the lines of its files:
a location is a path relative to what was compared, and its first line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from runstore import __version__, canonical
from runstore.canonical import JsonValue
from runstore.findings import EXPLANATIONS
from runstore.reports import cases, outline
from runstore.reports.cases import Case
from runstore.reports.numbers import counted
from runstore.reports.text_safety import one_line

MOST = 5000
"""Results: what GitHub shows of one upload."""
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"warning": "warning", "notice": "note"}
# In a message braces are placeholders unless doubled (section 3.11.5), and `[text](target)` is a link (3.11.6).
_MESSAGE = {ord("{"): "{{", ord("}"): "}}"}


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The log, with one run, one member a line."""
    contents = outline.make(view)
    found = cases.worst_first(cases.make(view))
    rules = _rules(found)
    verdict = contents.view["verdict"]
    places = {rule: index for index, rule in enumerate(rules)}
    run: dict[str, JsonValue] = {
        "invocations": [_invocation(verdict, contents.view["exit_code"], len(found))],
        "properties": {"policy": one_line(contents.view["policy"]), "verdict": verdict},
        "results": [_result(case, places[case.rule]) for case in found[:MOST]],
        "tool": {"driver": _driver(rules)},
    }
    return canonical.jcs_document({"$schema": _SCHEMA, "runs": [run], "version": "2.1.0"}).decode()


def _rules(found: Sequence[Case]) -> dict[str, str]:
    """Slug → what the rule holds: every rule there is, and those that a view of another version names."""
    rules = {rule.value: text for rule, text in EXPLANATIONS.items()}
    rules[cases.VERDICT] = "everything asked was judged and holds"
    for slug in sorted({case.rule for case in found} - rules.keys()):
        rules[slug] = "a rule that this version does not know"
    return rules


def _driver(rules: Mapping[str, str]) -> JsonValue:
    descriptors: list[JsonValue] = [
        {
            "fullDescription": {"text": f"The rule holds when {text}."},
            "help": {"text": f"The rule holds when {text}. See `{slug}` in docs/policy.md, The rules."},
            "id": slug,
            "shortDescription": {"text": text},
        }
        for slug, text in rules.items()
    ]
    return {"name": "runstore", "rules": descriptors, "semanticVersion": __version__, "version": __version__}


def _invocation(verdict: str, exit_code: int, total: int) -> JsonValue:
    """How the gate ended; that nothing was judged is no success."""
    made: dict[str, JsonValue] = {
        "executionSuccessful": verdict != "INVALID",
        "exitCode": exit_code,
        "exitCodeDescription": verdict,
    }
    if total > MOST:
        text = f"{counted(total - MOST, 'result')} left out; the JSON report has them"
        made["toolExecutionNotifications"] = [{"level": "note", "message": {"text": text}}]
    return made


def _result(case: Case, rule: int) -> JsonValue:
    uri = "/".join(quote(part.encode(errors="surrogatepass"), safe="") for part in case.place)
    numbers: dict[str, JsonValue] = {"observed": case.observed, "limit": case.limit}
    run = f"{one_line(case.run)}: " if case.run else ""
    excused: list[JsonValue] = [{"justification": _message(case.message), "kind": "external", "status": "accepted"}]
    return {
        "level": _LEVELS.get(case.level or "notice", "error"),
        "locations": [
            {
                "logicalLocations": [_logical(case)],
                "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}},
            }
        ],
        "message": {"text": _message(f"{run}{case.message}") or case.name},
        "partialFingerprints": {
            "primaryLocationLineHash": f"{case.fingerprint}:1",  # the one that GitHub goes by
            "runstoreCase/v1": case.fingerprint,
        },
        "properties": {
            **{name: number for name, number in numbers.items() if number is not None},
            "details": list(case.details),
            "level": case.level,
        },
        "ruleId": case.rule,
        "ruleIndex": rule,
        "suppressions": excused if case.state == "excused" else [],
    }


def _logical(case: Case) -> JsonValue:
    """The record or the check, by name."""
    name = f"{one_line(case.run)}: {case.name}" if case.run else case.name
    return {"fullyQualifiedName": name, "kind": "check" if case.record is None else "record"}


def _message(safe: str) -> str:
    """Safe text as text of a message: without placeholders and links."""
    return safe.translate(_MESSAGE).replace("](", "]\\x28")
