"""Wallets and their lots: how a lot begins and ends, and whether a wallet may be spent from."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factories import NOW, ONE, Counting, books, grant, wallet
from core.part_paid import PAYMENT, part_paid
from core.world import World
from counterfoil.core.books import FREE_SOURCES, Books, GrantSource
from counterfoil.core.effects import Act, Decision, Reason, Refuse, Skip, Timer, effects_of
from counterfoil.core.ids import GrantId, WalletId
from counterfoil.core.invoicing import decide_release
from counterfoil.core.lifecycle import LegStatus, WalletStatus
from counterfoil.core.money import USD_CREDIT, ServiceUnit
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import (
    Issue,
    Terms,
    decide_begin_lot,
    decide_end_lot,
    decide_grant,
    decide_move_wallet,
    decide_open_wallet,
    decide_void_grant,
    decide_wallet_terms,
)

TOKEN = ServiceUnit("token", 0)
LATER = NOW + timedelta(days=30)


# --- how a lot begins ---


def issue(held: Books, **changes: Any) -> Decision:
    wanted = Issue(WalletId(wallet().id), GrantSource.PURCHASE, 30 * ONE, 2_400, "USD", NOW)
    return decide_grant(held, replace(wanted, **changes), NOW, Counting())


def test_a_customer_has_one_open_wallet_per_unit() -> None:
    assert isinstance(decide_open_wallet(books(), USD_CREDIT, NOW, Counting()), Act)
    assert isinstance(decide_open_wallet(books(wallets=(wallet(),)), TOKEN, NOW, Counting()), Act)
    assert isinstance(decide_open_wallet(books(wallets=(wallet(),)), USD_CREDIT, NOW, Counting()), Refuse)
    closed = books(wallets=(wallet(status=WalletStatus.CLOSED),))
    assert isinstance(decide_open_wallet(closed, USD_CREDIT, NOW, Counting()), Act)


def test_a_bought_lot_is_promised_and_owed_as_service() -> None:
    world = World(books(wallets=(wallet(),)))

    world.decide(issue)

    lot = world.books.grants[0]
    assert (lot.remaining, lot.cost_minor, lot.cost_currency) == (30 * ONE, 2_400, "USD")
    assert (world.balance(f"grant:{lot.id}"), world.balance("issued")) == (30 * ONE, -30 * ONE)
    assert (world.balance("deferred_revenue"), world.balance("clearing_external")) == (2_400, -2_400)
    assert world.breaches() == []


def test_a_free_lot_costs_nothing() -> None:
    world = World(books(wallets=(wallet(),)))

    world.decide(lambda held: issue(held, source=GrantSource.BONUS, cost_minor=0, cost_currency=None))

    assert world.balance("deferred_revenue") == 0
    assert world.books.grants[0].cost_currency == "USD"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"wallet": WalletId("wlt_none")}, Reason.NOT_FOUND),
        ({"amount": 0}, Reason.INVALID_REQUEST),
        ({"amount": -1}, Reason.INVALID_REQUEST),
        ({"cost_minor": -1}, Reason.COST_NOT_ALLOWED),
        ({"source": GrantSource.PROMOTIONAL}, Reason.COST_NOT_ALLOWED),
        ({"cost_currency": "EUR"}, Reason.CURRENCIES_DIFFER),
        ({"expires_at": NOW}, Reason.INVALID_REQUEST),
    ],
)
def test_a_lot_that_makes_no_sense_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    decision = issue(books(wallets=(wallet(),)), **changes)

    assert isinstance(decision, Refuse)
    assert decision.why.reason is reason


@pytest.mark.parametrize("status", [WalletStatus.SUSPENDED, WalletStatus.CLOSED])
def test_a_wallet_that_is_not_active_takes_no_lot(status: WalletStatus) -> None:
    assert issue(books(wallets=(wallet(status=status),))).why.reason is Reason.WALLET_NOT_ACTIVE


def test_a_cost_in_no_currency_is_refused_and_never_taken_for_dollars() -> None:
    held = books(wallets=(wallet(unit=TOKEN),))

    assert isinstance(issue(held, cost_currency=None), Refuse)
    assert isinstance(issue(held, cost_currency="EUR"), Act)
    assert isinstance(issue(held, cost_currency=None, cost_minor=0), Act)


def test_a_lot_that_expires_is_woken_then() -> None:
    decision = issue(books(wallets=(wallet(),)), expires_at=LATER)

    (timer,) = [each for each in effects_of(decision) if isinstance(each, Timer)]
    assert (timer.kind, timer.due_at) == ("end-grant", LATER)


# --- what is owed is covered first ---


def owing(debt: int, **changes: Any) -> World:
    """A world whose wallet owes `debt` whole units."""
    return World(books(wallets=(wallet(overdraft=Overdraft.DEBT, debt=debt * ONE, **changes),)))


@pytest.mark.parametrize("source", list(GrantSource))
def test_a_new_lot_covers_what_is_owed_first_whatever_brought_it(source: GrantSource) -> None:
    world = owing(10)
    free = {"cost_minor": 0, "cost_currency": None} if source in FREE_SOURCES else {}

    world.decide(lambda held: issue(held, source=source, **free))

    (lot,), (held,) = world.books.grants, world.books.wallets
    assert (lot.remaining, lot.used, held.debt) == (20 * ONE, 10 * ONE, 0)
    assert (world.balance(f"grant:{lot.id}"), world.balance(f"debt:{held.id}")) == (20 * ONE, 10 * ONE)


def test_a_lot_that_is_smaller_than_the_debt_covers_a_part_of_it() -> None:
    world = owing(50)

    world.decide(issue)

    (lot,), (held,) = world.books.grants, world.books.wallets
    assert (lot.remaining, held.debt) == (0, 20 * ONE)


def test_a_lot_that_begins_later_covers_what_is_owed_then() -> None:
    world = owing(10)
    world.decide(lambda held: issue(held, effective_at=LATER))
    assert world.books.wallets[0].debt == 10 * ONE
    world.now = LATER

    lot = world.books.grants[0].id
    assert ("begin-grant", lot) in world.timers
    world.decide(lambda held: decide_begin_lot(held, lot, world.now))
    again = world.decide(lambda held: decide_begin_lot(held, lot, world.now))

    assert (world.books.wallets[0].debt, world.books.grants[0].remaining) == (0, 20 * ONE)
    assert isinstance(again, Skip)


def test_only_a_wallet_that_may_owe_has_a_limit_of_debt() -> None:
    refused = decide_open_wallet(books(), USD_CREDIT, NOW, Counting(), Terms(Overdraft.WRITE_OFF, 5))
    opened = decide_open_wallet(books(), USD_CREDIT, NOW, Counting(), Terms(Overdraft.DEBT, 5))

    assert isinstance(refused, Refuse)
    assert refused.param == "debt_limit"
    assert isinstance(opened, Act)


def test_the_terms_of_a_wallet_change_and_what_is_owed_stays() -> None:
    world = owing(10)
    identity = world.books.wallets[0].id

    world.decide(lambda held: decide_wallet_terms(held, identity, Terms(Overdraft.DEBT, 5 * ONE), NOW))
    again = world.decide(lambda held: decide_wallet_terms(held, identity, Terms(Overdraft.DEBT, 5 * ONE), NOW))

    held = world.books.wallets[0]
    assert (held.debt, held.debt_limit) == (10 * ONE, 5 * ONE)
    assert isinstance(again, Skip)


def test_a_wallet_that_owes_is_not_closed() -> None:
    world = owing(10)

    decision = world.decide(lambda held: decide_move_wallet(held, held.wallets[0].id, WalletStatus.CLOSED))

    assert decision.why.reason is Reason.WALLET_NOT_EMPTY


# --- how a lot ends ---


def funded(**changes: Any) -> World:
    """A world with one bought lot of 30, issued through the rule."""
    world = World(books(wallets=(wallet(),)))
    world.decide(lambda held: issue(held, **changes))
    return world


def lot_of(world: World) -> Any:
    return world.books.grants[0]


def end(world: World) -> Decision:
    return world.decide(lambda held: decide_end_lot(held, lot_of(world).id, world.now))


def test_what_was_not_used_in_time_is_breakage_from_its_very_instant() -> None:
    """However late the timer was: the books count it from the lot's expiry on."""
    world = funded(expires_at=LATER)
    world.now = LATER + timedelta(hours=7)

    decision = end(world)

    assert decision.why.reason is Reason.GRANT_ENDED
    assert (lot_of(world).remaining, lot_of(world).gone) == (0, 30 * ONE)
    assert (world.balance("expired"), world.balance("breakage"), world.balance("deferred_revenue")) == (
        30 * ONE,
        2_400,
        0,
    )
    assert world.journal[f"grant:{lot_of(world).id}:expired:{30 * ONE}"].effective_at == LATER
    assert world.breaches() == []
    assert isinstance(end(world), Skip)


