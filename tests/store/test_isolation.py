"""A tenant sees and writes its own rows and no others: by the database, whatever the program forgot to ask for."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from core.factories import CUSTOMER, NOW, Counting
from counterfoil.core.facts import Source
from counterfoil.store import inbox, subjects
from counterfoil.store.database import Database
from counterfoil.store.inbox import News
from databases import Databases
from store.raw import as_app, as_owner, remove_guards
from store.road import OTHER, TENANT, Road, open_tenant

OUTSIDE = frozenset({"work", "endpoint_route", "business_clock", "master_key", "schema_migration"})
TYPES = {
    "bigint": 1,
    "integer": 1,
    "smallint": 1,
    "boolean": False,
    "jsonb": "{}",
    "bytea": b"x",
    "uuid": "0" * 32,
    "ARRAY": "{}",
    "interval": "0",
    "timestamp with time zone": NOW,
}


def columns_of(connection: psycopg.Connection[Any], table: str) -> dict[str, Any]:
    """Any values for the columns of a table that need one."""
    rows = connection.execute(
        """
        select column_name, data_type from information_schema.columns
        where table_schema = 'public' and table_name = %s and is_nullable = 'NO' and is_identity = 'NO'
        """,
        (table,),
    ).fetchall()
    return {name: TYPES.get(kind, "x") for name, kind in rows}


def key_of(table: str) -> str:
    return "id" if table == "tenant" else "tenant"


def put(connection: psycopg.Connection[Any], table: str, tenant: str) -> None:
    values = columns_of(connection, table) | {key_of(table): tenant}
    if table == "tenant":
        values["name"] = tenant
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    )


@pytest.fixture(scope="module")
def tables(databases: Databases) -> tuple[str, tuple[str, ...]]:
    """A database in which every table holds one row of each of two tenants, and the names of those tables."""
    dsn = databases.migrated()
    with as_owner(dsn) as connection:
        remove_guards(connection)
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        names = tuple(name for (name,) in rows if name not in OUTSIDE)
        for name in names:
            put(connection, name, TENANT)
            put(connection, name, OTHER)
            # What is left to refuse a write is the policy alone.
            connection.execute(sql.SQL("alter table {} disable trigger user").format(sql.Identifier(name)))
    return dsn, names


def seen(connection: psycopg.Connection[Any], table: str) -> set[str]:
    rows = connection.execute(sql.SQL("select {} from {}").format(sql.Identifier(key_of(table)), sql.Identifier(table)))
    return {key for (key,) in rows}


def test_without_a_tenant_every_table_is_empty(tables: tuple[str, tuple[str, ...]]) -> None:
    dsn, names = tables

    with as_app(dsn, None) as connection:
        assert {name: seen(connection, name) for name in names} == {name: set() for name in names}


@pytest.mark.parametrize("empty", ["", " ", "tnt_none"])
def test_with_no_real_tenant_every_table_is_empty(tables: tuple[str, tuple[str, ...]], empty: str) -> None:
    dsn, names = tables

    with as_app(dsn, empty) as connection:
        assert {name: seen(connection, name) for name in names} == {name: set() for name in names}


@pytest.mark.parametrize("tenant", [TENANT, OTHER])
def test_a_tenant_sees_its_own_rows_alone(tables: tuple[str, tuple[str, ...]], tenant: str) -> None:
    dsn, names = tables

    with as_app(dsn, tenant) as connection:
        assert {name: seen(connection, name) for name in names} == {name: {tenant} for name in names}


def test_the_journal_of_both_halves_is_a_tenant_s_own(tables: tuple[str, tuple[str, ...]]) -> None:
    """A view that read as its owner would show everybody's rows."""
    dsn, _ = tables

    with as_app(dsn, TENANT) as connection:
        assert seen(connection, "journal") == {TENANT}
    with as_app(dsn, None) as connection:
        assert seen(connection, "journal") == set()


