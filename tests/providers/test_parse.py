"""The provider's objects become facts in our units, or an unreadable fact that says why. Never an exception."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.facts import (
    ChargeFee,
    CustomerFact,
    Fact,
    IntentFact,
    IntentStatus,
    MethodFact,
    RefundFact,
    Refusal,
    SessionFact,
    UnreadableFact,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import CURRENCIES, Money
from counterfoil.providers.stripe.parse import fact_of
from providers.recorded import recorded_events

ASKED = ProviderRef("pi_asked")


def intent(**fields: object) -> dict[str, object]:
    """A payment in the shape that the newest API version gives."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 7000,
        "amount_received": 7000,
        "currency": "usd",
        "status": "succeeded",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "next_action": None,
        "client_secret": "pi_1_secret_x",
        "metadata": {"counterfoil_leg": "leg_1"},
    } | fields


def parsed(**fields: object) -> IntentFact:
    fact = fact_of(intent(**fields), ASKED)
    assert isinstance(fact, IntentFact)
    return fact


def why(doc: dict[str, object]) -> str:
    fact = fact_of(doc, ASKED)
    assert isinstance(fact, UnreadableFact)
    return fact.why


def test_a_payment_that_succeeded_is_read_whole() -> None:
    charge = {"id": "ch_1", "object": "charge", "balance_transaction": {"id": "txn_1", "fee": 233, "currency": "eur"}}

    assert fact_of(intent(latest_charge=charge), ASKED) == IntentFact(
        ref=ProviderRef("pi_1"),
        status=IntentStatus.SUCCEEDED,
        amount=Money(7000, "USD"),
        received=Money(7000, "USD"),
        customer_ref=ProviderRef("cus_1"),
        method_ref=ProviderRef("pm_1"),
        charge_ref=ProviderRef("ch_1"),
        charge_fee=ChargeFee(ProviderRef("txn_1"), Money(233, "EUR")),
        client_secret="pi_1_secret_x",
        metadata={"counterfoil_leg": "leg_1"},
    )


def test_objects_inside_are_read_like_their_ids() -> None:
    expanded = parsed(
        customer={"id": "cus_1", "object": "customer"},
        payment_method={"id": "pm_1", "object": "payment_method"},
        latest_charge={"id": "ch_1", "object": "charge", "balance_transaction": "txn_1"},
    )

    assert expanded == parsed()


def test_absent_and_null_references_are_none() -> None:
    bare = intent(customer=None, latest_charge=None, metadata=None)
    del bare["payment_method"]

    fact = fact_of(bare, ASKED)

    assert isinstance(fact, IntentFact)
    assert (fact.customer_ref, fact.method_ref, fact.charge_ref, fact.charge_fee) == (None, None, None, None)
    assert fact.metadata == {}


@pytest.mark.parametrize(
    ("details", "means"),
    [
        ({"type": "card", "card": {"brand": "visa", "last4": "4242"}}, "visa 4242"),
        ({"type": "us_bank_account", "us_bank_account": {"bank_name": "TEST BANK", "last4": "6789"}}, "TEST BANK 6789"),
        ({"type": "sepa_debit", "sepa_debit": {"last4": "3000"}}, "sepa debit 3000"),
        ({"type": "cashapp", "cashapp": {}}, "cashapp"),
        ({"type": "card", "card": None}, "card"),
        ({}, None),
        (None, None),
    ],
)
def test_what_was_charged_is_said_in_words(details: object, means: str | None) -> None:
    """It need not be the method that the payment names now."""
    assert parsed(latest_charge={"id": "ch_1", "payment_method_details": details}).means == means


@pytest.mark.parametrize("status", [status for status in IntentStatus if status is not IntentStatus.OTHER])
def test_each_status_of_today_is_known(status: IntentStatus) -> None:
    assert parsed(status=status.value).status is status


@pytest.mark.parametrize("word", ["requires_a_new_thing", "", None, 7, "SUCCEEDED"])
def test_a_status_of_tomorrow_is_other(word: object) -> None:
    assert parsed(status=word).status is IntentStatus.OTHER


def test_a_declined_try_says_why_and_which_charge() -> None:
    declined = parsed(
        status="requires_payment_method",
        amount_received=0,
        last_payment_error={
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds.",
            "charge": "ch_9",
        },
    )

    assert declined.refusal == Refusal(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", ProviderRef("ch_9")
    )


