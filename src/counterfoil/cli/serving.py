"""What every serving process has in common: signals, a socket, the web server, one line that says `ready`."""

import contextlib
import errno
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

from counterfoil.cli.rooms import Application
from counterfoil.cli.troubles import PortTaken

if TYPE_CHECKING:
    import asyncio

GRACE_S: Final = 5
"""How long answers under way may take once the process is told to stop."""
HEAD_MAX: Final = 64 * 1024
"""How many bytes a request may have before its body."""
TICK_S: Final = 0.5
START_MAX_S: Final = 30.0


def stop_on_signals() -> threading.Event:
    """Give an event that SIGTERM and SIGINT set. A second one of the same kind ends the process at once."""
    stop = threading.Event()

    def tell(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    return stop


def stop_on_eof(stop: threading.Event) -> None:
    """Set the event when standard input ends: whoever holds the other end, killed or not, is gone then."""

    def read() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        stop.set()

    threading.Thread(target=read, name="stdin", daemon=True).start()


def end_in_order_on_sigterm() -> None:
    """Let SIGTERM end the process as an interrupt does: everything that was opened is closed."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def wait(stop: threading.Event, tick: Callable[[], None] | None = None) -> None:
    """Wait until told to stop, and do what has to be done now and then meanwhile."""
    while not stop.wait(TICK_S):
        if tick:
            tick()


def listen(host: str, port: int) -> socket.socket:
    """Take a port, 0 for a free one. Raises PortTaken before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used: {error.strerror}"
        raise PortTaken(f"port {port} on {host} {why}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Give the address that a browser on this machine can open."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def ready(url: str) -> None:
    """Say that requests are answered now. Whoever started the process waits for this line."""
    print(f"ready {url}", flush=True)


def progress(text: str) -> None:
    """Say what is being done, beside the output."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def web(application: Application, listener: socket.socket) -> Iterator[None]:
    """Serve an application on a listening socket until the block ends, then finish what is under way.

    The server runs in a thread: only then does it leave the signals, and so the exit code, to us.
    """
    import uvicorn

    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="auto",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        loop="uvloop",
        http=_protocol(),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="web")
    thread.start()
    try:
        _await_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _protocol() -> "type[asyncio.Protocol]":
    """Give the web server's protocol, with a bound on what comes before a body."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Bounded(HttpToolsProtocol):
        heads, is_in_head, read = 0, False, 0

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.heads, self.is_in_head, self.read = self.heads + 1, True, 0

        def on_headers_complete(self) -> None:
            self.is_in_head = False
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            before = self.heads, self.is_in_head
            super().data_received(data)
            # What came with an earlier request, or was the first of this one, is bounded by what is read at a time.
            self.read += len(data) if before == (self.heads, True) else 0
            if self.is_in_head and self.read > HEAD_MAX:
                self.is_in_head = False
                self.send_400_response("The headers are too large.")

    return Bounded


def _await_started(server: object, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(round(START_MAX_S / 0.01)):
        if getattr(server, "started", False):
            return
        if not thread.is_alive():
            break
        pause.wait(0.01)
    print("the web server did not start", file=sys.stderr)
    raise AssertionError("the web server did not start")


@contextlib.contextmanager
def in_thread(name: str, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run work beside the block, and let it finish what is under way when the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
