"""What the engine may rely on from a provider, held against the sandbox or Stripe itself."""

from dataclasses import replace

import pytest

from behaviours import behaviour
from counterfoil.core.facts import (
    CustomerFact,
    IntentFact,
    IntentStatus,
    MethodFact,
    MissingFact,
    Refusal,
    Refused,
    UnreadableFact,
)
from counterfoil.core.ids import LegId, ProviderRef
from counterfoil.core.money import Money
from counterfoil.core.orders import AttachMethod, ConfirmIntent, CreateCustomer, CreateIntent, UpdateCustomer
from counterfoil.providers.port import Refs
from counterfoil.providers.stripe.calls import Reply
from providers.provider_house import CARD, MINE, USD_70, ProviderHouse, done


def test_a_customer_is_made_once_per_key(house: ProviderHouse) -> None:
    order = house.order(CreateCustomer(MINE))
    refs = Refs(email="ada@example.com", name="Ada")

    first = done(house.provider.execute(order, refs))
    again = done(house.provider.execute(order, refs))

    assert isinstance(first, CustomerFact)
    assert again == first
    assert first.metadata == {"counterfoil_customer": MINE}
    assert house.provider.fetch("customer", first.ref) == first


def test_a_card_is_saved_for_its_customer(house: ProviderHouse) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, "pm_card_visa", make_default=False))

    method = done(house.provider.execute(order, Refs(customer_ref=customer.ref)))

    assert isinstance(method, MethodFact)
    assert (method.kind, method.brand, method.last4) == ("card", "visa", "4242")
    assert method.customer_ref == customer.ref
    assert method.fingerprint
    assert house.provider.fetch("payment_method", method.ref) == method


def test_a_saved_card_can_be_made_the_default_in_the_same_order(house: ProviderHouse) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, "pm_card_visa", make_default=True))
    refs = Refs(customer_ref=customer.ref)

    method = done(house.provider.execute(order, refs))

    current = house.provider.fetch("customer", customer.ref)
    assert isinstance(current, CustomerFact)
    assert current.default_method_ref == method.ref
    assert done(house.provider.execute(order, refs)) == method


def test_a_card_token_becomes_a_saved_card(house: ProviderHouse) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, "tok_mastercard", make_default=False))

    method = done(house.provider.execute(order, Refs(customer_ref=customer.ref)))

    assert isinstance(method, MethodFact)
    assert (method.brand, method.customer_ref) == ("mastercard", customer.ref)
    assert done(house.provider.execute(order, Refs(customer_ref=customer.ref))) == method


def test_a_card_that_can_not_be_saved_is_refused(house: ProviderHouse) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, "pm_card_chargeDeclined", make_default=True))

    outcome = house.provider.execute(order, Refs(customer_ref=customer.ref))

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "card_declined"
    current = house.provider.fetch("customer", customer.ref)
    assert isinstance(current, CustomerFact)
    assert current.default_method_ref is None


def test_the_same_card_has_the_same_fingerprint_under_two_ids(house: ProviderHouse) -> None:
    """Incident: a retried checkout left two copies of one card."""
    first, second = (house.provider.fetch("payment_method", ref_of(house.saved())) for _ in range(2))

    assert isinstance(first, MethodFact)
    assert isinstance(second, MethodFact)
    assert first.ref != second.ref
    assert first.fingerprint == second.fingerprint


