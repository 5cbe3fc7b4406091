"""An acceptance: what becomes of one baseline. First planned, so that every refusal comes before any write; then built.

The plan says which records are taken. Building writes the new baseline to a folder and shows, by reading both again,
that what was taken is now what the current run has and that the rest is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runstore import canonical, series
from runstore.accepting import large_texts, provenance
from runstore.accepting.choice import Choice, Pair, choose, joined, key_of, lines, merged
from runstore.accepting.refusals import Refusal, unfit, unjudged
from runstore.accepting.selection import Sieve
from runstore.change import ChangeClass
from runstore.comparison import Comparison
from runstore.errors import InvalidRunError
from runstore.findings import Level
from runstore.manifest import Manifest, MetricDeclaration
from runstore.policy.model import Policy, declared_as
from runstore.record import JsonObject, line_key
from runstore.source import FolderSource
from runstore.store.reader import Run, read_run
from runstore.store.replacement import copy_file, copy_volatile
from runstore.store.writer import RunWriter

_ARTIFACTS = "artifacts/"
_MEASURES = "volatile/measures.json"
_TOLD = (Level.REVIEW, Level.INCONCLUSIVE)
_NOTHING = Choice(taken={}, left={})


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A run and the folder it stands in."""

    run: Run
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What becomes of one baseline; `choice` says which records are taken if it is not the whole run."""

    baseline: Side | None
    """None where there is none yet."""
    current: Side
    manifest: Manifest
    """Of the new baseline, but for its files."""
    is_whole: bool
    counts: Mapping[ChangeClass, int]
    left: Mapping[ChangeClass, int] = field(default_factory=dict)
    choice: Choice = _NOTHING
    leaves_series: bool = False
    """Whether the runs' series differ and the baseline keeps its own."""
    notes: tuple[str, ...] = ()
    """What a person has to know: that a metric means something else now, that the runs cannot be compared."""

    @property
    def changes_nothing(self) -> bool:
        """Whether the baseline has all of it already."""
        if self.baseline is None:
            return False
        if self.is_whole:
            return provenance.says_the_same(self.baseline.run.manifest, self.manifest)
        return not self.choice.taken


def first(current: Side, reason: str) -> Acceptance | Refusal:
    """The acceptance of a verified run as the first baseline."""
    count = current.run.record_count
    counts = {ChangeClass.ADDED: count}
    return unfit(current.run.manifest, count) or Acceptance(
        baseline=None,
        current=current,
        manifest=provenance.whole(current.run, reason, counts),
        is_whole=True,
        counts=counts,
    )


def plan(
    baseline: Side,
    current: Side,
    judged: Comparison,
    sieve: Sieve,
    reason: str,
    *,
    incomparable: bool = False,
) -> Acceptance | Refusal:
    """What is to become of a baseline. `judged` is its comparison with the current run, so both are verified.

    `incomparable`: a person has said that the question itself has changed. Raises UsageError if scores of selected
    records mean something else in the baseline.
    """
    in_part = not sieve.selection.is_everything
    refusal = unfit(current.run.manifest, current.run.record_count)
    refusal = refusal or unjudged(judged, in_part=in_part, allowed=incomparable)
    if refusal:
        return refusal
    if in_part:
        return _part(baseline, current, judged.policy, sieve, reason)
    return _all(baseline, current, judged, reason)


def _all(baseline: Side, current: Side, judged: Comparison, reason: str) -> Acceptance:
    counts = {kind: getattr(judged.counts, kind.value) for kind in ChangeClass}
    return Acceptance(
        baseline=baseline,
        current=current,
        manifest=provenance.whole(current.run, reason, counts),
        is_whole=True,
        counts=counts,
        notes=tuple(finding.message for finding in judged.findings if finding.level in _TOLD),
    )


