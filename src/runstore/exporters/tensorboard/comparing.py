"""Reading a TensorBoard run back: a plan and its folder in, every difference out, number by number."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from runstore.exporters.contract import Difference, Kind, Visit
from runstore.exporters.tensorboard import events
from runstore.exporters.tensorboard.folder import attachment_bytes, file_digest, run_folder
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.exporters.tensorboard.planning import link_texts
from runstore.store.reader import Run


def compare_run(plan: TensorboardPlan, run: Run, visit: Visit) -> Iterator[Difference]:
    """What reads back other than planned. Raises OSError for a file that cannot be read."""
    visit.budget.left()
    found = _found(plan, plan.file)
    if not isinstance(found, events.Found):
        yield Difference(kind="run", name=plan.title, planned=plan.key, found=found)
        return
    if plan.link_file is not None:
        link = _found(plan, plan.link_file)
        texts = link.texts if isinstance(link, events.Found) else {}
        yield from _members("note", link_texts(plan), texts)
    yield from _points(plan, found)
    yield from _members("note", plan.texts, found.texts)
    yield from _members("record", plan.histograms, found.histograms)
    yield from _members("param", plan.hyperparameters, found.hyperparameters)
    status = events.status_number(plan.status)
    if found.status != status:
        yield Difference(kind="run", name="status", planned=str(status), found=str(found.status))
    yield from _files(plan, run, visit)


def _found(plan: TensorboardPlan, name: str) -> events.Found | str | None:
    """What an event file says; None if there is none; what is wrong with it, in words, if it is damaged."""
    try:
        return events.read((run_folder(plan) / name).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, IndexError) as error:
        return f"a damaged event file: {error}"


def _points(plan: TensorboardPlan, found: events.Found) -> Iterator[Difference]:
    planned: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for point in plan.points:
        planned[point.name].append((point.step, point.value))
    for name in sorted(planned.keys() | found.scalars.keys(), key=str.encode):
        for one, other in zip_longest(planned[name], found.scalars.get(name, [])):
            if repr(one) != repr(other):  # 0 and -0 are equal, and not the same number
                yield Difference(kind="metric", name=name, planned=_point_text(one), found=_point_text(other))


def _point_text(point: tuple[int, float] | None) -> str | None:
    return None if point is None else f"{point[1]!r} at step {point[0]}"


def _members(kind: Kind, planned: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Difference]:
    for name in sorted(planned.keys() | found.keys(), key=str.encode):
        one, other = (_shown(side, name) for side in (planned, found))
        if one != other:
            yield Difference(kind=kind, name=name, planned=one, found=other)


def _shown(members: Mapping[str, object], name: str) -> str | None:
    """A value as text that tells 1 from 1.0, true and "1"."""
    if name not in members:
        return None
    value = members[name]
    return value if isinstance(value, str) else repr(value)


def _files(plan: TensorboardPlan, run: Run, visit: Visit) -> Iterator[Difference]:
    for attachment in plan.attachments:
        wanted = hashlib.sha256()
        for piece in attachment_bytes(plan, run, attachment):
            visit.budget.left()
            wanted.update(piece)
        try:
            found = file_digest(run_folder(plan) / attachment.path)
        except FileNotFoundError:
            found = None
        if found != wanted.hexdigest():
            yield Difference(kind="artifact", name=attachment.path, planned=wanted.hexdigest(), found=found)
