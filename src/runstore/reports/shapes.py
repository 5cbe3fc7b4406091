"""The shapes of the view, as types: what schemas/v1/comparison.json says, for the type checker."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from runstore.canonical import JsonValue

Verdict = Literal["PASS", "FAIL", "INVALID", "REVIEW", "INCONCLUSIVE"]
Level = Literal["invalid", "error", "review", "inconclusive", "warning", "notice"]
Outcome = Literal["holds", "broken", "undecided", "waived"]
ChangeClass = Literal["regressed", "removed", "added", "improved", "changed"]


class Slice(TypedDict):
    """The records whose tag has a value."""

    tag: str
    value: str


class Finding(TypedDict):
    """One thing the gate found; `observed` and `limit` are texts of numbers."""

    hint: str | None
    level: Level
    limit: str | None
    message: str
    metric: str | None
    observed: str | None
    record: str | None
    repeat: int | None
    rule: str
    run: str
    slice: Slice | None


class Moves(TypedDict):
    """The pairs whose score differs, cell by cell: three columns of one length, sorted by `before`, then `after`.

    `grid` is the width of a cell, of which the numbers are the lower edges; if it is 0 they are the values.
    """

    after: list[float]
    before: list[float]
    grid: float
    pairs: list[int]


class Series(TypedDict):
    """A training curve: (step, value) of both runs; None where a side has none."""

    baseline: list[tuple[int, float]] | None
    current: list[tuple[int, float]] | None
    direction: Literal["higher", "lower"]
    metric: str
    run: str
    unit: str | None


class Measure(TypedDict):
    """A metric over all pairs, or those of a slice; of a series `n` is 1."""

    baseline: float | None
    current: float | None
    delta: float | None
    direction: Literal["higher", "lower"]
    improved: int
    kind: Literal["records", "series"]
    lost: int
    metric: str
    moves: Moves | None
    n: int
    regressed: int
    run: str
    slice: Slice | None
    standard_error: float | None
    unit: str | None


class Assessment(TypedDict):
    """How sure a drop is: test, interval and power."""

    could_show: bool
    detectable: float | None
    estimate: float
    interval: list[float]
    note: str
    p: float
    p_adjusted: float
    pairs: int
    power: float | None
    significant: bool
    standard_error: float
    test: str
    units: int


class Interval(TypedDict):
    """How sure a value is."""

    high: float
    level: float
    low: float
    method: str


class Check(TypedDict):
    """One question that was asked, and the answer; numbers are texts, and exact where they are limits."""

    assessment: Assessment | None
    excused_by: list[str]
    interval: Interval | None
    limit: str | None
    margin: str | None
    metric: str | None
    observed: str | None
    origin: str
    outcome: Outcome
    read: str
    rule: str
    run: str
    slice: Slice | None
    suggestion: str | None
    why: str


class Score(TypedDict):
    """A score that differs in one record; None where a side does not have it."""

    baseline: float | None
    current: float | None
    delta: float | None
    metric: str


class Field(TypedDict):
    """A place in a record (JSON pointer) and what stood there; a side that had nothing is not there."""

    path: str
    before: NotRequired[JsonValue]
    after: NotRequired[JsonValue]


# `class` is no name in Python, so this one is written as a call.
Change = TypedDict(
    "Change",
    {
        "class": ChangeClass,
        "fields": list[Field],
        "id": str,
        "record": dict[str, JsonValue],
        "repeat": int,
        "run": str,
        "scores": list[Score],
    },
)
"""A record that differs; `record` is the current one, or the baseline's if it was removed."""


class Side(TypedDict):
    """One of the two runs of a pair."""

    commit: str | None
    manifest_sha256: str | None
    name: str
    params: dict[str, JsonValue]
    project: str
    run_id: str
    suite: str


class RunPair(TypedDict):
    """The runs at one relative path; None where there is none or it could not be read."""

    baseline: Side | None
    current: Side | None
    path: str


class Counts(TypedDict):
    """How many records each side has and what became of them."""

    baseline: int
    current: int
    common: int
    added: int
    removed: int
    regressed: int
    improved: int
    changed: int
    unchanged: int
    newly_errored: int
    newly_skipped: int
    lost_scores: int


class View(TypedDict):
    """A comparison."""

    changes: list[Change]
    changes_omitted: dict[ChangeClass, int]
    checks: list[Check]
    counts: Counts
    exit_code: int
    findings: list[Finding]
    format: int
    metrics: list[Measure]
    policy: str
    runs: list[RunPair]
    series: list[Series]
    verdict: Verdict
