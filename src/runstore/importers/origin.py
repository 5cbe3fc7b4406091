"""What the manifest says about where an imported run comes from: mapping, decisions, counts, notes.

It depends on what the source holds and on the flags alone, never on the order of the records, the name of the file, the
folder or the clock: the same records make the same run.
"""

from __future__ import annotations

from runstore.canonical import JsonValue
from runstore.importers.decisions import Decisions
from runstore.importers.mapping import FieldMap, IdSource
from runstore.importers.misfits import Kind
from runstore.importers.scan import Scan


def origin(format_name: str, records: str | None, fields: FieldMap, decisions: Decisions, scan: Scan) -> JsonValue:
    """The `origin` of the manifest (docs/format.md, section 5)."""
    decided = scan.tally.decided(decisions)
    counts: dict[str, JsonValue] = {str(kind): count for kind, (count, _) in decided.items()}
    if scan.twins.ids:
        counts["twin-records"] = scan.twins.rows
        counts["twin-ids-with-other-values"] = scan.twins.differing
    mapping = _mapping(fields, scan)
    if records is not None:
        mapping["records"] = records
    told: dict[str, JsonValue] = {"importer": format_name, "mapping": mapping}
    applied: dict[str, JsonValue] = {_decision_name(kind): choice for kind, (_, choice) in decided.items()}
    lists: dict[str, JsonValue] = {"decisions": applied, "counts": counts, "notes": list(notes(fields, scan))}
    return told | {name: value for name, value in lists.items() if value}


def _decision_name(kind: Kind) -> str:
    return "duplicate" if kind is Kind.TWIN_IDS else str(kind)


def _mapping(fields: FieldMap, scan: Scan) -> dict[str, JsonValue]:
    ids: JsonValue = [path.text for path in fields.ids]
    if fields.id_source is IdSource.INPUT:
        ids = "sha256 of the input"
    elif fields.id_source is IdSource.UNSAID:
        ids = "key" if scan.keyed else ["id"]
    named: dict[str, JsonValue] = {
        "scores": {name: score.path.text for name, score in fields.scores.items()},
        "tags": {name: path.text for name, path in fields.tags.items()},
        "metadata": {name: path.text for name, path in fields.metadata.items()},
        **{name: path.text for name, path in fields.contents.items()},
        "status": fields.status.text if fields.status else None,
        "repeat": fields.repeat.text if fields.repeat else None,
    }
    mapping: dict[str, JsonValue] = {"id": ids}
    for name, value in named.items():
        if value:
            mapping[name] = value
    return mapping


def notes(fields: FieldMap, scan: Scan) -> list[str]:
    """What was read in another type than it stood in, and how ids were made when no flag names their field."""
    said = []
    if fields.id_source is IdSource.INPUT:
        said.append("id: the first 16 hexadecimal digits of the SHA-256 of the canonical input")
    elif fields.id_source is IdSource.UNSAID and scan.rows:
        said.append("id: the key in the object of records" if scan.keyed else "id: the field 'id'")
    if scan.integer_ids:
        said.append("id: integers became their decimal text")
    for name in sorted(scan.booleans):
        said.append(f"{name}: booleans were read as 1 and 0 ({scan.booleans[name]:,} of {scan.scored[name]:,} scores)")
    return said
