"""Discounts of customers, invoices, items and checkout sessions, and what they take off."""

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.billing import customer, draft, opened, shown
from sandbox.harness import KEY, CheckedServer, code_of

DAY = 86_400


def discounted(server: CheckedServer, coupon: str, **more: Any) -> stripe.Customer:
    """A customer who has a coupon; newer versions have no parameter for it."""
    return customer(server.client(version=ACACIA), coupon=coupon, **more)


def taken_off(invoice: Any) -> list[int]:
    return [part["amount"] for part in invoice["total_discount_amounts"]]


def test_a_customers_discount_is_told_and_taken_away(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": "forever"})
    owner = discounted(server, coupon.id, method=None)

    older = server.client(version=ACACIA).v1.customers.retrieve(owner.id).to_dict()["discount"]
    newest = api.v1.customers.retrieve(owner.id).to_dict()["discount"]
    assert (older["coupon"]["id"], "source" in older) == (coupon.id, False)
    assert (newest["source"], "coupon" in newest) == ({"coupon": coupon.id, "type": "coupon"}, False)
    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 1
    gone = api.v1.customers.delete_discount(owner.id)

    assert (gone.to_dict()["deleted"], gone.id) == (True, newest["id"])
    assert api.v1.customers.retrieve(owner.id).discount is None
    assert [name for name in server.event_types() if "discount" in name] == [
        "customer.discount.created",
        "customer.discount.deleted",
    ]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.delete_discount(owner.id)
    assert refusal.value.http_status == 404


def test_the_coupon_of_a_customers_discount_is_expanded_where_there_is_one(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": "forever"})
    owner, bare = discounted(server, coupon.id, method=None), customer(api, method=None)
    expand = ["discount.source.coupon"]

    whole = api.v1.customers.retrieve(owner.id, {"expand": expand}).to_dict()

    assert whole["discount"]["source"]["coupon"]["percent_off"] == 20.0
    assert api.v1.customers.retrieve(bare.id, {"expand": expand}).discount is None
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        api.v1.customers.retrieve(bare.id, {"expand": ["nothing.like.this"]})


def test_another_coupon_replaces_a_customers_discount(server: CheckedServer, api: stripe.StripeClient) -> None:
    first = api.v1.coupons.create({"percent_off": 20})
    second = api.v1.coupons.create({"percent_off": 30})
    owner = discounted(server, first.id, method=None)

    params: Any = {"coupon": second.id}
    changed = server.client(version=ACACIA).v1.customers.update(owner.id, params).to_dict()

    assert changed["discount"]["coupon"]["id"] == second.id
    event = api.v1.events.list({"type": "customer.discount.updated"}).data[0].to_dict()
    assert event["data"]["previous_attributes"]["source"] == {"coupon": first.id}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.update(owner.id, params)
    assert code_of(refusal.value) == "parameter_unknown"


@pytest.mark.parametrize(("duration", "second"), [("once", 1_000), ("forever", 800)])
def test_an_invoice_inherits_its_customers_discount(
    server: CheckedServer, api: stripe.StripeClient, duration: str, second: int
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": duration})
    owner = discounted(server, coupon.id)

    first = opened(api, owner.id, 1_000)
    later = opened(api, owner.id, 1_000)
    bare = draft(api, owner.id, 1_000, discounts="")

    assert (first.subtotal, first.total, first.amount_due) == (1_000, 800, 800)
    assert later.total == second
    assert bare.total == 1_000


def test_a_repeating_discount_ends_after_its_months(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": "repeating", "duration_in_months": 2})
    owner = discounted(server, coupon.id)
    assert opened(api, owner.id, 1_000).total == 800

    clock.step(63 * DAY)

    assert opened(api, owner.id, 1_000).total == 1_000
    assert api.v1.customers.retrieve(owner.id).discount is None
    assert "customer.discount.deleted" in server.event_types()


def test_a_coupon_for_one_invoice_waits_for_one_that_it_can_lower(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": "once"})
    owner = discounted(server, coupon.id)

    nothing, first, second = (opened(api, owner.id, *amounts) for amounts in ((), (1_000,), (1_000,)))

    assert [one.total for one in (nothing, first, second)] == [0, 800, 1_000]


def test_a_discount_of_one_invoice_ends_with_nobody_being_told(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 20, "duration": "repeating", "duration_in_months": 1})
    owner = customer(api)
    invoice = opened(api, owner.id, 1_000, discounts=[{"coupon": coupon.id}])

    clock.step(40 * DAY)

    assert "customer.discount.deleted" not in server.event_types()
    assert shown(api, invoice.id, "discounts")["discounts"][0]["invoice"] == invoice.id


def test_item_discounts_come_before_those_of_the_invoice(api: stripe.StripeClient) -> None:
    owner = customer(api)
    half = api.v1.coupons.create({"percent_off": 50})
    ten = api.v1.coupons.create({"amount_off": 100, "currency": "usd"})
    tenth = api.v1.coupons.create({"percent_off": 10})
    invoice = draft(api, owner.id, discounts=[{"coupon": ten.id}, {"coupon": tenth.id}])
    for amount, own in ((1_000, [{"coupon": half.id}]), (500, [])):
        params: Any = {"customer": owner.id, "invoice": invoice.id, "amount": amount, "discounts": own}
        api.v1.invoice_items.create(params)

    made = shown(api, invoice.id)

    assert (made["subtotal"], made["total"]) == (1_000, 810)
    assert taken_off(made) == [500, 100, 90]
    assert [sum(part["amount"] for part in line["discount_amounts"]) for line in made["lines"]["data"]] == [595, 95]
    assert [len(line["discounts"]) for line in made["lines"]["data"]] == [1, 0]
    assert len(made["discounts"]) == 2


def test_a_discount_names_what_it_is_on_and_can_be_expanded(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    half = api.v1.coupons.create({"percent_off": 50})
    invoice = opened(api, owner.id, 1_000, discounts=[{"coupon": half.id}])

    newest = shown(api, invoice.id, "discounts.source.coupon", "lines.data.discount_amounts.discount")
    client = server.client(version=ACACIA)
    older = client.v1.invoices.retrieve(invoice.id, {"expand": ["total_discount_amounts.discount"]}).to_dict()

    discount = newest["discounts"][0]
    assert (discount["invoice"], discount["customer"]) == (invoice.id, owner.id)
    assert discount["source"]["coupon"]["percent_off"] == 50.0
    assert newest["lines"]["data"][0]["discount_amounts"][0]["discount"]["id"] == discount["id"]
    assert older["total_discount_amounts"][0]["discount"]["coupon"]["id"] == half.id
    assert older["discount"]["id"] == discount["id"]


def test_a_coupon_for_a_product_leaves_others_alone(api: stripe.StripeClient) -> None:
    owner = customer(api)
    price = api.v1.prices.create({"currency": "usd", "unit_amount": 700, "product_data": {"name": "tea"}})
    coupon = api.v1.coupons.create({"percent_off": 50, "applies_to": {"products": [str(price.product)]}})
    invoice = draft(api, owner.id, 1_000, discounts=[{"coupon": coupon.id}])

    api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "pricing": {"price": price.id}})

    assert (shown(api, invoice.id)["total"], taken_off(shown(api, invoice.id))) == (1_350, [350])


def test_what_is_not_discountable_keeps_its_price(api: stripe.StripeClient) -> None:
    owner = customer(api)
    coupon = api.v1.coupons.create({"percent_off": 50})
    invoice = draft(api, owner.id, 1_000, -200, discounts=[{"coupon": coupon.id}])

    api.v1.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": 300, "discountable": False})

    assert (shown(api, invoice.id)["subtotal"], shown(api, invoice.id)["total"]) == (1_100, 600)


def test_a_draft_is_given_other_discounts_and_an_open_invoice_is_not(api: stripe.StripeClient) -> None:
    owner = customer(api)
    half, ten = api.v1.coupons.create({"percent_off": 50}), api.v1.coupons.create({"percent_off": 10})
    invoice = draft(api, owner.id, 1_000, discounts=[{"coupon": half.id}])
    kept = str(invoice.discounts[0])

    both = api.v1.invoices.update(invoice.id, {"discounts": [{"discount": kept}, {"coupon": ten.id}]})
    assert (both.total, both.discounts[0]) == (450, kept)
    none = api.v1.invoices.update(invoice.id, {"discounts": ""})
    assert (none.total, none.discounts) == (1_000, [])
    api.v1.invoices.finalize_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.invoices.update(invoice.id, {"discounts": [{"coupon": ten.id}]})
    assert code_of(refusal.value) == "invoice_not_editable"


def test_everything_off_is_paid_when_finalized_without_a_payment(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    coupon = api.v1.coupons.create({"percent_off": 100})

    invoice = opened(api, owner.id, 5_000, discounts=[{"coupon": coupon.id}])

    assert (invoice.status, invoice.amount_due, invoice.amount_paid, invoice.total) == ("paid", 0, 0, 0)
    assert server.journal("payment_intent", "charge") == []
    assert api.v1.invoice_payments.list({"invoice": invoice.id}).data == []
    assert server.event_types()[-2:] == ["invoice.paid", "invoice.payment_succeeded"]


def test_a_fixed_amount_never_takes_more_than_there_is_and_only_in_its_currency(api: stripe.StripeClient) -> None:
    owner = customer(api)
    large = api.v1.coupons.create({"amount_off": 9_000, "currency": "usd"})
    euros = api.v1.coupons.create({"amount_off": 100, "currency": "eur"})

    invoice = draft(api, owner.id, 1_000, 333, discounts=[{"coupon": large.id}])

    assert (invoice.total, taken_off(invoice.to_dict())) == (0, [1_333])
    with pytest.raises(stripe.InvalidRequestError, match="eur"):
        api.v1.invoices.create({"customer": owner.id, "currency": "usd", "discounts": [{"coupon": euros.id}]})


ITEM: dict[str, Any] = {
    "price_data": {"currency": "usd", "unit_amount": 1_000, "product_data": {"name": "tea"}},
    "quantity": 2,
}


def session_of(api: stripe.StripeClient, **more: Any) -> stripe.checkout.Session:
    params: dict[str, Any] = {"mode": "payment", "line_items": [ITEM], "success_url": "https://shop.example/", **more}
    return api.v1.checkout.sessions.create(params)  # type: ignore[arg-type]


def test_a_session_is_discounted_and_its_coupon_counts_when_it_is_paid(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    coupon = api.v1.coupons.create({"percent_off": 25})
    session = session_of(api, discounts=[{"coupon": coupon.id}])
    expand = ["total_details.breakdown", "line_items.data.discounts"]
    whole = api.v1.checkout.sessions.retrieve(session.id, {"expand": expand}).to_dict()

    assert (whole["amount_subtotal"], whole["amount_total"]) == (2_000, 1_500)
    assert whole["discounts"] == [{"coupon": coupon.id, "promotion_code": None}]
    assert whole["total_details"]["breakdown"]["discounts"][0]["amount"] == 500
    item = whole["line_items"]["data"][0]
    assert (item["amount_discount"], item["amount_total"], item["discounts"][0]["amount"]) == (500, 1_500, 500)
    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 0

    pay(server, session.id, payment_method="pm_card_visa")

    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 1
    assert [line["amount"] for line in server.journal("charge")] == [1_500]


def test_a_customer_types_a_code_in_on_the_page(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"amount_off": 500, "currency": "usd"})
    code = api.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "TEA5"})
    session = session_of(api, allow_promotion_codes=True)

    wrong = page(server, session.id, act="apply", promotion_code="COFFEE")
    right = page(server, session.id, act="apply", promotion_code="tea5")

    assert 'role="alert">This code is invalid.' in wrong
    assert "Discount: -$5.00" in right
    assert "Pay $15.00 USD" in right
    shown_now = api.v1.checkout.sessions.retrieve(session.id).to_dict()
    assert (shown_now["amount_total"], shown_now["discounts"][0]["promotion_code"]) == (1_500, code.id)
    pay(server, session.id, payment_method="pm_card_visa", expected_amount="1500")
    assert api.v1.promotion_codes.retrieve(code.id).times_redeemed == 1


def test_a_session_with_everything_off_needs_no_payment(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 100})
    session = session_of(api, discounts=[{"coupon": coupon.id}])

    pay(server, session.id)

    done = api.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status, done.payment_intent) == ("complete", "no_payment_required", None)


def test_a_session_takes_one_discount_or_codes_and_not_both(api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 10})
    given = {"coupon": coupon.id}

    for more, words in (
        ({"discounts": [given, given]}, "only specify one discount"),
        ({"discounts": [given], "allow_promotion_codes": True}, "allow_promotion_codes, discounts"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            session_of(api, **more)


def pay(server: CheckedServer, session: str, **form: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    path = f"/v1/payment_pages/{session}/confirm"
    assert server.handle(Request("POST", path, headers, urlencode(form).encode())).status == 200


def page(server: CheckedServer, session: str, **form: str) -> str:
    reply = server.handle(Request("POST", f"/_sandbox/checkout/{session}", {}, urlencode(form).encode()))
    return reply.body.decode()
