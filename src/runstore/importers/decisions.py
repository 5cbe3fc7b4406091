"""What becomes of what does not fit: the choices of the `--on-...` flags, applied to what the mapping found. Pure.

Every choice is `error` unless a flag says otherwise: then the import stops and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runstore.importers.mapping import Mapped
from runstore.importers.misfits import EXPLANATIONS, Kind
from runstore.record import JsonObject

ERROR = "error"


@dataclass(frozen=True, slots=True)
class Decisions:
    """Kind → choice, for the kinds whose choice is not `error`."""

    choices: Mapping[Kind, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, choice in self.choices.items():
            if choice not in EXPLANATIONS[kind].choices:
                raise ValueError(f"{choice!r} is no choice for {kind}")

    def choice(self, kind: Kind) -> str:
        """What was decided for a kind."""
        return self.choices.get(kind, ERROR)

    def apply(self, mapped: Mapped) -> JsonObject | None:
        """The record as it is to be written, or None if it is left out.

        Where the choice is `skip` the mapping has left the misfit out already; a misfit whose choice is `error` passes
        too, since then nothing is written at all.
        """
        record = mapped.record
        if "id" not in record:
            return None
        for misfit in mapped.misfits:
            if misfit.kind is Kind.MISSING_SCORE and self.choice(misfit.kind) == "fail" and "status" not in record:
                message = f"{misfit.field} is {misfit.value}"
                record = {**record, "status": "error", "reason": {"type": str(misfit.kind), "message": message}}
        return record
