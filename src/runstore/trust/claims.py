"""Claims: what the change would put in the place of the trusted baseline, run by run and record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runstore import canonical, comparison, manifest, verification
from runstore.canonical import JsonValue
from runstore.change import Change, ChangeClass
from runstore.checks import Check, check
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError
from runstore.fields import differences
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import counted
from runstore.policy import Policy
from runstore.source import Tree
from runstore.store.reader import Run, read_run
from runstore.trust.edit import Edit
from runstore.trust.produced import edited_files, unproduced
from runstore.trust.words import listed, origin, short
from runstore.verification import VerifiedRuns

_LISTED = 20
_NAMED = 5
_OWN = ("files", "notes", "origin", "provenance", "run_id", "tags")
"""Members of a manifest that say nothing about how to judge; its files are told apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claimed:
    """One run of the baseline: what is trusted, what is claimed, what was run; None where a side has nothing."""

    edit: Edit
    before: Run | None
    after: Run | None
    current: Run | None
    verified: VerifiedRuns

    def told(self, total: Counter[ChangeClass]) -> Iterator[Finding]:
        """The claims; what they do to records is added to `total`. Raises InvalidDataError if they are no run."""
        if self.before is None and self.after is None:
            return
        if self.before is None or self.after is None:
            yield self._whole(total)
        elif self.before.digest == self.after.digest:  # it lists the same files: are they there?
            for path in self.after.manifest.files:
                self.after.check_file(path)
            return
        else:
            found = comparison.compare_checked(self.before, self.after, Policy(), verified=self.verified, limit=_LISTED)
            total.update(_counts(found))
            yield from self._records(found)
            yield from self._manifest(self.before, self.after)
        if self.edit.approved and self.after is not None:
            yield from unproduced(self.before, self.after, self.current)

    def _whole(self, total: Counter[ChangeClass]) -> Finding:
        """The claim that there is no such run any more, or that there is a new one."""
        if self.after is not None:
            verification.verify(self.after)
            total[ChangeClass.ADDED] += self.after.record_count
            return self._claim(f"the change adds a baseline of {counted(self.after.record_count)}")
        total[ChangeClass.REMOVED] += self.before.record_count if self.before else 0
        return self._claim("the change deletes the baseline")

    def _records(self, found: Comparison) -> Iterator[Finding]:
        counts = {kind.value: count for kind, count in _counts(found).items() if count}
        if not counts:
            return
        classes = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
        count = sum(counts.values())
        yield self._claim(f"the change edits {counted(count)} of the baseline: {classes}", count)
        for _, change in found.changes:
            yield Finding(
                rule=Rule.CLAIMS,
                level=self.edit.level,
                message=_told(change),
                record=change.key[0].decode(),
                repeat=change.key[1],
            )

    def _manifest(self, before: Run, after: Run) -> Iterator[Finding]:
        """What is claimed beside the records: declarations, identity, series, artifacts."""
        for one in list(differences(_judging(before), _judging(after)))[:_LISTED]:
            yield self._claim(
                f"the change edits {one.path[1:]} of the manifest: {short(one.before)} -> {short(one.after)}"
            )
        if others := edited_files(before, after):
            yield self._claim(f"the change edits {listed(others)} of the baseline")

    def _claim(self, message: str, observed: int | None = None) -> Finding:
        return Finding(
            rule=Rule.CLAIMS,
            level=self.edit.level,
            message=f"{message} (in {self.edit.place})",
            observed=None if observed is None else str(observed),
            hint=self.edit.hint,
        )


def judge_baseline(
    edit: Edit, old: Tree, new: Tree | None, current: Tree, policy: Policy, verified: VerifiedRuns
) -> Check:
    """What the change claims of the baseline; `new` is None if it deletes it.

    `current` is what was run: approved claims are held against it.
    """
    findings: list[Finding] = []
    total: Counter[ChangeClass] = Counter()
    for path in _paths(old, new):
        try:
            claimed = _Claimed(
                edit=edit,
                before=_opened(old, path),
                after=_opened(new, path),
                current=_sound(current, path),
                verified=verified,
            )
            findings += (finding.at(path) for finding in claimed.told(total))
        except InvalidDataError as error:
            findings.append(_no_run(edit, error).at(path))
    if findings:
        findings += _beyond(total, policy)
    made = check(Rule.CLAIMS, f"the baseline at {edit.trusted} and in {edit.place}", *findings, origin=origin(policy))
    return replace(made, why=made.why or "both are the same")


def _paths(old: Tree, new: Tree | None) -> list[str]:
    """The relative paths of the runs of either side; one empty path if the baseline is a run itself."""
    if old.is_run:
        return [""]
    return sorted({*old.runs(), *(new.runs() if new is not None and not new.is_run else ())}, key=str.encode)


def _opened(tree: Tree | None, path: str) -> Run | None:
    """The run at a relative path, None if there is none. Raises InvalidRunError."""
    if tree is None:
        return None
    found = tree.child_if_run(path) if path else tree if tree.is_run else None
    return None if found is None else read_run(found)


def _sound(tree: Tree, path: str) -> Run | None:
    """`_opened`, of the current side: that a run there is none is said when it is compared."""
    try:
        return _opened(tree, path)
    except InvalidDataError:
        return None


def _no_run(edit: Edit, error: InvalidDataError) -> Finding:
    message = f"what the change claims is no baseline (in {edit.place}): {error.where}: {error.message}"
    return Finding(rule=Rule.CLAIMS, level=Level.INVALID, message=message, hint=error.hint or None)


def _counts(found: Comparison) -> dict[ChangeClass, int]:
    return {kind: getattr(found.counts, kind.value) for kind in ChangeClass}


def _judging(run: Run) -> JsonValue:
    members = manifest.to_json(run.manifest)
    assert isinstance(members, dict)
    return {name: value for name, value in members.items() if name not in _OWN}


def _told(change: Change) -> str:
    """What is claimed of a record, in words: the old value of each score against the new one."""
    if change.baseline is None or change.current is None:
        return f"claimed as {change.kind.value}"
    before, after = canonical.loads(change.baseline), canonical.loads(change.current)
    places = list(differences(before, after))
    scores = [one for one in places if one.path.startswith("/scores")] or places
    parts = [f"{one.path[1:]} {short(one.before)} -> {short(one.after)}" for one in scores[:_NAMED]]
    more = len(places) - len(parts)
    return f"claimed as {change.kind.value}: {', '.join(parts)}" + (
        f" and {counted(more, 'field')} more" if more else ""
    )


def _beyond(total: Counter[ChangeClass], policy: Policy) -> Iterator[Finding]:
    """Claims beyond what the trusted policy allows any change."""
    limits = (
        ("max_claimed", sum(total.values()), "edited, added or removed"),
        ("max_claimed_regressed", total[ChangeClass.REGRESSED], "edited to worse ones"),
        ("max_claimed_removed", total[ChangeClass.REMOVED], "removed"),
    )
    for name, count, what in limits:
        limit = getattr(policy.trust, name)
        if limit is not None and count > limit:
            yield Finding(
                rule=Rule.CLAIMS,
                level=Level.ERROR,
                message=f"{counted(count)} of the baseline {what}; {limit:,} allowed by trust.{name}",
                observed=str(count),
                limit=str(limit),
                hint="claim fewer in one change, or have the limit raised first, in a change of its own",
            )
