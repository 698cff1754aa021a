"""What was lost is found: objects by our mark in lists, and changes by the event list."""

import pytest

from counterfoil.core.facts import (
    IntentFact,
    Unknown,
)
from counterfoil.core.ids import CustomerId
from counterfoil.core.orders import AttachMethod, CreateCustomer, CreateIntent
from counterfoil.providers.port import ProviderUnavailable, Refs
from providers.provider_house import MINE, USD_70, ProviderHouse, done

INTENTS = "/v1/payment_intents"


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


def test_a_customer_is_found_by_our_mark_whatever_its_address_is_by_now(house: ProviderHouse) -> None:
    """Before, a customer whose address was erased during a lost call was made a second time."""
    number = house.leg()
    order, other = house.order(CreateCustomer(CustomerId(number))), house.order(CreateCustomer(CustomerId("cust_no")))
    address = f"{order.id}@example.com"
    made = done(house.provider.execute(order, Refs(email=address)))

    assert house.provider.find(order, Refs(email=address)) == made
    assert house.provider.find(order, Refs(email="nobody@example.com")) == made
    assert house.provider.find(order, Refs()) == made
    assert house.provider.find(other, Refs(email=address)) is None


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


def catch_up(house: ProviderHouse, cursor: str | None) -> str | None:
    more = True
    while more:
        changes = house.provider.changes_since(cursor)
        cursor, more = changes.cursor, changes.more
    return cursor
