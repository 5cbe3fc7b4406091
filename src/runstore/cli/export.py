"""`gate export RUN... --to BACKEND`: send finished runs to another system, and read them back."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from runstore import canonical
from runstore.cli.boundary import INVALID, SYSTEM, USAGE, code_of
from runstore.cli.locators import Places
from runstore.cli.verified_runs import verified_runs
from runstore.errors import InvalidDataError
from runstore.exporters import telling
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Options
from runstore.exporters.discovery import find_exporter
from runstore.exporters.exporting import TIMEOUT_S, Errand, Export, export_each
from runstore.exporters.ledger import Ledger, default_folder
from runstore.reports.text_safety import one_line, safe_text
from runstore.source import Tree
from runstore.store.reader import Run, read_run

_DIFFERENT = 1
_WORST_FIRST = (INVALID, _DIFFERENT, USAGE, SYSTEM)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What the flags ask."""

    to: str
    options: Options
    dry_run: bool
    verify: bool
    timeout_s: float
    form: str
    inputs: tuple[Path, ...]
    """The runs that stand in folders, as they were named."""


@click.command(name="export")
@click.argument("runs", metavar="RUN...", type=click.Path(readable=False), nargs=-1, required=True)
@click.option("--to", metavar="BACKEND", required=True, help="mlflow, tensorboard, wandb, or one of another package.")
@click.option("--target", metavar="WHERE", help="An address, a folder or a project there; each backend says which.")
@click.option("--dry-run", is_flag=True, help="Only print the plan: all that would be sent, and what would change.")
@click.option("--verify", is_flag=True, help="Read back what stands there and compare it, number by number.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    default=TIMEOUT_S,
    show_default=True,
    help="Seconds for all of it.",
)
@click.option("--redact", metavar="GLOB", multiple=True, help="Params, tags and record fields that are not sent.")
@click.option("--no-records", is_flag=True, help="Do not send records.")
@click.option("--no-artifacts", is_flag=True, help="Do not send artifacts.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    runs: tuple[str, ...],
    to: str,
    target: str | None,
    dry_run: bool,
    verify: bool,
    timeout_s: float,
    redact: tuple[str, ...],
    no_records: bool,
    no_artifacts: bool,
    form: str,
) -> int:
    """Send finished runs to another system. Each RUN is a run, a folder of runs, or REF:path in git.

    Exporting a run again sends what is missing, and nothing twice. A run that is not sound is not sent, and the runs
    themselves are never changed. Exits with 0 if all is there, 1 if it reads back other than planned, 2 for what was
    asked wrongly or is not set up, 3 for a run that is not sound, 74 if the backend failed.

    \b
    gate export runs/today --to tensorboard --target logs
    gate export runs/today --to mlflow --dry-run
    """
    options = Options(
        target=target,
        redact=redact,
        records=not no_records,
        artifacts=not no_artifacts,
        environment=dict(os.environ),
    )
    asked = _Asked(
        to=to,
        options=options,
        dry_run=dry_run,
        verify=verify,
        timeout_s=timeout_s,
        form=form,
        inputs=tuple(Path(text) for text in runs if os.path.lexists(text)),
    )
    with Places() as places:
        found = [source for text in runs for _, source in places.runs(text)]
        return _carry_out(found, asked)


def _carry_out(sources: Sequence[Tree], asked: _Asked) -> int:
    """Export what can be opened and tell each; the exit code."""
    opened, done = _opened(sources)
    errand = Errand(
        exporter=find_exporter(asked.to),
        options=asked.options,
        budget=Deadline(asked.timeout_s),
        ledger=Ledger(default_folder(asked.options.environment), _warn),
        verified=verified_runs(asked.inputs),
        warn=_warn,
        dry_run=asked.dry_run,
        verify=asked.verify,
    )
    told = []
    for one in export_each(opened, errand, done):
        told.append(one)
        if asked.form == "text" or one.error is not None:
            lines = telling.tell(one, whole=asked.dry_run)
            click.echo("\n".join(map(one_line, lines)), err=one.error is not None)
    if asked.form == "json":
        text = canonical.jcs_document(telling.to_json(asked.to, told))
        # Whoever reads the JSON from a pipe gets its exact bytes; a terminal never sees a control character.
        click.echo(safe_text(text.decode()) if sys.stdout.isatty() else text, nl=False)
    codes = {_code(one) for one in told}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def _opened(sources: Sequence[Tree]) -> tuple[list[Run], list[Export]]:
    """The runs that can be opened, and the errors of those that cannot."""
    opened, failed = [], []
    for source in sources:
        try:
            opened.append(read_run(source))
        except InvalidDataError as error:
            failed.append(Export(label=source.label, error=error))
    return opened, failed


def _code(done: Export) -> int:
    if done.error is not None:
        return code_of(done.error)
    return _DIFFERENT if done.differences else 0


def _warn(text: str) -> None:
    click.echo(one_line(f"warning: {text}"), err=True)
