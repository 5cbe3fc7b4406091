"""The lab: a specimen and its policy, with what every damage asks of the two; and what a damage gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property

from runstore import canonical, exact, large_text
from runstore.canonical import JsonValue
from runstore.comparison import Comparison
from runstore.findings import Rule
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.paired import Group
from runstore.policy import Limits, Policy
from runstore.record import JsonObject
from runstore.selftest.specimen import Specimen


class Expectation(Enum):
    """What the gate has to say of a damaged copy."""

    GREEN = "green"
    """Exit 0."""
    RED = "red"
    """Not exit 0; if the case names a rule, that rule must be among the reasons."""
    HOLDS = "holds"
    """The rule that the case names must not be among the reasons, whatever else is."""
    OPEN = "open"
    """The policy may let it through; then it is listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One damaged copy: its files, and what the gate has to say of it."""

    name: str
    what: str
    expected: Expectation
    files: Mapping[str, bytes]
    volatile: Mapping[str, bytes] | None = None
    """Files of `volatile/`; None: those of the baseline."""
    rule: Rule | None = None
    metric: str | None = None
    slice: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A damage that could not be made of this baseline, or a limit that no run can go beyond (`toothless`)."""

    name: str
    why: str
    toothless: bool = False


Found = Iterator[Case | Skipped]
Damage = Callable[["Lab"], Found]


class Lab:
    """What damages are made with. `identical` is the comparison of the specimen with an equal copy of it."""

    def __init__(
        self,
        specimen: Specimen,
        policy: Policy,
        identical: Comparison,
        volatile: Mapping[str, int | float] = {},
    ) -> None:
        self.specimen = specimen
        self.volatile = volatile
        self.policy = policy
        self.measures: dict[tuple[str, Group], Measure] = {
            (measure.metric, measure.group): measure for _, measure in identical.measures if not measure.is_series
        }
        self.figures = {measure.metric: measure for _, measure in identical.measures if measure.is_series}

    @property
    def metrics(self) -> list[str]:
        """The metrics that records carry."""
        return [name for name, group in self.measures if group is None]

    @property
    def strict_metrics(self) -> list[str]:
        """Those in which, by the policy, no record may get worse."""
        if self.policy.records.max_regressed is not None:
            return []
        strict = self.policy.without_drop_limit(self.metrics)
        return [name for name in self.metrics if name in strict]

    @cached_property
    def excused(self) -> frozenset[str]:
        """Ids of records that are quarantined or waived: the limits on records do not count them."""
        listed = self.policy.quarantine.records if self.policy.quarantine else ()
        waived = {waiver.record for waiver in self.policy.waivers if waiver.record is not None}
        return frozenset({one.record for one in listed} | waived)

    @cached_property
    def candidates(self) -> list[int]:
        """The records that damages are done to, in an order in which neighbours have nothing in common."""
        rows = self.specimen.rows
        return [index for index in self.specimen.spread if rows[index].id not in self.excused]

    @cached_property
    def sound(self) -> list[int]:
        """The candidates that are `ok`."""
        return [index for index in self.candidates if self.specimen.rows[index].status == "ok"]

    def declared(self, metric: str) -> MetricDeclaration:
        """The declaration of a metric, with the direction that the policy sets."""
        measure = self.measures.get((metric, None)) or self.figures[metric]
        return measure.declared

    def is_plain(self, metric: str, limits: Limits) -> bool:
        """Whether a limit is exceeded exactly when the mean says so: no waiver, no test, no other aggregate."""
        rule = self.policy.rule_for(metric)
        waived = any(waiver.metric == metric for waiver in self.policy.waivers)
        aggregate = rule.aggregate if rule else None
        return not waived and limits.significance == "ignored" and aggregate in (None, "mean")

    def worst(self, metric: str) -> int | float:
        """The worst score: of the declared range, or else of the baseline."""
        declared = self.declared(metric)
        if declared.worst is not None:
            return declared.worst
        found = [row.scores[metric] for row in self.specimen.rows if metric in row.scores]
        return min(found) if declared.direction == "higher" else max(found)

    def best(self, metric: str) -> int | float:
        """The best score: of the declared range, or else of the baseline."""
        declared = self.declared(metric)
        if declared.range is not None:
            return declared.range[1] if declared.direction == "higher" else declared.range[0]
        found = [row.scores[metric] for row in self.specimen.rows if metric in row.scores]
        return max(found) if declared.direction == "higher" else min(found)

    def can_get_worse(self, metric: str, among: Iterable[int] | None = None) -> list[int]:
        """The sound records whose score is not the worst yet."""
        worst, rows = self.worst(metric), self.specimen.rows
        found = self.sound if among is None else among
        return [index for index in found if rows[index].scores.get(metric, worst) != worst]

    def rescored(self, metric: str, scores: Mapping[int, int | float]) -> dict[int, JsonObject]:
        """The records with new scores in a metric."""
        found = {}
        for index, score in scores.items():
            fields = self.specimen.record(index)
            old = fields["scores"]
            assert isinstance(old, dict)  # it has this score
            fields["scores"] = {**old, metric: whole(score)}
            found[index] = fields
        return found

    def with_field(self, indices: Iterable[int], **fields: JsonValue) -> dict[int, JsonObject]:
        """The records with other fields; of large texts that stood there nothing is left."""
        found = {}
        for index in indices:
            record = self.specimen.record(index)
            gone = [pointer for pointer in large_text.references(record) if pointer.split("/")[1] in fields]
            found[index] = {**large_text.replaced(record, dict.fromkeys(gone, "")), **fields}
        return found

    def with_tag(self, indices: Iterable[int], tag: str, value: str) -> dict[int, JsonObject]:
        """The records with another value of a tag."""
        rows = self.specimen.rows
        return {index: {**self.specimen.record(index), "tags": {**rows[index].tags, tag: value}} for index in indices}

    def lost(self, metric: str, scores: Mapping[int, int | float]) -> Decimal:
        """How much worse the sum of a metric gets by new scores."""
        rows = self.specimen.rows
        new = exact.total(scores.values())
        drop = exact.subtract(exact.total(rows[index].scores[metric] for index in scores), new)
        return drop if self.declared(metric).direction == "higher" else drop.copy_negate()


def whole(score: int | float) -> int | float:
    """The score as an integer if it is one: the form in which it is read back."""
    return int(score) if isinstance(score, float) and score.is_integer() and abs(score) < 2**53 else score


def number(value: Decimal) -> str:
    """An exact number for people: at most twelve digits, and `≈` if there were more."""
    text = exact.text(value)
    if len(text) <= 14:
        return text
    return f"≈{canonical.number_text(float(f'{value:.6g}'))}"