@behaviour("R-SU-8")
def test_a_payment_is_made_before_money_can_move(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.intent_order()

    fact = done(house.provider.execute(order, refs))

    assert isinstance(fact, IntentFact)
    assert isinstance(order.instruction, CreateIntent)
    assert fact.status is IntentStatus.NEEDS_CONFIRMATION
    assert (fact.amount, fact.received) == (USD_70, Money(0, "USD"))
    assert (fact.customer_ref, fact.method_ref) == (refs.customer_ref, refs.method_ref)
    assert fact.metadata == {"counterfoil_leg": order.instruction.leg, "counterfoil_customer": MINE}
    assert not fact.pays_provider_invoice


def test_a_confirmed_payment_collects_and_knows_its_charge_and_fee(house: ProviderHouse) -> None:
    refs = house.saved()
    intent = house.intent(refs)

    paid = done(house.provider.execute(house.confirm_order(intent), refs))

    assert isinstance(paid, IntentFact)
    assert (paid.ref, paid.status, paid.received) == (intent.ref, IntentStatus.SUCCEEDED, USD_70)
    assert paid.charge_ref
    assert paid.charge_fee is not None
    assert 0 < paid.charge_fee.fee.minor < 7000
    assert paid.means == "visa 4242"
    assert house.provider.fetch("payment_intent", intent.ref) == paid


@pytest.mark.parametrize("kind", ["charge", "refund", "dispute"])
def test_news_of_a_charge_refund_or_dispute_is_looked_at_through_its_payment(house: ProviderHouse, kind: str) -> None:
    intent = house.intent(house.saved())

    assert house.provider.fetch(kind, intent.ref) == intent


@pytest.mark.parametrize(
    "amount", [Money(7000, "JPY"), Money(7000, "KWD"), Money(4000, "ISK"), Money(99, "USD")], ids=str
)
def test_amounts_cross_the_border_in_their_own_minor_units(house: ProviderHouse, amount: Money) -> None:
    refs = house.saved()
    intent = house.intent(refs, amount)

    assert intent.amount == amount


def test_a_declined_payment_says_why_and_can_be_tried_again(house: ProviderHouse) -> None:
    refs = house.saved("pm_card_chargeCustomerFail")
    intent = house.intent(refs)

    outcome = house.provider.execute(house.confirm_order(intent), refs)

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "card_declined"
    assert outcome.refusal.decline_code
    assert outcome.refusal.try_ref
    assert isinstance(outcome.fact, IntentFact)
    assert outcome.fact.status is IntentStatus.NEEDS_METHOD
    assert outcome.fact.received.minor == 0
    assert outcome.fact.refusal == outcome.refusal


def test_a_replayed_decline_is_the_same_decline(house: ProviderHouse) -> None:
    """The provider stores a 402 under the key: replaying it never collects."""
    refs = house.saved("pm_card_chargeCustomerFail")
    order = house.confirm_order(house.intent(refs))

    assert house.provider.execute(order, refs) == house.provider.execute(order, refs)


def test_a_card_that_wants_its_owner_is_refused_while_the_owner_is_away(house: ProviderHouse) -> None:
    refs = house.saved("pm_card_authenticationRequired")
    intent = house.intent(refs)

    outcome = house.provider.execute(house.confirm_order(intent), refs)

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "authentication_required"
    assert isinstance(outcome.fact, IntentFact)
    assert outcome.fact.received.minor == 0


def test_a_payment_for_the_browser_comes_with_its_secret_and_without_a_method(house: ProviderHouse) -> None:
    refs = house.saved()

    fact = done(house.provider.execute(house.intent_order(by_us=False), refs))

    assert isinstance(fact, IntentFact)
    assert fact.status is IntentStatus.NEEDS_METHOD
    assert fact.method_ref is None
    assert fact.client_secret
    assert fact.refusal is None


def test_a_payment_is_given_up(house: ProviderHouse) -> None:
    intent = house.intent(house.saved())

    given_up = done(house.provider.execute(house.cancel_order(intent), Refs()))

    assert isinstance(given_up, IntentFact)
    assert given_up.status is IntentStatus.CANCELED


def test_giving_up_a_paid_payment_is_refused_with_the_payment_as_evidence(house: ProviderHouse) -> None:
    refs = house.saved()
    intent = house.intent(refs)
    done(house.provider.execute(house.confirm_order(intent), refs))

    outcome = house.provider.execute(house.cancel_order(intent), Refs())

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "payment_intent_unexpected_state"
    assert isinstance(outcome.fact, IntentFact)
    assert outcome.fact.status is IntentStatus.SUCCEEDED


def test_confirming_a_payment_twice_under_two_keys_collects_once(house: ProviderHouse) -> None:
    refs = house.saved()
    intent = house.intent(refs)
    done(house.provider.execute(house.confirm_order(intent), refs))

    outcome = house.provider.execute(house.confirm_order(intent), refs)

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.fact, IntentFact)
    assert outcome.fact.received == USD_70


