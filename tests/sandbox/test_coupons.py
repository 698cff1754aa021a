"""Coupons and promotion codes: what they are, who may redeem them, and until when."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.billing import customer, paid
from sandbox.harness import CheckedServer, code_of

DAY = 86_400


def promoted(api: stripe.StripeClient, coupon: str, **more: Any) -> stripe.PromotionCode:
    params: dict[str, Any] = {"promotion": {"type": "coupon", "coupon": coupon}, **more}
    return api.v1.promotion_codes.create(params)  # type: ignore[arg-type]


def test_a_coupon_is_made_changed_listed_and_deleted(server: CheckedServer, api: stripe.StripeClient) -> None:
    half = api.v1.coupons.create({"percent_off": 50, "duration": "forever", "name": "Half"})
    ten = api.v1.coupons.create({"amount_off": 1_000, "currency": "usd", "id": "TEN"})
    months = api.v1.coupons.create({"percent_off": 12.5, "duration": "repeating", "duration_in_months": 3})

    assert (half.percent_off, half.duration, half.valid, half.times_redeemed) == (50.0, "forever", True, 0)
    assert (ten.id, ten.amount_off, ten.currency, ten.duration) == ("TEN", 1_000, "usd", "once")
    assert (months.percent_off, months.duration_in_months) == (12.5, 3)
    changed = api.v1.coupons.update(half.id, {"name": "Semi", "metadata": {"a": "b"}})
    assert (changed.name, changed.metadata["a"] if changed.metadata else None) == ("Semi", "b")
    assert [one.id for one in api.v1.coupons.list().data] == [months.id, ten.id, half.id]
    assert api.v1.coupons.delete("TEN").to_dict() == {"id": "TEN", "object": "coupon", "deleted": True}
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon: 'TEN'"):
        api.v1.coupons.retrieve("TEN")
    assert server.event_types() == ["coupon.created"] * 3 + ["coupon.updated", "coupon.deleted"]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 10, "amount_off": 5, "currency": "usd"}, "amount_off"),
        ({"amount_off": 5}, "currency"),
        ({"percent_off": 101}, "percent_off"),
        ({"percent_off": 10, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 10, "duration_in_months": 2}, "duration_in_months"),
        ({"percent_off": 10, "redeem_by": 1}, "redeem_by"),
        ({"percent_off": 10, "applies_to": {"products": ["prod_x"]}}, "applies_to[products][0]"),
    ],
)
def test_a_coupon_that_says_too_little_or_too_much_is_refused(
    api: stripe.StripeClient, given: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.coupons.create(given)  # type: ignore[arg-type]

    assert refusal.value.param == param


def test_an_id_is_taken_once(api: stripe.StripeClient) -> None:
    api.v1.coupons.create({"percent_off": 5, "id": "once"})

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.coupons.create({"percent_off": 6, "id": "once"})

    assert code_of(refusal.value) == "resource_already_exists"


def test_the_products_of_a_coupon_are_shown_only_on_request(server: CheckedServer, api: stripe.StripeClient) -> None:
    tea = api.v1.products.create({"name": "tea"})
    coupon = api.v1.coupons.create({"percent_off": 5, "applies_to": {"products": [tea.id]}})
    code = promoted(api, coupon.id)

    assert "applies_to" not in coupon.to_dict()
    whole = api.v1.coupons.retrieve(coupon.id, {"expand": ["applies_to"]}).to_dict()
    assert whole["applies_to"] == {"products": [tea.id]}
    newest = api.v1.promotion_codes.retrieve(code.id, {"expand": ["promotion.coupon.applies_to"]}).to_dict()
    assert newest["promotion"]["coupon"]["applies_to"] == {"products": [tea.id]}
    older = server.client(version=ACACIA).v1.promotion_codes.retrieve(code.id, {"expand": ["coupon.applies_to"]})
    assert older.to_dict()["coupon"]["applies_to"] == {"products": [tea.id]}


def test_a_coupon_is_spent_or_over(api: stripe.StripeClient, clock: SteppingClock) -> None:
    owner = customer(api)
    single = api.v1.coupons.create({"percent_off": 5, "max_redemptions": 1})
    brief = api.v1.coupons.create({"percent_off": 5, "redeem_by": int(clock()) + DAY})
    code = promoted(api, brief.id, code="BRIEF")

    api.v1.invoices.create({"customer": owner.id, "discounts": [{"coupon": single.id}]})
    clock.step(DAY + 2)

    for spent in (single, brief):
        after = api.v1.coupons.retrieve(spent.id)
        assert after.valid is False
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            api.v1.invoices.create({"customer": owner.id, "discounts": [{"coupon": spent.id}]})
        assert code_of(refusal.value) == "coupon_expired"
    assert api.v1.coupons.retrieve(single.id).times_redeemed == 1
    assert not api.v1.promotion_codes.retrieve(code.id).active


def test_discounts_are_redeemed_all_or_none(api: stripe.StripeClient) -> None:
    owner = customer(api)
    good = api.v1.coupons.create({"percent_off": 5})

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.invoices.create({"customer": owner.id, "discounts": [{"coupon": good.id}, {"coupon": "none"}]})

    assert refusal.value.param == "discounts[1][coupon]"
    assert api.v1.coupons.retrieve(good.id).times_redeemed == 0


def test_a_promotion_code_is_made_listed_and_turned_off(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 25})
    code = promoted(api, coupon.id, code="Spring", metadata={"a": "b"})
    free = promoted(api, coupon.id)

    assert (code.code, code.active, code.promotion.coupon) == ("Spring", True, coupon.id)
    assert len(free.code) == 8
    assert [one.id for one in api.v1.promotion_codes.list({"code": "SPRING"}).data] == [code.id]
    assert [one.id for one in api.v1.promotion_codes.list({"coupon": coupon.id}).data] == [free.id, code.id]
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        promoted(api, coupon.id, code="SPRING")
    assert not api.v1.promotion_codes.update(code.id, {"active": False}).active
    again = promoted(api, coupon.id, code="SPRING")
    assert again.active
    assert [one.id for one in api.v1.promotion_codes.list({"active": True}).data] == [again.id, free.id]
    assert server.event_types()[-3:] == ["promotion_code.created", "promotion_code.updated", "promotion_code.created"]


def test_the_coupon_of_a_code_is_named_as_its_version_has_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 25})
    older = server.client(version=ACACIA)
    params: Any = {"coupon": coupon.id, "code": "OLD"}

    made = older.v1.promotion_codes.create(params).to_dict()

    assert (made["coupon"]["id"], made["coupon"]["percent_off"], "promotion" in made) == (coupon.id, 25.0, False)
    newest = api.v1.promotion_codes.retrieve(made["id"]).to_dict()
    assert (newest["promotion"], "coupon" in newest) == ({"coupon": coupon.id, "type": "coupon"}, False)
    newer: Any = {"promotion": {"type": "coupon", "coupon": coupon.id}}
    for client, wrong in ((api, params), (older, newer)):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.promotion_codes.create(wrong)
        assert code_of(refusal.value) == "parameter_unknown"


def test_a_code_may_be_for_one_customer_for_new_ones_or_from_an_amount_on(api: stripe.StripeClient) -> None:
    ada, eve = customer(api), customer(api)
    coupon = api.v1.coupons.create({"percent_off": 25})
    hers = promoted(api, coupon.id, customer=ada.id)
    first = promoted(api, coupon.id, restrictions={"first_time_transaction": True})
    large = promoted(api, coupon.id, restrictions={"minimum_amount": 5_000, "minimum_amount_currency": "usd"})
    paid(api, ada.id, 1_000)

    for who, code, words in (
        (eve, hers, "another customer"),
        (ada, first, "prior transactions"),
        (ada, large, "minimum amount"),
    ):
        api.v1.invoice_items.create({"customer": who.id, "amount": 4_999, "currency": "usd"})
        with pytest.raises(stripe.InvalidRequestError, match=words):
            api.v1.invoices.create(
                {
                    "customer": who.id,
                    "pending_invoice_items_behavior": "include",
                    "discounts": [{"promotion_code": code.id}],
                }
            )
    new = api.v1.invoices.create({"customer": eve.id, "discounts": [{"promotion_code": first.id}]})
    own = api.v1.invoices.create({"customer": ada.id, "discounts": [{"promotion_code": hers.id}]})

    assert (len(new.discounts), len(own.discounts)) == (1, 1)
    assert api.v1.promotion_codes.retrieve(first.id).times_redeemed == 1
    assert api.v1.coupons.retrieve(coupon.id).times_redeemed == 2


def test_a_code_is_spent_over_or_gone_with_its_coupon(api: stripe.StripeClient, clock: SteppingClock) -> None:
    owner = customer(api)
    coupon = api.v1.coupons.create({"percent_off": 25})
    single = promoted(api, coupon.id, max_redemptions=1)
    brief = promoted(api, coupon.id, expires_at=int(clock()) + DAY)
    lasting = promoted(api, coupon.id)

    api.v1.invoices.create({"customer": owner.id, "discounts": [{"promotion_code": single.id}]})
    clock.step(DAY)
    assert [one.id for one in api.v1.promotion_codes.list({"active": True}).data] == [lasting.id]
    api.v1.coupons.delete(coupon.id)

    for code in (single, brief, lasting):
        with pytest.raises(stripe.InvalidRequestError, match="not active"):
            api.v1.invoices.create({"customer": owner.id, "discounts": [{"promotion_code": code.id}]})
        with pytest.raises(stripe.InvalidRequestError):
            api.v1.promotion_codes.update(code.id, {"active": True})


def test_a_coupon_takes_off_different_amounts_in_different_currencies(api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create(
        {"amount_off": 1_000, "currency": "usd", "currency_options": {"eur": {"amount_off": 900}}}
    )
    whole = api.v1.coupons.update(
        coupon.id, {"currency_options": {"gbp": {"amount_off": 800}}, "expand": ["currency_options"]}
    )
    totals = []
    for currency in ("usd", "eur", "gbp"):
        owner = customer(api)
        invoice = api.v1.invoices.create(
            {"customer": owner.id, "currency": currency, "discounts": [{"coupon": coupon.id}]}
        )
        api.v1.invoice_items.create(
            {"customer": owner.id, "invoice": invoice.id, "amount": 5_000, "currency": currency}
        )
        totals.append(api.v1.invoices.retrieve(invoice.id).total)

    assert totals == [4_000, 4_100, 4_200]
    assert whole.to_dict()["currency_options"] == {
        "usd": {"amount_off": 1_000},
        "eur": {"amount_off": 900},
        "gbp": {"amount_off": 800},
    }
    with pytest.raises(stripe.InvalidRequestError, match="can't be used for jpy"):
        api.v1.invoices.create({"customer": customer(api).id, "currency": "jpy", "discounts": [{"coupon": coupon.id}]})


def test_a_code_has_a_least_amount_in_each_currency(api: stripe.StripeClient) -> None:
    coupon = api.v1.coupons.create({"percent_off": 10})
    code = promoted(
        api,
        coupon.id,
        restrictions={
            "minimum_amount": 5_000,
            "minimum_amount_currency": "usd",
            "currency_options": {"eur": {"minimum_amount": 4_000}},
        },
        expand=["restrictions.currency_options"],
    )

    assert code.to_dict()["restrictions"]["currency_options"]["eur"]["minimum_amount"] == 4_000
    for currency, amount, fits in (
        ("usd", 4_999, False),
        ("usd", 5_000, True),
        ("eur", 4_000, True),
        ("gbp", 9_000, False),
    ):
        owner = customer(api)
        api.v1.invoice_items.create({"customer": owner.id, "amount": amount, "currency": currency})
        params: Any = {
            "customer": owner.id,
            "currency": currency,
            "pending_invoice_items_behavior": "include",
            "discounts": [{"promotion_code": code.id}],
        }
        if fits:
            assert len(api.v1.invoices.create(params).discounts) == 1
            continue
        with pytest.raises(stripe.InvalidRequestError, match="minimum amount"):
            api.v1.invoices.create(params)
