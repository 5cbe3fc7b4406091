"""Pushing a plan to an MLflow server: one run there, whole at the end, however often it is tried and by how many.

While it is under way the run is RUNNING there; its status is set last. So a run that is FINISHED is whole.
"""

from __future__ import annotations

import time
from urllib.parse import quote

from runstore.exporters.contract import Receipt, Visit
from runstore.exporters.mlflow import address
from runstore.exporters.mlflow.claims import RUNNING, claim
from runstore.exporters.mlflow.mirrored import take_up
from runstore.exporters.mlflow.model import FINGERPRINT, KEY, PARENT, PREVIOUS, RUN_ID, MlflowPlan
from runstore.exporters.mlflow.rest import RemoteRun, Server
from runstore.exporters.mlflow.sending import Sending
from runstore.exporters.mlflow.turns import take_turn
from runstore.store.reader import Run


def push(plan: MlflowPlan, run: Run, visit: Visit) -> Receipt:
    """Send a plan, or what is missing of it. Raises ExportError, UsageError."""
    if address.is_open_secret(plan.server, visit.environment):
        visit.warn(f"the password or token for {plan.server} travels unencrypted: use an https:// address")
    with Server(plan.server, visit.environment, visit.budget) as server:
        experiment = server.make_experiment(plan.experiment)
        # MLflow lists runs by when they began; of a run on disk that is not known, so it is when it came there.
        now = int(time.time() * 1000)
        if plan.live:
            take_up(server, plan, experiment)
        taken = claim(server, plan, experiment, now, visit.budget)
        remote = taken.run
        if not taken.is_mine and visit.progress.get("run") != remote.id:
            remote = take_turn(server, taken, visit.budget)
        whole = remote.status != RUNNING and remote.tags.get(FINGERPRINT) == plan.fingerprint
        if not whole:
            if remote.status != RUNNING:
                server.update(remote.id, RUNNING)
            if plan.attachments:
                server.root(remote)
            _send(server, plan, run, visit, remote, experiment, fresh=taken.fresh)
            server.update(remote.id, plan.status, now)
        elif plan.parent is not None and PARENT not in remote.tags:  # the parent may have come since
            for key, value in _links(server, plan, visit, experiment).items():
                server.set_tag(remote.id, key, value)
        return Receipt(
            remote_id=remote.id,
            url=f"{plan.server}/#/experiments/{quote(experiment)}/runs/{quote(remote.id)}",
            requests=server.requests,
            created=not whole,
        )


def _send(
    server: Server, plan: MlflowPlan, run: Run, visit: Visit, remote: RemoteRun, experiment: str, *, fresh: bool
) -> None:
    sending = Sending(server, plan, remote, visit, fresh=fresh)
    sending.send_values(_links(server, plan, visit, experiment))
    sending.send_datasets()
    sending.send_files(run)


def _links(server: Server, plan: MlflowPlan, visit: Visit, experiment: str) -> dict[str, str]:
    """Tags that name other runs by the ids that MLflow gave them."""
    found = {}
    if plan.parent is not None:
        parents = server.search(experiment, RUN_ID, plan.parent)
        if not parents:
            visit.warn("the parent run is not in that experiment: export it too, then this run once more to link them")
        else:
            found[PARENT] = parents[0].id  # the newest comes first
    if plan.previous is not None and plan.previous.isalnum():  # it goes into a filter
        before = server.search(experiment, KEY, plan.previous)
        if before:
            found[f"{PREVIOUS}_id"] = before[0].id
    return found
