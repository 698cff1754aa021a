"""Invoices are drafted, finalized and taken back; what was reserved or used for them comes back exactly."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.factories import ACCOUNT, CUSTOMER, NOW, Counting, books, grant, intent, invoice, invoice_id, line, wallet
from core.part_paid import CARD, PAYMENT, PI, ours, part_paid
from core.world import World
from counterfoil.core.books import Invoice, LineKind
from counterfoil.core.effects import Act, Change, Decision, Instruct, Reason, Refuse, Skip, Timer, effects_of
from counterfoil.core.facts import IntentStatus
from counterfoil.core.ids import PaymentId
from counterfoil.core.invoicing import (
    NewLine,
    decide_cancel,
    decide_draft,
    decide_finalize,
    decide_release,
    decide_update,
    decide_void,
)
from counterfoil.core.launch import Launch, decide_launch
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import MINOR_MAX
from counterfoil.core.orders import CancelIntent
from counterfoil.core.settlement import decide_intent


def draft(**changes: Any) -> Invoice:
    return invoice(1, 0, status=InvoiceStatus.DRAFT, finalized_at=None, **changes)


def drafted(*lines: NewLine) -> World:
    world = World(books())
    world.decide(lambda held: decide_draft(held, replace(draft(), number=None), lines, world.new_id))
    return world


GOODS, TAXED, FEE = (
    NewLine(LineKind.GOODS, "Seats", 9_000),
    NewLine(LineKind.FLAT_FEE, "Plan", 900, 100),
    NewLine(LineKind.FEE, "Fee", 5),
)


def test_a_draft_is_the_sum_of_its_lines_and_owes_nothing() -> None:
    world = drafted(GOODS, TAXED, FEE)

    held = world.books.invoices[0]
    assert (held.status, held.total_minor, held.due_minor) == (InvoiceStatus.DRAFT, 10_005, 0)
    assert [each.position for each in world.books.lines] == [0, 1, 2]
    assert world.journal == {}


@pytest.mark.parametrize(
    "lines",
    [
        [NewLine(LineKind.GOODS, "Discount", -1)],
        [NewLine(LineKind.GOODS, "Tax back", 5, -1)],
        [NewLine(LineKind.GOODS, "Nothing", 0)],
        [NewLine(LineKind.GOODS, "Much", MINOR_MAX), NewLine(LineKind.GOODS, "More", 1)],
    ],
)
def test_lines_that_can_t_be_billed_are_refused(lines: list[NewLine]) -> None:
    decision = decide_draft(books(), draft(), tuple(lines), Counting())

    assert isinstance(decision, Refuse)
    assert (decision.why.reason, decision.param) == (Reason.INVALID_REQUEST, "lines")


def test_a_due_date_in_the_past_is_refused() -> None:
    wanted = draft(due_at=NOW - timedelta(days=1))

    assert isinstance(decide_draft(books(), wanted, (GOODS,), Counting()), Refuse)


def test_finalizing_books_what_each_line_earns_and_the_tax_that_is_owed_on() -> None:
    world = drafted(GOODS, TAXED, FEE)

    world.decide(lambda held: decide_finalize(held, invoice_id(), "INV-000007", NOW))

    assert world.balance(f"receivable:{CUSTOMER}") == -10_005
    assert (world.balance("revenue"), world.balance("fee_revenue"), world.balance("tax_payable")) == (9_900, 5, 100)
    held = world.books.invoices[0]
    assert (held.status, held.number, held.finalized_at, held.due_minor) == ("open", "INV-000007", NOW, 10_005)
    assert world.breaches() == []


def test_an_invoice_is_finalized_once_and_not_without_lines() -> None:
    world = drafted(GOODS)
    world.decide(lambda held: decide_finalize(held, invoice_id(), "INV-000001", NOW))

    again = decide_finalize(world.books, invoice_id(), "INV-000002", NOW)
    empty = decide_finalize(drafted().books, invoice_id(), "INV-000003", NOW)
    missing = decide_finalize(books(), invoice_id(), "INV-000004", NOW)

    assert [each.why.reason for each in (again, empty, missing)] == [
        Reason.INVOICE_NOT_DRAFT,
        Reason.INVOICE_EMPTY,
        Reason.NOT_FOUND,
    ]


@pytest.mark.parametrize(("due", "wakes"), [(timedelta(days=9), timedelta(days=9)), (timedelta(0), timedelta(hours=1))])
def test_an_invoice_that_is_to_be_collected_wakes_on_its_due_date_but_never_in_the_past(
    due: timedelta, wakes: timedelta
) -> None:
    world = World(
        books(lines=(line(0),), invoices=(replace(draft(due_at=NOW + due, collect_at_due=True), number=None),))
    )

    decision = world.decide(lambda held: decide_finalize(held, invoice_id(), "INV-1", NOW + timedelta(hours=1)))

    timers = [each for each in effects_of(decision) if isinstance(each, Timer)]
    assert [(each.kind, each.due_at) for each in timers] == [("collect", NOW + wakes)]


def test_only_the_words_of_an_invoice_change_by_an_update() -> None:
    decision = decide_update(books(invoices=(invoice(),)), invoice_id(), "March")

    assert effects_of(decision) == (Change(invoice(), invoice(description="March")),)
    assert isinstance(decide_update(books(invoices=(invoice(),)), invoice_id(), ""), Skip)
    assert isinstance(decide_update(books(), invoice_id(), "March"), Refuse)


# --- taking back ---


def finalized(total: int = 10_000, whole: int = 30) -> World:
    """An open invoice, and a wallet with a lot that was bought."""
    world = World(books(wallets=(wallet(),), grants=(grant(1, whole, 2_400),)))
    world.decide(
        lambda held: decide_draft(
            held, replace(draft(), number=None), (NewLine(LineKind.GOODS, "Seats", total),), world.new_id
        )
    )
    world.decide(lambda held: decide_finalize(held, invoice_id(), "INV-000001", NOW))
    return world


def launched(world: World) -> PaymentId:
    world.decide(lambda held: decide_launch(held, Launch((invoice_id(),)), NOW, world.new_id))
    return world.books.payments[0].id


def void(world: World) -> Decision:
    return world.decide(lambda held: decide_void(held, invoice_id(), NOW, world.new_id))


def test_a_void_invoice_is_booked_back_posting_by_posting() -> None:
    world = finalized()

    void(world)

    assert world.balance(f"receivable:{CUSTOMER}") == world.balance("revenue") == 0
    held = world.books.invoices[0]
    assert (held.status, held.voided_at, held.due_minor, held.paid_minor) == ("void", NOW, 0, 0)
    assert isinstance(decide_void(world.books, invoice_id(), NOW, world.new_id), Skip)


def test_a_draft_is_taken_back_without_a_booking() -> None:
    world = drafted(GOODS)

    void(world)

    assert (world.books.invoices[0].status, world.journal) == ("void", {})


def test_voiding_after_a_refusal_gives_the_reserved_credits_back_and_gives_the_object_up() -> None:
    world = finalized()
    launched(world)
    world.send_all("declined")
    world.send_all("declined")
    assert world.books.grants[0].held == 30_000_000

    decision = void(world)

    assert world.books.grants == (grant(1, 30, 2_400),)
    assert [type(each.order.instruction) for each in effects_of(decision) if isinstance(each, Instruct)] == [
        CancelIntent
    ]
    world.settle_down()
    assert [each for each in world.breaches() if each.invariant != "I4"] == []
    assert {leg.status for leg in world.books.legs} == {LegStatus.RELEASED, LegStatus.CANCELED}


@pytest.mark.parametrize("state", [LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION, LegStatus.WAITING])
def test_an_invoice_is_void_only_when_what_may_still_collect_it_has_ended(state: LegStatus) -> None:
    """Its collector is given up first. Asking again meanwhile changes nothing; the credits come back with its end."""
    world = World(part_paid(state))
    first = world.decide(lambda held: decide_void(held, invoice_id(), NOW, world.new_id))
    again = world.decide(lambda held: decide_void(held, invoice_id(), NOW, world.new_id))

    assert first.why.reason is Reason.VOID_ASKED
    assert isinstance(again, Skip)
    assert (world.books.invoices[0].status, world.books.invoices[0].void_asked_at) == (InvoiceStatus.OPEN, NOW)

    fact = intent(PI, IntentStatus.CANCELED)
    world.decide(lambda held: decide_intent(held, fact, NOW, world.new_id))

    assert (world.books.invoices[0].status, world.books.invoices[0].void_asked_at) == (InvoiceStatus.VOID, None)
    assert (world.books.grants[0].remaining, world.books.grants[0].held) == (30_000_000, 0)
    assert world.balance(f"receivable:{CUSTOMER}") == 10_000, "the way back of what was billed before this story"


def test_money_that_comes_while_an_invoice_is_taken_back_pays_it_and_is_told() -> None:
    world = World(part_paid())
    world.decide(lambda held: decide_void(held, invoice_id(), NOW, world.new_id))
    fact = intent(PI, IntentStatus.SUCCEEDED)

    decision = world.decide(lambda held: decide_intent(held, fact, NOW, world.new_id))

    assert decision.why.reason is Reason.PAID_WHEN_VOID
    assert (world.books.invoices[0].status, world.books.invoices[0].void_asked_at) == (InvoiceStatus.PAID, None)
    assert (Reason.PAID_WHEN_VOID, PI) in world.cases


def test_a_paid_invoice_and_one_that_has_money_are_refunded_and_not_voided() -> None:
    paid = decide_void(part_paid(LegStatus.SETTLED), invoice_id(), NOW, Counting())
    partly = part_paid(LegStatus.SETTLED)
    partly = replace(partly, invoices=(invoice(total=20_000, paid_minor=10_000),))

    assert paid.why.reason is Reason.INVOICE_NOT_OPEN
    assert decide_void(partly, invoice_id(), NOW, Counting()).why.reason is Reason.INVOICE_HAS_MONEY
    assert decide_void(books(), invoice_id(), NOW, Counting()).why.reason is Reason.NOT_FOUND


# --- giving a payment up ---


def cancel(world: World, payment: PaymentId = PAYMENT) -> Decision:
    return world.decide(lambda held: decide_cancel(held, payment, NOW, world.new_id))


def test_a_payment_without_an_object_is_canceled_at_once() -> None:
    world = finalized()
    payment = launched(world)

    cancel(world, payment)

    assert world.books.payments[0].status is PaymentStatus.CANCELED
    assert world.books.grants == (grant(1, 30, 2_400),)
    world.settle_down()
    assert {leg.status for leg in world.books.legs} == {LegStatus.RELEASED, LegStatus.CANCELED}
    assert not any(each.received.minor for each in world.intents.values()), "it was made, and canceled unconfirmed"


def test_a_payment_is_asked_to_be_canceled_once() -> None:
    world = World(part_paid())

    first, second = cancel(world), cancel(world)

    assert isinstance(first, Act)
    assert isinstance(second, Skip)
    assert len(world.books.orders) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(PaymentStatus.SUCCEEDED, Reason.PAYMENT_NOT_OPEN), (PaymentStatus.CANCELED, Reason.ALREADY_KNOWN)],
)
def test_a_payment_that_is_over_can_t_be_canceled(status: PaymentStatus, reason: Reason) -> None:
    held = part_paid()
    held = replace(held, payments=(replace(held.payments[0], status=status),))

    assert decide_cancel(held, PAYMENT, NOW, Counting()).why.reason is reason
    assert decide_cancel(books(), PAYMENT, NOW, Counting()).why.reason is Reason.NOT_FOUND


# --- credits that nobody came back for ---


def test_reserved_credits_go_back_when_nothing_was_retried_in_time() -> None:
    world = World(part_paid(LegStatus.REFUSED))

    decision = world.decide(lambda held: decide_release(held, PAYMENT, NOW, Counting()))

    assert isinstance(decision, Act)
    assert (world.books.grants[0].held, world.books.grants[0].remaining) == (0, 30_000_000)
    assert isinstance(decide_release(world.books, PAYMENT, NOW, Counting()), Skip)


@pytest.mark.parametrize("state", [LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION, LegStatus.SETTLED])
def test_credits_of_a_payment_that_moved_on_stay_where_they_are(state: LegStatus) -> None:
    assert isinstance(decide_release(part_paid(state), PAYMENT, NOW, Counting()), Skip)


def test_a_success_after_the_credits_went_back_pays_its_part() -> None:
    world = World(part_paid(LegStatus.REFUSED))
    world.decide(lambda held: decide_release(held, PAYMENT, NOW, Counting()))

    world.decide(lambda held: decide_intent(held, ours(IntentStatus.SUCCEEDED), NOW, world.new_id))

    held = world.books.invoices[0]
    assert (held.status, held.paid_minor, held.due_minor) == ("open", 7_000, 3_000)
    assert next(leg for leg in world.books.legs if leg.id == CARD).provider_ref == PI
    assert world.balance(f"clearing:{ACCOUNT}") == -7_000
