"""Previews of invoices with items and discounts that do not exist, and of what waits without a subscription."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from sandbox.harness import CheckedServer, code_of
from sandbox.recurring import customer, price, subscribed


def preview(api: stripe.StripeClient, **given: Any) -> Any:
    params: Any = given
    return api.v1.invoices.create_preview(params).to_dict()


def test_items_are_previewed_with_a_renewal_and_none_is_made(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    made = subscribed(api, owner, price(api, 1_000))
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    events = len(server.event_types())

    seen = preview(
        api,
        subscription=made["id"],
        invoice_items=[{"amount": 500, "currency": "usd", "description": "set-up", "tax_rates": [vat.id]}],
    )

    assert (seen["subtotal"], seen["total"]) == (1_500, 1_550)
    assert sorted(line["amount"] for line in seen["lines"]["data"]) == [500, 1_000]
    assert (api.v1.invoice_items.list().data, len(server.event_types())) == ([], events)


def test_a_discount_is_previewed_without_being_redeemed(api: stripe.StripeClient) -> None:
    owner = customer(api)
    own = api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    other = api.v1.coupons.create({"percent_off": 50, "max_redemptions": 1})
    made = subscribed(api, owner, price(api, 1_000), discounts=[{"coupon": own.id}])

    inherits = preview(api, subscription=made["id"])
    half = preview(api, subscription=made["id"], discounts=[{"coupon": other.id}])
    none = preview(api, subscription=made["id"], discounts="")

    assert (inherits["total"], half["total"], none["total"]) == (900, 500, 1_000)
    assert api.v1.coupons.retrieve(other.id).times_redeemed == 0
    assert len(api.v1.subscriptions.retrieve(made["id"]).discounts) == 1


def test_what_waits_for_a_customer_is_previewed_without_a_subscription(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    with pytest.raises(stripe.InvalidRequestError) as nothing:
        preview(api, customer=owner)
    api.v1.invoice_items.create({"customer": owner, "amount": 700, "currency": "usd"})

    seen = preview(api, customer=owner, invoice_items=[{"amount": 300, "currency": "usd"}])

    assert code_of(nothing.value) == "invoice_upcoming_none"
    assert (seen["total"], seen["status"], seen["parent"], seen["id"][:9]) == (1_000, "draft", None, "upcoming_")
    older = server.client(version=ACACIA).v1.invoices.create_preview({"customer": owner}).to_dict()
    assert (older["total"], older["subscription"]) == (700, None)
    assert api.v1.invoices.list().data == []


def test_a_preview_names_items_by_price(api: stripe.StripeClient) -> None:
    owner = customer(api)
    once = api.v1.prices.create({"currency": "usd", "unit_amount": 250, "product_data": {"name": "tea"}})

    seen = preview(api, customer=owner, invoice_items=[{"price": once.id, "quantity": 3}])

    assert (seen["total"], seen["lines"]["data"][0]["quantity"]) == (750, 3)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        preview(api, invoice_items=[{"amount": 5, "currency": "usd"}])
    assert code_of(refusal.value) == "parameter_missing"
