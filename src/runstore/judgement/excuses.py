"""Excuses: which of the records that changed are not held against the limits on records, and by whose leave.

Records in quarantine are not counted as regressed, errored or skipped; a record with waivers is not counted as
regressed if every metric in which it got worse has one that reaches as far. What is missing is never excused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from runstore import canonical, exact
from runstore.change import Change, ChangeClass
from runstore.checks import Check, Outcome, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, counted
from runstore.judgement.waivers import in_force, terms
from runstore.policy.model import Quarantined, Waiver
from runstore.record import JsonObject, key_text

Key = tuple[bytes, int]
Worse = dict[str, Decimal]
"""Metric → by how much a record got worse in it; metrics in which it did not are not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Excuses:
    """What is excused of what happened."""

    quarantined: Mapping[Key, frozenset[str]]
    """Records with what each would have counted as: `regressed`, `error`, `skipped`."""
    waived: Mapping[Key, tuple[tuple[str, Decimal, Waiver], ...]]
    """(Metric, by how much it got worse, waiver)."""
    exceeded: tuple[str, ...]
    """About each record that is worse than its waivers allow."""

    def count(self, what: str) -> int:
        """How many records are not counted as `regressed`, `error` or `skipped`."""
        flaky = sum(what in counts for counts in self.quarantined.values())
        return flaky + (len(self.waived) if what == "regressed" else 0)

    def covers(self, key: Key, what: str) -> bool:
        """Whether a record is not counted as `regressed`, `error` or `skipped`."""
        return what in self.quarantined.get(key, ()) or (what == "regressed" and key in self.waived)


def excuses(case: Case) -> Excuses:
    """What waivers and quarantine excuse of what happened."""
    if not case.policy.waivers and case.policy.quarantine is None:
        return Excuses(quarantined={}, waived={}, exceeded=())
    changed = case.facts.changes.watched
    flaky = {entry.record.encode() for entry in _quarantine(case)}
    quarantined = {key: _counts_as(case, change) for key, change in changed.items() if key[0] in flaky}
    waived: dict[Key, tuple[tuple[str, Decimal, Waiver], ...]] = {}
    exceeded = []
    for key, change in changed.items():
        if key[0] in flaky or "regressed" not in _counts_as(case, change):
            continue
        leave = _leave(case, key, worse := _worse(case, change))
        if worse and len(leave) == len(worse):
            waived[key] = tuple((metric, worse[metric], waiver) for metric, waiver in leave.items())
        exceeded += [
            f"{key_text(key)} is worse in {waiver.metric} by {exact.text(worse[waiver.metric])}, and its waiver allows"
            f" {exact.text(waiver.ceiling)}"
            for waiver in _of_record(case, key)
            if waiver.metric in worse and waiver.metric not in leave
        ]
    return Excuses(
        quarantined={key: counts for key, counts in quarantined.items() if counts},
        waived=waived,
        exceeded=tuple(exceeded),
    )


def _quarantine(case: Case) -> list[Quarantined]:
    """The entries that have not expired."""
    entries = case.policy.quarantine.records if case.policy.quarantine else ()
    return [entry for entry in entries if entry.expires >= case.today]


def _counts_as(case: Case, change: Change) -> frozenset[str]:
    """What the limits on records would count a change as."""
    strict = case.policy.records.max_regressed is None
    regressed = change.strict if strict else change.kind is ChangeClass.REGRESSED
    return frozenset(({"regressed"} if regressed else set()) | ({change.newly} if change.newly else set()))


def _of_record(case: Case, key: Key) -> list[Waiver]:
    return [
        waiver
        for waiver in in_force(case)
        if waiver.record is not None and (waiver.record.encode(), waiver.repeat) == key
    ]


def _leave(case: Case, key: Key, worse: Worse) -> dict[str, Waiver]:
    """For each metric in which a record got worse a waiver that reaches as far, if there is one."""
    found: dict[str, Waiver] = {}
    for waiver in _of_record(case, key):
        if waiver.metric in worse and worse[waiver.metric] <= waiver.ceiling:
            found.setdefault(waiver.metric, waiver)
    return found


