"""The walk: a state and a key, or a typed line, in; the next state out. Pure: it knows no terminal, run or clock.

Each subject is accepted, skipped or waived, or not decided yet. Nothing is chosen but by a key that says so: Enter and
keys without a meaning change nothing. A walk ends DONE, when everything that is chosen may be written, or LEFT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, StrEnum
from itertools import takewhile

from runstore.accepting.refusals import checked_reason
from runstore.errors import UsageError
from runstore.reviewing.waivers import Answer, Draft, Fall, Leave, begin, reply


class Kind(StrEnum):
    """What became of a record; in the order of walking."""

    REGRESSED = "regressed"
    REMOVED = "removed"
    ERRORED = "errored"
    SKIPPED = "skipped"
    ADDED = "added"
    IMPROVED = "improved"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What the walk has to know of one record that differs."""

    kind: Kind
    cannot_accept: str = ""
    """Why it cannot be accepted by itself; empty if it can."""
    falls: tuple[Fall, ...] = ()
    """The metrics that a waiver would have to name."""
    cannot_waive: str = ""
    """Why there is nothing to waive; empty if there is."""


class Mode(Enum):
    """What is asked: a key or a line."""

    STEP = "a key about the subject"
    WAIVER = "a line about the waiver"
    QUIT = "a key, whether to throw away what was chosen"
    END = "a key, whether to write what was chosen"
    REASON = "a line, the reason"
    DONE = "nothing: write"
    LEFT = "nothing: write nothing"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The baseline takes the record as the current run has it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing happens to the record."""


ACCEPTED, SKIPPED = Accepted(), Skipped()
Decision = Accepted | Skipped | Leave
"""A leave is a decision to waive."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step back: where the walk stood, and the decisions that were replaced since, by their places."""

    at: int
    replaced: tuple[tuple[int, Decision | None], ...]
    before: Step | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """Where the walk stands. `at` is the number of the subject, from 0; behind the last it is at its end."""

    subjects: Sequence[Subject]
    """Those of one kind stand together."""
    decisions: tuple[Decision | None, ...]
    today: date
    at: int = 0
    mode: Mode = Mode.STEP
    told: str = ""
    """What is to be said of the last key, on one line; texts of data in it are not safe to print."""
    helps: bool = False
    """Whether the last key asked what the keys are."""
    opens: bool = False
    """Whether the last key asked to see both sides."""
    draft: Draft | None = None
    reason: str = ""
    steps: Step | None = None

    @property
    def subject(self) -> Subject:
        """What is asked about."""
        return self.subjects[self.at]

    @property
    def accepted(self) -> list[int]:
        """The places of the subjects that are accepted."""
        return [place for place, one in enumerate(self.decisions) if isinstance(one, Accepted)]

    @property
    def waived(self) -> list[tuple[int, Leave]]:
        """The places of the subjects that are waived, with how."""
        return [(place, one) for place, one in enumerate(self.decisions) if isinstance(one, Leave)]

    @property
    def has_chosen(self) -> bool:
        """Whether there is anything to write."""
        return any(isinstance(one, Accepted | Leave) for one in self.decisions)

    @property
    def takes_line(self) -> bool:
        """Whether a line is asked for, and not a key."""
        return self.mode in (Mode.WAIVER, Mode.REASON)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is asked."""
        return self.mode in (Mode.DONE, Mode.LEFT)


def start(subjects: Sequence[Subject], today: date, reason: str = "") -> Walk:
    """The walk before the first key; `reason` is why the baseline may change, if it was said before."""
    walk = Walk(subjects=subjects, decisions=(None,) * len(subjects), today=today, reason=reason)
    return walk if subjects else replace(walk, mode=Mode.DONE)


STEP_KEYS = {
    "y": "accept this record: the baseline takes it as the current run has it",
    "n": "skip it: the baseline keeps what it has",
    "w": "waive it: the policy lets it be worse, up to a ceiling and until a day",
    "o": "open both sides in full",
    "u": "undo the last choice and go back to it",
    "A": "accept this one and all the rest of its kind",
    "d": "skip this one and all the rest, and go to the end",
    "q": "quit; nothing is written",
    "?": "this help",
}
END_KEYS = {"y": "write this"} | {key: STEP_KEYS[key] for key in "uq?"}
_ALIASES = {"a": "y", "s": "n", "b": "u", "h": "?"}


def press(walk: Walk, key: str) -> Walk:
    """The walk after a key; no key (an empty text) asks again. The walk must ask for a key."""
    fresh = replace(walk, told="", opens=False, helps=False)
    if walk.mode is Mode.QUIT:
        return _quit_answer(fresh, key)
    known = _STEP if walk.mode is Mode.STEP else _END
    action = known.get(_ALIASES.get(key, key))
    return action(fresh) if action else replace(fresh, told=_unknown(key, known))


def _unknown(key: str, known: dict[str, Callable[[Walk], Walk]]) -> str:
    what = "Enter chooses nothing" if key in ("\r", "\n") else "that key has no meaning here"
    return f"{what}: press one of {' '.join(known)}"


def enter(walk: Walk, line: str) -> Walk:
    """The walk after a typed line. The walk must ask for a line."""
    fresh = replace(walk, told="", opens=False, helps=False)
    if walk.mode is Mode.REASON:
        return _given(fresh, line)
    assert walk.draft is not None
    draft: Answer = reply(walk.draft, line, walk.today)
    if isinstance(draft, str):
        return replace(fresh, told=draft)
    if isinstance(draft, Leave):
        return _decided(replace(fresh, mode=Mode.STEP, draft=None), [walk.at], draft, "waived")
    if draft is None:
        return replace(fresh, mode=Mode.STEP, draft=None, told="no waiver: nothing is chosen for this record")
    return replace(fresh, draft=draft)


def _given(walk: Walk, line: str) -> Walk:
    try:
        reason = checked_reason(line)
    except UsageError as error:
        return replace(walk, told=error.message)
    return replace(walk, reason=reason, mode=Mode.DONE)


def _accept(walk: Walk) -> Walk:
    if walk.subject.cannot_accept:
        return replace(walk, told=f"cannot be accepted by itself: {walk.subject.cannot_accept}")
    return _decided(walk, [walk.at], ACCEPTED, "accepted")


def _skip(walk: Walk) -> Walk:
    return _decided(walk, [walk.at], SKIPPED, "skipped")


def _waive(walk: Walk) -> Walk:
    if walk.subject.cannot_waive:
        return replace(walk, told=f"nothing to waive: {walk.subject.cannot_waive}")
    last = next((one for one in reversed(walk.decisions[: walk.at]) if isinstance(one, Leave)), None)
    return replace(walk, mode=Mode.WAIVER, draft=begin(walk.subject.falls, last))


def _open(walk: Walk) -> Walk:
    return replace(walk, opens=True)


def _undo(walk: Walk) -> Walk:
    step = walk.steps
    if step is None:
        return replace(walk, told="there is nothing to undo: this is the first")
    decisions = list(walk.decisions)
    for place, decision in step.replaced:
        decisions[place] = decision
    told = "undone" if len(step.replaced) == 1 else f"undone: {len(step.replaced):,} choices"
    return replace(
        walk, decisions=tuple(decisions), at=step.at, steps=step.before, mode=Mode.STEP, told=told, draft=None
    )


def _accept_rest(walk: Walk) -> Walk:
    kind = walk.subject.kind
    rest = range(walk.at, len(walk.subjects))
    alike = list(takewhile(lambda place: walk.subjects[place].kind is kind, rest))
    able = [place for place in alike if not walk.subjects[place].cannot_accept]
    if not able:
        return replace(walk, told=f"none of them can be accepted by itself: {walk.subject.cannot_accept}")
    left = "" if len(able) == len(alike) else f"; {len(alike) - len(able):,} that cannot be are skipped"
    taken = frozenset(able)
    chosen = [(place, ACCEPTED if place in taken else SKIPPED) for place in alike]
    return _decided_each(walk, chosen, f"accepted: {len(able):,} {kind.value}{left}")


def _skip_rest(walk: Walk) -> Walk:
    rest = range(walk.at, len(walk.subjects))
    return _decided(walk, rest, SKIPPED, f"skipped: {len(rest):,}")


def _decided(walk: Walk, places: Sequence[int], decision: Decision, told: str) -> Walk:
    return _decided_each(walk, [(place, decision) for place in places], told)


def _decided_each(walk: Walk, chosen: Sequence[tuple[int, Decision]], told: str) -> Walk:
    """The walk with some decisions made, at the next subject."""
    decisions = list(walk.decisions)
    replaced = tuple((place, decisions[place]) for place, _ in chosen)
    for place, decision in chosen:
        decisions[place] = decision
    at = chosen[-1][0] + 1
    made = replace(
        walk, decisions=tuple(decisions), at=at, told=told, steps=Step(walk.at, replaced, walk.steps), mode=Mode.STEP
    )
    if at < len(walk.subjects):
        return made
    return replace(made, mode=Mode.END if made.has_chosen else Mode.DONE)


def _quit(walk: Walk) -> Walk:
    return replace(walk, mode=Mode.QUIT if walk.has_chosen else Mode.LEFT)


def _quit_answer(walk: Walk, key: str) -> Walk:
    if key in ("y", "n"):
        back = Mode.STEP if walk.at < len(walk.subjects) else Mode.END
        return replace(walk, mode=Mode.LEFT if key == "y" else back)
    return replace(walk, told="press y or n")


def _finish(walk: Walk) -> Walk:
    return replace(walk, mode=Mode.REASON if walk.accepted and not walk.reason else Mode.DONE)


def _help(walk: Walk) -> Walk:
    return replace(walk, helps=True)


_STEP: dict[str, Callable[[Walk], Walk]] = {
    "y": _accept,
    "n": _skip,
    "w": _waive,
    "o": _open,
    "u": _undo,
    "A": _accept_rest,
    "d": _skip_rest,
    "q": _quit,
    "?": _help,
}
_END: dict[str, Callable[[Walk], Walk]] = {"y": _finish, "u": _undo, "q": _quit, "?": _help}


def keys(walk: Walk) -> dict[str, str]:
    """The keys that have a meaning now, with what it is; other letters stand for some of them."""
    return STEP_KEYS if walk.mode is Mode.STEP else END_KEYS


def question(walk: Walk) -> str:
    """What is asked, without a line feed; texts of data in it are not safe to print."""
    if walk.mode is Mode.STEP:
        return f"accept this? [{','.join(_STEP)}] "
    if walk.mode is Mode.END:
        return f"write this? [{','.join(_END)}] "
    if walk.mode is Mode.QUIT:
        chosen = sum(isinstance(one, Accepted | Leave) for one in walk.decisions)
        return f"throw away {chosen:,} choice{'' if chosen == 1 else 's'}? [y,n] "
    if walk.mode is Mode.REASON:
        return "reason, in one line, for the reviewer: "
    return walk.draft.question if walk.draft else ""
