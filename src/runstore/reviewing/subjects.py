"""What is walked through: the comparison of two runs in; every record that differs, with what may become of it, out.

The order is that of the kinds, then of the runs of a suite, then the worst first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from runstore import canonical, exact
from runstore.accepting.choice import Key, foreign_metrics
from runstore.accepting.selection import Sieve
from runstore.change import Change, ChangeClass
from runstore.comparison import Comparison
from runstore.findings import Rule
from runstore.manifest import MetricDeclaration
from runstore.policy.model import Policy, Waiver
from runstore.record import JsonObject
from runstore.reviewing.waivers import Fall
from runstore.reviewing.walk import Kind, Subject
from runstore.scored import scores_of, tags_of

_EXCUSES = (Rule.WAIVED, Rule.QUARANTINED)
_NEWLY = {"error": Kind.ERRORED, "skipped": Kind.SKIPPED}
_KINDS = {
    ChangeClass.REGRESSED: Kind.REGRESSED,
    ChangeClass.REMOVED: Kind.REMOVED,
    ChangeClass.ADDED: Kind.ADDED,
    ChangeClass.IMPROVED: Kind.IMPROVED,
    ChangeClass.CHANGED: Kind.CHANGED,
}
_ORDER = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A record that differs, and what the walk has to know of it."""

    run: str
    """Relative path of the run in its suite; empty if it is in none."""
    change: Change
    subject: Subject
    notes: tuple[str, ...] = ()
    """What excuses it already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A run beside its baseline: the comparison, which holds every change, and the rules that it was made by."""

    path: str
    comparison: Comparison
    rules: Policy


def items_of(runs: Sequence[Judged], sieve: Sieve) -> list[Item]:
    """Every record that differs and is selected, in the order of walking."""
    worse = Counter(change.key for one in runs for change in _regressed(one))
    shared = frozenset(key for key, count in worse.items() if count > 1)
    found = [
        (_ORDER[item.subject.kind], place, -item.change.severity, item.change.key, item)
        for place, one in enumerate(runs)
        for item in _of_run(one, sieve, shared)
    ]
    return [item for *_, item in sorted(found, key=lambda row: row[:4])]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Terms:
    """What decides, in one run, on what may become of a record."""

    declared: Mapping[str, MetricDeclaration]
    counting: frozenset[str]
    """The metrics in which a record that got worse counts as regressed."""
    foreign: Mapping[str, str]
    """Metrics whose scores the baseline cannot hold → why."""
    waived: Mapping[tuple[str, str | None, int], Waiver]
    """Metric, record and repeat of each waiver of the policy."""
    excused: Mapping[Key, list[str]]
    shared: frozenset[Key]
    """Records that got worse in several runs: a waiver names no run, and would hold in all of them."""


def _regressed(one: Judged) -> Iterator[Change]:
    return (change for _, change in one.comparison.changes if change.kind is ChangeClass.REGRESSED)


def _of_run(one: Judged, sieve: Sieve, shared: frozenset[Key]) -> Iterator[Item]:
    terms = _terms(one, shared)
    for _, change in one.comparison.changes:
        records = [None if line is None else _record(line) for line in (change.baseline, change.current)]
        tags = tuple(tags_of(record) for record in records if record is not None)
        if sieve.takes(change.key[0].decode(), tags, change.kind):
            subject = _subject(change, records, terms)
            yield Item(run=one.path, change=change, subject=subject, notes=tuple(terms.excused.get(change.key, ())))


def _terms(one: Judged, shared: frozenset[Key]) -> _Terms:
    pair, rules = one.comparison.runs[0], one.rules
    assert pair.baseline is not None
    assert pair.current is not None
    declared = {
        measure.metric: measure.declared
        for _, measure in one.comparison.measures
        if not measure.is_series and measure.group is None
    }
    strict = rules.records.max_regressed is None
    return _Terms(
        declared=declared,
        counting=rules.without_drop_limit(declared) if strict else frozenset(declared),
        foreign=foreign_metrics(pair.baseline, pair.current),
        waived={(waiver.metric, waiver.record, waiver.repeat): waiver for waiver in rules.waivers},
        excused=_excused(one.comparison),
        shared=shared,
    )


def _record(line: bytes) -> JsonObject:
    return canonical.loads(line)  # type: ignore[return-value]  # checked when it was compared: an object


def _excused(found: Comparison) -> dict[Key, list[str]]:
    """Key → what the policy says for it already."""
    told: dict[Key, list[str]] = {}
    for finding in found.findings:
        if finding.rule in _EXCUSES and finding.record is not None:
            told.setdefault((finding.record.encode(), finding.repeat or 1), []).append(finding.message)
    return told


def _subject(change: Change, records: Sequence[JsonObject | None], terms: _Terms) -> Subject:
    before, after = records
    strange = next((name for name in scores_of(after) if name in terms.foreign), None) if after is not None else None
    falls, why_not = _falls(change, before, after, terms)
    return Subject(
        kind=_NEWLY[change.newly] if change.newly else _KINDS[change.kind],
        cannot_accept=""
        if strange is None
        else f"its score of {strange!r} means nothing in the baseline: {terms.foreign[strange]}."
        " It comes in only with the whole run: gate accept",
        falls=falls,
        cannot_waive=why_not,
    )


def _falls(
    change: Change, before: JsonObject | None, after: JsonObject | None, terms: _Terms
) -> tuple[tuple[Fall, ...], str]:
    """The metrics that waivers have to name, or why no waiver helps: as `judgement.excuses` reads them."""
    if change.kind is not ChangeClass.REGRESSED or before is None or after is None:
        return (), "it did not get worse in a score"
    if change.newly or not before.get("status", "ok") == "ok" == after.get("status", "ok"):
        return (), "no waiver excuses a record that errored or was skipped; [quarantine] does"
    old, new = scores_of(before), scores_of(after)
    if old.keys() - new.keys():
        return (), "no waiver excuses a score that is missing"
    falls = tuple(
        Fall(metric=name, amount=amount, width=_width(terms.declared[name]))
        for name in sorted(old.keys() & terms.counting, key=str.encode)
        if (amount := _worse_by(old[name], new[name], terms.declared[name])) > 0
    )
    if not falls:
        return (), "it got worse only in metrics whose mean is limited, and that is not counted by records"
    if change.key in terms.shared:
        return (), "it got worse in several runs, and a waiver holds in all of them; write that one by hand"
    name, repeat = change.key
    keys = [(fall.metric, name.decode(), repeat) for fall in falls]
    there = next((terms.waived[key] for key in keys if key in terms.waived), None)
    return (falls, "") if there is None else ((), _is_there(there))


def _is_there(waiver: Waiver) -> str:
    return (
        f"the policy has a waiver for it already, {waiver.origin}: up to {exact.text(waiver.ceiling)} until"
        f" {waiver.expires}. Change that one"
    )


def _worse_by(old: int | float, new: int | float, declared: MetricDeclaration) -> Decimal:
    fall = exact.difference(old, new)
    return fall if declared.direction == "higher" else fall.copy_negate()


def _width(declared: MetricDeclaration) -> Decimal | None:
    return None if declared.range is None else exact.difference(declared.range[1], declared.range[0])
