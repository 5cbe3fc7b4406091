"""A metric over time: states newest first in, rows with the change from each to the one before it out.

A gap interrupts nothing: the change is to the last commit before it of which something is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runstore.git.log import Commit
from runstore.history import states
from runstore.history.states import Gap, Group, State, Value
from runstore.manifest import MetricDeclaration

End = Literal["start", "more", "shallow", "partial"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A value and the difference to the one before; None if there is none before, or its unit is another."""

    value: Value
    delta: float | None
    before: Value | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one commit says. `gap` is set if it says nothing."""

    commit: Commit
    records: int = 0
    changes: Mapping[str, Change] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    gap: Gap | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The rows of a baseline, newest first. `end` says why there is nothing before the last of them."""

    path: str
    ref: str
    tip: str
    group: Group | None
    rows: Sequence[Row]
    end: End

    @property
    def declared(self) -> dict[str, MetricDeclaration]:
        """Metric → its latest declaration, of all metrics that some row has, sorted by name."""
        found: dict[str, MetricDeclaration] = {}
        for row in self.rows:
            for name, change in row.changes.items():
                found.setdefault(name, change.value.declared)
        return {name: found[name] for name in sorted(found, key=str.encode)}

    def values(self, metric: str) -> list[Value | None]:
        """What each row says of a metric, newest first."""
        changes = [row.changes.get(metric) for row in self.rows]
        return [change.value if change else None for change in changes]


def rows(found: Iterable[tuple[Commit, State | Gap]], metric: str | None, most: int | None = None) -> list[Row]:
    """The rows of states, newest first; of one metric, or of all. Only one state is held at a time.

    With `most` there are more rows than that if there are as many, and no more states are read than it takes to tell
    what changed in the first `most` of them.
    """
    made: list[Row] = []
    pending: tuple[int, State] | None = None
    for commit, state in found:
        if isinstance(state, Gap):
            made.append(Row(commit=commit, gap=state))
            continue
        if pending is not None:
            made[pending[0]] = _row(made[pending[0]].commit, pending[1], state, metric)
        if most is not None and len(made) >= most:
            made.append(Row(commit=commit))
            return made
        pending = len(made), state
        made.append(Row(commit=commit))
    if pending is not None:
        made[pending[0]] = _row(made[pending[0]].commit, pending[1], None, metric)
    return made


def _row(commit: Commit, state: State, older: State | None, metric: str | None) -> Row:
    return Row(
        commit=commit,
        records=state.records,
        changes={
            name: _change(value, older.values.get(name) if older else None)
            for name, value in state.values.items()
            if metric is None or name == metric
        },
        reasons=states.reasons(older, state),
    )


def _change(value: Value, before: Value | None) -> Change:
    if before is None or (before.declared.unit, before.kind) != (value.declared.unit, value.kind):
        return Change(value=value, delta=None)
    return Change(value=value, delta=_difference(value, before), before=before)


def _difference(value: Value, before: Value) -> float | None:
    """The nearest double to the exact difference of two means; None if it is beyond every double."""
    top, bottom = value.total.as_integer_ratio()
    old_top, old_bottom = before.total.as_integer_ratio()
    bottom, old_bottom = bottom * value.count, old_bottom * before.count
    try:
        return (top * old_bottom - old_top * bottom) / (bottom * old_bottom)
    except OverflowError:
        return None
