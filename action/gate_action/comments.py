"""The one comment of a gate in a pull request: what it shall say in, created or brought up to date.

It is found by its first line, which names the workflow and the baseline, among the comments of one author: the line in
anybody else's comment means nothing. Two jobs at once may both create one: whoever sees two keeps the older and deletes
the other. A run does not overwrite what a newer one wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gate_action import foreign
from gate_action.api import Api, ApiError
from runstore.canonical import JsonValue
from runstore.reports.markdown.code import marker

LIMIT = 65_536
"""A comment may have as many characters."""
_CUT = "\n**Left out for want of room:** the rest; it stands in the report.\n"
_SECTIONS = ("\n<details><summary>", "\n### ")
_STAMP = re.compile(r"<!-- run ([0-9]{1,19})\.([0-9]{1,9}) -->\Z")
_GONE = 404


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What a run has to say in a pull request."""

    workflow: str
    baseline: str
    run: tuple[int, int]
    """Id and attempt: the larger is the newer."""
    text: str

    @property
    def key(self) -> str:
        """The first line."""
        return marker(self.workflow, self.baseline).replace("<!-- runstore:", "<!-- runstore-gate:", 1)

    @property
    def body(self) -> str:
        """The whole comment, within the limit."""
        head = f"{self.key}\n<!-- run {self.run[0]}.{self.run[1]} -->\n"
        return head + fitted(self.text, LIMIT - len(head))


def fitted(text: str, room: int) -> str:
    """The text in at most `room` characters, cut between two sections if it is longer."""
    if len(text) <= room:
        return text
    kept = text[: room - len(_CUT)]
    place = max(kept.rfind(start) for start in _SECTIONS)
    return (kept[:place] if place > 0 else kept.rpartition("\n")[0]) + _CUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """The conversation of a pull request, and who we are in it."""

    api: Api
    repository: str
    number: int
    author: str

    def publish(self, comment: Comment, *, create: bool = True) -> str:
        """Bring the comment up to date, or create it if `create`; what was done. Raises ApiError."""
        found = self._ours(comment)
        if found:
            return self._settle(found, comment)
        if not create:
            return "nothing has changed: no comment"
        try:
            self.api.call("POST", f"{self._issues}/{self.number}/comments", {"body": comment.body})
        except ApiError as error:
            if not (found := self._made_all_the_same(comment, error)):
                raise
        found = self._ours(comment)
        return self._settle(found, comment) if len(found) > 1 else "commented"

    @property
    def _issues(self) -> str:
        return f"/repos/{self.repository}/issues"

    def _made_all_the_same(self, comment: Comment, error: ApiError) -> list[JsonValue]:
        """After a failure that may have come behind the deed: our comment, if it is there."""
        return self._ours(comment) if error.status == 0 or error.status >= 500 else []  # HTTP

    def _ours(self, comment: Comment) -> list[JsonValue]:
        """Our comments with this key, the oldest first."""
        first = f"{comment.key}\n"
        found = [
            one
            for one in self.api.pages(f"{self._issues}/{self.number}/comments")
            if foreign.text(one, "user", "login") == self.author
            and foreign.text(one, "body").replace("\r\n", "\n").startswith(first)
            and foreign.number(one, "id") is not None
        ]
        return sorted(found, key=_id)

    def _settle(self, found: list[JsonValue], comment: Comment) -> str:
        """Leave one comment, with what the newest run says."""
        newest = max(found, key=_run)
        body = foreign.text(newest, "body") if _run(newest) > comment.run else comment.body
        told = "a newer run has commented" if _run(newest) > comment.run else "the comment is up to date"
        if foreign.text(found[0], "body") != body:
            self._change("PATCH", found[0], {"body": body})
        for twin in found[1:]:
            self._change("DELETE", twin)
        return told

    def _change(self, method: str, one: JsonValue, body: JsonValue = None) -> None:
        try:
            self.api.call(method, f"{self._issues}/comments/{_id(one)}", body)
        except ApiError as error:
            if method != "DELETE" or error.status != _GONE:  # the other job may have been quicker
                raise


def _id(one: JsonValue) -> int:
    return foreign.number(one, "id") or 0


def _run(one: JsonValue) -> tuple[int, int]:
    lines = foreign.text(one, "body").replace("\r\n", "\n").split("\n", 2)
    found = _STAMP.match(lines[1]) if len(lines) > 1 else None
    return (int(found[1]), int(found[2])) if found else (0, 0)
