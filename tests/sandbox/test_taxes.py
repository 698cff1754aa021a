"""Tax rates on items, invoices and checkout sessions, added to amounts or inside them."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from sandbox.billing import customer, draft, shown
from sandbox.harness import CheckedServer


def rate(api: stripe.StripeClient, percentage: float, inclusive: bool = False) -> stripe.TaxRate:
    return api.v1.tax_rates.create({"display_name": "VAT", "percentage": percentage, "inclusive": inclusive})


def billed(api: stripe.StripeClient, owner: str, *items: tuple[int, list[str]], **more: Any) -> Any:
    invoice = draft(api, owner, **more)
    for amount, rates in items:
        api.v1.invoice_items.create(
            {"customer": owner, "invoice": invoice.id, "amount": amount, "currency": "usd", "tax_rates": rates}
        )
    return shown(api, invoice.id)


def test_a_tax_rate_is_made_changed_and_listed(server: CheckedServer, api: stripe.StripeClient) -> None:
    vat = api.v1.tax_rates.create(
        {"display_name": "VAT", "percentage": 19.5, "inclusive": False, "country": "DE", "tax_type": "vat"}
    )
    off = rate(api, 7, inclusive=True)
    changed = api.v1.tax_rates.update(off.id, {"active": False, "description": "old"})

    assert (vat.percentage, vat.effective_percentage, vat.country, vat.active) == (19.5, 19.5, "DE", True)
    assert (changed.active, changed.description) == (False, "old")
    assert [one.id for one in api.v1.tax_rates.list({"active": True}).data] == [vat.id]
    assert [one.id for one in api.v1.tax_rates.list({"inclusive": True}).data] == [off.id]
    assert server.event_types() == ["tax_rate.created", "tax_rate.created", "tax_rate.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="between 0 and 100"):
        rate(api, 101)


def test_an_exclusive_rate_is_added_and_rounded_for_each_line(server: CheckedServer, api: stripe.StripeClient) -> None:
    """15 % of 0.43 and of 4.84 are 0.06 and 0.73, as in Stripe's own example of its rounding."""
    owner, tax = customer(api), rate(api, 15)

    invoice = billed(api, owner.id, (43, [tax.id]), (484, [tax.id]))

    assert (invoice["subtotal"], invoice["total"]) == (527, 606)
    assert (invoice["subtotal_excluding_tax"], invoice["total_excluding_tax"]) == (527, 527)
    assert invoice["total_taxes"] == [
        {
            "amount": 79,
            "tax_behavior": "exclusive",
            "tax_rate_details": {"tax_rate": tax.id},
            "taxability_reason": "not_available",
            "taxable_amount": 527,
            "type": "tax_rate_details",
        }
    ]
    assert [line["taxes"][0]["amount"] for line in invoice["lines"]["data"]] == [6, 73]
    older = server.client(version=ACACIA).v1.invoices.retrieve(invoice["id"]).to_dict()
    assert (older["tax"], older["total_tax_amounts"][0]["tax_rate"]) == (79, tax.id)
    assert [line["tax_rates"][0]["percentage"] for line in older["lines"]["data"]] == [15.0, 15.0]


def test_an_inclusive_rate_is_inside_the_amount(api: stripe.StripeClient) -> None:
    owner, tax = customer(api), rate(api, 19, inclusive=True)

    invoice = billed(api, owner.id, (1_190, [tax.id]))

    assert (invoice["subtotal"], invoice["total"], invoice["total_excluding_tax"]) == (1_190, 1_190, 1_000)
    assert (invoice["total_taxes"][0]["amount"], invoice["total_taxes"][0]["taxable_amount"]) == (190, 1_000)


def test_tax_is_on_what_discounts_leave(api: stripe.StripeClient) -> None:
    owner, tax = customer(api), rate(api, 10)
    coupon = api.v1.coupons.create({"percent_off": 50})

    invoice = billed(api, owner.id, (1_000, [tax.id]), discounts=[{"coupon": coupon.id}])

    assert (invoice["subtotal"], invoice["total_excluding_tax"], invoice["total"]) == (1_000, 500, 550)


