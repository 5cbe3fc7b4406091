"""`gate git textconv FILE`: a file of a run, made legible, for `git diff`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from runstore.legible import lines

_BLOCK_BYTES = 256 * 1024


@click.command(name="textconv")
@click.argument("file", type=click.Path(readable=False, path_type=Path))
def textconv(file: Path) -> None:
    """Print a file of a run readably, for `git diff`; any other file as it is."""
    with file.open("rb") as data:
        for block in _blocks(lines(data)):
            click.echo(block, nl=False)


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces joined: each write is a call of the system."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
