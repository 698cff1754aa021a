"""What the outcome of our own call means: a lost reply concludes nothing, and a closed order stays closed."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from behaviours import behaviour
from core.factories import (
    ACCOUNT,
    CUSTOMER,
    CUSTOMER_REF,
    METHOD,
    NOW,
    Counting,
    books,
    customer,
    declined,
    fee,
    intent,
    method,
)
from core.part_paid import CARD, CARD_STATES, PAYMENT, PI, ours, part_paid
from core.world import World
from counterfoil.core.books import Books
from counterfoil.core.customers import decide_add_method, decide_create_customer
from counterfoil.core.effects import Act, Change, Decision, Instruct, Observe, Park, Reason, Skip, effects_of
from counterfoil.core.facts import (
    LEG_MARK,
    CustomerFact,
    Done,
    Fact,
    IntentStatus,
    MethodFact,
    MissingFact,
    Outcome,
    Refusal,
    Refused,
    Unfinished,
    Unknown,
)
from counterfoil.core.ids import MethodId, OrderId, ProviderRef
from counterfoil.core.lifecycle import LegStatus, OrderStatus, PaymentStatus
from counterfoil.core.money import Money
from counterfoil.core.orders import (
    IN_FLIGHT_MAX,
    KEY_WINDOW,
    STORED_ERROR,
    AttachMethod,
    CancelIntent,
    ConfirmIntent,
    CreateCustomer,
    CreateIntent,
    Instruction,
    Order,
    confirmed_by,
    must_ask_first,
    next_try,
)
from counterfoil.core.replies import decide_reply

CREATE = CreateIntent(CARD, CUSTOMER, Money(7_000, "USD"), METHOD, "INV-000001")
CONFIRM = ConfirmIntent(CARD, PI, METHOD)
CANCEL = CancelIntent(CARD, PI)
REFUSAL = Refusal("card_declined", "insufficient_funds", "Your card has insufficient funds.")


def order(
    instruction: Instruction, status: OrderStatus = OrderStatus.SENT, subject: str = CARD, **changes: Any
) -> Order:
    made = Order(OrderId("ordr_1"), ACCOUNT, CUSTOMER, subject, instruction, status, NOW, sent_at=NOW)
    return replace(made, **changes)


def reply(sent: Order, outcome: Outcome, held: Books | None = None) -> tuple[Decision, World]:
    world = World(replace(held or part_paid(), orders=(sent,)))
    return world.decide(lambda read: decide_reply(read, sent, outcome, NOW, world.new_id)), world


def order_of(world: World) -> Order:
    return next(each for each in world.books.orders if each.id == "ordr_1")


# --- unknown is never failed ---


@behaviour("R-SU-9")
@pytest.mark.parametrize("instruction", [CREATE, CONFIRM, CANCEL])
@pytest.mark.parametrize("why", ["no_reply", "connection_reset", STORED_ERROR])
def test_a_lost_reply_concludes_nothing(instruction: Instruction, why: str) -> None:
    decision, world = reply(order(instruction), Unknown(why))

    assert decision.why.reason is Reason.OUTCOME_UNKNOWN
    assert (order_of(world).status, order_of(world).why) == (OrderStatus.UNKNOWN, why)
    assert world.books.legs == part_paid().legs, "the payment stays in processing"
    assert world.books.payments[0].status is PaymentStatus.PROCESSING
    assert world.books.grants == part_paid().grants


@behaviour("R-SU-9")
@pytest.mark.parametrize("instruction", [CONFIRM, CANCEL])
def test_after_a_lost_reply_the_object_is_looked_at(instruction: Instruction) -> None:
    decision, _ = reply(order(instruction), Unknown("no_reply"))

    looks = [each for each in effects_of(decision) if isinstance(each, Observe)]
    assert [(each.kind, each.ref) for each in looks] == [("payment_intent", PI)]
    assert looks[0].due_at > NOW


def test_an_order_that_was_not_taken_is_sent_again_with_the_same_key() -> None:
    _, world = reply(order(CONFIRM), Unfinished("rate_limited"))

    assert order_of(world).status is OrderStatus.QUEUED
    assert order_of(world).key == order(CONFIRM).key


# --- definite answers ---


@behaviour("R-SU-8")
def test_the_handle_is_stored_and_the_second_step_ordered_with_the_reply_to_the_first() -> None:
    decision, world = reply(order(CREATE), Done(ours(IntentStatus.NEEDS_CONFIRMATION)), part_paid(ref=None))

    assert order_of(world).status is OrderStatus.DONE
    assert world.books.legs[1].provider_ref == PI
    assert [each.order.instruction for each in effects_of(decision) if isinstance(each, Instruct)] == [CONFIRM]


@behaviour("R-SU-8")
def test_the_reply_to_a_confirmation_settles_order_leg_and_invoice_together() -> None:
    decision, world = reply(order(CONFIRM), Done(ours(IntentStatus.SUCCEEDED, charge_fee=fee("txn_1"))))

    assert decision.why.reason is Reason.INTENT_SETTLED
    assert order_of(world).status is OrderStatus.DONE
    assert world.books.invoices[0].status == "paid"


@behaviour("R-SU-9")
def test_a_definite_refusal_fails_the_payment() -> None:
    fact = declined(PI, metadata={LEG_MARK: CARD})
    decision, world = reply(order(CONFIRM), Refused(REFUSAL, fact))

    assert decision.why.reason is Reason.INTENT_REFUSED
    assert (order_of(world).status, order_of(world).why) == (OrderStatus.REFUSED, "insufficient_funds")
    assert world.books.legs[1].status is LegStatus.REFUSED
    assert world.books.payments[0].status is PaymentStatus.FAILED


@behaviour("R-SU-9")
def test_a_refused_creation_fails_the_payment() -> None:
    _, world = reply(order(CREATE), Refused(Refusal("parameter_invalid")), part_paid(ref=None))

    assert order_of(world).status is OrderStatus.REFUSED
    assert world.books.legs[1].refusal_code == "parameter_invalid"


def test_a_refusal_whose_object_was_paid_is_evidence_of_payment() -> None:
    """Cancel or confirm too late: the provider refuses and sends the object, which has succeeded."""
    for instruction in (CONFIRM, CANCEL):
        decision, world = reply(
            order(instruction), Refused(Refusal("payment_intent_unexpected_state"), ours(IntentStatus.SUCCEEDED))
        )

        assert decision.why.reason is Reason.INTENT_SETTLED
        assert world.books.invoices[0].status == "paid"


def test_a_refused_cancel_without_an_object_is_looked_at() -> None:
    decision, world = reply(order(CANCEL), Refused(Refusal("resource_busy")))

    assert decision.why.reason is Reason.ORDER_REFUSED
    assert [each.ref for each in effects_of(decision) if isinstance(each, Observe)] == [PI]
    assert world.books.legs == part_paid().legs


# --- the webhook was here before the reply ---


@behaviour("R-LG-25")
@pytest.mark.parametrize("status", [OrderStatus.DONE, OrderStatus.REFUSED, OrderStatus.CANCELED])
@pytest.mark.parametrize(
    "outcome",
    [
        Done(ours(IntentStatus.SUCCEEDED)),
        Refused(REFUSAL, declined(PI, metadata={LEG_MARK: CARD})),
        Refused(REFUSAL),
        Unfinished("rate_limited"),
        Unknown("no_reply"),
    ],
)
def test_a_closed_order_stays_closed_whatever_a_late_reply_says(status: OrderStatus, outcome: Outcome) -> None:
    """The webhook of a declined card closes the order; the 402 that comes after it must not stop the road."""
    _, world = reply(order(CONFIRM, status), outcome)

    assert order_of(world).status is status


@behaviour("R-LG-25")
@pytest.mark.parametrize("fact", [None, ours(IntentStatus.SUCCEEDED)])
def test_a_late_refusal_never_touches_a_settled_leg(fact: Fact | None) -> None:
    settled = part_paid(LegStatus.SETTLED)

    decision, world = reply(order(CONFIRM), Refused(REFUSAL, fact), settled)

    assert world.books.legs == settled.legs
    assert world.books.invoices == settled.invoices
    assert order_of(world).status in (OrderStatus.REFUSED, OrderStatus.DONE)
    assert isinstance(decision, Act)


def test_news_proves_an_order_that_is_still_queued() -> None:
    """Its reply was lost, it was queued again, and now the webhook shows that it happened."""
    held = replace(part_paid(ref=None), orders=(order(CREATE, OrderStatus.QUEUED),))
    world = World(held)
    world.intents[PI] = ours(IntentStatus.NEEDS_CONFIRMATION)

    world.hear(PI)

    assert order_of(world).status is OrderStatus.DONE


def test_news_of_another_object_proves_nothing() -> None:
    other = intent("pi_other", IntentStatus.CANCELED)

    assert confirmed_by(order(CANCEL), ours(IntentStatus.CANCELED))
    assert not confirmed_by(order(CANCEL), other)
    assert not confirmed_by(order(CONFIRM), replace(other, status=IntentStatus.SUCCEEDED))
    assert not confirmed_by(order(CONFIRM), ours(IntentStatus.NEEDS_CONFIRMATION))
    assert not confirmed_by(order(CONFIRM), ours(IntentStatus.NEEDS_METHOD))
    assert not confirmed_by(order(CONFIRM, OrderStatus.DONE), ours(IntentStatus.SUCCEEDED))
    assert not confirmed_by(order(CONFIRM), MissingFact(PI))
    assert not confirmed_by(order(CreateCustomer(CUSTOMER)), ours(IntentStatus.SUCCEEDED))


ODD_FACTS: list[Fact] = [
    CustomerFact(CUSTOMER_REF),
    MissingFact(PI),
    MethodFact(ProviderRef("pm_1"), "card", CUSTOMER_REF),
]


@pytest.mark.parametrize(("instruction", "fact"), [*product([CREATE, CONFIRM, CANCEL], ODD_FACTS)])
def test_a_reply_that_can_t_belong_to_its_order_is_put_to_a_person(instruction: Instruction, fact: Fact) -> None:
    decision, world = reply(order(instruction), Done(fact))

    assert isinstance(decision, Park)
    assert decision.why.reason is Reason.OBJECT_UNREADABLE
    assert world.books.legs == part_paid().legs


def test_a_leg_has_one_handle_for_ever() -> None:
    decision, world = reply(order(CREATE), Done(intent("pi_second", IntentStatus.NEEDS_CONFIRMATION)))

    assert isinstance(decision, Park)
    assert world.books.legs[1].provider_ref == PI


@behaviour("R-SU-9", "R-SU-3")
@pytest.mark.parametrize(("state", "status"), [*product(CARD_STATES, OrderStatus)])
def test_no_reply_moves_anything_against_its_lifecycle(state: LegStatus, status: OrderStatus) -> None:
    outcomes: list[Outcome] = [
        *(Done(ours(each)) for each in IntentStatus),
        *(Refused(REFUSAL, ours(each)) for each in IntentStatus),
        Refused(REFUSAL, declined(PI, metadata={LEG_MARK: CARD})),
        Refused(REFUSAL),
        Unknown("no_reply"),
    ]
    if status is not OrderStatus.UNKNOWN:
        outcomes.append(Unfinished("busy"))
    instructions: list[Instruction] = [CREATE, CONFIRM, CANCEL]
    for instruction, outcome in product(instructions, outcomes):
        if status is OrderStatus.QUEUED and isinstance(outcome, Refused | Unknown | Unfinished):
            continue  # An order is marked as sent before it is sent.
        decision, world = reply(order(instruction, status), outcome, part_paid(state))

        assert decision.why.about[:1] or isinstance(decision, Skip)
        if state is LegStatus.SETTLED:
            assert world.books.invoices == part_paid(state).invoices


@pytest.mark.parametrize("status", [OrderStatus.SENT, OrderStatus.DONE])
def test_a_reply_older_than_what_is_known_only_closes_its_order(status: OrderStatus) -> None:
    """The call took long; meanwhile a newer look at the same payment was applied."""
    sent, world = order(CONFIRM, status), World(replace(part_paid(LegStatus.SETTLED), orders=(order(CONFIRM, status),)))
    old = Done(ours(IntentStatus.PROCESSING))

    decision = world.decide(lambda read: decide_reply(read, sent, old, NOW, world.new_id, stale=True))

    assert decision.why.reason is Reason.SUPERSEDED
    assert order_of(world).status is OrderStatus.DONE
    assert world.books.legs == part_paid(LegStatus.SETTLED).legs


# --- keys ---


def test_a_key_is_the_order_and_its_try() -> None:
    first = order(CREATE)

    assert first.key == "ordr_1:1"
    assert next_try(first).key == "ordr_1:2"
    assert next_try(first).status is OrderStatus.SENT


@pytest.mark.parametrize(
    ("status", "why", "age", "asks"),
    [
        (OrderStatus.SENT, None, timedelta(minutes=5), False),
        (OrderStatus.UNKNOWN, "no_reply", timedelta(minutes=5), False),
        (OrderStatus.UNKNOWN, STORED_ERROR, timedelta(seconds=1), True),
        (OrderStatus.UNKNOWN, "no_reply", KEY_WINDOW + timedelta(seconds=1), True),
        (OrderStatus.SENT, None, KEY_WINDOW + timedelta(seconds=1), True),
        # It was busy once, after a reply had been lost; then it was paused for a day: the key is dead by now.
        (OrderStatus.QUEUED, "rate_limited", KEY_WINDOW + timedelta(seconds=1), True),
        (OrderStatus.DONE, None, KEY_WINDOW * 2, False),
    ],
)
def test_a_key_that_can_t_settle_it_is_not_used_again(
    status: OrderStatus, why: str | None, age: timedelta, asks: bool
) -> None:
    assert must_ask_first(order(CONFIRM, status, why=why), NOW + age) is asks


def test_an_order_that_never_left_is_simply_sent() -> None:
    waiting = order(CONFIRM, OrderStatus.QUEUED, sent_at=None)

    assert not must_ask_first(waiting, NOW + KEY_WINDOW * 9)
    assert IN_FLIGHT_MAX < KEY_WINDOW


# --- customers and methods ---

NEW_METHOD = MethodId("pmeth_new")
ATTACH = AttachMethod(CUSTOMER, "pm_card_visa", True)
SAVED = MethodFact(ProviderRef("pm_9"), "card", CUSTOMER_REF, "visa", "1881", "12/30", "fp_9")


def test_a_customer_is_made_at_the_provider_and_linked() -> None:
    wanted = customer(provider_ref=None)
    made = decide_create_customer(wanted, NOW, Counting())
    assert [type(each.order.instruction) for each in effects_of(made) if isinstance(each, Instruct)] == [CreateCustomer]

    decision, world = reply(
        order(CreateCustomer(CUSTOMER), subject=CUSTOMER), Done(CustomerFact(CUSTOMER_REF)), books(customer=wanted)
    )

    assert decision.why.reason is Reason.CUSTOMER_LINKED
    assert world.books.customer.provider_ref == CUSTOMER_REF


def test_a_second_customer_at_the_provider_is_not_used() -> None:
    decision, world = reply(
        order(CreateCustomer(CUSTOMER), subject=CUSTOMER), Done(CustomerFact(ProviderRef("cus_2"))), books()
    )

    assert decision.why.reason is Reason.CUSTOMER_MISMATCH
    assert world.books.customer.provider_ref == CUSTOMER_REF
    assert order_of(world).status is OrderStatus.DONE


def test_a_named_customer_is_not_made_again() -> None:
    made = decide_create_customer(customer(), NOW, Counting())

    assert not [each for each in effects_of(made) if isinstance(each, Instruct)]


def test_a_method_is_saved_under_the_id_that_was_promised() -> None:
    asked = decide_add_method(books(), "pm_card_visa", True, NEW_METHOD, NOW, Counting())
    assert [each.order.subject for each in effects_of(asked) if isinstance(each, Instruct)] == [NEW_METHOD]

    _, world = reply(order(ATTACH, subject=NEW_METHOD), Done(SAVED), books())

    saved = {each.id: each for each in world.books.methods}
    assert (saved[NEW_METHOD].last4, saved[NEW_METHOD].is_default, saved[METHOD].is_default) == ("1881", True, False)


def test_a_refused_method_is_not_saved() -> None:
    decision, world = reply(order(ATTACH, subject=NEW_METHOD), Refused(REFUSAL), books())

    assert decision.why.reason is Reason.METHOD_REFUSED
    assert world.books.methods == (method(),)
    assert order_of(world).status is OrderStatus.REFUSED


def test_the_order_closes_first_in_every_decision() -> None:
    decision, _ = reply(order(CONFIRM), Done(ours(IntentStatus.SUCCEEDED)))

    first = effects_of(decision)[0]
    assert isinstance(first, Change)
    assert isinstance(first.after, Order)
    assert PAYMENT in decision.why.about
