"""Checkout sessions that sell subscriptions: paid, refused, challenged, with a trial, on the page and without one."""

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer
from sandbox.recurring import DAY, HOUR, customer, price


def session(api: stripe.StripeClient, *plans: str, **more: Any) -> Any:
    params: dict[str, Any] = {
        "mode": "subscription",
        "success_url": "https://shop.example/done",
        "line_items": [{"price": plan, "quantity": 1} for plan in plans],
        **more,
    }
    return api.v1.checkout.sessions.create(params).to_dict()  # type: ignore[arg-type]


def shown(api: stripe.StripeClient, made: Any, *expand: str) -> Any:
    return api.v1.checkout.sessions.retrieve(made["id"], {"expand": list(expand)}).to_dict()


def confirm(server: CheckedServer, made: Any, method: str | None = "pm_card_visa", status: int = 200) -> Any:
    """Confirm as the CLI does: through the page's own interface."""
    form = urlencode({"payment_method": method} if method else {})
    headers = {"Authorization": f"Bearer {KEY}"}
    reply = server.handle(Request("POST", f"/v1/payment_pages/{made['id']}/confirm", headers, form.encode()))
    assert reply.status == status, reply.body
    return reply.json()


def test_a_paid_session_has_started_its_subscription(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500), subscription_data={"metadata": {"plan": "pro"}, "description": "Team"})
    assert (made["status"], made["payment_status"], made["amount_total"]) == ("open", "unpaid", 1_500)
    assert (made["subscription"], made["customer_creation"]) == (None, "always")
    confirm(server, made)

    done = shown(api, made, "subscription", "invoice")

    assert (done["status"], done["payment_status"], done["payment_intent"]) == ("complete", "paid", None)
    subscription = done["subscription"]
    assert (subscription["status"], subscription["metadata"], subscription["description"]) == (
        "active",
        {"plan": "pro"},
        "Team",
    )
    assert (subscription["customer"], subscription["latest_invoice"]) == (done["customer"], done["invoice"]["id"])
    assert done["invoice"]["status"] == "paid"
    method = api.v1.payment_methods.retrieve(subscription["default_payment_method"])
    assert method.customer == done["customer"]
    types = server.event_types()
    for name in ("customer.created", "customer.subscription.created", "checkout.session.completed", "invoice.paid"):
        assert types.count(name) == 1
    assert [one.id for one in api.v1.checkout.sessions.list({"subscription": subscription["id"]}).data] == [made["id"]]


def test_its_subscription_renews(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500))
    confirm(server, made)

    server.control("POST", "clock", {"advance_s": 32 * DAY})

    rows = api.v1.invoices.list({"subscription": shown(api, made)["subscription"]}).data
    assert [(row.status, row.billing_reason) for row in rows] == [
        ("paid", "subscription_cycle"),
        ("paid", "subscription_create"),
    ]


def test_a_refused_card_leaves_the_session_open_for_another(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500))

    error = confirm(server, made, "pm_card_chargeCustomerFail", 402)["error"]
    assert (error["code"], shown(api, made)["status"]) == ("card_declined", "open")
    confirm(server, made)

    done = shown(api, made, "subscription")
    assert (done["status"], done["subscription"]["status"]) == ("complete", "active")
    assert server.event_types().count("customer.subscription.created") == 1
    assert len(api.v1.invoices.list().data) == 1


def test_a_challenge_is_passed_before_the_subscription_is_active(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    made = session(api, price(api, 1_500))
    page = confirm(server, made, "pm_card_authenticationRequired")
    assert (page["status"], page["payment_intent"]["status"]) == ("open", "requires_action")

    server.control("POST", f"payment_intents/{page['payment_intent']['id']}/authenticate", {"outcome": "succeed"})

    assert shown(api, made, "subscription")["subscription"]["status"] == "active"


def test_a_session_that_expires_leaves_no_subscription(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500))
    confirm(server, made, "pm_card_chargeCustomerFail", 402)

    api.v1.checkout.sessions.expire(made["id"])

    assert [one.status for one in api.v1.subscriptions.list({"status": "all"}).data] == ["incomplete_expired"]
    assert [one.status for one in api.v1.invoices.list().data] == ["void"]