def _worse(case: Case, change: Change) -> Worse:
    """By how much a record got worse in each metric that counts; empty if something else is wrong with it, too.

    A score that is gone, or a record that is not `ok`, has no measure: no ceiling reaches as far.
    """
    if change.baseline is None or change.current is None:
        return {}
    before, after = _record(change.baseline), _record(change.current)
    if not before.get("status", "ok") == "ok" == after.get("status", "ok"):
        return {}
    old, new = _scores(before), _scores(after)
    if old.keys() - new.keys():
        return {}
    declared = {measure.metric: measure.declared for measure in case.facts.measures if not measure.is_series}
    strict = case.policy.records.max_regressed is None
    counting = case.policy.without_drop_limit(declared) if strict else frozenset(declared)
    found: Worse = {}
    for name in sorted(old.keys() & counting, key=str.encode):
        fall = exact.subtract(exact.exact(old[name]), exact.exact(new[name]))
        fall = fall if declared[name].direction == "higher" else fall.copy_negate()
        if fall > 0:
            found[name] = fall
    return found


def _record(line: bytes) -> JsonObject:
    return canonical.loads(line)  # type: ignore[return-value]  # checked when it was compared: an object


def _scores(record: JsonObject) -> Mapping[str, int | float]:
    return record.get("scores", {})  # type: ignore[return-value]  # a checked record


def excused(case: Case) -> Iterator[Check]:
    """What was excused, by whom and until when."""
    found = excuses(case)
    for key, leave in found.waived.items():
        yield _waived(key, leave)
    entries = {entry.record: entry for entry in _quarantine(case)}
    flaky = {key: entries[key[0].decode()] for key in found.quarantined}
    if flaky:
        head = Finding(
            rule=Rule.QUARANTINED,
            level=Level.NOTICE,
            message=f"{counted(len(flaky))} in quarantine would have counted",
            observed=str(len(flaky)),
        )
        rows = [_flaky(key, entry, found.quarantined[key]) for key, entry in flaky.items()]
        made = check(Rule.QUARANTINED, "the records in quarantine that changed", head, *rows, origin="quarantine")
        yield _as_waived(made, tuple(dict.fromkeys(entry.origin for entry in flaky.values())))


def _waived(key: Key, leave: tuple[tuple[str, Decimal, Waiver], ...]) -> Check:
    name, repeat = key[0].decode(), key[1] if key[1] != 1 else None
    findings = [
        Finding(
            rule=Rule.WAIVED,
            level=Level.NOTICE,
            message=f"{key_text(key)} got worse in {metric} by {exact.text(fall)}; {terms(waiver)}",
            metric=metric,
            record=name,
            repeat=repeat,
            observed=exact.text(fall),
            limit=exact.text(waiver.ceiling),
        )
        for metric, fall, waiver in leave
    ]
    places = tuple(waiver.origin for _, _, waiver in leave)
    return _as_waived(check(Rule.WAIVED, f"the scores of {key_text(key)}", *findings, origin=places[0]), places)


def _flaky(key: Key, entry: Quarantined, counts: frozenset[str]) -> Finding:
    issue = f" ({entry.issue})" if entry.issue else ""
    return Finding(
        rule=Rule.QUARANTINED,
        level=Level.NOTICE,
        record=key[0].decode(),
        repeat=key[1] if key[1] != 1 else None,
        message=f"{key_text(key)} ({', '.join(sorted(counts))}) is in quarantine until {entry.expires}"
        f" by {entry.owner}: {entry.reason}{issue}",
    )


def _as_waived(made: Check, places: tuple[str, ...]) -> Check:
    return replace(made, outcome=Outcome.WAIVED, excused_by=places)


def audit(case: Case) -> Iterator[Check]:
    """What is to be said of the quarantine itself."""
    for entry in case.policy.quarantine.records if case.policy.quarantine else ():
        read = f"the quarantine of {entry.record!r}"
        if entry.expires < case.today:
            message = f"{read} expired on {entry.expires} and excuses nothing"
            hint = f"ask {entry.owner} to renew or remove it"
            yield check(
                Rule.QUARANTINE_EXPIRED,
                read,
                _warning(Rule.QUARANTINE_EXPIRED, entry, message, hint),
                origin=entry.origin,
            )
            continue
        yield check(Rule.QUARANTINE_EXPIRED, read, origin=entry.origin, why=f"ends on {entry.expires}")
        findings = []
        if entry.record in case.facts.absent:
            message = f"{read}: neither run has that record"
            findings.append(_warning(Rule.QUARANTINE_UNUSED, entry, message, "remove it, or name the record exactly"))
        why = "" if findings else "one of the runs has the record"
        yield check(Rule.QUARANTINE_UNUSED, read, *findings, origin=entry.origin, why=why)


def _warning(rule: Rule, entry: Quarantined, message: str, hint: str) -> Finding:
    return Finding(rule=rule, level=Level.WARNING, message=message, record=entry.record, hint=hint)
