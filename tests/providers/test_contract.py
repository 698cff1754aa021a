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
    Refused,
    Unfinished,
    Unknown,
    UnreadableFact,
)
from counterfoil.core.ids import LegId, ProviderRef
from counterfoil.core.money import Money
from counterfoil.core.orders import STORED_ERROR, AttachMethod, ConfirmIntent, CreateCustomer, CreateIntent
from counterfoil.providers.port import ProviderUnavailable, Refs
from counterfoil.providers.stripe.calls import Reply
from providers.provider_house import CARD, MINE, USD_70, ProviderHouse, done

CONFIRM = "/v1/payment_intents/*/confirm"
INTENTS = "/v1/payment_intents"


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
    ],
)
def test_what_the_provider_does_not_know_is_missing(house: ProviderHouse, kind: str, ref: str) -> None:
    assert house.provider.fetch(kind, ProviderRef(ref)) == MissingFact(ProviderRef(ref))


@pytest.mark.parametrize("kind", ["invoice", "payout", "", "../customers"])
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


# Trouble.


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


# Looking things up.


@pytest.mark.parametrize("others", [0, 3])
def test_a_payment_whose_creation_was_lost_is_found_by_our_mark(house: ProviderHouse, others: int) -> None:
    refs = house.saved()
    order = house.intent_order()
    house.trouble("timeout_after", INTENTS)
    assert house.provider.execute(order, refs) == Unknown("no_reply")
    for _ in range(others):
        house.intent(refs)

    found = house.provider.find(order, refs)

    assert isinstance(found, IntentFact)
    assert isinstance(order.instruction, CreateIntent)
    assert found.metadata["counterfoil_leg"] == order.instruction.leg
    assert found.amount == USD_70


def test_a_payment_that_never_reached_the_provider_is_found_to_be_none(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.intent_order()
    house.trouble("timeout_before", INTENTS)
    assert house.provider.execute(order, refs) == Unknown("no_reply")

    assert house.provider.find(order, refs) is None


def test_a_payment_is_not_found_among_another_customers(house: ProviderHouse) -> None:
    order = house.intent_order()
    done(house.provider.execute(order, house.saved()))

    assert house.provider.find(order, house.saved()) is None


def test_a_lookup_without_an_answer_is_unavailable_never_none(house: ProviderHouse) -> None:
    refs = house.saved()
    order = house.intent_order()
    house.trouble("timeout_before", INTENTS, method="GET")

    with pytest.raises(ProviderUnavailable):
        house.provider.find(order, refs)


def test_a_payment_deep_in_a_long_list_is_found_on_a_later_page(house: ProviderHouse) -> None:
    if house.control is None:
        pytest.skip("a hundred payments are too many for Stripe's test mode")
    refs = house.saved()
    order = house.intent_order()
    wanted = done(house.provider.execute(order, refs))
    for _ in range(101):
        house.intent(refs)

    found = house.provider.find(order, refs)

    assert found == wanted


def test_a_customer_is_found_by_our_mark_among_those_of_its_address(house: ProviderHouse) -> None:
    order = house.order(CreateCustomer(MINE))
    address = f"{order.id}@example.com"
    made = done(house.provider.execute(order, Refs(email=address)))

    assert house.provider.find(order, Refs(email=address)) == made
    assert house.provider.find(order, Refs(email="nobody@example.com")) is None
    assert house.provider.find(order, Refs()) is None


def test_a_saved_method_is_found_when_its_token_is_its_own_id(house: ProviderHouse) -> None:
    refs = house.saved()
    assert refs.method_ref is not None
    own_id = house.order(AttachMethod(MINE, refs.method_ref, make_default=False))
    test_token = house.order(AttachMethod(MINE, "pm_card_visa", make_default=False))

    assert house.provider.find(own_id, refs) == house.provider.fetch("payment_method", refs.method_ref)
    assert house.provider.find(test_token, refs) is None
    assert house.provider.find(own_id, house.saved()) is None


def test_a_method_that_is_saved_but_not_yet_the_default_is_not_found(house: ProviderHouse) -> None:
    refs = house.saved()
    assert refs.method_ref is not None
    order = house.order(AttachMethod(MINE, refs.method_ref, make_default=True))

    assert house.provider.find(order, refs) is None
    done(house.provider.execute(order, refs))
    assert house.provider.find(order, refs) == house.provider.fetch("payment_method", refs.method_ref)


def test_orders_about_a_known_payment_are_looked_up_by_its_id(house: ProviderHouse) -> None:
    refs = house.saved()
    intent = house.intent(refs)

    assert house.provider.find(house.confirm_order(intent), refs) == intent
    assert house.provider.find(house.cancel_order(intent), refs) == intent


# History.


def test_the_history_is_read_upwards_with_no_gap_and_nothing_twice(house: ProviderHouse) -> None:
    refs = house.saved()
    before = catch_up(house, None)
    intent = house.intent(refs)
    done(house.provider.execute(house.confirm_order(intent), refs))

    changes = house.provider.changes_since(before)

    kinds = [notice.kind for notice, _ in changes.notices if notice.subject_ref == intent.ref]
    assert kinds[0] == "payment_intent.created"
    assert "payment_intent.succeeded" in kinds
    assert changes.more is False
    assert house.provider.changes_since(changes.cursor).notices == ()
    assert house.provider.changes_since(changes.cursor).cursor == changes.cursor


def test_a_history_of_several_pages_is_read_whole_from_its_beginning(house: ProviderHouse) -> None:
    if house.control is None:
        pytest.skip("reads an account's whole history")
    for _ in range(230):
        house.customer()

    seen, cursor, pages = [], None, 0
    while True:
        changes = house.provider.changes_since(cursor)
        seen += [notice for notice, _ in changes.notices]
        cursor, pages = changes.cursor, pages + 1
        if not changes.more:
            break

    assert pages >= 2
    assert len(seen) == 230
    assert len({notice.provider_event for notice in seen}) == 230
    assert [notice.occurred_at for notice in seen] == sorted(notice.occurred_at for notice in seen)


def test_a_cursor_that_the_provider_has_forgotten_starts_over(house: ProviderHouse) -> None:
    if house.control is None:
        pytest.skip("reads an account's history from its beginning")
    customer = house.customer()

    changes = house.provider.changes_since("evt_long_gone")

    assert [notice.subject_ref for notice, _ in changes.notices] == [customer.ref]


def test_a_history_without_an_answer_is_unavailable(house: ProviderHouse) -> None:
    house.trouble("timeout_before", "/v1/events", method="GET")

    with pytest.raises(ProviderUnavailable):
        house.provider.changes_since(None)


def ref_of(refs: Refs) -> ProviderRef:
    assert refs.method_ref is not None
    return refs.method_ref


def catch_up(house: ProviderHouse, cursor: str | None) -> str | None:
    more = True
    while more:
        changes = house.provider.changes_since(cursor)
        cursor, more = changes.cursor, changes.more
    return cursor
