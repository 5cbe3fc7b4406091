"""Which run at the server is the one for a plan, also when several jobs make one at once.

MLflow gives runs ids of its own and takes two runs with one key. So whoever finds no run with the key makes one, looks
again, and writes into its own run which ones it saw. As runs are made one after another, of two views one contains the
other: the smallest view is that of whoever looked first, its lowest id is the run, and everybody comes to that same
answer, also who comes later. A run that lost holds nothing yet and is deleted by its maker. Source of the idea: the
doorway of L. Lamport's bakery algorithm (1974).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from runstore.exporters.contract import Budget, ExportError
from runstore.exporters.mlflow.model import KEY, MlflowPlan
from runstore.exporters.mlflow.rest import RemoteRun, Server, pause_after

SAW = "runstore.saw"
"""The tag that holds a view: ids, joined by spaces."""
MAKER = "runstore.maker"
"""The tag by which the maker of a run knows it again."""
PATIENCE_S = 3.0
"""How long a job may do nothing that is seen, as between making its run and writing its view, before it is dead."""
PAUSE_S = 0.1
_MOST_SEEN = 100  # ids that a tag has room for
RUNNING = "RUNNING"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The run for a plan.

    `fresh` if nobody else can have sent anything to it, `is_mine` if this job made it, `is_left` if whoever made it is
    known to be gone.
    """

    run: RemoteRun
    fresh: bool = False
    is_mine: bool = False
    is_left: bool = False


def claim(server: Server, plan: MlflowPlan, experiment: str, start_ms: int, budget: Budget) -> Claim:
    """The one run for a plan, found or made. Raises ExportError."""
    found = server.search(experiment, KEY, plan.key)
    if found:
        settled = settle(_viewed(server, plan, experiment, found, budget))
        return Claim(run=settled, is_left=SAW not in settled.tags or bool(plan.live))
    mine = _make(server, plan, experiment, start_ms, budget)
    seen = server.search(experiment, KEY, plan.key)
    ids = sorted({mine.id, *(one.id for one in seen)})
    server.set_tag(mine.id, SAW, " ".join(ids[:_MOST_SEEN]))
    if ids == [mine.id]:
        return Claim(run=mine, fresh=True, is_mine=True)
    winner = settle(_viewed(server, plan, experiment, seen, budget))
    if winner.id != mine.id:
        server.delete_run(mine.id)
    return Claim(run=winner, is_mine=winner.id == mine.id)


def _make(server: Server, plan: MlflowPlan, experiment: str, start_ms: int, budget: Budget) -> RemoteRun:
    """A run of our own; if the answer was lost, the one that was made. Raises ExportError."""
    maker = secrets.token_hex(16)
    for number in count(1):
        try:
            return server.create_run(experiment, plan.title, {KEY: plan.key, MAKER: maker}, start_ms)
        except ExportError as error:
            pause_after(error, number, budget)
        for one in server.search(experiment, KEY, plan.key):
            if one.tags.get(MAKER) == maker:
                return one
    raise AssertionError("the tries end in a run or an error")


def _viewed(
    server: Server, plan: MlflowPlan, experiment: str, found: Sequence[RemoteRun], budget: Budget
) -> Sequence[RemoteRun]:
    """The runs with the key, when each maker that lives has written its view."""
    waited = 0.0
    while waited < PATIENCE_S and any(one.status == RUNNING and SAW not in one.tags for one in found):
        budget.pause(PAUSE_S)
        waited += PAUSE_S
        found = server.search(experiment, KEY, plan.key) or found
    return found


def settle(found: Sequence[RemoteRun]) -> RemoteRun:
    """The one of some runs with one key; the same from whoever sees the same views. At least one is given."""
    runs = {one.id: one for one in found}
    views = sorted((view for one in found if (view := one.tags.get(SAW, "").split())), key=lambda ids: (len(ids), ids))
    first = (min(view) for view in views)
    return runs[next((one for one in first if one in runs), min(runs))]
