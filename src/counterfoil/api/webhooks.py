"""The webhook door: reads the exact bytes, hands them to the intake, and answers once they are stored.

It is a bare route, because a provider's retries hammer it: nothing is parsed here.
"""

import asyncio
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.api.metrics import Metrics
from counterfoil.api.problems import Problem
from counterfoil.engine.intake import Accepted, IntakeLane, Rejected, unknown

PATH: Final = "/webhooks/stripe/{endpoint}"


class Received(msgspec.Struct, frozen=True):
    """What a sender is told: that its event is stored, and under which id."""

    id: str
    received: bool = True


async def receive(request: Request) -> Response:
    """Take one webhook in."""
    metrics: Metrics = request.app.state.metrics
    body = await request.body()
    taken = await _take_in(request, str(request.path_params["endpoint"]), body)
    if isinstance(taken, Rejected):
        metrics.webhooks.labels(taken.code).inc()
        raise Problem(taken.status, taken.code, taken.detail)
    metrics.webhooks.labels("accepted" if taken.new else "duplicate").inc()
    return Response(msgspec.json.encode(Received(taken.inbox)), media_type="application/json")


async def _take_in(request: Request, slug: str, body: bytes) -> Accepted | Rejected:
    if not (slug.isascii() and slug.isprintable()):
        # It can name nothing, and the database takes not every text.
        return unknown(slug)
    intake: IntakeLane = request.app.state.intake
    return await asyncio.wrap_future(intake.submit(slug, dict(request.headers), body))
