"""Which backends there are: a name in, its `Exporter` out.

Ours are in a table; another package adds one by an entry point of the group `runstore.exporters` that names an object
as `contract.Exporter` asks. A name of the table is always ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from runstore.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from runstore.exporters.contract import Exporter

GROUP = "runstore.exporters"
BACKENDS = {
    "mlflow": "runstore.exporters.mlflow",
    "tensorboard": "runstore.exporters.tensorboard",
    "wandb": "runstore.exporters.wandb",
}
"""Backend → its package, whose attribute `exporter` is the `Exporter`."""


def find_exporter(name: str) -> Exporter:
    """The exporter of a backend; only its package is loaded. Raises UsageError, with what is known, for no backend."""
    if name in BACKENDS:
        ours: Exporter = import_module(BACKENDS[name]).exporter
        return ours
    for entry in (one for one in _entry_points() if one.name == name):
        try:
            found: Exporter = entry.load()
        except (ImportError, AttributeError) as error:
            hint = "install what it needs, or ask those who made it"
            raise UsageError(f"the backend {name!r} of {entry.value} cannot be loaded: {error}", hint=hint) from None
        return found
    known = known_backends()
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise UsageError(f"{name!r} is no backend", hint=hint)


def find_mirror(name: str) -> object | None:
    """The `open_mirror` of a backend of ours (see `runstore.tracking.mirror`); None for any other name."""
    if name not in BACKENDS:
        return None
    found: object = import_module(f"{BACKENDS[name]}.mirror").open_mirror
    return found


def known_backends() -> list[str]:
    """The names of all backends, ours and those of other packages."""
    return sorted({*BACKENDS, *(entry.name for entry in _entry_points())})


def _entry_points() -> Iterable[EntryPoint]:
    """Those of other packages. What reads them costs start-up time, and is loaded for a name that is not ours."""
    found: Iterable[EntryPoint] = import_module("importlib.metadata").entry_points(group=GROUP)
    return found
