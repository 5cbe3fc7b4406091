"""Where an accepted baseline comes from, told in its manifest, one entry of `origin.accepted` for each acceptance.

Accepted whole, a baseline is the current run: name, params, provenance and all; the entry adds the reason. Accepted in
part, it stays the run that it was, and the entry names the run that the accepted records came from: its run id, and the
SHA-256 of its manifest. Nobody is named and
no time: the commit that brings the change says who and when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runstore import manifest
from runstore.canonical import JsonValue
from runstore.change import ChangeClass
from runstore.errors import InvalidRunError
from runstore.manifest import Manifest
from runstore.store.reader import Run

_ACCEPTED = "accepted"
Counts = Mapping[ChangeClass, int]


def whole(current: Run, reason: str, counts: Counts) -> Manifest:
    """The manifest of a baseline that is the current run. Raises InvalidRunError if its `origin.accepted` is no list.

    `files` is that of the current run.
    """
    return _with_entry(current, _entry(reason, counts))


def in_part(baseline: Run, current: Run, reason: str, counts: Counts, selection: Sequence[str]) -> Manifest:
    """The manifest of a baseline that holds some records of the current run. Raises InvalidRunError as `whole` does.

    `files` is that of the old baseline, still to be made anew.
    """
    document = manifest.to_json(current.manifest)
    assert isinstance(document, dict)
    source = {name: document[name] for name in ("provenance", "run_id") if document[name]}
    source["digest"] = current.digest  # so that two acceptances in the same words stay two when branches are merged
    return _with_entry(baseline, {**_entry(reason, counts), **source, "selection": list(selection)})


def _entry(reason: str, counts: Counts) -> dict[str, JsonValue]:
    records: dict[str, JsonValue] = {kind.value: counts[kind] for kind in ChangeClass if counts.get(kind)}
    return {"reason": reason, "records": records}


def _with_entry(run: Run, entry: JsonValue) -> Manifest:
    origin = run.manifest.origin
    members: dict[str, JsonValue] = origin if isinstance(origin, dict) else {}
    before = members.get(_ACCEPTED, [])
    if not isinstance(before, list):
        raise InvalidRunError(
            "is not the list of what was accepted",
            where=run.where("manifest.json", pointer=f"/origin/{_ACCEPTED}"),
            hint="the name is taken: rename that member of `origin`, then `gate fmt`",
        )
    return replace(run.manifest, origin={**members, _ACCEPTED: [*before, entry]})


def says_the_same(one: Manifest, other: Manifest) -> bool:
    """Whether two manifests differ in nothing but what they tell of acceptances: records, files and all are equal."""
    return manifest.to_json(_untold(one)) == manifest.to_json(_untold(other))


def _untold(described: Manifest) -> Manifest:
    if not isinstance(described.origin, dict):
        return described
    rest = {name: value for name, value in described.origin.items() if name != _ACCEPTED}
    return replace(described, origin=rest or None)
