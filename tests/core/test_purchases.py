"""A purchase is fulfilled once, by what was paid and by nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from behaviours import behaviour
from core.factories import CUSTOMER, NOW, Counting, books, grant, invoice, invoice_id, purchase, wallet
from counterfoil.core import buying
from counterfoil.core.books import Books, Grant, with_changes
from counterfoil.core.bought import Collector, Purchase, Settlement
from counterfoil.core.effects import Change, Effect, Notify, Post, Refuse, Skip, changes_of
from counterfoil.core.ids import CustomerId, typeid
from counterfoil.core.lifecycle import InvoiceStatus, PurchaseStatus, WalletStatus
from counterfoil.core.money import ServiceUnit
from counterfoil.core.purchases import Paid, follow, fulfil

CREDITS = ServiceUnit("credits", 0)
WALLET = wallet(1, CREDITS)


def paid(**changes: Any) -> Paid:
    return replace(Paid(5250, "USD", CUSTOMER, external_minor=5250), **changes)


def held(bought: Purchase, **shelves: Any) -> Books:
    return books(**({"wallets": (WALLET,), "purchases": (bought,)} | shelves))


def fulfilled(bought: Purchase, by: Paid, **shelves: Any) -> tuple[tuple[Effect, ...], Purchase]:
    read = held(bought, **shelves)
    effects = fulfil(read, bought, by, NOW, Counting())
    return effects, with_changes(read, changes_of(effects)).purchases[0]


def test_what_is_paid_in_full_brings_its_credits_and_the_fee_brings_none() -> None:
    effects, after = fulfilled(purchase(), paid())

    (lot,) = [each for each in changes_of(effects) if isinstance(each, Grant)]
    assert (after.status, after.fulfilled_at, after.external_minor) == (PurchaseStatus.SETTLED, NOW, 5250)
    assert (lot.amount, lot.cost_minor, lot.purchase) == (2500, 5000, after.id)
    told = [each.kind for each in effects if isinstance(each, Notify)]
    assert told == ["purchase.authorized", "purchase.settled", "grant.issued", "purchase.fulfilled"]


def test_settled_before_authorized_takes_both_steps_each_with_its_own_entry() -> None:
    """The first step is taken with the second one, and only then."""
    effects, _ = fulfilled(purchase(), paid())
    later, _ = fulfilled(purchase(status=PurchaseStatus.AUTHORIZED, authorized_at=NOW), paid())

    keys = [each.entry.key.rpartition(":")[2] for each in effects if isinstance(each, Post)]
    assert keys == ["authorized", "settled", "issued"]
    assert [each.entry.key.rpartition(":")[2] for each in later if isinstance(each, Post)] == ["settled", "issued"]


@pytest.mark.parametrize(
    "wrong",
    [{"minor": 5000}, {"minor": 5251}, {"currency": "EUR"}, {"customer": CustomerId(typeid("cust", 2))}],
)
def test_what_does_not_fit_is_held_and_brings_no_credits(wrong: dict[str, Any]) -> None:
    effects, after = fulfilled(purchase(), paid(**wrong))

    assert (after.status, after.grant, after.settled_at) == (PurchaseStatus.HELD, None, None)
    assert not [each for each in effects if isinstance(each, Post | Notify)]
    assert any(isinstance(each, Change) and each.after.id.startswith("case_") for each in effects)


@pytest.mark.parametrize("status", [PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD])
def test_a_repeat_changes_nothing(status: PurchaseStatus) -> None:
    assert fulfilled(purchase(status=status), paid()) == ((), purchase(status=status))


def test_money_for_a_purchase_that_was_given_up_is_a_question() -> None:
    _, after = fulfilled(purchase(status=PurchaseStatus.CANCELED, canceled_at=NOW), paid())

    assert (after.status, after.grant) == (PurchaseStatus.HELD, None)


def test_a_wallet_that_was_closed_meanwhile_is_a_question_and_a_suspended_one_is_none() -> None:
    _, closed = fulfilled(purchase(), paid(), wallets=(replace(WALLET, status=WalletStatus.CLOSED),))
    _, suspended = fulfilled(purchase(), paid(), wallets=(replace(WALLET, status=WalletStatus.SUSPENDED),))

    assert closed.status is PurchaseStatus.HELD
    assert suspended.grant


@behaviour("R-OM-17")
@pytest.mark.parametrize("ends", [InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE])
@pytest.mark.parametrize("used", [0, 1000])
def test_early_credits_are_reversed_when_their_invoice_ends_without_money(ends: InvoiceStatus, used: int) -> None:
    """Of 2,500 credits for 50 dollars what is left leaves; what was used is a loss, once, and nothing stays owed."""
    lot = grant(1, 1, 5000, amount=2500, remaining=2500 - used, released_minor=2 * used)
    early = purchase(
        settlement=Settlement.INVOICE, collector=Collector.OURS, invoice=invoice_id(), grant=lot.id, fulfilled_at=NOW
    )
    read = held(early, grants=(lot,), invoices=(invoice(1, 5250, status=ends),))

    effects = follow(read, (invoice_id(),), NOW, Counting())
    after = with_changes(read, changes_of(effects))

    assert (after.grants[0].remaining, after.grants[0].gone, after.grants[0].voided_at) == (0, 2500 - used, NOW)
    assert follow(after, (invoice_id(),), NOW, Counting()) == ()
    (entry,) = [each.entry for each in effects if isinstance(each, Post)]
    moved = {(str(each.debit), str(each.credit)): each.amount for each in entry.postings if each.unit == "USD"}
    # An invoice that is void has taken all of its 50 dollars out of what is owed as service; one that is not has not.
    expected = 5000 - 2 * used if ends is InvoiceStatus.UNCOLLECTIBLE else -2 * used
    deferred = moved.get(("deferred_revenue", "bad_debt"), 0) - moved.get(("bad_debt", "deferred_revenue"), 0)
    assert deferred == expected


def test_late_money_for_credits_that_were_taken_back_is_a_question() -> None:
    lot = grant(1, 1, 0, amount=2500, remaining=0, gone=2500, voided_at=NOW)
    early = purchase(status=PurchaseStatus.FAILED, grant=lot.id, fulfilled_at=NOW)

    _, after = fulfilled(early, paid(), grants=(lot,))

    assert after.status is PurchaseStatus.HELD


@behaviour("R-OM-15")
def test_nothing_is_decided_about_a_purchase_whose_payment_was_not_read() -> None:
    """The invoice that says how far the money is is not among the books: the purchase stays where it is."""
    billed = purchase(settlement=Settlement.INVOICE, collector=Collector.OURS, invoice=invoice_id())
    blind = held(billed)

    assert follow(blind, (invoice_id(),), NOW, Counting()) == ()
    for decision in (
        buying.decide_cancel(blind, billed.id, NOW, Counting()),
        buying.decide_give_up(blind, billed.id, NOW, Counting()),
        buying.decide_step(blind, billed.id, PurchaseStatus.SETTLED, NOW, Counting()),
    ):
        assert isinstance(decision, Refuse | Skip)
