"""Mode `check`, the last step: the exit code by the file that was written last, which is held against its schema first.

It stands apart from the writing: the schema costs time at the start, and the step that judges does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gate_action import inputs, runner
from gate_action.judge import exit_code
from gate_action.verdict_file import MAX_BYTES, NAME
from runstore import canonical, schema
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError


def parse(data: bytes) -> Mapping[str, JsonValue]:
    """The content of a file, held against its schema. Raises InvalidDataError."""
    if len(data) > MAX_BYTES:
        raise InvalidDataError(f"{NAME} is larger than {MAX_BYTES:,} bytes")
    value = canonical.parse_loose(data)
    for found in schema.validate("verdict", value):
        raise InvalidDataError(f"{NAME}: {found.message}", where=found.pointer)
    assert isinstance(value, dict)
    return value


def read(place: Path) -> Mapping[str, JsonValue]:
    """The file at a place. Raises UsageError if there is none, InvalidDataError if it is not what it must be."""
    try:
        with place.open("rb") as file:
            return parse(file.read(MAX_BYTES + 1))
    except OSError:
        raise UsageError(f"there is no {NAME}: nothing was judged", hint="see the step before") from None


def check(environ: Mapping[str, str]) -> int:
    """The exit code of the job: by the file, whatever came of the exit code of the step that judged."""
    found = read(Path(environ.get("INPUT_VERDICT_FILE", "")) or Path())
    code, verdict = found["exit_code"], found["verdict"]
    assert isinstance(code, int)
    runner.say(f"gate: {verdict or 'nothing was judged'}, exit code {code}")
    return exit_code(code, verdict if isinstance(verdict, str) else None, inputs.fail_on(environ))
