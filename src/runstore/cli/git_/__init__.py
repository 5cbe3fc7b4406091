"""`gate git`: the table of its commands. Git calls `textconv` and `merge` itself: nothing else is loaded then."""

from __future__ import annotations

import click

from runstore.cli.command_table import CommandTable

COMMANDS = {
    "install": (f"{__name__}.setup", "install", "Set up the drivers in this clone."),
    "merge": (f"{__name__}.merge", "merge", "Merge three versions of a file of a run, for git merge."),
    "textconv": (f"{__name__}.textconv", "textconv", "Print a file of a run readably, for git diff."),
    "uninstall": (f"{__name__}.setup", "uninstall", "Take away what install has set."),
}
"""Command → (module, its attribute, one line of help)."""


@click.group(name="git", cls=CommandTable, table=COMMANDS)
def command() -> None:
    """Have git show runs readably and merge them record by record."""