def test_no_row_can_be_written_for_another_tenant(tables: tuple[str, tuple[str, ...]]) -> None:
    dsn, names = tables
    taken = []

    with as_app(dsn, TENANT) as connection:
        for name in names:
            with suppress(InsufficientPrivilege), connection.transaction(force_rollback=True):
                put(connection, name, "tnt_third")
                taken.append(name)

    assert taken == []


def test_no_row_can_be_moved_to_another_tenant(tables: tuple[str, tuple[str, ...]]) -> None:
    dsn, names = tables
    moved = []

    with as_app(dsn, TENANT) as connection:
        for name in names:
            key = sql.Identifier(key_of(name))
            update = sql.SQL("update {} set {} = %s").format(sql.Identifier(name), key)
            with suppress(InsufficientPrivilege), connection.transaction(force_rollback=True):
                connection.execute(update, (OTHER,))
                moved.append(name)

    assert moved == []


def test_another_tenant_s_rows_are_not_touched_by_an_update(tables: tuple[str, tuple[str, ...]]) -> None:
    dsn, names = tables

    with as_app(dsn, TENANT) as connection:
        for name in names:
            key = sql.Identifier(key_of(name))
            update = sql.SQL("update {} set {} = {} where {} = %s").format(sql.Identifier(name), key, key, key)
            with suppress(InsufficientPrivilege), connection.transaction():
                assert connection.execute(update, (OTHER,)).rowcount == 0


def test_the_application_can_t_lift_the_veil(database: str) -> None:
    with as_app(database) as connection:
        for statement in (
            "alter table invoice disable row level security",
            "drop policy own_tenant on invoice",
            "alter table posting disable trigger all",
            "set session_replication_role = replica",
            "create table private (id int)",
        ):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())


def test_a_transaction_of_one_tenant_does_not_find_the_customer_of_another(house: Database) -> None:
    Road(house, TENANT).open_customer()

    with house.transaction(OTHER) as tx:
        assert subjects.lock_customer(tx, CUSTOMER) is None
        assert subjects.customer_of(tx, "customer", CUSTOMER) is None
        assert tx.rows("select id from customer") == []
    with house.transaction(TENANT) as tx:
        assert subjects.lock_customer(tx, CUSTOMER) is not None


def test_the_same_ids_live_side_by_side_in_two_tenants(house: Database) -> None:
    Road(house, TENANT).open_customer()
    Road(house, OTHER).open_customer()

    for tenant in (TENANT, OTHER):
        with house.transaction(tenant) as tx:
            assert [row["tenant"] for row in tx.rows("select tenant from customer")] == [tenant]


def test_a_thousand_interleaved_requests_over_few_connections_leak_nothing(databases: Databases) -> None:
    dsn = databases.migrated()
    tenants = [f"tnt_{n:026d}" for n in range(1, 6)]
    for n, tenant in enumerate(tenants):
        open_tenant(dsn, tenant, f"tenant {n}")
    pool = Database(dsn, size=3)
    new_id = Counting()

    def ask(n: int) -> set[str]:
        tenant = tenants[n % len(tenants)]
        with pool.transaction(tenant) as tx:
            if n < 50:
                inbox.put(tx, News(new_id("inbox"), Source.API, "test", f"test:{n}", NOW, NOW))
            return {row["tenant"] for row in tx.rows("select tenant from inbox")} - {tenant}

    with ThreadPoolExecutor(8) as threads:
        foreign = set().union(*threads.map(ask, range(1_000)))
    with pool.claims() as tx:
        left_over = tx.rows("select id from inbox")
    pool.close()

    assert foreign == set()
    assert left_over == []


def test_a_failed_transaction_leaves_no_tenant_on_its_connection(house: Database) -> None:
    single = Database(house.dsn, size=1)
    with pytest.raises(psycopg.errors.DivisionByZero), single.transaction(TENANT) as tx:
        tx.rows("select 1 / 0")

    with single.claims() as tx:
        here = tx.one("select current_setting('counterfoil.tenant', true) as tenant, current_user as role")
    single.close()

    assert here == {"tenant": "", "role": "counterfoil_app"}
