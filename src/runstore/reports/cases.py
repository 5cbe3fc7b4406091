"""Cases: a view in, out what a CI server is told: one case a check, and one for each record that a rule broke on.

A case is red (`failed`, or `errored` where nothing could be judged or a person must look) exactly if what it stands for
leads to another verdict than PASS. A record that got worse within what is allowed is no case. What no check answers for
is a case by itself, and if nothing else is red in a comparison that did not pass, the verdict is: doubt is never green.

All texts of a case are safe: on one line, without control characters or commands, and shortened.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import marks, numbers, outline
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.outline import Outline
    from runstore.reports.shapes import Change, Check, Field, Finding, Level, Slice, View

State = Literal["passed", "failed", "errored", "excused"]
Key = tuple[str, str, str | None, str | None, str | None]
"""(Run, rule, metric, tag, value)."""
VERDICT = "verdict"
"""Stands for a rule where only the verdict itself is left to say."""
_STATE: Mapping[str, State] = {
    "invalid": "errored",
    "error": "failed",
    "review": "errored",
    "inconclusive": "errored",
    "warning": "passed",
    "notice": "passed",
}
_UNSAID: Mapping[str, Level | None] = {"holds": None, "broken": "error", "undecided": "inconclusive"}
"""The level of an answer that no finding speaks for."""
_LEVEL: Mapping[str, Level | None] = {
    "PASS": None,
    "FAIL": "error",
    "INVALID": "invalid",
    "REVIEW": "review",
    "INCONCLUSIVE": "inconclusive",
}
_NAME, _FIELD = 200, 120
_LISTED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One thing that was asked, or a record on which it broke."""

    state: State
    level: Level | None
    """How much it weighs; None if there is nothing to say."""
    rule: str
    run: str
    """As it is in the view, not safe, like `record`; all other texts are."""
    name: str
    """Rule, metric, slice and record; no two cases of a run have the same."""
    message: str
    remarks: Sequence[str] = ()
    change: Change | None = None
    """The record that it is about, if the view lists it."""
    observed: str | None = None
    limit: str | None = None
    record: str | None = None
    repeat: int = 1
    fingerprint: str = ""
    """64 hexadecimal digits: the same for the same question, whatever the answer; no two cases have the same."""

    @property
    def is_red(self) -> bool:
        """Whether it stands for something that does not pass."""
        return self.state in ("failed", "errored")

    @property
    def details(self) -> list[str]:
        """What else there is to say: remarks, and the first fields of the record that differ; made when asked for."""
        return [*self.remarks, *([] if self.change is None else _fields(self.change))]

    @property
    def place(self) -> list[str]:
        """Path of the file that it is about, as segments: the records or the manifest of a run. Not safe.

        It is relative to the folder that was compared and never leads out of it; where that is, a view does not say.
        """
        inside = [part for part in self.run.split("/") if part not in ("", ".", "..")]
        return [*inside, "manifest.json" if self.record is None else "records.jsonl"]


def make(view: Mapping[str, JsonValue]) -> list[Case]:
    """The cases, in the order of the checks; records stand after the check that they broke."""
    contents = outline.make(view)
    found = list(_Told(contents.view).cases())
    if not found or (contents.view["verdict"] != "PASS" and not any(case.is_red for case in found)):
        found.insert(0, _verdict(contents))
    return _told_apart(found)


def worst_first(cases: Iterable[Case]) -> list[Case]:
    """The cases that have something to say: the heaviest level first, and records last within one."""
    saying = [case for case in cases if case.level is not None]
    return sorted(saying, key=lambda case: (outline.LEVELS.index(case.level or "notice"), case.record is not None))


def heaviest(found: Sequence[Case], most: int) -> list[Case]:
    """At most so many of the cases, in their order: red ones first, and of those the checks before the records."""
    if len(found) <= most:
        return list(found)
    ranked = sorted(range(len(found)), key=lambda index: (not found[index].is_red, found[index].record is not None))
    return [found[index] for index in sorted(ranked[:most])]


def _verdict(contents: Outline) -> Case:
    verdict = contents.view["verdict"]
    level = _LEVEL[verdict]
    state: State = "passed" if level is None else _STATE[level]
    return Case(
        state=state, level=level, rule=VERDICT, run="", name=VERDICT, message=shown(f"{verdict}: {contents.headline}")
    )


def _told_apart(cases: Sequence[Case]) -> list[Case]:
    """The cases with names and fingerprints of their own: those that look the same are numbered."""
    by_run: dict[str, list[Case]] = {}
    asked: dict[str, int] = {}
    told: list[Case] = []
    for case in cases:
        by_run.setdefault(case.run, []).append(case)
    names = {run: iter(distinct(case.name for case in found)) for run, found in by_run.items()}
    for case in cases:
        asked[case.fingerprint] = number = asked.get(case.fingerprint, 0) + 1
        digest = hashlib.sha256(f"{case.fingerprint}\n{number}".encode()).hexdigest()
        told.append(replace(case, name=next(names[case.run]), fingerprint=digest))
    return told


