"""Brings a database to the current schema: numbered files, each in one transaction, never edited once released.

Plain SQL in order is all that is needed, so there is no migration framework (see docs/decisions).
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import psycopg

from counterfoil.store.database import APP_ROLE, DatabaseUnavailable

LOCK: Final = 7_301_984
"""Advisory lock of the migrator, so that two starting processes don't migrate at once."""
FILE_NAME: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class MigrationRefused(Exception):
    """The database's migrations are not ours: a file was changed after it ran, or the database is newer."""

    code = "migration_refused"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file, kept in the database so that a later edit is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Give the numbered files in order."""
    folder = files("counterfoil.store") / "migrations"
    found = [(FILE_NAME.match(each.name), each) for each in folder.iterdir()]
    numbered = [Migration(int(match[1]), each.name, each.read_text()) for match, each in found if match]
    return tuple(sorted(numbered, key=lambda migration: migration.number))


def schema_sql() -> str:
    """Give schema.sql, the truth that the migrations lead to."""
    return (files("counterfoil.store") / "schema.sql").read_text()


def migrate(dsn: str) -> list[str]:
    """Apply what is missing and give the names of what was applied. Safe to run from several processes at once.

    Needs a role that may create tables and, the first time in a cluster, the role counterfoil_app.
    Raises MigrationRefused when the database was migrated by other files, DatabaseUnavailable when it can't be reached.
    """
    with _connected(dsn) as connection:
        connection.execute("select pg_advisory_lock(%s)", (LOCK,))
        ensure_app_role(connection)
        applied = _applied(connection)
        missing = [each for each in migrations() if each.number not in applied]
        _check(applied)
        for migration in missing:
            _apply(connection, migration)
        # The first migration grants what it finds; what has been migrated is not the application's to write.
        connection.execute(f"revoke insert, update, delete on schema_migration from {APP_ROLE}")
    return [each.name for each in missing]


def pending(dsn: str) -> list[str]:
    """Give the names of the migrations that a database still lacks."""
    with _connected(dsn) as connection:
        applied = _applied(connection)
    return [each.name for each in migrations() if each.number not in applied]


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"no connection to Postgres: {str(error).strip()}") from error
    with connection:
        yield connection


def ensure_app_role(connection: psycopg.Connection) -> None:
    """Make the role that the application writes as, and let this one become it. It owns nothing and can't log in.

    Raises MigrationRefused, with the statement an administrator has to run, when this role may do neither.
    """
    try:
        _make_app_role(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise MigrationRefused(
            f"an administrator must run: create role {APP_ROLE} nologin; grant {APP_ROLE} to {user};"
        ) from error


def _make_app_role(connection: psycopg.Connection) -> None:
    connection.execute(
        f"""
        do $$
        begin
            if not exists (select from pg_roles where rolname = '{APP_ROLE}') then
                create role {APP_ROLE} nologin nobypassrls;
            end if;
        exception when duplicate_object or unique_violation then null;
        end $$
        """
    )
    # Whoever makes a role since Postgres 16 may grant it, but may not become it until it has granted it to itself.
    may_become = connection.execute("select pg_has_role(%s, 'USAGE')", (APP_ROLE,)).fetchone()
    if may_become != (True,):
        connection.execute(f"grant {APP_ROLE} to current_user")


def _applied(connection: psycopg.Connection) -> dict[int, str]:
    connection.execute(
        "create table if not exists schema_migration (number int primary key, name text not null, digest text not null)"
    )
    return dict(connection.execute("select number, digest from schema_migration").fetchall())


def _check(applied: dict[int, str]) -> None:
    known = {each.number: each for each in migrations()}
    for number, digest in sorted(applied.items()):
        if number not in known:
            raise MigrationRefused(f"the database is newer than this program: it has migration {number}")
        if known[number].digest != digest:
            raise MigrationRefused(f"{known[number].name} was changed after it was applied to this database")


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute("set local lock_timeout = '10s'")
        connection.execute(migration.sql.encode())
        connection.execute(
            "insert into schema_migration (number, name, digest) values (%s, %s, %s)",
            (migration.number, migration.name, migration.digest),
        )
