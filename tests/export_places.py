"""Places to export to, one of each kind, for tests that hold every backend to the same: small servers, and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Outcome
from tests.mlflow_servers import SmallMlflow, small_mlflow
from tests.repositories import gate
from tests.wandb_server import WandbServer, wandb_server

BACKENDS = ("mlflow", "tensorboard", "wandb", "wandb folder")
each_backend = pytest.mark.parametrize("kind", BACKENDS)


def first_of(found: Iterable[Any], *quick: Any) -> list[Any]:
    """Values to try: the quick ones in every run of the tests, the others with those that are slow."""
    return [one if one in quick else pytest.param(one, marks=pytest.mark.slow) for one in found]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to export to, with the flags and variables for it; `state` is what the server holds."""

    folder: Path
    words: tuple[str, ...]
    env: dict[str, str]
    state: Any = None

    def export(self, *words: str) -> Outcome:
        """`gate export WORDS…` to this place."""
        return gate(self.folder, "export", *words, *self.words, env=self.env)

    @property
    def count(self) -> int:
        """How many runs are there."""
        if isinstance(self.state, SmallMlflow):
            return len(self.state.living())
        if isinstance(self.state, WandbServer):
            return len(self.state.runs)
        return len([*self.folder.glob("out/*/*/*tfevents.0*"), *self.folder.glob("out/offline-run-*/run-*.wandb")])


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Place]:
    """A place of a kind."""
    with ExitStack() as stack:
        if kind == "mlflow":
            address, app = stack.enter_context(small_mlflow())
            yield Place(folder, ("--to", "mlflow", "--target", f"{address}#e"), {}, app)
        elif kind == "wandb":
            server = stack.enter_context(wandb_server())
            yield Place(folder, ("--to", "wandb", "--target", "ann/p"), server.environment, server)
        else:
            yield Place(folder, ("--to", kind.partition(" ")[0], "--target", "./out"), {})
