"""A group of commands that knows their one-line help without loading them: a table in, the modules only when named."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

Entry = tuple[str, str, str]
"""Module, its attribute that is the command, and one line of help."""


class CommandTable(click.Group):
    """A group whose commands stand in a table, by name."""

    def __init__(self, *, table: Mapping[str, Entry], **settings: Any) -> None:
        super().__init__(**settings)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, loaded now."""
        if cmd_name not in self._table:
            return None
        module, name, _ = self._table[cmd_name]
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names with their help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][2]) for name in sorted(self._table)])
