"""MLflow: a run in, a run at a tracking server out, spoken over its REST API by the standard library alone.

docs/exporting-mlflow.md says what becomes of what. `exporter` is what this package offers.
"""

from __future__ import annotations

from collections.abc import Sequence

from runstore.errors import UsageError
from runstore.exporters.contract import Difference, Options, Plan, Receipt, Visit
from runstore.exporters.mlflow.checking import verify
from runstore.exporters.mlflow.model import MlflowPlan
from runstore.exporters.mlflow.planning import make_plan
from runstore.exporters.mlflow.push import push
from runstore.store.reader import Run


class MlflowExporter:
    """The backend `mlflow`, as `contract.Exporter` asks."""

    name = "mlflow"

    def plan(self, run: Run, options: Options) -> MlflowPlan:
        """All that would be sent. Pure. Raises UsageError, InvalidDataError."""
        return make_plan(run, options)

    def push(self, plan: Plan, run: Run, visit: Visit) -> Receipt:
        """Send a plan, or what is missing of it. Raises ExportError, UsageError."""
        return push(_ours(plan), run, visit)

    def verify(self, plan: Plan, run: Run, visit: Visit) -> Sequence[Difference]:
        """Read back and compare, number by number. Raises as `push`."""
        return verify(_ours(plan), run, visit)


def _ours(plan: Plan) -> MlflowPlan:
    if not isinstance(plan, MlflowPlan):
        raise UsageError(f"a plan for {plan.backend!r} is none for MLflow", hint="make it with this exporter's `plan`")
    return plan


exporter = MlflowExporter()
