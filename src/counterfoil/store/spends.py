"""Draws in and out of the database, and the wallets that spends are decided on: one statement per table and flush."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from counterfoil.core.spending import Lot, Purse
from counterfoil.store.database import Row, Statement, Tx
from counterfoil.store.pages import Page


@dataclass(slots=True)
class Spend:
    """A use that was accepted, as its draws tell it. `draws` are accounts and amounts in draw order, in scaled units.

    `request_hash` is the hex of what was asked for. `replayed` says that it was accepted before.
    """

    id: str
    key: str
    request_hash: str
    wallet: str
    unit: str
    scale: int
    draws: list[tuple[str, int]]
    rule: str
    flush: str
    balance_after: int
    feature: str | None
    pools: tuple[str, ...]
    hold: str | None
    occurred_at: datetime
    recorded_at: datetime
    replayed: bool = False


def addresses(
    tx: Tx, customers: Collection[str], externals: Collection[str]
) -> tuple[set[str], dict[tuple[str, str], str]]:
    """Find the open wallets of customers, given by our id or by the caller's own with `ext:` before it.

    Gives which of these customers there are, and the wallets by customer and unit.
    """
    rows = tx.rows(
        """
        select c.id, 'ext:' || c.external_id as external, w.id as wallet, w.unit
        from customer c
        left join wallet w on w.tenant = c.tenant and w.customer = c.id and w.status <> 'closed'
        where c.tenant = %(tenant)s
            and (c.id = any (%(customers)s::text[]) or c.external_id = any (%(externals)s::text[]))
        """,
        customers=list(customers),
        externals=list(externals),
    )
    names = {name for row in rows for name in (row["id"], row["external"]) if name}
    found = {(name, row["unit"]): row["wallet"] for row in rows for name in (row["id"], row["external"]) if name}
    return names, {where: wallet for where, wallet in found.items() if wallet}


LOCK: Final[LiteralString] = """
    with by_key as materialized (
        select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
            set_config('enable_bitmapscan', 'off', true)
    )
    select id from by_key cross join wallet
    where tenant = %(tenant)s and id = any (%(wallets)s::text[])
    order by id
    for no key update of wallet
"""
"""From here on the transaction finds every row by its key. Left to itself the planner joins the wallets of a large
flush with every customer and lot of the tenant: three times the cost at ten thousand, and no end at millions."""
READ: Final[LiteralString] = """
    select w.id, w.customer, w.unit, u.scale, w.status, c.paused, w.overdraft, w.debt_limit, w.debt,
        w.alert_at, w.topups, w.watch_below, w.overflow, w.contested,
        g.id, g.source, g.priority, g.effective_at, g.expires_at, g.created_at, g.remaining, g.held, g.features, g.pool
    from wallet w
    join customer c on c.tenant = w.tenant and c.id = w.customer
    join service_unit u on u.tenant = w.tenant and u.code = w.unit
    left join grant_lot g on g.tenant = w.tenant and g.wallet = w.id and g.remaining > 0 and g.voided_at is null
    where w.tenant = %(tenant)s and w.id = any (%(wallets)s::text[])
"""


def locked(tx: Tx, wallets: Sequence[str]) -> list[tuple[Purse, list[Lot]]]:
    """Lock wallets until the transaction ends, and give them with the lots that still hold something.

    The lots are read in a statement of their own after the lock, so that they are what whoever held it before has left.
    """
    wanted = {"wallets": _words(wallets)}
    _, rows = tx.together((LOCK, wanted), (READ, wanted))
    found: dict[str, tuple[Purse, list[Lot]]] = {}
    for row in rows:
        held = found.get(row[0])
        if held is None:
            held = found[row[0]] = Purse(*row[:14]), []
        if row[14] is not None:
            held[1].append(Lot(*row[14:]))
    return list(found.values())


MOVE: Final[LiteralString] = """
    with moved as (
        update grant_lot set remaining = lot.remaining, held = lot.held
        from unnest(%(ids)s::text[], %(remaining)s::bigint[], %(held)s::bigint[], %(remained)s::bigint[],
            %(was_held)s::bigint[]) as lot (id, remaining, held, remained, was_held)
        where grant_lot.tenant = %(tenant)s and grant_lot.id = lot.id
            and grant_lot.remaining = lot.remained and grant_lot.held = lot.was_held
        returning 1
    )
    select 1 / (count(*) = %(number)s)::int from moved
