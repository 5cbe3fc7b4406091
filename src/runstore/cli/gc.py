"""`gate gc FOLDER`: remove large texts that no run names any more, or say which ones could go."""

from __future__ import annotations

from pathlib import Path

import click

from runstore.garbage.collection import Collection, collected
from runstore.reports.text_safety import safe_text


@click.command(name="gc")
@click.argument("folder", type=click.Path(readable=False, path_type=Path))
@click.option("-n", "--dry-run", is_flag=True, help="Remove nothing; say what would be.")
@click.option(
    "--ref", "refs", multiple=True, metavar="REF", help="Also keep what runs at this commit name. Repeatable."
)
def command(folder: Path, dry_run: bool, refs: tuple[str, ...]) -> int:
    """Remove the large texts below FOLDER that no run there names.

    A run counts in the work tree, in the index of git, at HEAD, and at each REF. If one of them cannot be read, or a
    run is being written, nothing is removed. What was committed stays in the history of git.

    \b
    gate gc runs/ --dry-run
    gate gc baselines/ --ref origin/main
    """
    with collected(folder, refs) as found:
        if not dry_run:
            found.remove()
        _tell(found, "would remove" if dry_run else "removed")
    return 0


def _tell(found: Collection, done: str) -> None:
    count, total = 0, 0
    for one in found.unneeded:
        for sha256, size in one.texts:
            click.echo(safe_text(f"{done}  {one.sweep.name_of(sha256)}  {size:,} bytes"))
            count += 1
            total += size
    click.echo(f"{done}  {_texts(count)}, {total:,} bytes; {_texts(found.needed)} needed")


def _texts(count: int) -> str:
    return f"{count:,} text{'' if count == 1 else 's'}"
