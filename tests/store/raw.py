"""Plain connections: as the role that the application writes as, and as the owner who can go around every guard."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from core.factories import NOW
from counterfoil.store.database import APP_ROLE
from store.road import TENANT


@contextmanager
def as_app(dsn: str, tenant: str | None = TENANT) -> Iterator[psycopg.Connection[Any]]:
    """A transaction as the application's role, inside a tenant (or inside none); rolled back at the end."""
    with psycopg.connect(dsn) as connection:
        connection.execute("select set_config('role', %s, true)", (APP_ROLE,))
        if tenant is not None:
            connection.execute("select set_config('counterfoil.tenant', %s, true)", (tenant,))
        yield connection
        connection.rollback()


@contextmanager
def as_owner(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser whose writes commit at once and whom the guards stop as everybody."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@contextmanager
def around_the_guards(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser for whom no trigger, foreign key or check exists: how books get broken that the database protects."""
    with as_owner(dsn) as connection:
        remove_guards(connection)
        yield connection


def remove_guards(connection: psycopg.Connection[Any]) -> None:
    """Switch triggers and foreign keys off for a connection, and drop every check."""
    connection.execute("set session_replication_role = replica")
    connection.execute(
        """
        do $$
        declare
            each record;
        begin
            for each in
                select conrelid::regclass as place, conname as name from pg_constraint
                where contype = 'c' and connamespace = 'public'::regnamespace
            loop
                execute format('alter table %s drop constraint %I', each.place, each.name);
            end loop;
        end $$
        """
    )


POSTING = (
    "insert into posting (tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision, occurred_at, "
    "effective_at, recorded_at) values (%(tenant)s, %(entry)s, %(n)s, %(of_n)s, %(debit)s, %(credit)s, %(unit)s, "
    "%(amount)s, %(subject)s, %(decision)s, %(at)s, %(at)s, %(at)s)"
)


def posting(**changes: Any) -> dict[str, Any]:
    """The values of one posting that is an entry by itself."""
    made = {
        "tenant": TENANT,
        "entry": "test:1",
        "n": 1,
        "of_n": 1,
        "debit": "receivable:dana",
        "credit": "revenue",
        "unit": "USD",
        "amount": 100,
        "subject": "test",
        "decision": "dec_1",
        "at": NOW,
    }
    return made | changes