"""
"""Writes what lots hold. A lot that is not as it was read is a bug, never a race: then nothing is committed."""
OWE: Final[LiteralString] = """
    with owing as (
        update wallet set debt = purse.debt
        from unnest(%(ids)s::text[], %(debts)s::bigint[], %(owed)s::bigint[]) as purse (id, debt, owed)
        where wallet.tenant = %(tenant)s and wallet.id = purse.id and wallet.debt = purse.owed
        returning 1
    )
    select 1 / (count(*) = %(number)s)::int from owing
"""


def move(lots: Sequence[tuple[Lot, int, int]]) -> Statement:
    """Write what lots hold now, each with what remained and what was held of it when it was read."""
    return MOVE, {
        "ids": _words([lot.id for lot, _, _ in lots]),
        "remaining": _numbers([lot.remaining for lot, _, _ in lots]),
        "held": _numbers([lot.held for lot, _, _ in lots]),
        "remained": _numbers([remained for _, remained, _ in lots]),
        "was_held": _numbers([was_held for _, _, was_held in lots]),
        "number": len(lots),
    }


def owe(purses: Sequence[tuple[Purse, int]]) -> Statement:
    """Write what wallets owe now, each with what it owed when it was read."""
    return OWE, {
        "ids": _words([purse.id for purse, _ in purses]),
        "debts": _numbers([purse.debt for purse, _ in purses]),
        "owed": _numbers([owed for _, owed in purses]),
        "number": len(purses),
    }


PUT: Final[LiteralString] = """
    insert into draw (tenant, spend, n, of_n, debit, unit, amount, wallet, key, request_hash, rule, flush,
        balance_after, feature, pools, hold, occurred_at, recorded_at)
    select %(tenant)s, spend, n, of_n, debit, unit, amount, wallet, key, request_hash, %(rule)s, %(flush)s,
        balance_after, feature, pools, hold, coalesce(occurred_at, %(recorded_at)s), %(recorded_at)s
    from unnest(%(spends)s::text[], %(n)s::smallint[], %(of_n)s::smallint[], %(debits)s::text[], %(units)s::text[],
        %(amounts)s::bigint[], %(wallets)s::text[], %(keys)s::text[], %(hashes)s::uuid[], %(balances)s::bigint[],
        %(features)s::text[], %(pools)s::text[], %(holds)s::text[], %(times)s::timestamptz[]
    ) as made (spend, n, of_n, debit, unit, amount, wallet, key, request_hash, balance_after, feature,
        pools, hold, occurred_at)
