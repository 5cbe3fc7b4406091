"""Is what stands at W&B what was planned? A plan and what was found in, differences out, number by number.

Config, summary and history hold what was planned and nothing more, but for what W&B itself adds, whose names begin with
`_` (`_wandb`, `_step`). Lines of history are counted too, so that none can be there twice.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters.contract import Difference, Kind
from runstore.exporters.wandb.figures import OWN, RECORDS
from runstore.exporters.wandb.planning import WandbPlan
from runstore.exporters.wandb.transactions import STEP, Found
from runstore.store.reader import Run

_BLOCK_BYTES = 256 * 1024


class Sums(Protocol):
    """What a digest can do."""

    def update(self, data: bytes, /) -> None:
        """Take some bytes."""
        ...


def compare(plan: WandbPlan, run: Run, found: Found) -> list[Difference]:
    """What reads back other than planned, in the order of the plan."""
    return [
        *_run_differences(plan, found),
        *_members("param", _without(plan.config, OWN), found.config),
        *_additions("param", plan.config, found.config),
        *_members("run", _object(plan.config[OWN]), _object(found.config.get(OWN))),
        *_members("metric", _without(plan.summary, RECORDS), found.summary),
        *_additions("metric", plan.summary, found.summary),
        *_members("record", _object(plan.summary.get(RECORDS)), _object(found.summary.get(RECORDS))),
        *_history(plan, found.rows),
        *_files(plan, run, found.files),
    ]


def is_whole(plan: WandbPlan, found: Found, row_count: int) -> bool:
    """Whether this very run is there to its end: pushing it again would change nothing."""
    digest = _object(found.config.get(OWN)).get("digest")
    return digest == plan.digest and found.state in ("finished", "failed") and row_count == plan.row_count


def _run_differences(plan: WandbPlan, found: Found) -> Iterator[Difference]:
    state = "finished" if plan.status == "completed" else "failed"
    for name, kind, planned, there in (
        ("title", "run", plan.title, found.title),
        ("state", "run", state, found.state),
        ("note", "note", plan.note or "", found.note),
    ):
        if planned != there:
            yield _difference(kind, name, planned, there)
    for label in plan.labels:
        if label not in found.labels:
            yield _difference("tag", label, label, None)


def _difference(kind: str, name: str, planned: str | None, found: str | None) -> Difference:
    return Difference(kind=kind, name=name, planned=planned, found=found)  # type: ignore[arg-type]  # words of this module


def _members(kind: Kind, planned: Mapping[str, JsonValue], found: Mapping[str, JsonValue]) -> Iterator[Difference]:
    for name, value in planned.items():
        if name not in found:
            yield Difference(kind=kind, name=name, planned=_text(value), found=None)
        elif not are_equal(value, found[name]):
            yield Difference(kind=kind, name=name, planned=_text(value), found=_text(found[name]))


def _additions(
    kind: Kind, planned: Mapping[str, JsonValue], found: Mapping[str, JsonValue], where: str = ""
) -> Iterator[Difference]:
    """What is there and was not planned, but for W&B's own."""
    for name, value in found.items():
        if name not in planned and not name.startswith("_"):
            yield Difference(kind=kind, name=f"{name}{where}", planned=None, found=_text(value))


def are_equal(one: JsonValue, other: JsonValue) -> bool:
    """Whether two values are one: numbers by what they are worth (1 is 1.0, 0 not -0), and a boolean is no number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_equal, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float) and one == other == 0:
        return isinstance(one, bool) == isinstance(other, bool) and math.copysign(1, one) == math.copysign(1, other)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _history(plan: WandbPlan, rows: Sequence[Mapping[str, JsonValue]]) -> Iterator[Difference]:
    if len(rows) != plan.row_count:
        planned, found = f"{plan.row_count} steps", f"{len(rows)} steps"
        yield Difference(kind="metric", name="history", planned=planned, found=found)
    by_step: dict[JsonValue, Mapping[str, JsonValue]] = {}
    for row in rows:
        step = row.get(STEP)
        by_step[step if isinstance(step, int | float) else None] = row
    for step, values in plan.rows():
        found_row = by_step.get(step, {})
        for name, value in values.items():
            if not are_equal(value, found_row.get(name)):
                there = _text(found_row[name]) if name in found_row else None
                yield Difference(kind="metric", name=f"{name} (step {step})", planned=_text(value), found=there)
        yield from _additions("metric", values, found_row, f" (step {step})")


def _files(plan: WandbPlan, run: Run, files: Mapping[str, tuple[int, str | None]]) -> Iterator[Difference]:
    for attachment in plan.attachments:
        there = files.get(attachment.path)
        if there is None:
            yield Difference(kind="artifact", name=attachment.path, planned="a file", found=None)
            continue
        size, md5 = measure(run, attachment.origin, attachment.content)
        if there[0] != size or there[1] not in (None, md5):
            found = f"{there[0]} bytes, MD5 {there[1] or 'unknown'}"
            yield Difference(kind="artifact", name=attachment.path, planned=f"{size} bytes, MD5 {md5}", found=found)


def measure(run: Run, origin: str | None, content: bytes | None) -> tuple[int, str]:
    """Size in bytes and MD5, as W&B tells it, of a file that is made for the export or of one of the run."""
    digest = hashlib.md5(usedforsecurity=False)
    if content is not None or origin is None:
        content = content or b""
        digest.update(content)
        return len(content), digest.hexdigest()
    size = 0
    with run.source.open(origin) as file:
        while block := file.read(_BLOCK_BYTES):
            size += len(block)
            digest.update(block)
    return size, digest.hexdigest()


def md5_from_base64(text: str) -> str | None:
    """An MD5 as W&B's server writes it (base64), in hex; None for what is none."""
    try:
        return base64.b64decode(text, validate=True).hex()
    except ValueError:
        return None


def _without(values: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    return {one: value for one, value in values.items() if one != name}


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str:
    """A value as a difference shows it; what is not a finite number comes from a server and has no canonical text."""
    if isinstance(value, float) and (not math.isfinite(value) or str(value) == "-0.0"):
        return repr(value)
    return canonical.jcs(value).decode()
