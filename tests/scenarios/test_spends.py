"""A use is paid for once, by the lots whose turn it is, or not at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from counterfoil.core.spending import Refusal
from counterfoil.engine.flush import Answer
from counterfoil.engine.spends import Spender, SpendRequest
from counterfoil.store.spends import Spend
from houses import World, house_with_sandbox


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world


@pytest.fixture
def spender(world: World) -> Iterator[Spender]:
    with Spender(world.house) as spender:
        yield spender


def use(world: World, spender: Spender, amount: str, key: str, feature: str | None = None) -> Answer:
    request = SpendRequest(key=key, amount=amount, customer="ext:dana", unit="usd-credit", feature=feature)
    answer = spender.spend(world.tenant.id, request).result()
    assert isinstance(answer, Spend | Refusal)
    return answer


def test_a_use_draws_the_lot_and_says_what_is_left(world: World, spender: Spender) -> None:
    wallet = world.credits(world.customer(token=None), 30)

    spent = use(world, spender, "12.5", "use-1")

    assert isinstance(spent, Spend)
    assert (spent.wallet, spent.balance_after) == (wallet, 17_500_000)
    assert [amount for _, amount in spent.draws] == [12_500_000]


def test_the_same_key_again_is_the_same_spend_also_when_the_wallet_is_dry(world: World, spender: Spender) -> None:
    world.credits(world.customer(token=None), 30)
    first = use(world, spender, "30", "use-1")

    again = use(world, spender, "30", "use-1")

    assert isinstance(first, Spend)
    assert isinstance(again, Spend)
    assert again.replayed
    assert not first.replayed
    assert (again.id, again.draws, again.balance_after) == (first.id, first.draws, first.balance_after)


def test_the_same_key_with_another_request_is_refused(world: World, spender: Spender) -> None:
    world.credits(world.customer(token=None), 30)
    use(world, spender, "20", "use-1")

    other = use(world, spender, "20.0", "use-1")
    more = use(world, spender, "25", "use-1")

    assert isinstance(other, Refusal)
    assert isinstance(more, Refusal)
    assert [other.code, more.code] == ["idempotency_key_reused"] * 2


def test_a_refused_key_may_succeed_later(world: World, spender: Spender) -> None:
    customer = world.customer(token=None)
    world.credits(customer, 5)
    refused = use(world, spender, "6", "use-1")
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.code) == (402, "insufficient_credits")

    use(world, spender, "5", "use-2")
    tried = use(world, spender, "6", "use-1")

    assert isinstance(tried, Refusal)


def test_of_fifty_parallel_uses_of_the_last_unit_one_wins(world: World) -> None:
    """INC-29."""
    world.credits(world.customer(token=None), 1)

    with Spender(world.house) as one, Spender(world.house) as other, ThreadPoolExecutor(50) as callers:
        answers = list(callers.map(lambda n: use(world, (one, other)[n % 2], "1", f"use-{n}"), range(50)))

    assert sum(isinstance(answer, Spend) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"insufficient_credits"}


def test_late_use_is_judged_as_of_its_own_time(world: World, spender: Spender) -> None:
    world.credits(world.customer(token=None), 30)
    early = world.clock.now() - timedelta(hours=1)

    request = SpendRequest(key="late", amount="1", customer="ext:dana", unit="usd-credit", occurred_at=early)
    answer = spender.spend(world.tenant.id, request).result()

    assert isinstance(answer, Refusal)
    assert answer.code == "insufficient_credits"
    assert answer.detail.endswith("0.000000 usd-credit were live for it on 14 June 2026, 03:04:00 UTC.")
    assert answer.remedy
