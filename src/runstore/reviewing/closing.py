"""The end of a walk: what was chosen in; a summary for the terminal out, safe lines none wider than asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runstore import exact
from runstore.reports import outline
from runstore.reports.numbers import counted
from runstore.reports.text.paper import paper
from runstore.reports.text_safety import fitted, one_line
from runstore.reviewing.subjects import Item
from runstore.reviewing.waivers import Leave
from runstore.reviewing.walk import Walk

_LISTED = 20


def summary(walk: Walk, items: Sequence[Item], width: int, most: int = _LISTED) -> list[str]:
    """What is accepted, waived and left; of each the first `most` by name."""
    sheet = paper(color=False, width=width)
    accepted, waived = walk.accepted, walk.waived
    found = [f"accepted    {counted(len(accepted), 'record')}"]
    found += _listed([_name(items[place]) for place in accepted], sheet.width, most)
    found.append(f"waived      {counted(len(waived), 'record')}")
    found += _listed([f"{_name(items[place])}: {_terms(leave)}" for place, leave in waived], sheet.width, most)
    found.append(f"skipped     {counted(len(items) - len(accepted) - len(waived), 'record')}")
    return found


def _name(item: Item) -> str:
    return outline.record_name(item.change.key[0].decode(), item.change.key[1], item.run)


def _terms(leave: Leave) -> str:
    ceilings = ", ".join(f"{metric} up to {exact.text(ceiling)}" for metric, ceiling in leave.ceilings)
    return f"{ceilings} until {leave.expires} by {leave.owner}: {leave.reason}"


def _listed(texts: Sequence[str], width: int, most: int) -> Iterator[str]:
    for text in texts[:most]:
        yield f"  - {fitted(one_line(text), width - 4)}"
    if len(texts) > most:
        yield f"    and {len(texts) - most:,} more"
