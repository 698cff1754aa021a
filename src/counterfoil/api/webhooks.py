"""The webhook door: reads the exact bytes, hands them to the intake, and answers once they are stored.

It is bare ASGI, because a provider's retries hammer it: nothing is parsed here, and no object made that is not needed.
"""

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem
from counterfoil.engine.intake import Accepted, Answered, IntakeLane, Rejected, unknown

PATH: Final = "/webhooks/stripe/{endpoint}"
SIGNATURE: Final = b"stripe-signature"


class Received(msgspec.Struct, frozen=True):
    """What a sender is told: that its event is stored, and under which id."""

    id: str
    received: bool = True


class WebhookDoor:
    """Takes webhooks in."""

    def __init__(self) -> None:
        self._messenger: Messenger | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one webhook in."""
        metrics: Metrics = scope["app"].state.metrics
        slug, body = str(scope["path_params"]["endpoint"]), await _body(receive)
        taken = await self._take_in(scope, slug, body)
        if isinstance(taken, Rejected):
            metrics.webhooks.labels(taken.code).inc()
            raise Problem(taken.status, taken.code, taken.detail)
        metrics.webhooks.labels("accepted" if taken.new else "duplicate").inc()
        await _answer(send, msgspec.json.encode(Received(taken.inbox)))

    async def _take_in(self, scope: Scope, slug: str, body: bytes) -> Accepted | Rejected:
        if not (slug.isascii() and slug.isprintable()):
            # It can name nothing, and the database takes not every text.
            return unknown(slug)
        intake: IntakeLane = scope["app"].state.intake
        return await self._here().bring(intake.submit(slug, _signature(scope), body))

    def _here(self) -> "Messenger":
        loop = asyncio.get_running_loop()
        if self._messenger is None or self._messenger.loop is not loop:
            self._messenger = Messenger(loop)
        return self._messenger


receive: Final = WebhookDoor()


class Messenger:
    """Brings answers from the lane's threads into an event loop: those that come together wake it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._brought: deque[tuple[asyncio.Future[Accepted | Rejected], Answered]] = deque()
        self._is_woken = False

    async def bring(self, answer: Answered) -> Accepted | Rejected:
        """Wait for an answer, without holding the loop."""
        waiting: asyncio.Future[Accepted | Rejected] = self.loop.create_future()
        answer.add_done_callback(lambda done: self._wake(waiting, done))
        return await waiting

    def _wake(self, waiting: "asyncio.Future[Accepted | Rejected]", done: "Future[Accepted | Rejected]") -> None:
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


async def _body(receive: Receive) -> bytes:
    """Read the exact bytes. Raises ClientDisconnect."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _signature(scope: Scope) -> dict[str, str]:
    """Give the one header that says who sent it."""
    found = (value for name, value in scope["headers"] if name == SIGNATURE)
    value = next(found, None)
    return {} if value is None else {"stripe-signature": value.decode("latin-1")}


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
