"""Text of data in Markdown: as code, and nowhere else.

In a code span or a fenced block nothing pings, links, loads or formats (GitHub Flavored Markdown, sections 6.3 and 4.5,
https://github.github.com/gfm/#code-spans), if it is fenced by more backticks than it holds and stands on one line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from runstore.reports.text_safety import one_line

LONG, MIDDLE, SHORT = 400, 120, 60
"""Characters of a message, of a name or a text, and of a name in a table."""
_BACKTICKS = re.compile("`+")
_LEAST_FENCE = 3
_MARKER_ROOM = 80
_LONE_DASH = re.compile(r"(?<=[A-Za-z0-9._])-(?=[A-Za-z0-9._])")
_KEPT = re.compile(r"[A-Za-z0-9._]")


def code(text: str, room: int = MIDDLE) -> str:
    """Text of data as a code span, shortened to `room` characters in the middle."""
    return span(_shortened(one_line(text), room))


def span(safe: str) -> str:
    """Safe text as a code span that may stand in a table.

    A `|` is escaped as `\\x7c`: a table splits its cells at one even in a code span, and renderers do not agree on
    `\\|` after a `\\`.
    """
    return line(safe.replace("|", "\\x7c"))


def line(safe: str) -> str:
    """Safe text as a code span outside of tables, unchanged: a command, say."""
    if not safe.strip(" "):
        safe = safe.replace(" ", "\\x20") or '""'
    fence = "`" * (1 + _longest_run(safe))
    pad = " " if safe[0] in "` " or safe[-1] in "` " else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def fenced(language: str, lines: Sequence[str]) -> str:
    """Lines of safe text as a fenced block."""
    fence = "`" * max(_LEAST_FENCE, 1 + max(map(_longest_run, lines), default=0))
    return "".join(f"{one}\n" for one in (f"{fence}{language}", *lines, fence))


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - room // 3]}...{text[-(room // 3) :]}"


def marker(project: str, suite: str) -> str:
    """The hidden first line by which a comment is found again, the same for every comparison of a suite.

    `<!-- runstore: PROJECT/SUITE -->`, each name in percent-encoded UTF-8, of which only ASCII letters, digits, `.`,
    `_` and a single `-` between those stay: so it can neither end the comment nor name another suite. A long name is
    cut and ends with `~` and the first 16 hexadecimal digits of its SHA-256.
    """
    return f"<!-- runstore: {_encoded(project)}/{_encoded(suite)} -->"


def _encoded(name: str) -> str:
    text = name.encode("utf-8", "surrogatepass")
    kept = {match.start() for match in _LONE_DASH.finditer(text.decode("latin-1"))}
    letters = (
        chr(byte) if place in kept or _KEPT.match(chr(byte)) else f"%{byte:02X}" for place, byte in enumerate(text)
    )
    encoded = "".join(letters)
    if len(encoded) <= _MARKER_ROOM:
        return encoded
    return f"{encoded[: _MARKER_ROOM // 2]}~{hashlib.sha256(text).hexdigest()[:16]}"
