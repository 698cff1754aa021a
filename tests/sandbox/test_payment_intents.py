"""Payment intents: being paid, refused, challenged, captured and canceled."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import CheckedServer

DAY = 86_400


def create(api: stripe.StripeClient, method: str | None = None, **more: Any) -> stripe.PaymentIntent:
    params: dict[str, Any] = {"amount": 2_000, "currency": "usd", **more}
    if method:
        params |= {"payment_method": method, "confirm": True}
    return api.v1.payment_intents.create(params)  # type: ignore[arg-type]


def refusal_of(api: stripe.StripeClient, method: str, **more: Any) -> stripe.CardError:
    with pytest.raises(stripe.CardError) as refusal:
        create(api, method, **more)
    return refusal.value


def test_an_intent_passes_through_its_states(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = create(api)
    assert intent.status == "requires_payment_method"
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")

    intent = api.v1.payment_intents.update(intent.id, {"payment_method": "pm_card_visa", "description": "tea"})
    assert intent.status == "requires_confirmation"

    intent = api.v1.payment_intents.confirm(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    assert (intent.status, intent.amount_received) == ("succeeded", 2_000)
    charge = intent.to_dict()["latest_charge"]
    assert (charge["paid"], charge["captured"], charge["description"]) == (True, True, "tea")
    assert (charge["balance_transaction"]["fee"], charge["balance_transaction"]["net"]) == (88, 1_912)
    assert server.event_types() == [
        "payment_intent.created",
        "charge.succeeded",
        "charge.updated",
        "payment_intent.succeeded",
    ]


def test_one_success_is_one_line_in_the_journal(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = create(api, "pm_card_visa")

    lines = server.journal("charge")

    assert [(line["object"], line["amount"], line["currency"]) for line in lines] == [
        (intent.latest_charge, 2_000, "usd")
    ]
    assert lines[0]["key"]


@covers("cards.declines")
@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_a_decline_is_a_402_with_the_intent_in_it(
    server: CheckedServer, api: stripe.StripeClient, card: str, code: str, decline_code: str
) -> None:
    refusal = refusal_of(api, card)

    assert refusal.http_status == 402
    assert refusal.error is not None
    error = refusal.error.to_dict()
    assert (error["code"], error["decline_code"]) == (code, decline_code)
    intent = error["payment_intent"]
    assert (intent["status"], intent["payment_method"], intent["amount_received"]) == (
        "requires_payment_method",
        None,
        0,
    )
    assert intent["last_payment_error"]["code"] == code
    assert intent["last_payment_error"]["payment_method"]["id"] == error["payment_method"]["id"]
    charge = api.v1.charges.retrieve(error["charge"])
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert server.event_types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert server.journal("charge") == []


def test_after_a_decline_another_card_pays_the_same_intent(server: CheckedServer, api: stripe.StripeClient) -> None:
    refused = refusal_of(api, "pm_card_chargeDeclined")
    assert refused.error is not None
    identifier = refused.error.to_dict()["payment_intent"]["id"]

    paid = api.v1.payment_intents.confirm(identifier, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert len(api.v1.charges.list({"payment_intent": identifier}).data) == 2
    assert len(server.journal("charge")) == 1


@covers("cards.authentication")
@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"])
@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_on_session_a_challenge_must_be_passed(
    server: CheckedServer, api: stripe.StripeClient, card: str, outcome: str
) -> None:
    intent = create(api, card)
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"
    assert server.journal("charge") == []

    server.control("POST", f"payment_intents/{intent.id}/authenticate", {"outcome": outcome})

    after = api.v1.payment_intents.retrieve(intent.id)
    if outcome == "succeed":
        assert (after.status, after.next_action) == ("succeeded", None)
        charge = api.v1.charges.retrieve(str(after.latest_charge)).to_dict()
        assert charge["payment_method_details"]["card"]["three_d_secure"]["result"] == "authenticated"
        return
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert server.event_types()[-2:] == ["payment_intent.requires_action", "payment_intent.payment_failed"]


def test_a_return_url_turns_the_challenge_into_a_redirect(api: stripe.StripeClient) -> None:
    intent = create(api, "pm_card_authenticationRequired", return_url="https://shop.example/back")

    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    assert intent.next_action.redirect_to_url.return_url == "https://shop.example/back"


@covers("cards.authentication")
def test_off_session_a_challenge_is_a_decline(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({"payment_method": "pm_card_authenticationRequired"})
    method = api.v1.customers.payment_methods.list(customer.id).data[0]

    refusal = refusal_of(api, method.id, customer=customer.id, off_session=True)

    assert (refusal.http_status, refusal.code) == (402, "authentication_required")
    assert server.event_types()[-1] == "payment_intent.payment_failed"


def test_a_card_set_up_for_off_session_use_needs_no_challenge_later(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    customer = api.v1.customers.create({})
    setup = api.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )
    assert setup.status == "requires_action"
    server.control("POST", f"setup_intents/{setup.id}/authenticate", {"outcome": "succeed"})
    method = api.v1.customers.payment_methods.list(customer.id).data[0]

    paid = create(api, method.id, customer=customer.id, off_session=True)

    assert paid.status == "succeeded"


def test_a_challenge_passed_can_still_end_in_a_decline(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = create(api, "pm_card_threeDSecureRequiredChargeDeclined")

    server.control("POST", f"payment_intents/{intent.id}/authenticate", {"outcome": "succeed"})

    after = api.v1.payment_intents.retrieve(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "card_declined"


def test_error_on_requires_action_refuses_at_once(api: stripe.StripeClient) -> None:
    refusal = refusal_of(api, "pm_card_authenticationRequired", error_on_requires_action=True)

    assert refusal.code == "authentication_required"


def test_manual_confirmation_waits_for_the_server(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = create(api, "pm_card_authenticationRequired", confirmation_method="manual")
    server.control("POST", f"payment_intents/{intent.id}/authenticate", {"outcome": "succeed"})
    assert api.v1.payment_intents.retrieve(intent.id).status == "requires_confirmation"

    assert api.v1.payment_intents.confirm(intent.id).status == "succeeded"


def test_manual_capture_takes_the_money_later_or_a_part_of_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = create(api, "pm_card_visa", capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2_000, 0)
    assert server.journal("charge") == []
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2_001})
    assert refusal.value.code == "amount_too_large"

    captured = api.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1_500})

    assert (captured.status, captured.amount_capturable, captured.amount_received) == ("succeeded", 0, 1_500)
    assert [line["amount"] for line in server.journal("charge")] == [1_500]
    assert "charge.captured" in server.event_types()
    assert "payment_intent.amount_capturable_updated" in server.event_types()
    with pytest.raises(stripe.InvalidRequestError) as again:
        api.v1.payment_intents.capture(intent.id)
    assert again.value.code == "payment_intent_unexpected_state"


def test_an_authorization_lapses_after_a_week(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    intent = create(api, "pm_card_visa", capture_method="manual")
    clock.step(7 * DAY + 1)

    after = api.v1.payment_intents.retrieve(intent.id)

    assert (after.status, after.cancellation_reason) == ("canceled", "automatic")
    assert server.journal("charge") == []


def test_canceling_an_authorization_gives_it_back_without_booking_anything(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    intent = create(api, "pm_card_visa", capture_method="manual")

    canceled = api.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "requested_by_customer"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "requested_by_customer")
    assert api.v1.balance_transactions.list().data == []
    assert server.event_types()[-2:] == ["charge.refunded", "payment_intent.canceled"]


@pytest.mark.parametrize("act", ["confirm", "cancel", "update"])
def test_a_paid_intent_refuses_to_change(api: stripe.StripeClient, act: str) -> None:
    paid = create(api, "pm_card_visa")

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        getattr(api.v1.payment_intents, act)(paid.id, *([{"amount": 5}] if act == "update" else []))

    assert refusal.value.code == "payment_intent_unexpected_state"
    assert refusal.value.error is not None
    assert refusal.value.error.to_dict()["payment_intent"]["id"] == paid.id


def test_confirming_without_a_method_is_refused(api: stripe.StripeClient) -> None:
    intent = create(api)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.payment_intents.confirm(intent.id)

    assert refusal.value.code == "payment_intent_unexpected_state"


def test_a_method_without_a_customer_is_used_up_by_one_payment(api: stripe.StripeClient) -> None:
    method = api.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    create(api, method.id)

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        create(api, method.id)


def test_future_usage_saves_the_method_for_the_customer(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})

    paid = create(api, "pm_card_visa", customer=customer.id, setup_future_usage="off_session")

    assert [method.id for method in api.v1.customers.payment_methods.list(customer.id).data] == [paid.payment_method]
    assert create(api, str(paid.payment_method), customer=customer.id, off_session=True).status == "succeeded"


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "usd", "amount_too_small"),
        (0, "usd", "parameter_invalid_integer"),
        (-100, "usd", "parameter_invalid_integer"),
        (100_000_000, "usd", "amount_too_large"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (1_001, "kwd", None),
        (50_050, "isk", None),
        (50_050, "ugx", None),
        (500, "zzz", None),
        (500, "dollars", None),
    ],
)
def test_an_amount_its_currency_can_not_hold_is_refused(
    api: stripe.StripeClient, amount: int, currency: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create(api, amount=amount, currency=currency)

    assert refusal.value.code == code
    assert refusal.value.param == ("currency" if currency in ("zzz", "dollars") else "amount")


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (50, "usd"),
        (50, "jpy"),
        (30, "gbp"),
        (1_010, "kwd"),
        (50_000, "isk"),
        (50_000, "ugx"),
        (99_999_999, "eur"),
        (500, "USD"),
    ],
)
def test_an_amount_its_currency_holds_is_charged(api: stripe.StripeClient, amount: int, currency: str) -> None:
    paid = create(api, "pm_card_visa", amount=amount, currency=currency)

    assert (paid.status, paid.amount_received, paid.currency) == ("succeeded", amount, currency.lower())


def test_a_bank_debit_settles_after_days(server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock) -> None:
    intent = create(api, "pm_usBankAccount_success")
    assert intent.status == "processing"
    assert str(intent.latest_charge).startswith("py_")
    assert server.journal("charge") == []
    clock.step(4 * DAY - 10)
    assert api.v1.payment_intents.retrieve(intent.id).status == "processing"

    clock.step(20)

    assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert [line["amount"] for line in server.journal("charge")] == [2_000]
    assert server.event_types() == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "charge.updated",
        "payment_intent.succeeded",
    ]


def test_a_bank_debit_may_come_back(server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock) -> None:
    intent = create(api, "pm_usBankAccount_insufficientFunds")

    server.control("POST", "clock", {"advance_s": 4 * DAY})

    after = api.v1.payment_intents.retrieve(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert after.last_payment_error.code == "insufficient_funds"
    assert server.event_types()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    assert server.journal("charge") == []


def test_payment_method_types_are_taken_by_old_versions_and_refused_by_endive(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    old = create(server.client(version=ACACIA), payment_method_types=["card"])
    assert (old.payment_method_types, old.automatic_payment_methods) == (["card"], None)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create(api, payment_method_types=["card"])

    assert refusal.value.code == "payment_method_types_no_longer_supported"
    assert refusal.value.param == "payment_method_types"


def test_automatic_methods_are_on_unless_turned_off(api: stripe.StripeClient) -> None:
    assert create(api).automatic_payment_methods is not None
    assert create(api, automatic_payment_methods={"enabled": False}).automatic_payment_methods is None


def test_off_session_needs_confirm(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create(api, off_session=True)

    assert refusal.value.param == "off_session"


def test_method_data_makes_the_method_on_the_way(api: stripe.StripeClient) -> None:
    paid = api.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "confirm": True,
            "payment_method_data": {
                "type": "card",
                "card": {"token": "tok_mastercard"},
                "billing_details": {"name": "Ada"},
            },  # type: ignore[typeddict-unknown-key]
            "expand": ["payment_method"],
        }
    )

    assert paid.to_dict()["payment_method"]["billing_details"]["name"] == "Ada"


def test_intents_are_listed_and_searched(api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    first = create(api, customer=customer.id, metadata={"order": "6735"})
    create(api)

    assert [intent.id for intent in api.v1.payment_intents.list({"customer": customer.id}).data] == [first.id]
    assert [intent.id for intent in api.v1.payment_intents.search({"query": "metadata['order']:'6735'"}).data] == [
        first.id
    ]


def test_setup_intents_save_a_card_and_end(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    setup = api.v1.setup_intents.create({"customer": customer.id})
    assert setup.status == "requires_payment_method"

    setup = api.v1.setup_intents.confirm(setup.id, {"payment_method": "pm_card_visa"})

    assert setup.status == "succeeded"
    assert [method.id for method in api.v1.customers.payment_methods.list(customer.id).data] == [setup.payment_method]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.setup_intents.cancel(setup.id)
    assert refusal.value.code == "setup_intent_unexpected_state"


def test_a_setup_that_its_issuer_declines_is_a_402_with_the_setup_in_it(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    with pytest.raises(stripe.CardError) as refusal:
        api.v1.setup_intents.create({"payment_method": "pm_card_chargeDeclined", "confirm": True})

    assert refusal.value.error is not None
    assert refusal.value.error.to_dict()["setup_intent"]["status"] == "requires_payment_method"
    assert server.event_types()[-1] == "setup_intent.setup_failed"


def test_a_setup_intent_can_be_canceled_listed_and_updated(server: CheckedServer, api: stripe.StripeClient) -> None:
    customer = api.v1.customers.create({})
    setup = api.v1.setup_intents.create({"customer": customer.id})

    api.v1.setup_intents.update(setup.id, {"metadata": {"a": "b"}})
    canceled = api.v1.setup_intents.cancel(setup.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert [found.id for found in api.v1.setup_intents.list({"customer": customer.id}).data] == [setup.id]
    assert server.event_types()[-1] == "setup_intent.canceled"


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_a_setup_challenge_ends_either_way(server: CheckedServer, api: stripe.StripeClient, outcome: str) -> None:
    setup = api.v1.setup_intents.create({"payment_method": "pm_card_authenticationRequired", "confirm": True})

    server.control("POST", f"setup_intents/{setup.id}/authenticate", {"outcome": outcome})

    after = api.v1.setup_intents.retrieve(setup.id)
    assert after.status == ("succeeded" if outcome == "succeed" else "requires_payment_method")
    assert server.event_types()[-1] == (
        "setup_intent.succeeded" if outcome == "succeed" else "setup_intent.setup_failed"
    )


def test_a_method_of_a_type_that_the_intent_does_not_take_is_refused(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        create(api, "pm_usBankAccount_success", currency="eur")

    assert refusal.value.code == "payment_intent_incompatible_payment_method"


def test_types_can_be_allowed_or_excluded_by_name(api: stripe.StripeClient) -> None:
    allowed = create(api, allowed_payment_method_types=["us_bank_account"])
    excluded = create(api, excluded_payment_method_types=["us_bank_account"])

    assert allowed.payment_method_types == ["us_bank_account"]
    assert excluded.payment_method_types == ["card"]


@pytest.mark.parametrize(("asked", "status"), [("automatic", "succeeded"), ("any", "requires_action")])
def test_a_card_that_can_authenticate_does_so_when_asked(api: stripe.StripeClient, asked: str, status: str) -> None:
    options = {"card": {"request_three_d_secure": asked}}

    assert create(api, "pm_card_threeDSecureOptional", payment_method_options=options).status == status


@pytest.mark.parametrize(("capture", "tail"), [("automatic", []), ("automatic_async", ["charge.updated"])])
def test_a_synchronous_capture_is_in_the_balance_when_it_is_told(
    server: CheckedServer, api: stripe.StripeClient, capture: str, tail: list[str]
) -> None:
    intent = create(api, "pm_card_visa", capture_method=capture)

    told = api.v1.events.list({"type": "charge.succeeded"}).data[0].data.object
    assert (told["balance_transaction"] is not None) == (capture == "automatic")
    assert [name for name in server.event_types() if name == "charge.updated"] == tail
    assert api.v1.charges.retrieve(str(intent.latest_charge)).balance_transaction is not None