def _part(baseline: Side, current: Side, policy: Policy, sieve: Sieve, reason: str) -> Acceptance:
    choice = choose(baseline.run, current.run, sieve, _declared(baseline.run, policy))
    entries = [side.run.manifest.files.get(series.FILE) for side in (baseline, current)]
    return Acceptance(
        baseline=baseline,
        current=current,
        manifest=provenance.in_part(baseline.run, current.run, reason, choice.counts, sieve.selection.words()),
        is_whole=False,
        counts=choice.counts,
        left=choice.left,
        choice=choice,
        leaves_series=entries[0] != entries[1],
    )


def _declared(baseline: Run, policy: Policy) -> dict[str, MetricDeclaration]:
    """The metrics that records of a verified baseline carry, with the directions that the policy sets."""
    totals = baseline.document("summary.json")
    carried = totals["metrics"] if isinstance(totals, dict) else {}
    assert isinstance(carried, dict)
    return {
        name: declared_as(policy.rule_for(name), declared)
        for name, declared in baseline.manifest.metrics.items()
        if name in carried
    }


def build(accepted: Acceptance, target: Path, label: str) -> Run:
    """Write the new baseline to a folder where nothing stands, and open it under the name that people know.

    Large texts that it needs come to stand beside it (see `Replacement`). Raises InvalidRunError if a run was changed
    since it was verified or lacks a large text, OSError.
    """
    body = accepted.current if accepted.is_whole or accepted.baseline is None else accepted.baseline
    _write(accepted, body, target)
    above = (accepted.baseline.folder if accepted.baseline else target).parent
    large_texts.bring(_taken(accepted), FolderSource(accepted.current.folder), above, target)
    if body is accepted.current:
        if accepted.current.run.volatile_measures():
            (target / _MEASURES).parent.mkdir()
            copy_file(accepted.current.folder / _MEASURES, target / _MEASURES)
    else:
        copy_volatile(body.folder / "volatile", target / "volatile", f"{label}/volatile")
    made = read_run(FolderSource(target, label))
    _check_made(accepted, body, made)
    return made


def _write(accepted: Acceptance, body: Side, target: Path) -> None:
    described = accepted.manifest
    with RunWriter(
        target,
        identity=described.identity,
        metrics=described.metrics,
        slices=described.slices,
        tags=described.tags,
        provenance=described.provenance,
        status=described.status,
        notes=described.notes,
        origin=described.origin,
    ) as writer:
        taken = accepted.choice.taken
        for line in lines(body.run) if accepted.is_whole else merged(body.run, accepted.current.run, taken):
            writer.append(_record(line))
        for point in body.run.points():
            writer.log_metric(point.name, point.value, point.step)
        for path in body.run.manifest.files:
            if path.startswith(_ARTIFACTS):
                writer.add_artifact(body.folder / path, path.removeprefix(_ARTIFACTS))


def _taken(accepted: Acceptance) -> Iterator[bytes]:
    """The lines that come from the current run."""
    taken = accepted.choice.taken
    return (line for line in lines(accepted.current.run) if accepted.is_whole or line_key(line) in taken)


def _record(line: bytes) -> JsonObject:
    return canonical.loads(line)  # type: ignore[return-value]  # verified: an object


def _check_made(accepted: Acceptance, body: Side, made: Run) -> None:
    """Hold what was written against both runs, which may have been changed while it was. Raises InvalidRunError."""
    files, theirs = made.manifest.files, body.run.manifest.files
    if accepted.is_whole and files != theirs:
        raise _changed(body.run)
    kept = [path for path in theirs if path == series.FILE or path.startswith(_ARTIFACTS)]
    if any(files.get(path) != theirs[path] for path in kept):
        raise _changed(body.run)
    if not accepted.is_whole:
        taken = accepted.choice.taken
        _check_pairs(made, accepted.current.run, lambda pair: key_of(pair) not in taken)
        _check_pairs(body.run, made, lambda pair: key_of(pair) in taken)


def _check_pairs(one: Run, other: Run, may_differ: Callable[[Pair], bool]) -> None:
    if not all(pair[0] == pair[1] or may_differ(pair) for pair in joined(one, other)):
        raise _changed(other)


def _changed(run: Run) -> InvalidRunError:
    return InvalidRunError("the run was changed while it was accepted", where=run.label, hint="run again")
