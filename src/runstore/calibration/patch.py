"""The patch: proposed limits and the text of a policy file in, a unified diff out. Nothing is written.

The file is edited line by line, so that comments and order stay; what comes out is read again, and if it does not say
what was proposed, no patch is given.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from runstore import exact
from runstore.calibration.proposals import Proposal
from runstore.errors import PolicyError, UsageError
from runstore.policy import Policy, from_toml

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_HINT = "put the limits into the policy by hand"


def diff(
    old: str, name: str, proposed: Sequence[Proposal], places: Mapping[str, int], root: tuple[str, ...] = ()
) -> str:
    """The unified diff by which a policy takes the proposals; empty if it has them all.

    `places`: dotted key → its line in the file (`Policy.places`); `root`: the table that the policy stands in. Raises
    UsageError if the file is written in a way that cannot be edited line by line.
    """
    lines = old.splitlines()
    inserted: dict[int, list[str]] = {}
    appended: dict[tuple[str, ...], list[str]] = {}
    for one in proposed:
        if one.limit == one.present:
            continue
        text = f"{one.key} = {exact.text(one.limit)}"
        at, header = places.get(".".join((*one.table, one.key)), 0), places.get(".".join(one.table), 0)
        if at:
            lines[at - 1] = _replaced(lines[at - 1], one)
        elif header and lines[header - 1].lstrip().startswith("["):
            inserted.setdefault(header, []).append(text)
        else:
            appended.setdefault(one.table, []).append(text)
    found = [line for number, line in enumerate(lines, start=1) for line in (line, *inserted.get(number, ()))]
    for table, texts in appended.items():
        found += [*([""] if found else []), f"[{_dotted((*root, *table))}]", *texts]
    new = "".join(f"{line}\n" for line in found)
    if found != old.splitlines():
        _check(new, name, proposed, root)
    return "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            f"a/{name}" if old else "/dev/null",
            f"b/{name}",
        )
    )


def _replaced(line: str, one: Proposal) -> str:
    new, times = re.subn(
        rf"(\b{one.key}[\"']?\s*=\s*)[-+0-9._eE]+", lambda match: match[1] + exact.text(one.limit), line
    )
    if times != 1:
        raise UsageError(f"cannot edit {'.'.join(one.table)} in its place: {line.strip()}", hint=_HINT)
    return new


def _dotted(names: tuple[str, ...]) -> str:
    return ".".join(name if _BARE.match(name) else _quoted(name) for name in names)


def _quoted(name: str) -> str:
    escaped = "".join(
        f"\\u{ord(letter):04x}"
        if ord(letter) < 32 or ord(letter) == 127
        else f"\\{letter}"
        if letter in '"\\'
        else letter
        for letter in name
    )
    return f'"{escaped}"'


def _check(text: str, name: str, proposed: Sequence[Proposal], root: tuple[str, ...]) -> None:
    """Refuse a text that does not say what was proposed."""
    try:
        policy = from_toml(text, name, root)
    except PolicyError as error:
        raise UsageError(f"the policy cannot be edited line by line: {error.message}", hint=_HINT) from error
    for one in proposed:
        if policy is None or _limit(policy, one) != one.limit:
            raise UsageError(f"the policy cannot be edited line by line: {'.'.join(one.table)} {one.key}", hint=_HINT)


def _limit(policy: Policy, one: Proposal) -> Decimal | None:
    if one.table[0] == "records":
        found = getattr(policy.records, one.key)
        return None if found is None else Decimal(found)
    rule = next((rule for rule in policy.metrics if rule.pattern == one.table[1]), None)
    return getattr(rule.limits, one.key) if rule else None
