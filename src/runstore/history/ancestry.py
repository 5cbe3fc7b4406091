"""The changes of one record: commits and what each has of the record in, the commits that changed it out, newest first.

A commit is passed over if one of the commits before it has the same line: then that one is followed, as `git blame`
does with a line of text, and so a merge is told only if it made a record that no side had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runstore import fields, large_text
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.git.log import Commit
from runstore.history.record_lines import parsed
from runstore.history.states import Gap
from runstore.record import JsonObject

Kind = Literal["added", "changed", "removed", "unreadable"]
Standing = bytes | Gap | None
"""What a commit has of a record: its line, none, or why that is not known."""
Number = int | float
Cut = Literal["shallow", "partial"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreChange:
    """A score before and after; None where a side does not have it."""

    metric: str
    before: Number | None
    after: Number | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A commit that changed the record. `others` are JSON pointers of what else differs; `status` is None if equal.

    `is_cut`: there is more history, and it is not here; the record may be older than this commit.
    """

    commit: Commit
    kind: Kind
    scores: Sequence[ScoreChange] = ()
    status: tuple[str, str] | None = None
    others: Sequence[str] = ()
    why: str = ""
    is_cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Since:
    """A score that the record has now, and the commit since which it has that value; `is_cut` as in `Step`."""

    metric: str
    value: Number
    commit: Commit
    is_cut: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ancestry:
    """The changes of a record, newest first, and since when each of its scores has its value.

    `cut` says what kind of clone it is that does not have the history before the last of them.
    """

    path: str
    ref: str
    tip: str
    record: str
    repeat: int
    steps: Sequence[Step]
    since: Sequence[Since]
    cut: Cut | None = None


def steps(commits: Sequence[Commit], read: Callable[[Commit], Standing], cuts: frozenset[str]) -> list[Step]:
    """The commits that changed the record, of commits newest first, each after those it is a parent of.

    `cuts` are commits before which there is more history that is not here.
    """
    by_id = {commit.oid: commit for commit in commits}
    found: list[Step] = []
    at, after = (commits[0], read(commits[0])) if commits else (None, None)
    while at is not None and not _is_lost(after):
        earlier, before = _follow([by_id[oid] for oid in at.parents if oid in by_id], after, read)
        if earlier is None or before != after:
            step = _step(at, before, after, is_cut=at.oid in cuts or _is_lost(before))
            found += [step] if step else []
        at, after = earlier, before
    return found


def _is_lost(standing: Standing) -> bool:
    return isinstance(standing, Gap) and standing.kind == "lost"


def _follow(
    parents: Sequence[Commit], standing: Standing, read: Callable[[Commit], Standing]
) -> tuple[Commit | None, Standing]:
    """The commit to go on with, and what it has: the first that has the same, else the first."""
    first: Standing = None
    for index, parent in enumerate(parents):
        theirs = read(parent)
        if theirs == standing:
            return parent, theirs
        first = theirs if index == 0 else first
    return (parents[0], first) if parents else (None, None)


def _step(commit: Commit, before: Standing, after: Standing, *, is_cut: bool) -> Step | None:
    """What a commit did to the record; None if it did nothing."""
    if isinstance(after, Gap):
        return Step(commit=commit, kind="unreadable", why=after.message, is_cut=is_cut)
    why = before.message if isinstance(before, Gap) else ""
    try:
        old = parsed(before) if isinstance(before, bytes) else None
    except InvalidDataError as error:
        old, why = None, error.message
    try:
        new = parsed(after) if after is not None else None
    except InvalidDataError as error:
        return Step(commit=commit, kind="unreadable", why=error.message, is_cut=is_cut)
    if new is None:
        return Step(commit=commit, kind="removed", why=why) if old is not None or why else None
    kind: Kind = "added" if old is None and not why else "changed"
    return Step(
        commit=commit,
        kind=kind,
        scores=score_changes(old or {}, new),
        status=_status_change(old, new),
        others=[] if old is None else _others(old, new),
        why=why,
        is_cut=is_cut,
    )


def scores_of(record: JsonObject) -> Mapping[str, Number]:
    """The scores of a record, those that are numbers."""
    found = record.get("scores")
    members: Mapping[str, JsonValue] = found if isinstance(found, dict) else {}
    return {name: value for name, value in members.items() if type(value) is int or type(value) is float}


def score_changes(old: JsonObject, new: JsonObject) -> list[ScoreChange]:
    """The scores that differ, sorted by name."""
    before, after = scores_of(old), scores_of(new)
    return [
        ScoreChange(metric=name, before=before.get(name), after=after.get(name))
        for name in sorted({**before, **after}, key=str.encode)
        if before.get(name) != after.get(name)
    ]


def _status_change(old: JsonObject | None, new: JsonObject) -> tuple[str, str] | None:
    after = str(new.get("status", "ok"))
    before = "ok" if old is None else str(old.get("status", "ok"))
    return (before, after) if before != after else None


def _others(old: JsonObject, new: JsonObject) -> list[str]:
    """Where else two records differ: JSON pointers."""
    told = ("/scores/", "/status")
    return [one.path for one in fields.differences(*_with_texts_told(old, new)) if not one.path.startswith(told)]


def _with_texts_told(old: JsonObject, new: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Two records in which each large text differs where it stands; as they are if one says no good of its texts."""
    try:
        for record in (old, new):
            if large_text.FIELD in record:
                large_text.check(record)
    except InvalidDataError:
        return old, new
    return large_text.told_pair(old, new)


def since(found: Sequence[Step], now: JsonObject) -> list[Since]:
    """Since which commit the record has each of its scores, of its changes newest first."""
    made = []
    for name, value in sorted(scores_of(now).items(), key=lambda score: score[0].encode()):
        step = next((step for step in found if any(score.metric == name for score in step.scores)), None)
        if step is not None:
            made.append(Since(metric=name, value=value, commit=step.commit, is_cut=step.is_cut))
    return made
