"""The API on a socket, and what can go wrong between a client and it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

import httpx2
import uvicorn
from starlette.types import ASGIApp

from houses import HandClock

NEVER = "no connection"
LOST = "answer lost"
BUSY = "busy"


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on a free port and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="served")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass(slots=True)
class Line:
    """The line to the API and its troubles: the next requests meet them in order, the later ones none.

    `down` breaks every request until it is lifted. `keys` are the Idempotency-Keys that were sent, in order.
    """

    troubles: list[str] = field(default_factory=list)
    down: bool = False
    keys: list[str | None] = field(default_factory=list)

    def meets(self, request: httpx2.Request) -> str | None:
        """Say what this request meets, None for nothing."""
        self.keys.append(request.headers.get("Idempotency-Key"))
        if self.down:
            return NEVER
        return self.troubles.pop(0) if self.troubles else None


class Troubled(httpx2.BaseTransport):
    """A real transport over a line with troubles."""

    def __init__(self, line: Line) -> None:
        self._line, self._real = line, httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        trouble = self._line.meets(request)
        before(trouble)
        if trouble == BUSY:
            return busy()
        answer = self._real.handle_request(request)
        if trouble == LOST:
            answer.read()
            answer.close()
            raise httpx2.ReadError(LOST)
        return answer

    def close(self) -> None:
        self._real.close()


class TroubledAsync(httpx2.AsyncBaseTransport):
    """The same for the asynchronous client."""

    def __init__(self, line: Line) -> None:
        self._line, self._real = line, httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        trouble = self._line.meets(request)
        before(trouble)
        if trouble == BUSY:
            return busy()
        answer = await self._real.handle_async_request(request)
        if trouble == LOST:
            await answer.aread()
            await answer.aclose()
            raise httpx2.ReadError(LOST)
        return answer

    async def aclose(self) -> None:
        await self._real.aclose()


def before(trouble: str | None) -> None:
    if trouble == NEVER:
        raise httpx2.ConnectError(NEVER)


def busy() -> httpx2.Response:
    """What a proxy in between says: no problem document, no Retry-After."""
    return httpx2.Response(503, text="upstream is busy")


NUMBERS = count(1)
"""Of all tests: their keys meet on one database."""


@dataclass(slots=True)
class KnownAmbient:
    """Clocks and numbers that tests know: keys count up, pauses are half of their bound, the day is the house's."""

    clock: HandClock = field(default_factory=HandClock)
    at_s: float = 0.0

    def elapsed_s(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return self.clock.now()

    def new_key(self) -> str:
        return f"key-of-client-{next(NUMBERS)}"

    def between(self, low: float, high: float) -> float:
        return (low + high) / 2
