"""`gate git install` and `uninstall`: the drivers in git's settings, set up and taken away, and what was done told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from runstore.errors import UsageError
from runstore.git import drivers
from runstore.git.place import normal
from runstore.git.repository import Repository
from runstore.reports.text_safety import one_line
from runstore.source import VOLATILE
from runstore.store.placing import replaced_file

_DEFAULT = "baselines"
_SERVERS = (
    "Servers never run drivers: what a hosting service merges, it merges line by line, and `gate rebuild` mends what\n"
    "follows from the lines. Every clone installs its own; commit .gitattributes for all."
)


@click.command(name="install")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be written.")
def install(folders: tuple[str, ...], *, dry_run: bool) -> None:
    """Set up the drivers in this clone, for the runs below FOLDER, by default baselines.

    Adds lines to .gitattributes, for all clones, and settings to this one. What is there already is left alone. Call
    it again after the tool has moved; without the tool, git goes on as if there were no drivers.
    """
    root, names = _places(folders)
    values = drivers.settings(_interpreter())
    there = drivers.current(list(values))
    drivers.check_free(there)
    for name in names:
        drivers.check_unclaimed(root, name)
    changed = {name: value for name, value in values.items() if there.get(name) != value}
    wanted = [line for name in names for line in drivers.attribute_lines(name)]
    _edit(root, lambda content: drivers.with_lines(content, wanted), dry_run=dry_run)
    if not dry_run:
        drivers.write(changed)
    _tell_settings("would set" if dry_run else "set", values, changed)
    click.echo(f"\n{_SERVERS}")


@click.command(name="uninstall")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be taken away.")
def uninstall(*, dry_run: bool) -> None:
    """Take away what `install` has set: the settings of this clone, and the lines that name the drivers."""
    root, _ = _places(())
    there = drivers.current(list(drivers.settings(_interpreter())))
    drivers.check_free(there)
    _edit(root, drivers.without_lines, dry_run=dry_run)
    if not dry_run:
        drivers.remove(list(there))
    _tell_settings("would unset" if dry_run else "unset", there, there)


def _places(typed: tuple[str, ...]) -> tuple[Path, list[str]]:
    """The top of the work tree, and folders seen from it. Raises UsageError."""
    repository = Repository()
    repository.close()
    if repository.root is None:
        raise UsageError("there is no work tree here", hint="call it inside a clone; servers never run drivers")
    return repository.root, [_place(folder, repository.prefix) for folder in typed] or [_DEFAULT]


def _place(typed: str, prefix: str) -> str:
    """A folder as one types it in a shell, seen from the top of the work tree. Raises UsageError."""
    name = "" if typed.startswith("/") else normal(f"./{typed}", prefix)
    if not name or VOLATILE in name.split("/") or any(character < " " for character in name):
        raise UsageError(
            f"{one_line(typed)} is no place for baselines", hint="name a folder in this work tree, such as baselines"
        )
    return name


def _interpreter() -> str:
    if not sys.executable:
        raise UsageError("it is not known which program runs this", hint="call it by the script `gate`")
    return os.path.abspath(sys.executable)  # noqa: PTH100  # a link of an environment is not followed: it is the environment


def _edit(root: Path, edit: Callable[[bytes], bytes], *, dry_run: bool) -> None:
    """Put `.gitattributes` as it should be, whole or not at all, and say what has changed."""
    file = root / drivers.ATTRIBUTES_FILE
    before = file.read_bytes() if file.exists() else b""
    after = edit(before)
    if after == before:
        click.echo(f"kept    {file.name}, which has it so already")
        return
    if not dry_run:
        with replaced_file(file) as target:
            target.write(after)
    word = "would write" if dry_run else "wrote"
    old, new = before.splitlines(), after.splitlines()
    click.echo(f"{word:<7} {file.name}")
    for mark, these, those in (("-", old, new), ("+", new, old)):
        for line in these:
            if line not in those:
                click.echo(one_line(f"  {mark} {line.decode(errors='replace')}"))


def _tell_settings(word: str, values: dict[str, str], changed: dict[str, str]) -> None:
    for name in values:
        click.echo(f"{word if name in changed else 'kept':<7} {name}")
