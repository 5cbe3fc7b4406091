"""Finding the policy: `--config FILE`, else `gate.toml` or `[tool.gate]` of a pyproject.toml, here or above.

Where the baseline is read at a commit, the policy is: in the same places, as they stand there (`find_among`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click

from runstore import policy
from runstore.errors import PolicyError, UsageError
from runstore.policy import Policy
from runstore.store.durable import real_path

_IN_PYPROJECT = ("tool", "gate")
_NAMES = ("gate.toml", "pyproject.toml")
_BYTES = 1024 * 1024
_MOST_DOTS = 1000

config_option = click.option(
    "-c",
    "--config",
    type=click.Path(readable=False, path_type=Path),
    help="Policy file. Default: gate.toml, here or above.",
)
today_option = click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day by which waivers expire, as YYYY-MM-DD. Default: today, in UTC.",
)


def day(today: datetime | None) -> date:
    """The day that `--today` names, else the day it is in UTC."""
    return (today or datetime.now(UTC)).date()


def find_policy(config: Path | None) -> tuple[Policy, Path | None]:
    """The policy to judge by, and the file it stands in; the strict default if there is none.

    The search goes from the working folder upward and ends at the root of the repository. Raises PolicyError.
    """
    if config is not None:
        if not config.is_file():
            raise PolicyError(f"{config}: no such file", hint="--config names a gate.toml or a pyproject.toml")
        found = _read(config)
        if found is None:
            raise PolicyError(f"{config} has no [tool.gate] table")
        return found, config
    for folder in _upward(Path.cwd()):
        for name in _NAMES:
            path = folder / name
            if path.is_file():
                if (found := _read(path)) is not None:
                    return found, path
            elif path.exists() or path.is_symlink():
                raise PolicyError("not a file", where=path.name, hint="a policy that cannot be read is not passed over")
    return Policy(), None


def _upward(start: Path) -> list[Path]:
    folders = [start, *start.parents]
    roots = [index for index, folder in enumerate(folders) if (folder / ".git").exists()]
    return folders[: roots[0] + 1] if roots else folders[:1]


def _read(path: Path) -> Policy | None:
    if path.stat().st_size > _BYTES:
        raise PolicyError(f"larger than {_BYTES} bytes", where=str(path))
    return parse(path.read_bytes(), path.name, path.name, str(path))


def parse(data: bytes, name: str, origin: str, where: str) -> Policy | None:
    """The policy in a file of a name; None if it is a pyproject.toml without one. Raises PolicyError.

    `origin` is how findings call the file, and `where` how errors do.
    """
    if len(data) > _BYTES:
        raise PolicyError(f"larger than {_BYTES} bytes", where=where)
    try:
        text = data.decode("utf-8")  # as it is: a lone CR would become the end of a comment
    except UnicodeDecodeError as error:
        raise PolicyError(f"not UTF-8: {error.reason} at byte {error.start}", where=where) from None
    # By LF alone: what else Python takes for the end of a line, such as U+2028, can stand in a key of TOML.
    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise PolicyError(f"a line with more than {_MOST_DOTS} dots", where=where)  # keys that deep take hours to read
    return policy.from_toml(text, origin, _IN_PYPROJECT if name == "pyproject.toml" else ())


def places_of_policy(prefix: str) -> list[str]:
    """Where a policy may stand in a repository, the first that has one counts; `prefix` is the working folder in it."""
    parts = prefix.split("/") if prefix else []
    folders = ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]
    return [f"{folder}/{name}" if folder else name for folder in folders for name in _NAMES]


def find_among(
    places: Sequence[str], read: Callable[[str], bytes | None], label: str, *, is_named: bool
) -> tuple[Policy, str | None]:
    """The policy at the first of some places that has one, and that place; the strict default if none has.

    `read` gives the bytes at a place, or None; `label` says in errors and findings where they were read (`main:`);
    `is_named`: the place was asked for, and must have one. Raises PolicyError.
    """
    for place in places:
        data = read(place)
        origin = f"{label}{place}"
        if data is not None and (found := parse(data, place.rpartition("/")[2], origin, origin)) is not None:
            return found, place
    if is_named:
        hint = "it must stand there; --config names it from the working folder"
        raise PolicyError(f"{label}{places[0]}: no such policy", hint=hint)
    return Policy(origin=f"the strict default: no policy at {label.rstrip(':')}"), None


def reference_folder(policy: Policy, file: Path | None) -> Path | None:
    """The folder of the pinned reference, named from the folder of the policy. Raises UsageError if it is not there."""
    if policy.reference is None or file is None:
        return None
    path = file.parent / policy.reference.path
    if not path.is_dir():
        raise UsageError(
            f"the pinned reference is not there: {policy.reference.path}",
            where=file.name,
            hint="`path` of [reference] is relative to the folder of the policy; commit the run there",
        )
    if real_path(path) != real_path(file.parent) / policy.reference.path:
        raise UsageError(
            f"a link leads to the pinned reference: {policy.reference.path}",
            where=file.name,
            hint="what is pinned must stand where the policy says; commit the run itself there",
        )
    return path
