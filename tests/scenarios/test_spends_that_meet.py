"""Uses that meet in two processes, draw in the published order, and are owed when nothing covers them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from counterfoil.core.books import GrantSource
from counterfoil.core.ids import WalletId
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import Issue, Terms
from counterfoil.engine import operations
from counterfoil.engine.spends import Spender, SpendRequest
from counterfoil.store.audit import audit
from counterfoil.store.spends import Spend
from houses import ONE_CREDIT, World, body_of, house_with_sandbox

ROUNDS = 150


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world
        with world.house.database.snapshot(world.tenant.id) as tx:
            assert audit(tx).breaches == ()


def use(world: World, door: Spender, wallet: str, amount: str, key: str) -> Spend:
    answer = door.spend(world.tenant.id, SpendRequest(key=key, wallet=wallet, amount=amount)).result()
    assert isinstance(answer, Spend), answer
    return answer


def test_uses_in_two_processes_see_what_each_other_took(world: World) -> None:
    wallet = world.credits(world.customer(token=None), 1000)

    def run(door: Spender, name: str) -> list[Spend]:
        return [use(world, door, wallet, "1", f"{name}-{n}") for n in range(ROUNDS)]

    with Spender(world.house) as one, Spender(world.house) as other, ThreadPoolExecutor(2) as both:
        spent = [each for run in both.map(run, (one, other), ("one", "other")) for each in run]

    left = sorted((each.balance_after for each in spent), reverse=True)
    assert left == [(1000 - n) * ONE_CREDIT for n in range(1, 2 * ROUNDS + 1)]


def test_one_key_in_two_processes_at_once_is_one_spend(world: World) -> None:
    wallet = world.credits(world.customer(token=None), 1000)

    with Spender(world.house) as one, Spender(world.house) as other, ThreadPoolExecutor(2) as both:
        for n in range(20):
            first, second = both.map(lambda door, n=n: use(world, door, wallet, "1", f"key-{n}"), (one, other))
            assert (first.id, first.draws, first.balance_after) == (second.id, second.draws, second.balance_after)
            assert first.replayed + second.replayed == 1


def test_a_use_draws_lots_in_the_published_order_and_not_in_the_order_of_their_birth(world: World) -> None:
    customer = world.customer(token=None)
    wallet = world.credits(customer, 10)
    urgent = Issue(WalletId(wallet), GrantSource.PROMOTIONAL, 4 * ONE_CREDIT, 0, None, world.clock.now(), priority=1)
    grant = body_of(operations.issue_grant(world.ask("grant"), customer, urgent))["id"]

    with Spender(world.house) as door:
        spent = use(world, door, wallet, "5", "use-1")

    assert [amount for _, amount in spent.draws] == [4 * ONE_CREDIT, ONE_CREDIT]
    assert spent.draws[0][0] == f"grant:{grant}"


def test_what_is_owed_is_no_credit(world: World) -> None:
    customer = world.customer(token=None)
    terms = Terms(Overdraft.DEBT)
    opened = operations.open_wallet(world.ask("wallet"), customer, "usd-credit", lambda unit: terms)
    wallet = body_of(opened)["id"]

    with Spender(world.house) as door:
        first = use(world, door, wallet, "3", "use-1")
        second = use(world, door, wallet, "2", "use-2")

    assert [first.balance_after, second.balance_after] == [-3 * ONE_CREDIT, -5 * ONE_CREDIT]
    assert second.draws == [(f"debt:{wallet}", 2 * ONE_CREDIT)]
