"""The conversation: a walk, a screen and a keyboard in; the walk at its end out. Nothing is written to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runstore.cli.review.keyboard import Keyboard
from runstore.cli.review.opening import Opener
from runstore.cli.review.screen import Screen
from runstore.comparison import Comparison
from runstore.errors import InvalidRunError
from runstore.reviewing import closing, page, walk
from runstore.reviewing.side_by_side import whole
from runstore.reviewing.subjects import Item
from runstore.reviewing.walk import Mode, Walk
from runstore.source import Tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """What is talked about, and by what means."""

    items: Sequence[Item]
    comparisons: Mapping[str, Comparison]
    """Relative path of a run → its comparison."""
    trees: Mapping[str, tuple[Tree, Tree]]
    """Relative path of a run → where its baseline and the run itself stand."""
    screen: Screen
    keyboard: Keyboard
    opener: Opener

    def hold(self, state: Walk) -> Walk:
        """Ask until nothing more is asked. Raises EOFError, KeyboardInterrupt."""
        self._show(state)
        while not state.is_over:
            before = state
            state = self._answered(state)
            self._tell(before, state)
        return state

    def _answered(self, state: Walk) -> Walk:
        """The walk after one answer."""
        if state.takes_line:
            self.keyboard.take_lines()
            self.screen.ask(walk.question(state))
            line, is_unseen = self.keyboard.line()
            if is_unseen:
                self.screen.say(line)
            return walk.enter(state, line)
        self.keyboard.take_keys()
        self.screen.ask(walk.question(state))
        key = self.keyboard.key()
        while key is None:
            self.screen.show([""])
            self._show(state)
            self.screen.ask(walk.question(state))
            key = self.keyboard.key()
        return walk.press(state, key)

    def _tell(self, before: Walk, state: Walk) -> None:
        """What came of an answer, and what is asked about next if it is something else."""
        if state.told:
            self.screen.say(state.told)
        elif not before.takes_line:
            self.screen.show([""])
        if state.helps:
            for key, meaning in walk.keys(state).items():
                self.screen.say(f"{key}  {meaning}")
        if state.opens:
            self._open(state)
        if (state.at, state.mode) != (before.at, before.mode) and state.mode in (Mode.STEP, Mode.END):
            self._show(state)
        if state.mode is Mode.END and before.mode is not Mode.END:
            self.keyboard.forget()

    def _open(self, state: Walk) -> None:
        """Both sides of a record in full, or why they cannot be shown."""
        item = self.items[state.at]
        baseline, current = self.trees[item.run]
        try:
            before, after = whole(item.change.baseline, baseline), whole(item.change.current, current)
        except InvalidRunError as error:
            self.screen.say(str(error))
            return
        problem = self.opener.open(before, after, state.at, screen=self.screen, keyboard=self.keyboard)
        if problem:
            self.screen.say(problem)

    def _show(self, state: Walk) -> None:
        """What is asked about: a record, or all that was chosen."""
        if state.mode is Mode.END:
            self.screen.show(["", *closing.summary(state, self.items, self.screen.width)])
        elif state.at < len(self.items) and not state.is_over:
            item = self.items[state.at]
            found = page.lines(
                item,
                self.comparisons[item.run],
                at=state.at,
                of=len(self.items),
                width=self.screen.width,
                color=self.screen.color,
            )
            self.screen.show(["", *found])
