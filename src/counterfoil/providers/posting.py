"""The real sender: one POST over HTTP to the address that was checked, under the name that it was checked for.

The connection goes to the pinned address while TLS, certificate and Host header keep the name. Everything together has
ten seconds, however slowly the other side drips; a redirect is an answer like any other; what is answered is read up to
64 KiB, undecoded, and its beginning is kept.
"""

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from time import monotonic
from typing import Any, Final

import httpcore2

from counterfoil.core.deliveries import Answered, TryResult, Unanswered
from counterfoil.providers.addresses import AddressRefused, Resolver, Target, pinned, system_resolver, target_of
from counterfoil.providers.sender import Parcel

TIMEOUT_S: Final = 10.0
REPLY_MAX: Final = 64 * 1024
KEPT_MAX: Final = 1024
"""How much of an answer is kept to be shown."""
AGENT: Final = "Counterfoil/1 (+webhooks)"
TROUBLE: Final = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)
"""How an exchange may end without an answer."""
Headers = list[tuple[bytes, bytes]]


class HttpSender:
    """Posts parcels over the network."""

    def __init__(
        self,
        resolve: Resolver = system_resolver,
        network: httpcore2.NetworkBackend | None = None,
        timeout_s: float = TIMEOUT_S,
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._resolve = resolve
        self._network = network or httpcore2.SyncBackend()
        self._timeout_s = timeout_s
        self._ticks = ticks

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return httpcore2.default_ssl_context()

    def post(self, parcel: Parcel) -> TryResult:
        """Post a parcel and give what was answered."""
        started = self._ticks()

        def spent_ms() -> int:
            return round((self._ticks() - started) * 1000)

        try:
            target = target_of(parcel.url, may_stay_here=parcel.may_stay_here)
            address = pinned(target, self._resolve, may_stay_here=parcel.may_stay_here)
        except AddressRefused:
            return Unanswered("address_refused", spent_ms(), is_sent=False)
        except (OSError, UnicodeError):
            return Unanswered("name_not_found", spent_ms(), is_sent=False)
        line = _Line(self._network, target, address, Deadline(started + self._timeout_s, self._ticks))
        try:
            return self._exchanged(line, parcel, spent_ms)
        except TROUBLE as error:
            return Unanswered(line.said(error), spent_ms(), is_sent=line.is_open)

    def _exchanged(self, line: "_Line", parcel: Parcel, spent_ms: Callable[[], int]) -> Answered:
        headers = {"content-type": "application/json", "user-agent": AGENT, "accept": "*/*", **parcel.headers}
        body = parcel.body.encode()
        with (
            httpcore2.ConnectionPool(ssl_context=self._trust, network_backend=line, max_connections=1) as pool,
            pool.stream("POST", parcel.url, headers=list(headers.items()), content=body) as response,
        ):
            reply = _beginning(response.iter_stream())
            return Answered(response.status, spent_ms(), reply, retry_after_s(response.headers))


def _beginning(chunks: Iterable[bytes]) -> bytes:
    """Read an answer up to its bound, and give the part that is kept. One that breaks off has answered all the same."""
    kept, seen = b"", 0
    with suppress(*TROUBLE):
        for chunk in chunks:
            kept = (kept + chunk)[:KEPT_MAX]
            seen += len(chunk)
            if seen >= REPLY_MAX:
                break
    return kept


def retry_after_s(headers: Headers) -> int | None:
    """Read for how long the other side asks to be left alone: in seconds, or until a time by its own clock."""
    given = {name.lower(): value for name, value in headers if name.lower() in (b"retry-after", b"date")}
    asked = given.get(b"retry-after", b"").strip().decode("latin-1")
    if not asked:
        return None
    if asked.isascii() and asked.isdigit():
        return min(int(asked[:12]), 10**9)
    try:
        until, now = parsedate_to_datetime(asked), parsedate_to_datetime(given.get(b"date", b"").decode("latin-1"))
        return max(0, round((until - now).total_seconds()))
    except (ValueError, TypeError):
        return None


class Deadline:
    """When all of it has to be over."""

    def __init__(self, at: float, ticks: Callable[[], float]) -> None:
        self._at = at
        self._ticks = ticks

    @property
    def left_s(self) -> float:
        """How much time is left. Raises httpcore2.ReadTimeout when there is none."""
        left = self._at - self._ticks()
        if left <= 0:
            raise httpcore2.ReadTimeout("the time was up")
        return left


class _Line(httpcore2.NetworkBackend):
    """A network that leads to one address only, under one name."""

    def __init__(self, network: httpcore2.NetworkBackend, target: Target, address: str, deadline: Deadline) -> None:
        self._network = network
        self._target = target
        self._address = address
        self._deadline = deadline
        self.is_open = False

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.NetworkStream:
        """Connect to the pinned address."""
        assert (host, port) == (self._target.host, self._target.port), "a request for somewhere else"
        stream = self._network.connect_tcp(self._address, port, timeout=self._deadline.left_s)
        self.is_open = self._target.scheme == "http"
        return _Timed(stream, self._deadline, self)

    def said(self, error: Exception) -> str:
        """Name what went wrong, in a stable word."""
        if isinstance(error, httpcore2.TimeoutException):
            return "timeout"
        if isinstance(error, httpcore2.ConnectError):
            return "tls_failed" if isinstance(error.__cause__, ssl.SSLError) else "connection_failed"
        if isinstance(error, httpcore2.ProtocolError):
            return "no_http"
        return "connection_lost"


class _Timed(httpcore2.NetworkStream):
    """A connection of which every step has only the time that is left of the whole."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline, line: _Line) -> None:
        self._stream = stream
        self._deadline = deadline
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # the whole has its own
        return self._stream.read(max_bytes, self._deadline.left_s)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # the whole has its own
        self._stream.write(buffer, self._deadline.left_s)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left_s)
        self._line.is_open = True
        return _Timed(secured, self._deadline, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
