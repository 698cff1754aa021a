"""A checkout session that leaves an invoice: of what was sold, paid by the session's own payment."""

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.billing import shown
from sandbox.harness import KEY, CheckedServer

DAY = 86_400
ITEM: dict[str, Any] = {
    "price_data": {"currency": "usd", "unit_amount": 1_000, "product_data": {"name": "tea"}},
    "quantity": 2,
}


def session_of(api: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    params: dict[str, Any] = {
        "mode": "payment",
        "line_items": [ITEM],
        "success_url": "https://shop.example/",
        "invoice_creation": {"enabled": True, "invoice_data": {"description": "Thanks", "metadata": {"a": "b"}}},
        **more,
    }
    return api.v1.checkout.sessions.create(params)  # type: ignore[arg-type]


def pay(server: CheckedServer, session: str, **form: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    path = f"/v1/payment_pages/{session}/confirm"
    assert server.handle(Request("POST", path, headers, urlencode(form).encode())).status == 200


def test_a_paid_session_leaves_a_paid_invoice(server: CheckedServer, api: stripe.StripeClient) -> None:
    vat = api.v1.tax_rates.create({"display_name": "VAT", "percentage": 10, "inclusive": False})
    half = api.v1.coupons.create({"percent_off": 50})
    items = [{**ITEM, "tax_rates": [vat.id]}]
    session = session_of(api, line_items=items, discounts=[{"coupon": half.id}], customer_email="ada@example.com")
    assert (session.customer_creation, session.invoice) == ("always", None)

    pay(server, session.id, payment_method="pm_card_visa")

    done = api.v1.checkout.sessions.retrieve(session.id)
    invoice = shown(api, str(done.invoice), "payments")
    assert (invoice["status"], invoice["total"], invoice["amount_paid"]) == ("paid", 1_100, 1_100)
    assert (invoice["customer"], invoice["description"], invoice["metadata"]) == (done.customer, "Thanks", {"a": "b"})
    assert invoice["lines"]["data"][0]["description"] == "tea"
    assert [row["payment"]["payment_intent"] for row in invoice["payments"]["data"]] == [done.payment_intent]
    assert [line["amount"] for line in server.journal("charge")] == [1_100]
    assert server.event_types()[-4:] == [
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "checkout.session.completed",
    ]
    older = server.client(version=ACACIA)
    assert older.v1.payment_intents.retrieve(str(done.payment_intent)).to_dict()["invoice"] == invoice["id"]
    assert api.v1.coupons.retrieve(half.id).times_redeemed == 1


def test_a_customers_balance_is_no_part_of_a_session(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = api.v1.customers.create({"email": "ada@example.com", "balance": -500})
    session = session_of(api, customer=owner.id)

    pay(server, session.id, payment_method="pm_card_visa")

    invoice = shown(api, str(api.v1.checkout.sessions.retrieve(session.id).invoice))
    assert (invoice["amount_due"], invoice["starting_balance"], invoice["ending_balance"]) == (2_000, 0, 0)
    assert api.v1.customers.retrieve(owner.id).balance == -500


def test_a_free_session_leaves_an_invoice_of_nothing(server: CheckedServer, api: stripe.StripeClient) -> None:
    whole = api.v1.coupons.create({"percent_off": 100})
    session = session_of(api, discounts=[{"coupon": whole.id}], customer_email="ada@example.com")

    pay(server, session.id)

    invoice = shown(api, str(api.v1.checkout.sessions.retrieve(session.id).invoice))
    assert (invoice["status"], invoice["total"], invoice["customer_email"]) == ("paid", 0, "ada@example.com")


def test_a_bank_debit_leaves_its_invoice_when_it_settles(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    session = session_of(api, customer_email="ada@example.com")
    pay(server, session.id, payment_method="pm_usBankAccount_success")
    assert api.v1.checkout.sessions.retrieve(session.id).invoice is None

    clock.step(5 * DAY)

    done = api.v1.checkout.sessions.retrieve(session.id)
    assert (done.payment_status, shown(api, str(done.invoice))["status"]) == ("paid", "paid")


def test_only_a_payment_leaves_an_invoice(server: CheckedServer, api: stripe.StripeClient) -> None:
    bare = session_of(api, invoice_creation={"enabled": False})
    pay(server, bare.id, payment_method="pm_card_visa")

    assert api.v1.checkout.sessions.retrieve(bare.id).invoice is None
    with pytest.raises(stripe.InvalidRequestError, match="when `mode` is set to `payment`"):
        session_of(api, mode="setup", currency="usd", line_items=[])
