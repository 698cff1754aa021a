"""Customers and saved methods: what a command does, and what the provider says about them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.factories import CUSTOMER_REF, METHOD, NOW, Counting, books, customer, method
from core.world import World
from counterfoil.core.books import Books, default_method
from counterfoil.core.customers import (
    decide_add_method,
    decide_customer_fact,
    decide_method_fact,
)
from counterfoil.core.effects import Decision, Observe, Reason, Refuse, Skip, effects_of
from counterfoil.core.facts import CustomerFact, MethodFact
from counterfoil.core.ids import MethodId, ProviderRef
from counterfoil.core.money import ServiceUnit

TOKEN = ServiceUnit("token", 0)
CARD = MethodFact(ProviderRef("pm_card1"), "card", CUSTOMER_REF, "visa", "4242")
NEW = MethodFact(ProviderRef("pm_new"), "card", CUSTOMER_REF, "visa", "1881")


def hear(fact: MethodFact | CustomerFact, held: Books | None = None, **how: Any) -> tuple[Decision, World]:
    world = World(held or books())
    if isinstance(fact, CustomerFact):
        return world.decide(lambda read: decide_customer_fact(read, fact, NOW, **how)), world
    return world.decide(lambda read: decide_method_fact(read, fact, NOW, world.new_id, **how)), world


# --- methods ---


def test_a_method_is_the_default_only_when_that_was_asked_for() -> None:
    """That the first one is what is charged without a default is another rule, which then makes it the default."""
    _, first = hear(NEW, books(methods=()))
    _, later = hear(NEW)
    _, chosen = hear(NEW, make_default=True)

    assert [each.is_default for each in first.books.methods] == [False]
    assert {each.provider_ref: each.is_default for each in later.books.methods} == {"pm_card1": True, "pm_new": False}
    assert {each.provider_ref: each.is_default for each in chosen.books.methods} == {"pm_card1": False, "pm_new": True}


def test_what_is_known_of_a_method_is_no_news() -> None:
    decision, world = hear(CARD)

    assert isinstance(decision, Skip)
    assert world.books == books()


def test_a_changed_card_keeps_its_id_and_its_place() -> None:
    _, world = hear(replace(CARD, last4="0000", expires="12/34"))

    assert world.books.methods == (method(last4="0000", expires="12/34"),)


@pytest.mark.parametrize("owner", [None, ProviderRef("cus_other")])
def test_a_method_that_left_the_customer_can_t_be_charged_any_more(owner: ProviderRef | None) -> None:
    decision, world = hear(replace(CARD, customer_ref=owner), books(methods=(method(), method(2))))

    assert decision.why.reason is Reason.METHOD_DETACHED
    assert not world.books.methods[0].attached
    assert default_method(world.books) == method(2)
    again = decide_method_fact(world.books, replace(CARD, customer_ref=owner), NOW, world.new_id)
    assert isinstance(again, Skip)


def test_a_method_of_somebody_else_is_not_ours() -> None:
    decision, world = hear(replace(NEW, customer_ref=ProviderRef("cus_other")))

    assert decision.why.reason is Reason.NOT_OURS
    assert world.books == books()


def test_no_method_is_saved_for_a_customer_that_is_gone() -> None:
    held = books(customer=customer(deleted_at_provider=True))
    decision = decide_add_method(held, "pm_card_visa", False, MethodId("pmeth_x"), NOW, Counting())

    assert isinstance(decision, Refuse)


# --- customers ---


def test_a_customer_that_was_deleted_at_the_provider_can_t_be_charged() -> None:
    decision, world = hear(CustomerFact(CUSTOMER_REF, deleted=True))

    assert decision.why.reason is Reason.CUSTOMER_DELETED
    assert world.books.customer.deleted_at_provider
    assert default_method(world.books) is None
    assert isinstance(decide_customer_fact(world.books, CustomerFact(CUSTOMER_REF, deleted=True), NOW), Skip)


def test_the_default_method_follows_the_provider() -> None:
    held = books(methods=(method(), method(2)))
    decision, world = hear(CustomerFact(CUSTOMER_REF, default_method_ref=ProviderRef("pm_card2")), held)

    assert decision.why.reason is Reason.METHOD_SAVED
    assert default_method(world.books) == method(2, is_default=True)


@pytest.mark.parametrize("ref", [None, ProviderRef("pm_card1"), ProviderRef("pm_unknown")])
def test_a_customer_that_says_nothing_new_changes_nothing(ref: ProviderRef | None) -> None:
    decision, world = hear(CustomerFact(CUSTOMER_REF, default_method_ref=ref))

    assert isinstance(decision, Skip)
    assert world.books == books()


def test_the_default_method_does_not_depend_on_the_order_of_rows() -> None:
    cards = (method(is_default=False), method(2), method(3, created_at=NOW - timedelta(days=1)))

    assert default_method(books(methods=cards)) == default_method(books(methods=cards[::-1])) == cards[2]
    assert cards[0].id == METHOD


def test_the_default_of_invoices_stands_before_a_source_of_older_times() -> None:
    held = books(methods=(method(), method(2, provider_ref=ProviderRef("card_old"))))
    card = ProviderRef("card_old")
    both = CustomerFact(CUSTOMER_REF, default_method_ref=ProviderRef("pm_card1"), default_source_ref=card)
    source_only = CustomerFact(CUSTOMER_REF, default_source_ref=card)

    _, first = hear(both, held)
    _, second = hear(source_only, held)

    assert default_ref(first) == "pm_card1"
    assert default_ref(second) == "card_old"


def test_a_default_source_that_nobody_told_us_of_is_looked_at_once() -> None:
    fact = CustomerFact(CUSTOMER_REF, default_source_ref=ProviderRef("card_old"))

    heard, _ = hear(fact)
    looked, _ = hear(fact, looked=True)

    looks = [each for each in effects_of(heard) if isinstance(each, Observe)]
    assert [(each.kind, each.ref) for each in looks] == [("payment_method", "card_old"), ("customer", CUSTOMER_REF)]
    assert isinstance(looked, Skip)


def test_a_balance_that_is_not_as_our_books_have_it_is_looked_at() -> None:
    fact = CustomerFact(CUSTOMER_REF, currency="USD", balance_minor=-2000)

    moved, world = hear(fact)
    same, _ = hear(fact, world.books, credit_minor=2000)

    looks = [each.ref for each in effects_of(moved) if isinstance(each, Observe)]
    assert looks == [f"{CUSTOMER_REF}:balance"]
    assert world.books.customer.currency == "USD"
    assert isinstance(same, Skip)


def default_ref(world: World) -> str | None:
    return next((each.provider_ref for each in world.books.methods if each.is_default), None)
