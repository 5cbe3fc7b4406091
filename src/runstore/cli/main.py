"""`gate`: the table of commands. A command's module is loaded when it is named, and nothing else is."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from runstore import __version__
from runstore.cli.boundary import run_guarded

COMMANDS = {
    "accept": ("runstore.cli.accept", "Make what a run says, or a part of it, the new baseline."),
    "badge": ("runstore.cli.badge", "Draw a badge of a saved comparison."),
    "blame": ("runstore.cli.blame", "Show which commits changed a record of a baseline."),
    "calibrate": ("runstore.cli.calibrate", "Show the noise of runs of the same code, and limits that fit it."),
    "compare": ("runstore.cli.compare", "Compare a run, or a folder of runs, with its baseline."),
    "config": ("runstore.cli.config", "Look at the policy that a gate judges by."),
    "fmt": ("runstore.cli.fmt", "Rewrite the files of a run canonically."),
    "init": ("runstore.cli.init", "Write a policy, an example and a workflow into a repository."),
    "import": ("runstore.cli.import_", "Make a run from results in JSON, JSONL or CSV."),
    "completion": ("runstore.cli.completion", "Print the completion script of a shell."),
    "log": ("runstore.cli.log", "Show how a metric changed with the commits of a baseline."),
    "rebuild": ("runstore.cli.rebuild", "Derive again what follows from records that git has merged."),
    "report": ("runstore.cli.report", "Render a saved comparison again."),
    "selftest": ("runstore.cli.selftest", "Show that the gate can fail: judge damaged copies of a baseline."),
    "show": ("runstore.cli.show", "Show what a run holds."),
    "summarize": ("runstore.cli.summarize", "Derive the summary of a run from its records."),
    "validate": ("runstore.cli.validate", "Check that runs are what they claim to be."),
}
"""Command → (module, one line of help). A module has an attribute `command`."""


class _Table(click.Group):
    """A group that knows its commands' one-line help without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name][0]), "command")  # noqa: B009  # the name is the contract
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_Table, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="gate", message="%(prog)s %(version)s")
def gate() -> None:
    """Store evaluation, benchmark and training runs as plain files, and guard the merge.

    \b
    Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INVALID, 4 REVIEW, 5 INCONCLUSIVE,
    70 a bug of ours, 74 the system failed, 130 interrupted. Only 0 merges.
    """


def main() -> None:
    """The entry point of the scripts `gate` and `runstore`."""
    sys.exit(run_guarded(gate))


if __name__ == "__main__":
    main()
