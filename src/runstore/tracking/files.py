"""The files of a run that is not finished: copied whole into its working folder, and known by their digest.

A copy gets its name only when it is whole and the journal has its digest, so what bears a name is one of the files that
were logged by it. Only a power cut can leave another; it is found by its digest, and named.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from runstore import paths
from runstore.errors import StorageError, UsageError
from runstore.store.durable import named_errors
from runstore.tracking import journal
from runstore.tracking.story import KeptFile, Story
from runstore.tracking.unfinished import INCOMING

FOLDER = "artifacts"
_BLOCK_BYTES = 1024 * 1024


def check_source(path: Path) -> None:
    """Refuse what is no file. Raises UsageError."""
    if not path.exists():
        raise UsageError(f"{path}: no such file", hint="log an artifact when it has been written")
    if not stat.S_ISREG(path.stat().st_mode):
        raise UsageError(f"{path} is not a file", hint="log_artifacts takes a folder")


def check_name(name: str, story: Story) -> str:
    """The name of an artifact. Raises InvalidRunError if no file of a run can have it beside those that are there."""
    paths.check(f"{FOLDER}/{name}")
    if name not in story.artifacts:
        paths.check_distinct([*story.artifacts, name])
        others = {other.casefold() for other in story.artifacts}
        if name.casefold() in _folders(others) or _folders({name.casefold()}) & others:
            raise UsageError(f"the artifact {name!r} would be a file and a folder", hint="choose another name")
    return name


def _folders(names: set[str]) -> set[str]:
    """The folders that files of these names lie in."""
    split = [name.split("/") for name in names]
    return {"/".join(parts[:count]) for parts in split for count in range(1, len(parts))}


def keep(source: Path, folder: Path, name: str, log: Callable[[str, int], None]) -> None:
    """Copy a file into a working folder. `log` is called with SHA-256 and size before the copy gets its name.

    Raises OSError.
    """
    incoming, target = folder / INCOMING, folder / FOLDER / name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as file, named_errors(incoming), incoming.open("wb") as copy:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
                copy.write(block)
        log(digest.hexdigest(), size)
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise
    incoming.replace(target)  # once it is logged, it is never thrown away


def find_whole(folder: Path, story: Story) -> tuple[dict[str, Path], list[str]]:
    """Name → file, of the artifacts that are one of the files logged by that name; and the names of the others."""
    whole, torn = {}, []
    for name, kept in story.artifacts.items():
        path = folder / FOLDER / name
        found = _digest(path) if is_plain(folder, path) else None
        if found != kept[-1].sha256 and _is_incoming(folder, kept[-1]):
            whole[name] = folder / INCOMING  # killed between the entry and the name
        elif found in {one.sha256 for one in kept}:
            whole[name] = path
        else:
            torn.append(name)
    return whole, torn


def is_plain(folder: Path, path: Path) -> bool:
    """Whether a path below a folder is a file, with no link on the way."""
    steps = (path, *path.parents)
    return path.is_file() and not any(one.is_symlink() for one in steps[: len(path.relative_to(folder).parts)])


def unlogged(folder: Path, story: Story) -> list[str]:
    """The files of a working folder that nobody has logged, by their paths there, sorted: a program has put them there.

    Links are passed over, and so is what the tracker itself keeps there.
    """
    ours = {".gitignore", "manifest.json", journal.FILE, INCOMING, *(f"{FOLDER}/{name}" for name in story.artifacts)}
    found = []
    for base, _, names in os.walk(folder, onerror=_raise):
        plain = (path for name in names if is_plain(folder, path := Path(base, name)))
        found += [path.relative_to(folder).as_posix() for path in plain]
    return sorted(set(found) - ours)


def _is_incoming(folder: Path, last: KeptFile) -> bool:
    path = folder / INCOMING
    return is_plain(folder, path) and path.stat().st_size == last.size and _digest(path) == last.sha256


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder with its path from there, sorted. Raises UsageError for what is no folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="log_artifact takes a file")
    for base, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in folders:
            if Path(base, name).is_symlink():
                raise UsageError(f"{Path(base, name)} is a link to a folder", hint="name the folder itself")
        for name in sorted(names):
            path = Path(base, name)
            check_source(path)
            yield path, path.relative_to(folder).as_posix()


def _raise(error: OSError) -> None:
    raise StorageError(f"cannot read the folder: {error.strerror}", where=str(error.filename)) from error


def digest_of(path: Path) -> str:
    """`sha256:` and the digest of a file; of a folder, of the lines `digest  path` of its files, sorted.

    Raises UsageError if nothing is there, StorageError if it cannot be read.
    """
    try:
        if path.is_dir():
            lines = "".join(f"{_digest(file)}  {name}\n" for file, name in sorted(below(path), key=_by_name))
            return f"sha256:{hashlib.sha256(os.fsencode(lines)).hexdigest()}"
        check_source(path)
        return f"sha256:{_digest(path)}"
    except OSError as error:
        raise StorageError(f"cannot read the data set: {error.strerror}", where=str(error.filename)) from error


def _by_name(found: tuple[Path, str]) -> bytes:
    return os.fsencode(found[1])
