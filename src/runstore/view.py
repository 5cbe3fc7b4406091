"""The view of a comparison: the one versioned JSON value that every report is made from (schemas/v1/comparison.json).

A comparison in, JSON out. Reports never see anything else, so no two of them can disagree, and a saved comparison can
be rendered again to the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

from runstore import canonical, exact
from runstore.canonical import JsonValue
from runstore.change import Change, ChangeClass
from runstore.checks import Check
from runstore.comparison import Comparison, RunPair
from runstore.curves import Curve, Step
from runstore.facts import Counts
from runstore.fields import ABSENT, FieldChange, differences
from runstore.findings import Finding
from runstore.large_text import told, told_pair
from runstore.manifest import Manifest
from runstore.measures import Measure
from runstore.moves import Moves
from runstore.record import JsonObject

if TYPE_CHECKING:
    from runstore.assessment import Assessment

FORMAT = 1


def to_json(comparison: Comparison) -> dict[str, JsonValue]:
    """The view of a comparison."""
    return {
        "changes": [_change(path, change) for path, change in comparison.changes],
        "changes_omitted": _omitted(comparison),
        "checks": [_check(check) for check in comparison.checks],
        "counts": _counts(comparison.counts),
        "exit_code": comparison.verdict.value,
        "findings": [_finding(finding) for finding in comparison.findings],
        "format": FORMAT,
        "metrics": [_measure(path, measure) for path, measure in comparison.measures],
        "policy": comparison.policy.origin,
        "runs": [_pair(pair) for pair in comparison.runs],
        "series": [_curve(path, curve) for path, curve in comparison.curves],
        "verdict": comparison.verdict.name,
    }


def _counts(counts: Counts) -> JsonValue:
    return dict(asdict(counts))


def _omitted(comparison: Comparison) -> JsonValue:
    """Class → how many records of it are counted and not listed."""
    listed = [change.kind for _, change in comparison.changes]
    return {kind.value: getattr(comparison.counts, kind.value) - listed.count(kind) for kind in ChangeClass}


def _pair(pair: RunPair) -> JsonValue:
    return {
        "baseline": _side(pair.baseline, pair.baseline_digest),
        "current": _side(pair.current, pair.current_digest),
        "path": pair.path,
    }


def _side(manifest: Manifest | None, digest: str | None) -> JsonValue:
    if manifest is None:
        return None
    return {
        "commit": manifest.provenance.commit,
        "manifest_sha256": digest,
        "name": manifest.identity.name,
        "params": dict(manifest.identity.params),
        "project": manifest.identity.project,
        "run_id": manifest.run_id,
        "suite": manifest.identity.suite,
    }


def _slice(group: tuple[str, str] | None) -> JsonValue:
    return None if group is None else {"tag": group[0], "value": group[1]}


def _measure(path: str, measure: Measure) -> JsonValue:
    return {
        "baseline": _whole(measure.baseline),
        "current": _whole(measure.current),
        "delta": _whole(measure.delta),
        "direction": measure.declared.direction,
        "improved": measure.improved,
        "kind": "series" if measure.is_series else "records",
        "lost": measure.lost,
        "metric": measure.metric,
        "moves": None if measure.moves is None else _moves(measure.moves),
        "n": measure.count,
        "regressed": measure.regressed,
        "run": path,
        "slice": _slice(measure.group),
        "standard_error": _whole(measure.standard_error),
        "unit": measure.declared.unit,
    }


def _moves(moves: Moves) -> JsonValue:
    cells = moves.cells()
    return {
        "after": [_whole(after) for _, after, _ in cells],
        "before": [_whole(before) for before, _, _ in cells],
        "grid": _whole(moves.grid),
        "pairs": [times for _, _, times in cells],
    }


def _curve(path: str, curve: Curve) -> JsonValue:
    return {
        "baseline": _steps(curve.baseline),
        "current": _steps(curve.current),
        "direction": curve.declared.direction,
        "metric": curve.metric,
        "run": path,
        "unit": curve.declared.unit,
    }


def _steps(points: Sequence[Step] | None) -> JsonValue:
    return None if points is None else [[step, _whole(value)] for step, value in points]


def _finding(finding: Finding) -> JsonValue:
    return {
        "hint": finding.hint,
        "level": finding.level.value,
        "limit": finding.limit,
        "message": finding.message,
        "metric": finding.metric,
        "observed": finding.observed,
        "record": finding.record,
        "repeat": finding.repeat,
        "rule": finding.rule.value,
        "run": finding.run,
        "slice": _slice(finding.slice),
    }


def _check(check: Check) -> JsonValue:
    return {
        "assessment": None if check.assessment is None else _assessment(check.assessment),
        "excused_by": list(check.excused_by),
        "interval": None if check.interval is None else asdict(check.interval),
        "limit": check.limit,
        "margin": check.margin,
        "metric": check.metric,
        "observed": check.observed,
        "origin": check.origin,
        "outcome": check.outcome.value,
        "read": check.read,
        "rule": check.rule.value,
        "run": check.run,
        "slice": _slice(check.slice),
        "suggestion": check.suggestion,
        "why": check.why,
    }


def _assessment(found: Assessment) -> JsonValue:
    return {**asdict(found), "interval": list(found.interval)}


def _change(path: str, change: Change) -> JsonValue:
    before, after = _record(change.baseline), _record(change.current)
    common: dict[str, JsonValue] = {
        "class": change.kind.value,
        "id": change.key[0].decode(),
        "repeat": change.key[1],
        "run": path,
    }
    if before is None or after is None:
        return {**common, "fields": [], "record": told(after or before or {}), "scores": []}
    return {
        **common,
        "fields": [_field(found) for found in differences(*told_pair(before, after))],
        "record": told(after),
        "scores": _scores(before, after),
    }


def _record(line: bytes | None) -> JsonObject | None:
    return None if line is None else canonical.loads(line)  # type: ignore[return-value]  # a record: an object


def _field(found: FieldChange) -> JsonValue:
    result: dict[str, JsonValue] = {"path": found.path}
    if found.before is not ABSENT:
        result["before"] = found.before  # type: ignore[assignment]  # not ABSENT: JSON
    if found.after is not ABSENT:
        result["after"] = found.after  # type: ignore[assignment]  # not ABSENT: JSON
    return result


def _scores(before: JsonObject, after: JsonObject) -> JsonValue:
    old, new = _numbers(before), _numbers(after)
    names = sorted({**old, **new}, key=str.encode)
    return [_score(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _numbers(record: JsonObject) -> Mapping[str, int | float]:
    return record.get("scores", {})  # type: ignore[return-value]  # a checked record


def _score(name: str, old: int | float | None, new: int | float | None) -> JsonValue:
    delta = None if old is None or new is None else float(_difference(old, new))
    if delta is not None and math.isinf(delta):
        delta = None  # beyond every double
    return {"baseline": old, "current": new, "delta": _whole(delta), "metric": name}


def _whole(number: float | None) -> int | float | None:
    """A whole number as an integer: the same JSON, written many times faster (see `canonical.is_plain`)."""
    if number is None or isinstance(number, int) or not number.is_integer() or abs(number) > canonical.MAX_SAFE_INTEGER:
        return number
    return int(number)


def _difference(old: int | float, new: int | float) -> Decimal:
    return exact.subtract(exact.exact(new), exact.exact(old))
