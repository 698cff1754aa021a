"""Draws are written once and whole, whoever writes at the same time, and what a flush reads is what it asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege, RestrictViolation, UniqueViolation

from counterfoil.engine.flush import Flush, Places
from counterfoil.engine.spends import SettleRequest, Spender, SpendRequest
from counterfoil.store import spends
from counterfoil.store.database import CommitUnknown, Database, Tx
from counterfoil.store.spends import Spend
from houses import World, house_with_sandbox
from store.raw import as_app, as_owner

MANY = 10_000
ROWS_MAX = 60
"""More than a flush of one use needs, and far less than the crowd."""
READ = "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int as n from pg_stat_xact_user_tables"


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database) as world:
        yield world


def use(world: World, spender: Spender, wallet: str, key: str, amount: str = "1") -> Any:
    return spender.spend(world.tenant.id, SpendRequest(key=key, wallet=wallet, amount=amount)).result()


def test_draws_only_grow(world: World, database: str) -> None:
    with Spender(world.house) as spender:
        use(world, spender, world.credits(world.customer(token=None), 10), "use-1")

    with as_app(database, world.tenant.id) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("update draw set amount = 1")
    for act in ("update draw set amount = 1", "delete from draw", "truncate draw"):
        with as_owner(database) as connection, pytest.raises(RestrictViolation):
            connection.execute(act)


def test_a_key_is_one_spend_by_the_database_s_own_word(world: World, database: str) -> None:
    with Spender(world.house) as spender:
        use(world, spender, world.credits(world.customer(token=None), 10), "use-1")
    again = (
        "insert into draw (tenant, spend, n, of_n, debit, unit, amount, wallet, key, request_hash, rule, flush, "
        "balance_after, occurred_at, recorded_at) select tenant, spend, n, of_n, debit, unit, amount, wallet, key, "
        "request_hash, rule, flush, balance_after, occurred_at, recorded_at from draw"
    )

    with as_owner(database) as connection:
        with pytest.raises(UniqueViolation):
            connection.execute(again)
        with pytest.raises(CheckViolation):
            connection.execute(again.replace("select tenant, spend, n, of_n", "select tenant, 'other', n + 1, of_n"))


def test_a_lot_that_moved_behind_its_wallet_s_lock_stops_the_whole_flush(world: World, database: str) -> None:
    """It can only be a bug, ours or another program's: then nothing is committed."""
    wallet = world.credits(world.customer(token=None), 10)
    with pytest.raises(psycopg.errors.DivisionByZero):
        _move_what_was_not_read(world.house.database, world.tenant.id, wallet)

    with as_owner(database) as connection:
        assert connection.execute("select remaining from grant_lot").fetchall() == [(10_000_000,)]


def _move_what_was_not_read(database: Any, tenant: str, wallet: str) -> None:
    with database.transaction(tenant) as tx:
        ((_, (lot,)),) = spends.locked(tx, [wallet])
        lot.remaining = 7
        tx.finish([spends.move([(lot, 8, lot.held)])])


class Lossy:
    """A database whose acknowledgement of a commit is lost as often as it is told."""

    def __init__(self, inner: Database, losses: int) -> None:
        self.inner = inner
        self.losses = losses

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Tx]:
        with self.inner.transaction(tenant) as tx:
            yield tx
        if self.losses:
            self.losses -= 1
            raise CommitUnknown("the acknowledgement was lost")


def test_a_commit_whose_acknowledgement_was_lost_is_found_again(world: World) -> None:
    """The wallet is dry after it: a second try must find what the first one did, and not that there is too little."""
    wallet = world.credits(world.customer(token=None), 10)
    database: Any = Lossy(world.house.database, losses=2)  # type: ignore[arg-type]
    house = world.house.__class__(
        **{name: getattr(world.house, name) for name in world.house.__slots__} | {"database": database}
    )

    with Spender(house) as spender:
        spent = use(world, spender, wallet, "use-1", "10")
        held = spender.settle(world.tenant.id, "hold_01h455vb4pex5vsknk084sn02q", SettleRequest(amount="1")).result()

    assert isinstance(spent, Spend)
    assert (spent.balance_after, spent.replayed) == (0, True)
    assert held.code == "hold_not_found"  # type: ignore[union-attr]


def test_a_use_reads_its_own_wallet_however_many_there_are(world: World, database: str) -> None:
    """With the plans of a connection that began with empty tables, and with those of one that begins now."""
    wallet = world.credits(world.customer(token=None), 1000)
    with Spender(world.house) as spender:
        for n in range(12):
            use(world, spender, wallet, f"early-{n}")
        _crowd(database, world.tenant.id)

        for n in range(3):
            use(world, spender, wallet, f"late-{n}")
        fresh = Database(database, size=1)
        try:
            counts = [_read_by_one_use(world, each, wallet, f"counted-{each is fresh}") for each in (fresh,)]
            counts.append(_read_by_one_use(world, world.house.database, wallet, "counted"))  # type: ignore[arg-type]
        finally:
            fresh.close()

    assert max(counts) < ROWS_MAX


def _crowd(dsn: str, tenant: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("set session_replication_role = replica")
        owner.execute(
            "insert into wallet (tenant, id, customer, unit, status, created_at) select tenant, 'wlt_x' || n, "
            "'cust_x' || n, unit, 'active', created_at from wallet, generate_series(1, %s) as n",
            (MANY,),
        )
        owner.execute(
            "insert into grant_lot (tenant, id, wallet, source, amount, remaining, cost_minor, cost_currency, "
            "priority, effective_at, created_at) select tenant, 'grant_x' || n, 'wlt_x' || n, source, amount, amount, "
            "0, 'USD', 50, effective_at, created_at from grant_lot, generate_series(1, %s) as n",
            (MANY,),
        )
        owner.execute("analyze")
    assert tenant


def _read_by_one_use(world: World, database: Database, wallet: str, key: str) -> int:
    from counterfoil.engine.asking import Ask, read_spend

    ask = read_spend(world.tenant.id, SpendRequest(key=key, wallet=wallet, amount="1"))
    assert isinstance(ask, Ask)
    with database.transaction(world.tenant.id) as tx:
        (before,) = tx.rows(READ)
        Flush(tx, world.house, Places()).run([ask], look_up=True, keep=False)
        (after,) = tx.rows(READ)
    return int(after["n"]) - int(before["n"])
