"""Credits in a FastAPI application: who can't pay gets a 402 that says why and what helps.

billing = AsyncBilling(api_key, url)
app = FastAPI(lifespan=closing(billing))
install(app, billing)

@app.post("/chat")
async def chat(spend: Annotated[AsyncSpend, Depends(held("credits", "2", customer=signed_in))]) -> ...:
    ...
    await spend.settle(used)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from inspect import isawaitable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from starlette.responses import JSONResponse, Response

from counterfoil.client.aio import AsyncBilling, AsyncSpend
from counterfoil.client.answers import FOR_CALLERS, MEDIA_TYPE, is_for_callers, problem_of
from counterfoil.client.errors import CounterfoilError, CounterfoilUnavailable
from counterfoil.client.scripts import IfUnsettled, OnUnavailable
from counterfoil.client.values import Quantity

Named = Callable[[Request], str | Awaitable[str]]
"""Says which customer a request is of: `ext:<your id>` or `cust_…`."""
Estimate = Quantity | Callable[[Request], Quantity | Awaitable[Quantity]]


def install(app: FastAPI, billing: AsyncBilling) -> None:
    """Let the routes of an application spend, and answer refusals as problem documents."""
    app.state.counterfoil = billing
    for kind in (*FOR_CALLERS, CounterfoilUnavailable):
        app.add_exception_handler(kind, answer)


def closing(billing: AsyncBilling) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Give a lifespan that sends what waits, and closes the client, when the application stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with billing:
            yield

    return lifespan


async def answer(request: Request, error: Exception) -> Response:
    """Answer a refusal with 402, and silence of Counterfoil with 503."""
    assert isinstance(error, CounterfoilError)
    assert is_for_callers(error)
    status, body, headers = problem_of(error)
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def billing_of(request: Request) -> AsyncBilling:
    """Give the client that `install` put into the application."""
    found: AsyncBilling = request.app.state.counterfoil
    return found


Billed = Annotated[AsyncBilling, Depends(billing_of)]
"""A parameter of a route: the client."""


def held(
    unit: str,
    estimate: Estimate,
    *,
    customer: Named,
    feature: str | None = None,
    pools: Sequence[str] = (),
    on_unavailable: OnUnavailable = "fail_closed",
    if_unsettled: IfUnsettled = "settle_estimate",
) -> Callable[[Request], AsyncIterator[AsyncSpend]]:
    """Make a dependency that holds the estimate before the route runs, and ends after its answer was sent.

    A streamed answer can therefore settle when its last part is out. Without enough credits the route never runs.
    """

    async def spend_of(request: Request) -> AsyncIterator[AsyncSpend]:
        spend = billing_of(request).spend(
            await _of(customer, request),
            unit,
            await _of(estimate, request),
            feature=feature,
            pools=pools,
            on_unavailable=on_unavailable,
            if_unsettled=if_unsettled,
        )
        async with spend:
            yield spend

    return spend_of


async def _of(given: Any, request: Request) -> Any:
    """Give a value, or what a function of the request says."""
    value = given(request) if callable(given) else given
    return await value if isawaitable(value) else value
