"""Whose payment is it, the two steps of making one, and never two that may collect the same invoice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from behaviours import behaviour
from core.factories import (
    CUSTOMER,
    METHOD,
    NOW,
    Counting,
    customer,
    intent,
    invoice_id,
)
from core.part_paid import (
    CARD,
    CREDIT,
    PAYMENT,
    PI,
    card_of,
    hear,
    invoice_of,
    ours,
    part_paid,
)
from core.world import World
from counterfoil.core.books import (
    Allocation,
    Books,
    Case,
    Confirmation,
)
from counterfoil.core.effects import Act, Change, Decision, Defer, Instruct, Park, Reason, Skip, effects_of
from counterfoil.core.facts import LEG_MARK, IntentStatus
from counterfoil.core.ids import LegId, ProviderRef, typeid
from counterfoil.core.invoicing import decide_cancel
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import Money
from counterfoil.core.orders import CancelIntent, ConfirmIntent
from counterfoil.core.settlement import NAMED_WITHIN, decide_intent

# --- whose payment is it ---


def test_a_payment_nobody_asked_for_is_not_ours() -> None:
    decision, _ = hear(part_paid(), intent("pi_other", IntentStatus.SUCCEEDED))

    assert isinstance(decision, Skip)
    assert decision.why.reason is Reason.NOT_OURS


@behaviour("R-SU-8")
def test_our_mark_finds_the_leg_while_its_handle_is_missing() -> None:
    """The provider's news can be here before the reply to our own call."""
    decision, world = hear(part_paid(ref=None), ours(IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.INTENT_SETTLED
    assert card_of(world).provider_ref == PI


def claimed(**changes: Any) -> Books:
    return part_paid(confirmation=Confirmation.HOST, **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"customer_ref": ProviderRef("cus_other")}, Reason.CUSTOMER_MISMATCH),
        ({"amount": Money(7_000, "EUR"), "received": Money(7_000, "EUR")}, Reason.CURRENCY_MISMATCH),
    ],
)
def test_a_claim_that_does_not_fit_is_let_go(changes: dict[str, Any], reason: Reason) -> None:
    """Its money waits in suspense under its own id, and the leg forgets the id, so that it can be claimed aright."""
    decision, world = hear(claimed(), replace(intent(PI, IntentStatus.SUCCEEDED), **changes))

    assert isinstance(decision, Park)
    assert decision.why.reason is reason
    assert (card_of(world).status, card_of(world).provider_ref) == (LegStatus.REFUSED, None)
    assert world.books.payments[0].status is PaymentStatus.FAILED
    assert world.balance(f"suspense:{PI}") == 7_000
    assert not world.books.orders, "it is not canceled at the provider"


def test_a_claim_waits_for_the_customer_s_own_id_but_not_for_ever() -> None:
    held, fact = claimed(customer=customer(provider_ref=None)), intent(PI, IntentStatus.SUCCEEDED)

    young = decide_intent(held, fact, NOW + NAMED_WITHIN - timedelta(seconds=1), Counting())
    old = decide_intent(held, fact, NOW + NAMED_WITHIN, Counting())

    assert isinstance(young, Defer)
    assert old.why.reason is Reason.CUSTOMER_MISMATCH


def test_a_claim_of_a_payment_without_a_customer_has_nothing_to_compare() -> None:
    fact = replace(intent(PI, IntentStatus.SUCCEEDED), customer_ref=None)

    decision, _ = hear(claimed(customer=customer(provider_ref=None)), fact)

    assert decision.why.reason is Reason.INTENT_SETTLED


@pytest.mark.parametrize("mark", [CREDIT, "leg_unknown", PAYMENT])
def test_a_mark_alone_routes_no_money(mark: str) -> None:
    decision, world = hear(part_paid(), intent("pi_evil", IntentStatus.SUCCEEDED, metadata={LEG_MARK: mark}))

    assert decision.why.reason is Reason.NOT_OURS
    assert world.books == part_paid()


def test_a_mark_of_a_leg_with_another_handle_routes_no_money() -> None:
    decision, _ = hear(part_paid(), intent("pi_evil", IntentStatus.SUCCEEDED, metadata={LEG_MARK: CARD}))

    assert decision.why.reason is Reason.NOT_OURS


