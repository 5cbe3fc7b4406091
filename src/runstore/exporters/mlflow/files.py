"""The files that go with a run to MLflow: its records, as they are and as MLflow's table, its artifacts, exact values.

What is made here stands under `runstore/`, so that the run's own artifacts keep their paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters import names
from runstore.exporters.contract import Attachment, Change, Options
from runstore.exporters.mlflow.values import cut
from runstore.exporters.redaction import Globs, is_redacted, kept_record
from runstore.exporters.texts import left_texts
from runstore.manifest import Manifest
from runstore.store.reader import Run

OWN = "runstore"
TABLE = f"{OWN}/records.json"
TABLE_ROWS = 10_000
"""MLflow's pages hold a table in memory; the whole is in the records' own file."""
CELL_CHARS = 4_000
_OURS = re.compile(rf"^{OWN[0]}(?={OWN[1:]}(?:/|$))")
_ARTIFACT_NAMES = names.Rule(allowed=re.compile(r"[^\x00-\x1f\x7f]"), reserved=_OURS)
_FIELDS = ("id", "repeat", "status")
_JSON_FIELDS = ("input", "target", "output", "reason", "metadata")


def of_run(run: Run, options: Options) -> tuple[list[Attachment], list[Change]]:
    """The files of the run itself. Raises InvalidDataError."""
    records, record_changes = _records(run, options)
    artifacts, artifact_changes = _artifacts(run, options)
    return [*records, *artifacts], [*record_changes, *artifact_changes]


def _artifacts(run: Run, options: Options) -> tuple[list[Attachment], list[Change]]:
    found, changes = [], []
    for origin in run.manifest.files:
        name = origin.removeprefix("artifacts/")
        if name == origin:
            continue
        if not options.artifacts or is_redacted(name, options.redact):
            deed, reason = ("redacted", "--redact names it") if options.artifacts else ("dropped", "--no-artifacts")
            changes.append(Change(kind="artifact", name=name, deed=deed, sent=None, reason=reason))  # type: ignore[arg-type]  # one of two
            continue
        path = _ARTIFACT_NAMES.name(name)
        if path != name:
            reason = f"{OWN}/ holds what the export itself adds"
            changes.append(Change(kind="artifact", name=name, deed="renamed", sent=path, reason=reason))
        found.append(Attachment(path=path, origin=origin))
    return found, changes


def _records(run: Run, options: Options) -> tuple[list[Attachment], list[Change]]:
    if not run.record_count:
        return [], []
    if not options.records or is_redacted("id", options.redact):
        deed, reason = ("redacted", "--redact names their id") if options.records else ("dropped", "--no-records")
        return [], [Change(kind="record", name="records.jsonl", deed=deed, sent=None, reason=reason)]  # type: ignore[arg-type]  # one of two
    changes = []
    if options.redact:
        whole = [Attachment(path=f"{OWN}/records.jsonl", content=_redacted_lines(run, options.redact))]
        reason = "fields that --redact names are left out"
        changes.append(Change(kind="record", name="records.jsonl", deed="redacted", sent=whole[0].path, reason=reason))
    else:
        whole = [Attachment(path=f"{OWN}/{path}", origin=path) for path in run.record_files]
    if run.record_count > TABLE_ROWS:
        reason = f"a table for people, of the first {TABLE_ROWS} records; {OWN}/records*.jsonl has all"
        changes.append(Change(kind="record", name="table", deed="truncated", sent=TABLE, reason=reason))
    changes.extend(left_texts(run))
    table, count = _table(run, options.redact)
    if count:
        reason = f"{count} cells longer than {CELL_CHARS} characters; {OWN}/records*.jsonl has the whole"
        changes.append(Change(kind="record", name="cells of the table", deed="truncated", sent=TABLE, reason=reason))
    return [*whole, Attachment(path=TABLE, content=table)], changes


def _lines(run: Run) -> Iterator[dict[str, JsonValue]]:
    for batch in run.batches():
        for value in canonical.loads_all(batch.lines):
            assert isinstance(value, dict)
            yield value


def _redacted_lines(run: Run, globs: Globs) -> bytes:
    return b"".join(canonical.encode(kept_record(record, globs)) + b"\n" for record in _lines(run))


def _table(run: Run, globs: Globs) -> tuple[bytes, int]:
    """Records as MLflow's `log_table` writes them: `columns`, and `data`, one row a record; texts and numbers only.

    With it comes how many cells were cut. Source: mlflow/tracking/client.py, log_table: pandas' `split` form.
    """
    rows, count = [], 0
    for record in islice(_lines(run), TABLE_ROWS):
        whole = _row(kept_record(record, globs))
        rows.append(
            {name: cut(value, CELL_CHARS) if isinstance(value, str) else value for name, value in whole.items()}
        )
        count += sum(rows[-1][name] != value for name, value in whole.items())
    found = {name for row in rows for name in row}
    fixed = [name for name in _FIELDS if name in found]
    columns = [*fixed, *sorted(found.difference(fixed), key=str.encode)]
    data: list[JsonValue] = [[row.get(name) for name in columns] for row in rows]
    return canonical.jcs({"columns": list(columns), "data": data}), count


def _row(record: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(record, dict)
    row: dict[str, JsonValue] = {name: record[name] for name in _FIELDS if name in record}
    row["status"] = record.get("status", "ok")
    for group in ("scores", "tags"):
        members = record.get(group)
        if isinstance(members, dict):
            row.update((f"{group}.{name}", value) for name, value in members.items())
    for name in _JSON_FIELDS:
        if name in record:
            value = record[name]
            row[name] = value if isinstance(value, str) else canonical.jcs(value).decode()
    return row


def table_tag(attachments: Sequence[Attachment]) -> str | None:
    """The tag by which MLflow's pages find the table (mlflow.loggedArtifacts); None without one."""
    if any(one.path == TABLE for one in attachments):
        return canonical.jcs([{"path": TABLE, "type": "table"}]).decode()
    return None


def made_for(manifest: Manifest, changes: Sequence[Change], globs: Globs) -> list[Attachment]:
    """What MLflow cannot hold as it is, exactly: types of params, names, texts that were cut."""
    made = []
    params: dict[str, JsonValue] = {
        name: value for name, value in manifest.identity.params.items() if not is_redacted(name, globs)
    }
    shortened = {(change.kind, change.name) for change in changes if change.deed == "truncated"}
    if any(not isinstance(value, str) for value in params.values()) or any(kind == "param" for kind, _ in shortened):
        made.append(Attachment(path=f"{OWN}/params.json", content=canonical.jcs_document(params)))
    tags: dict[str, JsonValue] = {name: value for name, value in manifest.tags.items() if ("tag", name) in shortened}
    if tags:
        made.append(Attachment(path=f"{OWN}/tags.json", content=canonical.jcs_document(tags)))
    if ("note", "notes") in shortened and manifest.notes is not None:
        made.append(Attachment(path=f"{OWN}/notes.md", content=manifest.notes.encode()))
    if listed := names.names_file(changes):
        made.append(listed)
    return made
