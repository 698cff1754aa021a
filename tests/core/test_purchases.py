"""A purchase is fulfilled once, by what was paid and by nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from core.factories import CUSTOMER, NOW, Counting, books, purchase, wallet
from counterfoil.core.books import Books, Grant, with_changes
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import Change, Effect, Notify, Post, changes_of
from counterfoil.core.ids import CustomerId, typeid
from counterfoil.core.lifecycle import PurchaseStatus, WalletStatus
from counterfoil.core.money import ServiceUnit
from counterfoil.core.purchases import Paid, fulfil

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