def distinct(names: Iterable[str]) -> list[str]:
    """The names, those that were there before with a number: `a`, `a (2)`."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        unlike = name
        while unlike in seen:
            seen[name] += 1
            unlike = f"{name} ({seen[name]})"
        seen[unlike] = 1
        found.append(unlike)
    return found


class _Told:
    """The findings of a view, given to the checks that they answer."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._changes = {(change["run"], change["id"], change["repeat"]): change for change in view["changes"]}
        self._worse = _worse(view)
        self._heads: dict[Key, list[Finding]] = {}
        self._rows: dict[tuple[str, str], list[Finding]] = {}
        rows: dict[Key, list[Finding]] = {}
        for finding in view["findings"]:
            heads = self._heads if finding["record"] is None else rows
            heads.setdefault(_key(finding), []).append(finding)
        for key, found in rows.items():
            if key in self._heads:
                self._rows.setdefault(key[:2], []).extend(found)
            else:
                self._heads[key] = found  # each speaks for itself
        self._said = dict(self._heads)

    def cases(self) -> Iterator[Case]:
        """The cases of the checks, and then of the findings that no check answers for."""
        left = Counter(self._heads_key(check) for check in self._view["checks"] if _is_open(check))
        for check in self._view["checks"]:
            key = self._heads_key(check)
            if _is_open(check):
                left[key] -= 1
                # Of several checks that ask the same, each has one finding, and the last one what is left.
                yield from self._checked(check, self._taken(key, 1 if left[key] else None))
            elif key not in left and all(_STATE[one["level"]] == "passed" for one in self._heads.get(key, ())):
                yield from self._checked(check, self._taken(key, None))
            else:
                yield from self._checked(check, [])
        for key in list(self._heads):
            for finding in self._taken(key, None):
                yield self._alone(finding)
                yield from self._records(key[:2])
        for pair in list(self._rows):
            yield from self._records(pair)

    def _heads_key(self, check: Check) -> Key:
        """Under which key a check's findings stand: doubt about a drop, and leave for one, have rules of their own."""
        own = _key(check)
        other = {"undecided": "evidence", "waived": "waived"}.get(check["outcome"], own[1])
        return own if own in self._heads else (own[0], other, *own[2:])

    def _taken(self, key: Key, most: int | None) -> list[Finding]:
        found = self._heads.get(key, [])
        self._heads[key] = [] if most is None else found[most:]
        return found if most is None else found[:most]

    def _checked(self, check: Check, heads: Sequence[Finding]) -> Iterator[Case]:
        """The case of a check, and those of the records on which it broke."""
        pair = check["run"], check["rule"]
        rows = self._rows.get(pair, []) if heads else []
        more = self._said.get(self._heads_key(check), []) if _is_open(check) else []
        state, level = _standing(check, heads or more)
        said = "" if state == "excused" else "; ".join(one["message"] for one in heads)
        yield Case(
            state=state,
            level=level,
            rule=one_line(check["rule"]),
            run=check["run"],
            name=_name(check),
            message=shown(said or check["why"] or check["read"]),
            remarks=self._remarks(check, heads, rows),
            observed=_number(check["observed"]),
            limit=_number(check["limit"]),
            fingerprint=_asked(check),
        )
        if heads:
            yield from self._records(pair)

    def _remarks(self, check: Check, heads: Sequence[Finding], rows: Sequence[Finding]) -> list[str]:
        """What was read and asked, what to do, and which records it is about."""
        lines = [f"read: {check['read']}"] if check["read"] else []
        lines += [f"asked by: {check['origin']}"] if check["origin"] != "default" else []
        lines += [f"excused by: {', '.join(check['excused_by'])}"] if check["excused_by"] else []
        lines += [f"hint: {one['hint']}" for one in heads if one["hint"]]
        named = [outline.record_name(row["record"] or "", row["repeat"], "") for row in rows]
        if not named and check["outcome"] != "holds":
            named = self._worse.get((check["run"], check["metric"] or "", *_group(check["slice"])), [])
        lines += [f"record: {name}" for name in named[:_LISTED]]
        lines += [f"and {numbers.count(len(named) - _LISTED)} more records"] if len(named) > _LISTED else []
        return [shown(line) for line in lines]

    def _records(self, pair: tuple[str, str]) -> Iterator[Case]:
        """The records on which a rule broke; those that only warn or are excused are told of with the check."""
        for finding in self._rows.pop(pair, []):
            if _STATE[finding["level"]] != "passed":
                yield self._alone(finding)

    def _alone(self, finding: Finding) -> Case:
        """The case of a finding by itself."""
        record = finding["record"]
        change = self._changes.get((finding["run"], record or "", finding["repeat"] or 1)) if record else None
        scores = "" if change is None else "".join(f"; {text}" for text in _scores(change))
        lines = [f"hint: {finding['hint']}"] if finding["hint"] else []
        return Case(
            state=_STATE[finding["level"]],
            level=finding["level"],
            rule=one_line(finding["rule"]),
            run=finding["run"],
            name=_name(finding, record=outline.record_name(record or "", finding["repeat"], "")),
            message=shown(finding["message"] + scores),
            remarks=[shown(line) for line in lines],
            change=change,
            observed=_number(finding["observed"]),
            limit=_number(finding["limit"]),
            record=record,
            repeat=finding["repeat"] or 1,
            fingerprint=_asked(finding, record, finding["repeat"]),
        )


