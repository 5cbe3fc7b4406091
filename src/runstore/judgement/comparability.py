"""Rules on what was asked: fields of the two manifests, by dotted name, that must be the same, or must differ.

A difference makes the comparison inconclusive: the scores of two runs that were asked other questions say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from runstore import canonical
from runstore.checks import DEFAULT, Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case
from runstore.manifest import Manifest
from runstore.policy.model import Comparability

_DEFAULTS = Comparability()
_DATA_SET = "datasets."
_SHOWN = 200


def fields(manifest: Manifest) -> dict[str, str]:
    """The fields of a manifest by dotted name, each as text that is the same exactly if the values are."""
    identity, provenance = manifest.identity, manifest.provenance
    plain = {
        "project": identity.project,
        "suite": identity.suite,
        "name": identity.name,
        "environment": provenance.environment,
        "commit": provenance.commit,
    }
    return {
        **{name: repr(value) for name, value in plain.items() if value is not None},
        **{f"{_DATA_SET}{dataset.name}": repr(dataset.digest) for dataset in identity.datasets},
        **{f"params.{name}": canonical.encode(value).decode() for name, value in identity.params.items()},
        **{f"tags.{name}": repr(value) for name, value in manifest.tags.items()},
    }


def comparable(case: Case) -> Iterator[Check]:
    """Whether the current run may be held against the baseline."""
    yield from _checks(case, case.facts.baseline, "baseline")


def comparable_with_reference(case: Case) -> Iterator[Check]:
    """Whether the current run may be held against the pinned reference."""
    pinned = case.facts.pinned
    if pinned is not None and pinned.manifest is not case.facts.baseline:
        yield from _checks(case, pinned.manifest, "reference")


def _checks(case: Case, other: Manifest, who: str) -> Iterator[Check]:
    before, after = fields(other), fields(case.facts.current)
    asked = case.policy.comparability
    names = {**before, **after}
    for name in names:
        if _selected(name, asked.must_match) and not _selected(name, asked.may_differ):
            yield _same(name, before, after, who, _origin(asked.must_match, _DEFAULTS.must_match, "must_match"))
    for name in names:
        if _selected(name, asked.must_differ):
            yield _other(name, before, after, who)
    yield from _selecting_nothing(asked, names)


def _selected(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _origin(patterns: Sequence[str], default: Sequence[str], key: str) -> str:
    return DEFAULT if patterns == default else f"comparability.{key}"


def _same(name: str, before: Mapping[str, str], after: Mapping[str, str], who: str, origin: str) -> Check:
    label = f"data set {name.removeprefix(_DATA_SET)!r}" if name.startswith(_DATA_SET) else name
    old, new = (_short(side[name]) if name in side else "has none" for side in (before, after))
    findings = []
    if before.get(name) != after.get(name):
        findings.append(
            _finding(
                f"{label} differs: {who} {old}, current {new}",
                "compare runs of the same suite on the same data, or accept a new baseline; if it may differ, say so in"
                f" gate.toml: [comparability] may_differ = [{canonical.encode(name).decode()}]",
            )
        )
    why = "" if findings else f"the same on both sides: {old}"
    return check(Rule.COMPARABILITY, f"{name} of {who} and current", *findings, origin=origin, why=why)


def _other(name: str, before: Mapping[str, str], after: Mapping[str, str], who: str) -> Check:
    findings = []
    if before.get(name) == after.get(name):
        findings.append(
            _finding(
                f"{name} must differ and is the same on both sides: {_short(before[name])}",
                "was the right run given as current?",
            )
        )
    origin = "comparability.must_differ"
    why = "" if findings else "it differs"
    return check(Rule.COMPARABILITY, f"{name} of {who} and current", *findings, origin=origin, why=why)


def _selecting_nothing(asked: Comparability, names: Mapping[str, str]) -> Iterator[Check]:
    """Names in the policy that neither run has: what was to be held equal, or apart, was never looked at."""
    exact = [pattern for pattern in asked.must_match if not set(pattern) & set("*?[")]
    for key, patterns in (("must_match", exact), ("must_differ", asked.must_differ)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                finding = _finding(
                    f"{key} names {pattern!r}, which neither run has",
                    f"the runs have: {', '.join(names)}",
                )
                yield check(Rule.COMPARABILITY, pattern, finding, origin=f"comparability.{key}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _finding(message: str, hint: str) -> Finding:
    return Finding(rule=Rule.COMPARABILITY, level=Level.INCONCLUSIVE, message=message, hint=hint)
