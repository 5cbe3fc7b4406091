"""Damages to records: deleted, renamed, added, errored, skipped, stripped of a score, made worse.

Where the policy has a limit, it is gone past by one. A limit that this baseline has too few records to exceed is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from runstore.findings import Rule
from runstore.record import JsonObject
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped

_REASON = {"message": "made by the self-test", "type": "selftest"}


def damages(lab: Lab) -> Found:
    """Every damage to single records."""
    if not lab.specimen.rows:
        yield Skipped(name="records", why="the baseline has no records")
        return
    yield from _gone(lab)
    yield from _renamed(lab)
    yield from _added(lab)
    yield from _not_ok(lab, "errored", "error", Rule.MAX_ERRORS, lab.policy.records.max_errors)
    yield from _not_ok(lab, "skipped", "skipped", Rule.MAX_SKIPPED, lab.policy.records.max_skipped)
    yield from _without_score(lab)
    yield from _worse(lab)
    yield from _changed(lab)


def _gone(lab: Lab) -> Found:
    everyone: Sequence[int] = range(len(lab.specimen.rows))
    yield _deleted(lab, "all-deleted", "every record is deleted", everyone, Rule.NO_RECORDS)
    if len(everyone) > 2:
        yield _deleted(lab, "all-but-one-deleted", "every record but one is deleted", everyone[1:], None)
    limit = lab.policy.records.max_removed
    yield from _by_count(lab, "deleted", "{} deleted", Rule.MAX_REMOVED, limit, lab.specimen.spread, None)


def _deleted(lab: Lab, name: str, what: str, indices: Sequence[int], rule: Rule | None) -> Case:
    files = lab.specimen.copy(dict.fromkeys(indices))
    return Case(name=name, what=what, expected=Expectation.RED, files=files, rule=rule)


def _by_count(
    lab: Lab,
    name: str,
    what: str,
    rule: Rule,
    limit: int | None,
    among: Sequence[int],
    changed: dict[str, object] | None,
) -> Found:
    """One record damaged, and one more than the policy allows. `changed`: fields to put in; None deletes the record."""
    for count in sorted({1, 1 if limit is None else limit + 1}):
        red = limit is not None and count > limit
        if count > len(among):
            yield Skipped(name=name, why=_too_few(rule, limit, len(among)), toothless=True)
            continue
        chosen = among[:count]
        edits: dict[int, JsonObject | None] = dict.fromkeys(chosen)
        if changed is not None:
            edits = {**lab.with_field(chosen, **changed)}  # type: ignore[arg-type]  # JSON
        yield Case(
            name=name,
            what=what.format(records(count)),
            expected=Expectation.RED if red else Expectation.OPEN,
            files=lab.specimen.copy(edits),
            rule=rule if red else None,
        )


def _too_few(rule: Rule, limit: int | None, there: int) -> str:
    return f"{rule.value} allows {limit:,}, and only {records(there)} could do it: no run breaks this limit"


def records(count: int) -> str:
    """A number of records in words."""
    return f"{count:,} record{'s' * (count != 1)}"


def _renamed(lab: Lab) -> Found:
    """Records have other ids: an old one is missing, a new one has no baseline."""
    limits, spread = lab.policy.records, lab.specimen.spread
    red = limits.max_removed == 0 or limits.max_added == 0
    edits: dict[int, JsonObject | None] = {spread[0]: _other_id(lab, spread[0])}
    yield Case(
        name="renamed",
        what="1 record has another id",
        expected=Expectation.RED if red else Expectation.OPEN,
        files=lab.specimen.copy(edits),
    )
    yield Case(
        name="all-renamed",
        what="every record has another id",
        expected=Expectation.RED,
        files=lab.specimen.copy({index: _other_id(lab, index) for index in spread}),
        rule=Rule.NOTHING_COMPARED,
    )


def _other_id(lab: Lab, index: int) -> JsonObject:
    fields = lab.specimen.record(index)
    return {**fields, "id": f"{fields['id']} renamed by the self-test"}


def _added(lab: Lab) -> Found:
    """Copies of the best records under new ids, to lift the mean."""
    limit = lab.policy.records.max_added
    count = 1 if limit is None else limit + 1
    chosen = [lab.specimen.spread[number % len(lab.specimen.spread)] for number in range(count)]
    added = []
    for number, index in enumerate(chosen):
        fields = lab.specimen.record(index)
        added.append({**fields, "id": f"{fields['id']} added by the self-test {number}"})
    yield Case(
        name="added",
        what=f"{records(count)} added",
        expected=Expectation.OPEN if limit is None else Expectation.RED,
        files=lab.specimen.copy(added=added),
        rule=None if limit is None else Rule.MAX_ADDED,
    )


def _not_ok(lab: Lab, name: str, status: str, rule: Rule, limit: int | None) -> Found:
    what = "{} with status " + f"`{status}`"
    yield from _by_count(lab, name, what, rule, limit, lab.sound, {"status": status, "reason": _REASON})


def _without_score(lab: Lab) -> Found:
    limit = lab.policy.records.max_lost_scores
    carriers = [index for index in lab.sound if lab.specimen.rows[index].scores]
    yield from _by_count(
        lab, "score-lost", "{} without its scores, still `ok`", Rule.MAX_LOST_SCORES, limit, carriers, {"scores": {}}
    )


def _worse(lab: Lab) -> Found:
    """Records get the worst score: as many as one more than the policy allows, in one metric; and all, in each."""
    limit = lab.policy.records.max_regressed
    for metric in lab.metrics:
        worst, able = lab.worst(metric), lab.can_get_worse(metric)
        strict = metric in lab.strict_metrics
        if not able:
            yield Skipped(name="regressed", why=f"no record can have a worse {metric}")
            continue
        counts = {1: strict or limit == 0}
        if limit is not None and limit < len(able):
            counts[limit + 1] = True
        elif limit is not None:
            yield Skipped(name="regressed", why=_too_few(Rule.MAX_REGRESSED, limit, len(able)), toothless=True)
        for count, red in counts.items():
            yield Case(
                name="regressed",
                what=f"{records(count)} with the worst score",
                expected=Expectation.RED if red else Expectation.OPEN,
                files=lab.specimen.copy({**lab.rescored(metric, dict.fromkeys(able[:count], worst))}),
                rule=Rule.MAX_REGRESSED if red else None,
                metric=metric,
            )
        rule = lab.policy.rule_for(metric)
        yield Case(
            name="ruined",
            what="every record has the worst score",
            expected=Expectation.OPEN if rule and rule.limits.level == "warn" else Expectation.RED,
            files=lab.specimen.copy({**lab.rescored(metric, dict.fromkeys(able, worst))}),
            metric=metric,
        )


def _changed(lab: Lab) -> Found:
    """Records say something else and score the same."""
    limit = lab.policy.records.max_changed
    if limit is None:
        return
    yield from _by_count(
        lab,
        "changed",
        "{} changed in what it says",
        Rule.MAX_CHANGED,
        limit,
        lab.candidates,
        {"metadata": {"by": "selftest"}},
    )