def test_a_lot_does_not_end_before_its_time() -> None:
    world = funded(expires_at=LATER)
    world.now = LATER - timedelta(seconds=1)

    assert isinstance(end(world), Skip)
    assert lot_of(world).remaining == 30 * ONE


def test_a_reserved_share_does_not_end_before_its_hold() -> None:
    """The free part expires at once; what a payment reserves only when it is given back."""
    held = part_paid(LegStatus.REFUSED)
    lot = replace(held.grants[0], expires_at=NOW, effective_at=NOW - timedelta(days=1))
    world = World(replace(held, grants=(replace(lot, amount=40 * ONE, remaining=40 * ONE),)))
    end(world)
    assert (lot_of(world).remaining, lot_of(world).gone) == (30 * ONE, 10 * ONE)

    world.decide(lambda read: decide_release(read, PAYMENT, NOW, Counting()))

    assert ("end-grant", lot.id) in world.timers
    end(world)
    assert (lot_of(world).remaining, lot_of(world).gone) == (0, 40 * ONE)
    assert lot_of(world).released_minor == lot.cost_minor


def test_a_share_that_is_given_back_in_time_stays() -> None:
    world = World(part_paid(LegStatus.REFUSED))

    world.decide(lambda read: decide_release(read, PAYMENT, NOW, Counting()))

    assert world.timers == set()


