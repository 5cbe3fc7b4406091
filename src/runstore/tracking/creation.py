"""Which trackers there are: a name and settings in, a tracker out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any

from runstore.errors import UsageError
from runstore.tracking.config import TrackingConfig
from runstore.tracking.multi import MultiTracker, Options, find_mirror
from runstore.tracking.tracker import ExperimentTracker

LOCAL, MULTI = "local", "multi"
BACKENDS = ("mlflow", "wandb", "tensorboard")
"""Backends that the project knows; others are found by the same entry point group."""


def create_tracker(
    kind: str = LOCAL,
    config: TrackingConfig | None = None,
    *,
    root: str | os.PathLike[str] = "experiments",
    backends: Sequence[str] | Options = (),
    options: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    **settings: Any,
) -> ExperimentTracker:
    """A tracker: `local`, with one live mirror (`mlflow`, `wandb`, `tensorboard`), or `multi` with several `backends`.

    Whatever the kind, runs stand in plain files below `root/<project>/`. `options` are those of the one backend;
    `backends` may be a mapping of each to its options. `settings` are fields of TrackingConfig, and win over `config`.
    Raises UsageError for a name that is not known, and for a backend that lacks its package, SDK or key.
    """
    made = _configured(config or TrackingConfig(), settings)
    if kind == LOCAL:
        return ExperimentTracker(made, root=root)
    wanted: Options = {kind: options or {}}
    if kind == MULTI:
        wanted = backends if isinstance(backends, Mapping) else {backend: {} for backend in backends}
        if not wanted:
            raise UsageError("which backends?", hint=f"pass backends, as in {list(BACKENDS[:2])}; or make it `local`")
    mirrors = {backend: find_mirror(backend) for backend in wanted if backend != LOCAL}
    return MultiTracker(made, mirrors=mirrors, options=wanted, root=root, timeout_s=timeout_s)


def _configured(config: TrackingConfig, settings: Mapping[str, Any]) -> TrackingConfig:
    known = [field.name for field in fields(TrackingConfig)]
    for name in settings:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(
                f"a tracker has no setting {name!r:.40}",
                hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}",
            )
    return replace(config, **settings)
