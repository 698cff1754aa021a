"""A real Django project that spends at a real API: a 402 says why, silence is a 503, bugs stay Django's."""

import json
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from counterfoil.client import django as integration
from counterfoil.client.billing import Billing
from doors.api.caller import Caller
from doors.client.conftest import SOON
from doors.client.serving import Line, Troubled
from houses import World

UNIT = "usd-credit"


def use(request: HttpRequest, amount: str) -> HttpResponse:
    """A view that spends at once."""
    spent = request.billing.spend_now(f"ext:{request.headers['user']}", UNIT, amount)
    return JsonResponse({"left": str(spent.balance_after)})


@integration.held(UNIT, "5", customer=lambda request: f"ext:{request.headers['user']}")
def work(request: HttpRequest, used: str) -> HttpResponse:
    """A view that holds five credits, and settles what it used unless it fails."""
    if used == "nothing":
        raise RuntimeError("the model is on strike")
    return JsonResponse({"left": str(request.spend.settle(used).balance_after)})


urlpatterns = [path("use/<str:amount>", use), path("work/<str:used>", work)]


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """A project without a database, set up once per process."""
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            MIDDLEWARE=["counterfoil.client.django.BillingMiddleware"],
            ALLOWED_HOSTS=["testserver"],
            SECRET_KEY="of-tests",
        )
        django.setup()


@pytest.fixture
def shop(world: World, url: str, line: Line) -> Iterator[Any]:
    """A browser of the project, whose client is on a line that may have troubles."""
    given = {"api_key": world.key, "base_url": url, "patience": SOON, "transport": Troubled(line)}
    integration.billing.cache_clear()
    with override_settings(COUNTERFOIL=given), integration.billing():
        yield Client(raise_request_exception=False)
    integration.billing.cache_clear()


def test_whoever_can_pay_is_served_and_whoever_cannot_is_told_why(shop: Any, api: Caller) -> None:
    api.credits(api.customer("hal"), "3")

    served = shop.get("/use/2", headers={"user": "hal"})
    refused = shop.get("/use/2", headers={"user": "hal"})

    assert (served.status_code, served.json()) == (200, {"left": "1.000000"})
    assert (refused.status_code, refused["Content-Type"]) == (402, "application/problem+json")
    problem = json.loads(refused.content)
    assert (problem["code"], problem["balance"], problem["needed"]) == ("insufficient_credits", "1.000000", "2.000000")
    assert "buy credits" in problem["remedy"]


def test_a_view_holds_and_settles_and_gives_back_when_it_fails(shop: Any, api: Caller) -> None:
    wallet = api.credits(api.customer("lea"), "8")

    settled = shop.get("/work/3", headers={"user": "lea"})
    failed = shop.get("/work/nothing", headers={"user": "lea"})
    left = api.get(f"/v1/wallets/{wallet}").json()["available"]["quantity"]
    shop.get("/use/1", headers={"user": "lea"})
    refused = shop.get("/work/1", headers={"user": "lea"})

    assert (settled.status_code, settled.json()) == (200, {"left": "5.000000"})
    assert (failed.status_code, left, refused.status_code) == (500, "5.000000", 402)


def test_silence_of_counterfoil_is_a_503_that_may_be_tried_again(shop: Any, line: Line) -> None:
    line.down = True

    answer = shop.get("/use/1", headers={"user": "hal"})

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert json.loads(answer.content)["code"] == "billing_unavailable"


def test_a_fault_of_the_application_stays_djangos(shop: Any) -> None:
    assert shop.get("/use/1", headers={"user": "nobody"}).status_code == 500


def test_one_client_serves_a_process(shop: Any) -> None:
    assert integration.billing() is integration.billing()
    assert isinstance(integration.billing(), Billing)
