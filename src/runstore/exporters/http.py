"""A small client of HTTP servers: requests in, whole answers out, within a budget of time.

One connection is kept and used again. A request that fails for a reason that may pass (429, 500, 502, 503, 504, a
connection that broke) is sent again, later each time, as long as the budget lasts: whoever sends one must be able to
bear that it arrives twice. No redirect is followed, so that no secret goes to another host. Certificates are checked.
Nothing is read from the process but what it is given. What a server says is told without the secrets that it was sent.
"""

from __future__ import annotations

import email.utils
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

from runstore.canonical import JsonValue, parse_loose
from runstore.errors import InvalidDataError, UsageError
from runstore.exporters.connection import Address, Body, Connection, Received, proxy_of
from runstore.exporters.contract import Budget, ExportError
from runstore.exporters.secrecy import Secrets

REQUEST_S = 10.0
"""The longest that a server may keep silent, and that it may take for an answer."""
_TRIES = 6
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_ANSWER_BYTES = 64 * 1024 * 1024
_PASSING = (429, 500, 502, 503, 504)
_SHOWN_CHARS = 300
_READ_BYTES = 64 * 1024
"""So much of a refusal is looked at, from which the shown beginning is made."""
_TOLD = {
    401: "does not know who asks",
    403: "does not allow this",
    404: "has nothing there",
    407: "is behind a proxy that asks for a password",
    413: "finds this too large",
    429: "asks to slow down",
}


class ResponseError(ExportError):
    """A server answered, and refused. `status` is that of HTTP; `answer` what it said."""

    def __init__(self, message: str, *, where: str = "", hint: str = "", answer: Answer) -> None:
        super().__init__(message, where=where, hint=hint)
        self.answer = answer

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return self.answer.status


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Received):
    """What a server answered. Names of headers are in lower case."""

    def json(self) -> JsonValue:
        """The body as JSON. Raises ExportError."""
        try:
            return parse_loose(self.body) if self.body else {}
        except InvalidDataError as error:
            raise ExportError(f"the server's answer is not JSON: {error.message}", hint=_WRONG_SERVER) from None


