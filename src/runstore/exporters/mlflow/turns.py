"""Whose turn it is to send to a run: one job's, as a server may keep a point twice that two jobs send at once.

Whoever made the run sends. Any other job that finds it RUNNING waits as long as it grows; a run that stands still was
left by a job that died, and of those that want to go on with it one does: each writes its name, waits longer than a
write is under way, and goes on if its name still stands there. Source of the idea: M. Fischer's timed mutual exclusion,
in L. Lamport, "A fast mutual exclusion algorithm" (1987). A server that takes longer than these waits for one request
may get a point twice; most drop it, and `--verify` tells it of the others.
"""

from __future__ import annotations

import secrets

from runstore.exporters.contract import Budget
from runstore.exporters.mlflow.claims import PATIENCE_S, PAUSE_S, RUNNING, Claim
from runstore.exporters.mlflow.rest import RemoteRun, Server

SENDER = "runstore.sender"
"""The tag by which a job says that it goes on with a run."""
_WRITE_S = 0.3
"""How long a write of that tag may be under way."""


def take_turn(server: Server, claimed: Claim, budget: Budget) -> RemoteRun:
    """The run as it is when nobody else sends to it; it may be whole by then. Raises ExportError."""
    run = claimed.run
    patience = 0.0 if claimed.is_left else PATIENCE_S
    while run.status == RUNNING:
        run = _still(server, run, patience, budget)
        if run.status == RUNNING:
            name = secrets.token_hex(8)
            server.set_tag(run.id, SENDER, name)
            budget.pause(_WRITE_S)
            run = server.get_run(run.id)
            if run.tags.get(SENDER) == name:
                break
        patience = PATIENCE_S  # another job goes on with it
    return run


def _still(server: Server, run: RemoteRun, patience: float, budget: Budget) -> RemoteRun:
    """The run when nothing has come to it for some seconds, or when it is no longer RUNNING."""
    waited = 0.0
    while waited < patience and run.status == RUNNING:
        budget.pause(PAUSE_S)
        now = server.get_run(run.id)
        waited = waited + PAUSE_S if now == run else 0.0
        run = now
    return run
