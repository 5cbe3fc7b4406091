"""What a baseline was at one commit: the bytes of its documents in, a state or a gap out. Records are not read.

A gap says why nothing is known of that commit. Digests between the documents are checked; that the summary is that of
the records is what `gate validate` shows, not this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from runstore import canonical, exact, manifest, measures, series, summary
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.manifest import FORMAT, Manifest, MetricDeclaration
from runstore.series import Point
from runstore.summary import Tally

GapKind = Literal["missing", "invalid", "format", "lost"]
Kind = Literal["records", "series"]
Group = tuple[str, str]
"""Tag and value of a slice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Why nothing is known of a commit: no run is there, it is not what it claims, its format is unknown, or its bytes
    are not in this clone."""

    kind: GapKind
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """What a commit says of a metric: the sum over `count` scores, of records that are `ok`, and `missing` without.

    For a series the sum is its figure, and `count` is 1.
    """

    kind: Kind
    count: int
    missing: int
    total: Decimal
    declared: MetricDeclaration

    @property
    def mean(self) -> float:
        """The double nearest to the mean."""
        return exact.mean(self.count, self.total)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A run as its documents tell of it, or one slice of it."""

    records: int
    values: Mapping[str, Value]
    accepted: JsonValue
    """What the manifest tells of acceptances."""
    made: JsonValue
    """What tells the run that a baseline is from another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """The documents of a run, as bytes; None for what is not there. `points` is `series.jsonl`."""

    manifest: bytes | None
    summary: bytes | None
    points: bytes | None = None


def described(data: bytes | None) -> Manifest | Gap:
    """The manifest of its bytes."""
    if data is None:
        return Gap(kind="missing", message="there is no manifest.json")
    try:
        document = canonical.decode_document(data)
        version = document.get("format") if isinstance(document, dict) else None
        if type(version) is int and version != FORMAT:
            return Gap(kind="format", message=f"format {version}, and this version reads format {FORMAT}")
        return manifest.from_json(document)
    except InvalidDataError as error:
        return invalid("manifest.json", error.where, error.message)


def invalid(file: str, pointer: str, message: str) -> Gap:
    """The gap for a file that is not what it claims to be."""
    return Gap(kind="invalid", message=f"{file}{f' {pointer}' if pointer else ''}: {message}")


def state(found: Documents, group: Group | None) -> State | Gap:
    """What the documents say, of one slice if `group` names it."""
    about = described(found.manifest)
    if isinstance(about, Gap):
        return about
    broken = _broken(about, "summary.json", found.summary) or _broken(about, series.FILE, found.points, optional=True)
    if broken:
        return broken
    assert found.summary is not None
    try:
        tally, _ = summary.from_json(canonical.decode_document(found.summary))
    except InvalidDataError as error:
        return invalid("summary.json", error.where, error.message)
    try:
        figures = _figures(about, found.points) if group is None and found.points else {}
    except InvalidDataError as error:
        return invalid(series.FILE, error.where, error.message)
    part = tally if group is None else tally.slices.get(group[0], {}).get(group[1], Tally())
    try:
        return State(
            records=part.records,
            values={**figures, **_values(about, part)},
            accepted=_accepted(about),
            made=_made(about),
        )
    except InvalidDataError as error:
        return invalid("summary.json", error.where, error.message)


def _broken(about: Manifest, file: str, data: bytes | None, *, optional: bool = False) -> Gap | None:
    """Why a file is not the one that the manifest lists."""
    entry = about.files.get(file)
    if data is None:
        return None if optional else Gap(kind="invalid", message=f"{file}: not there")
    if entry is None or canonical.sha256(data) != entry.sha256:
        return invalid(file, "", "its digest is not the one in the manifest")
    return None


def _values(about: Manifest, part: Tally) -> dict[str, Value]:
    found = {}
    for name, sums in part.metrics.items():
        if name not in about.metrics:
            raise InvalidDataError("the manifest does not declare it", where=f"/metrics/{name}")
        if sums.count > part.records:
            raise InvalidDataError("more scores than records", where=f"/metrics/{name}")
        try:
            exact.mean(sums.count, sums.sum)
        except OverflowError:
            raise InvalidDataError("its mean is larger than any double", where=f"/metrics/{name}") from None
        found[name] = Value(
            kind="records",
            count=sums.count,
            missing=part.records - sums.count,
            total=sums.sum,
            declared=about.metrics[name],
        )
    return found


def _figures(about: Manifest, points: bytes) -> dict[str, Value]:
    """The one number that stands for each series, as the manifest declares it."""
    found = measures.figures(_points(points, about), about.metrics)
    return {
        name: Value(kind="series", count=1, missing=0, total=exact.exact(value), declared=about.metrics[name])
        for name, value in found.items()
    }


def _points(data: bytes, about: Manifest) -> Iterator[Point]:
    ranges = about.ranges
    for line in data.split(b"\n")[:-1]:
        yield series.read(line, ranges)


def _accepted(about: Manifest) -> JsonValue:
    return about.origin.get("accepted") if isinstance(about.origin, dict) else None


def _made(about: Manifest) -> JsonValue:
    document = manifest.to_json(about)
    return [document.get(name) for name in ("provenance", "run_id")] if isinstance(document, dict) else None


def reasons(older: State | None, newer: State) -> tuple[str, ...]:
    """The reasons that `gate accept` recorded since an older state, as far as the newer one still tells them.

    A whole run that is accepted brings its own list, which may be equal to the one before; then it is another run.
    """
    new, old = _told(newer.accepted), _told(older.accepted if older else None)
    shared = next((index for index, (one, other) in enumerate(zip(new, old, strict=False)) if one != other), None)
    since = min(len(new), len(old)) if shared is None else shared
    if since == len(new) and older is not None and newer.made != older.made:
        since = max(len(new) - 1, 0)
    texts = [entry.get("reason") for entry in new[since:] if isinstance(entry, dict)]
    return tuple(text for text in texts if isinstance(text, str) and text)


def _told(accepted: JsonValue) -> list[JsonValue]:
    return accepted if isinstance(accepted, list) else []
