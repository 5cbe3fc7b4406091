"""What hypothesis draws runs from: records with odd ids, every status, missing scores, tags, trials; pairs of runs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from runstore.canonical import MAX_SAFE_INTEGER
from runstore.manifest import MetricDeclaration
from tests.factories import Record

Key = tuple[bytes, int]
METRICS = {
    "bounded": MetricDeclaration(direction="higher", range=(-1, 1)),
    "falling": MetricDeclaration(direction="lower", range=(0, 1000)),
    "free": MetricDeclaration(direction="higher"),
    "loss": MetricDeclaration(direction="lower"),
}
"""Every kind of metric: either direction, with and without a range."""

# Few, so that ids begin alike: characters that JSON escapes, or that sort otherwise in UTF-16, and marks of a record.
_ID_PARTS = st.sampled_from(
    ["a", "b", "r1", '"', "\\", "\n", "é", "\ud7ff", "\uffff", "😀", '"repeat":', ',"scores":{', "/"]
)
ids = st.lists(_ID_PARTS, min_size=1, max_size=3).map("".join)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SMALL = st.sampled_from([0, 1, 0.5, 0.25, 0.1, 0.2, 0.3])
SCORES = {
    "bounded": st.one_of(_SMALL, st.sampled_from([-1, -0.5]), st.floats(-1, 1)),
    "falling": st.one_of(_SMALL, st.integers(0, 1000), st.floats(0, 1000)),
    "free": st.one_of(_SMALL, st.floats(-1e6, 1e6), st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER), st.just(1e-300)),
    "loss": st.one_of(_SMALL, st.floats(0, 1e9)),
}
scores = st.fixed_dictionaries({}, optional=SCORES)
tags = st.fixed_dictionaries(
    {}, optional={"lang": st.sampled_from(["de", "fr"]), "hard": st.sampled_from(["yes", "no"])}
)
# Values that hold what the reading of a record looks for, at other places of it.
_CONTENTS = st.one_of(
    texts,
    st.none(),
    st.integers(-5, 5),
    st.builds(lambda size: "x" * size, st.sampled_from([200, 3000])),
    st.sampled_from(
        [{"scores": {"free": 1}}, {"a": {"scores": {}}, "repeat": 2}, ',"scores":{"free":9}}', [{"tags": {}}]]
    ),
)
_REASON = st.just({"message": "timed out", "type": "Timeout"})
fields: st.SearchStrategy[Record] = st.fixed_dictionaries(
    {},
    optional={
        "input": _CONTENTS,
        "metadata": st.dictionaries(texts, _CONTENTS, max_size=2),
        "output": _CONTENTS,
        "reason": _REASON,
        "scores": scores,
        "status": st.sampled_from(["ok", "error", "skipped"]),
        "tags": tags,
        "target": _CONTENTS,
    },
)
"""A record without its key."""
scored_fields: st.SearchStrategy[Record] = st.tuples(fields, scores).map(lambda both: {**both[0], "scores": both[1]})

_keys: st.SearchStrategy[list[tuple[str, int | None]]] = st.lists(
    st.tuples(ids, st.sampled_from([None, None, None, 1, 2, 3, 10])),
    unique_by=lambda key: (key[0], key[1] or 1),
    max_size=14,
)


def _record(key: tuple[str, int | None], values: Record) -> Record:
    record: Record = {"id": key[0], **values}
    if key[1] is not None:
        record["repeat"] = key[1]
    return record


@st.composite
def runs(draw: st.DrawFn) -> list[Record]:
    """The records of a run, in any order."""
    return [_record(key, draw(scored_fields)) for key in draw(_keys)]


@st.composite
def pairs_of_runs(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """The records of a baseline and of a current run, in any order: equal, changed, removed and added ones."""
    baseline, current = [], []
    for key in draw(_keys):
        record = _record(key, draw(scored_fields))
        fate = draw(st.sampled_from(["equal", "equal", "scores", "anything", "removed", "added"]))
        if fate != "added":
            baseline.append(record)
        if fate in ("equal", "added"):
            current.append(record)
        elif fate == "scores":
            current.append({**record, "scores": draw(scores)})
        elif fate == "anything":
            same = {None: 1, 1: None}.get(key[1], key[1])  # a repeat that is absent is 1
            current.append(_record((key[0], draw(st.sampled_from([key[1], same]))), draw(scored_fields)))
    return baseline, draw(st.permutations(current))


@st.composite
def pairs_of_even_runs(draw: st.DrawFn) -> tuple[list[Record], list[Record]]:
    """As `pairs_of_runs`, of records that all have the same scores, many of them changed: as real results are."""
    names = draw(st.lists(st.sampled_from(sorted(SCORES)), min_size=1, max_size=3, unique=True))
    values = st.fixed_dictionaries({name: SCORES[name] for name in names})
    baseline: list[Record] = []
    current: list[Record] = []
    for key in draw(_keys):
        record = _record(key, {"scores": draw(values), **draw(st.sampled_from([{}, {"tags": {"lang": "de"}}]))})
        fate = draw(st.sampled_from(["scores", "scores", "scores", "output", "status", "equal", "removed", "added"]))
        if fate != "added":
            baseline.append(record)
        after = {
            "scores": {**record, "scores": draw(values)},
            "output": {**record, "output": draw(texts)},
            "status": {**record, "status": draw(st.sampled_from(["ok", "error"]))},
        }
        if fate != "removed":
            current.append(after.get(fate, record))
    return baseline, current


def json_values(*, arrays: bool = True) -> st.SearchStrategy[Any]:
    """JSON values, also with numbers that Python and JSON tell apart otherwise."""
    scalars = st.one_of(
        st.none(), st.booleans(), st.sampled_from([0, 1, 0.0, 1.0, 0.5, "0", "", "~", "/"]), st.integers(-9, 9), texts
    )
    names = st.one_of(st.sampled_from(["a", "b", "", "a/b", "~1", "é"]), texts)

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        objects = st.dictionaries(names, inner, max_size=4)
        return st.one_of(objects, st.lists(inner, max_size=5)) if arrays else objects

    return st.recursive(scalars, larger, max_leaves=12)


def json_objects(*, arrays: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects."""
    return st.dictionaries(st.sampled_from(["a", "b", "c", "", "a/b", "~"]), json_values(arrays=arrays), max_size=4)
