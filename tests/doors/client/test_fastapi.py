"""A real FastAPI application that spends at a real API: who can't pay is told why, and what would help."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from counterfoil.client import AsyncBilling, AsyncSpend, Unbooked
from counterfoil.client.fastapi import Billed, closing, held, install
from doors.api.caller import Caller
from doors.client.conftest import SOON
from doors.client.serving import KnownAmbient, Line, TroubledAsync
from houses import World

UNIT = "usd-credit"


def application(billing: AsyncBilling) -> FastAPI:
    """An application that sells uses of one credit."""
    app = FastAPI(lifespan=closing(billing))
    install(app, billing)

    @app.post("/use/{amount}")
    async def use(amount: str, request: Request, billing: Billed) -> dict[str, Any]:
        spent = await billing.spend_now(f"ext:{request.headers['user']}", UNIT, amount)
        return {"left": str(spent.balance_after)}

    @app.post("/stream/{length}")
    async def stream(length: int, spend: Annotated[AsyncSpend, Depends(held(UNIT, 5, customer=customer_of))]) -> Any:
        async def words() -> AsyncIterator[str]:
            for number in range(length):
                yield f"{number} "
            await spend.settle(length)

        return StreamingResponse(words())

    @app.post("/broken")
    async def broken(spend: Annotated[AsyncSpend, Depends(held(UNIT, "5", customer=customer_of))]) -> None:
        raise RuntimeError("the model is on strike")

    return app


async def customer_of(request: Request) -> str:
    return f"ext:{request.headers['user']}"


@pytest.fixture
def shop(world: World, url: str, line: Line, told: list[Unbooked]) -> Iterator[TestClient]:
    billing = AsyncBilling(
        world.key,
        url,
        patience=SOON,
        on_unbooked=told.append,
        transport=TroubledAsync(line),
        ambient=KnownAmbient(world.clock),
    )
    with TestClient(application(billing), raise_server_exceptions=False) as client:
        yield client


def use(shop: TestClient, user: str, amount: str) -> Any:
    return shop.post(f"/use/{amount}", headers={"user": user})


def test_whoever_can_pay_is_served_and_whoever_cannot_is_told_why(shop: TestClient, api: Caller) -> None:
    api.credits(api.customer("fay"), "3")

    served, refused = use(shop, "fay", "2"), use(shop, "fay", "2")

    assert (served.status_code, served.json()) == (200, {"left": "1.000000"})
    assert (refused.status_code, refused.headers["Content-Type"]) == (402, "application/problem+json")
    problem = refused.json()
    assert (problem["status"], problem["code"], problem["retryable"]) == (402, "insufficient_credits", False)
    assert (problem["balance"], problem["needed"]) == ("1.000000", "2.000000")
    assert "buy credits" in problem["remedy"]


def test_a_customer_who_is_stopped_for_another_reason_is_told_that_reason(shop: TestClient, api: Caller) -> None:
    """Never "allowance reached" for what is none."""
    customer = api.customer("gus")
    api.credits(customer, "3")
    api.made(f"/v1/customers/{customer}/pause")

    problem = use(shop, "gus", "1").json()

    assert (problem["status"], problem["code"]) == (402, "customer_paused")
    assert "paused" in problem["detail"]
    assert "balance" not in problem


def test_silence_of_counterfoil_is_a_503_that_may_be_tried_again(shop: TestClient, line: Line) -> None:
    line.down = True

    answer = use(shop, "fay", "1")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (answer.json()["code"], answer.json()["retryable"]) == ("billing_unavailable", True)


def test_a_fault_of_the_application_is_not_the_callers_to_hear(shop: TestClient) -> None:
    """The customer is nobody that Counterfoil knows: a bug here, so no 402."""
    answer = use(shop, "nobody", "1")

    assert answer.status_code == 500
    assert "nobody" not in answer.text


def test_a_stream_settles_when_its_last_word_is_out(shop: TestClient, api: Caller) -> None:
    wallet = api.credits(api.customer("ida"), "8")

    answer = shop.post("/stream/3", headers={"user": "ida"})

    held = api.get(f"/v1/wallets/{wallet}").json()
    assert answer.text == "0 1 2 "
    assert (held["available"]["quantity"], held["held"]["quantity"]) == ("5.000000", "0.000000")


def test_without_enough_credits_the_route_never_runs(shop: TestClient, api: Caller) -> None:
    api.credits(api.customer("jon"), "4")

    assert shop.post("/broken", headers={"user": "jon"}).status_code == 402


def test_a_route_that_fails_gives_the_credits_back(shop: TestClient, api: Caller) -> None:
    wallet = api.credits(api.customer("kim"), "8")

    answer = shop.post("/broken", headers={"user": "kim"})

    assert answer.status_code == 500
    assert api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"] == "8.000000"
