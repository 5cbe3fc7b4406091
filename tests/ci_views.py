"""Views for the tests of formats that CI servers read: saved ones, hostile ones, and any that hypothesis draws.

`hostile_view` has a text in every place that can hold one. `views` are consistent: the verdict is that of the findings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from runstore.findings import Level, Rule, verdict

GOLDEN = Path(__file__).resolve().parent / "golden"
NAMES = sorted(place.name for place in GOLDEN.iterdir())
View = dict[str, Any]
HARMLESS = "word"
BREAK_OUTS = (
    "]]>",
    "<![CDATA[ ]]> ]]&gt;",
    '"/></testcase><testcase name="x" classname="y" time="0"/><testcase name="',
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "&#0;&#x1b;&amp;&lt;",
    "\x00\x01\x08\x0b\x0c\x0e\x1f\x7f\x85\ufffe\uffff\ufdd0",
    "\x1b[31mred\x1b]0;title\x07",
    "x\r\n::set-output name=a::b",
    "::error file=a,line=1::x",
    "  ::stop-commands::token",
    "a,title=b::c:,%0A%25%0D::error::",
    "##[error]x ##vso[task.complete result=Succeeded;] ##teamcity[x] #",
    "#[",
    "# SKIP",
    "# TODO later",
    "\\# SKIP \\\\# skip",
    "\nok 1 - all is well # TODO\n1..1\nBail out! no",
    "\n  ...\nok 99\n  ---\n",
    "yaml: [x, {y: !!python/object:os.system z}] & * | > ' \" % @ `",
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    '","=1+1',
    ";=1+1;",
    "a;=1;b|=2",
    "a,=1,'=2,\"=3",
    "\uff1d1+1 \uff0b1 \uff0d1 \uff201",
    "'=1",
    "{0} {1} {{0}} {x} }{",
    "[click](1) [click](https://example.org) [a](sarif:/runs/0/results/0)",
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\x",
    "a/../..//./b",
    "file:///etc/passwd?x#y%2F..",
    "</script><script>alert(1)</script>",
    "\u202eexe.txt\u202c \u2066x\u2069 \u200e\u200f\u061c in\u200bvis\u2060ible\ufeff\u00ad \U000e0041",
    "x\u2028y\u2029z",
    "\\",
    " ",
    "",
    "x" * 5000,
    "語" * 3000,
)


def saved(name: str) -> View:
    value: View = json.loads((GOLDEN / name / "view.json").read_bytes())
    return value


_PASSED = saved("pass-identical")


def check(rule: str, outcome: str, **members: Any) -> View:
    empty = dict.fromkeys(
        ("assessment", "interval", "limit", "margin", "metric", "observed", "slice", "suggestion"), None
    )
    texts = {"origin": "default", "read": "what was read", "why": "", "run": "", "excused_by": []}
    return {**empty, **texts, "rule": rule, "outcome": outcome, **members}


def finding(rule: str, level: str, **members: Any) -> View:
    empty = dict.fromkeys(("hint", "limit", "metric", "observed", "record", "repeat", "slice"), None)
    return {**empty, "rule": rule, "level": level, "message": f"about {rule}", "run": "", **members}


def hostile_view(text: str) -> View:
    """A failed comparison with the text in every place that can hold one."""
    group = {"tag": text, "value": text}
    told = {"run": text, "metric": text, "slice": group}
    asked = {**told, "origin": text, "read": text, "why": text, "observed": text, "limit": text}
    said = {**told, "message": text, "hint": text, "observed": text, "limit": text}
    [measure, *_] = _PASSED["metrics"]
    change = {
        "class": "regressed",
        "id": text,
        "repeat": 2,
        "run": text,
        "fields": [{"path": f"/metadata/{text}", "before": text}, {"path": "/output", "after": {text: text}}],
        "record": {"id": text, "tags": {text: text}},
        "scores": [{"baseline": 1, "current": -0.5, "delta": -1.5, "metric": text}],
    }
    side = dict.fromkeys(("commit", "manifest_sha256", "name", "project", "run_id", "suite"), text)
    return _PASSED | {
        "changes": [change, {**change, "class": "removed", "repeat": 1, "fields": [], "scores": []}],
        "changes_omitted": {"added": 3, "changed": 0, "improved": 0, "regressed": 1, "removed": 0},
        "checks": [
            check("max-drop", "broken", **asked),
            check("max-regressed", "broken", run=text),
            check("max-drop", "waived", **asked, excused_by=[text]),
            check("evidence", "undecided", **asked),
            check("min", "holds", **asked),
        ],
        "exit_code": 1,
        "findings": [
            finding("max-drop", "error", **said),
            finding("max-regressed", "error", run=text, message=text),
            finding("max-regressed", "error", run=text, message=text, record=text, repeat=2),
            finding("evidence", "inconclusive", **said),
            finding("waived", "notice", **said),
            finding("waiver-unused", "warning", **said),
        ],
        "metrics": [
            {**measure, **told, "unit": text},
            {**measure, "run": text, "metric": text, "slice": None, "unit": None},
        ],
        "policy": text,
        "runs": [{"baseline": {**side, "params": {text: text}}, "current": None, "path": text}],
        "verdict": "FAIL",
    }


_EMPTY = _PASSED | {"metrics": [], "runs": []}
_TEXTS = st.sampled_from([HARMLESS, "a", "b", "=1", "# SKIP", "x\ny"])
_GROUPS = st.one_of(st.none(), st.builds(lambda tag, value: {"tag": tag, "value": value}, _TEXTS, _TEXTS))
_RULES = st.sampled_from([rule.value for rule in Rule] + ["of-the-future"])
_ABOUT = {"run": _TEXTS, "metric": st.one_of(st.none(), _TEXTS), "slice": _GROUPS}
_OUTCOMES = st.sampled_from(["holds", "broken", "undecided", "waived"])
_LEVELS = st.sampled_from([level.value for level in Level])


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any checks and findings, related or not; the verdict is what the findings lead to."""
    places = draw(st.lists(st.fixed_dictionaries({"rule": _RULES, **_ABOUT}), max_size=4))
    checks: list[View] = []
    findings: list[View] = []
    for place in places:
        level = draw(st.one_of(st.none(), _LEVELS))
        outcome = draw(_OUTCOMES) if level is not None else draw(st.sampled_from(["holds", "waived"]))
        checks += [check(outcome=outcome, **place)] * draw(st.integers(0, 2))
        if level is not None:
            records = draw(st.lists(st.one_of(st.none(), _TEXTS), min_size=1, max_size=3))
            findings += [finding(level=level, record=record, **place) for record in records]
    reached = verdict([Level(one["level"]) for one in findings])
    return {
        **_EMPTY,
        "checks": checks,
        "findings": findings,
        "verdict": reached.name,
        "exit_code": reached.value,
    }
