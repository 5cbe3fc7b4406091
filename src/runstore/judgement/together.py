"""Checks of the runs of a suite put together: what is to be said of the policy itself is said once."""

from __future__ import annotations

from collections.abc import Sequence

from runstore.checks import Check
from runstore.findings import Rule

_OF_THE_POLICY = (Rule.WAIVER_EXPIRED, Rule.WAIVER_BROAD, Rule.QUARANTINE_EXPIRED)
_IF_NOWHERE = (Rule.WAIVER_UNUSED, Rule.QUARANTINE_UNUSED)


def combined(parts: Sequence[tuple[str, Sequence[Check]]]) -> list[Check]:
    """Every check, placed at the relative path of its run.

    That a waiver has expired or is too broad is the same in every run that says so, and is said once; that it is not
    used is said only if no run uses it.
    """
    found: list[Check] = []
    once: dict[tuple[Rule, str], list[Check]] = {}
    for path, checks in parts:
        for check in checks:
            if check.rule in (*_OF_THE_POLICY, *_IF_NOWHERE):
                once.setdefault((check.rule, check.origin), []).append(check)
            else:
                found.append(check.at(path))
    return [*found, *(_one(rule, checks) for (rule, _), checks in once.items())]


def _one(rule: Rule, checks: Sequence[Check]) -> Check:
    """The check that stands for all: one that says something, or, if any run uses the entry, one that says nothing."""
    silent = [check for check in checks if not check.findings]
    saying = [check for check in checks if check.findings]
    if rule in _IF_NOWHERE:
        # One that says more, of a record that its run does not have, is not true of the others.
        return min(silent or saying, key=lambda check: len(check.why))
    return (saying or silent)[0]
