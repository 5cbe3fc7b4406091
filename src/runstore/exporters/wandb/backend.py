"""The W&B exporter as the contract asks for it: plan, push, verify, to a folder or to a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from runstore.errors import UsageError
from runstore.exporters.contract import Difference, Options, Plan, Receipt, Visit
from runstore.exporters.wandb import offline
from runstore.exporters.wandb.comparing import compare
from runstore.exporters.wandb.online import Server
from runstore.exporters.wandb.planning import WandbPlan, plan_run
from runstore.store.reader import Run


class WandbExporter:
    """Runs at W&B: `runstore.exporters.contract.Exporter`."""

    name = "wandb"

    def plan(self, run: Run, options: Options) -> WandbPlan:
        """All that would be sent. Pure. Raises UsageError for a target that cannot be, InvalidDataError for the run."""
        return plan_run(run, options)

    def folders(self, plan: Plan, environment: Mapping[str, str]) -> tuple[Path, Path] | None:
        """The folder that is the target, and that of the run in it; None for a server."""
        plan = _own(plan)
        if plan.place.folder is None:
            return None
        folder = offline.folder_of(plan, environment)
        return folder.parent, folder

    def push(self, plan: Plan, run: Run, visit: Visit) -> Receipt:
        """Write the folder, or send what the server has not. Raises ExportError; UsageError for a missing key."""
        plan = _own(plan)
        if plan.place.folder is not None:
            return offline.write_folder(plan, run, offline.folder_of(plan, visit.environment), visit.budget)
        with closing(Server(plan, run, visit)) as server:
            return server.push()

    def verify(self, plan: Plan, run: Run, visit: Visit) -> Sequence[Difference]:
        """Read back and compare, number by number. Raises as `push`."""
        plan = _own(plan)
        if plan.place.folder is not None:
            found = offline.read_folder(plan, offline.folder_of(plan, visit.environment))
        else:
            with closing(Server(plan, run, visit)) as server:
                found = server.read()
        return compare(plan, run, found)


def _own(plan: Plan) -> WandbPlan:
    if not isinstance(plan, WandbPlan):
        raise UsageError(f"a plan for {plan.backend!r} is none for W&B", hint="make it with this exporter's `plan`")
    return plan
