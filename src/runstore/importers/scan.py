"""Reading a source: rows in; all that an import has to know before it writes, and the mapped records in waiting, out.

It goes through the whole source whatever it finds, so that a person sees all kinds of misfits at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from runstore import canonical
from runstore.importers.census import FieldCensus
from runstore.importers.decisions import Decisions
from runstore.importers.field_path import FieldPath, Missing
from runstore.importers.mapping import FieldMap, IdSource, Mapped, ScoreField, map_row
from runstore.importers.misfits import Kind
from runstore.importers.rows import BadRow, Row, Rows, shown
from runstore.importers.tally import Tally
from runstore.importers.twins import TwinFinder, Twins
from runstore.store.durable import named_errors

Progress = Callable[[int], None]
PROGRESS_ROWS = 5000
WAITING = "records.jsonl"
_ID_SHOWN = 120


class Scan:
    """What the reading found.

    `rows`, and how many of them are `keyed` (members of an object `{id: value}`); how many values of each score were
    taken (`scored`), how many of those were `booleans`; whether there are `integer_ids`; (flag, field) of the mapped
    fields that no row has (`unfound`); the `tally` of misfits, the `twins` among the ids, the `census` of field names.
    """

    def __init__(self, fields: FieldMap) -> None:
        mapped: list[tuple[str, FieldPath | ScoreField]] = list(fields.named_paths())
        mapped += [(f"--score {name}", score) for name, score in fields.scores.items()]
        paths = [one.path if isinstance(one, ScoreField) else one for _, one in mapped]
        if fields.id_source is IdSource.UNSAID:
            paths.append(FieldPath.parse("id"))
        self.rows = 0
        self.keyed = 0
        self.scored: Counter[str] = Counter()
        self.booleans: Counter[str] = Counter()
        self.integer_ids = False
        self.unfound = mapped
        self.tally = Tally()
        self.twins = Twins()
        self.census = FieldCensus(paths)

    def all_boolean(self, score: str) -> bool:
        """Whether every value of a score was a boolean, and there was one."""
        return 0 < self.scored[score] == self.booleans[score]

    def take(self, row: Row, mapped: Mapped) -> None:
        """Count a row and what became of it."""
        self.rows += 1
        self.keyed += row.key is not None
        self.census.add(row.value)
        self.integer_ids |= mapped.integer_id
        scores = mapped.record.get("scores")
        if type(scores) is dict:
            self.scored.update(scores.keys())
        if mapped.booleans:
            self.booleans.update(mapped.booleans)
        if self.unfound:
            self.unfound = [one for one in self.unfound if isinstance(one[1].find(row.value), Missing)]
        for misfit in mapped.misfits:
            self.tally.add(misfit, row.place, _shown_id(mapped))


def _shown_id(mapped: Mapped) -> str:
    return shown(mapped.record["id"], _ID_SHOWN) if "id" in mapped.record else ""


def scan(rows: Rows, fields: FieldMap, decisions: Decisions, folder: Path, progress: Progress) -> Scan:
    """Read all rows. `folder` is an empty folder: the records wait there, in `WAITING`, for the writing."""
    result = Scan(fields)
    finder = TwinFinder(folder)
    with named_errors(folder / WAITING), (folder / WAITING).open("wb") as waiting:
        for row in rows:
            if isinstance(row, BadRow):
                result.tally.note(Kind.BAD_LINE, f"{row.place}: {row.reason}")
                continue
            mapped = map_row(row, fields)
            result.take(row, mapped)
            if result.rows % PROGRESS_ROWS == 0:
                progress(PROGRESS_ROWS)
            record = decisions.apply(mapped)
            if record is not None:
                line = mapped.line if record is mapped.record else canonical.encode(record)
                waiting.write(line + b"\n")
                finder.add(str(record["id"]), record.get("repeat", 1), line, f"{row.place}\t{_shown_id(mapped)}")
    result.twins = finder.find("last" if decisions.choice(Kind.TWIN_IDS) == "last" else "first")
    result.tally.add_twins(result.twins)
    return result
