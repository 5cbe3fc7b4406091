"""The event that started the workflow: its payload in; which commit judges, which is judged, and who asks out.

| event | what judges |
|---|---|
| pull_request | `pull_request.base.sha`: the target branch as it stood at the event |
| merge_group | `merge_group.base_sha`: what the group is put on |
| push | `before`; for a new branch or a tag the default branch |
| workflow_dispatch | the default branch |
| schedule | the commit itself, which is the tip of the default branch |

Any other event must say by the input `against` what judges. The payload is written by the server, but names and titles
in it are anybody's: nothing of it is used but commit ids, numbers and names that are checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from gate_action import foreign
from runstore.canonical import JsonValue
from runstore.errors import UsageError

_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+\Z")
_QUEUED = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([1-9][0-9]{0,9})-[0-9a-f]{40,64}\Z", re.DOTALL)
_MAX_BYTES = 32 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What the payload says, checked."""

    name: str
    repository: str
    """`owner/name` of the repository where the workflow runs."""
    head: str
    """The commit of the change: of a pull request its last one, not the merge that is checked out."""
    checkouts: tuple[str, ...]
    """The commits that the job may have checked out."""
    base: str = ""
    """The commit that judges."""
    base_ref: str = ""
    """If there is no such commit in the payload: the branch whose tip it is, `refs/heads/…`."""
    pull_request: int | None = None
    is_rerun: bool = True
    """Whether the payload may tell of what has changed since."""
    is_fork: bool = False
    payload: JsonValue = field(repr=False, default=None)


def is_commit(text: str) -> bool:
    """Whether it is a whole commit id, and not the zeros that stand for none."""
    return bool(_COMMIT.match(text)) and bool(text.strip("0"))


def is_repository(text: str) -> bool:
    """Whether it is `owner/name`."""
    return bool(_REPOSITORY.match(text))


def read(environ: Mapping[str, str]) -> Event:
    """The event of this run. Raises UsageError for a payload that does not say what it must."""
    payload = load(environ)
    name, sha = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_SHA", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not is_repository(repository) or not is_commit(sha):
        raise UsageError("GITHUB_REPOSITORY and GITHUB_SHA do not name a commit", hint="run it in a workflow of GitHub")
    plain = Event(name=name, repository=repository, head=sha, checkouts=(sha,), payload=payload)
    return _READERS[name](plain, environ) if name in _READERS else plain


def load(environ: Mapping[str, str]) -> JsonValue:
    """The payload. Raises UsageError."""
    place = environ.get("GITHUB_EVENT_PATH", "")
    if not place or not Path(place).is_file():
        raise UsageError("GITHUB_EVENT_PATH names no file", hint="run it in a workflow of GitHub")
    with Path(place).open("rb") as file:
        return foreign.parse(file.read(_MAX_BYTES), "the payload of the event")


def queued_pull_request(event: Event) -> int | None:
    """The pull request that a merge group is for, by the name that the server gives the group's branch."""
    found = _QUEUED.match(foreign.text(event.payload, "merge_group", "head_ref"))
    return int(found[1]) if found else None


def _commit(payload: JsonValue, *path: str) -> str:
    found = foreign.text(payload, *path)
    if not is_commit(found):
        raise UsageError(f"the payload of the event has no commit at {'.'.join(path)}")
    return found


def _pull_request(event: Event, environ: Mapping[str, str]) -> Event:
    payload = event.payload
    head, number = _commit(payload, "pull_request", "head", "sha"), foreign.number(payload, "pull_request", "number")
    if number is None or number < 1:
        raise UsageError("the payload of the event has no pull_request.number")
    source = foreign.text(payload, "pull_request", "head", "repo", "full_name")
    return Event(
        name=event.name,
        repository=event.repository,
        head=head,
        checkouts=(*event.checkouts, head),
        base=_commit(payload, "pull_request", "base", "sha"),
        pull_request=number,
        is_rerun=environ.get("GITHUB_RUN_ATTEMPT") != "1",
        is_fork=source.lower() != event.repository.lower(),
        payload=payload,
    )


def _merge_group(event: Event, environ: Mapping[str, str]) -> Event:  # noqa: ARG001  # the protocol
    head = _commit(event.payload, "merge_group", "head_sha")
    return _judged_by(event, base=_commit(event.payload, "merge_group", "base_sha"), head=head)


def _push(event: Event, environ: Mapping[str, str]) -> Event:
    if foreign.member(event.payload, "deleted") is True:
        raise UsageError("the push deletes a branch: there is nothing to judge", hint="leave such pushes out")
    before = foreign.text(event.payload, "before")
    return _judged_by(event, base=before) if is_commit(before) else _by_default_branch(event, environ)


def _by_default_branch(event: Event, environ: Mapping[str, str]) -> Event:
    branch = foreign.text(event.payload, "repository", "default_branch")
    if not branch:
        raise UsageError("the payload of the event does not name the default branch", hint="give the input `against`")
    ref = f"refs/heads/{branch}"
    return _judged_by(event, base=event.head) if environ.get("GITHUB_REF") == ref else _judged_by(event, base_ref=ref)


def _schedule(event: Event, environ: Mapping[str, str]) -> Event:  # noqa: ARG001  # the protocol
    return _judged_by(event, base=event.head)


def _judged_by(event: Event, *, base: str = "", base_ref: str = "", head: str = "") -> Event:
    return Event(
        name=event.name,
        repository=event.repository,
        head=head or event.head,
        checkouts=(*event.checkouts, *([head] if head else [])),
        base=base,
        base_ref=base_ref,
        payload=event.payload,
    )


_READERS: Mapping[str, Callable[[Event, Mapping[str, str]], Event]] = MappingProxyType(
    {
        "pull_request": _pull_request,
        "merge_group": _merge_group,
        "push": _push,
        "workflow_dispatch": _by_default_branch,
        "schedule": _schedule,
    }
)
