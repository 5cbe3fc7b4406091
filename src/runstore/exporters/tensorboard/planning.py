"""The plan of a TensorBoard run: a run and what was asked in, all that its event file will hold out. Pure.

Points become scalars, figures of the end and means of records scalars of their own, params hyperparameters and a table,
notes, tags and what the run is text, scores histograms. The records travel as a file beside. docs/exporting.md has the
table.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from runstore import canonical, exact, record, series, summary
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.exporters.contract import Attachment, Change, Options, PlannedPoint, plan_key
from runstore.exporters.names import Rule, names_file, rename_all
from runstore.exporters.redaction import (
    is_redacted,
    kept,
    kept_datasets,
    kept_provenance,
    left_out_by,
    redactions,
)
from runstore.exporters.tensorboard.events import shown
from runstore.exporters.tensorboard.histograms import make_buckets
from runstore.exporters.tensorboard.model import Bucket, Param, TensorboardPlan
from runstore.exporters.tensorboard.tables import make_table, of_members
from runstore.exporters.texts import left_texts
from runstore.manifest import Identity, Manifest
from runstore.series import Point
from runstore.store.reader import Run

NAME = "tensorboard"
DEFAULT_TARGET = "tensorboard"
FINAL, MEAN, SCORES, OWN = "final/", "records/mean/", "records/scores/", "runstore/"
TAGS = Rule(
    allowed=re.compile(r"[^\x00-\x1f\x7f]"),
    reserved=re.compile(r"\A(?:f(?=inal/)|r(?=ecords/|unstore/)|_(?=hparams_/))"),
)
"""TensorBoard takes every name; control characters are escaped, and what would be taken for a tag of ours."""
PARAMS = Rule(allowed=TAGS.allowed)
FOLDERS = Rule(
    allowed=re.compile(r"[A-Za-z0-9_.\-+=@, ]"),
    reserved=re.compile(r"\A[. ]|[. ]\Z|\A(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?=\.|\Z)", re.IGNORECASE),
    longest=100,
)
_KEY_SHOWN = 8


def plan_run(run: Run, options: Options) -> TensorboardPlan:
    """All that would be written. Raises InvalidDataError for a run that is not what it claims."""
    manifest, key = run.manifest, run_key(run, options)
    identity = manifest.identity
    changes: list[Change] = []
    params = _params(manifest, options, changes)
    tags, left_out = kept("tag", manifest.tags, options.redact)
    changes += left_out
    metrics = _metric_names(manifest, options, changes)
    note = _note(manifest, options, changes)
    totals, _ = summary.from_json(run.document("summary.json"))
    points = [*_points(run, metrics), *_means(totals, metrics)]
    changes += _rounded(points)
    histograms = _histograms(run, metrics, options, changes) if run.record_count else {}
    attachments = _attachments(run, options, changes)
    if (table := names_file(changes)) is not None:
        attachments.append(table)
    datasets = _datasets(manifest, options, changes)
    facts = _facts(run, key, options, changes)
    return TensorboardPlan(
        backend=NAME,
        target=options.target or DEFAULT_TARGET,
        run_id=manifest.run_id,
        digest=run.digest,
        key=key,
        title=identity.name,
        status=manifest.status,
        previous=options.previous,
        folder=folder_of(identity.project, identity.name, key[:_KEY_SHOWN]),
        live=_live(identity, options),
        params={name: value if isinstance(value, str) else _text(value) for name, value in params.items()},
        tags=tags,
        note=note,
        points=points,
        texts=_texts(facts, datasets, params, tags, note),
        histograms=histograms,
        hyperparameters={name: _hyperparameter(value) for name, value in params.items()},
        attachments=attachments,
        changes=changes,
        redact=options.redact,
    )


def run_key(run: Run, options: Options) -> str:
    """The key of a run, in whatever folder it stands. With something redacted it is another run: it holds less."""
    return plan_key(NAME, left_out_by(options.redact), run.digest)


def _live(identity: Identity, options: Options) -> str:
    """The folder of the live mirror. It is to be removed, so it is one that a mirror of this run makes, or none."""
    found = options.live.get("folder", "")
    stem = folder_of(identity.project, identity.name, "live-")
    return found if re.fullmatch(rf"{re.escape(stem)}[0-9a-f]{{8}}-[1-9][0-9]{{0,5}}", found) else ""


def folder_of(project: str, name: str, token: str) -> str:
    """The folder of a run below the target."""
    return f"{FOLDERS.name(project)}/{FOLDERS.name(name)}-{token}"


def _text(value: JsonValue) -> str:
    return canonical.jcs(value).decode()


def _params(manifest: Manifest, options: Options, changes: list[Change]) -> dict[str, JsonValue]:
    """The params as they are named at TensorBoard."""
    left, left_out = kept("param", manifest.identity.params, options.redact)
    renamed, told = rename_all("param", left, PARAMS)
    changes += [*left_out, *told]
    return {renamed[name]: value for name, value in left.items()}


def _hyperparameter(value: JsonValue) -> Param:
    """A param as a hyperparameter; every number of a run is a double exactly."""
    assert value is None or isinstance(value, str | bool | int | float)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _metric_names(manifest: Manifest, options: Options, changes: list[Change]) -> dict[str, str]:
    left, left_out = kept("metric", manifest.metrics, options.redact)
    renamed, told = rename_all("metric", left, TAGS)
    changes += [*left_out, *told]
    return renamed


def _note(manifest: Manifest, options: Options, changes: list[Change]) -> str | None:
    if manifest.notes is not None and is_redacted("notes", options.redact):
        changes += redactions("note", ["notes"])
        return None
    return manifest.notes


def _points(run: Run, metrics: Mapping[str, str]) -> Iterator[PlannedPoint]:
    """The points of the series; a figure of the end has a tag of its own, so that it is no step that nobody took."""
    finals: list[Point] = []
    for point in run.points():
        if point.name not in metrics:
            continue
        if point.step is None:
            finals.append(point)
        else:
            yield PlannedPoint(name=metrics[point.name], step=point.step, value=float(point.value))
    for point in finals:
        yield PlannedPoint(name=FINAL + metrics[point.name], step=0, value=float(point.value))


def _means(totals: summary.Tally, metrics: Mapping[str, str]) -> Iterator[PlannedPoint]:
    """The mean of each metric of the records, as the summary has it."""
    for name in sorted(totals.metrics, key=str.encode):
        sums = totals.metrics[name]
        if name in metrics and sums.count:
            yield PlannedPoint(name=MEAN + metrics[name], step=0, value=exact.mean(sums.count, sums.sum))


def _rounded(points: Sequence[PlannedPoint]) -> Iterator[Change]:
    """A change for each tag of which TensorBoard shows a number otherwise than it is."""
    rounded = Counter(point.name for point in points if shown(point.value) != point.value)
    for tag, count in sorted(rounded.items(), key=lambda item: item[0].encode()):
        told = f"{count} shown with 24 bits, as all of TensorBoard's scalars; each has its exact double beside it"
        yield Change(kind="metric", name=tag, deed="converted", sent=tag, reason=told)


def _is_hidden_score(name: str, options: Options) -> bool:
    return is_redacted("scores", options.redact) or is_redacted(f"scores.{name}", options.redact)


def _histograms(
    run: Run, metrics: Mapping[str, str], options: Options, changes: list[Change]
) -> dict[str, list[Bucket]]:
    """The buckets of the scores of each metric, over the records that are `ok`."""
    scores: dict[str, array[float]] = {}
    for found in _records(run):
        values = found.get("scores")
        if isinstance(values, dict) and found.get("status", "ok") == "ok":
            for name, value in values.items():
                assert isinstance(value, int | float)
                scores.setdefault(name, array("d")).append(value)
    drawn = {}
    shown_ones = {name for name in scores.keys() & metrics.keys() if not _is_hidden_score(name, options)}
    for name in sorted(shown_ones, key=str.encode):
        tag = SCORES + metrics[name]
        drawn[tag] = make_buckets(scores[name])
        told = f"{len(scores[name])} scores in {len(drawn[tag])} buckets; the run has each"
        changes.append(Change(kind="record", name=name, deed="converted", sent=tag, reason=told))
    return drawn


def _records(run: Run) -> Iterator[record.JsonObject]:
    ranges = run.manifest.ranges
    for batch in run.batches():
        for number, line in enumerate(batch.lines, start=batch.first_line):
            try:
                yield record.read(line, ranges)
            except InvalidDataError as error:
                raise run.located(error, batch.path, number) from error


def _attachments(run: Run, options: Options, changes: list[Change]) -> list[Attachment]:
    """The series and the records, as files beside the event file; TensorBoard has no place for artifacts."""
    files = [Attachment(path=OWN + series.FILE, origin=series.FILE)] if series.FILE in run.manifest.files else []
    for path in run.manifest.files:
        if path.startswith("artifacts/") and options.artifacts:
            told = "TensorBoard shows no files; it stays in the run"
            changes.append(Change(kind="artifact", name=path, deed="dropped", sent=None, reason=told))
    if not (options.records and run.record_count):
        return files
    if is_redacted("id", options.redact):
        changes += redactions("record", ["id"])
        return files
    if options.redact:
        told = "every field that --redact names is left out"
        changes.append(Change(kind="record", name="records", deed="redacted", sent="records", reason=told))
    changes += left_texts(run)
    told = "TensorBoard has no table of records; they stand beside the event file"
    changes.append(Change(kind="record", name="records", deed="attached", sent=f"{OWN}records", reason=told))
    return files + [Attachment(path=OWN + path, origin=path) for path in run.record_files]


def _facts(run: Run, key: str, options: Options, changes: list[Change]) -> dict[str, JsonValue]:
    """What the run is. Nothing of its environment or host is among it."""
    manifest = run.manifest
    identity = manifest.identity
    made, left_out = kept_provenance(manifest.provenance, options.redact)
    changes += left_out
    facts: dict[str, JsonValue] = {
        "run_id": manifest.run_id,
        "digest": run.digest,
        "key": key,
        "project": identity.project,
        "suite": identity.suite,
        "name": identity.name,
        "status": manifest.status,
        "records": run.record_count,
        "parent": identity.parent,
        **made,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _datasets(manifest: Manifest, options: Options, changes: list[Change]) -> list[list[JsonValue]]:
    """Name, digest and version of each data set."""
    left, left_out = kept_datasets(manifest.identity.datasets, options.redact)
    changes += left_out
    return [[one.name, one.digest, one.version] for one in left]


def _texts(
    facts: Mapping[str, JsonValue],
    datasets: Sequence[Sequence[JsonValue]],
    params: Mapping[str, JsonValue],
    tags: Mapping[str, str],
    note: str | None,
) -> dict[str, str]:
    texts = {f"{OWN}run": of_members(facts)}
    if datasets:
        texts[f"{OWN}datasets"] = make_table(("name", "digest", "version"), datasets)
    if params:
        texts[f"{OWN}params"] = of_members(params)
    if tags:
        texts[f"{OWN}tags"] = make_table(("name", "value"), tags.items())
    if note is not None:
        texts[f"{OWN}notes"] = note
    return texts


def link_texts(plan: TensorboardPlan) -> dict[str, str]:
    """The texts of the file that names the run before."""
    return {f"{OWN}previous": of_members({"previous": plan.previous})}
