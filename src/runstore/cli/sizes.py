"""Sizes on the command line: `16384`, `16KiB`, `1 MiB` in; bytes out."""

from __future__ import annotations

import re

import click

from runstore.large_text import MAX_BYTES, PREVIEW_BYTES

_SIZE = re.compile(r"([0-9]{1,12}) ?(|B|KiB|MiB)\Z", re.ASCII)
_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024 * 1024}


class LargeTextSize(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """From how many bytes on a text is large."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes that a text means."""
        if isinstance(value, int):
            return value
        found = _SIZE.match(str(value))
        if found is None:
            self.fail(f"{value!r} is no size; for example 16KiB, 1MiB or a number of bytes", param, ctx)
        size = int(found[1]) * _UNITS[found[2]]
        if not PREVIEW_BYTES <= size <= MAX_BYTES:
            self.fail(f"{value!r} is not from {PREVIEW_BYTES} bytes to {MAX_BYTES // _UNITS['MiB']}MiB", param, ctx)
        return size


large_text_option = click.option(
    "--large-text",
    type=LargeTextSize(),
    metavar="SIZE",
    help="Keep texts of more than SIZE bytes (16KiB) in files beside the run.",
)
