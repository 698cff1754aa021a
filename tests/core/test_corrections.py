"""A spend that did not happen is taken back the way it came: once, and never more than it was."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factories import NOW, ONE, books, grant, wallet
from core.world import World
from counterfoil.core import journal
from counterfoil.core.books import Books, Grant
from counterfoil.core.corrections import Spent, decide_correct, going_back
from counterfoil.core.credits import settle_debt
from counterfoil.core.effects import Act, Decision, Reason, Refuse, Skip
from counterfoil.core.ids import SpendId, typeid
from counterfoil.core.recognition import catch_up_all
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import decide_forgive_debt

SPEND = SpendId(typeid("spnd", 1))
WALLET = wallet().id
DEBT = (f"debt:{WALLET}", 10 * ONE)


def drawn(lot: Grant, whole: int) -> tuple[str, int]:
    return f"grant:{lot.id}", whole * ONE


# --- what comes back first ---


def test_the_last_drawn_comes_back_first() -> None:
    draws = [("grant:a", 30), ("grant:b", 20), ("debt:w", 10)]

    assert going_back(draws, 0, 15) == [("debt:w", 10), ("grant:b", 5)]
    assert going_back(draws, 15, 20) == [("grant:b", 15), ("grant:a", 5)]
    assert going_back(draws, 0, 60) == [("debt:w", 10), ("grant:b", 20), ("grant:a", 30)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.lists(st.integers(1, 60), max_size=12))
def test_partial_corrections_add_up_to_the_spend(amounts: list[int], wanted: list[int]) -> None:
    draws = [(f"grant:{n}", amount) for n, amount in enumerate(amounts)]
    back: dict[str, int] = {}
    before, total = 0, sum(amounts)
    for want in [*wanted, total]:
        part = min(want, total - before)
        for account, amount in going_back(draws, before, part):
            back[account] = back.get(account, 0) + amount
        before += part

    assert back == dict(draws)


# --- what it does to the books ---


def world_with(draws: list[tuple[str, int]], *lots: Grant, **terms: Any) -> World:
    """A world in which one spend drew these accounts, and everything used was recognised."""
    world = World(books(wallets=(wallet(**terms),), grants=lots))
    for lot in lots:
        world.journal[f"grant:{lot.id}"] = journal.grant_issued(lot, wallet().unit)
    entry = world.spend(draws)
    assert entry
    if world.books.wallets[0].debt == 0 and any(account.startswith("debt:") for account, _ in draws):
        owing = replace(world.books.wallets[0], debt=sum(a for account, a in draws if account.startswith("debt:")))
        world.books = replace(world.books, wallets=(owing,))
    _, effects = catch_up_all(world.books, {each.id for each in lots}, NOW)
    for effect in effects:
        world._apply(effect)
    return world


def correct(world: World, draws: list[tuple[str, int]], quantity: int | None = None, **history: Any) -> Decision:
    spent = Spent(SPEND, WALLET, tuple(draws), **history)
    return world.decide(lambda held: decide_correct(held, spent, quantity, world.now))


def test_a_whole_spend_goes_back_to_its_lots_and_is_earned_no_more() -> None:
    first, second = grant(1, 30, 3_000), grant(2, 30)
    draws = [drawn(second, 30), drawn(first, 10)]
    world = world_with(draws, first, second)
    assert world.balance("revenue") == 1_000

    correct(world, draws)

    assert [each.remaining for each in world.books.grants] == [30 * ONE, 30 * ONE]
    assert (world.balance("used"), world.balance("revenue"), world.balance("deferred_revenue")) == (0, 0, 3_000)
    assert world.breaches() == []


def test_what_is_owed_is_reduced_before_a_lot_gets_anything() -> None:
    lot = grant(1, 30, 3_000)
    draws = [drawn(lot, 30), DEBT]
    world = world_with(draws, lot, overdraft=Overdraft.DEBT)

    correct(world, draws, 12 * ONE)

    assert (world.books.wallets[0].debt, world.books.grants[0].remaining) == (0, 2 * ONE)
    assert world.breaches() == []


def test_the_share_of_an_expired_lot_expires_at_once() -> None:
    lot = grant(1, 30, 3_000, expires_at=NOW + timedelta(days=1))
    draws = [drawn(lot, 30)]
    world = world_with(draws, lot)
    world.now = NOW + timedelta(days=2)

    correct(world, draws, 10 * ONE)

    (after,) = world.books.grants
    assert (after.remaining, after.gone, after.used) == (0, 10 * ONE, 20 * ONE)
    assert (world.balance("revenue"), world.balance("breakage"), world.balance("deferred_revenue")) == (2_000, 1_000, 0)
    assert world.breaches() == []


def test_what_a_lot_paid_of_the_debt_since_goes_back_to_it() -> None:
    """Ten were owed, a new lot covered them, and then the use turns out not to have happened."""
    old, new = grant(1, 30, 3_000), grant(2, 20, 2_000)
    draws = [drawn(old, 30), DEBT]
    world = world_with(draws, old, new, overdraft=Overdraft.DEBT)
    for effect in settle_debt(world.books, WALLET, NOW):
        world._apply(effect)
    assert world.books.grants[1].remaining == 10 * ONE

    correct(world, draws, 10 * ONE, covers=((new.id, 10 * ONE),))

    assert (world.books.wallets[0].debt, world.books.grants[1].remaining) == (0, 20 * ONE)
    assert world.balance(f"debt:{WALLET}") == 0
    assert world.breaches() == []


def test_a_debt_that_was_forgiven_comes_back_to_nobody() -> None:
    lot = grant(1, 30, 3_000)
    draws = [drawn(lot, 30), DEBT]
    world = world_with(draws, lot, overdraft=Overdraft.DEBT)
    world.decide(lambda held: decide_forgive_debt(held, WALLET, NOW))
    assert (world.books.wallets[0].debt, world.balance("overage_written_off")) == (0, -10 * ONE)

    correct(world, draws, 10 * ONE)

    assert (world.balance(f"debt:{WALLET}"), world.balance("overage_written_off")) == (0, 0)
    assert world.books.grants[0].remaining == 0


def test_what_was_given_away_is_gone() -> None:
    lot = grant(1, 30, 3_000)
    draws = [drawn(lot, 30), ("overage_written_off", 10 * ONE)]
    world = world_with(draws, lot, overdraft=Overdraft.WRITE_OFF)

    correct(world, draws, 10 * ONE)

    assert (world.books.grants[0].remaining, world.balance("overage_written_off")) == (0, 0)


def test_what_comes_back_covers_what_is_owed_for_something_else() -> None:
    lot = grant(1, 30, 3_000)
    draws = [drawn(lot, 30)]
    world = world_with([*draws, DEBT], lot, overdraft=Overdraft.DEBT)

    correct(world, draws)

    assert (world.books.wallets[0].debt, world.books.grants[0].remaining) == (0, 20 * ONE)


@pytest.mark.parametrize(
    ("quantity", "history", "reason"),
    [
        (31 * ONE, {}, Reason.INVALID_REQUEST),
        (0, {}, Reason.INVALID_REQUEST),
        (-1, {}, Reason.INVALID_REQUEST),
        (11 * ONE, {"corrected": 20 * ONE}, Reason.INVALID_REQUEST),
        (None, {"corrected": 30 * ONE}, Reason.SPEND_TAKEN_BACK),
    ],
)
def test_no_more_is_taken_back_than_was_spent(quantity: int | None, history: Any, reason: Reason) -> None:
    lot = grant(1, 30, 3_000)
    world = world_with([drawn(lot, 30)], lot)

    decision = correct(world, [drawn(lot, 30)], quantity, **history)

    assert isinstance(decision, Refuse)
    assert decision.why.reason is reason


def test_a_debt_is_forgiven_once() -> None:
    held: Books = books(wallets=(wallet(overdraft=Overdraft.DEBT, debt=5 * ONE),))
    world = World(held)

    first = world.decide(lambda held: decide_forgive_debt(held, WALLET, NOW))
    second = world.decide(lambda held: decide_forgive_debt(held, WALLET, NOW))

    assert isinstance(first, Act)
    assert isinstance(second, Skip)
