"""`verdict.json`: what a step judged, in few bytes, written last: where it is, the reports beside it are whole.

Its form is schemas/v1/verdict.schema.json. It is read again before it is believed: by the last step of the action, and,
as a stranger's, by the workflow that comments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from gate_action.event import Event, is_commit
from gate_action.judging import FILES, Judged
from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports.text_safety import visible

NAME = "verdict.json"
MAX_BYTES = 64 * 2**10
FORMAT = 1
_NUMBER = re.compile(r"[1-9][0-9]{0,14}\Z")


def write(
    folder: Path, judged: Judged, *, event: Event, baseline: str, against: str | None, run: tuple[int, int]
) -> Path:
    """Write the file, after everything else that stands in the folder."""
    value: dict[str, JsonValue] = {
        "against": against if against and is_commit(against) else None,
        "baseline": baseline,
        "counts": None if judged.counts is None else dict(judged.counts),
        "exit_code": judged.code,
        "format": FORMAT,
        "head": event.head,
        "message": visible(judged.message)[:4000],
        "reports": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in sorted(FILES.values())
            if (folder / name).is_file()
        },
        "run": {"attempt": run[1], "id": run[0]},
        "verdict": judged.verdict,
    }
    place = folder / NAME
    place.write_bytes(canonical.encode_document(value))
    return place


def run_of(environ: Mapping[str, str]) -> tuple[int, int]:
    """Id and attempt of this run of the workflow."""
    found = [environ.get(name, "") for name in ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")]
    run, attempt = (int(text) if _NUMBER.match(text) else 1 for text in found)
    return run, attempt
