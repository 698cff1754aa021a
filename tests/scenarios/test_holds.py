"""Credits are held for a use, and then used, let go, or free again by themselves; never twice and never by two."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from behaviours import behaviour
from counterfoil.core.books import GrantSource
from counterfoil.core.ids import WalletId
from counterfoil.core.spending import Refusal
from counterfoil.core.wallets import Issue
from counterfoil.engine import operations
from counterfoil.engine.flush import Held
from counterfoil.engine.looks import look
from counterfoil.engine.looks import wallet as show_wallet
from counterfoil.engine.spends import HoldRequest, SettleRequest, Spender, SpendRequest, expire_holds
from counterfoil.store.audit import audit
from counterfoil.store.spends import Spend
from houses import ONE_CREDIT, World, body_of, house_with_sandbox

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world
        with world.house.database.snapshot(world.tenant.id) as tx:
            assert audit(tx).breaches == ()


@pytest.fixture
def spender(world: World) -> Iterator[Spender]:
    with Spender(world.house) as spender:
        yield spender


@pytest.fixture
def wallet(world: World) -> str:
    """Dana's wallet with 10 usd-credit."""
    return world.credits(world.customer(token=None), 10)


def hold(world: World, spender: Spender, amount: str, key: str, expires_in_s: int = 60) -> Any:
    request = HoldRequest(key=key, amount=amount, customer="ext:dana", unit="usd-credit", expires_in_s=expires_in_s)
    return spender.hold(world.tenant.id, request).result()


def settle(world: World, spender: Spender, held: Any, amount: str, if_more: str = "draw") -> Any:
    request = SettleRequest(amount=amount, if_more=if_more)
    return spender.settle(world.tenant.id, held.hold.id, request).result()


def release(world: World, spender: Spender, held: Any) -> Any:
    return spender.release(world.tenant.id, held.hold.id).result()


def use(world: World, spender: Spender, amount: str, key: str) -> Any:
    request = SpendRequest(key=key, amount=amount, customer="ext:dana", unit="usd-credit")
    return spender.spend(world.tenant.id, request).result()


def shown(world: World, wallet: str) -> tuple[str, str]:
    """What a wallet's balance is, and what of it can be spent."""
    view = look(world.house, world.tenant.id, lambda tx: show_wallet(tx, world.house, wallet))
    assert view
    return view["balance"]["quantity"], view["available"]["quantity"]


@behaviour("R-CW-27")
def test_of_fifty_who_want_the_last_unit_one_holds_it_and_its_failure_frees_it(world: World) -> None:
    """INC-29: two processes, fifty callers, one unit."""
    world.credits(world.customer(token=None), 1)

    with Spender(world.house) as one, Spender(world.house) as other, ThreadPoolExecutor(50) as callers:
        answers = list(callers.map(lambda n: hold(world, (one, other)[n % 2], "1", f"hold-{n}"), range(50)))
        won = [each for each in answers if isinstance(each, Held)]
        assert {each.code for each in answers if isinstance(each, Refusal)} == {"insufficient_credits"}
        assert len(won) == 1
        release(world, one, won[0])
        again = hold(world, other, "1", "hold-again")

    assert isinstance(again, Held)


def test_what_is_held_can_t_be_used_by_others_and_settling_with_less_gives_the_rest_back(
    world: World, spender: Spender, wallet: str
) -> None:
    held = hold(world, spender, "8", "hold-1")
    assert shown(world, wallet) == ("10.000000", "2.000000")
    refused = use(world, spender, "3", "use-1")

    settled = settle(world, spender, held, "5")

    assert refused.code == "insufficient_credits"
    assert (settled.hold.status, settled.hold.settled) == ("settled", 5 * ONE_CREDIT)
    assert isinstance(settled.spend, Spend)
    assert settled.spend.balance_after == 5 * ONE_CREDIT
    assert shown(world, wallet) == ("5.000000", "5.000000")