@behaviour("R-CO-5")
def test_a_checkout_s_payment_is_found_by_the_checkout() -> None:
    held = part_paid(confirmation=Confirmation.HOST, ref=ProviderRef("cs_1"))
    fact = replace(intent(PI, IntentStatus.SUCCEEDED), session_ref=ProviderRef("cs_1"))

    decision, world = hear(held, fact)

    assert decision.why.reason is Reason.INTENT_SETTLED
    assert card_of(world).provider_ref == PI


def test_a_customer_without_a_handle_yet_is_believed() -> None:
    decision, _ = hear(part_paid(customer=customer(provider_ref=None)), ours(IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.INTENT_SETTLED


# --- the two steps ---


def instructions(decision: Decision) -> list[Any]:
    return [each.order.instruction for each in effects_of(decision) if isinstance(each, Instruct)]


@behaviour("R-SU-8")
def test_a_payment_is_confirmed_only_once_its_handle_is_stored() -> None:
    decision, world = hear(part_paid(ref=None), ours(IntentStatus.NEEDS_CONFIRMATION))

    assert isinstance(decision, Act)
    first, *_ = decision.effects
    assert isinstance(first, Change)
    assert first.after == replace(part_paid(ref=None).legs[1], provider_ref=PI)
    assert instructions(decision) == [ConfirmIntent(CARD, PI, METHOD)]
    again = world.decide(lambda held: decide_intent(held, ours(IntentStatus.NEEDS_CONFIRMATION), NOW, world.new_id))
    assert instructions(again) == [], "a payment is confirmed once"


@pytest.mark.parametrize("confirmation", [Confirmation.CLIENT, Confirmation.HOST])
def test_what_the_browser_confirms_is_only_waited_for(confirmation: Confirmation) -> None:
    decision, world = hear(part_paid(confirmation=confirmation), ours(IntentStatus.NEEDS_METHOD))

    assert instructions(decision) == []
    assert card_of(world).status is LegStatus.REQUIRES_ACTION


@pytest.mark.parametrize("status", [IntentStatus.NEEDS_CONFIRMATION, IntentStatus.NEEDS_METHOD])
def test_a_payment_that_was_given_up_meanwhile_is_canceled_and_not_confirmed(status: IntentStatus) -> None:
    decision, world = hear(part_paid(LegStatus.CANCELED, ref=None), ours(status))

    assert instructions(decision) == [CancelIntent(CARD, PI)]
    again = world.decide(lambda held: decide_intent(held, ours(status), NOW, world.new_id))
    assert instructions(again) == []


@behaviour("R-CO-9")
def test_a_payment_whose_invoice_was_paid_meanwhile_is_canceled_and_not_confirmed() -> None:
    """Money of an earlier try came late, between our create and our confirm: the card must not be charged as well."""
    paid = part_paid(LegStatus.SETTLED).invoices[0]

    decision, _ = hear(part_paid(invoices=(paid,)), ours(IntentStatus.NEEDS_CONFIRMATION))

    assert instructions(decision) == [CancelIntent(CARD, PI)]


def test_a_canceled_payment_gives_its_credits_back() -> None:
    decision, world = hear(part_paid(), ours(IntentStatus.CANCELED))

    assert decision.why.reason is Reason.INTENT_CANCELED
    assert {leg.id: leg.status for leg in world.books.legs} == {CREDIT: "released", CARD: "canceled"}
    assert (world.books.grants[0].held, world.books.grants[0].remaining) == (0, 30_000_000)
    assert world.books.payments[0].status is PaymentStatus.CANCELED
    assert invoice_of(world).payment_status is PaymentStatus.PENDING


def test_an_authorized_payment_is_put_to_a_person_once() -> None:
    world = World(part_paid())
    for _ in range(3):
        decision = world.decide(lambda held: decide_intent(held, ours(IntentStatus.NEEDS_CAPTURE), NOW, world.new_id))
        assert isinstance(decision, Park)

    assert list(world.cases) == [(Reason.NOT_HANDLED_YET, PI)]


# --- one collector ---


def retried() -> Books:
    """The first card was refused; a second try waits for the first one's end."""
    first = part_paid(LegStatus.REFUSED)
    second = replace(first.legs[1], id=LegId(typeid("leg", 3)), status=LegStatus.WAITING, position=3, provider_ref=None)
    return replace(
        first,
        legs=(*first.legs, second),
        allocations=(*first.allocations, Allocation(second.id, invoice_id(), 7_000)),
    )


def test_the_next_try_begins_when_the_refused_one_has_ended() -> None:
    decision, world = hear(retried(), ours(IntentStatus.CANCELED))

    assert [type(each).__name__ for each in instructions(decision)] == ["CreateIntent"]
    assert [leg.status for leg in world.books.legs] == ["reserved", "canceled", "processing"]


def test_the_next_try_is_dropped_when_the_refused_one_was_paid_after_all() -> None:
    decision, world = hear(retried(), ours(IntentStatus.SUCCEEDED))

    assert decision.why.reason is Reason.LATE_SUCCESS
    assert [leg.status for leg in world.books.legs] == ["settled", "settled", "canceled"]
    assert invoice_of(world).status is InvoiceStatus.PAID
    assert instructions(decision) == []


@pytest.mark.parametrize("status", [IntentStatus.NEEDS_METHOD, IntentStatus.NEEDS_ACTION])
def test_a_refused_try_that_comes_back_to_life_is_given_up_again(status: IntentStatus) -> None:
    decision, world = hear(retried(), ours(status))

    assert instructions(decision) == [CancelIntent(CARD, PI)]
    again = world.decide(lambda held: decide_intent(held, ours(status), NOW, world.new_id))
    assert instructions(again) == []


def test_the_next_try_waits_for_every_refused_object_to_end() -> None:
    held = retried()
    another = replace(held.legs[1], id=LegId(typeid("leg", 4)), provider_ref=ProviderRef("pi_2"))

    decision, world = hear(replace(held, legs=(*held.legs, another)), ours(IntentStatus.CANCELED))

    assert instructions(decision) == []
    assert next(leg for leg in world.books.legs if leg.id == held.legs[2].id).status is LegStatus.WAITING


def test_two_legs_never_collect_at_once() -> None:
    held = retried()
    held = replace(held, legs=(*held.legs[:2], replace(held.legs[2], status=LegStatus.PROCESSING)))

    decision, world = hear(held, ours(IntentStatus.PROCESSING))

    assert isinstance(decision, Skip)
    assert card_of(world).status is LegStatus.REFUSED


def test_a_payment_that_is_given_up_waits_for_the_provider_s_word() -> None:
    world = World(part_paid())
    decision = world.decide(lambda held: decide_cancel(held, PAYMENT, NOW, world.new_id))

    assert instructions(decision) == [CancelIntent(CARD, PI)]
    assert world.books.grants[0].held == 30_000_000, "until it is sure, the credits stay reserved"
    paid = world.decide(lambda held: decide_intent(held, ours(IntentStatus.SUCCEEDED), NOW, world.new_id))
    assert paid.why.reason is Reason.INTENT_SETTLED, "cannot cancel, paid: that is evidence of payment"
    assert invoice_of(world).status is InvoiceStatus.PAID


def test_money_that_came_for_a_payment_whose_credits_went_back_is_never_shown_as_canceled() -> None:
    world = World(part_paid())
    world.decide(lambda held: decide_intent(held, ours(IntentStatus.CANCELED), NOW, world.new_id))

    world.decide(lambda held: decide_intent(held, ours(IntentStatus.SUCCEEDED), NOW, world.new_id))

    assert world.books.payments[0].status is PaymentStatus.SUCCEEDED
    assert (invoice_of(world).status, invoice_of(world).due_minor) == (InvoiceStatus.OPEN, 3_000)


def test_a_case_is_about_the_provider_s_object() -> None:
    decision, _ = hear(part_paid(), ours(IntentStatus.SUCCEEDED, 1))

    cases = [each.after for each in effects_of(decision) if isinstance(each, Change) and isinstance(each.after, Case)]
    assert [(each.subject, each.customer) for each in cases] == [(PI, CUSTOMER)]
    assert Counting()("case").startswith("case_")
