"""Lots are drawn in one order whatever order they were read in, are never overdrawn, and come back exactly."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factories import CUSTOMER, NOW, ONE, PEGGED, Counting, books, grant, wallet
from counterfoil.core import credits
from counterfoil.core.books import FREE_SOURCES, Books, Grant, GrantSource, Leg, LegKind, with_changes
from counterfoil.core.credits import cover, draw_key, eligible, is_live
from counterfoil.core.ids import LegId, PaymentId, WalletId, typeid
from counterfoil.core.journal import credit_leg_returned, credit_leg_settled
from counterfoil.core.lifecycle import HoldStatus, LegStatus
from counterfoil.core.money import USD_CREDIT

LEG = Leg(
    LegId(typeid("leg", 1)),
    PaymentId(typeid("pmt", 1)),
    LegKind.CREDIT,
    LegStatus.RESERVED,
    1,
    "USD",
    NOW,
    1,
    WalletId(wallet().id),
    1,
)
DAYS = st.integers(1, 4).map(lambda days: timedelta(days=days))
LOTS = st.lists(
    st.builds(
        lambda priority, expires, cost, age, units: {
            "priority": priority,
            "expires_at": NOW + expires if expires else None,
            "cost_minor": cost,
            "source": GrantSource.PURCHASE if cost else GrantSource.PROMOTIONAL,
            "created_at": NOW - age,
            "amount": units,
            "remaining": units,
        },
        st.sampled_from([10, 50]),
        st.none() | DAYS,
        st.sampled_from([0, 7, 100]),
        DAYS,
        st.integers(1, 50 * ONE),
    ),
    min_size=1,
    max_size=5,
)


def lots_of(changes: list[dict[str, Any]]) -> tuple[Grant, ...]:
    return tuple(grant(n, 1, **each) for n, each in enumerate(changes, start=1))


# --- the draw order ---


def test_each_rung_of_the_draw_order_decides_before_the_next() -> None:
    """Pool, priority, kept for features first, soonest expiry, free before paid, oldest, id."""
    late, early = NOW + timedelta(days=9), NOW + timedelta(days=2)
    ladder = [
        grant(14, 1, 5, pool="pro", priority=90),
        grant(13, 1, 5, pool="family", priority=90),
        grant(12, 1, 5, priority=10),
        grant(11, 1, 5, features=("chat",)),
        grant(8, 1, 5, expires_at=early),
        grant(7, 1, expires_at=late),
        grant(6, 1, 5, expires_at=late),
        grant(5, 1),
        grant(4, 1, 5, created_at=NOW - timedelta(days=90)),
        grant(2, 1, 5),
        grant(3, 1, 5),
    ]

    turned = ladder[::-1]

    assert list(eligible(turned, NOW, "chat", ("pro", "family"))) == ladder


@pytest.mark.parametrize(
    ("lot", "feature", "pools", "serving"),
    [
        ({}, None, (), True),
        ({}, "chat", ("pro",), True),
        ({"features": ("chat",)}, None, (), False),
        ({"features": ("chat", "search")}, "chat", (), True),
        ({"features": ("search",)}, "chat", (), False),
        ({"pool": "pro"}, None, (), False),
        ({"pool": "pro"}, None, ("pro",), True),
        ({"pool": "pro"}, None, ("team",), False),
        ({"pool": "pro", "features": ("chat",)}, "search", ("pro",), False),
    ],
)
def test_a_lot_is_used_only_for_what_it_is_kept_for(
    lot: dict[str, Any], feature: str | None, pools: tuple[str, ...], serving: bool
) -> None:
    assert bool(eligible((grant(1, 1, **lot),), NOW, feature, pools)) is serving


@pytest.mark.parametrize("kept", [{"features": ("chat",)}, {"pool": "pro"}])
def test_a_lot_that_is_kept_for_something_pays_no_invoice(kept: dict[str, Any]) -> None:
    lots = (grant(1, 30, **kept), grant(2, 10))

    shares = cover(books(wallets=(wallet(),), grants=lots), wallet(), 3_000, NOW)

    assert [(each.grant.id, each.minor) for each in shares] == [(grant(2, 10).id, 1_000)]


@given(LOTS, st.randoms())
def test_the_order_is_total_and_the_same_however_the_rows_were_read(changes: list[dict[str, Any]], random: Any) -> None:
    lots = list(lots_of(changes))
    shuffled = random.sample(lots, len(lots))

    first = cover(books(wallets=(wallet(),), grants=tuple(lots)), wallet(), 3_000, NOW)
    second = cover(books(wallets=(wallet(),), grants=tuple(shuffled)), wallet(), 3_000, NOW)

    assert first == second
    assert len({draw_key(each) for each in lots}) == len(lots)


def test_every_permutation_of_equal_lots_draws_the_same() -> None:
    lots = tuple(grant(n, 10) for n in range(1, 5))

    drawn = {cover(books(wallets=(wallet(),), grants=each), wallet(), 2_500, NOW) for each in permutations(lots)}

    assert len(drawn) == 1


@pytest.mark.parametrize(
    ("changes", "at", "live"),
    [
        ({}, NOW, True),
        ({"effective_at": NOW}, NOW, True),
        ({"effective_at": NOW + timedelta(microseconds=1)}, NOW, False),
        ({"expires_at": NOW}, NOW, False),
        ({"expires_at": NOW + timedelta(microseconds=1)}, NOW, True),
    ],
)
def test_a_lot_lives_from_its_effect_until_before_its_expiry(changes: dict[str, Any], at: Any, live: bool) -> None:
    assert is_live(grant(1, 1, **changes), at) is live
    assert bool(eligible((grant(1, 1, **changes),), at)) is live


@given(LOTS, st.integers(0, 20_000))
def test_what_is_covered_is_in_whole_minor_units_and_never_more_than_there_is(
    changes: list[dict[str, Any]], minor: int
) -> None:
    held = books(wallets=(wallet(),), grants=lots_of(changes))

    shares = cover(held, wallet(), minor, NOW)

    worth = sum(each.amount // 10_000 for each in held.grants)
    assert sum(each.minor for each in shares) == min(minor, worth)
    for each in shares:
        assert 0 < each.quantity <= each.grant.free
        assert each.quantity == each.minor * 10_000


# --- reserving, using, giving back ---


def reserved(held: Books, minor: int) -> Books:
    shares = cover(held, wallet(), minor, NOW)
    holds, grants = credits.reserve(LEG, shares, Counting())
    return with_changes(held, (*holds, *grants))


@given(LOTS, st.integers(1, 5_000))
def test_a_release_leaves_no_trace_on_the_lots(changes: list[dict[str, Any]], minor: int) -> None:
    held = books(wallets=(wallet(),), grants=lots_of(changes))
    during = reserved(held, minor)

    holds, grants = credits.release(during, LEG)

    assert with_changes(during, grants).grants == held.grants
    assert {each.status for each in holds} <= {HoldStatus.RELEASED}
    assert all(each.free >= 0 for each in during.grants)


@given(LOTS, st.integers(1, 5_000))
def test_a_return_gives_back_what_was_used_and_the_cost_that_it_released(
    changes: list[dict[str, Any]], minor: int
) -> None:
    held = books(wallets=(wallet(),), grants=lots_of(changes))
    during = reserved(held, minor)
    holds, grants, drawn = credits.settle(during, LEG)
    after = with_changes(during, (*holds, *grants))

    back, again = credits.put_back(after, LEG)

    assert with_changes(after, back).grants == held.grants
    assert Counter(each.released_minor for each in again) == Counter(each.released_minor for each in drawn)
    for each in after.grants:
        assert 0 <= each.released_minor <= each.cost_minor
        assert each.held == 0


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_the_cost_of_a_lot_is_released_to_the_last_cent(units: int, cost: int, parts: list[int]) -> None:
    """Draw by draw, floor by floor: when the lot is used up, all of its cost was released, and no more."""
    amount = units * len(parts)
    lot = grant(1, 1, cost, amount=amount, remaining=amount, held=amount)
    released = 0
    for number, _ in enumerate(parts):
        hold = replace(
            credits.reserve(
                replace(LEG, id=LegId(f"leg_{number}")), (credits.Share(replace(lot, held=0), units, 1),), Counting()
            )[0][0]
        )
        held = Books(books().customer, grants=(lot,), holds=(hold,))
        _, (lot,), (drawn,) = credits.settle(held, replace(LEG, id=hold.leg))
        released += drawn.released_minor

    assert (lot.remaining, released, lot.released_minor) == (0, cost, cost)


@given(LOTS, st.integers(1, 5_000), st.sampled_from(sorted(PEGGED)))
def test_the_way_back_is_the_way_there_reversed(changes: list[dict[str, Any]], minor: int, currency: str) -> None:
    held = books(wallets=(wallet(),), grants=lots_of(changes))
    _, _, drawn = credits.settle(reserved(held, minor), LEG)
    leg = replace(LEG, currency=currency)
    if not drawn:
        return

    there = credit_leg_settled(leg, USD_CREDIT, CUSTOMER, drawn, NOW)
    back = credit_leg_returned(leg, USD_CREDIT, CUSTOMER, drawn, NOW)

    assert [(p.debit, p.credit, p.unit, p.amount) for p in back.postings] == [
        (p.credit, p.debit, p.unit, p.amount) for p in there.postings
    ]
    covered = sum(p.amount for p in there.postings if str(p.credit) == f"receivable:{CUSTOMER}")
    assert covered == sum(each.minor for each in drawn), "what credits pay is no longer owed, to the cent"


def test_free_lots_cover_from_promotion_and_bought_ones_from_what_they_cost() -> None:
    assert frozenset({GrantSource.PROMOTIONAL, GrantSource.BONUS}) == FREE_SOURCES
    lots = (grant(1, 10), grant(2, 10, 800), grant(3, 10, 1_500))
    _, _, drawn = credits.settle(reserved(books(wallets=(wallet(),), grants=lots), 3_000), LEG)

    entry = credit_leg_settled(LEG, USD_CREDIT, CUSTOMER, drawn, NOW)

    moved: Counter[tuple[str, str]] = Counter()
    for each in entry.postings:
        if each.unit == "USD":
            moved[each.debit.kind, each.credit.kind] += each.amount
    assert moved == {
        ("promotion_cost", "receivable"): 1_000 + 200,
        ("deferred_revenue", "receivable"): 800 + 1_000,
        ("deferred_revenue", "revenue"): 500,
    }
