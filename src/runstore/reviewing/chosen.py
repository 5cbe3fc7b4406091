"""What was chosen: the records that were accepted in; the acceptance of exactly these out, and the waivers.

The accepting itself is that of `gate accept`. What is built is held against the lines that were shown: a run that was
changed since then is not accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from runstore.accepting import provenance
from runstore.accepting.acceptance import Acceptance, Side
from runstore.accepting.choice import Choice, Key, lines
from runstore.change import ChangeClass
from runstore.errors import InvalidRunError
from runstore.policy.model import Waiver
from runstore.record import line_key
from runstore.reviewing.subjects import Item
from runstore.reviewing.waivers import Leave
from runstore.store.reader import Run

_SERIES = "series.jsonl"


def acceptance(
    baseline: Side, current: Side, counts: Mapping[ChangeClass, int], taken: Sequence[Item], reason: str
) -> Acceptance:
    """The acceptance of some records of one run. `counts`: how many records of each class differ, accepted or not."""
    choice = Choice(
        taken={item.change.key: item.change.kind for item in taken},
        left=Counter(counts) - Counter(item.change.kind for item in taken),
    )
    total = sum(counts.values())
    words = [f"reviewed one by one: {len(taken)} of {total} that differ"]
    entries = [side.run.manifest.files.get(_SERIES) for side in (baseline, current)]
    return Acceptance(
        baseline=baseline,
        current=current,
        manifest=provenance.in_part(baseline.run, current.run, reason, choice.counts, words),
        is_whole=False,
        counts=choice.counts,
        left=choice.left,
        choice=choice,
        leaves_series=entries[0] != entries[1],
    )


def check_shown(made: Run, taken: Iterable[Item]) -> None:
    """Refuse a new baseline in which an accepted record is not what was shown. Raises InvalidRunError."""
    shown: dict[Key, bytes | None] = {item.change.key: item.change.current for item in taken}
    there = dict.fromkeys(shown, b"")
    for line in lines(made):
        if (key := line_key(line)) in shown:
            there[key] = line
    if any(there[key] != (line or b"") for key, line in shown.items()):
        raise InvalidRunError(
            "a record is no longer what was shown", where=made.label, hint="the current run was changed: review it anew"
        )


def waivers(item: Item, leave: Leave) -> list[Waiver]:
    """The waivers that let one record be worse."""
    name, repeat = item.change.key
    return [
        Waiver(
            metric=metric,
            ceiling=ceiling,
            owner=leave.owner,
            reason=leave.reason,
            expires=leave.expires,
            record=name.decode(),
            repeat=repeat,
            issue=leave.issue,
        )
        for metric, ceiling in leave.ceilings
    ]