def test_default_rates_are_for_lines_without_their_own(api: stripe.StripeClient) -> None:
    owner, usual, special = customer(api), rate(api, 20), rate(api, 5)
    invoice = billed(api, owner.id, (1_000, []), (1_000, [special.id]), default_tax_rates=[usual.id])

    assert invoice["default_tax_rates"][0]["id"] == usual.id
    assert [line["taxes"][0]["amount"] for line in invoice["lines"]["data"]] == [200, 50]
    updated = api.v1.invoices.update(invoice["id"], {"default_tax_rates": ""})
    assert updated.total == 2_050


def test_several_rates_add_up(api: stripe.StripeClient) -> None:
    owner, gst, pst = customer(api), rate(api, 5), rate(api, 7)

    invoice = billed(api, owner.id, (1_000, [gst.id, pst.id]))

    assert [tax["amount"] for tax in invoice["total_taxes"]] == [50, 70]
    assert invoice["total"] == 1_120


@pytest.mark.parametrize(("exempt", "reason"), [("exempt", "customer_exempt"), ("reverse", "reverse_charge")])
def test_an_exempt_customer_pays_no_tax(api: stripe.StripeClient, exempt: str, reason: str) -> None:
    owner, tax = customer(api, tax_exempt=exempt), rate(api, 20)

    invoice = billed(api, owner.id, (1_000, [tax.id]))

    assert (invoice["total"], invoice["total_taxes"][0]["amount"]) == (1_000, 0)
    assert invoice["total_taxes"][0]["taxability_reason"] == reason


def test_the_rate_of_a_tax_can_be_expanded(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner, tax = customer(api), rate(api, 20)
    invoice = billed(api, owner.id, (1_000, [tax.id]))

    newest = shown(api, invoice["id"], "total_taxes.tax_rate_details.tax_rate")
    older = server.client(version=ACACIA).v1.invoices.retrieve(
        invoice["id"], {"expand": ["total_tax_amounts.tax_rate"]}
    )

    assert newest["total_taxes"][0]["tax_rate_details"]["tax_rate"]["percentage"] == 20.0
    assert older.to_dict()["total_tax_amounts"][0]["tax_rate"]["percentage"] == 20.0


def test_what_cant_be_a_rate_here_is_refused(api: stripe.StripeClient) -> None:
    owner = customer(api)
    inside, outside, old = rate(api, 5, inclusive=True), rate(api, 5), rate(api, 5)
    api.v1.tax_rates.update(old.id, {"active": False})

    for rates, words in (
        ([inside.id, outside.id], "mix inclusive and exclusive"),
        ([old.id], "inactive"),
        ([outside.id] * 6, "at most 5"),
        (["txr_none"], "No such tax rate"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            billed(api, owner.id, (1_000, rates))


def test_automatic_tax_is_refused_loudly(api: stripe.StripeClient) -> None:
    owner = customer(api)

    with pytest.raises(stripe.InvalidRequestError, match="does not cover automatic tax"):
        api.v1.invoices.create({"customer": owner.id, "automatic_tax": {"enabled": True}})
    with pytest.raises(stripe.InvalidRequestError, match="does not cover automatic_tax"):
        api.v1.checkout.sessions.create(
            {"mode": "payment", "automatic_tax": {"enabled": True}, "success_url": "https://shop.example/"}
        )


def test_a_session_adds_the_tax_of_its_items(api: stripe.StripeClient) -> None:
    tax = rate(api, 10)
    session = api.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "success_url": "https://shop.example/",
            "line_items": [
                {
                    "price_data": {"currency": "usd", "unit_amount": 1_000, "product_data": {"name": "tea"}},
                    "quantity": 1,
                    "tax_rates": [tax.id],
                }
            ],
        }
    )
    items = api.v1.checkout.sessions.line_items.list(session.id, {"expand": ["data.taxes"]}).data[0].to_dict()

    assert (session.amount_subtotal, session.amount_total) == (1_000, 1_100)
    assert session.total_details is not None
    assert session.total_details.amount_tax == 100
    assert (items["amount_tax"], items["taxes"][0]["rate"]["id"]) == (100, tax.id)
