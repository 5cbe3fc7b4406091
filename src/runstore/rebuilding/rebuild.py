"""Deriving again what follows from the lines of a merged run: summary, digests, run id, where shards are cut."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from runstore import canonical, loose
from runstore.loose import LooseRun
from runstore.rebuilding.lines import check_lines
from runstore.rebuilding.merged_manifest import resolved
from runstore.source import VOLATILE
from runstore.store.replacement import Replacement, copy_volatile
from runstore.verification import Progress, no_progress

_MANIFEST = "manifest.json"


class MergedRun(LooseRun):
    """A folder that holds a merged run; its manifest is read without the marks of the merge."""

    def __init__(self, folder: Path, label: str) -> None:
        """Lists the files. Raises InvalidRunError for one that has no place in a run, or a manifest to choose from."""
        super().__init__(folder, label)
        data = super().read(_MANIFEST)
        self.digest = canonical.sha256(data)
        """SHA-256 of manifest.json as it stands."""
        self._manifest = resolved(data, self.where(_MANIFEST), self.files)

    def read(self, path: str) -> bytes:
        """All of a document. Raises InvalidRunError for one that is too large."""
        return self._manifest if path == _MANIFEST else super().read(path)


def rebuild(folder: Path, label: str, progress: Progress = no_progress) -> None:
    """Put the run with its derived files in place of the merged one, in one step; `volatile/` is kept as it is.

    Raises InvalidDataError for what only a person can decide, UsageError as `Replacement` does.
    """
    run = MergedRun(folder, label)
    check_lines(run)
    with Replacement(folder, label) as place:
        loose.write_to(place.path, run, progress)
        copy_volatile(folder / VOLATILE, place.path / VOLATILE, f"{label}/{VOLATILE}")
        place.commit(run.digest)


def check(folder: Path, label: str, progress: Progress = no_progress) -> None:
    """Show that `rebuild` would work, without touching the run. Raises InvalidDataError as it does."""
    run = MergedRun(folder, label)
    check_lines(run)
    with TemporaryDirectory(prefix="runstore-") as place:
        loose.write_to(Path(place) / "run", run, progress)
