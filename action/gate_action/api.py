"""The REST API of the server: one request in, JSON or an ApiError out.

No redirect is followed with the token; answers are bounded; a request has a time limit and all requests together have
one. What the server asks to be sent later (429, or 403 with Retry-After) is sent again, and so is what may be sent
twice (GET, PATCH, DELETE) after a failure of the server or of the line.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from runstore.canonical import JsonValue
from runstore.reports.text_safety import one_line

_TRIES = 3
_PAGES = 100
_PER_PAGE = 100
_MAX_BYTES = 32 * 2**20
_MESSAGE = 200
_REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})
_NEXT = re.compile(r'<[^<>]*>\s*;\s*rel="next"')
_TOO_MANY = 429
_FORBIDDEN, _SERVER_FAILS = 403, 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class ApiError(Exception):
    """The server refused or did not answer; `status` is 0 without an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the answer stands as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True, slots=True)
class Api:
    """A server, and how long it may take in all."""

    root: str
    token: str = field(repr=False)
    timeout_s: float = 10
    budget_s: float = 60
    _end: float = 0

    def restart(self) -> None:
        """Give what follows the whole time."""
        self._end = 0

    def call(self, method: str, path: str, body: JsonValue = None) -> JsonValue:
        """The answer to one request. Raises ApiError."""
        return _decoded(self._answer(method, path, body))

    def pages(self, path: str, *names: str) -> Iterator[JsonValue]:
        """The elements of a list of any length; `names`: where in the answer it stands. Raises ApiError."""
        for page in range(1, _PAGES + 1):
            answer = self._answer("GET", f"{path}{'&' if '?' in path else '?'}per_page={_PER_PAGE}&page={page}", None)
            found = _decoded(answer)
            for name in names:
                found = found.get(name) if isinstance(found, dict) else None
            if not isinstance(found, list):
                raise ApiError(answer.status, "the answer is no list")
            yield from found
            if not _NEXT.search(answer.headers.get("link", "")):
                return
        raise ApiError(0, f"the list has more than {_PAGES} pages")

    def download(self, path: str, limit: int) -> bytes:
        """A file of at most `limit` bytes, also from where the server sends us, without the token. Raises ApiError."""
        answer = self._answer("GET", path, None, limit)
        if answer.status not in _REDIRECTS:
            return answer.body
        place = answer.headers.get("location", "")
        if urlsplit(place).scheme not in {"https", urlsplit(self.root).scheme}:
            raise ApiError(answer.status, "the server sends us to a place that is not https")
        return self._exchange(urllib.request.Request(place), limit).body

    def _answer(self, method: str, path: str, body: JsonValue, limit: int = _MAX_BYTES) -> _Answer:
        request = urllib.request.Request(
            f"{self.root}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Content-Type": "application/json",
                "User-Agent": "runstore-gate",
                "X-GitHub-Api-Version": "2022-11-28",
                **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
            },
        )
        self._end = self._end or time.monotonic() + self.budget_s
        for left in reversed(range(_TRIES)):
            try:
                answer = self._exchange(request, limit)
            except ApiError as error:
                if not left or method not in _REPEATABLE or self._left() <= 0:
                    raise
                answer = _Answer(status=0, headers={}, body=str(error).encode())
            if not left or not _again(method, answer):
                break
            time.sleep(min(_pause(answer, _TRIES - left), max(self._left(), 0)))
        return _checked(answer, method, path)

    def _exchange(self, request: urllib.request.Request, limit: int) -> _Answer:
        """One request, one answer, whatever it says. Raises ApiError if there is none."""
        if self._left() <= 0:
            raise ApiError(0, f"the server took more than {self.budget_s:g} s in all")
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=min(self.timeout_s, self._left())) as response:
                return self._read(response, limit)
        except urllib.error.HTTPError as error:
            with error:
                return self._read(error, limit)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(0, f"the server does not answer: {one_line(str(error))[:_MESSAGE]}") from None

    def _read(self, response: http.client.HTTPResponse | urllib.error.HTTPError, limit: int) -> _Answer:
        parts, size = [], 0
        while part := response.read(2**16):  # a server that sends a byte a second is held to the budget, too
            parts.append(part)
            size += len(part)
            if size > limit:
                raise ApiError(0, f"the answer is larger than {limit:,} bytes")
            if self._left() <= 0:
                raise ApiError(0, f"the server took more than {self.budget_s:g} s in all")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return _Answer(status=response.status or 0, headers=headers, body=b"".join(parts))

    def _left(self) -> float:
        return self._end - time.monotonic() if self._end else self.budget_s


def _again(method: str, answer: _Answer) -> bool:
    """Whether the request can be sent once more without being done twice."""
    if answer.status == _TOO_MANY or (answer.status == _FORBIDDEN and "retry-after" in answer.headers):
        return True
    return method in _REPEATABLE and (answer.status == 0 or answer.status >= _SERVER_FAILS)


def _pause(answer: _Answer, tries: int) -> float:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else float(tries)


def _checked(answer: _Answer, method: str, path: str) -> _Answer:
    if answer.status in _REDIRECTS and method == "GET":
        return answer
    if 200 <= answer.status < 300:  # what HTTP calls a success
        return answer
    try:
        found = json.loads(answer.body)
        told = found.get("message") if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        told = None
    message = one_line(told)[:_MESSAGE] if isinstance(told, str) else "no message"
    raise ApiError(answer.status, f"{method} {path.partition('?')[0]}: {answer.status}: {message}")


def _decoded(answer: _Answer) -> JsonValue:
    if not answer.body:
        return None
    try:
        value: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ApiError(answer.status, "the answer is not JSON") from None
    return value
