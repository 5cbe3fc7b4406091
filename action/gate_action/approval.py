"""Whether someone with rights approved what the change edits of its own baseline: a label, held against the server.

Approved is what the pull request stood at when the label was set, and nothing that was pushed afterwards. Doubt is no
approval, and a server that does not answer is doubt. Who may set labels at all, only the server enforces: docs/ci.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gate_action import foreign
from gate_action.api import Api, ApiError
from gate_action.event import Event, is_repository, queued_pull_request
from runstore.canonical import JsonValue

_ROLES = frozenset({"admin", "maintain"})
_REFUSING = frozenset({"synchronize", "opened"})
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_LATEST = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """Whether claims are approved, and why or why not; `why` is empty where nobody asked."""

    is_given: bool
    why: str


def find(api: Api, event: Event, label: str, here: str, parents: Sequence[str] = ()) -> Approval:
    """Whether the label approves the change of this event, if that is what is checked out `here`.

    It is the commit of the event, or the merge of it with the target, by its `parents`: the server makes that merge in
    its own time, and it may be that of a later push.
    """
    if not label:
        return Approval(is_given=False, why="")
    try:
        is_it = here in event.checkouts and event.head in (here, *parents)
        why = _refusal(api, event, label) if is_it else "another commit is checked out"
    except ApiError as error:
        why = f"the server was asked about it and did not tell: {error}"
    told = f"the label {label!r} approves what the change edits" if not why else f"no approval by a label: {why}"
    return Approval(is_given=not why, why=told)


def _refusal(api: Api, event: Event, label: str) -> str:
    """Why there is no approval; empty if there is. Raises ApiError."""
    if event.name == "merge_group":
        number = queued_pull_request(event)
        return "the queue does not name its pull request" if number is None else _queued(api, event, number, label)
    if event.pull_request is None:
        return f"a run of the event {event.name!r} has no pull request"
    if label not in _names(foreign.items(event.payload, "pull_request", "labels")):
        return f"the pull request does not bear {label!r}"
    action = foreign.text(event.payload, "action")
    if action in _REFUSING:
        return f"{label!r} was set before this commit was pushed: take it off and set it again"
    if action == "labeled" and not event.is_rerun and foreign.text(event.payload, "label", "name") == label:
        return _rights(api, event, foreign.text(event.payload, "sender", "login"))
    return _earlier(api, event, foreign.member(event.payload, "pull_request"), label)


def _queued(api: Api, event: Event, number: int, label: str) -> str:
    found = api.call("GET", f"/repos/{event.repository}/pulls/{number}")
    if label not in _names(foreign.items(found, "labels")):
        return f"the pull request does not bear {label!r}"
    return _earlier(api, event, found, label)


def _earlier(api: Api, event: Event, pull_request: JsonValue, label: str) -> str:
    """Whether the label was set, last, when the pull request stood where it stands: on this commit and this base."""
    setting, moved = _setting(api, event, pull_request, label)
    pushed = _pushed(api, pull_request)
    moment = _moment(setting, "created_at")
    if not moment or not pushed:
        return f"it cannot be told whether {label!r} was set after the last push"
    if moment <= max(pushed, moved):  # in UTC and of one length: the order of the texts is that of time
        return f"{label!r} was set before the last push: take it off and set it again"
    return _rights(api, event, foreign.text(setting, "actor", "login"))


def _setting(api: Api, event: Event, pull_request: JsonValue, label: str) -> tuple[JsonValue, str]:
    """When and by whom the label was set, and when the base was last changed."""
    setting, moved = None, ""
    for one in api.pages(f"/repos/{event.repository}/issues/{foreign.number(pull_request, 'number')}/events"):
        kind = foreign.text(one, "event")
        if kind in ("labeled", "unlabeled") and foreign.text(one, "label", "name") == label:
            setting = one if kind == "labeled" else None
        if kind == "base_ref_changed":
            moved = _moment(one, "created_at") or _LATEST
    return setting, moved


def _pushed(api: Api, pull_request: JsonValue) -> str:
    """When its branch was pushed to where it stands; empty if the server does not tell, or tells of another commit."""
    source, ref = (foreign.text(pull_request, "head", *path) for path in (("repo", "full_name"), ("ref",)))
    if not is_repository(source) or not ref:
        return ""
    found = api.call("GET", f"/repos/{source}/activity?ref={quote(f'refs/heads/{ref}', safe='')}&per_page=1")
    last = found[0] if isinstance(found, list) and found else None
    is_here = foreign.text(last, "after") == foreign.text(pull_request, "head", "sha") != ""
    is_here = is_here and foreign.text(last, "ref") == f"refs/heads/{ref}"
    return _moment(last, "timestamp") if is_here else ""


def _moment(value: JsonValue, name: str) -> str:
    found = foreign.text(value, name)
    return found if _MOMENT.match(found) else ""


def _rights(api: Api, event: Event, login: str) -> str:
    if not login:
        return "it cannot be told who set the label"
    found = api.call("GET", f"/repos/{event.repository}/collaborators/{quote(login, safe='')}/permission")
    if foreign.text(found, "permission") == "admin" or foreign.text(found, "role_name") in _ROLES:
        return ""
    return f"{login} set the label and is no maintainer of the repository"


def _names(labels: list[JsonValue]) -> list[str]:
    return [foreign.text(label, "name") for label in labels]
