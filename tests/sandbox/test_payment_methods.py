"""Payment methods and customers: test ids, fingerprints, attachment."""

import pytest
import stripe

from sandbox.covering import covers
from sandbox.harness import CheckedServer

CARDS = {
    "pm_card_visa": ("visa", "4242", "credit"),
    "pm_card_visa_debit": ("visa", "5556", "debit"),
    "pm_card_mastercard": ("mastercard", "4444", "credit"),
    "pm_card_mastercard_prepaid": ("mastercard", "5100", "prepaid"),
    "pm_card_amex": ("amex", "8431", "credit"),
    "pm_card_discover": ("discover", "9424", "credit"),
    "pm_card_diners": ("diners", "0004", "credit"),
    "pm_card_jcb": ("jcb", "0505", "credit"),
    "pm_card_authenticationRequired": ("visa", "3184", "credit"),
}


@covers("cards.minted")
@pytest.mark.parametrize("test_id", CARDS)
def test_a_test_card_has_its_brand_and_last_four(api: stripe.StripeClient, test_id: str) -> None:
    customer = api.v1.customers.create({})

    method = api.v1.payment_methods.attach(test_id, {"customer": customer.id})

    assert method.card is not None
    assert (method.card.brand, method.card.last4, method.card.funding) == CARDS[test_id]
    assert method.customer == customer.id


@covers("cards.minted")
def test_attaching_a_test_id_mints_a_fresh_method_with_the_same_fingerprint(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    first = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    second = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})

    assert first.id != second.id
    assert first.id.startswith("pm_1")
    assert first.card is not None
    assert second.card is not None
    assert first.card.fingerprint == second.card.fingerprint
    assert [method.id for method in api.v1.customers.payment_methods.list(customer.id).data] == [second.id, first.id]


def test_fingerprints_tell_cards_apart_and_differ_between_accounts(server: CheckedServer) -> None:
    mine, yours = server.client("sk_test_mine"), server.client("sk_test_yours")
    number = {"type": "card", "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "314"}}

    typed = mine.v1.payment_methods.create(number)  # type: ignore[arg-type]
    token = mine.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    other = mine.v1.payment_methods.create({"type": "card", "card": {"token": "tok_mastercard"}})
    foreign = yours.v1.payment_methods.create(number)  # type: ignore[arg-type]

    prints = [method.card.fingerprint for method in (typed, token, other, foreign) if method.card]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    assert typed.card is not None
    assert (typed.card.exp_month, typed.card.exp_year) == (12, 2034)


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"number": "4242424242424241", "exp_month": 1, "exp_year": 2034}, "incorrect_number"),
        ({"number": "1234", "exp_month": 1, "exp_year": 2034}, "incorrect_number"),
        ({"number": "4242424242424242", "exp_month": 1, "exp_year": 2019}, "invalid_expiry_year"),
        ({"number": "4242424242424242", "exp_month": 1, "exp_year": 2026}, "invalid_expiry_month"),
    ],
)
def test_a_card_that_can_not_exist_is_refused(api: stripe.StripeClient, card: dict[str, object], code: str) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        api.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[arg-type]

    assert refusal.value.code == code


def test_an_unknown_test_id_is_resource_missing(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.payment_methods.attach("pm_card_imaginary", {"customer": customer.id})

    assert refusal.value.code == "resource_missing"


@covers("cards.customer-fail")
def test_a_declining_card_refuses_to_be_attached(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    with pytest.raises(stripe.CardError) as refusal:
        api.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id})

    assert refusal.value.http_status == 402
    assert refusal.value.code == "card_declined"
    assert api.v1.customers.payment_methods.list(customer.id).data == []


@covers("cards.customer-fail")
def test_charge_customer_fail_attaches_and_then_declines(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    method = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})

    with pytest.raises(stripe.CardError) as refusal:
        api.v1.payment_intents.create(
            {
                "amount": 900,
                "currency": "usd",
                "customer": customer.id,
                "payment_method": method.id,
                "confirm": True,
                "off_session": True,
            }
        )

    assert refusal.value.code == "card_declined"


def test_a_detached_method_is_gone_for_good(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    method = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})

    detached = api.v1.payment_methods.detach(method.id)

    assert detached.customer is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        api.v1.payment_methods.attach(method.id, {"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError, match="not attached to a customer"):
        api.v1.payment_methods.detach(method.id)
    assert "payment_method.detached" in server.event_types()


def test_a_method_of_another_customer_can_not_be_attached_or_used(api: stripe.StripeClient) -> None:
    owner, other = api.v1.customers.create({}), api.v1.customers.create({})
    method = api.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})

    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        api.v1.payment_methods.attach(method.id, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        api.v1.payment_intents.create(
            {"amount": 900, "currency": "usd", "customer": other.id, "payment_method": method.id}
        )
    with pytest.raises(stripe.InvalidRequestError, match="include the Customer"):
        api.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": method.id})


def test_updates_of_a_method_are_told(server: CheckedServer, api: stripe.StripeClient) -> None:
    method = api.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})

    updated = api.v1.payment_methods.update(
        method.id,
        {
            "billing_details": {"name": "Ada", "address": {"country": "DE"}},
            "metadata": {"a": "b"},
            "card": {"exp_month": 3, "exp_year": 2031},
        },
    )

    assert updated.billing_details.name == "Ada"
    assert updated.card is not None
    assert (updated.card.exp_month, updated.card.exp_year) == (3, 2031)
    assert server.event_types() == ["payment_method.updated"]


