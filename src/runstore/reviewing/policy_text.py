"""The policy file with new waivers: its text and the waivers in, the new text out. Nothing is written.

The waivers are appended, so every byte that was there stays. What comes out is read again: it must say what it said
before and the new waivers, and nothing else; where TOML allows no such thing, there is no new text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from runstore import canonical, exact
from runstore.errors import PolicyError, UsageError
from runstore.policy import from_toml
from runstore.policy.model import Policy, Waiver
from runstore.reports.text_safety import ascii_only, visible

_NAME = "waivers"


def block(waivers: Sequence[Waiver], root: tuple[str, ...] = ()) -> str:
    """The waivers as TOML, one table each; `root` is the table that the policy stands in."""
    return "\n".join("".join(f"{line}\n" for line in _lines(waiver, root)) for waiver in waivers)


def _lines(waiver: Waiver, root: tuple[str, ...]) -> Iterable[str]:
    yield f"[[{'.'.join((*root, _NAME))}]]"
    yield f"metric = {_text(waiver.metric)}"
    if waiver.record is not None:
        yield f"record = {_text(waiver.record)}"
        if waiver.repeat != 1:
            yield f"repeat = {waiver.repeat}"
    yield f"ceiling = {exact.text(waiver.ceiling)}"
    yield f"owner = {_text(waiver.owner)}"
    yield f"reason = {_text(waiver.reason)}"
    if waiver.issue is not None:
        yield f"issue = {_text(waiver.issue)}"
    yield f"expires = {waiver.expires}"


def _text(value: str) -> str:
    """A basic string of TOML. A JSON string is one, but for DEL; what hides or reorders text is escaped, too."""
    quoted = canonical.encode(value).decode().replace("\x7f", "\\u007f")
    return "".join(one if visible(one) == one else ascii_only(one) for one in quoted)


def extended(content: str, origin: str, waivers: Sequence[Waiver], root: tuple[str, ...] = ()) -> str:
    """The text of the policy with the waivers at its end; `content` is empty where there is no file yet.

    Raises UsageError if no text with them at the end says what it should: if `waivers` is written as a value, say.
    """
    end = "\r\n" if "\r\n" in content else "\n"
    gap = "" if not content else end if content.endswith("\n") else end * 2
    new = content + gap + block(waivers, root).replace("\n", end)
    problem = _problem(content, new, origin, waivers, root)
    if problem:
        raise UsageError(
            f"the waivers cannot be put at the end of {origin}: {problem}", hint="put them in by hand, as printed"
        )
    return new


def _problem(content: str, new: str, origin: str, waivers: Sequence[Waiver], root: tuple[str, ...]) -> str:
    """Why the new text does not say what it should; empty if it does."""
    try:
        before = from_toml(content, origin, root) if content.strip() else Policy()
        after = from_toml(new, origin, root)
    except PolicyError as error:
        return error.message
    if before is None or after is None:
        return "it holds no policy"
    known = len(before.waivers)
    placed = tuple(replace(one, origin=f"{_NAME}.{known + place}") for place, one in enumerate(waivers))
    if after != replace(before, waivers=(*before.waivers, *placed), origin=after.origin):
        return "it would say something else"
    return "" if _rest(content, root) == _rest(new, root) else "it would change another table"


def _rest(content: str, root: tuple[str, ...]) -> Mapping[str, object]:
    """Everything that the file says but for the waivers."""
    found = tomllib.loads(content)
    table = found
    for key in root:
        table = table.get(key, {})
    table.pop(_NAME, None)
    return found
