"""`gate`: the table of commands. A command's module is loaded when it is named, and nothing else is."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from runstore import __version__
from runstore.cli.boundary import run_guarded
from runstore.cli.command_table import CommandTable
from runstore.errors import StorageError

_ALLOCATIONS_PER_COLLECTION = 100_000
COMMANDS = {
    "accept": ("runstore.cli.accept", "Make what a run says, or a part of it, the new baseline."),
    "badge": ("runstore.cli.badge", "Draw a badge of a saved comparison."),
    "blame": ("runstore.cli.blame", "Show which commits changed a record of a baseline."),
    "calibrate": ("runstore.cli.calibrate", "Show the noise of runs of the same code, and limits that fit it."),
    "compare": ("runstore.cli.compare", "Compare a run, or a folder of runs, with its baseline."),
    "config": ("runstore.cli.config", "Look at the policy that a gate judges by."),
    "export": ("runstore.cli.export", "Send finished runs to another system."),
    "fmt": ("runstore.cli.fmt", "Rewrite the files of a run canonically."),
    "gc": ("runstore.cli.gc", "Remove large texts that no run names any more."),
    "git": ("runstore.cli.git_", "Have git show runs readably and merge them record by record."),
    "init": ("runstore.cli.init", "Write a policy, an example and a workflow into a repository."),
    "import": ("runstore.cli.import_", "Make a run from results in JSON, JSONL or CSV."),
    "completion": ("runstore.cli.completion", "Print the completion script of a shell."),
    "log": ("runstore.cli.log", "Show how a metric changed with the commits of a baseline."),
    "rebuild": ("runstore.cli.rebuild", "Derive again what follows from records that git has merged."),
    "recover": ("runstore.cli.recover", "Finish runs whose process was killed, with all that was logged."),
    "report": ("runstore.cli.report", "Render a saved comparison again."),
    "review": ("runstore.cli.review", "Walk through what changed: accept, skip or waive each record."),
    "selftest": ("runstore.cli.selftest", "Show that the gate can fail: judge damaged copies of a baseline."),
    "show": ("runstore.cli.show", "Show what a run holds."),
    "summarize": ("runstore.cli.summarize", "Derive the summary of a run from its records."),
    "validate": ("runstore.cli.validate", "Check that runs are what they claim to be."),
}
"""Command → (module, one line of help). A module has an attribute `command`."""
TABLE = {name: (module, "command", text) for name, (module, text) in COMMANDS.items()}


@click.group(cls=CommandTable, table=TABLE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="gate", message="%(prog)s %(version)s")
def gate() -> None:
    """Store evaluation, benchmark and training runs as plain files, and guard the merge.

    \b
    Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INVALID, 4 REVIEW, 5 INCONCLUSIVE,
    70 a bug of ours, 74 the system failed, 130 interrupted. Only 0 merges.
    """


def main() -> NoReturn:
    """The entry point of the scripts `gate` and `runstore`.

    A command lives for a moment: looking for cycles of garbage and taking the interpreter apart would be a tenth of it.
    """
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
    code = run_guarded(gate)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, StorageError, AttributeError):  # it was told, or the stream is closed
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
