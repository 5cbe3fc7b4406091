"""Text from data made safe to show: nothing that steers a terminal, hides or reorders text, or commands a CI runner.

What is changed stays readable and looks the same everywhere: an escape like `\\n`, `\\x1b` or `\\u202e`. Widths are
columns of a terminal: two for a wide character, none for a mark.
"""

from __future__ import annotations

import re
import unicodedata

# C0 but LF and tab, DEL and C1; soft hyphen; bidirectional marks, zero-width and invisible characters, line and
# paragraph separators; surrogates; noncharacters; tag characters (invisible text).
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
# What stacks on the character before it or joins it to the next: marks of all scripts, of Hebrew, Arabic and Thai,
# joiners, variation selectors. A few in a row are writing; many paint over the lines around, or hide in nothing.
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
_STACKED = re.compile(f"(?<={_MARK}{{4}}){_MARK}")
_RIGHT_TO_LEFT = ("R", "AL", "AN")
LEFT_TO_RIGHT = "\u200e"
"""The one invisible mark that is ours; in data it is escaped."""
_EMOJI_STYLE = "\ufe0f"
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# GitHub's runner takes `::name` at the start of a line, after white space; it and the Azure agent look for `##[` and
# `##vso[` anywhere in a line; TeamCity for `##teamcity[`.
COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:)|#(?=#(?:\[|vso\[|teamcity\[))", re.IGNORECASE)


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters escaped; line feeds and tabs stay."""
    if text.isascii():
        return text if text.isprintable() else _CONTROL.sub(_escaped, text)
    return _STACKED.sub(_escaped, _CONTROL.sub(_escaped, text))


def safe_text(text: str) -> str:
    """The text for a terminal or a CI log: `visible`, without tabs and without commands; line feeds stay."""
    return without_commands(visible(text).replace("\t", "\\t"))


def without_commands(text: str) -> str:
    """The text with what a CI runner would take for a command escaped."""
    return COMMAND.sub(_without_command, text)


def one_line(text: str) -> str:
    """`safe_text` on one line: line feeds are escaped too. Begins no command even at the start of a line."""
    return safe_text(text.replace("\n", "\\n"))


def anchored(safe: str) -> str:
    """Safe text that numbers may follow on the line.

    After text that runs from right to left, `1 -> 0` would read `0 -> 1`: numbers take the direction of what precedes
    them (https://www.unicode.org/reports/tr9/, rules W2 and N1). A mark of the other direction behind the text ends it.
    """
    if safe.isascii() or not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in safe):
        return safe
    return safe + LEFT_TO_RIGHT


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
    if character == _EMOJI_STYLE:
        return 1  # what it makes an emoji of takes two; where it does not, a line is a column short
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, width: int) -> str:
    """The text in at most `width` columns (3 or more), shortened in the middle if it is longer."""
    if columns(text) <= width:
        return text
    room = width - 3
    return f"{start(text, room - room // 2)}...{end(text, room // 2)}"


def start(text: str, width: int) -> str:
    """As much of the start of a text as fits in `width` columns."""
    if text.isascii():
        return text[: max(width, 0)]
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:index]
    return text


def end(text: str, width: int) -> str:
    """As much of the end of a text as fits in `width` columns, not beginning with a mark that lost its letter."""
    if text.isascii():
        return text[len(text) - max(min(width, len(text)), 0) :]
    used = 0
    for index in range(len(text) - 1, -1, -1):
        used += _columns(text[index])
        if used > width:
            tail = text[index + 1 :]
            return tail[next((place for place, one in enumerate(tail) if _columns(one)), len(tail)) :]
    return text


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Safe text on lines of at most `width` columns, broken at spaces where it can be.

    `first` and `rest` begin the first line and the others, and are shorter than `width` by two columns or more.
    """
    lines, line, is_open = [], first, False
    for word in text.split(" "):
        longer = f"{line} {word}" if is_open else line + word
        if columns(longer) > width:
            if is_open:
                lines.append(line)
                line = rest
            longer = line + word
            while columns(longer) > width:
                head = start(longer, width)
                lines.append(head)
                longer = rest + longer[len(head) :]
        line, is_open = longer, True
    return [*lines, line]
