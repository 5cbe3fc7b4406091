"""Counting what does not fit: misfits in as they are found; counts, first places and the text that lists them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runstore.importers.decisions import ERROR, Decisions
from runstore.importers.misfits import EXPLANATIONS, Kind, Misfit
from runstore.importers.twins import Twins

_PLACES = 3


class Tally:
    """How often each kind was found, and where first. Memory does not depend on the number of records."""

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self._places: dict[Kind, list[str]] = {}

    def add(self, misfit: Misfit, place: str, record_id: str) -> None:
        """Count a misfit of the record at a place; `record_id` as it may be shown, or empty."""
        of_record = f", id {record_id}" if record_id else ""
        self.note(misfit.kind, f"{place}: {misfit.field} is {misfit.value}{of_record}")

    def note(self, kind: Kind, text: str) -> None:
        """Count one thing of a kind that is told in a line of text."""
        self.counts[kind] += 1
        places = self._places.setdefault(kind, [])
        if len(places) < _PLACES:
            places.append(text)

    def add_twins(self, twins: Twins) -> None:
        """Take in the ids that stand twice or more."""
        if twins.ids:
            self.counts[Kind.TWIN_IDS] = twins.ids
            self._places[Kind.TWIN_IDS] = [group.text for group in twins.first[:_PLACES]]

    def undecided(self, decisions: Decisions) -> list[Kind]:
        """The kinds that were found and that nothing decides, in the order of reports."""
        return [kind for kind in Kind if self.counts[kind] and decisions.choice(kind) == ERROR]

    def decided(self, decisions: Decisions) -> dict[Kind, tuple[int, str]]:
        """Kind → (count, choice) of the kinds that were found and decided, in the order of reports."""
        found = ((kind, self.counts[kind], decisions.choice(kind)) for kind in Kind)
        return {kind: (count, choice) for kind, count, choice in found if count and choice != ERROR}

    def explain(self, kinds: list[Kind], twins: Twins) -> Iterator[str]:
        """The lines that list kinds: count, first places, the flag that decides."""
        for kind in kinds:
            explanation = EXPLANATIONS[kind]
            detail = _twin_detail(twins) if kind is Kind.TWIN_IDS else ""
            yield f"  {kind} ({self.counts[kind]:,}): {explanation.counted}{detail}"
            for text in self._places[kind]:
                yield f"    {text}"
            if self.counts[kind] > len(self._places[kind]):
                yield "    ..."
            yield f"    -> {_advice(kind)}"


def _twin_detail(twins: Twins) -> str:
    return f" ({twins.rows:,} records in all), {twins.differing:,} of them with other values"


def _advice(kind: Kind) -> str:
    explanation = EXPLANATIONS[kind]
    if not explanation.flag:
        return explanation.advice
    return f"decide with {explanation.flag} {'|'.join(explanation.choices)}"
