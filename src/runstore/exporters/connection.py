"""One connection of HTTP whose every step ends in time: an address in, exchanges of requests and whole answers out.

The standard library's connection waits anew for each byte, so a server that trickles holds it forever. Here sending
may rest for so long, an answer has so long to be there whole, and both end with the budget.
"""

from __future__ import annotations

import base64
import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from runstore.errors import UsageError
from runstore.exporters.contract import Budget, ExportError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """The parts of an address; `path` is what stands before every path, without `/` at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """Host and port as they stand in a request."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """The server, as messages name it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine: no proxy is asked to reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: bytes, or `size` bytes of a file from where it stands."""

    data: bytes | BinaryIO | None
    size: int | None = None

    @property
    def length(self) -> int:
        """Its bytes."""
        if isinstance(self.data, bytes):
            return len(self.data)
        return self.size or 0

    def tell(self) -> int:
        """Where a file stands; 0 for bytes."""
        return 0 if self.data is None or isinstance(self.data, bytes) else self.data.tell()

    def seek(self, place: int) -> None:
        """Go back to where a file stood."""
        if self.data is not None and not isinstance(self.data, bytes):
            self.data.seek(place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """An answer as it came; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """A proxy for HTTP, and the header that lets us in."""

    host: str
    port: int
    authorization: str | None


