"""Presence: which of some ids, named by a policy, a run has records of. It reads only files that may hold one."""

from __future__ import annotations

from collections.abc import Collection

from runstore import canonical
from runstore.store.reader import Run


def absent(run: Run, ids: Collection[str]) -> frozenset[str]:
    """Those of the ids that no record of a verified run has."""
    wanted = {name: canonical.encode(name) for name in ids}
    for path in run.record_files:
        here = {name: text for name, text in wanted.items() if _may_hold(run, path, name)}
        rest = b"\n"
        for block in run.blocks([path]) if here else ():
            data = rest + block.data
            for name, text in list(here.items()):
                # No field sorts before `id`, and every line ends with LF: this stands where a record begins, only.
                if b'\n{"id":%b,' % text in data or b'\n{"id":%b}' % text in data:
                    del here[name], wanted[name]
            if not here:
                break
            rest = data[data.rfind(b"\n") :]
    return frozenset(wanted)


def _may_hold(run: Run, path: str, name: str) -> bool:
    """Whether a file may hold the record: it starts at or before it, and the next one after it."""
    files = run.record_files
    later = files[files.index(path) + 1 :]
    first = run.manifest.files[path].first
    following = run.manifest.files[later[0]].first if later else None
    key = name.encode()
    return (first is None or first.encode() <= key) and (following is None or key < following.encode())
