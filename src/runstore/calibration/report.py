"""The report of a calibration: JSON (schemas/v1/calibration.schema.json) or text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runstore import exact
from runstore.calibration.calibration import Apart, Calibration, Rate
from runstore.calibration.proposals import Proposal
from runstore.calibration.spread import Flaky, Spread
from runstore.canonical import JsonValue
from runstore.findings import Verdict
from runstore.reports.numbers import single
from runstore.reports.text_safety import one_line

FORMAT = 1
_TOLD = 20


def verdict(found: Calibration | Apart) -> Verdict:
    """PASS if there is a calibration, INCONCLUSIVE if there can be none."""
    return Verdict.PASS if isinstance(found, Calibration) else Verdict.INCONCLUSIVE


def to_json(found: Calibration | Apart) -> dict[str, JsonValue]:
    """The whole result. Without a calibration only the reasons are told."""
    word = verdict(found)
    head: dict[str, JsonValue] = {
        "format": FORMAT,
        "verdict": word.name,
        "exit_code": word.value,
        "policy": found.policy,
        "reasons": list(found.reasons) if isinstance(found, Apart) else [],
    }
    return head if isinstance(found, Apart) else {**head, "calibration": _calibration(found)}


def _calibration(found: Calibration) -> JsonValue:
    return {
        "alpha": exact.text(found.alpha),
        "records": found.records,
        "runs": [{"label": label, "digest": digest} for label, digest in zip(found.labels, found.digests, strict=True)],
        "metrics": [_spread(one) for one in found.spreads],
        "flaky": [_flaky(one) for one in found.flaky],
        "false_alarms": {"real": _rate(found.real), "drawn": _rate(found.drawn), "proposed": _rate(found.proposed)},
        "not_modelled": list(found.not_modelled),
        "proposals": [_proposal(one) for one in found.proposals],
    }


def _spread(one: Spread) -> JsonValue:
    return {
        "metric": one.metric,
        "slice": None if one.group is None else {"tag": one.group[0], "value": one.group[1]},
        "count": one.count,
        "means": list(one.means),
        "deviation": one.deviation,
        "varying": one.varying,
        "flip_rate": one.flip_rate,
        "pair_deviation": one.pair_deviation,
        "binary": one.binary,
        "test": one.test,
        "detectable": one.detectable,
    }


def _flaky(one: Flaky) -> JsonValue:
    scores: dict[str, JsonValue] = {metric: list(values) for metric, values in one.scores.items()}
    return {"id": one.id, "repeat": one.repeat, "statuses": list(one.statuses), "scores": scores}


def _rate(rate: Rate) -> JsonValue:
    interval: JsonValue = None
    if rate.interval is not None:
        interval = {"low": rate.interval.low, "high": rate.interval.high, "level": rate.interval.level}
    return {"alarms": rate.alarms, "of": rate.of, "interval": interval, "by": dict(rate.by)}


def _proposal(one: Proposal) -> JsonValue:
    return {
        "table": list(one.table),
        "key": one.key,
        "limit": exact.text(one.limit),
        "present": None if one.present is None else exact.text(one.present),
        "broken": one.broken,
    }


def text(found: Calibration | Apart) -> str:
    """The result for people."""
    lines = _apart(found) if isinstance(found, Apart) else _told(found)
    return "".join(f"{line}\n" for line in lines)


def _apart(found: Apart) -> Iterator[str]:
    yield "INCONCLUSIVE  these are not runs of the same code on the same records"
    yield ""
    yield from (f"  {one_line(reason)}" for reason in found.reasons[:_TOLD])
    yield ""
    yield "Next: run the same code on the same records several times, and name those runs"


def _told(found: Calibration) -> Iterator[str]:
    yield f"{len(found.labels)} runs of {found.records:,} records; {len(found.flaky):,} do not score the same in all"
    if found.equal_runs:
        yield "warning: some of these runs are equal, byte for byte: was the evaluation really run again?"
    yield ""
    yield from _table(found.spreads)
    yield from _section("Flaky records, worst first", [_flaky_text(one) for one in found.flaky], "in --format json")
    yield ""
    yield f"False alarms of {one_line(found.policy)}:"
    yield f"  real pairs   {_rate_text(found.real)}"
    yield f"  drawn pairs  {_rate_text(found.drawn)}"
    yield from _section("Not in the drawn pairs", found.not_modelled, "")
    if found.proposals:
        share = exact.text(found.alpha)
        rows = [_proposal_text(one) for one in found.proposals]
        yield from _section(f"Limits that raise at most {share} false alarms together", rows, "in --format json")
        yield f"  on other drawn pairs: {_rate_text(found.proposed)}"


def _table(spreads: Sequence[Spread]) -> Iterator[str]:
    whole = [one for one in spreads if one.group is None]
    noisy = sorted((one for one in spreads if one.group is not None and one.varying), key=lambda one: -one.flip_rate)
    rows = [("metric", "records", "mean", "sd of means", "flip rate", "detectable drop")]
    rows += [_row(one) for one in [*whole, *noisy[:_TOLD]]]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if len(noisy) > _TOLD:
        yield f"… and {len(noisy) - _TOLD} more slices, in --format json"


def _row(one: Spread) -> tuple[str, str, str, str, str, str]:
    name = one.metric if one.group is None else f"{one.metric} of {'='.join(one.group)}"
    mean = sum(one.means) / len(one.means)
    found = "-" if one.detectable is None else f"{single(one.detectable)} ({one.test})"
    return one_line(name), f"{one.count:,}", single(mean), single(one.deviation), _share(one.flip_rate), found


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _rate_text(rate: Rate) -> str:
    said = f"{rate.alarms:,} of {rate.of:,} refused ({_share(rate.alarms / rate.of if rate.of else 0)}"
    if rate.interval is not None:
        said += f"; 95 %: {_share(rate.interval.low)} to {_share(rate.interval.high)}"
    by = ", ".join(f"{name} {count:,}" for name, count in sorted(rate.by.items(), key=lambda item: (-item[1], item[0])))
    return one_line(f"{said})" + (f": {by}" if by else ""))


def _flaky_text(one: Flaky) -> str:
    name = one.id if one.repeat == 1 else f"{one.id} (repeat {one.repeat})"
    parts = [f"{metric} {_list(values)}" for metric, values in one.scores.items()]
    if len(set(one.statuses)) > 1:
        parts.append(f"status {_list(one.statuses)}")
    return f"{name}: {'; '.join(parts)}"


def _list(values: Sequence[object]) -> str:
    return " ".join("none" if value is None else str(value) for value in values)


def _proposal_text(one: Proposal) -> str:
    present = "none" if one.present is None else exact.text(one.present)
    return f"[{'.'.join(one.table)}] {one.key} = {exact.text(one.limit)}   (now: {present})"


def _section(title: str, lines: Sequence[str], rest: str) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  {one_line(line)}" for line in lines[:_TOLD])
    if len(lines) > _TOLD:
        yield f"  … and {len(lines) - _TOLD:,} more {rest}".rstrip()
