"""Whatever goes wrong between us and the provider, the outcome says truly whether money may have moved."""

from dataclasses import replace

import pytest

from behaviours import behaviour
from counterfoil.core.facts import (
    CustomerFact,
    IntentFact,
    Unfinished,
    Unknown,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import STORED_ERROR, AttachMethod, CreateCustomer
from counterfoil.providers.port import ProviderUnavailable, Refs
from providers.provider_house import MINE, USD_70, ProviderHouse, done

CONFIRM = "/v1/payment_intents/*/confirm"
INTENTS = "/v1/payment_intents"


def test_nothing_was_sent_when_nobody_listens(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.intent_order()
    if house.credentials.base_url != "http://sandbox.test":
        house.credentials = replace(house.credentials, base_url="http://127.0.0.1:1")
    else:
        house.trouble("refuse", INTENTS)

    assert house.provider.execute(order, refs) == Unfinished("not reachable", 2)


@behaviour("R-SU-8", "R-SU-9")
@pytest.mark.parametrize("do", ["timeout_before", "timeout_after", "reset"])
def test_without_a_reply_a_payment_is_unknown_and_a_replay_settles_it(house: ProviderHouse, do: str) -> None:
    refs = house.saved()
    intent = house.intent(refs)
    order = house.confirm_order(intent)
    house.trouble(do, CONFIRM)

    lost = house.provider.execute(order, refs)
    again = done(house.provider.execute(order, refs))

    assert lost == Unknown("no_reply")
    assert isinstance(again, IntentFact)
    assert again.received == USD_70
    assert house.charges() == 1


@pytest.mark.parametrize(("when", "charges"), [("before", 0), ("after", 1)])
def test_a_stored_server_error_is_unknown_and_a_fetch_settles_it(house: ProviderHouse, when: str, charges: int) -> None:
    """Replaying it is idle: the provider stored the 500 under the key."""
    refs = house.saved()
    intent = house.intent(refs)
    house.trouble("status", CONFIRM, {"status": 500, "when": when})

    outcome = house.provider.execute(house.confirm_order(intent), refs)

    assert outcome == Unknown(STORED_ERROR)
    fact = house.provider.fetch("payment_intent", intent.ref)
    assert isinstance(fact, IntentFact)
    assert fact.received.minor == 7000 * charges
    assert house.charges() == charges


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateways_error_is_no_reply(house: ProviderHouse, status: int) -> None:
    refs = house.saved()
    order = house.confirm_order(house.intent(refs))
    house.trouble("status", CONFIRM, {"status": status})

    assert house.provider.execute(order, refs) == Unknown("no_reply")
    assert done(house.provider.execute(order, refs)).received == USD_70


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"status": 429}, "rate_limit"),
        ({"status": 429, "code": "lock_timeout"}, "lock_timeout"),
        ({"status": 409}, "idempotency_key_in_use"),
    ],
)
def test_a_busy_provider_is_asked_again_under_the_same_key(
    house: ProviderHouse, options: dict[str, object], why: str
) -> None:
    refs = house.saved()
    order = house.confirm_order(house.intent(refs))
    house.trouble("status", CONFIRM, options)

    busy = house.provider.execute(order, refs)

    assert busy == Unfinished(why, 1)
    assert done(house.provider.execute(order, refs)).received == USD_70
    assert house.charges() == 1


def test_trouble_after_the_card_was_saved_leaves_the_order_replayable(house: ProviderHouse) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, "pm_card_visa", make_default=True))
    refs = Refs(customer_ref=customer.ref)
    house.trouble("timeout_before", f"/v1/customers/{customer.ref}")

    lost = house.provider.execute(order, refs)
    method = done(house.provider.execute(order, refs))

    assert lost == Unknown("no_reply")
    current = house.provider.fetch("customer", customer.ref)
    assert isinstance(current, CustomerFact)
    assert current.default_method_ref == method.ref


@pytest.mark.parametrize(
    "trouble",
    [("timeout_before", {}), ("reset", {}), ("refuse", {}), ("status", {"status": 500}), ("status", {"status": 429})],
)
def test_a_question_without_an_answer_is_unavailable_never_missing(
    house: ProviderHouse, trouble: tuple[str, dict[str, object]]
) -> None:
    intent = house.intent(house.saved())
    do, options = trouble
    house.trouble(do, f"/v1/payment_intents/{intent.ref}", options, "GET")

    with pytest.raises(ProviderUnavailable):
        house.provider.fetch("payment_intent", intent.ref)


def test_a_refused_key_is_unfinished_and_says_so(house: ProviderHouse) -> None:
    house.credentials = replace(house.credentials, secret_key="sk_test_")

    outcome = house.provider.execute(house.order(CreateCustomer(MINE)), Refs())

    assert isinstance(outcome, Unfinished)
    assert "401" in outcome.why
    with pytest.raises(ProviderUnavailable, match="401"):
        house.provider.fetch("customer", ProviderRef("cus_1"))
