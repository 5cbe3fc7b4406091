"""A baseline that is read from git: it, the policy and the pinned reference come from one trusted commit.

What the change would put in their place is looked at afterwards, at its own commit and in the work tree, and becomes
checks (`runstore.trust`). The change is HEAD; with `A...B` it is B.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runstore.checks import Check, check
from runstore.cli.policy_file import find_among, places_of_policy
from runstore.errors import PolicyError, UsageError
from runstore.findings import Finding, Level, Rule
from runstore.git import attributes
from runstore.git.place import GitPlace, Ref, normal, read_place, read_ref
from runstore.git.repository import Repository
from runstore.git.snapshot import Snapshot
from runstore.git.tree import GitSource, no_folder, tree_of_place
from runstore.git.work_tree import WorkTree
from runstore.policy import Policy
from runstore.source import Tree
from runstore.trust.claims import judge_baseline
from runstore.trust.edit import Edit
from runstore.trust.rules import judge_attributes, judge_policy, judge_reference
from runstore.verification import VerifiedRuns

_ID_DIGITS = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Trusted:
    """What judges: a baseline, a policy and a pinned reference, as they stand at one commit."""

    repository: Repository
    at: Ref
    snapshot: Snapshot
    path: str
    """Of the baseline, from the root of the repository; so are all others."""
    baseline: GitSource
    policy: Policy
    policy_place: str | None
    policy_places: Sequence[str]
    """Where a policy was looked for, the first that has one counts."""
    reference: GitSource | None
    reference_path: str | None

    @property
    def folders(self) -> list[Path]:
        """The folders of the work tree where the same stands: no report goes there."""
        root = self.repository.root
        paths = [self.path, *([self.reference_path] if self.reference_path else [])]
        return [] if root is None else [root / path for path in paths]

    @property
    def told(self) -> str:
        """The ref as it was typed, and its commit."""
        return f"{self.at.text} ({self.snapshot.commit[:_ID_DIGITS]})"

    @property
    def watched(self) -> list[str]:
        """The paths by which a change could edit what judges it."""
        paths = [self.path, *self.policy_places, *([self.reference_path] if self.reference_path else [])]
        return [*paths, *attributes.places(paths)]

    @property
    def shown(self) -> list[str]:
        """The files whose diff a reviewer has to see."""
        files = [f"{self.path}/{name}" for name in self.baseline.sizes()] if self.baseline.is_run else []
        files += [
            f"{self.path}/{run}/{name}" for run in self.baseline.runs() for name in self.baseline.child(run).sizes()
        ]
        return [*files, *self.policy_places]

    def policy_in(self, standing: Snapshot | WorkTree) -> tuple[Policy | PolicyError, str | None]:
        """The policy as it stands elsewhere, found in the same way."""
        try:
            return find_among(self.policy_places, standing.read, f"{standing.place}:", is_named=False)
        except PolicyError as error:
            return error, None


def place_at(repository: Repository, against: str, typed: str) -> GitPlace:
    """The place that BASELINE with `--against REF` names: the path, seen from the working folder, at REF."""
    return GitPlace(at=read_ref(against), path=_in_repository(repository, typed))


def _in_repository(repository: Repository, typed: str) -> str:
    """A path as one types it in a shell, made one from the root of the repository. Links are not followed."""
    path = Path(typed)
    if not path.is_absolute():
        return normal(f"./{typed}", repository.prefix)
    for top, prefix in ((Path.cwd(), repository.prefix), (repository.root, "")):
        if top is not None and path.is_relative_to(top):
            return normal(posixpath.join(prefix, path.relative_to(top).as_posix()), "")
    raise UsageError(f"{typed} does not lie in this repository", hint="what judges is read from the repository here")


def read_trusted(repository: Repository, place: GitPlace, config: Path | None) -> Trusted:
    """What judges, read at the commit that is named. Raises UsageError for what is not there."""
    path = normal(place.path, repository.prefix)
    if not path:
        raise UsageError(f"{place.text} names no folder", hint="name that of the baseline: origin/main:baselines/qa")
    if config is not None and read_place(str(config)) is not None:
        raise UsageError(f"--config {config}: the policy is read at {place.at.text}, too", hint="name its path alone")
    repository.look_up([*filter(None, (place.at.ref, place.at.fork)), "HEAD"])
    commit = repository.commit(place.at)
    places = [_in_repository(repository, str(config))] if config is not None else places_of_policy(repository.prefix)
    snapshot = Snapshot(repository, commit, place.at.text, [path, *places, *attributes.places([path, *places])])
    baseline = snapshot.tree(path)
    if baseline is None:
        raise no_folder(repository, commit, path, place.text)
    policy, found = find_among(places, snapshot.read, f"{place.at.text}:", is_named=config is not None)
    reference_path = _reference_path(policy, found)
    return Trusted(
        repository=repository,
        at=place.at,
        snapshot=snapshot,
        path=path,
        baseline=baseline,
        policy=policy,
        policy_place=found,
        policy_places=places,
        reference=_reference(repository, place.at, reference_path) if reference_path else None,
        reference_path=reference_path,
    )


def _reference_path(policy: Policy, place: str | None) -> str | None:
    """The path of the pinned reference, which is named from the folder of the policy."""
    if policy.reference is None or place is None:
        return None
    return posixpath.join(posixpath.dirname(place), policy.reference.path)


def _reference(repository: Repository, at: Ref, path: str) -> GitSource:
    try:
        return tree_of_place(repository, GitPlace(at=at, path=path))
    except UsageError as error:
        hint = "`path` of [reference] is relative to the folder of the policy; commit the run there"
        raise UsageError(f"the pinned reference is not there: {path}", where=at.text, hint=hint) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What the change would put in the place of what judges it."""

    trusted: Trusted
    current: Tree
    is_approved: bool
    verified: VerifiedRuns

    def judge(self) -> tuple[list[Check], Tree]:
        """The checks, and the baseline to judge the current run by: the claimed one once it is approved."""
        trusted, baseline = self.trusted, self.trusted.baseline
        checks: list[Check] = []
        head = self._head()
        if head is not None:
            edit = Edit(place=head.place, trusted=trusted.told, approved=self._is_allowed)
            is_edited = self._edited(head)
            checks += self._checks(edit, head, is_edited)
            claimed = head.tree(trusted.path)
            if edit.approved and claimed is not None and is_edited(trusted.path):
                baseline = claimed
        if trusted.repository.root is not None and self._is_checked_out:
            tree = WorkTree(trusted.repository.root, trusted.repository.index)
            edit = Edit(place=tree.place, trusted=trusted.told, is_committed=False)
            checks += self._checks(edit, tree, self._uncommitted(tree, head or trusted.snapshot))
        return [*sorted(checks, key=_order), *self._held(checks)], baseline

    @property
    def _is_allowed(self) -> bool:
        return self.is_approved or self.trusted.policy.trust.claims == "allow"

    @property
    def _name(self) -> str | None:
        """What names the change: B of `A...B`, else HEAD, which names none in a repository without a work tree."""
        at, repository = self.trusted.at, self.trusted.repository
        return at.ref if at.fork is not None else None if repository.is_bare else "HEAD"

    @property
    def _is_checked_out(self) -> bool:
        """Whether the work tree is that of the change."""
        repository = self.trusted.repository
        return self._name is not None and repository.find(self._name) == repository.find("HEAD")

    def _head(self) -> Snapshot | None:
        """The commit of the change; None if it is the trusted one, or not known."""
        trusted, name = self.trusted, self._name
        commit = trusted.repository.find(name) if name is not None else None
        if name is None or commit is None or commit == trusted.snapshot.commit:
            return None
        return Snapshot(trusted.repository, commit, name, trusted.watched)

    def _edited(self, head: Snapshot) -> Callable[[str], bool]:
        """Whether a path is edited by the change, and not only older in it than where what judges was read."""
        trusted = self.trusted
        bases = trusted.repository.merge_bases(trusted.snapshot.commit, head.commit)
        known = len(bases) == 1 and bases[0] != trusted.snapshot.commit
        changed = trusted.repository.changed(bases[0], head.commit, trusted.watched) if known else None

        def is_edited(path: str) -> bool:
            if changed is not None and not any(one == path or one.startswith(f"{path}/") for one in changed):
                return False
            return trusted.snapshot.below(path) != head.below(path)

        return is_edited

    def _uncommitted(self, tree: WorkTree, base: Snapshot) -> Callable[[str], bool]:
        """Whether what stands at a path of the work tree is neither what is committed nor what is trusted."""
        snapshot = self.trusted.snapshot
        folders = (self.trusted.path, self.trusted.reference_path)

        def is_edited(path: str) -> bool:
            if path in folders:
                return not any(tree.holds(path, one.tree(path)) for one in (base, snapshot))
            return not any(tree.has(path, one.entry(path)) for one in (base, snapshot))

        return is_edited

    def _checks(self, edit: Edit, standing: Snapshot | WorkTree, is_edited: Callable[[str], bool]) -> Iterator[Check]:
        trusted = self.trusted
        if is_edited(trusted.path):
            claimed = standing.tree(trusted.path)
            yield judge_baseline(edit, trusted.baseline, claimed, self.current, trusted.policy, self.verified)
        if any(map(is_edited, trusted.policy_places)):
            policy, place = trusted.policy_in(standing)
            yield judge_policy(edit, trusted.policy, policy, (trusted.policy_place, place))
        if trusted.reference_path and is_edited(trusted.reference_path):
            yield judge_reference(edit, trusted.reference_path)
        places = list(filter(is_edited, attributes.places([trusted.path, *trusted.policy_places])))
        if places:
            before = {place: _lines(trusted.snapshot, place) for place in places}
            after = {place: _lines(standing, place) for place in places}
            yield judge_attributes(edit, attributes.new_lines(before, after, trusted.shown))

    def _held(self, checks: Sequence[Check]) -> Iterator[Check]:
        """The checks of what no part of the change edits, and of what could not be looked at."""
        asked = {made.rule for made in checks}
        read = f"{self.trusted.told} and {self._name or 'nothing'}"
        for rule in (Rule.CLAIMS, Rule.POLICY_EDITED, Rule.GITATTRIBUTES):
            if rule in asked:
                continue
            findings = []
            if self._name is None and rule is Rule.CLAIMS:
                message = "nothing here says what the change is: its edits of baseline and policy were not looked for"
                hint = f"name it: {self.trusted.at.text}...BRANCH:{self.trusted.path}"
                findings.append(Finding(rule=rule, level=Level.NOTICE, message=message, hint=hint))
            yield check(rule, read, *findings, why="" if findings else "the change does not edit it")


def _lines(standing: Snapshot | WorkTree, place: str) -> bytes | None:
    """A `.gitattributes`; one that is no file is a line that is told."""
    try:
        return standing.read(place)
    except PolicyError as error:
        return f'"{error.message}"'.encode()


_RULES = list(Rule)


def _order(made: Check) -> int:
    return _RULES.index(made.rule)
