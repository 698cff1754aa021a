"""A refund takes back what its money bought: in proportion, once, the unspent part first, and to the last credit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.factories import NOW, ONE, books, grant, wallet
from core.world import World
from counterfoil.core import clawback, journal
from counterfoil.core.books import Books, Grant
from counterfoil.core.clawback import DISPUTE_LOST, REFUND, Cause, claw_back, net_due, quantity_due
from counterfoil.core.effects import Act, Decision, Reason, Why
from counterfoil.core.recognition import catch_up
from counterfoil.core.terms import Overdraft, Shortfall
from counterfoil.core.wallets import decide_end_lot

PACK = grant(1, 100, 10_000)
"""100 credits for 100 dollars, and 3 dollars of fees beside: the buyer pays 103."""
GROSS = 10_300


def test_half_of_the_money_takes_half_of_the_credits() -> None:
    """$51.50 of $103 for 100 credits: 50 of them, and 50 dollars of their price."""
    assert quantity_due(100, GROSS, 5_150, 0) == 50
    assert net_due(10_000, GROSS, 5_150, 0) == 5_000


def test_a_full_refund_takes_what_was_granted_and_not_what_was_paid() -> None:
    """$105 paid for 100 credits: 100, not 105."""
    assert quantity_due(100, 10_500, 10_500, 0) == 100
    assert quantity_due(100, 10_500, 99_999, 0) == 100, "and more than all can't be refunded"


@given(
    st.integers(1, 10**12),
    st.integers(1, 10**7),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
    st.integers(0, 10**7),
)
def test_partial_refunds_add_up_to_the_lot_and_the_last_takes_the_rest(
    granted: int, gross: int, parts: list[int], net: int
) -> None:
    refunded = clawed = returned = 0
    for part in [*parts, gross]:
        refunded = min(gross, refunded + part)
        quantity, price = quantity_due(granted, gross, refunded, clawed), net_due(net, gross, refunded, returned)
        assert quantity >= 0
        assert price >= 0
        clawed, returned = clawed + quantity, returned + price

    assert (clawed, returned) == (granted, net)


def test_a_bonus_goes_in_proportion_and_gives_no_money_back() -> None:
    """$100 for 100 credits and 10 free ones, half of it refunded: 50 and 5."""
    bonus = grant(2, 10)

    step = claw_back(bonus, wallet(), quantity_due(bonus.amount, 10_000, 5_000, 0))

    assert (step.taken, step.owed, step.price_minor) == (5 * ONE, 0, 0)


# --- where it comes from ---


def used(lot: Grant, whole: int) -> Grant:
    return replace(lot, remaining=lot.remaining - whole * ONE)


def test_the_unspent_part_goes_first_and_what_was_spent_is_owed() -> None:
    step = claw_back(used(PACK, 70), wallet(), 50 * ONE)

    assert (step.taken, step.owed, step.forgiven) == (30 * ONE, 20 * ONE, 0)
    assert (step.lot.remaining, step.lot.gone, step.lot.clawed, step.wallet.debt) == (0, 30 * ONE, 20 * ONE, 20 * ONE)


def test_a_wallet_may_forgive_what_was_spent() -> None:
    step = claw_back(used(PACK, 70), wallet(shortfall=Shortfall.FORGIVE), 50 * ONE)

    assert (step.taken, step.owed, step.forgiven, step.wallet.debt) == (30 * ONE, 0, 20 * ONE, 0)


def test_a_limit_of_debt_does_not_hold_a_clawback_up() -> None:
    step = claw_back(used(PACK, 100), wallet(overdraft=Overdraft.DEBT, debt_limit=0), 100 * ONE)

    assert step.wallet.debt == 100 * ONE


def test_what_expired_is_gone_and_is_not_owed() -> None:
    expired = replace(used(PACK, 40), remaining=0, gone=60 * ONE, released_minor=10_000)

    step = claw_back(expired, wallet(), 100 * ONE)

    assert (step.taken, step.owed, step.lapsed) == (0, 40 * ONE, 60 * ONE)


def test_a_reserved_share_stays_reserved() -> None:
    step = claw_back(replace(PACK, held=30 * ONE), wallet(), 100 * ONE)

    assert (step.taken, step.lot.remaining, step.lot.held, step.owed) == (70 * ONE, 30 * ONE, 30 * ONE, 30 * ONE)


# --- what it does to the books ---


def world_with(lot: Grant, **terms: Any) -> World:
    """A world in which a lot was sold and used, of which nothing was recognised yet."""
    world = World(books(wallets=(wallet(**terms),), grants=(lot,)))
    world.journal["grant"] = journal.grant_issued(PACK, wallet().unit)
    world.draw(PACK.id, lot.used)
    return world


def decided(held: Books, quantity: int, net: int, cause: Cause, at: object = NOW) -> Decision:
    _, effects = clawback.clawed(held, held.grants[0], quantity, net, cause, NOW)
    return Act(Why("claw@1", Reason.ALREADY_KNOWN, "Credits were taken back."), effects)


def test_a_refund_owes_back_what_was_not_earned_and_gives_back_what_was() -> None:
    world = world_with(used(PACK, 40))

    world.decide(lambda held: decided(held, 100 * ONE, 10_000, REFUND))

    assert (world.balance("refund_due"), world.balance("deferred_revenue"), world.balance("revenue")) == (10_000, 0, 0)
    assert (world.balance(f"debt:{wallet().id}"), world.balance(f"grant:{PACK.id}")) == (-40 * ONE, 0)
    assert world.breaches() == []


def test_a_lost_dispute_costs_what_was_spent() -> None:
    world = world_with(used(PACK, 40))

    world.decide(lambda held: decided(held, 100 * ONE, 10_000, DISPUTE_LOST))

    assert (world.balance("disputed"), world.balance("dispute_losses"), world.balance("revenue")) == (
        10_000,
        -4_000,
        4_000,
    )
    assert world.breaches() == []


def test_money_for_what_expired_comes_from_breakage() -> None:
    world = world_with(replace(used(PACK, 40), expires_at=NOW))
    world.decide(lambda held: decide_end_lot(held, PACK.id, NOW))

    world.decide(lambda held: decided(held, 100 * ONE, 10_000, REFUND))

    assert (world.balance("breakage"), world.balance("revenue"), world.balance("refund_due")) == (0, 0, 10_000)
    assert world.breaches() == []


SHARES = st.lists(st.tuples(st.sampled_from(["spend", "refund", "expire", "hour"]), st.integers(1, 60)), max_size=10)


@given(st.integers(1, 5_000), SHARES, st.sampled_from(list(Shortfall)), st.booleans())
def test_whatever_happens_in_between_the_parts_make_the_whole(
    cost: int, happens: list[tuple[str, int]], shortfall: Shortfall, lost: bool
) -> None:
    """Spent, expired and refunded in any order: every credit is taken once, every cent is somewhere once."""
    lot = replace(PACK, cost_minor=cost, amount=60, remaining=60, expires_at=NOW + timedelta(days=1))
    world = World(books(wallets=(wallet(shortfall=shortfall),), grants=(lot,)))
    world.journal["grant"] = journal.grant_issued(lot, wallet().unit)
    cause = DISPUTE_LOST if lost else REFUND
    gross = cost + 300
    refunded = clawed = returned = 0
    for kind, much in [*happens, ("refund", 60)]:
        (held,) = world.books.grants
        if kind == "spend" and held.free:
            world.draw(held.id, min(much, held.free), change=True)
        elif kind == "expire":
            world.decide(lambda held: decide_end_lot(held, lot.id, NOW + timedelta(days=2)))
        elif kind == "hour":
            step = catch_up(held, NOW)
            world.decide(lambda _, step=step: Act(Why("r@1", Reason.ALREADY_KNOWN, "."), step[1]))  # type: ignore[misc]
        elif kind == "refund":
            refunded = min(gross, refunded + gross * much // 60 + 1)
            quantity = quantity_due(lot.amount, gross, refunded, clawed)
            net = net_due(cost, gross, refunded, returned)
            clawed, returned = clawed + quantity, returned + net
            world.decide(lambda held, q=quantity, n=net: decided(held, q, n, cause))  # type: ignore[misc]
        assert world.breaches() == []
        assert world.balance("deferred_revenue") >= 0

    (after,), (own,) = world.books.grants, world.books.wallets
    assert (clawed, returned, world.balance(str(cause.to))) == (lot.amount, cost, cost)
    assert after.free == 0
    assert after.clawed <= after.used
    assert own.debt == (after.clawed if shortfall is Shortfall.DEBT else 0)
    money = ("revenue", "breakage", "refund_due", "disputed", "dispute_losses", "deferred_revenue", "clearing_external")
    assert sum(world.balance(each) for each in money) == 0


def test_nothing_to_take_back_writes_nothing() -> None:
    held = books(wallets=(wallet(),), grants=(PACK,))

    assert clawback.clawed(held, PACK, 0, 0, REFUND, NOW)[1] == ()


def test_what_is_owed_is_covered_by_the_other_lots_so_that_nobody_is_blocked() -> None:
    """A pack that is spent is refunded; the customer has another one."""
    world = world_with(used(PACK, 100))
    other = grant(7, 130)
    world.books = replace(world.books, grants=(*world.books.grants, other))
    world.journal["other"] = journal.grant_issued(other, wallet().unit)

    world.decide(lambda held: decided(held, 100 * ONE, 10_000, REFUND))

    assert world.books.wallets[0].debt == 0
    assert [each.remaining for each in world.books.grants] == [0, 30 * ONE]
    assert world.breaches() == []
