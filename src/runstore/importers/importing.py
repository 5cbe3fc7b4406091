"""The import of a file: a request in, a run on disk out, or nothing at all.

The source is read once, to its end, and the mapped records wait in a temporary file. If something does not fit, and
nothing decides what becomes of it, the import stops there and says so. Else the records go into the run. So none is
held in memory, and the ranges and counts that the manifest declares are known before the first record is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runstore import canonical, importers
from runstore.errors import SourceDataError, UsageError
from runstore.importers.decisions import Decisions
from runstore.importers.mapping import FieldMap, IdSource
from runstore.importers.misfits import EXPLANATIONS, Kind
from runstore.importers.origin import notes, origin
from runstore.importers.rows import shown
from runstore.importers.scan import WAITING, Progress, Scan, scan
from runstore.importers.source_file import SourceFile
from runstore.manifest import Identity, MetricDeclaration, Provenance
from runstore.store.durable import real_path
from runstore.store.writer import RunWriter

_UNMAPPED_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRequest:
    """What to import, how, and where to."""

    source: SourceFile
    output: Path
    format: str
    fields: FieldMap
    records: str | None = None
    decisions: Decisions = field(default_factory=Decisions)
    identity: Identity = field(default_factory=Identity)
    metrics: Mapping[str, MetricDeclaration] = field(default_factory=dict)
    """Declarations of scores; a score without one is declared with the defaults."""
    slices: Sequence[str] = ()
    replace: bool = False
    large_text: int | None = None
    """Texts of more than so many bytes are kept beside the run."""
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """How many records were written, what a person should know (`notes`), and what they should worry about."""

    records: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def import_run(request: ImportRequest, progress: Progress = lambda _: None) -> ImportResult:
    """Import a file as a run.

    Raises SourceDataError, listing all kinds with counts and first places, if something does not fit and no decision
    says what becomes of it; UsageError if a mapped field stands in no record, the records have no id, or source and
    output are in each other's way; RunExistsError; InvalidRunError for a record that a run cannot hold.
    """
    request.source.check()
    _check_places(request)
    form = importers.load_format(request.format)
    request = replace(request, fields=replace(request.fields, text_cells=form.TEXT_CELLS))
    rows = form.rows(request.source, request.records)
    with tempfile.TemporaryDirectory(prefix="runstore-import-") as folder:
        found = scan(rows, request.fields, request.decisions, Path(folder), progress)
        _check(found, request)
        written = _write(Path(folder) / WAITING, found, request)
    told = (*notes(request.fields, found), *_unmapped(found))
    return ImportResult(records=written, notes=told, warnings=tuple(_warnings(written, found, request)))


def _check_places(request: ImportRequest) -> None:
    if real_path(request.source.path).is_relative_to(real_path(request.output)):
        raise UsageError(
            f"{request.source.name} is, or lies in, the output {request.output}", hint="name another place for the run"
        )


def _check(found: Scan, request: ImportRequest) -> None:
    """Stop if the request does not fit the source, or if something does not fit and is undecided."""
    if found.rows and found.unfound:
        _stop_at_unfound(found)
    if request.fields.id_source is IdSource.UNSAID and found.rows:
        _check_unsaid_id(found)
    undecided = found.tally.undecided(request.decisions)
    if undecided:
        lines = "\n".join(found.tally.explain(undecided, found.twins))
        kinds = "1 kind of thing does" if len(undecided) == 1 else f"{len(undecided)} kinds of things do"
        raise SourceDataError(f"{kinds} not fit, so nothing was written\n{lines}", where=request.source.name)


def _stop_at_unfound(found: Scan) -> None:
    said = []
    for flag, one in found.unfound:
        text = (one.path if hasattr(one, "path") else one).text
        near = found.census.nearest(text)
        said.append(f"no record has the field {text!r} ({flag})" + (f"; did you mean {near!r}?" if near else ""))
    raise UsageError("\n  ".join(said), hint="fields are dotted paths into a record, with \\. for a dot in a key")


def _check_unsaid_id(found: Scan) -> None:
    without = found.tally.counts[Kind.MISSING_ID] + found.tally.counts[Kind.BAD_ID]
    if without:
        raise UsageError(
            f"say what the id of a record is: {without:,} of {found.rows:,} records have no text in a field 'id'",
            hint="--id FIELD names the field (several are joined by /), --id-from-input with --input FIELD derives one",
        )


def _write(waiting: Path, found: Scan, request: ImportRequest) -> int:
    writer = RunWriter(
        request.output,
        identity=request.identity,
        metrics={name: _declaration(name, found, request) for name in request.fields.scores},
        slices=request.slices,
        origin=origin(request.format, request.records, request.fields, request.decisions, found),
        replace=request.replace,
        large_text=request.large_text,
        provenance=request.provenance,
    )
    written = 0
    with writer, waiting.open("rb") as lines:
        for number, line in enumerate(lines):
            if not found.twins.drops(number):
                record = canonical.loads(line)
                assert isinstance(record, dict)
                writer.append(record)
                written += 1
    return written


def _declaration(name: str, found: Scan, request: ImportRequest) -> MetricDeclaration:
    declared = request.metrics.get(name, MetricDeclaration())
    if declared.range is None and found.all_boolean(name):
        return replace(declared, range=(0, 1))
    return declared


def _unmapped(found: Scan) -> list[str]:
    fields = found.census.unmapped()
    if not fields:
        return []
    named = ", ".join(f"{shown(name)[1:-1]} ({_records(count)})" for name, count in fields[:_UNMAPPED_SHOWN])
    more = f" and {len(fields) - _UNMAPPED_SHOWN:,} more fields" if len(fields) > _UNMAPPED_SHOWN else ""
    return [f"not imported: {named}{more}; --metadata NAME=FIELD keeps one"]


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _warnings(written: int, found: Scan, request: ImportRequest) -> list[str]:
    said = []
    if not written:
        said.append("the run has no records, so a comparison with it will fail")
    if not request.fields.scores:
        said.append("no --score was given: the run has no metrics")
    if found.twins.differing:
        kept = request.decisions.choice(Kind.TWIN_IDS)
        said.append(
            f"{found.twins.differing:,} of {found.twins.ids:,} twin ids have other values: the {kept} in the source "
            "was kept, so the order of the source matters for them"
        )
    for kind, (count, choice) in found.tally.decided(request.decisions).items():
        said.append(f"{kind} ({count:,}): {EXPLANATIONS[kind].counted}: {choice}")
    return said
