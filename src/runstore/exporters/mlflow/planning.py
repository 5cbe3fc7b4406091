"""A plan for MLflow: a run and what a person asked in, all that would be sent out. Nothing is sent, no clock read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters import names
from runstore.exporters.contract import Attachment, Change, Kind, Options, plan_key
from runstore.exporters.mlflow import files
from runstore.exporters.mlflow.address import read_place
from runstore.exporters.mlflow.figures import read_points
from runstore.exporters.mlflow.model import (
    GIT_COMMIT,
    GIT_DIRTY,
    KEY,
    LOGGED_ARTIFACTS,
    PREVIOUS,
    RUN_ID,
    STATUS,
    MlflowPlan,
    PlannedDataset,
)
from runstore.exporters.mlflow.values import (
    DATASET_DIGEST_CHARS,
    DATASET_NAME_CHARS,
    NAME_CHARS,
    PARAM_CHARS,
    PATHLIKE,
    TAG_CHARS,
    cut,
    is_converted,
    param_text,
)
from runstore.exporters.redaction import (
    Globs,
    is_redacted,
    kept,
    kept_datasets,
    kept_provenance,
    left_out_by,
    redactions,
)
from runstore.manifest import Manifest
from runstore.store.reader import Run

PARAM_NAMES = names.Rule(longest=NAME_CHARS, reserved=re.compile(PATHLIKE))
TAG_NAMES = names.Rule(longest=NAME_CHARS, reserved=re.compile(rf"{PATHLIKE}|^m(?=lflow\.)|^r(?=unstore\.)"))
_MARK = re.compile(r"[0-9a-f]{32}")
_DATASET_NAMES = names.Rule(allowed=re.compile(r"[^\x00-\x1f\x7f]"), longest=DATASET_NAME_CHARS)


def make_plan(run: Run, options: Options) -> MlflowPlan:
    """All that would be sent. Pure. Raises UsageError for a target that cannot be, InvalidDataError for the run."""
    manifest, globs = run.manifest, options.redact
    place = read_place(options, manifest.identity.project)
    params, param_changes = _params(manifest, globs)
    tags, tag_changes = _tags(manifest, globs)
    note, note_changes = _note(manifest, globs)
    points, point_changes = read_points(run, globs)
    datasets, dataset_changes = _datasets(manifest, globs)
    attachments, file_changes = files.of_run(run, options)
    changes = [*_identity(manifest), *param_changes, *tag_changes, *note_changes, *point_changes]
    changes += [*dataset_changes, *file_changes]
    table = files.table_tag(attachments)
    key = plan_key("mlflow", place.target + left_out_by(globs), run.digest)
    plan = MlflowPlan(
        backend="mlflow",
        target=place.target,
        server=place.server,
        experiment=place.experiment,
        run_id=manifest.run_id,
        digest=run.digest,
        key=key,
        title=_title(manifest),
        status=STATUS[manifest.status],
        previous=options.previous,
        params=params,
        tags={**tags, **_own_tags(run, key, options, table)},
        note=note,
        points=points,
        attachments=[*files.made_for(manifest, changes, globs), *attachments],
        changes=changes,
        datasets=datasets,
        live=_live(options),
        parent=manifest.identity.parent,
    )
    return replace(plan, fingerprint=_fingerprint(plan, run))


def _live(options: Options) -> str:
    """The mark of the live run; it goes into a filter, so it is one of ours or none."""
    found = options.live.get("token", "")
    return found if _MARK.fullmatch(found) else ""


def _title(manifest: Manifest) -> str:
    return cut(manifest.identity.name, NAME_CHARS) or "run"


def _identity(manifest: Manifest) -> Iterator[Change]:
    """What of the names of run, project and suite is cut."""
    identity = manifest.identity
    for what, whole, most, sent in (
        ("name", identity.name, NAME_CHARS, _title(manifest)),
        ("project", identity.project, TAG_CHARS, cut(identity.project, TAG_CHARS)),
        ("suite", identity.suite, TAG_CHARS, cut(identity.suite, TAG_CHARS)),
    ):
        if sent != whole:
            reason = f"{len(whole)} characters, of which {most} are held; the run itself has the whole"
            yield Change(kind="run", name=what, deed="truncated", sent=sent, reason=reason)


def _params(manifest: Manifest, globs: Globs) -> tuple[dict[str, str], list[Change]]:
    given, redacted = kept("param", manifest.identity.params, globs)
    renamed, changes = names.rename_all("param", sorted(given, key=str.encode), PARAM_NAMES)
    changes.extend(redacted)
    found = {}
    for name, sent in renamed.items():
        text = param_text(given[name])
        found[sent] = cut(text, PARAM_CHARS)
        if is_converted(given[name]):
            reason = f"params are texts there; {files.OWN}/params.json has the value"
            changes.append(Change(kind="param", name=name, deed="converted", sent=text, reason=reason))
        changes.extend(_cut("param", name, text, found[sent], PARAM_CHARS, "params.json"))
    return found, changes


def _tags(manifest: Manifest, globs: Globs) -> tuple[dict[str, str], list[Change]]:
    given, redacted = kept("tag", manifest.tags, globs)
    renamed, changes = names.rename_all("tag", sorted(given, key=str.encode), TAG_NAMES)
    changes.extend(redacted)
    found = {}
    for name, sent in renamed.items():
        found[sent] = cut(given[name], TAG_CHARS)
        changes.extend(_cut("tag", name, given[name], found[sent], TAG_CHARS, "tags.json"))
    made, unnamed = kept_provenance(manifest.provenance, globs)
    changes.extend(unnamed)
    if "commit" in made:
        found[GIT_COMMIT] = cut(str(made["commit"]), TAG_CHARS)
    if "dirty" in made:
        found[GIT_DIRTY] = str(made["dirty"])  # as MLflow's SDK writes it
    return found, changes


def _own_tags(run: Run, key: str, options: Options, table: str | None) -> dict[str, str]:
    """What the export itself is known by."""
    identity = run.manifest.identity
    found = {
        KEY: key,
        RUN_ID: run.manifest.run_id,
        "runstore.digest": run.digest,
        "runstore.project": cut(identity.project, TAG_CHARS),
        "runstore.suite": cut(identity.suite, TAG_CHARS),
    }
    if identity.parent is not None:
        found["runstore.parent"] = identity.parent
    if options.previous is not None:
        found[PREVIOUS] = options.previous
    if table is not None:
        found[LOGGED_ARTIFACTS] = table
    return found


def _note(manifest: Manifest, globs: Globs) -> tuple[str | None, list[Change]]:
    whole = manifest.notes
    if whole is None:
        return None, []
    if is_redacted("notes", globs):
        return None, list(redactions("note", ["notes"]))
    sent = cut(whole, TAG_CHARS)
    return sent, list(_cut("note", "notes", whole, sent, TAG_CHARS, "notes.md"))


def _datasets(manifest: Manifest, globs: Globs) -> tuple[list[PlannedDataset], list[Change]]:
    found = []
    left, changes = kept_datasets(manifest.identity.datasets, globs)
    for one in left:
        source: dict[str, JsonValue] = {"digest": one.digest, "name": one.name}
        if one.version is not None:
            source["version"] = one.version
        sent = PlannedDataset(
            name=_DATASET_NAMES.name(one.name),
            digest=one.digest[:DATASET_DIGEST_CHARS] or "none",
            source=canonical.jcs(source).decode(),
        )
        found.append(sent)
        if sent.digest != one.digest:
            reason = f"digests have {DATASET_DIGEST_CHARS} characters there; the source of the data set has the whole"
            changes.append(Change(kind="dataset", name=one.name, deed="truncated", sent=sent.digest, reason=reason))
        if sent.name != one.name:
            reason = _DATASET_NAMES.reason(one.name)
            changes.append(Change(kind="dataset", name=one.name, deed="renamed", sent=sent.name, reason=reason))
    return found, changes


def _cut(kind: Kind, name: str, whole: str, sent: str, most: int, file: str) -> Iterator[Change]:
    if sent != whole:
        reason = f"{len(whole)} characters, of which {most} are held; {files.OWN}/{file} has the whole"
        yield Change(kind=kind, name=name, deed="truncated", sent=sent, reason=reason)


def _fingerprint(plan: MlflowPlan, run: Run) -> str:
    """SHA-256 of all that is sent, in order, but for the link to the export before: the ledger may have lost that."""
    digest = hashlib.sha256()
    tags: dict[str, JsonValue] = {name: value for name, value in plan.tags.items() if name != PREVIOUS}
    sent: list[JsonValue] = [
        plan.key, plan.title, plan.status, dict(plan.params), tags, plan.note,
        [[one.name, one.digest, one.source] for one in plan.datasets],
        [[one.path, _content_digest(one, run)] for one in plan.attachments],
    ]  # fmt: skip
    digest.update(canonical.jcs(sent))
    for point in plan.points:
        digest.update(f"{point.name}\n{point.step} {point.final} {point.value.hex()}\n".encode())
    return digest.hexdigest()


def _content_digest(one: Attachment, run: Run) -> str:
    return canonical.sha256(one.content or b"") if one.origin is None else run.manifest.files[one.origin].sha256
