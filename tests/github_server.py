"""A small server of GitHub's REST API for tests: it keeps comments, labels and artifacts, pages lists, and can fail.

Only what the action asks for is there, in the shapes of https://docs.github.com/en/rest.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
MOMENT = "2026-01-02T00:00:00Z"


@dataclass
class Failure:
    """What the server does in the place of an answer."""

    status: int
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hangs_s: float = 0
    does_it_all_the_same: bool = False


@dataclass
class Server:
    """What the server knows, and what it was asked."""

    url: str = ""
    author: str = BOT
    page_size: int = 100
    comments: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    """Path → the answer to a GET; a list is paged."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Path → bytes, which are served after a redirect to `/files`."""
    redirects: dict[str, str] = field(default_factory=dict)
    failures: deque[Failure] = field(default_factory=deque)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and Authorization of each request."""
    on_create: list[Any] = field(default_factory=list)
    """Called, once each, when a comment is created."""
    next_id: int = 100
    lock: Any = field(default_factory=threading.Lock)

    def write(self, body: str, author: str = "mallory") -> int:
        """A comment by somebody; its id."""
        with self.lock:
            self.next_id += 1
            self.comments.append({"id": self.next_id, "user": {"login": author}, "body": body})
            return self.next_id

    def bodies(self, author: str = BOT) -> list[str]:
        """What stands in the comments of an author."""
        return [one["body"] for one in self.comments if one["user"]["login"] == author]

    def asked(self, method: str) -> int:
        """How many requests of a method there were."""
        return sum(one[0] == method for one in self.requests)


@contextmanager
def serving() -> Iterator[Server]:
    """A server on 127.0.0.1 while the test lasts."""
    known = Server()

    class Handler(_Handler):
        server_state = known

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    known.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield known
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # else each answer, head and body, waits for the client
    server_state: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Nothing: tests print what they need."""

    def do_GET(self) -> None:  # the name is the library's
        state, parts = self.server_state, urlsplit(self.path)
        if self._fails("GET"):
            return
        if parts.path in state.files:
            self._send(302, b"", {"Location": state.redirects.get(parts.path, f"{state.url}/files{parts.path}")})
        elif parts.path.startswith("/files/"):
            self._send(200, state.files[parts.path.removeprefix("/files")])
        elif re.fullmatch(r"/repos/[^/]+/[^/]+/issues/\d+/comments", parts.path):
            self._page(state.comments, parts.query)
        elif (found := state.answers.get(self.path) or state.answers.get(parts.path)) is not None:
            self._answer(found, parts.query)
        else:
            self._json(404, {"message": "Not Found"})

    def do_POST(self) -> None:  # the name is the library's
        body = self._body()
        if self._fails("POST", lambda: self._create(body)):
            return
        self._json(201, self._create(body))

    def do_PATCH(self) -> None:  # the name is the library's
        body = self._body()
        if self._fails("PATCH"):
            return None
        for one in self.server_state.comments:
            if one["id"] == self._number():
                one["body"] = body["body"]
                return self._json(200, one)
        return self._json(404, {"message": "Not Found"})

    def do_DELETE(self) -> None:  # the name is the library's
        if self._fails("DELETE"):
            return
        state = self.server_state
        kept = [one for one in state.comments if one["id"] != self._number()]
        is_gone = len(kept) < len(state.comments)
        state.comments[:] = kept
        self._send(204 if is_gone else 404, b"")

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        state = self.server_state
        state.write(body["body"], state.author)
        made = state.comments[-1]
        while state.on_create:
            state.on_create.pop()()
        return made

    def _number(self) -> int:
        return int(urlsplit(self.path).path.rpartition("/")[2])

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _fails(self, method: str, deed: Any = None) -> bool:
        state = self.server_state
        state.requests.append((method, self.path, self.headers.get("Authorization", "")))
        if not state.failures or state.failures[0].method not in ("", method):
            return False
        failure = state.failures.popleft()
        if failure.does_it_all_the_same and deed:
            deed()
        if failure.hangs_s:
            time.sleep(failure.hangs_s)
            self.close_connection = True
            return True
        self._json(failure.status, {"message": "no\n::error::of the server"}, failure.headers)
        return True

    def _answer(self, found: Any, query: str) -> None:
        lists = [name for name, value in found.items() if isinstance(value, list)] if isinstance(found, dict) else []
        if isinstance(found, list):
            self._page(found, query)
        elif len(found) == 1 and lists:
            self._page(found[lists[0]], query, lists[0])
        else:
            self._json(200, found)

    def _page(self, items: list[Any], query: str, name: str = "") -> None:
        asked = parse_qs(query)
        size = min(int(asked.get("per_page", ["30"])[0]), self.server_state.page_size)
        page = int(asked.get("page", ["1"])[0])
        shown = items[(page - 1) * size : page * size]
        is_last = page * size >= len(items)
        link = {} if is_last else {"Link": f'<{self.server_state.url}/elsewhere?page={page + 1}>; rel="next"'}
        self._json(200, {name: shown} if name else shown, link)

    def _json(self, status: int, value: Any, headers: Mapping[str, str] = {}) -> None:
        self._send(status, json.dumps(value).encode(), headers)

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
