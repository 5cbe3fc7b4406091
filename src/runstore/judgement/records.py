"""Rules on the set of records: how many may have got worse, gone missing, been added, errored, been skipped, differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from runstore.change import Change, ChangeClass
from runstore.checks import Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, counted, record_origin
from runstore.judgement.excuses import Excuses, excuses
from runstore.record import key_text

_DIFFERING = (ChangeClass.REGRESSED, ChangeClass.IMPROVED, ChangeClass.CHANGED)
_NAMED = 3


def regressed(case: Case) -> Iterator[Check]:
    """Records that got worse: by the policy's limit, or, without one, in metrics that no drop limit covers."""
    limit, leave = case.policy.records.max_regressed, excuses(case)
    everything = case.facts.changes.strictly_regressed if limit is None else case.facts.counts.regressed
    observed = everything - leave.count("regressed")
    what = "{} got worse in a score" if limit is None else "{} got worse"
    read = _read(what.format(counted(everything)), leave.count("regressed"))
    findings = []
    if observed > (limit or 0):
        hint = "look at them in the report; `gate.toml` can allow a drop (max_drop) or a number (max_regressed)"
        head = _too_many(Rule.MAX_REGRESSED, observed, limit or 0, what.format(counted(observed)), hint)
        findings = [_with_exceeded(head, leave), *_each(case, leave, Rule.MAX_REGRESSED, what, _got_worse(case))]
    made = check(Rule.MAX_REGRESSED, read, *findings, origin=record_origin(case.policy, "max_regressed"))
    yield _numbered(made, observed, limit or 0)


def _got_worse(case: Case) -> Callable[[Change], str]:
    if case.policy.records.max_regressed is None:
        return lambda change: "regressed" if change.strict else ""
    return lambda change: "regressed" if change.kind is ChangeClass.REGRESSED else ""


def _with_exceeded(head: Finding, leave: Excuses) -> Finding:
    """The finding, saying of records whose waivers do not reach as far by how much."""
    if not leave.exceeded:
        return head
    more = len(leave.exceeded) - _NAMED
    said = "; ".join(leave.exceeded[:_NAMED]) + (f"; and {more:,} more like that" if more > 0 else "")
    return replace(head, message=f"{head.message}; {said}")


def record_limits(case: Case) -> Iterator[Check]:
    """Records that went missing, were added, newly errored, were newly skipped or differ in anything."""
    counts, limits, leave = case.facts.counts, case.policy.records, excuses(case)
    table: tuple[tuple[Rule, int | None, int, str, Callable[[Change], str]], ...] = (
        (Rule.MAX_REMOVED, limits.max_removed, counts.removed, "{} went missing", _of(ChangeClass.REMOVED)),
        (Rule.MAX_ADDED, limits.max_added, counts.added, "{} added", _of(ChangeClass.ADDED)),
        (Rule.MAX_ERRORS, limits.max_errors, counts.newly_errored, "{} newly errored", _newly("error")),
        (Rule.MAX_SKIPPED, limits.max_skipped, counts.newly_skipped, "{} newly skipped", _newly("skipped")),
    )
    excused = {Rule.MAX_ERRORS: leave.count("error"), Rule.MAX_SKIPPED: leave.count("skipped")}
    for rule, limit, everything, what, which in table:
        if limit is not None:
            yield _limited(case, leave, rule, limit, everything, excused.get(rule, 0), what, which)
    yield from _lost_scores(case)
    if limits.max_changed is not None:
        differing = counts.regressed + counts.improved + counts.changed
        what = "{} of both runs changed"
        yield _limited(case, leave, Rule.MAX_CHANGED, limits.max_changed, differing, 0, what, _of(*_DIFFERING))
    if limits.max_added is None:
        yield _added(case)


def _of(*kinds: ChangeClass) -> Callable[[Change], str]:
    return lambda change: "listed" if change.kind in kinds else ""


def _newly(status: str) -> Callable[[Change], str]:
    return lambda change: status if change.newly == status else ""


def _limited(
    case: Case,
    leave: Excuses,
    rule: Rule,
    limit: int,
    everything: int,
    excused: int,
    what: str,
    which: Callable[[Change], str],
) -> Check:
    observed = everything - excused
    findings = []
    if observed > limit:
        findings = [
            _too_many(rule, observed, limit, what.format(counted(observed))),
            *_each(case, leave, rule, what, which),
        ]
    origin = record_origin(case.policy, rule.value.replace("-", "_"))
    made = check(rule, _read(what.format(counted(everything)), excused), *findings, origin=origin)
    return _numbered(made, observed, limit)


def _lost_scores(case: Case) -> Iterator[Check]:
    observed, limit = case.facts.counts.lost_scores, case.policy.records.max_lost_scores
    if limit is None:
        return
    what = f"{counted(observed, 'score')} gone from records that are ok"
    findings = [_too_many(Rule.MAX_LOST_SCORES, observed, limit, what)] if observed > limit else []
    origin = record_origin(case.policy, "max_lost_scores")
    yield _numbered(check(Rule.MAX_LOST_SCORES, what, *findings, origin=origin), observed, limit)


def _added(case: Case) -> Check:
    """Added records without a limit on them: a notice."""
    added = case.facts.counts.added
    findings = []
    if added:
        findings.append(
            Finding(
                rule=Rule.MAX_ADDED,
                level=Level.NOTICE,
                message=f"{counted(added)} added: not in the means, which are over shared ids",
                observed=str(added),
            )
        )
    return check(Rule.MAX_ADDED, f"{counted(added)} added", *findings, why="any number is allowed")


def _read(what: str, excused: int) -> str:
    return f"{what}, {excused:,} of them excused" if excused else what


def _numbered(made: Check, observed: int, limit: int) -> Check:
    return replace(made, observed=str(observed), limit=str(limit), why=f"{observed:,} counted; {limit:,} allowed")


def _too_many(rule: Rule, observed: int, limit: int, what: str, hint: str | None = None) -> Finding:
    return Finding(
        rule=rule,
        level=Level.ERROR,
        message=f"{what}; {limit:,} allowed",
        observed=str(observed),
        limit=str(limit),
        hint=hint,
    )


def _each(case: Case, leave: Excuses, rule: Rule, what: str, which: Callable[[Change], str]) -> Iterator[Finding]:
    """A finding for each kept record that counts and is not excused."""
    for kind in ChangeClass:
        for change in case.facts.changes.kept[kind].sorted():
            counts_as = which(change)
            if counts_as and not leave.covers(change.key, counts_as):
                name = key_text(change.key)
                yield Finding(
                    rule=rule,
                    level=Level.ERROR,
                    record=change.key[0].decode(),
                    repeat=change.key[1] if change.key[1] != 1 else None,
                    message=what.replace("{}", name),
                )
