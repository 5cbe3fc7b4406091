"""Views of comparisons for the tests of the page: small ones, large ones, and ones with a text in every place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runstore import reports

View = dict[str, Any]
CLASSES = ("regressed", "removed", "added", "improved", "changed")
LANGUAGES = ("de", "en", "fr")


def score(metric: str, baseline: float | None, current: float | None) -> dict[str, Any]:
    delta = None if baseline is None or current is None else current - baseline
    return {"metric": metric, "baseline": baseline, "current": current, "delta": delta}


def change(number: int, kind: str = "regressed", **fields: Any) -> dict[str, Any]:
    """Record `r0000`, `r0001`, …: its answer says its number, and its score fell by a share that depends on it."""
    name = f"r{number:04d}"
    record = {
        "id": name,
        "input": f"What is the question number {number}?",
        "output": f"The answer is now {number} of course.",
        "tags": {"lang": LANGUAGES[number % 3]},
        "target": str(number),
    }
    made = {
        "class": kind,
        "fields": [
            {
                "path": "/output",
                "before": f"The answer was {number} of course.",
                "after": f"The answer is now {number} of course.",
            }
        ],
        "id": name,
        "record": record,
        "repeat": 1,
        "run": "",
        "scores": [score("acc", 1, (number % 10) / 10)],
    }
    if kind in ("added", "removed"):
        made |= {"fields": [], "scores": []}
    return {**made, **fields}


def finding(rule: str, level: str = "error", record: str | None = None, **fields: Any) -> dict[str, Any]:
    made = dict.fromkeys(("hint", "limit", "metric", "observed", "repeat", "slice"))
    message = f"{record or 'something'} broke {rule}"
    return {**made, "level": level, "message": message, "record": record, "rule": rule, "run": "", **fields}


def check(rule: str, outcome: str = "holds", **fields: Any) -> dict[str, Any]:
    made = dict.fromkeys(("assessment", "interval", "limit", "margin", "metric", "observed", "slice", "suggestion"))
    words = {"excused_by": [], "origin": "gate.toml", "read": "the records", "why": "they are there", "run": ""}
    return {**made, **words, "rule": rule, "outcome": outcome, **fields}


def measure(metric: str = "acc", **fields: Any) -> dict[str, Any]:
    made = {
        "baseline": 0.9, "current": 0.85, "delta": -0.05, "direction": "higher", "improved": 1, "kind": "records",
        "lost": 0, "metric": metric, "moves": None, "n": 30, "regressed": 4, "run": "", "slice": None,
        "standard_error": 0.01, "unit": None,
    }  # fmt: skip
    return {**made, **fields}


def side(text: str = "quiz") -> dict[str, Any]:
    return {
        "commit": "1" * 40, "manifest_sha256": "2" * 64, "name": text, "params": {}, "project": text,
        "run_id": "3" * 32, "suite": text,
    }  # fmt: skip


def view_of(changes: Sequence[dict[str, Any]], **members: Any) -> View:
    """The view of a failed comparison with these changes."""
    kinds = [one["class"] for one in changes]
    counts = {kind: kinds.count(kind) for kind in CLASSES}
    common = sum(counts[kind] for kind in ("regressed", "improved", "changed")) + 5
    sizes = {"baseline": common + counts["removed"], "common": common, "current": common + counts["added"]}
    special = dict.fromkeys(("lost_scores", "newly_errored", "newly_skipped"), 0)
    made = {
        "changes": list(changes),
        "changes_omitted": dict.fromkeys(CLASSES, 0),
        "checks": [check("max-regressed", "broken")],
        "counts": {**counts, **sizes, **special, "unchanged": 5},
        "exit_code": 1,
        "findings": [finding("max-regressed")],
        "format": 1,
        "metrics": [measure()],
        "policy": "gate.toml",
        "runs": [{"baseline": side(), "current": side(), "path": ""}],
        "series": [],
        "verdict": "FAIL",
    }
    return {**made, **members}


def quiz(count: int = 130) -> View:
    """Records of all classes, the most of them regressed, in the order of a view."""
    kinds = sorted((CLASSES[max(0, number % 9 - 4)] for number in range(count)), key=CLASSES.index)
    return view_of([change(number, kind) for number, kind in enumerate(kinds)])


def hostile(*texts: str) -> View:
    """A view with each text in every place that can hold one."""
    parts = [_hostile(text, f"{number}") for number, text in enumerate(texts)]
    joined = {name: [one for part in parts for one in part[name]] for name in parts[0] if name != "policy"}
    changes = sorted(joined.pop("changes"), key=lambda one: CLASSES.index(one["class"]))
    return view_of(changes, **joined, policy=texts[0])


def _hostile(text: str, number: str) -> dict[str, Any]:
    """The members of a view with the text in every place; `number` keeps records of equal texts apart."""
    group = {"tag": text, "value": text}
    evil = change(1, id=f"{text}{number}", run=text, repeat=2, scores=[score(text, 1, 0.5)])
    evil["fields"] = [
        {"path": f"/metadata/{text}", "before": text},
        {"path": "/output", "before": text, "after": {text: text}},
        {"path": "/target", "before": f"a {text} b", "after": f"a {text}{text} b"},
    ]
    evil["record"] = {"id": text, "input": text, "metadata": {text: [text]}, "reason": text, "tags": {text: text}}
    gone = {**evil, "class": "removed", "fields": [], "repeat": 1, "scores": []}
    about: dict[str, Any] = {"message": text, "hint": text, "metric": text, "run": text, "slice": group}
    asked: dict[str, Any] = {
        "metric": text,
        "run": text,
        "origin": text,
        "read": text,
        "why": text,
        "excused_by": [text],
    }
    curve = [[0, 1.0], [1, 0.5]]
    moves = {"grid": 0, "before": [1], "after": [0.5], "pairs": [1]}
    return {
        "changes": [evil, gone],
        "checks": [check("max-drop", "broken", limit="0.1", **asked), check("max-drop", slice=group, **asked)],
        "findings": [
            finding("max-regressed", **about),
            finding("max-regressed", record=f"{text}{number}", **about),
            finding("waived", "notice", record=f"{text}{number}", **{**about, "repeat": 2}),
        ],
        "metrics": [measure(text, run=text, unit=text, moves=moves), measure(text, run=text, slice=group)],
        "runs": [{"baseline": side(text), "current": None, "path": text}],
        "series": [
            {"run": text, "metric": text, "direction": "lower", "unit": text, "baseline": curve, "current": curve}
        ],
    }


def written(folder: Path, view: View) -> str:
    """The address of the page of a view, written to a folder."""
    place = folder / "report.html"
    place.write_text(reports.load("html").render(view), encoding="utf-8")
    return place.as_uri()


def wait_for(page: Any, condition: str, seconds: float = 10) -> None:
    """Wait until a JavaScript expression is true. Playwright's own way is an `eval`, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"never true: {condition}"
        time.sleep(0.02)