def test_an_end_again_is_the_same_end_and_another_one_is_refused(world: World, spender: Spender, wallet: str) -> None:
    held = hold(world, spender, "8", "hold-1")
    first = settle(world, spender, held, "8")

    again, other, let_go = (
        settle(world, spender, held, "8.0"),
        settle(world, spender, held, "7"),
        release(world, spender, held),
    )

    assert again.replayed
    assert again.spend.id == first.spend.id
    assert [other.code, let_go.code] == ["hold_not_open"] * 2
    assert hold(world, spender, "8", "hold-1").hold.status == "open"
    assert hold(world, spender, "7", "hold-1").code == "idempotency_key_reused"
    assert shown(world, wallet) == ("2.000000", "2.000000")


def test_more_than_is_held_is_drawn_as_a_use_would_or_refused(world: World, spender: Spender, wallet: str) -> None:
    held = hold(world, spender, "3", "hold-1")

    exceeded = settle(world, spender, held, "4", if_more="refuse")
    too_much = settle(world, spender, held, "11")
    still_held = shown(world, wallet)
    settled = settle(world, spender, held, "9")

    assert [exceeded.code, too_much.code] == ["hold_exceeded", "insufficient_credits"]
    assert still_held == ("10.000000", "7.000000")
    assert [amount for _, amount in settled.spend.draws] == [9 * ONE_CREDIT]
    assert shown(world, wallet) == ("1.000000", "1.000000")


def test_settling_with_nothing_uses_nothing(world: World, spender: Spender, wallet: str) -> None:
    held = hold(world, spender, "3", "hold-1")

    settled = settle(world, spender, held, "0")

    assert (settled.hold.status, settled.spend) == ("settled", None)
    assert shown(world, wallet) == ("10.000000", "10.000000")


def test_a_hold_expires_by_itself_in_the_next_use_or_by_the_sweep(world: World, spender: Spender, wallet: str) -> None:
    first = hold(world, spender, "10", "hold-1")
    world.clock.step(2 * MINUTE)

    used = use(world, spender, "4", "use-1")
    late = settle(world, spender, first, "1")
    second = hold(world, spender, "6", "hold-2")
    world.clock.step(2 * MINUTE)
    ended = [expire_holds(world.house, world.tenant.id), expire_holds(world.house, world.tenant.id)]

    assert isinstance(used, Spend)
    assert (late.status, late.code) == (409, "hold_not_open")
    assert isinstance(second, Held)
    assert ended == [1, 0]
    assert shown(world, wallet) == ("6.000000", "6.000000")


def test_a_reserved_share_does_not_expire_before_its_hold_ends(world: World, spender: Spender) -> None:
    customer = world.customer(token=None)
    wallet = body_of(operations.open_wallet(world.ask("wallet"), customer, "usd-credit"))["id"]
    now = world.clock.now()
    issue = Issue(WalletId(wallet), GrantSource.PROMOTIONAL, 5 * ONE_CREDIT, 0, None, now, expires_at=now + 10 * MINUTE)
    body_of(operations.issue_grant(world.ask("grant"), customer, issue))
    held = hold(world, spender, "4", "hold-1", expires_in_s=3600)
    world.clock.step(11 * MINUTE)
    world.pump()

    settled = settle(world, spender, held, "1")
    world.pump()

    assert isinstance(settled.spend, Spend)
    with world.house.database.snapshot(world.tenant.id) as tx:
        (lot,) = tx.rows("select remaining, held, gone from grant_lot where wallet = %(wallet)s", wallet=wallet)
    assert (lot["remaining"], lot["held"], lot["gone"]) == (0, 0, 4 * ONE_CREDIT)


def test_a_hold_of_nobody_is_not_found(world: World, spender: Spender, wallet: str) -> None:
    unknown = spender.release(world.tenant.id, "hold_01h455vb4pex5vsknk084sn02q").result()

    assert isinstance(unknown, Refusal)
    assert (unknown.status, unknown.code) == (404, "hold_not_found")