def test_a_refusal_always_has_a_code() -> None:
    assert parsed(last_payment_error={"type": "api_error", "code": None}).refusal == Refusal("api_error")
    assert parsed(last_payment_error={"charge": 7, "message": None, "code": ""}).refusal == Refusal("unknown")


@pytest.mark.parametrize(
    ("action", "url"),
    [
        (
            {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.example/3ds"}},
            "https://hooks.example/3ds",
        ),
        (
            {
                "type": "verify_with_microdeposits",
                "verify_with_microdeposits": {"hosted_verification_url": "https://payments.example/x"},
            },
            "https://payments.example/x",
        ),
        ({"type": "use_stripe_sdk", "use_stripe_sdk": {"url": "https://not.example/"}}, None),
        ({"type": "redirect_to_url", "redirect_to_url": {"url": "javascript:alert(1)"}}, None),
        ({"type": "redirect_to_url", "redirect_to_url": {"url": None}}, None),
        ({"type": "a_new_action"}, None),
        ({}, None),
    ],
)
def test_the_next_action_is_a_page_or_none(action: dict[str, Any], url: str | None) -> None:
    assert parsed(status="requires_action", next_action=action).action_url == url


@pytest.mark.parametrize(
    ("shape", "pays"),
    [
        ({"invoice": "in_1"}, True),
        ({"invoice": {"id": "in_1", "object": "invoice"}}, True),
        ({"invoice": None}, False),
        ({}, False),
    ],
)
def test_a_payment_of_an_older_version_says_itself_whether_it_pays_an_invoice(
    shape: dict[str, object], pays: bool
) -> None:
    assert parsed(**shape).pays_provider_invoice is pays


def test_a_payment_of_a_newer_version_pays_an_invoice_when_the_list_says_so() -> None:
    """Incident: a failed renewal was booked as a top-up, because the payment no longer names its invoice."""
    fact = fact_of(intent(), ASKED, pays={"invoice": "in_7"})

    assert isinstance(fact, IntentFact)
    assert (fact.pays_provider_invoice, fact.invoice_ref) == (True, "in_7")


@pytest.mark.parametrize("currency", sorted(CURRENCIES))
def test_every_currency_comes_over_in_its_own_minor_units(currency: str) -> None:
    assert parsed(currency=currency.lower()).amount == Money(7000, currency)


@pytest.mark.parametrize("currency", ["xxx", "", None, "us", "usd1", 7, "u\u017fd", "\u00fcsd", "btc"])
def test_an_unknown_currency_is_unreadable(currency: object) -> None:
    assert "currency" in why(intent(currency=currency))


@pytest.mark.parametrize(
    "minor", [-1, 1.5, 70.0, "7000", None, True, [], {}, 2**63, 10**30, float("inf")], ids=lambda minor: repr(minor)[:9]
)
@pytest.mark.parametrize("name", ["amount", "amount_received"])
def test_an_amount_that_the_books_can_not_hold_is_unreadable(name: str, minor: object) -> None:
    fact = fact_of(intent(**{name: minor}), ASKED)

    assert isinstance(fact, UnreadableFact)
    assert fact.ref == "pi_1"


def test_the_largest_amount_that_the_books_can_hold_is_read() -> None:
    assert parsed(amount=2**63 - 1).amount.minor == 2**63 - 1


@pytest.mark.parametrize("fee", [-1, 1.5, 2**63, None])
def test_a_fee_that_can_not_be_booked_is_not_dropped_in_silence(fee: object) -> None:
    charge = {"id": "ch_1", "balance_transaction": {"id": "txn_1", "fee": fee, "currency": "usd"}}

    assert why(intent(latest_charge=charge))


def test_an_unreadable_object_without_an_id_goes_by_the_one_that_was_asked_for() -> None:
    assert fact_of({"object": "payment_intent"}, ASKED) == UnreadableFact(ASKED, "currency is missing")
    assert fact_of(intent(id=7), ASKED) == UnreadableFact(ASKED, "id is not an id")


@pytest.mark.parametrize("doc", [{}, {"object": None}, {"object": "payout", "id": "po_1"}, {"object": ["x"]}])
def test_an_object_that_no_rule_reads_is_unreadable(doc: dict[str, object]) -> None:
    assert "is not one that is read" in why(doc)


def test_a_hosted_checkout_with_a_payment_is_that_payment() -> None:
    session = {"id": "cs_1", "object": "checkout.session", "payment_intent": intent(), "metadata": {}}

    fact = fact_of(session, ASKED)

    assert isinstance(fact, IntentFact)
    assert (fact.ref, fact.session_ref) == ("pi_1", "cs_1")


def test_a_hosted_checkout_without_a_payment_is_a_session() -> None:
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        "payment_intent": None,
        "status": "expired",
        "payment_status": "unpaid",
        "metadata": {"order": "7"},
    }

    assert fact_of(session, ASKED) == SessionFact(ProviderRef("cs_1"), "expired", "unpaid", {"order": "7"})


