"""TensorBoard: a run in, a folder that TensorBoard shows as a run out, written by the standard library alone.

`exporter` is what this package offers. docs/exporting.md says what becomes of what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from runstore.exporters.contract import Difference, Options, Plan, Receipt, Visit
from runstore.exporters.tensorboard.comparing import compare_run
from runstore.exporters.tensorboard.folder import remove_live, run_folder, write_run
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.exporters.tensorboard.planning import NAME, plan_run
from runstore.store.reader import Run

__all__ = ["exporter"]


class TensorboardExporter:
    """Writes event files into a folder; its target is that folder."""

    name = NAME

    def plan(self, run: Run, options: Options) -> TensorboardPlan:
        """See `contract.Exporter`."""
        return plan_run(run, options)

    def folders(self, plan: Plan, environment: Mapping[str, str]) -> tuple[Path, Path]:  # noqa: ARG002  # no `~`
        """The folder that is the target, and that of the run in it."""
        own = cast(TensorboardPlan, plan)
        return Path(own.target), run_folder(own)

    def push(self, plan: Plan, run: Run, visit: Visit) -> Receipt:
        """See `contract.Exporter`; also raises OSError."""
        own = cast(TensorboardPlan, plan)
        receipt = write_run(own, run, visit)
        if own.live:
            remove_live(Path(own.target, own.live))
        return receipt

    def verify(self, plan: Plan, run: Run, visit: Visit) -> Sequence[Difference]:
        """See `contract.Exporter`; also raises OSError."""
        return list(compare_run(cast(TensorboardPlan, plan), run, visit))


exporter = TensorboardExporter()