"""


def put(spends: Sequence[Spend], rule: str, flush: str, recorded_at: datetime) -> Statement:
    """Insert the draws of spends of one flush. Raises UniqueViolation when a key was used before."""
    rows = [each for each in spends for _ in each.draws]
    draws = [draw for each in spends for draw in each.draws]
    return PUT, {
        "rule": rule,
        "flush": flush,
        "recorded_at": recorded_at,
        "spends": _words([each.id for each in rows]),
        "n": _numbers([n for each in spends for n in range(1, len(each.draws) + 1)]),
        "of_n": _numbers([len(each.draws) for each in rows]),
        "debits": _words([debit for debit, _ in draws]),
        "units": _words([each.unit for each in rows]),
        "amounts": _numbers([amount for _, amount in draws]),
        "wallets": _words([each.wallet for each in rows]),
        "keys": [each.key for each in rows],
        "hashes": _words([each.request_hash for each in rows]),
        "balances": _numbers([each.balance_after for each in rows]),
        "features": _texts([each.feature for each in rows]),
        "pools": _texts([" ".join(each.pools) or None for each in rows]),
        "holds": _texts([each.hold for each in rows]),
        "times": _texts([None if each.occurred_at is recorded_at else each.occurred_at.isoformat() for each in rows]),
    }


def _words(items: Sequence[str]) -> str:
    """Write ids and other words of our own, which have nothing to be quoted in them, as Postgres reads a text[]."""
    joined = '","'.join(items)
    return f'{{"{joined}"}}' if items else "{}"


def _numbers(items: Sequence[int]) -> str:
    """Write numbers as Postgres reads an array of them."""
    return f"{{{','.join(map(str, items))}}}"


def _texts(items: list[str | None]) -> Any:
    """Write texts of which some may be missing as Postgres reads an array of them."""
    return items if any(items) else f"{{{','.join(['null'] * len(items))}}}"


def by_id(tx: Tx, ids: Iterable[str]) -> dict[str, Spend]:
    """Give spends that were accepted, by their ids."""
    rows = tx.rows(
        """
        select d.spend, d.key, d.request_hash, d.wallet, d.unit, u.scale, d.rule, d.flush, d.balance_after, d.feature,
            d.pools, d.hold, d.occurred_at, d.recorded_at,
            array_agg(d.debit order by d.n) as debits, array_agg(d.amount order by d.n) as amounts
        from draw d
        join service_unit u on u.tenant = d.tenant and u.code = d.unit
        where d.tenant = %(tenant)s and d.spend = any (%(ids)s::text[])
        group by d.spend, d.key, d.request_hash, d.wallet, d.unit, u.scale, d.rule, d.flush, d.balance_after, d.feature,
            d.pools, d.hold, d.occurred_at, d.recorded_at
        """,
        ids=list(ids),
    )
    return {row["spend"]: _spend(row) for row in rows}


def of_wallet(tx: Tx, wallet: str, page: Page) -> list[Spend]:
    """Give spends of a wallet, the newest first."""
    rows = tx.rows(
        """
        with page as (
            select d.spend, d.position from draw d
            where d.tenant = %(tenant)s and d.wallet = %(wallet)s and d.n = 1
                and (%(after)s::text is null or d.position < (
                    select position from draw where tenant = %(tenant)s and spend = %(after)s and n = 1
                ))
            order by d.position desc
            limit %(limit)s + 1
        )
        select d.spend, d.key, d.request_hash, d.wallet, d.unit, u.scale, d.rule, d.flush, d.balance_after, d.feature,
            d.pools, d.hold, d.occurred_at, d.recorded_at,
            array_agg(d.debit order by d.n) as debits, array_agg(d.amount order by d.n) as amounts
        from page
        join draw d on d.tenant = %(tenant)s and d.spend = page.spend
        join service_unit u on u.tenant = d.tenant and u.code = d.unit
        group by page.position, d.spend, d.key, d.request_hash, d.wallet, d.unit, u.scale, d.rule, d.flush,
            d.balance_after, d.feature, d.pools, d.hold, d.occurred_at, d.recorded_at
        order by page.position desc
        """,
        wallet=wallet,
        after=page.after,
        limit=page.limit,
    )
    return [_spend(row) for row in rows]


def _spend(row: Row) -> Spend:
    return Spend(
        id=row["spend"],
        key=row["key"],
        request_hash=row["request_hash"].hex,
        wallet=row["wallet"],
        unit=row["unit"],
        scale=row["scale"],
        draws=list(zip(row["debits"], row["amounts"], strict=True)),
        rule=row["rule"],
        flush=row["flush"],
        balance_after=row["balance_after"],
        feature=row["feature"],
        pools=tuple(row["pools"].split()) if row["pools"] else (),
        hold=row["hold"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        replayed=True,
    )