def test_a_key_that_comes_back_with_other_parameters_is_refused(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.intent_order()
    done(house.provider.execute(order, refs))
    changed = house.order(CreateIntent(LegId("leg_other"), MINE, Money(1, "USD"), CARD, "Other"))

    outcome = house.provider.execute(replace(changed, id=order.id), refs)

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "idempotency_error"
    assert outcome.fact is None


def test_an_instruction_about_nothing_is_refused(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.order(ConfirmIntent(LegId("leg_1"), ProviderRef("pi_nowhere"), CARD))

    outcome = house.provider.execute(order, refs)

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "resource_missing"


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("payment_intent", "pi_nowhere"),
        ("customer", "cus_nowhere"),
        ("payment_method", "pm_nowhere"),
        ("invoice", "in_nowhere"),
    ],
)
def test_what_the_provider_does_not_know_is_missing(house: ProviderHouse, kind: str, ref: str) -> None:
    assert house.provider.fetch(kind, ProviderRef(ref)) == MissingFact(ProviderRef(ref))


@pytest.mark.parametrize("kind", ["credit_note", "payout", "", "../customers"])
def test_objects_that_no_rule_reads_are_not_asked_for(house: ProviderHouse, kind: str) -> None:
    fact = house.provider.fetch(kind, ProviderRef("in_1"))

    assert isinstance(fact, UnreadableFact)


@pytest.mark.parametrize(
    "ref", ["../customers", "pi_1/confirm", "pi_1?limit=1", "pi_1#", "%2e%2e", "..", "é", "", "a b"]
)
def test_an_id_never_becomes_another_address(house: ProviderHouse, ref: str) -> None:
    assert house.provider.fetch("payment_intent", ProviderRef(ref)) == MissingFact(ProviderRef(ref))


@pytest.mark.parametrize("token", ["../customers/cus_1", "pm_1/detach", "", "pm_card visa", "pm_card_nowhere"])
def test_a_token_that_is_none_is_refused(house: ProviderHouse, token: str) -> None:
    customer = house.customer()
    order = house.order(AttachMethod(MINE, token, make_default=True))

    outcome = house.provider.execute(order, Refs(customer_ref=customer.ref))

    assert isinstance(outcome, Refused)
    assert outcome.refusal.code == "resource_missing"


def test_a_payment_of_the_host_application_stands_alone_when_no_invoice_claims_it(house: ProviderHouse) -> None:
    refs = house.saved()
    caller = house.port.caller(house.credentials)
    params = {"amount": 500, "currency": "usd", "customer": refs.customer_ref, "metadata": {"theirs": "1"}}
    made = caller.post("/v1/payment_intents", params, house.order(CreateCustomer(MINE)).key)
    assert isinstance(made, Reply)

    fact = house.provider.fetch("payment_intent", ProviderRef(str(made.doc["id"])))

    assert isinstance(fact, IntentFact)
    assert not fact.pays_provider_invoice
    assert fact.metadata == {"theirs": "1"}


@pytest.mark.parametrize("version", ["2025-02-24.acacia", "2025-04-30.basil", "2026-08-26.dahlia", None])
def test_a_payment_reads_the_same_in_every_api_version(house: ProviderHouse, version: str | None) -> None:
    refs = house.saved()
    intent = house.intent(refs)
    paid = done(house.provider.execute(house.confirm_order(intent), refs))

    pinned = house.port.open(replace(house.credentials, api_version=version))

    assert pinned.fetch("payment_intent", intent.ref) == paid


def test_a_connected_accounts_objects_are_its_own(house: ProviderHouse) -> None:
    if house.control is None:
        pytest.skip("needs a connected account")
    mine = house.customer()
    house.credentials = replace(house.credentials, connected_account="acct_connected")

    assert house.provider.fetch("customer", mine.ref) == MissingFact(mine.ref)
    theirs = house.customer()
    assert house.provider.fetch("customer", theirs.ref) == theirs


def ref_of(refs: Refs) -> ProviderRef:
    assert refs.method_ref is not None
    return refs.method_ref


def test_a_customer_s_name_and_address_are_set_and_cleared(house: ProviderHouse) -> None:
    made = house.customer()
    refs = Refs(made.ref, email="lovelace@example.com", name="Ada")

    told = done(house.provider.execute(house.order(UpdateCustomer(MINE)), refs))
    again = done(house.provider.execute(house.order(UpdateCustomer(MINE), try_no=2), Refs(made.ref)))

    assert told == again == house.provider.fetch("customer", made.ref)


def test_a_customer_that_the_provider_does_not_have_can_t_be_changed(house: ProviderHouse) -> None:
    outcome = house.provider.execute(house.order(UpdateCustomer(MINE)), Refs(ProviderRef("cus_nobody"), name="Ada"))

    assert outcome == Refused(Refusal("resource_missing"))
