"""Writing what was chosen: first the baselines, each whole or not at all, then the policy.

In that order a process that is killed in between leaves a gate that is stricter than what was chosen, never a laxer
one: what was accepted is there, what was to be waived is still held against the run, and the next review asks for it
and nothing else. What could refuse is looked at before anything is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runstore.accepting import acceptance
from runstore.accepting.acceptance import Acceptance, Side
from runstore.change import ChangeClass
from runstore.comparison import Comparison
from runstore.errors import UsageError
from runstore.policy.model import Waiver
from runstore.reviewing import chosen, policy_text
from runstore.reviewing.subjects import Item
from runstore.reviewing.walk import Walk
from runstore.store.placing import replaced_file
from runstore.store.replacement import Replacement, manifest_digest

_IN_PYPROJECT = ("tool", "gate")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A run beside its baseline, as they were when the walk began."""

    path: str
    """Relative path in the suite; empty if it is in none."""
    label: str
    """How people know the baseline."""
    baseline: Side
    current: Side
    judged: Comparison

    @property
    def counts(self) -> dict[ChangeClass, int]:
        """How many records of each class differ."""
        return {kind: getattr(self.judged.counts, kind.value) for kind in ChangeClass}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFile:
    """The policy file as it was when the walk began; `content` is None if there was none."""

    path: Path
    content: bytes | None

    @property
    def root(self) -> tuple[str, ...]:
        """The table that the policy stands in."""
        return _IN_PYPROJECT if self.path.name == "pyproject.toml" else ()

    def extended(self, waivers: Sequence[Waiver]) -> bytes:
        """The file with the waivers at its end. Raises UsageError if it cannot be written so."""
        if self.path.is_symlink():
            raise UsageError(f"{self.path} is a symbolic link", hint="put the waivers into the real file")
        return policy_text.extended((self.content or b"").decode(), self.path.name, waivers, self.root).encode()

    def check_unchanged(self) -> None:
        """Raises UsageError if the file is not what it was."""
        now = self.path.read_bytes() if self.path.is_file() else None
        if now != self.content or (now is None and (self.path.exists() or self.path.is_symlink())):
            raise UsageError(f"{self.path} was changed meanwhile", hint="review again by the policy that now stands")

    def write(self, content: bytes) -> None:
        """Put new content in its place, whole or not at all."""
        self.check_unchanged()
        mode = None if self.content is None else self.path.stat().st_mode
        with replaced_file(self.path) as file:
            file.write(content)
        if mode is not None:
            self.path.chmod(mode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that is to be written."""

    accepted: Sequence[tuple[Pair, Acceptance, Sequence[Item]]]
    waivers: Sequence[Waiver]
    touched: Sequence[str]
    """The relative paths of the runs of which a record was accepted or waived."""
    reason: str


def plan(state: Walk, items: Sequence[Item], pairs: Mapping[str, Pair]) -> Plan:
    """What the walk has chosen, run by run."""
    taken: dict[str, list[Item]] = defaultdict(list)
    for place in state.accepted:
        taken[items[place].run].append(items[place])
    return Plan(
        accepted=[
            (
                pairs[path],
                chosen.acceptance(pairs[path].baseline, pairs[path].current, pairs[path].counts, some, state.reason),
                some,
            )
            for path, some in taken.items()
        ],
        waivers=[waiver for place, leave in state.waived for waiver in chosen.waivers(items[place], leave)],
        touched=[path for path in pairs if path in {*taken, *(items[place].run for place, _ in state.waived)}],
        reason=state.reason,
    )


def _check_unchanged(pair: Pair) -> None:
    for side in (pair.baseline, pair.current):
        if manifest_digest(side.folder) != side.run.digest:
            raise UsageError(f"{side.run.label} was changed meanwhile", hint="review again; nothing was written")


def write(wanted: Plan, file: PolicyFile) -> str:
    """Write everything. Returns why the policy cannot take the waivers; empty if it has them, or there are none.

    Raises UsageError if something was changed since the walk began, InvalidRunError, OSError.
    """
    content, problem = None, ""
    for pair, _, _ in wanted.accepted:
        _check_unchanged(pair)
    if wanted.waivers:
        file.check_unchanged()
        try:
            content = file.extended(wanted.waivers)
        except UsageError as error:
            problem = str(error)
    for pair, accepted, taken in wanted.accepted:
        _write_baseline(pair, accepted, taken)
    if content is not None:
        file.write(content)
    return problem


def _write_baseline(pair: Pair, accepted: Acceptance, taken: Sequence[Item]) -> None:
    """Build a new baseline and put it in place."""
    with Replacement(pair.baseline.folder, pair.label) as place:
        made = acceptance.build(accepted, place.path, pair.label)
        chosen.check_shown(made, taken)
        place.commit(pair.baseline.run.digest)
