"""Wallets to spend from, each with three lots, written past the engine: making thousands is not what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import psycopg

from bench.template import SANDBOX, STRIPE_KEY, build
from counterfoil.core.ids import PREFIXES, typeid
from counterfoil.core.money import USD_CREDIT
from counterfoil.engine import setup
from counterfoil.providers.stripe.adapter import StripePort

UNIT: Final = USD_CREDIT.code
PLENTY: Final = 10**15
PRIORITIES: Final = (10, 20, 30)
BEFORE: Final = "2026-01-01T00:00:00Z"
ENDS: Final = "2999-01-01T00:00:00Z"
NUMBERS: Final = count(1 << 100)


@dataclass(frozen=True, slots=True)
class Shop:
    """A tenant whose wallets are spent from, and a key of its that may spend."""

    dsn: str
    tenant: str
    account: str
    key: str


@dataclass(frozen=True, slots=True)
class Use:
    """What was spent from wallets: so many uses of so much each, in scaled units."""

    wallets: Sequence[str]
    times: int
    each: int


def open_shop(dsn: str) -> Shop:
    """Make the tenant."""
    house = build(dsn, StripePort())
    try:
        tenant = setup.ensure_tenant(house, "spenders", "test")
        account = setup.connect(house, tenant.id, setup.Connection(STRIPE_KEY, (), base_url=SANDBOX, slug="spenders"))
        _, key = setup.create_key(house, tenant, ("read", "spend"))
    finally:
        house.database.close()  # type: ignore[attr-defined]
    return Shop(dsn, tenant.id, account.id, key)


def open_wallets(shop: Shop, number: int, first_lots: int) -> list[str]:
    """Make customers with a wallet each. Two lots hold `first_lots` scaled units and end far ahead; the third, plenty.

    So a run draws from all three, in their order, and now and then from two at once.
    """
    customers, wallets = _ids("customer", number), _ids("wallet", number)
    with psycopg.connect(shop.dsn) as connection, connection.cursor() as cursor:
        with cursor.copy("copy customer (tenant, id, account, created_at) from stdin") as copy:
            for each in customers:
                copy.write_row((shop.tenant, each, shop.account, BEFORE))
        with cursor.copy("copy wallet (tenant, id, customer, unit, status, created_at) from stdin") as copy:
            for each, customer in zip(wallets, customers, strict=True):
                copy.write_row((shop.tenant, each, customer, UNIT, "active", BEFORE))
        with cursor.copy(
            "copy grant_lot (tenant, id, wallet, source, amount, remaining, cost_minor, cost_currency, priority, "
            "effective_at, expires_at, created_at) from stdin"
        ) as copy:
            for priority in PRIORITIES:
                held, ends = (PLENTY, None) if priority == PRIORITIES[-1] else (first_lots, ENDS)
                for each, lot in zip(wallets, _ids("grant", number), strict=True):
                    row = (shop.tenant, lot, each, "promotional", held, held, 0, "USD", priority, BEFORE, ends, BEFORE)
                    copy.write_row(row)
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze customer, wallet, grant_lot")
    return wallets


def check(shop: Shop, use: Use) -> None:
    """Every use happened once and is in the journal; nothing below zero; what left a lot is what was drawn from it."""
    with psycopg.connect(shop.dsn) as connection:
        row = connection.execute(
            """
            with drawn as (
                select spend, debit, amount, wallet, balance_after from draw
                where tenant = %(tenant)s and wallet = any (%(wallets)s::text[])
            ),
            per_lot as (
                select l.id, l.amount - l.remaining as gone, l.remaining
                from grant_lot l where l.tenant = %(tenant)s and l.wallet = any (%(wallets)s::text[])
            ),
            per_debit as (select debit, sum(amount) as drawn from drawn group by debit)
            select (select count(distinct spend) from drawn),
                (select coalesce(sum(amount), 0) from drawn),
                (select count(distinct (wallet, balance_after)) from drawn),
                (select count(*) from per_lot where remaining < 0),
                (select count(*) from per_lot l full join per_debit d on d.debit = 'grant:' || l.id
                    where coalesce(l.gone, 0) <> coalesce(d.drawn, 0))
            """,
            {"tenant": shop.tenant, "wallets": list(use.wallets)},
        ).fetchone()
    expected = (use.times, use.times * use.each, use.times, 0, 0)
    assert row == expected, f"spends, units, balances, lots below zero, lots that differ: {row}, not {expected}"


def deadlocks(dsn: str) -> int:
    """Count the deadlocks that Postgres has broken in this database."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone()
    assert row
    return int(row[0])


def _ids(noun: str, number: int) -> list[str]:
    return [typeid(PREFIXES[noun], next(NUMBERS)) for _ in range(number)]