_WRONG_SERVER = "is this the address of the server's API, and not of a page or a proxy?"


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, to be sent as often as need be."""

    method: str
    path: str
    body: Body
    headers: Mapping[str, str]
    most_bytes: int
    answer_s: float


@dataclass(kw_only=True, slots=True)
class Client:
    """Speaks to one server. Use it as a context manager, or close it.

    `name` is how messages call the server, `headers` go with each request (and are never shown), `advice` says what to
    do about a status of HTTP (401: what to set). `requests` counts what was sent, tries included.
    """

    base: str
    budget: Budget
    environment: Mapping[str, str]
    name: str = "the server"
    headers: Mapping[str, str] = field(default_factory=dict)
    advice: Mapping[int, str] = field(default_factory=dict)
    ca_file: str | None = None
    requests: int = 0
    _connection: Connection | None = None
    _address: Address = field(init=False)
    _secrets: Secrets = field(init=False)
    _last: str = ""

    def __post_init__(self) -> None:
        self._address = read_address(self.base)
        self._secrets = Secrets(self.environment, self.headers)
        for name, value in self.headers.items():
            if not _can_be_header(value):
                told = f"what is set for {self.name} holds characters that the header {name} cannot carry"
                raise UsageError(told, hint="look for a line feed at its end")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | BinaryIO | None = None,
        size: int | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = _TRIES,
        most_bytes: int = _ANSWER_BYTES,
        answer_s: float = REQUEST_S,
    ) -> Answer:
        """Send a request, again if need be, and return an answer of status 200 to 299.

        `path` comes after that of the base, escaped, with its query. A file as body is read from where it stands,
        `size` bytes of it, and sought back for another try. Raises ResponseError for what the server refused, else
        ExportError.
        """
        sent = Body(body, size)
        if not (all(map(_can_be_header, (headers or {}).values())) and _can_be_path(path)):
            raise ExportError("names a place or header that no request can carry", where=self.where, hint=_WRONG_SERVER)
        call = _Call(method, path, sent, {**self.headers, **(headers or {})}, most_bytes, answer_s)
        self._last = ""
        try:
            return self._repeat(call, tries)
        except ExportError as error:
            if error.where:
                raise
            raise ExportError(f"{error.message}{self._last}", where=self.where, hint=error.hint) from None

    def _repeat(self, call: _Call, tries: int) -> Answer:
        start = call.body.tell()
        for number in range(1, tries + 1):
            call.body.seek(start)
            try:
                answer = self._try(call)
            except (OSError, http.client.HTTPException) as error:
                if number == tries or isinstance(error, ssl.SSLCertVerificationError):
                    raise self._unreachable(error) from None
                self._last = f"; before that: {self.hide(_reason(error))}"
                self.budget.pause(_pause(number))
                continue
            if 200 <= answer.status < 300:
                return answer
            if answer.status not in _PASSING or number == tries:
                raise self._refused(answer)
            self._wait(answer, number)
        raise AssertionError("every try ends in an answer or an error")

    def _try(self, call: _Call) -> Answer:
        try:
            if self._connection is None:
                proxy = proxy_of(self._address, self.environment)
                self._connection = Connection(self._address, proxy, self.budget, REQUEST_S, self.ca_file)
            self.requests += 1
            path = self._address.path + call.path
            got = self._connection.exchange(call.method, path, call.body, call.headers, call.most_bytes, call.answer_s)
        except BaseException:
            self.close()
            raise
        return Answer(status=got.status, headers=got.headers, body=got.body)

    def _wait(self, answer: Answer, number: int) -> None:
        """Wait as the server asks, or a bit longer each time. Raises ExportError, with its words, without time left."""
        try:
            self.budget.pause(max(retry_after(answer.headers), _pause(number)))
        except ExportError as error:
            refused = self._refused(answer)
            raise ResponseError(
                f"{refused.message}; {error.message}", where=self.where, hint=error.hint, answer=answer
            ) from None

    def hide(self, text: str) -> str:
        """A text of the server without the secrets that it was sent."""
        return self._secrets.hide(text)

    @property
    def where(self) -> str:
        """How messages name the server: without secrets."""
        return f"{self.name} at {self._address.origin}"

    def _refused(self, answer: Answer) -> ResponseError:
        told = _TOLD.get(answer.status, "failed" if answer.status >= 500 else "refused")
        message = f"the server {told} (HTTP {answer.status})"
        if 300 <= answer.status < 400:
            place = self.hide(_origin_of(answer.headers.get("location", "")))
            message = f"the server sends elsewhere (HTTP {answer.status}){place and f', to {place}'}"
            hint = "name the address itself: a redirect is not followed, so that no secret goes to another host"
        else:
            hint = self.advice.get(answer.status, _LATER if answer.status in _PASSING else "")
            said = " ".join(self.hide(answer.body[:_READ_BYTES].decode(errors="replace")).split())[:_SHOWN_CHARS]
            message += f": {said}" if said and not said.startswith("<") else ""
        return ResponseError(message, where=self.where, hint=hint, answer=answer)

    def _unreachable(self, error: OSError | http.client.HTTPException) -> ExportError:
        hint = _AUTHORITY if isinstance(error, ssl.SSLCertVerificationError) else _LATER
        return ExportError(f"cannot be reached: {self.hide(_reason(error))}", where=self.where, hint=hint)


_AUTHORITY = "if its authority is one of your own, name the file of its certificate in SSL_CERT_FILE"
_LATER = "is it up, and the address right? The run is unharmed: export it again and it goes on from there"


def read_address(base: str) -> Address:
    """The parts of an address of HTTP. Raises UsageError, without showing what may be a secret in it."""
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        raise UsageError("the address of the server is none", hint="write https://host:port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("the address of the server is no http:// or https:// one", hint="write https://host:port")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the address of the server holds a name or password", hint="set them in the environment")
    return Address(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        path=parts.path.rstrip("/"),
    )


def travels_open(base: str) -> bool:
    """Whether what is sent there could be read on the way: it is unencrypted, and leaves this machine."""
    address = read_address(base)
    return address.scheme == "http" and not address.is_loopback


def _can_be_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _can_be_path(path: str) -> bool:
    return path.isascii() and path.isprintable() and " " not in path


def _origin_of(location: str) -> str:
    """Scheme and host of where a redirect leads; empty for what is no address."""
    try:
        place = urlsplit(location)
        return f"{place.scheme}://{place.hostname}" if place.hostname else ""
    except ValueError:
        return ""


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that `Retry-After` asks to wait, 0 if it does not; a date counts from the server's own `Date`.

    Source: RFC 9110, section 10.2.3.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdecimal():
        return float(asked[:9])
    until, now = (_seconds(headers.get(name, "")) for name in ("retry-after", "date"))
    return max(0.0, until - now) if until is not None and now is not None else 0.0


def _seconds(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _pause(number: int) -> float:
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (number - 1))


def _reason(error: OSError | http.client.HTTPException) -> str:
    """What went wrong, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it says nothing, or too slowly"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | http.client.IncompleteRead):
        return "it closed the connection before it had answered"
    if isinstance(error, ConnectionRefusedError):
        return "nobody answers there (connection refused)"
    if isinstance(error, http.client.HTTPException):
        return "its answer is not HTTP"
    return error.strerror or str(error) or type(error).__name__
