"""`gate validate RUN...`: check that runs are what they claim to be, one line a run."""

from __future__ import annotations

import click

from runstore import canonical, schema, texts, verification
from runstore.cli.boundary import INVALID
from runstore.cli.locators import Places
from runstore.cli.terminal import ProgressLine
from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.merging.unmerged import unmerged
from runstore.reports.text_safety import safe_text
from runstore.source import Tree
from runstore.store.reader import Run, read_run


@click.command(name="validate")
@click.argument("runs", metavar="RUN...", type=click.Path(readable=False), nargs=-1, required=True)
def command(runs: tuple[str, ...]) -> int:
    """Check that runs are what they claim to be: every byte, the schema, the digests, the totals, the large texts.

    Each RUN is a run folder or a folder of runs; REF:path is one in git. Prints one line a run and exits with 3 if one
    of them is not sound.

    \b
    gate validate baselines/
    """
    with Places() as places:
        found = [source for text in runs for _, source in places.runs(text)]
        verdicts = list(map(_tell, found))
    return 0 if all(verdicts) else INVALID


def _tell(source: Tree) -> bool:
    """Check one run and print its line; whether it is sound."""
    try:
        count = _validate(source)
    except InvalidDataError as error:
        click.echo(safe_text(f"bad  {_unmerged(source) or error}"))
        return False
    click.echo(safe_text(f"ok   {source.label}  {count} record{'' if count == 1 else 's'}"))
    return True


def _unmerged(source: Tree) -> InvalidDataError | None:
    """What a merge has left undecided in a run, which says more than that its bytes are none of a run."""
    try:
        return unmerged(source)
    except (InvalidDataError, UsageError):
        return None  # the files cannot be listed, and that is what is told


def _validate(source: Tree) -> int:
    """Check a run in full; the number of its records. Raises InvalidDataError."""
    run = read_run(source)
    progress = ProgressLine("validating", run.record_count)
    try:
        verification.verify(run, progress)
        texts.check_texts(run, source)
    finally:
        progress.close()
    for name in ("manifest", "summary"):
        _check_schema(run, name)
    return run.record_count


def _check_schema(run: Run, name: str) -> None:
    """A second opinion, after the checks that explain better: the published schema, as other programs see it."""
    path = f"{name}.json"
    with run.source.open(path) as file:
        value = canonical.parse_loose(file.read())
    for found in schema.validate(name, value):
        raise InvalidRunError(
            found.message, where=run.where(path, pointer=found.pointer), hint=f"see schemas/v1/{name}.schema.json"
        )
