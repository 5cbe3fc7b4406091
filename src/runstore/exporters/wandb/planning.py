"""The plan of a W&B run: a run and what was asked in, everything that will be sent out. Pure.

Parameters become the config, points the history and the summary (`figures`), tags labels (`name=value`), notes notes,
records a table and a file, artifacts files. What W&B has no place for (ids, digests, data sets, the tags as they are)
stands in the config under `runstore`. docs/exporting-wandb.md has the whole table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters.contract import Attachment, Change, Kind, Options, Plan, plan_key
from runstore.exporters.names import Rule, names_file, rename_all
from runstore.exporters.redaction import is_redacted, kept, kept_datasets, kept_provenance, redactions
from runstore.exporters.texts import left_texts
from runstore.exporters.wandb.figures import LONGEST_NAME, NAME, OWN, RECORDS, figures_of
from runstore.exporters.wandb.place import Place, read_place
from runstore.exporters.wandb.table import make_table
from runstore.store.reader import Run

TABLE_FILE = "media/table/records.table.json"
PARAMS = Rule(allowed=NAME, longest=LONGEST_NAME, reserved=re.compile(rf"\A(?:[_0-9/]|r(?={OWN[1:]}\Z))"))
_LABEL_CHARACTERS = 64
_ARTIFACTS = "artifacts/"
_TITLE_CHARACTERS = 128
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class WandbPlan(Plan):
    """A plan for W&B. `config` and `summary` are as W&B will hold them, `labels` are its tags, in order."""

    place: Place
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    summary: Mapping[str, JsonValue] = field(default_factory=dict)
    labels: Sequence[str] = ()
    group: str = ""
    live: str = ""
    """The id that a live mirror gave this run there, if one did."""
    row_count: int = 0
    """How many lines of history there will be: one for each step at which something was measured."""

    def counts(self) -> dict[str, int]:
        """As the contract has it, and the figures of the summary."""
        return {**Plan.counts(self), "figures": len(self.summary.keys() - {RECORDS})}

    def more(self) -> dict[str, JsonValue]:
        """What of the config is no param, the summary, the labels and the group."""
        return {
            "config": {OWN: self.config[OWN]},
            "figures": dict(self.summary),
            "labels": list(self.labels),
            "group": self.group or None,
        }

    def rows(self) -> Iterator[tuple[int, dict[str, float]]]:
        """The history: step → name → value. All that was measured at a step is one line, as W&B's steps only grow."""
        by_step: dict[int, dict[str, float]] = {}
        for point in self.points:
            by_step.setdefault(point.step, {})[point.name] = point.value
        return iter(sorted(by_step.items()))


def plan_run(run: Run, options: Options) -> WandbPlan:
    """All that would be sent. Raises UsageError for a target that cannot be, InvalidDataError for a damaged run."""
    manifest, globs = run.manifest, options.redact
    identity = manifest.identity
    place = read_place(options.target, options.environment, identity.project)
    changes: list[Change] = []
    params = _params(identity.params, options, changes)
    tags, hidden = kept("tag", manifest.tags, globs)
    note, hidden_note = kept("note", {} if manifest.notes is None else {"notes": manifest.notes}, globs)
    changes += [*hidden, *hidden_note]
    figures = figures_of(run, globs)
    changes += figures.changes
    summary = dict(figures.summary)
    attachments = _attachments(run, options, changes, summary)
    key = run_key(run, options)
    title = _title(identity.name, changes)
    labels = labels_of(tags, changes)
    own = _own(run, key, tags, options, changes)
    if (table := names_file(changes)) is not None:
        attachments.append(table)
    return WandbPlan(
        backend="wandb",
        target=place.target,
        place=place,
        run_id=manifest.run_id,
        digest=run.digest,
        key=key,
        title=title,
        status=manifest.status,
        previous=options.previous,
        params={name: canonical.encode(value).decode() for name, value in params.items()},
        config={**params, OWN: own},
        tags=tags,
        labels=labels,
        note=note.get("notes"),
        points=figures.points,
        row_count=len({point.step for point in figures.points}),
        summary=summary,
        live=_live_id(options),
        group="" if identity.suite == "default" else identity.suite[:_TITLE_CHARACTERS],
        attachments=sorted(attachments, key=lambda one: one.path.encode()),
        changes=changes,
    )


def run_key(run: Run, options: Options) -> str:
    """The id of a run at W&B, where ids are a project's: from the run's digest and what is left out of it.

    The place has no part in it, so that a run written to a folder and sent from there is the run that was sent.
    """
    asked = [options.artifacts, options.records, sorted(set(options.redact))]
    return plan_key("wandb", canonical.encode(asked).decode(), run.digest)


def _live_id(options: Options) -> str:
    """The id of the live run, where everything is sent: a mirror sends all, and what it sent cannot be taken back."""
    found = options.live.get("id", "")
    is_whole = options.artifacts and options.records and not options.redact
    return found if is_whole and _ID.fullmatch(found) else ""


