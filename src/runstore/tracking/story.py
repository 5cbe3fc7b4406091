"""The story of a run: the entries of its journal in, what they amount to out.

The journal alone says what a run is. The process that logs, the one that takes up again and the one that recovers read
it by the same rules, so what is finished after a kill is what would have been finished without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError
from runstore.manifest import Dataset, Identity, MetricDeclaration, RunStatus
from runstore.tracking import directions
from runstore.tracking.journal import Entry, TornLine
from runstore.tracking.points import Points

ROOM_BYTES = 16 * 1024 * 1024
"""So much of what is logged may go to the manifest; names of metrics stand in the summary, too, which takes 32 MiB."""
ALERTS = 1000
"""So many alerts that went off are told one by one."""
_WEIGHTY = frozenset({"artifact", "dataset", "declare", "note", "params", "tag"})
JOURNAL = 1
"""The version of the journal's form; the first entry of a journal names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFile:
    """An artifact as it was copied: SHA-256 in hexadecimal, size in bytes, and the kind its owner gave it."""

    sha256: str
    size: int
    kind: str | None


@dataclass(slots=True)
class Story:
    """What the entries so far amount to. Records are not in it: they stay in the journal."""

    has_begun: bool = False
    started: Mapping[str, JsonValue] = field(default_factory=dict)
    identity: Identity = field(default_factory=Identity)
    params: dict[str, JsonValue] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, MetricDeclaration] = field(default_factory=dict)
    told_by_name: set[str] = field(default_factory=set)
    slices: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    notes: str | None = None
    points: Points = field(default_factory=Points)
    measures: dict[str, JsonValue] = field(default_factory=dict)
    records: int = 0
    artifacts: dict[str, list[KeptFile]] = field(default_factory=dict)
    """Name → every file that was logged by it, the last one last."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Why something was not kept → how many."""
    alerts: list[JsonValue] = field(default_factory=list)
    provenance: dict[str, JsonValue] = field(default_factory=dict)
    volatile: dict[str, JsonValue] = field(default_factory=dict)
    mirrors: dict[str, dict[str, str]] = field(default_factory=dict)
    """Backend → what the run is known by there."""
    torn: list[TornLine] = field(default_factory=list)
    weight: int = 0
    """About how many bytes of the manifest are taken; `weights` says by what."""
    weights: dict[tuple[str, JsonValue], int] = field(default_factory=dict)
    resumed: int = 0
    is_fixed: bool = False
    """Whether the identity may change no more, for a nested run has been linked to it."""
    status: RunStatus | None = None
    ended: JsonValue = None

    @property
    def full_identity(self) -> Identity:
        """The identity with params and data sets as they now are."""
        return Identity(
            project=self.identity.project,
            suite=self.identity.suite,
            name=self.identity.name,
            params=self.params,
            datasets=tuple(self.datasets.values()),
            parent=self.identity.parent,
        )

    def declaration(self, metric: str) -> MetricDeclaration:
        """The declaration of a metric that is used; one that nobody declared is told by its name."""
        if metric not in self.metrics:
            self.metrics[metric] = directions.by_name(metric)
            self.told_by_name.add(metric)
            self._weigh(("declare", metric), _name_weight(metric))
        return self.metrics[metric]

    def apply(self, entry: Entry) -> None:
        """Take one entry. Raises InvalidDataError for one that this version does not know."""
        known = _RULES.get(str(entry.get("op")))
        if known is None:
            raise InvalidDataError(
                f"the journal holds an entry {entry.get('op')!r:.40}, which this version does not know",
                hint="finish the run with the version that began it, or a later one",
            )
        known(self, cast(dict[str, Any], entry))  # written by this package: see the functions below
        if entry["op"] in _WEIGHTY:
            self._weigh(_weight_key(entry), len(canonical.encode(entry)))

    def _weigh(self, key: tuple[str, JsonValue], size: int) -> None:
        self.weight += size - self.weights.get(key, 0)
        self.weights[key] = size


def read(entries: Iterable[Entry | TornLine]) -> Story:
    """The story that a whole journal tells. Raises InvalidDataError if it has no beginning, or of another version."""
    story = Story()
    for entry in entries:
        if isinstance(entry, TornLine):
            story.torn.append(entry)
        else:
            story.apply(entry)
    if not story.has_begun:
        raise InvalidDataError(
            "the journal has no beginning", hint="its first line is lost; each other line still holds what was logged"
        )
    return story


def _start(story: Story, entry: dict[str, Any]) -> None:
    if entry["journal"] != JOURNAL:
        raise InvalidDataError(f"the journal is of form {entry['journal']!r:.20}; this version reads {JOURNAL}")
    story.has_begun = True
    story.started = {name: entry[name] for name in ("at", "host", "pid") if name in entry}
    story.identity = Identity(**entry["identity"])
    story.slices = entry["slices"]


def _declare(story: Story, entry: dict[str, Any]) -> None:
    name, members = entry["name"], {key: entry[key] for key in ("direction", "unit", "aggregate") if key in entry}
    bounds = entry.get("range")
    story.metrics[name] = MetricDeclaration(**members, range=tuple(bounds) if bounds else None)
    story.told_by_name.discard(name)


