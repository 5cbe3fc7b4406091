"""Makes runs for tests, whole and damaged.

`write_run` makes a good run. Each function after it damages one thing and puts everything else right again (the digests
too), so that a refusal can only be about that one thing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, Unpack

import pytest

from runstore import canonical
from runstore.manifest import Identity, MetricDeclaration, Provenance, RunStatus
from runstore.store.reader import Run, read_run
from runstore.store.writer import RunWriter

Record = dict[str, Any]
Point = tuple[str, int | float, int | None]
"""(Name, value, step) of a point of a series; without step it is the final figure."""
HIGHER = MetricDeclaration(direction="higher")
LOWER = MetricDeclaration(direction="lower")
SHARE = MetricDeclaration(direction="higher", range=(0, 1))
ACC = {"acc": SHARE}


@contextmanager
def unsynced() -> Iterator[None]:
    """Write without waiting for the disk, where many runs are written and power is not what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


class RunOptions(TypedDict, total=False):
    """What a run may say beside its records."""

    identity: Identity
    slices: Sequence[str]
    tags: Mapping[str, str]
    provenance: Provenance
    status: RunStatus
    notes: str


def scored(name: str, acc: int | float = 1, **fields: Any) -> Record:
    """A record with one score, `acc`."""
    return {"id": name, "scores": {"acc": acc}, **fields}


def passing(count: int) -> list[Record]:
    """Records `r000`, `r001`, … that score 1."""
    return [scored(f"r{number:03d}") for number in range(count)]


def write_run(
    place: Path,
    records: Iterable[Record] = (),
    metrics: Mapping[str, MetricDeclaration] = ACC,
    *,
    points: Iterable[Point] = (),
    **options: Unpack[RunOptions],
) -> Path:
    """A run at `place`, which is returned."""
    with RunWriter(place, metrics=metrics, **options) as writer:
        for record in records:
            writer.append(record)
        for name, value, step in points:
            writer.log_metric(name, value, step)
    return place


def pair_of_runs(
    place: Path, baseline: Iterable[Record], current: Iterable[Record], metrics: Mapping[str, MetricDeclaration] = ACC
) -> tuple[Run, Run]:
    """Two runs at `place/b` and `place/c`, opened."""
    return read_run(write_run(place / "b", baseline, metrics)), read_run(write_run(place / "c", current, metrics))


def files_of(run: Path) -> dict[str, bytes]:
    """Relative path → bytes of every file of a run."""
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def reseal(run: Path) -> None:
    """List every file anew in the manifest, as it now stands: only what the files hold can still be wrong."""
    edit_manifest(run, lambda manifest: manifest.update(files=_listed(run, manifest["files"])))


def _listed(run: Path, before: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, data in files_of(run).items():
        if path == "manifest.json" or path.startswith("volatile/"):
            continue
        found[path] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        if path.endswith(".jsonl") and "/" not in path:
            found[path]["lines"] = data.count(b"\n")
        if "first" in before.get(path, {}):
            found[path]["first"] = before[path]["first"]
    return found


def edit_manifest(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest as a JSON value; its form stays canonical, and the run id that of the identity."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_bytes())
    claimed = manifest["run_id"]
    edit(manifest)
    if manifest.get("run_id") == claimed:
        identity = canonical.encode(manifest["identity"])
        manifest["run_id"] = hashlib.sha256(identity).hexdigest()[:32]
    path.write_bytes(canonical.encode_document(manifest))


def edit_summary(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the summary as a JSON value; its form stays canonical and its digest fits."""
    path = run / "summary.json"
    summary = json.loads(path.read_bytes())
    edit(summary)
    path.write_bytes(canonical.encode_document(summary))
    reseal(run)


def rewrite(run: Path, path: str, edit: Callable[[bytes], bytes]) -> None:
    """Change the bytes of a file; its digest, size and number of lines fit."""
    before = (run / path).read_bytes()
    after = edit(before)
    assert after != before, "the edit changed nothing"
    (run / path).write_bytes(after)
    reseal(run)


def replace_bytes(run: Path, old: bytes, new: bytes, path: str = "records.jsonl") -> None:
    """Replace the one place of a file where `old` stands; digest, size and number of lines fit."""
    assert (run / path).read_bytes().count(old) == 1, f"{old!r} does not stand there once"
    rewrite(run, path, lambda data: data.replace(old, new))
