"""The report of self-tests: examinations in; a JSON value (schemas/v1/selftest.schema.json), or text, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runstore.canonical import JsonValue
from runstore.findings import Verdict
from runstore.reports.text_safety import one_line
from runstore.selftest.examination import Examination, Trial
from runstore.selftest.lab import Expectation, Skipped
from runstore.selftest.leeway import Leeway

FORMAT = 1
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
_TOLD = 20


def verdict(examinations: Sequence[Examination]) -> Verdict:
    """The worst verdict of several examinations."""
    found = {one.verdict for one in examinations}
    return next(word for word in _WORST_FIRST if word in found)


def to_json(examinations: Sequence[Examination]) -> dict[str, JsonValue]:
    """The whole result."""
    worst = verdict(examinations)
    return {
        "format": FORMAT,
        "verdict": worst.name,
        "exit_code": worst.value,
        "runs": [_run(one) for one in examinations],
    }


def _run(one: Examination) -> JsonValue:
    return {
        "path": one.path,
        "policy": one.policy,
        "run_id": one.run_id,
        "records": one.records,
        "examined": one.examined,
        "verdict": one.verdict.name,
        "trials": [_trial(trial) for trial in one.trials],
        "leeway": [_leeway(leeway) for leeway in one.leeways],
        "skipped": [
            {"name": skipped.name, "why": skipped.why, "toothless": skipped.toothless} for skipped in one.skipped
        ],
    }


def _trial(trial: Trial) -> JsonValue:
    return {
        "name": trial.name,
        "what": trial.what,
        "metric": trial.metric,
        "slice": None if trial.slice is None else {"tag": trial.slice[0], "value": trial.slice[1]},
        "expected": trial.expected.value,
        "rule": None if trial.rule is None else trial.rule.value,
        "verdict": trial.verdict.name,
        "exit_code": trial.verdict.value,
        "rules": list(trial.rules),
        "seen": trial.seen,
    }


def _leeway(leeway: Leeway) -> JsonValue:
    return {"metric": leeway.metric, "failed": leeway.failed, "of": leeway.of, "drop": leeway.drop}


def text(examinations: Sequence[Examination]) -> str:
    """The result for people: first the verdict, then what went wrong, then what the policy lets through."""
    return "\n".join("".join(f"{line}\n" for line in _lines(one)) for one in examinations)


def _lines(one: Examination) -> Iterator[str]:
    yield f"{one.verdict.name}  {one_line(_headline(one))}"
    if one.examined < one.records:
        yield f"a sample: {one.examined:,} of {one.records:,} records, those whose ids have the lowest SHA-256"
    yield ""
    yield from (one_line(line) for line in _trials(one))
    yield from _section("This policy lets through", [*_passing(one), *_leeways(one)])
    yield from _section("Limits that no run can break", [skip.why for skip in one.skipped if skip.toothless])
    yield from _section("Not applicable", [_why(skip) for skip in one.skipped if not skip.toothless])


def _headline(one: Examination) -> str:
    where = f"{one.path}: " if one.path else ""
    if one.fooled:
        return f"{where}{len(one.fooled)} of {len(one.trials)} damaged copies were not judged as they must be"
    if one.verdict is Verdict.INCONCLUSIVE:
        return f"{where}nothing could be damaged"
    red = sum(trial.expected is Expectation.RED for trial in one.trials)
    return f"{where}{red} of {red} damages that {one.policy} must not pass are red, and an equal copy is green"


def _trials(one: Examination) -> Iterator[str]:
    rows = [("", "exit", "must be", "damage", "rules"), *map(_row, sorted(one.trials, key=lambda trial: trial.seen))]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[4]]).rstrip()


_MUST = {
    Expectation.GREEN: "green",
    Expectation.RED: "red",
    Expectation.HOLDS: "within",
    Expectation.OPEN: "either",
}


def _row(trial: Trial) -> tuple[str, str, str, str, str]:
    must = _MUST[trial.expected]
    rules = ", ".join(trial.rules)
    if not trial.seen and trial.rule is not None:
        word = "must not be" if trial.expected is Expectation.HOLDS else "must be"
        rules = f"{rules or 'none'} ({trial.rule.value} {word} among them)"
    return ("" if trial.seen else "FOOLED", str(trial.verdict.value), must, _told(trial), rules)


def _told(trial: Trial) -> str:
    about = [trial.metric or "", "=".join(trial.slice) if trial.slice else ""]
    return f"{' of '.join(filter(None, about))}{': ' if any(about) else ''}{trial.what}"


def _passing(one: Examination) -> list[str]:
    return [_told(trial) + (f" (warns: {trial.rule.value})" if trial.rule else "") for trial in one.let_through]


def _leeways(one: Examination) -> list[str]:
    return [_allowed(leeway) for leeway in one.leeways]


def _allowed(leeway: Leeway) -> str:
    if leeway.everything:
        return f"{leeway.metric}: anything; all {leeway.of:,} records can fail"
    return f"{leeway.metric}: {leeway.failed:,} of {leeway.of:,} records failing, or a mean worse by {leeway.drop}"


def _why(skip: Skipped) -> str:
    return f"{skip.name}: {skip.why}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  {one_line(line)}" for line in lines[:_TOLD])
    if len(lines) > _TOLD:
        yield f"  … and {len(lines) - _TOLD} more, in --format json"
