"""Names for a backend that does not take every character: a name in, one that it takes out, and back.

A character that is not allowed becomes `_x`, its code point in hexadecimal, `_`: `pass@1` is `pass_x40_1`. A `_` that
stands before an `x` in the name is escaped itself, so that no two names become one and each can be had back. A name
that is too long keeps its beginning, and `_xh`, 32 digits of its SHA-256, `_` stand for the rest; the whole name then
travels in an attached file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters.contract import Attachment, Change, Kind

MARK = "_x"
"""What begins an escape. A backend with other reserved characters names another pair of different characters."""
PLAIN = re.compile(r"[A-Za-z0-9_.\-/ ]")
"""Characters that nearly every backend takes."""
NAMES_FILE = "runstore/names.json"
_DIGEST_DIGITS = 32
_END = "_"
Allowed = re.Pattern[str] | frozenset[str]
"""The characters that a backend takes: a set, or a pattern that one character must match. Letters a to f and x, digits
and `_` must be among them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Which names a backend takes, all parts of it as `escape` takes them."""

    allowed: Allowed = PLAIN
    longest: int | None = None
    reserved: re.Pattern[str] | None = None
    mark: str = MARK

    def name(self, original: str) -> str:
        """The name as the backend gets it."""
        return escape(original, self.allowed, self.longest, reserved=self.reserved, mark=self.mark)

    def reason(self, original: str) -> str:
        """Why a name is renamed, in words."""
        escaped = escape(original, self.allowed, reserved=self.reserved, mark=self.mark)
        if self.longest is not None and len(escaped) > self.longest:
            return f"longer than {self.longest} characters; the whole name is in {NAMES_FILE}"
        if not original:
            return "an empty name"
        odd = sorted({one for one in original if not _is_allowed(one, self.allowed)})
        if odd:
            return f"the backend does not take {' '.join(odd[:8])}"
        return f"{self.mark!r} begins an escape" if self.mark in original else "a reserved form of name"


def escape(
    name: str,
    allowed: Allowed,
    longest: int | None = None,
    *,
    reserved: re.Pattern[str] | None = None,
    mark: str = MARK,
) -> str:
    """The name in allowed characters, `longest` of them at most; different names stay different.

    `reserved` matches, in the original, what is to be escaped although its characters are allowed (`^/`, say).
    """
    tokens = list(_tokens(name, allowed, reserved, mark))
    text = "".join(tokens)
    if longest is None or len(text) <= longest:
        return text
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    tail = f"{mark}h{digest}{_END}"
    room = longest - len(tail)
    assert room >= 0, "no room for a digest"
    head = ""
    for token in tokens:
        if len(head) + len(token) > room:
            break
        head += token  # never a part of an escape
    return head + tail


def unescape(text: str, *, mark: str = MARK) -> str:
    """The original of a name that `escape` made.

    Raises ValueError if it was too long: then only the attached file has it.
    """
    return re.sub(f"{re.escape(mark)}(h?)([0-9a-f]*){_END}", _original, text)


def rename_all(kind: Kind, names: Iterable[str], rule: Rule) -> tuple[dict[str, str], list[Change]]:
    """Original → name at the backend, and the changes that tell of it.

    Escapes never collide. A backend for which two names are still one (without case, say) tells of the conflict itself.
    """
    renamed = {name: rule.name(name) for name in names}
    changes = [
        Change(kind=kind, name=name, deed="renamed", sent=sent, reason=rule.reason(name))
        for name, sent in renamed.items()
        if name != sent
    ]
    return renamed, changes


def names_file(changes: Iterable[Change]) -> Attachment | None:
    """The attached file that has every renamed name: kind → name at the backend → original; None if there is none."""
    table: dict[str, dict[str, JsonValue]] = {}
    for change in changes:
        if change.deed == "renamed" and change.sent is not None:
            table.setdefault(change.kind, {})[change.sent] = change.name
    return Attachment(path=NAMES_FILE, content=canonical.jcs_document(table)) if table else None


def originals(table: Mapping[str, str], name: str, *, mark: str = MARK) -> str:
    """The original of a name at the backend, by the attached table (name at the backend → original) or by itself."""
    return table[name] if name in table else unescape(name, mark=mark)


def _tokens(name: str, allowed: Allowed, reserved: re.Pattern[str] | None, mark: str) -> Iterator[str]:
    """Each character, or the escape that stands for it."""
    if not name:
        yield mark + _END
    held = {place for found in reserved.finditer(name) for place in range(*found.span())} if reserved else set()
    for place, character in enumerate(name):
        begins_escape = name.startswith(mark, place)
        if begins_escape or place in held or not _is_allowed(character, allowed):
            yield f"{mark}{ord(character):x}{_END}"
        else:
            yield character


def _is_allowed(character: str, allowed: Allowed) -> bool:
    return character in allowed if isinstance(allowed, frozenset) else allowed.fullmatch(character) is not None


def _original(found: re.Match[str]) -> str:
    if found[1]:
        raise ValueError(f"the whole name stands in {NAMES_FILE}")
    return chr(int(found[2], 16)) if found[2] else ""
