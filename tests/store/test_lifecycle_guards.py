"""Every move of the tables in core is taken by Postgres, and every other one is refused, whatever program asks."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import CheckViolation

from counterfoil.core.lifecycle import MACHINES
from databases import Databases

TYPES: dict[str, Any] = {
    "ARRAY": [],
    "bigint": 1,
    "integer": 1,
    "boolean": False,
    "jsonb": "{}",
    "uuid": "0" * 32,
    "timestamp with time zone": "2026-06-14Z",
}


@pytest.fixture(scope="module")
def bare(databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """A database in which the lifecycle is the only rule left, so that a refusal can have no other cause."""
    dsn = databases.migrated()
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute(
            """
            select conrelid::regclass::text, conname from pg_constraint
            where contype in ('c', 'f') and connamespace = 'public'::regnamespace and conname not like '%_states'
            """
        ).fetchall()
        for table, name in rows:
            drop = sql.SQL("alter table {} drop constraint {}").format(sql.Identifier(table), sql.Identifier(name))
            connection.execute(drop)
        yield connection


def put(connection: psycopg.Connection[Any], table: str, status: str) -> None:
    """Insert a row with this status and anything else in it."""
    columns = connection.execute(
        """
        select column_name, data_type from information_schema.columns
        where table_name = %s and is_nullable = 'NO' and column_default is null and is_identity = 'NO'
        """,
        (table,),
    ).fetchall()
    values = {name: TYPES.get(kind, "x") for name, kind in columns} | {"status": status}
    insert = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    connection.execute(insert, values)


def is_taken(connection: psycopg.Connection[Any], table: str, before: str, after: str) -> bool:
    """Say whether a row may go from one status to another, and leave nothing behind."""
    update = sql.SQL("update {} set status = %s").format(sql.Identifier(table))
    with connection.transaction(force_rollback=True):
        put(connection, table, before)
        try:
            with connection.transaction():
                connection.execute(update, (after,))
        except CheckViolation as error:
            if error.diag.constraint_name != f"{table}_moves":
                raise
            return False
    return True


@pytest.mark.parametrize("table", MACHINES)
def test_exactly_the_listed_moves_are_taken(bare: psycopg.Connection[Any], table: str) -> None:
    states, moves = MACHINES[table]

    taken = {(before, after) for before, after in permutations(states, 2) if is_taken(bare, table, before, after)}

    assert taken == {(before, after) for before, after in permutations(states, 2) if (before, after) in moves}


@pytest.mark.parametrize("table", MACHINES)
def test_a_subject_may_stay_where_it_is(bare: psycopg.Connection[Any], table: str) -> None:
    states, _ = MACHINES[table]

    assert all(is_taken(bare, table, state, state) for state in states)


@pytest.mark.parametrize("table", MACHINES)
def test_a_state_that_is_none_is_refused(bare: psycopg.Connection[Any], table: str) -> None:
    with pytest.raises(CheckViolation, match=f"{table}_states"), bare.transaction():
        put(bare, table, "pondering")
