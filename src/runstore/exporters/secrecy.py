"""Secrets that no text may show: the environment and headers in, texts without them out.

A server, or a proxy before it, may put into its answer what it was sent, and messages show its words, the ledger its
ids. So whatever comes from there passes here before it is shown or kept. What is hidden: each value of a variable that
is named like a secret, the user info of each address in a variable, the values of headers, their parts, the same in the
encodings of URLs and of base64; and what follows `Basic` or `Bearer`, whoever's it is. Values of fewer than four
characters stay: without them no sentence would be left, and they are no secrets.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from runstore.canonical import JsonValue

HIDDEN = "[hidden]"
_NAMED_SO = re.compile(r"(?:KEY|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS?|AUTHORIZATION)\Z", re.IGNORECASE)
_SCHEME = re.compile(r"(?i)\b(basic|bearer)(\s+|%20|\+)[A-Za-z0-9+/=._~%-]{4,}")
_LEAST_CHARACTERS = 4


class Secrets:
    """Some secrets, which are hidden in texts."""

    def __init__(self, environment: Mapping[str, str], headers: Mapping[str, str] = {}) -> None:
        found = {*_of_environment(environment), *_of_headers(headers)}
        forms = {form for one in found for form in _forms(one) if len(form) >= _LEAST_CHARACTERS}
        words = "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
        self._words = re.compile(words) if words else None

    def hide(self, text: str) -> str:
        """The text without secrets."""
        text = text if self._words is None else self._words.sub(HIDDEN, text)
        return _SCHEME.sub(rf"\1\2{HIDDEN}", text)

    def hide_within(self, value: JsonValue) -> JsonValue:
        """A value without secrets in its texts."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, dict):
            return {name: self.hide_within(member) for name, member in value.items()}
        return [self.hide_within(element) for element in value] if isinstance(value, list) else value


def _of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _NAMED_SO.search(name):
            yield value
        elif "@" in value:
            yield from _of_address(value)


def _of_address(value: str) -> Iterator[str]:
    """The user info of an address, whole and its parts."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
    except ValueError:
        return
    info, at, _ = parts.netloc.rpartition("@")
    if at:
        yield from _pair(unquote(info))
        yield info


def _pair(text: str) -> Iterable[str]:
    """A name and password, and the password alone; what has no colon may be a token."""
    name, colon, password = text.partition(":")
    return (text, password) if colon else (name,)


def _of_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() not in ("authorization", "proxy-authorization") and not _NAMED_SO.search(name):
            continue
        yield value
        yield (bare := value.rpartition(" ")[2])
        try:
            yield from _pair(base64.b64decode(bare, validate=True).decode())
        except (binascii.Error, ValueError):  # a token
            continue


def _forms(secret: str) -> Iterator[str]:
    """A secret as it may stand in a text."""
    yield secret
    yield quote(secret, errors="surrogateescape")
    yield quote(secret, safe="", errors="surrogateescape")
    yield base64.b64encode(secret.encode(errors="surrogateescape")).decode()
    yield base64.b64encode(f"api:{secret}".encode(errors="surrogateescape")).decode()  # as W&B's API has it
