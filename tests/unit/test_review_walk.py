"""The walk of a review: what each key does, and that nothing is chosen but what a key has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reviewing import walk
from runstore.reviewing.waivers import Fall, Leave
from runstore.reviewing.walk import ACCEPTED, SKIPPED, Decision, Kind, Mode, Subject, Walk

TODAY = date(2026, 1, 31)
FALL = Fall(metric="acc", amount=Decimal("0.5"), width=Decimal(1))
WORSE = Subject(kind=Kind.REGRESSED, falls=(FALL,))
FOREIGN = Subject(kind=Kind.REGRESSED, cannot_accept="new metric", cannot_waive="no range")
BETTER = Subject(kind=Kind.IMPROVED, cannot_waive="it did not get worse")
LEAVE = Leave(ceilings=(("acc", Decimal("0.5")),), reason="why", owner="ann", issue=None, expires=date(2026, 3, 1))
WAIVER = ("", "why", "ann", "-", "2026-03-01")


def walked(subjects: Sequence[Subject], *answers: str, reason: str = "") -> Walk:
    """The walk after some answers: keys, and lines where a line is asked for."""
    state = walk.start(subjects, TODAY, reason)
    for answer in answers:
        state = walk.enter(state, answer) if state.takes_line else walk.press(state, answer)
    return state


A, S, N = ACCEPTED, SKIPPED, None
THREE = [WORSE, WORSE, BETTER]


@pytest.mark.parametrize(
    ("answers", "decisions", "at", "mode"),
    [
        ((), (N, N, N), 0, Mode.STEP),
        (("y",), (A, N, N), 1, Mode.STEP),
        (("a",), (A, N, N), 1, Mode.STEP),
        (("n",), (S, N, N), 1, Mode.STEP),
        (("s",), (S, N, N), 1, Mode.STEP),
        (("\n",), (N, N, N), 0, Mode.STEP),
        (("\r",), (N, N, N), 0, Mode.STEP),
        ((" ",), (N, N, N), 0, Mode.STEP),
        (("Y",), (N, N, N), 0, Mode.STEP),
        (("\x1b",), (N, N, N), 0, Mode.STEP),
        (("",), (N, N, N), 0, Mode.STEP),
        (("o",), (N, N, N), 0, Mode.STEP),
        (("?",), (N, N, N), 0, Mode.STEP),
        (("u",), (N, N, N), 0, Mode.STEP),
        (("y", "u"), (N, N, N), 0, Mode.STEP),
        (("y", "b", "n"), (S, N, N), 1, Mode.STEP),
        (("A",), (A, A, N), 2, Mode.STEP),
        (("n", "A"), (S, A, N), 2, Mode.STEP),
        (("A", "u"), (N, N, N), 0, Mode.STEP),
        (("y", "A", "u"), (A, N, N), 1, Mode.STEP),
        (("A", "A"), (A, A, A), 3, Mode.END),
        (("d",), (S, S, S), 3, Mode.DONE),
        (("y", "d"), (A, S, S), 3, Mode.END),
        (("y", "d", "u"), (A, N, N), 1, Mode.STEP),
        (("y", "d", "\n"), (A, S, S), 3, Mode.END),
        (("y", "d", "y"), (A, S, S), 3, Mode.REASON),
        (("y", "d", "y", ""), (A, S, S), 3, Mode.REASON),
        (("y", "d", "y", "two\nlines"), (A, S, S), 3, Mode.REASON),
        (("y", "d", "y", "why"), (A, S, S), 3, Mode.DONE),
        (("q",), (N, N, N), 0, Mode.LEFT),
        (("n", "q"), (S, N, N), 1, Mode.LEFT),
        (("y", "q"), (A, N, N), 1, Mode.QUIT),
        (("y", "q", "\n"), (A, N, N), 1, Mode.QUIT),
        (("y", "q", "n"), (A, N, N), 1, Mode.STEP),
        (("y", "q", "y"), (A, N, N), 1, Mode.LEFT),
        (("y", "d", "q", "n"), (A, S, S), 3, Mode.END),
        (("w",), (N, N, N), 0, Mode.WAIVER),
        (("w", "."), (N, N, N), 0, Mode.STEP),
        (("w", "", "."), (N, N, N), 0, Mode.STEP),
        (("w", *WAIVER), (LEAVE, N, N), 1, Mode.STEP),
        (("w", *WAIVER, "u"), (N, N, N), 0, Mode.STEP),
        (("w", *WAIVER[:-1], "2026-01-31", "2026-03-01"), (LEAVE, N, N), 1, Mode.STEP),
        (("w", *WAIVER, "d", "y"), (LEAVE, S, S), 3, Mode.DONE),
        (("w", *WAIVER, "w", "", "why", "", "-", ""), (LEAVE, LEAVE, N), 2, Mode.STEP),
        (("A", "w"), (A, A, N), 2, Mode.STEP),
    ],
)
def test_each_key_does_this(
    answers: tuple[str, ...], decisions: tuple[Decision | None, ...], at: int, mode: Mode
) -> None:
    state = walked(THREE, *answers)
    assert (state.decisions, state.at, state.mode) == (decisions, at, mode)


def test_what_cannot_be_accepted_by_itself_is_skipped_by_accepting_the_rest_and_says_why() -> None:
    subjects = [WORSE, FOREIGN, WORSE]
    assert walked(subjects, "A").decisions == (A, S, A)
    assert walked(subjects, "A").told == "accepted: 2 regressed; 1 that cannot be are skipped"
    refused = walked(subjects, "y", "y")
    assert (refused.decisions, refused.told) == ((A, N, N), "cannot be accepted by itself: new metric")
    assert walked([FOREIGN, FOREIGN], "A").decisions == (N, N)
    assert walked(subjects, "y", "w").told == "nothing to waive: no range"


def test_a_reason_that_was_said_before_is_not_asked() -> None:
    state = walked(THREE, "A", "n", "y", reason="agreed")
    assert (state.mode, state.reason, state.accepted) == (Mode.DONE, "agreed", [0, 1])


def test_a_walk_through_nothing_is_over() -> None:
    assert walked([]).mode is Mode.DONE
    assert not walked([]).has_chosen


def test_each_key_that_is_named_in_the_question_is_explained() -> None:
    for state in (walked(THREE), walked(THREE, "A", "A")):
        named = walk.question(state).split("[")[1].split("]")[0].split(",")
        assert named == list(walk.keys(state))
        assert all(walk.press(state, key) != replace(state, told=walk.press(state, "x").told) for key in named)


@pytest.mark.parametrize(
    ("answers", "question"),
    [
        ((), "accept this? [y,n,w,o,u,A,d,q,?] "),
        (("y", "q"), "throw away 1 choice? [y,n] "),
        (("A", "q"), "throw away 2 choices? [y,n] "),
        (("A", "A"), "write this? [y,u,q,?] "),
        (("A", "A", "y"), "reason, in one line, for the reviewer: "),
        (("w",), "acc: how much worse may it be? [0.5] "),
        (("w", ""), "why may it be worse? (a single dot: no waiver) "),
    ],
)
def test_this_is_asked(answers: tuple[str, ...], question: str) -> None:
    assert walk.question(walked(THREE, *answers)) == question


class Shown:
    """What the person has been shown as chosen: kept in the plainest way, from what was told of each answer."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.subjects = subjects
        self.chosen: dict[int, str] = {}
        self.past: list[dict[int, str]] = []

    def follow(self, before: Walk, after: Walk) -> None:
        told, at = after.told, before.at
        if told.startswith("undone"):
            self.chosen = self.past.pop()
        elif told in ("accepted", "waived", "skipped"):
            self._choose({at: told})
        elif told.startswith("accepted: "):
            count = int(told.split()[1].replace(",", ""))
            alike = [place for place in range(at, len(self.subjects)) if not self.subjects[place].cannot_accept]
            self._choose(dict.fromkeys(alike[:count], "accepted"))
        elif told.startswith("skipped: "):
            self._choose({})

    def _choose(self, chosen: dict[int, str]) -> None:
        self.past.append(dict(self.chosen))
        self.chosen.update(chosen)

    def all(self, word: str) -> list[int]:
        return sorted(place for place, one in self.chosen.items() if one == word)


