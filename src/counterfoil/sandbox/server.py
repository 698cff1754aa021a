"""The sandbox on sockets: an HTTP server, and the pump that sends its webhooks.

The standard library's server, because trouble on request needs the socket itself: a connection that closes
unanswered, or breaks in mid-body.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from counterfoil.sandbox.ambient import RandomIds, wall_clock
from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sandbox.documents import Tables
from counterfoil.sandbox.persistence import StateFile
from counterfoil.sandbox.ports import Clock, Ids
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.wire import Request, Response, json_body

if TYPE_CHECKING:
    import httpx2

BODY_MAX = 4 * 1024 * 1024
PACKED_MIN_BYTES = 1024
_LINE_MAX = 1024
_HEX = re.compile(rb"[0-9a-fA-F]{1,8}")
_UNREADABLE = Response(400, {"Content-Type": "text/plain"}, b"The length of the body can't be read.")
_TOO_LARGE = Response(413, {"Content-Type": "text/plain"}, b"The body is too large.")
SENDERS = 4
IDLE_S = 60.0


class SandboxServer:
    """A sandbox that listens, and delivers its webhooks, from `start` (or `with`) until `stop`.

    `port` 0 takes a free one. `state_file` keeps everything across restarts. `deliver` False leaves the deliveries
    to the owner of `sandbox`. Use `locked()` to touch `sandbox` while the server runs.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        settings: Settings | None = None,
        state_file: Path | None = None,
        clock: Clock = wall_clock,
        ids: Ids | None = None,
        deliver: bool = True,
    ) -> None:
        tables = Tables()
        self._file = StateFile(state_file, tables) if state_file else None
        self.sandbox = Sandbox(clock, ids or RandomIds(), settings, tables)
        self._lock = threading.RLock()
        self._http = _Listener((host, port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="sandbox-http", daemon=True)
        self._pump = _Pump(self) if deliver else None
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        host, port = self._http.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    def start(self) -> Self:
        if self.sandbox.world.settings.public_url == Settings().public_url:
            self.sandbox.world.settings.public_url = self.url
        self._thread.start()
        if self._pump:
            self._pump.start()
        return self

    def stop(self) -> None:
        """Close every socket and end every thread; what was answered is kept."""
        self.stopping.set()
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        if self._pump:
            self._pump.stop()
        if self._file:
            self._file.close()

    def handle(self, request: Request) -> Response:
        """Answer one request; safe from any thread."""
        with self.locked() as sandbox:
            return sandbox.handle(request)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Sandbox]:
        """The sandbox to oneself; what was changed is kept, and due deliveries go out afterwards."""
        with self._lock:
            try:
                yield self.sandbox
            finally:
                if self._file:
                    self._file.write()
        if self._pump:
            self._pump.wake()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    port: int = 12111,
    host: str = "127.0.0.1",
    *,
    settings: Settings | None = None,
    state_file: Path | None = None,
    webhook: tuple[str | None, str, str | None] | None = None,
    ready: Callable[[SandboxServer], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve until `stop` is set.

    `webhook` is (API key, URL, secret) of an endpoint to register, for every account where the key is None; `ready` is
    called once it listens.
    """
    stop = stop or threading.Event()
    with SandboxServer(port, host, settings=settings, state_file=state_file) as server:
        if webhook:
            with server.locked() as sandbox:
                key, url, secret = webhook
                if key is None:
                    sandbox.add_webhook_for_all(url, secret)
                else:
                    sandbox.add_webhook(key, url, secret)
        if ready:
            ready(server)
        stop.wait()


class _Pump:
    """Sends what is due, a few at a time, and sleeps until more is."""

    def __init__(self, server: SandboxServer) -> None:
        self._server = server
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        self._senders = ThreadPoolExecutor(SENDERS, "sandbox-sender")
        self._client: httpx2.Client | None = None

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._wake.set()
        self._thread.join()
        self._senders.shutdown(wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _run(self) -> None:
        while not self._server.stopping.is_set():
            self._wake.clear()
            for attempt in self._due():
                self._senders.submit(self._send, self._open_client(), attempt)
            self._wake.wait(self._pause_s())

    def _due(self) -> list[Attempt]:
        sandbox = self._server.sandbox
        with self._server._lock:
            return sandbox.due_deliveries()

    def _pause_s(self) -> float:
        sandbox = self._server.sandbox
        with self._server._lock:
            due = sandbox.next_due()
            return IDLE_S if due is None else min(max(due - sandbox.world.now(), 0.001), IDLE_S)

    def _send(self, client: httpx2.Client, attempt: Attempt) -> None:
        status = _post(client, attempt, self._server.sandbox.world.settings.delivery_timeout_s)
        with self._server.locked() as sandbox:
            sandbox.record_attempt(attempt.delivery, status)

    def _open_client(self) -> httpx2.Client:
        """The client is made at the first delivery, so that a sandbox without webhooks starts without it."""
        if self._client is None:
            import httpx2

            self._client = httpx2.Client(trust_env=False)
        return self._client


def _post(client: httpx2.Client, attempt: Attempt, timeout_s: float) -> int | None:
    """The endpoint's status, None when it gave no answer."""
    import httpx2

    try:
        return client.post(attempt.url, content=attempt.body, headers=attempt.headers, timeout=timeout_s).status_code
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return None


class _Listener(ThreadingHTTPServer):
    """Accepts connections, and knows those that are open so that stopping closes them."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], owner: SandboxServer) -> None:
        super().__init__(address, _Connection)
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._guard:
            waiting = list(self._open)
        for connection in waiting:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of ours, and a bug must not be silent."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    """One client's requests, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """The sandbox keeps its own log of requests."""

    def _serve(self) -> None:
        body = self._read_body()
        if isinstance(body, Response):
            self._send(body)
            self.close_connection = True
            return
        method = "GET" if self.command == "HEAD" else self.command
        response = self._answer(Request(method, self.path, dict(self.headers.items()), body))
        if response.delay_s:
            self.server.owner.stopping.wait(response.delay_s)
        if response.fault is None:
            self._send(self._packed(response))
            return
        self.close_connection = True
        if response.fault == "reset":
            self._send(response, len(response.body) // 2)
        if response.fault in ("reset", "refused"):
            # A linger of zero seconds makes the close a reset, which is what the client is meant to see.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _answer(self, request: Request) -> Response:
        """The sandbox's answer; a bug in it is a 500 here and a trace on standard error, never a silent hang-up."""
        try:
            return self.server.owner.handle(request)
        except Exception:
            traceback.print_exc()
            words = "The sandbox has a bug; its standard error has the trace."
            return Response(
                500, {"Content-Type": "application/json"}, json_body({"error": {"type": "api_error", "message": words}})
            )

    def _read_body(self) -> bytes | Response:
        """The request's body, or the answer to one that can't be read or is larger than any that Stripe takes."""
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdecimal()):
            return _UNREADABLE
        return _TOO_LARGE if int(length) > BODY_MAX else self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | Response:
        body = b""
        while (size := self._chunk_size()) > 0:
            if len(body) + size > BODY_MAX:
                return _TOO_LARGE
            body += self.rfile.read(size)
            self.rfile.readline()
        if size < 0:
            return _UNREADABLE
        while self.rfile.readline().strip():
            pass
        return body

    def _chunk_size(self) -> int:
        """The size of the next chunk, -1 when it is no number."""
        digits = self.rfile.readline(_LINE_MAX).split(b";")[0].strip()
        return int(digits, 16) if _HEX.fullmatch(digits) else -1

    def _packed(self, response: Response) -> Response:
        """A long body goes out compressed to a client that says it can read that."""
        accepted = self.headers.get("Accept-Encoding") or ""
        if len(response.body) < PACKED_MIN_BYTES or "gzip" not in accepted:
            return response
        headers = {**response.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(response.status, headers, gzip.compress(response.body, 1, mtime=0))

    def _send(self, response: Response, body_bytes: int | None = None) -> None:
        """Write head and body at once: two writes would wait for the client's delayed acknowledgement."""
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        head = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer: list[bytes] = []
        self.wfile.write(head if self.command == "HEAD" else head + response.body[:body_bytes])