def test_voiding_a_lot_twice_takes_it_back_once() -> None:
    world = funded()

    first = world.decide(lambda held: decide_void_grant(held, lot_of(world).id, NOW))
    second = world.decide(lambda held: decide_void_grant(held, lot_of(world).id, NOW))

    assert isinstance(first, Act)
    assert isinstance(second, Skip)
    assert (lot_of(world).remaining, lot_of(world).gone, lot_of(world).voided_at) == (0, 30 * ONE, NOW)
    assert (world.balance("issued"), world.balance("refund_due")) == (0, 2_400)
    assert world.breaches() == []


@pytest.mark.parametrize("booked", [True, False])
def test_a_lot_that_has_expired_can_t_be_voided_any_more(booked: bool) -> None:
    """Also while the timer that books the expiry is late: what expired is breakage and not owed back."""
    world = funded(expires_at=LATER)
    world.now = LATER
    if booked:
        end(world)

    decision = world.decide(lambda held: decide_void_grant(held, lot_of(world).id, world.now))
    end(world)

    assert isinstance(decision, Skip)
    assert lot_of(world).voided_at is None
    assert (world.balance("breakage"), world.balance("refund_due")) == (2_400, 0)


def test_a_free_lot_that_is_voided_owes_nothing_back() -> None:
    world = funded(source=GrantSource.BONUS, cost_minor=0, cost_currency=None)

    world.decide(lambda held: decide_void_grant(held, lot_of(world).id, NOW))

    assert world.balance("refund_due") == 0
    assert world.balance("issued") == 0


