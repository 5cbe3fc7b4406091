"""A run that a live mirror has left at an MLflow server: the plan of the finished run in, that run with its key out.

The mark of the live run comes from `volatile/`, which anybody may have written. So a run is taken up only if it bears
the mark, no other key, and nothing that the plan does not have too: points and params cannot be taken back there.
"""

from __future__ import annotations

from runstore.exporters.mlflow.claims import SAW
from runstore.exporters.mlflow.model import KEY, LIVE, NOTE, MlflowPlan
from runstore.exporters.mlflow.rest import Point, RemoteRun, Server
from runstore.exporters.mlflow.sending import planned_tags

_OURS = ("mlflow.", "runstore.")


def find_live(server: Server, experiment: str, mark: str) -> RemoteRun | None:
    """The live run of a mark; None if there is none, or it has the key of a finished run already."""
    return next((one for one in server.search(experiment, LIVE, mark) if KEY not in one.tags), None)


def take_up(server: Server, plan: MlflowPlan, experiment: str, *, is_true: bool | None = None) -> None:
    """Make the live run of a plan the one with its key; if it cannot be that, delete it: another takes its place.

    `is_true` is whether all that it holds is planned; None asks the server, by a request for each metric.
    """
    live = find_live(server, experiment, plan.live)
    if live is None:
        return
    others = server.search(experiment, KEY, plan.key)
    if others or not (_is_planned(server, plan, live) if is_true is None else is_true):
        server.delete_run(live.id)
        return
    server.set_tag(live.id, SAW, live.id)
    server.set_tag(live.id, KEY, plan.key)


def _is_planned(server: Server, plan: MlflowPlan, live: RemoteRun) -> bool:
    """Whether a run holds nothing that is not in a plan."""
    tags = planned_tags(plan)
    extra = {name for name in live.tags if name not in tags and (name == NOTE or not name.startswith(_OURS))}
    if extra or any(plan.params.get(name) != value for name, value in live.params.items()):
        return False
    planned: dict[str, set[Point]] = {}
    for one in plan.points:
        planned.setdefault(one.name, set()).add(one.place)
    return all(planned.get(name, set()).issuperset(server.history(live.id, name)) for name in live.latest)
