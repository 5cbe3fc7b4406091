"""The HTTP client of the exporters: whatever a server does, an answer or a clear error comes within the budget."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from runstore.errors import UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.connection import Address, proxy_of
from runstore.exporters.contract import ExportError
from runstore.exporters.http import Client, ResponseError, read_address, retry_after

Deed = Callable[[socket.socket], None]


@dataclass
class Server:
    """Answers the n-th request as the n-th deed says, and keeps what it was sent."""

    port: int
    seen: list[bytes] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"


def says(status: int, body: bytes = b"{}", **headers: str) -> Deed:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return lambda link: link.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def hangs(link: socket.socket) -> None:
    link.recv(1)  # until the client gives up


def trickles(link: socket.socket) -> None:
    try:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" * 100:
            link.sendall(bytes([byte]))
            time.sleep(0.05)
    except OSError:
        pass


def cuts(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    link.shutdown(socket.SHUT_RDWR)


def hangs_up(link: socket.socket) -> None:
    link.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(*deeds: Deed) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = Server(door.getsockname()[1])
        script = list(deeds)

        def serve() -> None:
            while script:
                try:
                    link, _ = door.accept()
                except OSError:
                    return
                with link:
                    while script and (request := _request(link)):
                        server.seen.append(request)
                        deed = script.pop(0)
                        deed(link)
                        if deed in (cuts, hangs_up):
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
    thread.join(5)


def _request(link: socket.socket) -> bytes:
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            data += (block := link.recv(65536))
            if not block:
                return b""
        head, _, body = data.partition(b"\r\n\r\n")
        size = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
        while len(body) < size:
            body += (block := link.recv(65536))
            if not block:
                break
    except OSError:
        return b""
    return head + b"\r\n\r\n" + body


def client(server: Server, seconds: float = 5, **headers: str) -> Client:
    return Client(
        base=server.base,
        budget=Deadline(seconds),
        environment={},
        name="Shelf",
        headers=headers,
        advice={401: "set SHELF_TOKEN"},
    )


def test_requests_go_over_one_connection_and_are_counted() -> None:
    with serving(says(200, b'{"a":1}'), says(201, b"")) as server, client(server, Authorization="Bearer s3cret") as one:
        assert one.send("POST", "/x?y=1", body=b"{}").json() == {"a": 1}
        first = one._connection
        assert one.send("GET", "/z").json() == {}
        assert (one.requests, one._connection) == (2, first)
    assert server.seen[0].startswith(b"POST /api/x?y=1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer s3cret\r\n" in server.seen[0]
    assert server.seen[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("deed", [says(500), says(502), says(503), says(504), says(429), cuts, hangs_up])
def test_what_may_pass_is_tried_again(deed: Deed) -> None:
    with serving(deed, says(200, b'{"ok":true}')) as server, client(server) as one:
        assert one.send("POST", "/x", body=b"same").json() == {"ok": True}
        assert (one.requests, len(server.seen)) == (2, 2)
    assert all(request.endswith(b"same") for request in server.seen)


def test_a_file_is_sent_again_from_where_it_stood() -> None:
    file = io.BytesIO(b"..payload++")
    file.seek(2)
    with serving(says(503), says(200)) as server, client(server) as one:
        one.send("PUT", "/f", body=file, size=7)
    assert [request.partition(b"\r\n\r\n")[2] for request in server.seen] == [b"payload"] * 2


@pytest.mark.parametrize(
    ("status", "told", "hint"),
    [
        (400, "the server refused (HTTP 400): no such thing", ""),
        (401, "the server does not know who asks (HTTP 401)", "set SHELF_TOKEN"),
        (403, "the server does not allow this (HTTP 403)", ""),
        (404, "the server has nothing there (HTTP 404)", ""),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do(status: int, told: str, hint: str) -> None:
    with serving(says(status, b"no such  thing")) as server, client(server, Authorization="s3cret") as one:
        with pytest.raises(ResponseError) as caught:
            one.send("GET", "/x")
        assert (caught.value.status, one.requests) == (status, 1)
    assert told in str(caught.value)
    assert hint in caught.value.hint
    assert "s3cret" not in str(caught.value)
    assert caught.value.where == f"Shelf at http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    "header", ["Bearer s3cret-token", "Basic YW5uOnMzY3JldC10b2tlbg==", "s3cret-token"], ids=["token", "pair", "bare"]
)
def test_what_a_server_says_again_of_what_it_was_sent_is_not_told(header: str) -> None:
    said = f"you sent {header}, and more: s3cret-token YW5uOnMzY3JldC10b2tlbg==".encode()
    told = pytest.raises(ResponseError, match="you sent")
    with serving(says(403, said)) as server, client(server, Authorization=header) as one, told as caught:
        one.send("GET", "/x")
    assert "s3cret" not in str(caught.value)
    assert header.partition(" ")[2] not in str(caught.value) or " " not in header


def test_a_redirect_is_not_followed_and_says_where_it_leads() -> None:
    moved = says(302, b"", Location="https://else.example/x?token=s3cret")
    told = pytest.raises(ResponseError, match=r"to https://else\.example")
    with serving(moved) as server, client(server) as one, told as caught:
        one.send("GET", "/x")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("deed", [hangs, trickles])
def test_a_server_that_does_not_answer_costs_the_budget_and_no_more(deed: Deed) -> None:
    before = time.monotonic()
    with serving(deed) as server, client(server, seconds=0.4) as one, pytest.raises(ExportError) as caught:
        one.send("POST", "/x", body=b"{}")
    assert time.monotonic() - before < 1.5
    assert "goes on from there" in caught.value.hint
    assert caught.value.where.startswith("Shelf at http://")


@pytest.mark.parametrize("deed", [hangs, trickles])
def test_an_answer_has_its_own_limit_within_the_budget(deed: Deed) -> None:
    told = pytest.raises(ExportError, match="it says nothing, or too slowly")
    with serving(deed) as server, client(server, seconds=5) as one, told:
        one.send("POST", "/x", answer_s=0.2, tries=1)


def test_nobody_there_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with client(Server(port), seconds=0.5) as one, pytest.raises(ExportError, match="connection refused"):
        one.send("GET", "/x")


def test_a_wait_that_the_server_asks_for_is_kept_if_there_is_time() -> None:
    waits: list[float] = []
    now = [0.0]
    budget = Deadline(60, clock=lambda: now[0], sleep=waits.append)
    with (
        serving(says(429, Retry_After="7"), says(200)) as server,
        Client(base=server.base, budget=budget, environment={}) as one,
    ):
        one.send("GET", "/x")
    assert waits == [7.0]


def test_a_wait_beyond_the_budget_ends_at_once() -> None:
    told = pytest.raises(ResponseError, match=r"asks to slow down.*another try would have to wait 600 seconds")
    with serving(says(429, Retry_After="600")) as server, client(server) as one, told:
        one.send("GET", "/x")


def test_an_endless_answer_is_cut_off() -> None:
    told = pytest.raises(ExportError, match="more than 1000 bytes")
    with serving(says(200, b"x" * 2000)) as server, client(server) as one, told:
        one.send("GET", "/x", most_bytes=1000)


def test_an_answer_that_is_no_json_is_told() -> None:
    with serving(says(200, b"<html>")) as server, client(server) as one, pytest.raises(ExportError, match="not JSON"):
        one.send("GET", "/x").json()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    "text", ["", "host:80", "ftp://host", "http://", "http://h:99999", "http://u:s3cret@h", "http://h/?k=s3cret"]
)
def test_an_address_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(text)
    assert "s3cret" not in str(caught.value)


def test_a_secret_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError, match="line feed") as caught:
        Client(base="http://h", budget=Deadline(1), environment={}, headers={"Authorization": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "environment", "proxy"),
    [
        ("h.example", {}, None),
        ("h.example", {"https_proxy": "http://p:3128"}, ("p", 3128, None)),
        ("h.example", {"HTTPS_PROXY": "p:1"}, ("p", 1, None)),
        ("h.example", {"all_proxy": "http://u:a%20b@p"}, ("p", 80, "Basic dTphIGI=")),
        ("h.example", {"https_proxy": "http://p", "no_proxy": "x, .example"}, None),
        ("h.example", {"https_proxy": "http://p", "no_proxy": "*"}, None),
        ("127.0.0.1", {"https_proxy": "http://p"}, None),
        ("localhost", {"https_proxy": "http://p"}, None),
        ("::1", {"https_proxy": "http://p"}, None),
    ],
)
def test_the_proxy_that_is_asked(
    host: str, environment: dict[str, str], proxy: tuple[str, int, str | None] | None
) -> None:
    found = proxy_of(Address(scheme="https", host=host, port=443), environment)
    assert (None if found is None else (found.host, found.port, found.authorization)) == proxy


def through(server: Server, base: str) -> Client:
    """A client of a host that only the proxy knows."""
    proxy = {"all_proxy": f"http://ann:s3cret@127.0.0.1:{server.port}"}
    return Client(base=base, budget=Deadline(5), environment=proxy, name="Shelf")


def test_a_proxy_gets_the_whole_address_and_what_lets_us_in() -> None:
    with serving(says(200, b'{"a":1}')) as server, through(server, "http://shelf.example/api") as one:
        assert one.send("GET", "/x").json() == {"a": 1}
    assert server.seen[0].startswith(b"GET http://shelf.example:80/api/x HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic YW5uOnMzY3JldA==\r\n" in server.seen[0]


def test_a_proxy_that_refuses_a_tunnel_is_told() -> None:
    told = pytest.raises(ExportError, match="Tunnel connection failed: 403")
    with serving(says(403)) as server, through(server, "https://shelf.example") as one, told as caught:
        one.send("GET", "/x", tries=1)
    assert server.seen[0].startswith(b"CONNECT shelf.example:443 HTTP/1.")
    assert "s3cret" not in str(caught.value)


def test_a_server_that_does_not_speak_tls_is_told() -> None:
    def answer(door: socket.socket) -> None:
        with door.accept()[0] as link:
            link.sendall(b"HTTP/1.1 400 no\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=answer, args=(door,), daemon=True)
        thread.start()
        base = f"https://127.0.0.1:{door.getsockname()[1]}"
        with Client(base=base, budget=Deadline(5), environment={}) as one, pytest.raises(ExportError) as caught:
            one.send("GET", "/x", tries=1)
        thread.join(5)
    assert "cannot be reached" in str(caught.value)
