"""For those who run and test: why a number is what it is, and business time in test mode."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import ForwardClock
from counterfoil.engine import setup
from counterfoil.engine.explain import NotFound, explain
from counterfoil.engine.views import instant

router = APIRouter(prefix="/v1", route_class=Door)

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@router.get(
    "/explain/{id}",
    tags=["Explain"],
    summary="Explain any number",
    response_model=schemas.Explanation,
    openapi_extra=declare("read", 404),
)
def get_explanation(
    identity: Annotated[
        str,
        Path(
            alias="id",
            max_length=300,
            description="Any id of ours or of the provider, an invoice's number, or `ext:<your id>`.",
            examples=["inv_01h455vb4pex5vsknk084sn02q"],
        ),
    ],
    call: Asking,
    limit: Annotated[int, Query(ge=1, le=200, description="How many steps of the timeline at most.")] = 200,
    before: Annotated[str | None, Query(max_length=200, description="`earlier` of the answer before.")] = None,
) -> Response:
    """Explains a balance, an invoice or a payment: the equation, the entries, the decisions and the notices behind."""
    try:
        return json_response(explain(call.house, call.tenant, identity, limit=limit, before=before))
    except NotFound as error:
        raise not_found("object", identity) from error


@router.post(
    "/test/clock",
    tags=["Test mode"],
    summary="Move business time forward",
    response_model=schemas.TestClock,
    openapi_extra=declare("admin", 409),
)
def advance_clock(body: ForwardClock, call: Asking, request: Request) -> Response:
    """Moves business time forward, in test mode only: timers, expiry and due dates come earlier."""
    try:
        ahead = setup.advance_clock(call.house, call.tenant, _duration(body))
    except setup.ClockFixed as error:
        raise Problem(409, "clock_fixed") from error
    request.app.state.options.clock_moved(ahead)
    now = instant(call.house.clock.now())
    return json_response({"object": "test_clock", "now": now, "ahead_s": round(ahead.total_seconds())})


def _duration(body: ForwardClock) -> timedelta:
    if (body.advance_s is None) is (body.advance is None):
        message = "give advance_s or advance, one of the two"
        raise Problem(422, "invalid_request", message, param="advance_s")
    if body.advance is None:
        return timedelta(seconds=body.advance_s or 0)
    return timedelta(**{UNITS[body.advance[-1]]: int(body.advance[:-1])})