def _params(values: Mapping[str, JsonValue], options: Options, changes: list[Change]) -> dict[str, JsonValue]:
    """Name at W&B → value; the values of a run are JSON scalars, which the config holds as they are."""
    left, hidden = kept("param", values, options.redact)
    renamed, told = rename_all("param", left, PARAMS)
    changes += [*hidden, *told]
    return {renamed[name]: value for name, value in left.items()}


def _attachments(run: Run, options: Options, changes: list[Change], summary: dict[str, JsonValue]) -> list[Attachment]:
    """The files that go along; adds the table of records to the summary."""
    found: list[Attachment] = []
    if run.record_count and options.records and not is_redacted("id", options.redact):
        table = make_table(run, options.redact)
        changes += [*table.changes, *redactions("record", table.redacted)]
        found.append(Attachment(path=TABLE_FILE, content=table.content))
        summary[RECORDS] = {
            "_type": "table-file",
            "ncols": table.columns,
            "nrows": table.rows,
            "path": TABLE_FILE,
            "sha256": canonical.sha256(table.content),
            "size": len(table.content),
        }
    found += _record_files(run, options, changes)
    return found + _artifacts(run, options, changes)


def _artifacts(run: Run, options: Options, changes: list[Change]) -> list[Attachment]:
    paths = [path for path in run.manifest.files if path.startswith(_ARTIFACTS)]
    if not options.artifacts:
        changes += [_left_out("artifact", path, "artifacts are not to be sent") for path in paths]
        return []
    hidden = {path for path in paths if is_redacted(path.removeprefix(_ARTIFACTS), options.redact)}
    changes += redactions("artifact", hidden)
    return [Attachment(path=path, origin=path) for path in paths if path not in hidden]


def _record_files(run: Run, options: Options, changes: list[Change]) -> list[Attachment]:
    """The records as they are; not if something of them must not leave, as a file is sent whole or not at all."""
    paths = run.record_files if run.record_count else []
    if paths and options.records and not is_redacted("id", options.redact):
        changes += left_texts(run)
    if options.records and not options.redact:
        return [Attachment(path=path, origin=path) for path in paths]
    if is_redacted("id", options.redact):
        changes += redactions("record", paths)
        return []
    reason = "with --redact only the table of records is sent" if options.records else "records are not to be sent"
    changes += [_left_out("record", path, reason) for path in paths]
    return []


def _left_out(kind: Kind, name: str, reason: str) -> Change:
    return Change(kind=kind, name=name, deed="dropped", sent=None, reason=reason)


def _own(run: Run, key: str, tags: Mapping[str, str], options: Options, changes: list[Change]) -> dict[str, JsonValue]:
    """What W&B has no place for. The fingerprint of the environment stays out."""
    identity = run.manifest.identity
    left, hidden = kept_datasets(identity.datasets, options.redact)
    made, unnamed = kept_provenance(run.manifest.provenance, options.redact)
    changes += [*hidden, *unnamed]
    datasets: list[JsonValue] = [
        {"digest": one.digest, "name": one.name, **({"version": one.version} if one.version is not None else {})}
        for one in left
    ]
    told: dict[str, JsonValue] = {
        **made,
        "datasets": datasets or None,
        "digest": run.digest,
        "key": key,
        "name": identity.name,
        "parent": identity.parent,
        "previous": options.previous,
        "project": identity.project,
        "records": run.record_count,
        "run_id": run.manifest.run_id,
        "status": run.manifest.status,
        "suite": identity.suite,
        "tags": dict(tags) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def labels_of(tags: Mapping[str, str], changes: list[Change]) -> list[str]:
    """W&B's tags are words of 1 to 64 characters: `name=value`; a longer one ends in a digest of the whole."""
    labels = []
    for name, value in sorted(tags.items(), key=lambda tag: tag[0].encode()):
        label = f"{name}={value}"
        if len(label) > _LABEL_CHARACTERS:
            tail = f"~{hashlib.sha256(label.encode()).hexdigest()[:8]}"
            label = label[: _LABEL_CHARACTERS - len(tail)] + tail
            changes.append(_cut("tag", name, label, _LABEL_CHARACTERS, f"{OWN}.tags"))
        labels.append(label)
    return labels


def _title(name: str, changes: list[Change]) -> str:
    title = name[:_TITLE_CHARACTERS]
    if title != name:
        changes.append(_cut("run", name, title, _TITLE_CHARACTERS, f"{OWN}.name"))
    return title


def _cut(kind: Kind, name: str, sent: str, longest: int, place: str) -> Change:
    reason = f"longer than {longest} characters; the whole is in the config under {place}"
    return Change(kind=kind, name=name, deed="truncated", sent=sent, reason=reason)