def proxy_of(address: Address, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy that the environment asks for (`https_proxy`, `all_proxy`, `no_proxy`); none for this machine.

    Raises UsageError for one that is not spoken to over http.
    """
    asked = [
        environment.get(name) for word in (address.scheme, "all") for name in (f"{word}_proxy", f"{word}_proxy".upper())
    ]
    found = next((text for text in asked if text), None)
    if found is None or address.is_loopback or _is_excepted(address, environment):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError("the proxy that the environment names is none of http://", hint="set no_proxy to pass it by")
    secret = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        secret = f"Basic {base64.b64encode(pair).decode()}"
    return Proxy(host=parts.hostname, port=parts.port or 80, authorization=secret)


def _is_excepted(address: Address, environment: Mapping[str, str]) -> bool:
    words = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").replace(",", " ").split()
    host = address.host.lower()
    return any(
        word == "*" or host == (bare := word.lower().lstrip("*.")) or (bare and host.endswith(f".{bare}"))
        for word in words
    )


class Connection(http.client.HTTPConnection):
    """A connection that is kept; see `connect`."""

    def __init__(self, address: Address, proxy: Proxy | None, budget: Budget, rest_s: float, ca_file: str | None):
        super().__init__(address.host, address.port)
        self._address = address
        self._proxy = proxy
        self._budget = budget
        self._rest_s = rest_s
        self._answer_end = 0.0
        self._context = _context(ca_file) if address.scheme == "https" else None
        if proxy is not None and self._context is not None:
            self.set_tunnel(address.host, address.port, headers=_letting_in(proxy))

    def connect(self) -> None:
        """Connect to the first address of the host that answers."""
        place = self._proxy or self._address
        plain = self._open(place.host, place.port)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._use(plain)
            if self._proxy is not None and self._context is not None:
                self._await_answer(self._rest_s)
                self._tunnel()  # type: ignore[attr-defined]  # of the standard library; the stubs leave it out
            if self._context is not None:
                plain.settimeout(self._patience())
                self._use(self._context.wrap_socket(plain, server_hostname=self._address.host))
        except BaseException:
            plain.close()
            raise

    def _use(self, plain: socket.socket) -> None:
        self.sock = _TimedSocket(plain, self)

    def _open(self, host: str, port: int) -> socket.socket:
        failed: OSError = OSError("no address")
        for family, kind, protocol, _, place in _resolved(host, port, self._patience()):
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(self._patience())
                opened.connect(place)
            except OSError as error:
                opened.close()
                failed = error
            except BaseException:
                opened.close()
                raise
            else:
                return opened
        raise failed

    def _patience(self) -> float:
        """How long the next step may take."""
        return min(self._rest_s, self._budget.left())

    def patience_to_send(self) -> float:
        """How long the next block may take to be taken."""
        return self._patience()

    def patience_to_read(self) -> float:
        """How long the next bytes of the answer may take to come. Raises TimeoutError if it should be there."""
        left = self._answer_end - time.monotonic()
        if left <= 0:
            raise TimeoutError("too slow")
        return min(left, self._budget.left())

    def _await_answer(self, seconds: float) -> None:
        self._answer_end = time.monotonic() + seconds

    def exchange(
        self, method: str, path: str, body: Body, headers: Mapping[str, str], most_bytes: int, answer_s: float
    ) -> Received:
        """Send one request and read the whole answer, which may take `answer_s` seconds.

        Raises OSError, HTTPException, and ExportError for an answer of more than `most_bytes`.
        """
        self._await_answer(answer_s)
        try:
            self._send(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            if self.sock is None:
                raise
            # A server that refuses may answer and hang up before it has taken all.
        self._await_answer(answer_s)
        with self.getresponse() as response:
            data = response.read(most_bytes + 1)
            if len(data) > most_bytes:
                raise ExportError(f"an answer of more than {most_bytes} bytes", where=self._address.origin)
            if response.length:  # `read` of a number of bytes is content with fewer
                raise http.client.IncompleteRead(data, response.length)
            found = {name.lower(): value for name, value in response.getheaders()}
            return Received(status=response.status, headers=found, body=data)

    def _send(self, method: str, path: str, body: Body, headers: Mapping[str, str]) -> None:
        through = self._proxy is not None and self._context is None
        self.putrequest(method, f"{self._address.origin}{path}" if through else path)
        for name, value in {**headers, **(_letting_in(self._proxy) if through and self._proxy else {})}.items():
            self.putheader(name, value)
        if body.data is not None or method in ("POST", "PUT", "PATCH"):
            self.putheader("Content-Length", str(body.length))
        self.endheaders(body.data if isinstance(body.data, bytes) else None)
        if body.data is not None and not isinstance(body.data, bytes):
            self._send_file(body.data, body.length)

    def _send_file(self, file: BinaryIO, size: int) -> None:
        while size:
            block = file.read(min(size, _BLOCK_BYTES))
            if not block:
                raise ExportError("a file got shorter while it was sent", where=self._address.origin)
            self.send(block)
            size -= len(block)


def _letting_in(proxy: Proxy) -> dict[str, str]:
    return {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise UsageError(f"{ca_file}: no certificates can be read there: {error.strerror}") from None


def _resolved(host: str, port: int, seconds: float) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """The addresses of a host. The system's own waiting for names cannot be cut short, so a thread of its own waits."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)  # type: ignore[return-value]
    except socket.gaierror:
        pass
    found: list[object] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    waiting = threading.Thread(target=look_up, daemon=True)
    waiting.start()
    waiting.join(seconds)
    if not found:
        raise TimeoutError("the name of the host is not found in time")
    if isinstance(found[0], list):
        return found[0]
    raise OSError(0, "its name is not known")


class _TimedSocket:
    """What `http.client` uses of a socket, with a limit set before each step."""

    def __init__(self, plain: socket.socket, connection: Connection) -> None:
        self._plain = plain
        self._connection = connection

    def sendall(self, data: ReadableBuffer) -> None:
        self._plain.settimeout(self._connection.patience_to_send())
        self._plain.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_TimedReader(self._plain, self._connection))

    def close(self) -> None:
        self._plain.close()


class _TimedReader(io.RawIOBase):
    """The bytes of a socket; it stays open as long as this does."""

    def __init__(self, plain: socket.socket, connection: Connection) -> None:
        self._plain = plain
        self._raw = plain.makefile("rb", buffering=0)
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        self._plain.settimeout(self._connection.patience_to_read())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
