"""Micro-deposits: a bank account is verified by what its owner reads off the statement."""

from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe

from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import CheckedServer, code_of

ACCOUNT: Any = {
    "type": "us_bank_account",
    "us_bank_account": {
        "account_holder_type": "individual",
        "account_number": "000123456789",
        "routing_number": "110000000",
    },
    "billing_details": {"name": "Ada"},
}
OPTIONS: Any = {"us_bank_account": {"verification_method": "microdeposits"}}
DAY_S = 86_400


def payment(api: stripe.StripeClient, number: str = "000123456789") -> stripe.PaymentIntent:
    bank = ACCOUNT | {"us_bank_account": ACCOUNT["us_bank_account"] | {"account_number": number}}
    return api.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "confirm": True,
            "payment_method_data": bank,
            "payment_method_options": OPTIONS,
        }
    )


def setup(api: stripe.StripeClient, customer: str) -> stripe.SetupIntent:
    return api.v1.setup_intents.create(
        {
            "customer": customer,
            "confirm": True,
            "payment_method_data": ACCOUNT,
            "payment_method_options": OPTIONS,
        }
    )


def refused(intents: Any, identifier: str, **answer: Any) -> str | None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        intents.verify_microdeposits(identifier, answer)
    return code_of(refusal.value)


@covers("payment_intents.verify_microdeposits", "pages.bank-verification")
@pytest.mark.parametrize("answer", [{"descriptor_code": "SM11AA"}, {"amounts": [32, 45]}, {"amounts": [45, 32]}])
def test_a_payment_waits_for_the_code_and_goes_on_with_it(
    server: CheckedServer, api: stripe.StripeClient, answer: Any
) -> None:
    waiting = payment(api)

    going = api.v1.payment_intents.verify_microdeposits(waiting.id, answer)

    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.verify_with_microdeposits is not None
    assert waiting.next_action.verify_with_microdeposits.microdeposit_type == "descriptor_code"
    assert (going.status, going.next_action) == ("processing", None)
    server.control("POST", "clock", {"advance_s": 5 * DAY_S})
    assert api.v1.payment_intents.retrieve(waiting.id).status == "succeeded"
    assert [type for type in server.event_types() if type.startswith("payment_intent")] == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.processing",
        "payment_intent.succeeded",
    ]


@covers("setup_intents.verify_microdeposits")
def test_a_setup_is_verified_once_and_its_account_then_pays_at_once(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({}).id
    waiting = setup(api, customer)
    done = api.v1.setup_intents.verify_microdeposits(waiting.id, {"descriptor_code": "SM11AA"})

    paid = api.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "usd",
            "customer": customer,
            "confirm": True,
            "payment_method": str(done.payment_method),
            "payment_method_options": OPTIONS,
        }
    )

    assert (waiting.status, done.status, paid.status) == ("requires_action", "succeeded", "processing")
    methods = api.v1.customers.payment_methods.list(customer).data
    assert [method.id for method in methods] == [done.payment_method]


def test_a_wrong_answer_leaves_the_verification_open_until_too_many(api: stripe.StripeClient) -> None:
    intents = api.v1.payment_intents
    waiting = payment(api)

    codes = [refused(intents, waiting.id, amounts=[1, 2]) for _ in range(3)]

    mismatch = "payment_method_microdeposit_verification_amounts_mismatch"
    assert codes == [mismatch, mismatch, "payment_method_microdeposit_verification_attempts_exceeded"]
    over = intents.retrieve(waiting.id)
    assert over.status == "requires_payment_method"
    assert over.last_payment_error is not None
    assert over.last_payment_error.code == "payment_method_microdeposit_verification_attempts_exceeded"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"descriptor_code": "SM33CC"}, "verification_attempts_exceeded"),
        ({"amounts": [10, 11]}, "verification_attempts_exceeded"),
        ({"descriptor_code": "SM44DD"}, "verification_timeout"),
        ({"amounts": [40, 41]}, "verification_timeout"),
    ],
)
def test_test_values_end_a_verification(
    server: CheckedServer, api: stripe.StripeClient, answer: Any, outcome: str
) -> None:
    waiting = setup(api, api.v1.customers.create({}).id)

    assert refused(api.v1.setup_intents, waiting.id, **answer) == f"payment_method_microdeposit_{outcome}"

    assert api.v1.setup_intents.retrieve(waiting.id).status == "requires_payment_method"
    assert server.event_types()[-1] == "setup_intent.setup_failed"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({}, None),
        ({"descriptor_code": "SM11AA", "amounts": [32, 45]}, None),
        ({"amounts": [32]}, "payment_method_microdeposit_verification_amounts_invalid"),
        ({"descriptor_code": "SM99ZZ"}, "payment_method_microdeposit_verification_descriptor_code_mismatch"),
    ],
)
def test_an_answer_that_says_too_little_or_too_much_is_refused(
    api: stripe.StripeClient, answer: Any, code: str | None
) -> None:
    waiting = payment(api)

    assert refused(api.v1.payment_intents, waiting.id, **answer) == code
    assert api.v1.payment_intents.retrieve(waiting.id).status == "requires_action"


def test_nobody_answers_for_ten_days(server: CheckedServer, api: stripe.StripeClient) -> None:
    waiting = payment(api)
    server.control("POST", "clock", {"advance_s": 10 * DAY_S + 1})

    over = api.v1.payment_intents.retrieve(waiting.id)

    assert over.status == "requires_payment_method"
    assert over.last_payment_error is not None
    assert over.last_payment_error.code == "payment_method_microdeposit_verification_timeout"
    assert refused(api.v1.payment_intents, waiting.id, amounts=[32, 45]) == "payment_intent_unexpected_state"


def test_an_account_that_no_deposit_reaches_is_refused_at_once(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        payment(api, "000666666661")

    assert code_of(refusal.value) == "payment_method_microdeposit_failed"


def test_micro_deposits_are_no_challenge(server: CheckedServer, api: stripe.StripeClient) -> None:
    waiting = payment(api)

    reply = server.handle(Request("POST", f"/_sandbox/payment_intents/{waiting.id}/authenticate", {}, b"{}"))

    assert reply.status == 400
    assert api.v1.payment_intents.retrieve(waiting.id).status == "requires_action"


@covers("pages.bank-verification")
@pytest.mark.parametrize("typed", [b"descriptor_code=sm11aa", b"first=32&second=45"])
def test_a_customer_verifies_on_the_page(server: CheckedServer, api: stripe.StripeClient, typed: bytes) -> None:
    waiting = payment(api)
    assert waiting.next_action is not None
    assert waiting.next_action.verify_with_microdeposits is not None
    path = urlsplit(waiting.next_action.verify_with_microdeposits.hosted_verification_url).path

    wrong = server.handle(Request("POST", path, {}, b"descriptor_code=SM0000"))
    right = server.handle(Request("POST", path, {}, typed))

    assert (wrong.status, right.status) == (400, 200)
    assert 'role="alert"' in wrong.body.decode()
    assert "verified" in right.body.decode()
    assert "Nothing to verify" in server.handle(Request("GET", path)).body.decode()
    assert api.v1.payment_intents.retrieve(waiting.id).status == "processing"
