"""A real FastAPI application that spends at a real API: who can't pay is told why, and what would help."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.testclient import TestClient

from counterfoil.client import AsyncBilling, Unbooked
from counterfoil.client.fastapi import Billed, closing, install
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

    return app


@pytest.fixture
def shop(world: World, url: str, line: Line, told: list[Unbooked]) -> Iterator[TestClient]:
    billing = AsyncBilling(
        world.key, url, patience=SOON, on_unbooked=told.append, transport=TroubledAsync(line), ambient=KnownAmbient()
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
