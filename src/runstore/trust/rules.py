"""What a change does to the policy, and to how its diff is shown: two policies, or lines, in; a check out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from runstore import exact
from runstore.checks import Check, check
from runstore.errors import PolicyError
from runstore.findings import Finding, Level, Rule
from runstore.policy import Policy
from runstore.policy.listing import Value, settings
from runstore.trust.edit import Edit
from runstore.trust.words import origin, short

_LISTED = 20
_LOOK = "nothing here was read by it; look at the diff yourself: git diff --text --no-ext-diff"


def judge_policy(edit: Edit, old: Policy, new: Policy | PolicyError, places: tuple[str | None, str | None]) -> Check:
    """What the change would do to the policy; `places` are where the old and the new one stand, None for nowhere."""
    findings = []
    if isinstance(new, PolicyError):
        message = f"the policy in {edit.place} cannot be read: {new.where}: {new.message}"
        level = Level.ERROR if edit.is_committed else Level.REVIEW
        findings.append(Finding(rule=Rule.POLICY_EDITED, level=level, message=message, hint=new.hint or None))
    elif _bare(old) != _bare(new):
        hint = "the trusted policy judged; " + ("approved" if edit.approved else edit.hint)
        for message in _policy_edits(old, new, places):
            told = f"in {edit.place}, {message}"
            findings.append(Finding(rule=Rule.POLICY_EDITED, level=edit.level, message=told, hint=hint))
    made = check(Rule.POLICY_EDITED, f"the policy at {edit.trusted} and in {edit.place}", *findings, origin=origin(old))
    return replace(made, why=made.why or "both ask the same")


def _bare(policy: Policy) -> Policy:
    return replace(policy, origin="")


def _policy_edits(old: Policy, new: Policy, places: tuple[str | None, str | None]) -> Iterator[str]:
    if places[0] is not None and places[1] is None:
        yield f"{places[0]} is gone, and nothing stands in its place"
        return
    if places[0] != places[1]:
        yield f"the policy would stand in {places[1]}"
    before = {one.key: one.value for one in settings(old)}
    after = {one.key: one.value for one in settings(new)}
    keys = [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)]
    for key in keys[:_LISTED]:
        yield f"{key} changes: {_value(before.get(key))} -> {_value(after.get(key))}"
    if len(keys) > _LISTED:
        yield f"{len(keys) - _LISTED:,} more keys change"
    if not keys and places[0] == places[1]:
        yield "the rules change their order"


def _value(value: Value) -> str:
    match value:
        case None:
            return "not set"
        case Decimal():
            return exact.text(value)
        case date():
            return value.isoformat()
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            return short(dict(value))
    return short(value)


def judge_attributes(edit: Edit, hidden: Sequence[str]) -> Check:
    """What the change does to how the baseline is shown; `hidden` are the lines of `.gitattributes` that are new."""
    findings = [
        Finding(rule=Rule.GITATTRIBUTES, level=edit.level, message=f"{line} could hide the diff", hint=_LOOK)
        for line in hidden[:_LISTED]
    ]
    read = f".gitattributes above the baseline and the policy, at {edit.trusted} and in {edit.place}"
    made = check(Rule.GITATTRIBUTES, read, *findings)
    return replace(made, why=made.why or "none hides more than before")


def judge_reference(edit: Edit, path: str) -> Check:
    """That the change edits the pinned reference."""
    message = f"the change edits the pinned reference {path} (in {edit.place})"
    finding = Finding(rule=Rule.CLAIMS, level=edit.level, message=message, hint=edit.hint)
    return check(
        Rule.CLAIMS, f"the pinned reference at {edit.trusted} and in {edit.place}", finding, origin="reference"
    )
