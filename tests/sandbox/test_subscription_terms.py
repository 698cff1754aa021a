"""Discounts and tax rates of subscriptions and their items, on the first invoice and on those that follow."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.harness import KEY, CheckedServer, code_of
from sandbox.recurring import DAY, HOUR, TimeMachine, customer, price, subscribed

APRIL = int(datetime(2026, 4, 1, tzinfo=UTC).timestamp())
"""The start of a month of thirty days."""


def totals(api: stripe.StripeClient, subscription: str) -> list[int]:
    """What each invoice of a subscription came to, oldest first."""
    return [one.total for one in reversed(api.v1.invoices.list({"subscription": subscription}).data)]


def renewed(clock: SteppingClock) -> None:
    clock.step(32 * DAY)


@pytest.mark.parametrize(
    ("coupon", "second"),
    [
        ({"percent_off": 20, "duration": "once"}, 1_000),
        ({"percent_off": 20, "duration": "forever"}, 800),
        ({"amount_off": 300, "currency": "usd", "duration": "forever"}, 700),
    ],
)
def test_a_subscription_is_discounted_as_long_as_its_coupon_says(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock, coupon: dict[str, Any], second: int
) -> None:
    given = api.v1.coupons.create(coupon)  # type: ignore[arg-type]
    made = subscribed(api, customer(api), price(api, 1_000), discounts=[{"coupon": given.id}])
    assert len(made["discounts"]) == 1 or coupon["duration"] == "once"

    renewed(clock)

    first = 800 if "percent_off" in coupon else 700
    assert totals(api, made["id"]) == [first, second]
    assert "customer.discount.created" in server.event_types()
    left = api.v1.subscriptions.retrieve(made["id"]).to_dict()["discounts"]
    assert len(left) == (0 if coupon["duration"] == "once" else 1)
    assert api.v1.coupons.retrieve(given.id).times_redeemed == 1


def test_a_coupon_for_some_months_ends(api: stripe.StripeClient, clock: SteppingClock) -> None:
    coupon = api.v1.coupons.create({"percent_off": 50, "duration": "repeating", "duration_in_months": 2})
    made = subscribed(api, customer(api), price(api, 1_000), discounts=[{"coupon": coupon.id}])

    for _ in range(3):
        renewed(clock)

    assert totals(api, made["id"]) == [500, 500, 1_000, 1_000]


def test_everything_off_makes_a_subscription_active_without_a_payment(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 100, "duration": "forever"})

    made = subscribed(api, customer(api), price(api, 1_000), discounts=[{"coupon": coupon.id}])

    assert (made["status"], totals(api, made["id"]), server.journal("charge")) == ("active", [0], [])


def test_a_subscription_that_is_refused_redeems_nothing(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "max_redemptions": 1})
    events = len(server.event_types())

    with pytest.raises(stripe.InvalidRequestError):
        subscribed(api, customer(api, method=None), price(api, 1_000), discounts=[{"coupon": coupon.id}])

    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 0
    assert "customer.discount.created" not in server.event_types()[events:]


def test_the_discount_of_a_customer_counts_unless_the_subscription_has_one(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    half = api.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    tenth = api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    owner = customer(api)
    params: Any = {"coupon": half.id}
    server.client(version=ACACIA).v1.customers.update(owner, params)

    inherits = subscribed(api, owner, price(api, 1_000))
    own = subscribed(api, owner, price(api, 1_000), discounts=[{"coupon": tenth.id}])

    assert (totals(api, inherits["id"]), totals(api, own["id"])) == ([500], [900])
    assert inherits["discounts"] == []


def test_older_versions_name_one_coupon_and_show_the_discount(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    older = server.client(version=ACACIA)
    owner = customer(api)

    made = subscribed(older, owner, price(api, 1_000), coupon=coupon.id)

    assert made["discount"]["coupon"]["id"] == coupon.id
    newest = api.v1.subscriptions.retrieve(made["id"], {"expand": ["discounts.source.coupon"]}).to_dict()
    assert newest["discounts"][0]["source"]["coupon"]["percent_off"] == 10.0
    assert newest["discounts"][0]["subscription"] == made["id"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        subscribed(api, owner, price(api, 1_000), coupon=coupon.id)
    assert code_of(refusal.value) == "parameter_unknown"


def test_a_subscription_is_given_other_discounts(server: CheckedServer, api: stripe.StripeClient) -> None:
    first = api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    second = api.v1.coupons.create({"percent_off": 20, "duration": "forever"})
    made = subscribed(api, customer(api), price(api, 1_000), discounts=[{"coupon": first.id}])
    kept = made["discounts"][0]

    both = api.v1.subscriptions.update(made["id"], {"discounts": [{"discount": kept}, {"coupon": second.id}]})
    none = api.v1.subscriptions.update(made["id"], {"discounts": ""})

    assert (both.discounts[0], len(both.discounts), none.discounts) == (kept, 2, [])
    assert server.event_types().count("customer.discount.deleted") == 2


def test_the_discount_of_a_subscription_is_taken_away(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    made = subscribed(api, customer(api), price(api, 1_000), discounts=[{"coupon": coupon.id}])

    gone = api.v1.subscriptions.delete_discount(made["id"])

    assert (gone.to_dict()["deleted"], gone.id) == (True, made["discounts"][0])
    assert api.v1.subscriptions.retrieve(made["id"]).discounts == []
    assert server.event_types()[-2:] == ["customer.discount.deleted", "customer.subscription.updated"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.subscriptions.delete_discount(made["id"])
    assert refusal.value.http_status == 404


def test_items_have_their_own_discounts_and_taxes(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    half = api.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    usual = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    params: Any = {
        "customer": customer(api),
        "default_tax_rates": [usual.id],
        "items": [
            {"price": price(api, 1_000), "discounts": [{"coupon": half.id}], "tax_rates": [vat.id]},
            {"price": price(api, 400)},
        ],
    }
    made = api.v1.subscriptions.create(params).to_dict()

    renewed(clock)

    assert totals(api, made["id"]) == [550 + 480, 550 + 480]
    assert made["default_tax_rates"][0]["id"] == usual.id
    assert (made["items"]["data"][0]["tax_rates"][0]["id"], len(made["items"]["data"][0]["discounts"])) == (vat.id, 1)


@pytest.mark.parametrize("mode", ["classic", "flexible"])
@pytest.mark.parametrize(("duration", "charged"), [("forever", 2_000), ("once", 4_000)])
def test_prorations_contain_the_discount_of_their_time(
    api: stripe.StripeClient, clock: SteppingClock, mode: str, duration: str, charged: int
) -> None:
    """A third of April is over: what was paid for the rest was half of 20.00."""
    machine = TimeMachine(api, clock, APRIL)
    half = api.v1.coupons.create({"percent_off": 50, "duration": duration})
    owner = customer(api, test_clock=machine.id)
    given: dict[str, Any] = {"billing_mode": {"type": mode}, "discounts": [{"coupon": half.id}]}
    made = subscribed(api, owner, price(api, 3_000), **given)
    dearer = price(api, 6_000)
    machine.go(APRIL + 10 * DAY)

    item = made["items"]["data"][0]["id"]
    api.v1.subscriptions.update(made["id"], {"items": [{"id": item, "price": dearer}]})
    machine.go(APRIL + 20 * DAY)
    again = price(api, 3_000)
    api.v1.subscriptions.update(made["id"], {"items": [{"id": item, "price": again}]})

    waiting = [row.amount for row in reversed(api.v1.invoice_items.list({"pending": True}).data)]
    assert waiting == [-1_000, charged, -charged // 2, charged // 4]
    machine.go(APRIL + 30 * DAY + HOUR)
    # The renewal itself is discounted once more, where the coupon lasts; what is in the prorations is not.
    renewal = 1_500 if duration == "forever" else 3_000
    assert totals(api, made["id"]) == [1_500, sum(waiting) + renewal]


@pytest.mark.parametrize(
    ("coupon", "words"),
    [
        ({"amount_off": 100, "currency": "usd", "duration": "forever"}, "not a percentage"),
        ({"percent_off": 10, "duration": "once"}, "for one invoice only"),
    ],
)
def test_prorations_of_discounts_that_are_not_modelled_are_refused(
    api: stripe.StripeClient, coupon: dict[str, Any], words: str
) -> None:
    made = subscribed(api, customer(api), price(api, 1_000))
    item = made["items"]["data"][0]["id"]
    given = api.v1.coupons.create(coupon)  # type: ignore[arg-type]
    api.v1.subscriptions.update(made["id"], {"discounts": [{"coupon": given.id}]})

    with pytest.raises(stripe.InvalidRequestError, match=words):
        api.v1.subscriptions.update(made["id"], {"items": [{"id": item, "quantity": 2}]})
    changed = api.v1.subscriptions.update(
        made["id"], {"items": [{"id": item, "quantity": 2}], "proration_behavior": "none"}
    )

    assert changed.to_dict()["items"]["data"][0]["quantity"] == 2


def test_a_session_sells_a_discounted_subscription(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 25, "duration": "forever"})
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    session = api.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer(api),
            "line_items": [{"price": price(api, 2_000), "quantity": 1, "tax_rates": [vat.id]}],
            "discounts": [{"coupon": coupon.id}],
            "success_url": "https://shop.example/",
        }
    )
    assert (session.amount_subtotal, session.amount_total) == (2_000, 1_650)

    form = urlencode({"payment_method": "pm_card_visa"}).encode()
    headers = {"Authorization": f"Bearer {KEY}"}
    paid = server.handle(Request("POST", f"/v1/payment_pages/{session.id}/confirm", headers, form))

    assert paid.status == 200
    sold = str(api.v1.checkout.sessions.retrieve(session.id).subscription)
    renewed(clock)
    assert totals(api, sold) == [1_650, 1_650]
    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 1
