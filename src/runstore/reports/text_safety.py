"""Text from data made safe to show: nothing that steers a terminal, hides or reorders text, or commands a CI runner.

What is changed stays readable and looks the same everywhere: an escape like `\\n`, `\\x1b` or `\\u202e`.
"""

from __future__ import annotations

import re
import unicodedata

# C0 but LF and tab, DEL and C1; soft hyphen; bidirectional marks, zero-width and invisible characters, line and
# paragraph separators; surrogates; noncharacters; tag characters (invisible text).
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# GitHub's runner takes `::name` at the start of a line, after white space; it and the Azure agent look for `##[` and
# `##vso[` anywhere in a line; TeamCity for `##teamcity[`.
COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:)|#(?=#(?:\[|vso\[|teamcity\[))", re.IGNORECASE)


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters escaped; line feeds and tabs stay."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_escaped, text)


def safe_text(text: str) -> str:
    """The text for a terminal or a CI log: `visible`, without tabs and without commands; line feeds stay."""
    return without_commands(visible(text).replace("\t", "\\t"))


def without_commands(text: str) -> str:
    """The text with what a CI runner would take for a command escaped."""
    return COMMAND.sub(_without_command, text)


def one_line(text: str) -> str:
    """`safe_text` on one line: line feeds are escaped too. Begins no command even at the start of a line."""
    return safe_text(text.replace("\n", "\\n"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] in _NAMED:
        return _NAMED[match[0]]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_command(match: re.Match[str]) -> str:
    return "\\x23" if match[0] == "#" else f"{match[1]}\\x3a"


def ascii_only(text: str) -> str:
    """The text with everything beyond ASCII escaped: for two texts that look the same and are not."""
    return "".join(character if character.isascii() else _escaped_any(character) for character in text)


def _escaped_any(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def columns(text: str) -> int:
    """How many columns a terminal gives to a line of text."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, width: int) -> str:
    """The text in at most `width` columns (3 or more), shortened in the middle if it is longer."""
    if columns(text) <= width:
        return text
    room = width - 3
    head = _prefix(text, room - room // 2)
    tail = _prefix(text[::-1], room // 2)[::-1]
    return f"{head}...{tail}"


def _prefix(text: str, width: int) -> str:
    """As much of the start as fits in `width` columns."""
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:index]
    return text