kinds = st.lists(st.sampled_from(list(Kind)), max_size=8).map(lambda found: sorted(found, key=list(Kind).index))
answers = st.lists(
    st.sampled_from([*"ynasbuwoAdq?\nx\x1b", "", "why", "0.7", "2026-02-01", "2020-01-01", ".", "ann"]), max_size=60
)


@st.composite
def walks(draw: st.DrawFn) -> list[Subject]:
    return [
        Subject(
            kind=kind,
            cannot_accept=draw(st.sampled_from(["", "", "", "new metric"])),
            falls=(FALL,) if kind is Kind.REGRESSED else (),
            cannot_waive="" if kind is Kind.REGRESSED else "no",
        )
        for kind in draw(kinds)
    ]


@given(walks(), answers)
def test_after_any_answers_that_is_chosen_which_was_shown_as_chosen(
    subjects: list[Subject], answered: list[str]
) -> None:
    state, shown = walk.start(subjects, TODAY), Shown(subjects)
    for answer in answered:
        if state.is_over:
            break
        before = state
        state = walk.enter(state, answer) if state.takes_line else walk.press(state, answer)
        shown.follow(before, state)
        assert state.accepted == shown.all("accepted")
        assert [place for place, _ in state.waived] == shown.all("waived")
        assert not any(subjects[place].cannot_accept for place in state.accepted)
        assert all(one is None for one in state.decisions[state.at :])
        assert None not in state.decisions[: state.at]
        if state.mode is Mode.DONE and state.has_chosen:
            assert before.mode in (Mode.END, Mode.REASON)
            assert answer not in ("", "\n")
            assert bool(state.reason) or not state.accepted


@given(walks(), answers)
def test_whatever_was_chosen_can_be_undone_back_to_the_start(subjects: list[Subject], answered: list[str]) -> None:
    state = start = walk.start(subjects, TODAY)
    for answer in answered:
        found = walk.enter(state, answer) if state.takes_line else walk.press(state, answer)
        state = state if found.is_over else found
    while state.takes_line or state.mode is Mode.QUIT:
        state = walk.enter(state, ".") if state.mode is Mode.WAIVER else walk.press(state, "n")
        if state.mode is Mode.REASON:
            return
    for _ in answered:
        state = walk.press(state, "u") if state.steps else state
    assert (state.decisions, state.at, state.steps) == (start.decisions, 0, None)