def test_a_hosted_checkout_whose_payment_came_as_an_id_is_unreadable() -> None:
    """It has a payment that we did not see: calling it a session without one would lose money."""
    assert "not expanded" in why({"id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1"})


def test_a_customer_names_the_default_method() -> None:
    customer = {
        "id": "cus_1",
        "object": "customer",
        "invoice_settings": {"default_payment_method": {"id": "pm_1", "object": "payment_method"}},
        "metadata": {"counterfoil_customer": "cust_1"},
    }

    assert fact_of(customer, ASKED) == CustomerFact(
        ProviderRef("cus_1"), False, ProviderRef("pm_1"), {"counterfoil_customer": "cust_1"}
    )


def test_a_deleted_customer_keeps_its_id_alone() -> None:
    stub = {"id": "cus_1", "object": "customer", "deleted": True}

    assert fact_of(stub, ASKED) == CustomerFact(ProviderRef("cus_1"), deleted=True)


def test_a_card_is_a_method_with_a_fingerprint() -> None:
    card = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030, "fingerprint": "Xt5", "country": "DE"}
    method = {"id": "pm_1", "object": "payment_method", "type": "card", "card": card, "customer": "cus_1"}

    assert fact_of(method, ASKED) == MethodFact(
        ProviderRef("pm_1"), "card", ProviderRef("cus_1"), "visa", "4242", "2030-08", "Xt5", "DE"
    )


def test_a_bank_account_is_a_method_that_does_not_expire() -> None:
    account = {"bank_name": "STRIPE TEST BANK", "last4": "6789", "fingerprint": "F"}
    method = {"id": "pm_1", "object": "payment_method", "type": "us_bank_account", "us_bank_account": account}

    assert fact_of(method, ASKED) == MethodFact(
        ProviderRef("pm_1"), "us_bank_account", None, "STRIPE TEST BANK", "6789", None, "F"
    )


def test_texts_that_no_database_can_hold_are_made_storable() -> None:
    fact = parsed(metadata={"a\0": "b\ud800", "n": 7}, last_payment_error={"code": "x", "message": "m" * 9000})

    assert fact.metadata == {"a\ufffd": "b\ufffd"}
    assert fact.refusal is not None
    assert len(fact.refusal.message) == 500


def test_no_fact_shows_the_client_secret() -> None:
    assert "secret" not in repr(parsed())


def test_recorded_payments_and_checkouts_become_facts() -> None:
    facts: dict[str, list[type[Fact]]] = {}
    for path in recorded_events():
        payload = json.loads(path.read_bytes())["data"]["object"]
        facts.setdefault(payload["object"], []).append(type(fact_of(payload, ASKED)))

    assert facts["payment_intent"] == [IntentFact] * 3
    # Payloads carry the payment's id alone; a fetch expands it.
    assert facts["checkout.session"] == [UnreadableFact]
    assert {kind for found in facts.values() for kind in found} == {IntentFact, RefundFact, UnreadableFact}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [*sorted(intent()), "invoice", "deleted", "invoice_settings", "type", "card", "payment_status", "livemode"]


@given(
    kind=st.sampled_from(["payment_intent", "checkout.session", "customer", "payment_method"]),
    changes=st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_an_object_with_any_field_gone_odd_is_a_fact(kind: str, changes: dict[str, object]) -> None:
    fact = fact_of(intent(object=kind) | changes, ASKED)

    assert fact.ref
    assert not isinstance(fact, UnreadableFact) or fact.why


@given(
    name=st.sampled_from(["latest_charge", "next_action", "last_payment_error", "customer", "card"]),
    inner=st.dictionaries(
        st.sampled_from(
            ["id", "type", "code", "charge", "message", "balance_transaction", "fee", "currency", "exp_year"]
        ),
        ANY_JSON,
    ),
)
@settings(max_examples=200, deadline=None)
def test_an_object_with_anything_inside_is_a_fact(name: str, inner: dict[str, object]) -> None:
    assert fact_of(intent(**{name: inner}), ASKED).ref