def test_a_used_up_lot_is_voided_without_an_entry() -> None:
    held = books(wallets=(wallet(),), grants=(replace(grant(1, 30), remaining=0),))
    world = World(held)

    world.decide(lambda read: decide_void_grant(read, held.grants[0].id, NOW))

    assert lot_of(world).voided_at == NOW
    assert world.journal == {}


@pytest.mark.parametrize(
    ("held", "named", "reason"),
    [
        (part_paid(), None, Reason.GRANT_IN_USE),
        (books(wallets=(wallet(),)), GrantId("grant_none"), Reason.NOT_FOUND),
    ],
)
def test_what_can_t_be_voided_is_refused(held: Books, named: GrantId | None, reason: Reason) -> None:
    decision = decide_void_grant(held, named or held.grants[0].id, NOW)

    assert isinstance(decision, Refuse)
    assert decision.why.reason is reason


@given(whole=st.integers(1, 10**6), cost=st.integers(0, 10**6), parts=st.lists(st.integers(0, 10**6), max_size=4))
def test_whatever_ends_of_a_lot_its_price_is_released_to_the_last_minor_unit(
    whole: int, cost: int, parts: list[int]
) -> None:
    """Shares come back to an ended lot one by one; together they release what it was bought for, and no more."""
    paid: dict[str, Any] = {"source": GrantSource.PURCHASE, "cost_minor": cost, "cost_currency": "USD"}
    free: dict[str, Any] = {"source": GrantSource.BONUS, "cost_minor": 0, "cost_currency": None}
    world = funded(amount=whole, expires_at=LATER, **(paid if cost else free))
    world.now = LATER
    held = min(whole, sum(parts))
    world.books = replace(world.books, grants=(replace(lot_of(world), held=held),))
    end(world)
    for part in parts:
        back = min(part, lot_of(world).held)
        world.books = replace(world.books, grants=(replace(lot_of(world), held=lot_of(world).held - back),))
        end(world)

    assert lot_of(world).gone == whole
    assert (lot_of(world).released_minor, world.balance("breakage")) == (cost, cost)


# --- whether a wallet may be spent from ---


def move(held: Books, to: WalletStatus) -> Decision:
    return decide_move_wallet(held, WalletId(wallet().id), to)


def test_a_wallet_is_suspended_and_resumed_and_each_time_told() -> None:
    world = World(books(wallets=(wallet(),)))

    for to in (WalletStatus.SUSPENDED, WalletStatus.ACTIVE, WalletStatus.SUSPENDED):
        world.decide(partial(move, to=to))

    assert world.books.wallets[0].status is WalletStatus.SUSPENDED
    assert len(world.told) == 3
    assert isinstance(move(world.books, WalletStatus.SUSPENDED), Skip)


@pytest.mark.parametrize(
    ("held", "to", "reason"),
    [
        ({"grants": (grant(1, 30),)}, WalletStatus.CLOSED, Reason.WALLET_NOT_EMPTY),
        ({"wallets": (wallet(status=WalletStatus.CLOSED),)}, WalletStatus.ACTIVE, Reason.WALLET_NOT_ACTIVE),
        ({"wallets": ()}, WalletStatus.CLOSED, Reason.NOT_FOUND),
    ],
)
def test_a_wallet_that_can_t_move_says_why(held: dict[str, Any], to: WalletStatus, reason: Reason) -> None:
    decision = move(books(**({"wallets": (wallet(),)} | held)), to)

    assert isinstance(decision, Refuse)
    assert decision.why.reason is reason


def test_an_empty_wallet_is_closed_for_good() -> None:
    world = World(books(wallets=(wallet(),), grants=(replace(grant(1, 30), remaining=0),)))

    world.decide(lambda held: move(held, WalletStatus.CLOSED))

    assert isinstance(move(world.books, WalletStatus.ACTIVE), Refuse)
