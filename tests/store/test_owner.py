"""The schema may be owned by a role that is no superuser: what most hosted databases give."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from core.factories import NOW
from counterfoil.store import accounts
from counterfoil.store.accounts import Tenant
from counterfoil.store.database import Database
from counterfoil.store.migrate import MigrationRefused, ensure_app_role, migrate
from databases import Databases

OWNER = "counterfoil_test_owner"


@pytest.fixture
def owned(databases: Databases) -> Iterator[str]:
    """An empty database that belongs to a plain role, addressed as that role."""
    dsn = databases.empty()
    name = urlsplit(dsn).path.removeprefix("/")
    with psycopg.connect(databases.server, autocommit=True) as connection:
        connection.execute(f"drop role if exists {OWNER}".encode())
        connection.execute(f"create role {OWNER} login createrole password 'owner'".encode())
        connection.execute(f"alter database {name} owner to {OWNER}".encode())
    yield as_owner(dsn)
    databases.drop(dsn)
    with psycopg.connect(databases.server, autocommit=True) as connection:
        connection.execute(f"drop owned by {OWNER} cascade".encode())
        connection.execute(f"drop role {OWNER}".encode())


def as_owner(dsn: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{OWNER}:owner@{host}"))


def test_a_plain_owner_migrates_and_serves(owned: str, databases: Databases) -> None:
    with psycopg.connect(databases.server, autocommit=True) as connection:
        ensure_app_role(connection)
        connection.execute(f"grant counterfoil_app to {OWNER} with admin option".encode())

    migrate(owned)
    database = Database(owned)
    try:
        tenant = Tenant("tnt_1", "one", "test", NOW)
        with database.owner(tenant.id) as tx:
            accounts.put_tenant(tx, tenant)
        with database.owner("") as tx:
            listed = [row["id"] for row in tx.rows("select id from tenant")]
        with database.transaction(tenant.id) as tx:
            seen = accounts.tenant(tx)
        with database.transaction("tnt_2") as tx:
            foreign = tx.rows("select id from tenant")
    finally:
        database.close()

    assert listed == ["tnt_1"]
    assert seen == tenant
    assert foreign == []


def test_an_owner_that_may_not_become_the_application_is_told_what_to_run(owned: str, databases: Databases) -> None:
    with psycopg.connect(databases.server, autocommit=True) as connection:
        connection.execute(f"alter role {OWNER} nocreaterole".encode())
        ensure_app_role(connection)

    with pytest.raises(MigrationRefused, match=f"grant counterfoil_app to {OWNER}"):
        migrate(owned)