def _is_open(check: Check) -> bool:
    return check["outcome"] in ("broken", "undecided")


def _standing(check: Check, heads: Sequence[Finding]) -> tuple[State, Level | None]:
    """How a check stands: as its heaviest finding says, or, if none speaks for it, as its answer does."""
    if check["outcome"] == "waived":
        return "excused", "notice"
    levels = [one["level"] for one in heads]
    level = min(levels, key=outline.LEVELS.index) if levels else _UNSAID[check["outcome"]]
    return ("passed" if level is None else _STATE[level]), level


def _key(asked: Check | Finding) -> Key:
    return asked["run"], asked["rule"], asked["metric"], *_group(asked["slice"])


def _group(group: Slice | None) -> tuple[str | None, str | None]:
    return (None, None) if group is None else (group["tag"], group["value"])


def _asked(asked: Check | Finding, record: str | None = None, repeat: int | None = None) -> str:
    """Which question it is, as text; texts of data stand in it as they are."""
    return canonical.encode([*_key(asked), record, repeat]).decode()


def _name(asked: Check | Finding, record: str = "") -> str:
    """What it is about, as it is named in messages: `max-drop: acc of lang = de`."""
    tag, value = _group(asked["slice"])
    metric = asked["metric"] or ""
    group = "" if tag is None else f"{tag} = {value}"
    about = f"{metric} of {group}" if metric and group else metric or group
    parts = [asked["rule"], *(part for part in (about, record) if part)]
    return shown(": ".join(parts), _NAME)


def shown(text: str, room: int = 1000) -> str:
    """Text of data made safe, on one line, in at most `room` characters (6 or more): longer text lacks its middle."""
    safe = one_line(text)
    return safe if len(safe) <= room else f"{safe[: room - room // 3 - 3]}...{safe[-(room // 3) :]}"


def _number(text: str | None) -> str | None:
    return None if text is None else shown(text, _FIELD)


Measured = tuple[str, str, str | None, str | None]
"""(Run, metric, tag, value)."""


def _worse(view: View) -> dict[Measured, list[str]]:
    """What a check that does not hold is about → names of the listed records that got worse in it, the worst first."""
    directions = {(one["run"], one["metric"]): one["direction"] for one in view["metrics"]}
    open_checks = [check for check in view["checks"] if check["outcome"] != "holds" and check["metric"] is not None]
    found: dict[Measured, list[str]] = {
        (check["run"], check["metric"] or "", *_group(check["slice"])): [] for check in open_checks
    }
    asked = {key[:2] for key in found}
    for change in view["changes"]:
        tags = change["record"].get("tags")
        groups = [(tag, str(value)) for tag, value in tags.items()] if isinstance(tags, dict) else []
        name = outline.record_name(change["id"], change["repeat"], "")
        for score, effect in outline.worst_scores(change, directions) if found else ():
            key = change["run"], score["metric"]
            if effect == "worse" and key in asked:
                for group in [(None, None), *groups]:
                    if (*key, *group) in found:
                        found[*key, *group].append(name)
    return found


def _scores(change: Change) -> list[str]:
    """The first scores that differ, as text: `acc: 1 -> 0`."""
    return [
        f"{score['metric']}: {' -> '.join(numbers.pair(score['baseline'], score['current']))}"
        for score in change["scores"][:_LISTED]
    ]


def _fields(change: Change) -> list[str]:
    """The first fields that differ, on a line each; safe."""
    return [_field(field) for field in outline.other_fields(change)[:_LISTED]]


def _field(field: Field) -> str:
    sides = zip(("before", "after"), marks.compare(*outline.sides(field), words=0), strict=True)
    old, new = (
        "".join(piece.text for piece in marks.shortened(pieces, _FIELD)) if side in field else numbers.NONE
        for side, pieces in sides
    )
    return shown(f"{field['path']}: {old} -> {new}")
