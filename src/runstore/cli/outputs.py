"""Where reports go: `--format FORMAT[:FILE]` in, files or stdout out. A file named `-` is stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from runstore import reports
from runstore.canonical import JsonValue
from runstore.cli.terminal import columns, wants_color
from runstore.errors import UsageError
from runstore.store.durable import real_path

STDOUT = Path("-")
"""A file of this name is standard output."""


@dataclass(frozen=True, slots=True)
class Output:
    """A report format and the file it goes to; None is stdout."""

    format: str
    path: Path | None

    def check(self, inputs: Sequence[Path], taken: Sequence[Path] = ()) -> None:
        """Refuse a place that would damage what is compared, or a file in use. Raises UsageError."""
        if self.path is None:
            return
        if self.path.is_symlink() or self.path.is_dir():
            raise UsageError(f"{self.path} is a symbolic link or a folder", hint="name a file for the report")
        place = real_path(self.path)
        if place in [real_path(path) for path in taken]:
            raise UsageError(f"{self.path} is read here, or another report goes there", hint="name another file")
        for folder in inputs:
            if place.is_relative_to(real_path(folder)):
                raise UsageError(f"{self.path} lies inside {folder}", hint="write reports outside the runs")


class OutputType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """`FORMAT` or `FORMAT:FILE`."""

    name = "output"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        """The output that a flag's text asks for."""
        if isinstance(value, Output):
            return value
        form, colon, path = str(value).partition(":")
        if form not in reports.FORMATS:
            near = get_close_matches(form, reports.FORMATS, n=1)
            self.fail(
                f"{form!r} is no report format: {', '.join(reports.FORMATS)}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                param,
                ctx,
            )
        if colon and not path:
            self.fail(f"no file after {value!r}; without a colon, or with '-', it goes to stdout", param, ctx)
        return Output(form, Path(path) if path and Path(path) != STDOUT else None)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The formats that begin with what was typed."""
        return [click.shell_completion.CompletionItem(name) for name in reports.FORMATS if name.startswith(incomplete)]


def chosen(
    outputs: Sequence[Output],
    output: Path | None,
    inputs: Sequence[Path],
    taken: Sequence[Path] = (),
) -> list[Output]:
    """The reports to write, checked before any work is done. Raises UsageError.

    `output` is where the one without a file goes; `inputs` are folders that are read and `taken` files in use.
    """
    wanted = list(outputs) or [Output("text", None)]
    if output is not None and output != STDOUT:
        loose = [index for index, one in enumerate(wanted) if one.path is None]
        if len(loose) != 1:
            raise click.UsageError("-o names the file of one report; give the others as --format FORMAT:FILE")
        wanted[loose[0]] = Output(wanted[loose[0]].format, output)
    if len([one for one in wanted if one.path is None]) > 1:
        raise click.UsageError("only one report can go to stdout; give the others as --format FORMAT:FILE")
    in_use = list(taken)
    for one in wanted:
        one.check(inputs, in_use)
        in_use += [one.path] if one.path else []
    return wanted


def write_all(outputs: Sequence[Output], view: Mapping[str, JsonValue], *, explain: bool = False) -> None:
    """Render and write every report: files first, each whole or not at all, then stdout.

    `explain`: the text report says of every check what was read and why it holds or not.
    """
    for output in sorted(outputs, key=lambda output: output.path is None):
        renderers = [reports.load(output.format)]
        renderers += [reports.load_explanation()] if explain and output.format == "text" else []
        if output.path is None:
            color = wants_color(sys.stdout)
            width = columns() if output.format == "text" else 100
            texts = [renderer.render(view, color=color, width=width) for renderer in renderers]
            click.echo("\n".join(texts), nl=False, color=color)
        else:
            with import_module("runstore.store.placing").replaced_file(output.path) as file:
                file.write("\n".join(renderer.render(view) for renderer in renderers).encode())
