"""What a use draws: by the one order of lots, never below zero, and the same whatever order the rows were read in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.books import Grant, GrantSource
from counterfoil.core.credits import eligible
from counterfoil.core.holding import SpendHold, decide_hold, decide_settle, let_go
from counterfoil.core.ids import GrantId, WalletId
from counterfoil.core.spending import Cover, Lot, Purse, Refusal, decide_spend

NOW = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
WALLET = WalletId("wlt_1")


def lot(number: int = 1, remaining: int = 10, held: int = 0, **more: Any) -> Lot:
    fields: dict[str, Any] = {
        "source": "purchase",
        "priority": 50,
        "effective_at": NOW - HOUR,
        "expires_at": None,
        "created_at": NOW,
    }
    return Lot(id=f"grant_{number}", remaining=remaining, held=held, **(fields | more))


def purse(*lots: Lot, **more: Any) -> Purse:
    made = Purse("wlt_1", "cust_1", "credits", 0, "active", False, **more)
    made.fill(lots, NOW)
    return made


def spend(given_purse: Purse, amount: int, feature: str | None = None, at: datetime = NOW) -> Any:
    return decide_spend(given_purse, amount, feature, at, NOW)


LOTS = st.builds(
    lot,
    number=st.integers(1, 10**6),
    remaining=st.integers(1, 50),
    source=st.sampled_from([str(each) for each in GrantSource]),
    priority=st.integers(0, 3),
    effective_at=st.sampled_from([NOW - HOUR, NOW, NOW + HOUR]),
    expires_at=st.sampled_from([None, NOW, NOW + HOUR, NOW + 2 * HOUR]),
    created_at=st.sampled_from([NOW - HOUR, NOW]),
    features=st.sampled_from([(), ("chat",), ("image", "chat")]),
    pool=st.sampled_from(["", "", "pro", "family"]),
)


def as_grant(each: Lot) -> Grant:
    return Grant(
        id=GrantId(each.id),
        wallet=WALLET,
        source=GrantSource(each.source),
        amount=each.remaining,
        remaining=each.remaining,
        cost_minor=0,
        cost_currency="USD",
        effective_at=each.effective_at,
        created_at=each.created_at,
        held=each.held,
        priority=each.priority,
        expires_at=each.expires_at,
        features=each.features,
        pool=each.pool,
    )


def copy_of(each: Lot) -> Lot:
    names = "id source priority effective_at expires_at created_at remaining held features pool".split()
    return Lot(**{name: getattr(each, name) for name in names})


@settings(max_examples=200, deadline=None)
@given(st.lists(LOTS, max_size=8, unique_by=lambda each: each.id), st.integers(1, 120), st.randoms())
def test_the_same_lots_give_the_same_draws_in_whatever_order_they_were_read(
    lots: list[Lot], amount: int, chance: Any
) -> None:
    shuffled = [copy_of(each) for each in lots]
    chance.shuffle(shuffled)

    assert spend(purse(*lots), amount, "chat") == spend(purse(*shuffled), amount, "chat")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LOTS, max_size=8, unique_by=lambda each: each.id),
    st.integers(1, 120),
    st.sampled_from([None, "chat", "image", "video"]),
    st.sampled_from([(), ("pro",), ("pro", "family"), ("family", "pro")]),
)
def test_draws_follow_the_one_published_order(
    lots: list[Lot], amount: int, feature: str | None, pools: tuple[str, ...]
) -> None:
    """The plain records have no order of their own: what is drawn is what `credits.eligible` gives, in its order."""
    expected, left = [], amount
    for each in eligible([as_grant(each) for each in lots], NOW, feature, pools):
        share = min(left, each.free)
        expected += [(f"grant:{each.id}", share)] if share else []
        left -= share

    answer = decide_spend(purse(*lots), amount, feature, NOW, NOW, pools)

    if left:
        assert isinstance(answer, Refusal)
    else:
        assert isinstance(answer, Cover)
        assert answer.draws == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LOTS, max_size=6, unique_by=lambda each: each.id),
    st.lists(st.integers(1, 40), max_size=8),
    st.sampled_from(["refuse", "debt", "write_off"]),
)
def test_nothing_goes_below_zero_and_every_unit_is_drawn_once(lots: list[Lot], uses: list[int], overdraft: str) -> None:
    before = sum(each.remaining for each in lots)
    wallet = purse(*lots, overdraft=overdraft, debt_limit=30 if overdraft == "debt" else None)
    drawn: dict[str, int] = {}
    for amount in uses:
        answer = spend(wallet, amount, "chat")
        if isinstance(answer, Cover):
            assert sum(share for _, share in answer.draws) == amount
            for account, share in answer.draws:
                drawn[account] = drawn.get(account, 0) + share

    assert all(each.remaining >= each.held >= 0 for each in wallet.lots)
    assert sum(share for account, share in drawn.items() if account.startswith("grant:")) == before - sum(
        each.remaining for each in wallet.lots
    )
    assert drawn.get("debt:wlt_1", 0) == wallet.debt <= 30


def test_a_lot_for_a_feature_pays_for_that_one_and_before_the_others() -> None:
    lots = [lot(1), lot(2, features=("chat",))]

    assert spend(purse(*lots), 1, "chat").draws == [("grant:grant_2", 1)]
    assert spend(purse(*[copy_of(each) for each in lots]), 1, "image").draws == [("grant:grant_1", 1)]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"status": "suspended"}, "wallet_not_active"),
        ({"status": "closed"}, "wallet_not_active"),
        ({"paused": True}, "customer_paused"),
        ({"debt": 1}, "wallet_in_debt"),
        ({"debt": 1, "overdraft": "write_off"}, "wallet_in_debt"),
    ],
)
def test_a_wallet_that_may_not_be_spent_from_is_left_alone(made: dict[str, Any], code: str) -> None:
    wallet = purse(lot())
    for name, value in made.items():
        setattr(wallet, name, value)

    assert spend(wallet, 1).code == code
    assert decide_hold(wallet, 1, None, NOW).code == code  # type: ignore[union-attr]
    assert [each.remaining - each.held for each in wallet.lots] == [10]


def test_use_is_judged_as_of_its_own_time() -> None:
    """A lot that has expired since and was not booked away pays for what happened before; one issued since does not."""
    gone, fresh = lot(1, expires_at=NOW - HOUR, effective_at=NOW - 3 * HOUR), lot(2, effective_at=NOW)

    late = spend(purse(gone, fresh), 4, at=NOW - 2 * HOUR)
    too_much = spend(purse(copy_of(gone), copy_of(fresh)), 8, at=NOW - 2 * HOUR)

    assert late.draws == [("grant:grant_1", 4)]
    assert late.balance_after == 10
    assert (too_much.code, too_much.balance, too_much.needed) == ("insufficient_credits", "6", "8")
    assert too_much.remedy


HELD = st.integers(1, 30)


@settings(max_examples=200, deadline=None)
@given(st.lists(LOTS, min_size=1, max_size=6, unique_by=lambda each: each.id), HELD, st.integers(0, 60))
def test_a_hold_ends_with_what_was_used_drawn_and_nothing_held(lots: list[Lot], amount: int, used: int) -> None:
    wallet = purse(*lots)
    reserved = decide_hold(wallet, amount, "chat", NOW)
    if isinstance(reserved, Refusal):
        return
    assert sum(each.held for each in wallet.lots) == amount
    before = sum(each.remaining for each in wallet.lots)
    hold = SpendHold(
        *("hold_1", "key", "0" * 32, "wlt_1", "credits", 0, amount, reserved, "chat", "draw-order@2", "open"),
        *(None, None, "flsh_1", NOW + HOUR, NOW),
    )

    answer = decide_settle(wallet, hold, used, refuse_more=False, now=NOW)

    if isinstance(answer, Refusal):
        assert used > amount
        assert sum(each.held for each in wallet.lots) == amount
        let_go(wallet, hold)
    else:
        assert sum(share for _, share in answer.draws) == used
        assert before - sum(each.remaining for each in wallet.lots) == used
    assert sum(each.held for each in wallet.lots) == 0
