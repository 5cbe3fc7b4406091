"""What never leaves the machine: names and globs in, what may be sent out, and a change for each thing that may not.

A glob names a param, a tag, a metric, a data set, an artifact, `notes`, `commit`, `dirty`, or a field of a record, by
its own name (`email`) or by its path (`metadata.email`), at any depth. A record is known by its `id`: where a glob
takes that, no record is sent. The rule is one for all backends, and a run of which something is left out is another run
there (`left_out_by`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from runstore import canonical, large_text
from runstore.canonical import JsonValue
from runstore.exporters.contract import Change, Kind
from runstore.manifest import Dataset, Provenance

Globs = Sequence[str]
_Value = TypeVar("_Value")


def is_redacted(name: str, globs: Globs) -> bool:
    """Whether a glob names this."""
    return any(fnmatchcase(name, glob) for glob in globs)


def kept(kind: Kind, members: Mapping[str, _Value], globs: Globs) -> tuple[dict[str, _Value], list[Change]]:
    """What is left of named values, and the changes that tell what is not."""
    left = {name: value for name, value in members.items() if not is_redacted(name, globs)}
    return left, list(redactions(kind, members.keys() - left.keys()))


def redactions(kind: Kind, names: Iterable[str]) -> Iterable[Change]:
    """A change for each name, in order: nothing of it is sent."""
    for name in sorted(names, key=str.encode):
        yield Change(kind=kind, name=name, deed="redacted", sent=None, reason="asked by --redact")


def left_out_by(globs: Globs) -> str:
    """What a key is made with beside the run and the place: a run of which something is left out is another."""
    return canonical.encode(sorted(set(globs))).decode() if globs else ""


def kept_datasets(datasets: Sequence[Dataset], globs: Globs) -> tuple[list[Dataset], list[Change]]:
    """The data sets that may be named, and a change for each that may not."""
    left = [one for one in datasets if not is_redacted(one.name, globs)]
    return left, list(redactions("dataset", {one.name for one in datasets} - {one.name for one in left}))


def kept_provenance(made: Provenance, globs: Globs) -> tuple[dict[str, str | bool], list[Change]]:
    """`commit` and `dirty`, as far as they are known and may be told. The environment never is."""
    known = {"commit": made.commit, "dirty": made.dirty}
    return kept("run", {name: value for name, value in known.items() if value is not None}, globs)


def kept_record(record: JsonValue, globs: Globs) -> JsonValue:
    """A record without what a glob names; then also without the digests of its large texts, which tell what it was."""
    return without(record, [*globs, large_text.FIELD]) if globs else record


def without(value: JsonValue, globs: Globs, path: str = "") -> JsonValue:
    """A value without the members that a glob names, at any depth; `path` is what stands before their names."""
    if not globs:
        return value
    if isinstance(value, dict):
        return {
            name: without(member, globs, f"{path}{name}.")
            for name, member in value.items()
            if not (is_redacted(name, globs) or is_redacted(f"{path}{name}", globs))
        }
    if isinstance(value, list):
        return [without(element, globs, path) for element in value]
    return value