def test_methods_are_listed_by_customer_and_type(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    card = api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    bank = api.v1.payment_methods.attach("pm_usBankAccount_success", {"customer": customer.id})

    cards = api.v1.payment_methods.list({"customer": customer.id, "type": "card"})
    banks = api.v1.customers.payment_methods.list(customer.id, {"type": "us_bank_account"})

    assert [method.id for method in cards.data] == [card.id]
    assert [method.id for method in banks.data] == [bank.id]
    assert api.v1.customers.payment_methods.retrieve(customer.id, card.id).id == card.id


def test_a_customer_has_every_field_that_was_given(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create(
        {
            "name": "Ada",
            "email": "ada@example.com",
            "phone": "+1",
            "description": "first",
            "address": {"country": "DE", "line1": "A 1"},
            "shipping": {"name": "Ada", "address": {"city": "Berlin"}},
            "preferred_locales": ["de", "en"],
            "tax_exempt": "exempt",
            "balance": -500,
        }
    )

    shown = customer.to_dict()
    assert {
        name: shown[name]
        for name in ("name", "email", "phone", "description", "preferred_locales", "tax_exempt", "balance")
    } == {
        "name": "Ada",
        "email": "ada@example.com",
        "phone": "+1",
        "description": "first",
        "preferred_locales": ["de", "en"],
        "tax_exempt": "exempt",
        "balance": -500,
    }
    assert shown["address"] == {
        "city": None,
        "country": "DE",
        "line1": "A 1",
        "line2": None,
        "postal_code": None,
        "state": None,
    }
    assert shown["shipping"]["address"]["city"] == "Berlin"


def test_a_customer_created_with_a_method_has_it_attached(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"payment_method": "pm_card_visa"})
    method = api.v1.customers.payment_methods.list(customer.id).data[0]

    updated = api.v1.customers.update(
        customer.id,
        {
            "invoice_settings": {"default_payment_method": method.id},
            "expand": ["invoice_settings.default_payment_method"],
        },
    )

    assert updated.to_dict()["invoice_settings"]["default_payment_method"]["id"] == method.id
    assert server.event_types() == ["customer.created", "payment_method.attached", "customer.updated"]


def test_a_failed_attachment_makes_no_customer(server: CheckedServer, api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError):
        api.v1.customers.create({"payment_method": "pm_card_chargeDeclined"})

    assert api.v1.customers.list().data == []


def test_a_customer_update_says_what_changed(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"name": "Ada", "metadata": {"a": "1"}})

    api.v1.customers.update(customer.id, {"name": "Eve", "metadata": {"b": "2"}})
    api.v1.customers.update(customer.id, {"name": "Eve"})

    events = api.v1.events.list({"type": "customer.updated"}).data
    assert [event.data.to_dict()["previous_attributes"] for event in events] == [
        {"name": "Ada", "metadata": {"b": None}}
    ]


def test_an_empty_string_unsets(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create(
        {"name": "Ada", "address": {"city": "Bern"}, "shipping": {"name": "A", "address": {"city": "Bern"}}}
    )

    updated = api.v1.customers.update(customer.id, {"name": "", "address": "", "shipping": ""})

    assert (updated.name, updated.address, updated.shipping) == (None, None, None)


@covers("deleted.stubs")
def test_a_deleted_customer_answers_as_a_stub(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"payment_method": "pm_card_visa"})
    method = api.v1.customers.payment_methods.list(customer.id).data[0]

    stub = api.v1.customers.delete(customer.id)

    assert stub.to_dict() == {"id": customer.id, "object": "customer", "deleted": True}
    assert api.v1.customers.retrieve(customer.id).to_dict() == {
        "id": customer.id,
        "object": "customer",
        "deleted": True,
    }
    assert api.v1.payment_methods.retrieve(method.id).customer is None
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.update(customer.id, {"name": "Eve"})
    assert refusal.value.http_status == 404
    assert server.event_types()[-1] == "customer.deleted"


def test_an_invalid_email_is_refused(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.create({"email": "not an address"})

    assert (refusal.value.code, refusal.value.param) == ("email_invalid", "email")


def test_every_movement_of_a_customers_balance_has_its_transaction(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    customer = api.v1.customers.create({"balance": -500})
    made = api.v1.customers.balance_transactions.create(
        customer.id, {"amount": 200, "currency": "usd", "description": "gift"}
    )
    api.v1.customers.update(customer.id, {"balance": 0})

    moves = api.v1.customers.balance_transactions.list(customer.id).data

    assert [(move.amount, move.ending_balance, move.type) for move in moves] == [
        (300, 0, "adjustment"),
        (200, -300, "adjustment"),
        (-500, -500, "adjustment"),
    ]
    assert api.v1.customers.retrieve(customer.id).balance == 0
    assert api.v1.customers.balance_transactions.retrieve(customer.id, made.id).description == "gift"
    assert (
        api.v1.customers.balance_transactions.update(customer.id, made.id, {"description": "bonus"}).description
        == "bonus"
    )
    assert server.event_types() == ["customer.created", "customer.updated", "customer.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        api.v1.customers.balance_transactions.create(customer.id, {"amount": 200, "currency": "eur"})