def declare_entry(name: str, declared: MetricDeclaration) -> Entry:
    """The entry that declares a metric."""
    members: Entry = {"unit": declared.unit, "aggregate": declared.aggregate}
    if declared.range:
        members["range"] = list(declared.range)
    given = {key: value for key, value in members.items() if value is not None}
    return {"op": "declare", "name": name, "direction": declared.direction, **given}


def _params(story: Story, entry: dict[str, Any]) -> None:
    story.params.update(entry["values"])


def _dataset(story: Story, entry: dict[str, Any]) -> None:
    story.datasets[entry["name"]] = Dataset(name=entry["name"], digest=entry["digest"], version=entry.get("version"))
    if "description" in entry:
        story.descriptions[entry["name"]] = entry["description"]


def _metrics(story: Story, entry: dict[str, Any]) -> None:
    step = entry.get("step")
    for name, value in entry["values"].items():
        story.declaration(name)
        story.points.add(name, float(value), step)


def _measures(story: Story, entry: dict[str, Any]) -> None:
    story.measures.update(entry["values"])


def _record(story: Story, entry: dict[str, Any]) -> None:
    story.records += 1
    for name in entry["record"].get("scores", ()):
        story.declaration(name)


def _artifact(story: Story, entry: dict[str, Any]) -> None:
    kept = KeptFile(sha256=entry["sha256"], size=entry["size"], kind=entry.get("kind"))
    story.artifacts.setdefault(entry["name"], []).append(kept)


def _left_out(story: Story, entry: dict[str, Any]) -> None:
    story.left_out[entry["why"]] = story.left_out.get(entry["why"], 0) + entry["count"]


def _tag(story: Story, entry: dict[str, Any]) -> None:
    story.tags[entry["name"]] = entry["value"]


def _note(story: Story, entry: dict[str, Any]) -> None:
    story.notes = entry["text"]


def _alert(story: Story, entry: dict[str, Any]) -> None:
    told = len(canonical.encode(entry))
    if len(story.alerts) >= ALERTS or story.weight + told > ROOM_BYTES:
        why = "alerts beyond those that are told"
        story.left_out[why] = story.left_out.get(why, 0) + 1
    else:
        story.alerts.append({name: value for name, value in entry.items() if name != "op"})
        story.weight += told


def _provenance(story: Story, entry: dict[str, Any]) -> None:
    story.provenance.update(entry["values"])


def _volatile(story: Story, entry: dict[str, Any]) -> None:
    story.volatile[entry["name"]] = entry["value"]


def _mirror(story: Story, entry: dict[str, Any]) -> None:
    story.mirrors[entry["backend"]] = entry["remote"]


def _child(story: Story, _entry: dict[str, Any]) -> None:
    story.is_fixed = True


def _resume(story: Story, _entry: dict[str, Any]) -> None:
    story.resumed += 1
    story.status = None


def _end(story: Story, entry: dict[str, Any]) -> None:
    story.status, story.ended = entry["status"], entry["at"]


_RULES: Mapping[str, Callable[[Story, dict[str, Any]], None]] = {
    "alert": _alert,
    "artifact": _artifact,
    "child": _child,
    "dataset": _dataset,
    "declare": _declare,
    "end": _end,
    "left_out": _left_out,
    "measures": _measures,
    "metrics": _metrics,
    "mirror": _mirror,
    "note": _note,
    "params": _params,
    "provenance": _provenance,
    "record": _record,
    "resume": _resume,
    "start": _start,
    "tag": _tag,
    "volatile": _volatile,
}
"""What each kind of entry means."""


def changed_param(story: Story, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The params that are new. Raises UsageError for one that has another value already, or may not come any more."""
    new = {}
    for name, value in values.items():
        if name not in story.params:
            new[name] = value
        elif canonical.encode(story.params[name]) != canonical.encode(value):
            raise UsageError(
                f"the param {name!r:.80} is {story.params[name]!r:.80}, and is to become {value!r:.80}",
                hint="params say what was asked and never change; log a metric or a tag, or start another run",
            )
    if new:
        check_open(story, f"the param {next(iter(new))!r:.80}")
    return new


def _weight_key(entry: Entry) -> tuple[str, JsonValue]:
    """What takes the place of what: the later tag, note or artifact of a name; everything else adds up."""
    op, params = str(entry["op"]), entry.get("values")
    return op, next(iter(params), None) if isinstance(params, dict) else entry.get("name")


def _name_weight(metric: str) -> int:
    """What a metric takes that nobody has declared: it is listed twice."""
    return 2 * len(canonical.encode(metric)) + 100


def check_room(story: Story, entries: Iterable[Entry], names: Iterable[str] = ()) -> None:
    """Refuse entries and new metrics that the manifest has no room for. Raises InvalidDataError."""
    size = sum(len(canonical.encode(entry)) for entry in entries if entry["op"] in _WEIGHTY)
    size += sum(map(_name_weight, names))
    if size and story.weight + size > ROOM_BYTES:
        raise InvalidDataError(
            f"params, tags, notes and names of this run take more than {ROOM_BYTES} bytes",
            hint="log what is large as an artifact, and what is many as records",
        )


def check_open(story: Story, what: str) -> None:
    """Refuse a change of the identity once a nested run is linked to it. Raises UsageError."""
    if story.is_fixed:
        raise UsageError(
            f"{what} comes too late: a nested run has been linked to this one by its identity",
            hint="log params and data sets before the first nested run; what is found out later is a tag or a metric",
        )
