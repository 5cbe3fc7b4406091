"""Facts: what was observed about two runs, before anyone asks what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from runstore.changes import Changes
from runstore.manifest import Manifest
from runstore.measures import Measure
from runstore.paired import Group
from runstore.summary import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How many records each side has and what became of them.

    The classes `regressed`, `improved`, `changed` and `unchanged` add up to `common`.
    """

    baseline: int = 0
    current: int = 0
    common: int = 0
    added: int = 0
    removed: int = 0
    regressed: int = 0
    improved: int = 0
    changed: int = 0
    unchanged: int = 0
    newly_errored: int = 0
    newly_skipped: int = 0
    lost_scores: int = 0
    """Scores of the baseline that a record with status `ok` no longer has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """The current run beside the pinned reference: what can be asked of them."""

    manifest: Manifest
    """Of the reference."""
    measures: Sequence[Measure]
    """Their `baseline` is the reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingStep:
    """A series that has points, but none at the step that a rule names."""

    metric: str
    step: int
    in_baseline: bool


Volatile = Mapping[str, int | float]
"""The measures of `volatile/measures.json`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Whole:
    """What was found by reading every pair.

    `aggregates`: metric → measure of what its rule asks for; `faults`: metric → why there is none; `units`: (metric,
    group) → of each record the number of its trials in the group and the sum of their differences.
    """

    aggregates: Mapping[str, Measure] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[tuple[str, Group], Sequence[tuple[int, Decimal]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything the rules may ask about."""

    baseline: Manifest
    current: Manifest
    counts: Counts
    measures: Sequence[Measure]
    changes: Changes
    baseline_totals: Tally
    """Of the baseline, over all its records."""
    totals: Tally
    """Of the current run, over all its records."""
    lost_series: Sequence[str]
    """Run-level metrics that only the baseline has."""
    only_current: Sequence[Measure]
    """Measures of metrics that only the current run has, over all its records: both sides of each are that run."""
    identical: bool
    missing_steps: Sequence[MissingStep] = ()
    absent: frozenset[str] = frozenset()
    """Of the records that waivers and the quarantine name: the ids that neither run has."""
    volatile: tuple[Volatile, Volatile] = field(default_factory=lambda: ({}, {}))
    """Of the baseline and of the current run; read only if a rule asks."""
    whole: Whole = field(default_factory=Whole)
    """What had to be read of every pair; empty if no rule asks for it."""
    pinned: Pinned | None = None
    """None if the policy names no reference, or the reference has no such run."""