def test_a_bank_debit_makes_the_subscription_active_before_it_settles(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    good, bad = session(api, price(api, 1_500)), session(api, price(api, 1_500))
    confirm(server, good, "pm_usBankAccount_success")
    confirm(server, bad, "pm_usBankAccount_insufficientFunds")
    assert shown(api, good, "subscription")["subscription"]["status"] == "active"
    assert shown(api, good)["payment_status"] == "unpaid"

    server.control("POST", "clock", {"advance_s": 4 * DAY})

    assert shown(api, good)["payment_status"] == "paid"
    assert shown(api, good, "subscription")["subscription"]["status"] == "active"
    assert shown(api, bad, "subscription")["subscription"]["status"] == "past_due"
    types = server.event_types()
    assert {"checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"} <= set(types)


@covers("subscriptions.trials")
def test_a_trial_sets_the_method_up_and_bills_later(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500), subscription_data={"trial_period_days": 7})
    assert made["amount_total"] == 0
    confirm(server, made, None, 400)
    confirm(server, made)
    done = shown(api, made, "subscription")
    assert (done["payment_status"], done["subscription"]["status"]) == ("no_payment_required", "trialing")
    assert done["subscription"]["default_payment_method"]

    server.control("POST", "clock", {"advance_s": 7 * DAY + 2 * HOUR})

    assert [row["amount"] for row in server.journal("charge")] == [1_500]


def test_a_trial_may_ask_for_no_method(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(
        api,
        price(api, 1_500),
        subscription_data={
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
        },
        payment_method_collection="if_required",
        customer_email="ada@example.com",
    )
    confirm(server, made, None)
    done = shown(api, made, "subscription", "customer")
    assert (done["status"], done["subscription"]["status"], done["customer"]["email"]) == (
        "complete",
        "trialing",
        "ada@example.com",
    )

    server.control("POST", "clock", {"advance_s": 8 * DAY})

    assert shown(api, made, "subscription")["subscription"]["status"] == "canceled"


def test_one_time_items_come_with_the_first_invoice_only(server: CheckedServer, api: stripe.StripeClient) -> None:
    product = api.v1.products.create({"name": "Setup"}).id
    once = api.v1.prices.create({"currency": "usd", "unit_amount": 500, "product": product}).id
    owner = customer(api, method=None)
    made = session(api, price(api, 1_500), once, customer=owner)
    confirm(server, made)

    server.control("POST", "clock", {"advance_s": 32 * DAY})

    totals = [row.total for row in api.v1.invoices.list({"customer": owner}).data]
    assert (made["amount_total"], totals) == (2_000, [1_500, 2_000])


@covers("subscriptions.billing-mode")
def test_the_billing_mode_follows_the_version_of_the_session(server: CheckedServer, api: stripe.StripeClient) -> None:
    older = server.client(version=ACACIA)
    old, new = session(older, price(api, 1_500)), session(api, price(api, 1_500))

    modes = []
    for made in (old, new):
        confirm(server, made)
        modes.append(shown(api, made, "subscription")["subscription"]["billing_mode"]["type"])

    assert modes == ["classic", "flexible"]


def test_the_hosted_page_subscribes(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = session(api, price(api, 1_500))
    path = made["url"].removeprefix(server.url)
    assert b"Subscribe" in server.handle(Request("GET", path)).body
    form = {"email": "ada@example.com", "number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}

    answer = server.handle(Request("POST", path, {}, urlencode({"method": "card", **form}).encode()))

    assert (answer.status, answer.headers["Location"]) == (303, "https://shop.example/done")
    assert shown(api, made, "subscription")["subscription"]["status"] == "active"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"line_items": []}, "line_items"),
        ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
        ({"customer_creation": "always"}, "customer_creation"),
        ({"subscription_data": {"trial_end": 5}}, "trial_end"),
        ({"subscription_data": {"application_fee_percent": 5}}, "subscription_data[application_fee_percent]"),
    ],
)
def test_what_does_not_fit_a_subscription_is_refused_by_name(
    api: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        session(api, price(api, 1_500), **params)

    assert refused.value.param == param


def test_a_subscription_needs_a_recurring_price(api: stripe.StripeClient) -> None:
    product = api.v1.products.create({"name": "Setup"}).id
    once = api.v1.prices.create({"currency": "usd", "unit_amount": 500, "product": product}).id

    with pytest.raises(stripe.InvalidRequestError, match="at least one recurring price"):
        session(api, once)
