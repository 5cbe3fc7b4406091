"""Where verified runs are remembered from one command to the next: the environment in, `VerifiedRuns` out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from runstore.errors import UsageError
from runstore.store.durable import real_path
from runstore.verification import VerifiedRuns


def verified_runs(inputs: Iterable[Path], *, no_cache: bool = False) -> VerifiedRuns:
    """The runs that were verified before. It is trusted: whoever can write there can vouch for a run.

    `inputs` are folders that are read. Raises UsageError if the folder that RUNSTORE_CACHE_DIR names lies in one.
    """
    if no_cache:
        return VerifiedRuns(None)
    if wanted := os.environ.get("RUNSTORE_CACHE_DIR"):
        if any(real_path(Path(wanted)).is_relative_to(real_path(folder)) for folder in inputs):
            raise UsageError(f"RUNSTORE_CACHE_DIR names a folder inside a run: {wanted}", hint="name one elsewhere")
        return VerifiedRuns(Path(wanted))
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # no home is no error
    return VerifiedRuns(Path(base) / "runstore" / "verified") if Path(base).is_absolute() else VerifiedRuns(None)
