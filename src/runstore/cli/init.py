"""`gate init`: what a repository needs to be gated, as files to commit. What is there already is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from runstore import __version__, starter
from runstore.errors import UsageError
from runstore.reports.text_safety import safe_text

_NO_SERVER = "none"
_LINES = (".gitattributes", ".gitignore")
"""Files that others write in, too: what they lack is told."""


@click.command(name="init")
@click.argument("folder", type=click.Path(readable=False, path_type=Path), default=Path())
@click.option(
    "--ci", "server", type=click.Choice([*starter.WORKFLOWS, _NO_SERVER]), default="github", show_default=True,
    help="Whose workflow to write.",
)  # fmt: skip
def command(folder: Path, server: str) -> None:
    """Write a policy, an example with its baseline, and a workflow that gates pull requests into FOLDER.

    FOLDER is the root of a repository, by default the working folder. It works as it stands: commit it, open a pull
    request that changes evals/results.jsonl, and see the gate. Then put your own harness in the place of the example. A
    file that is there already is never overwritten.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", hint="name the root of your repository")
    kept = [name for name in starter.WHOLE if (folder / name).exists()]
    for path, content in starter.files(None if server == _NO_SERVER else server, __version__).items():
        is_kept = any(path.startswith(f"{name}/") for name in kept)
        for line in [f"kept    {path}: its folder was there"] if is_kept else _placed(folder, path, content):
            click.echo(safe_text(line))
    click.echo(
        "\nNext, to see it work:\n  evals/evaluate.sh\n  gate compare baselines/example runs/example\n"
        "then commit what was written, and read gate.toml."
    )


def _placed(folder: Path, path: str, content: bytes) -> Iterator[str]:
    """Write one file, unless it is there, and say what was done."""
    place = folder / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(content)
    except (FileExistsError, NotADirectoryError):
        yield f"kept    {path}, which was there"
        if path in _LINES and place.is_file():
            yield from (
                f"        it lacks the line: {line}" for line in starter.missing_lines(place.read_bytes(), content)
            )
        return
    if path in starter.EXECUTABLE:
        place.chmod(place.stat().st_mode | 0o111)
    yield f"wrote   {path}"
