"""The webhook door: reads the exact bytes, hands them to the intake, and answers once they are stored.

It is bare ASGI, because a provider's retries hammer it: nothing is parsed here, and no object made that is not needed.
"""

import asyncio
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from counterfoil.api.messenger import Messenger, read_body
from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem
from counterfoil.engine.intake import Accepted, IntakeLane, Rejected, unknown

PATH: Final = "/webhooks/stripe/{endpoint}"
SIGNATURE: Final = b"stripe-signature"


class Received(msgspec.Struct, frozen=True):
    """What a sender is told: that its event is stored, and under which id."""

    id: str
    received: bool = True


class WebhookDoor:
    """Takes webhooks in."""

    def __init__(self) -> None:
        self._messenger: Messenger[Accepted | Rejected] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one webhook in."""
        metrics: Metrics = scope["app"].state.metrics
        slug, body = str(scope["path_params"]["endpoint"]), await read_body(receive)
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

    def _here(self) -> Messenger[Accepted | Rejected]:
        loop = asyncio.get_running_loop()
        if self._messenger is None or self._messenger.loop is not loop:
            self._messenger = Messenger(loop)
        return self._messenger


receive: Final = WebhookDoor()


def _signature(scope: Scope) -> dict[str, str]:
    """Give the one header that says who sent it."""
    found = (value for name, value in scope["headers"] if name == SIGNATURE)
    value = next(found, None)
    return {} if value is None else {"stripe-signature": value.decode("latin-1")}


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
