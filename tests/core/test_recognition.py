"""What a lot was sold for is earned as it is used: to the cent, never too soon, and not at all for what was free."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factories import NOW, books, grant, wallet
from core.test_credits import LEG
from core.world import World
from counterfoil.core import credits, journal
from counterfoil.core.books import Grant, Hold
from counterfoil.core.ids import HoldId
from counterfoil.core.lifecycle import HoldStatus
from counterfoil.core.recognition import catch_up, catch_up_all, recognise
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import decide_end_lot, decide_recognise, decide_void_grant

PACK = grant(1, 2_500, 5_000)
"""The pack of the design: 2,500 credits for 50 dollars, 2 cents each."""


def used(lot: Grant, whole: int) -> Grant:
    return replace(lot, remaining=lot.remaining - whole * lot.amount // 2_500)


def test_a_hundred_of_a_pack_earn_what_they_cost() -> None:
    recognised = recognise(used(PACK, 100))

    assert recognised is not None
    assert (recognised.minor, recognised.lot.released_minor) == (200, 200)
    (posting,) = journal.recognised(recognised, NOW).postings
    assert (str(posting.debit), str(posting.credit), posting.amount) == ("deferred_revenue", "revenue", 200)


def test_what_was_posted_is_not_posted_again() -> None:
    lot, effects = catch_up(used(PACK, 100), NOW)

    assert len(effects) == 2
    assert catch_up(lot, NOW) == (lot, ())


def test_use_that_was_taken_back_is_earned_no_more() -> None:
    lot, _ = catch_up(used(PACK, 100), NOW)

    recognised = recognise(replace(lot, remaining=PACK.remaining))

    assert recognised is not None
    assert recognised.minor == -200
    (posting,) = journal.recognised(recognised, NOW).postings
    assert (str(posting.debit), str(posting.credit), posting.amount) == ("revenue", "deferred_revenue", 200)


def test_a_free_lot_earns_nothing() -> None:
    assert recognise(replace(grant(1, 10), remaining=0)) is None


@given(st.integers(1, 10**12), st.integers(0, 10**7), st.lists(st.integers(1, 10**11), max_size=8))
def test_the_parts_of_a_price_add_up_to_it_and_the_last_unit_takes_the_rest(
    amount: int, cost: int, draws: list[int]
) -> None:
    lot, posted = replace(PACK, amount=amount, remaining=amount, cost_minor=cost), 0
    for draw in [*draws, amount]:
        lot = replace(lot, remaining=lot.remaining - min(draw, lot.remaining))
        step = recognise(lot)
        posted += step.minor if step else 0
        lot = step.lot if step else lot
        assert posted == lot.released_minor <= cost

    assert posted == cost


def worn(whole: int, **changes: object) -> World:
    """A world whose lot was sold and used, and nothing of it was recognised yet."""
    lot = used(PACK, whole)
    world = World(books(wallets=(wallet(),), grants=(replace(lot, **changes),)))  # type: ignore[arg-type]
    world.journal["grant"] = journal.grant_issued(PACK, wallet().unit)
    return world


def test_an_expiry_leaves_what_was_used_to_revenue_and_the_rest_to_breakage() -> None:
    world = worn(100, expires_at=NOW)

    world.decide(lambda held: decide_end_lot(held, PACK.id, NOW + timedelta(hours=3)))

    assert (world.balance("revenue"), world.balance("breakage"), world.balance("deferred_revenue")) == (200, 4_800, 0)


def test_a_void_leaves_what_was_used_to_revenue_and_owes_the_rest_back() -> None:
    world = worn(100)

    world.decide(lambda held: decide_void_grant(held, PACK.id, NOW))

    assert (world.balance("revenue"), world.balance("refund_due"), world.balance("deferred_revenue")) == (200, 4_800, 0)


def test_every_hour_what_was_used_since_is_recognised() -> None:
    world = worn(100)

    first = world.decide(lambda held: decide_recognise(held, wallet().id, NOW))
    second = world.decide(lambda held: decide_recognise(held, wallet().id, NOW))

    assert world.balance("revenue") == 200
    assert "2.00 USD" in first.why.sentence
    assert second.why.reason == "already_known"


@pytest.mark.parametrize("free", [0, 100])
def test_debt_that_a_lot_covers_earns_of_the_lot(free: int) -> None:
    owing = wallet(overdraft=Overdraft.DEBT, debt=(2_500 - free) * PACK.amount // 2_500)
    cover = credits.covering(PACK, owing)

    assert cover is not None
    recognised = recognise(cover.lot)
    assert recognised is not None
    assert recognised.minor == 5_000 - free * 2


def test_a_leg_pays_with_what_it_drew_and_not_with_what_was_used_before() -> None:
    """Two cents a credit: the leg's ten are worth twenty, however much use nobody had recognised yet."""

    ten = 10 * PACK.amount // 2_500
    lot = replace(used(PACK, 100), held=ten)
    hold = Hold(HoldId("hold_1"), LEG.id, lot.wallet, lot.id, ten, 10, HoldStatus.OPEN)
    held, _ = catch_up_all(books(wallets=(wallet(),), grants=(lot,), holds=(hold,)), {lot.id}, NOW)

    _, (after,), (drawn,) = credits.settle(held, LEG)

    assert (drawn.released_minor, after.released_minor) == (20, 220)
