"""Noise: runs of the same code in, the records that do not score the same in all of them out.

Runs are streamed side by side. A record whose line is the same in every run is counted and not kept; of the others only
scores, status and tags are. What a record counts as is what it counts as in a comparison: the worst score of the
declared range when it is not `ok`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from runstore import canonical, exact, record, summary
from runstore.errors import InvalidRunError
from runstore.manifest import MetricDeclaration
from runstore.paired import Group
from runstore.policy import Policy
from runstore.policy.model import declared_as
from runstore.record import JsonObject
from runstore.store.reader import Run
from runstore.summary import Tally

Score = int | float


class Noisy(NamedTuple):
    """A record whose lines differ: per run its status, and what it counts as (metrics it has no value in: absent)."""

    key: tuple[bytes, int]
    tags: Mapping[str, str]
    statuses: tuple[str, ...]
    values: tuple[Mapping[str, Score], ...]
    scored: tuple[frozenset[str], ...]
    """Per run the metrics of which the record, being `ok`, has a score."""

    def varies(self, metric: str) -> bool:
        """Whether the record counts differently in a metric."""
        first = self.values[0].get(metric)
        return any(values.get(metric) != first for values in self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What several runs of the same records say. `digests` are in the order of the runs."""

    declared: Mapping[str, MetricDeclaration]
    totals: Sequence[Tally]
    records: int
    noisy: Sequence[Noisy]
    digests: Sequence[str]

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.digests)

    def groups(self) -> Iterator[Group]:
        """All records, then every slice."""
        yield None
        for tag, values in sorted(self.totals[0].slices.items()):
            for value in sorted(values, key=str.encode):
                yield tag, value

    def counted(self, metric: str, group: Group, run: int) -> tuple[int, Decimal]:
        """Number and exact sum of what the records of a group count as in one run."""
        tally: Tally | None = self.totals[run]
        if group is not None:
            tally = self.totals[run].slices[group[0]].get(group[1])
        if tally is None:
            return 0, Decimal(0)
        sums, worst = tally.metric(metric), self.declared[metric].worst
        if worst is None:
            return sums.count, sums.sum
        failed = tally.records - tally.status["ok"]
        share = exact.multiply(exact.exact(worst), Decimal(failed))
        return sums.count + failed, exact.add(sums.sum, share)

    def members(self, group: Group) -> list[int]:
        """The indices of the noisy records of a group."""
        if group is None:
            return list(range(len(self.noisy)))
        return [index for index, one in enumerate(self.noisy) if one.tags.get(group[0]) == group[1]]


def listen(runs: Sequence[Run], policy: Policy) -> Noise:
    """The noise of verified runs that hold the same records. Raises InvalidDataError if they do not."""
    totals = [summary.from_json(run.document("summary.json"))[0] for run in runs]
    carried = {name for tally in totals for name in tally.metrics}
    declared = {
        name: declared_as(policy.rule_for(name), one)
        for name, one in runs[0].manifest.metrics.items()
        if name in carried
    }
    worst = {name: one.worst for name, one in declared.items() if one.worst is not None}
    noisy = [found for lines in _differing(runs) if (found := _noisy(lines, worst)) is not None]
    return Noise(
        declared=declared,
        totals=totals,
        records=runs[0].record_count,
        noisy=noisy,
        digests=[run.digest for run in runs],
    )


def _differing(runs: Sequence[Run]) -> Iterator[tuple[bytes, ...]]:
    """The lines of one record in each run, where they differ."""
    for lines in zip(*map(_lines, runs), strict=True):
        if lines.count(lines[0]) != len(lines):
            yield lines


def _lines(run: Run) -> Iterator[bytes]:
    for batch in run.batches():
        yield from batch.lines


def _noisy(lines: Sequence[bytes], worst: Mapping[str, Score]) -> Noisy | None:
    """The record of these lines; None if it scores the same everywhere."""
    fields = [_object(line) for line in lines]
    keys = {record.record_key(one) for one in fields}
    if len(keys) > 1:
        names = ", ".join(sorted(record.key_text(key) for key in keys))
        raise InvalidRunError(f"the runs do not hold the same records: {names}")
    statuses = tuple(str(one.get("status", "ok")) for one in fields)
    scores = [_scores(one) for one in fields]
    values = [found if status == "ok" else worst for found, status in zip(scores, statuses, strict=True)]
    scored = [
        frozenset(found) if status == "ok" else frozenset() for found, status in zip(scores, statuses, strict=True)
    ]
    if len(set(statuses)) == 1 and all(found == values[0] for found in values):
        return None
    tags: Mapping[str, str] = fields[0].get("tags", {})  # type: ignore[assignment]  # verified
    return Noisy(keys.pop(), tags, statuses, tuple(values), tuple(scored))


def _object(line: bytes) -> JsonObject:
    found = canonical.loads(line)
    assert isinstance(found, dict)  # verified
    return found


def _scores(fields: JsonObject) -> Mapping[str, Score]:
    return fields.get("scores", {})  # type: ignore[return-value]  # verified
