"""What the bare doors share: how a body comes in, and how answers come out of the lanes' threads."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Coming(Protocol[T_co]):
    """An answer that comes from another thread: a future, or a promise."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> None: ...
    def exception(self) -> BaseException | None: ...
    def result(self) -> T_co: ...


class Messenger(Generic[T]):
    """Brings answers from the lane's threads into an event loop: those that come together wake it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._brought: deque[tuple[asyncio.Future[T], Coming[T]]] = deque()
        self._is_woken = False

    async def bring(self, answer: Coming[T]) -> T:
        """Wait for an answer, without holding the loop."""
        waiting: asyncio.Future[T] = self.loop.create_future()
        answer.add_done_callback(lambda done: self._wake(waiting, done))
        return await waiting

    def _wake(self, waiting: "asyncio.Future[T]", done: Coming[T]) -> None:
        """In the lane's thread. What is put down before the look at the flag is handed out by whoever clears it."""
        self._brought.append((waiting, done))
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                self.loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        """In the loop's thread."""
        self._is_woken = False
        while self._brought:
            waiting, done = self._brought.popleft()
            if waiting.done():
                continue  # Its caller has gone.
            error = done.exception()
            if error is None:
                waiting.set_result(done.result())
            else:
                waiting.set_exception(error)


async def read_body(receive: Receive) -> bytes:
    """Read the exact bytes. Raises ClientDisconnect."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
