"""Balances and statements are fast and exact: they say what summing up the whole journal says, wherever one looks."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from counterfoil.core.books import GrantSource
from counterfoil.core.ids import WalletId
from counterfoil.core.money import USD_CREDIT
from counterfoil.core.terms import Overdraft
from counterfoil.core.wallets import Issue, Terms
from counterfoil.engine import corrections, looks, operations
from counterfoil.engine.spends import Spender, SpendRequest
from counterfoil.store import statements
from counterfoil.store.audit import audit
from counterfoil.store.database import Tx
from counterfoil.store.pages import Page
from counterfoil.store.spends import Spend
from houses import ONE_CREDIT, World, body_of, house_with_sandbox

SLOW = """
    with account as (
        select 'grant:' || id as name from grant_lot where tenant = %(tenant)s and wallet = %(wallet)s
        union all
        select 'debt:' || %(wallet)s
    ),
    moved as (
        select j.decision, j.position, j.effective_at, case when account.name = j.credit then amount else -amount end
            as amount
        from journal j
        join account on account.name in (j.credit, j.debit)
        where j.tenant = %(tenant)s
    )
"""
"""The definition: every movement of every lot and of the debt, whole."""


TIMES = "select distinct recorded_at as at from journal where tenant = %(tenant)s"


def slow_balance(tx: Tx, wallet: str, at: datetime) -> int:
    sql = SLOW + "select coalesce(sum(amount), 0) as held from moved where effective_at <= %(at)s"
    row = tx.one(sql, wallet=wallet, at=at)
    assert row is not None
    return int(row["held"])


def slow_statement(tx: Tx, wallet: str) -> list[tuple[str, int, int]]:
    sql = (
        SLOW
        + """
        select decision, change, sum(change) over (order by position) as balance
        from (select decision, min(position) as position, sum(amount) as change from moved group by decision) as step
        order by position desc
    """
    )
    rows = tx.rows(sql, wallet=wallet)
    return [(row["decision"], int(row["change"]), int(row["balance"])) for row in rows]


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world


def grant(world: World, customer: str, wallet: str, whole: int, hours: int | None) -> None:
    now = world.clock.now()
    expires_at = now + timedelta(hours=hours) if hours else None
    issue = Issue(
        WalletId(wallet), GrantSource.PURCHASE, whole * ONE_CREDIT, whole * 7, None, now, expires_at=expires_at
    )
    body_of(operations.issue_grant(world.ask("grant"), customer, issue))


def busy_wallet(world: World, seed: int) -> str:
    """A wallet with a long, mixed history: grants, uses, debt, corrections, expiries, and marks in between."""
    chance = random.Random(seed)
    customer = world.customer(token=None)
    terms = Terms(Overdraft.DEBT)
    opened = operations.open_wallet(world.ask("wallet"), customer, "usd-credit", lambda _: terms)
    wallet: str = body_of(opened)["id"]
    spent: list[str] = []
    with Spender(world.house) as spender:
        for n in range(60):
            act = chance.choice(["grant", "use", "use", "use", "use", "correct", "pass", "mark"])
            if act == "grant":
                grant(world, customer, wallet, chance.randint(1, 9), chance.choice([None, 2, 5]))
            elif act == "use":
                request = SpendRequest(key=f"u{seed}-{n}", amount=f"{chance.randint(1, 300) / 100:.2f}", wallet=wallet)
                answer = spender.spend(world.tenant.id, request).result()
                assert isinstance(answer, Spend)
                spent.append(answer.id)
            elif act == "correct" and spent:
                corrections.correct_spend(world.ask("correct"), spent.pop(chance.randrange(len(spent))), None)
            elif act == "mark":
                mark(world)
            else:
                world.pump(patience=timedelta(minutes=chance.randint(1, 90)))
    return wallet


def mark(world: World, every: int = 3) -> None:
    after: str | None = ""
    while after is not None:
        page = after
        after = world.house.transact(world.tenant.id, lambda tx, page=page: statements.mark(tx, page, 1, every))  # type: ignore[misc]


def rows_of(world: World, wallet: str, limit: int) -> list[dict[str, Any]]:
    """The whole statement, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = Page(after, limit)
        rows = looks.look(world.house, world.tenant.id, lambda tx, page=page: statements.statement(tx, wallet, page))  # type: ignore[misc]
        found += rows[:limit]
        if len(rows) <= limit:
            return found
        after = rows[limit - 1]["decision"]


@pytest.mark.parametrize("seed", range(4))
def test_a_statement_and_a_balance_say_what_the_whole_journal_says(world: World, seed: int) -> None:
    wallet = busy_wallet(world, seed)
    now = world.clock.now()
    with world.house.database.snapshot(world.tenant.id) as tx:
        expected = slow_statement(tx, wallet)
        times = [
            row["at"] for row in tx.rows("select distinct recorded_at as at from journal where tenant = %(tenant)s")
        ]
        for at in [*times, now, now - timedelta(hours=1), *(each + timedelta(minutes=3) for each in times)]:
            assert statements.balance_at(tx, wallet, at) == slow_balance(tx, wallet, at), at
        assert audit(tx).breaches == ()

    for limit in (1, 7, 200):
        shown = [(row["decision"], int(row["change"]), row["balance"]) for row in rows_of(world, wallet, limit)]
        assert shown == expected
    assert expected[0][2] == looks.look(world.house, world.tenant.id, lambda tx: sum_of_balances(tx, wallet)), (
        "the newest row is what the wallet holds"
    )


def sum_of_balances(tx: Tx, wallet: str) -> int:
    row = tx.one(
        "select (select coalesce(sum(remaining), 0) from grant_lot where tenant = %(tenant)s and wallet = %(wallet)s)"
        " - debt as held from wallet where tenant = %(tenant)s and id = %(wallet)s",
        wallet=wallet,
    )
    assert row is not None
    return int(row["held"])


def test_marks_are_made_once_and_stand_so_many_draws_apart(world: World) -> None:
    wallet = world.credits(world.customer(token=None), 30)
    with Spender(world.house) as spender:
        for n in range(20):
            spender.spend(world.tenant.id, SpendRequest(key=f"u{n}", amount="1", wallet=wallet)).result()

    mark(world, every=6)
    mark(world, every=6)

    with world.house.database.snapshot(world.tenant.id) as tx:
        marks = tx.rows("select drawn from draw_mark where tenant = %(tenant)s order by position")
    assert [int(row["drawn"]) // ONE_CREDIT for row in marks] == [6, 12, 18]
    assert USD_CREDIT.one == ONE_CREDIT
