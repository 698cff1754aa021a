"""Sealed columns, and which master keys sealed them: what changing the key takes, and what starting with it does.

Whoever seals notes the key's name in the same transaction. So the database knows which keys it needs, and a process
that lacks one is told when it starts, not when a customer pays.
"""

from datetime import datetime
from typing import Final, LiteralString

from psycopg.sql import SQL, Composed, Identifier

from counterfoil.store.database import Tx
from counterfoil.store.secrets import SecretBox

SEALED: Final[tuple[tuple[LiteralString, LiteralString, LiteralString], ...]] = (
    ("provider_account", "id", "secret_box"),
    ("webhook_endpoint", "slug", "secrets_box"),
    ("tenant_secret", "name", "box"),
    ("hook_secret", "id", "box"),
)
"""Every sealed column: its table, what tells a tenant's rows apart, and the column."""


LOCK: Final = 7_301_985
"""Advisory lock of whoever seals."""


class MasterKeyUnknown(Exception):
    """Secrets of this database are sealed under a master key that this process was not given."""

    code = "master_key_unknown"


def seal(tx: Tx, box: SecretBox, secret: str, now: datetime) -> bytes:
    """Seal a secret of the transaction's tenant, and note under which key.

    Whoever can't open what is there may add nothing to it: of two processes that begin with different keys on an empty
    database, one is refused. Raises MasterKeyUnknown.
    """
    take_turns(tx)
    check_keys(tx, box)
    tx.run(
        """
        insert into master_key (name, first_used_at) values (%(name)s, %(now)s)
        on conflict (name) do update set name = excluded.name
        """,
        name=box.name,
        now=now,
    )
    return box.seal(tx.tenant, secret)


def take_turns(tx: Tx) -> None:
    """Let one transaction at a time seal, over all tenants."""
    tx.rows("select pg_advisory_xact_lock(%(lock)s)", lock=LOCK)


def keys_in_use(tx: Tx) -> list[str]:
    """Give the names of the keys that sealed something, the oldest first."""
    return [row["name"] for row in tx.rows("select name from master_key order by first_used_at, name")]


def check_keys(tx: Tx, box: SecretBox) -> None:
    """See that everything stored can be opened. Raises MasterKeyUnknown."""
    missing = [name for name in keys_in_use(tx) if name not in box.names]
    if missing:
        raise MasterKeyUnknown(
            f"secrets in this database are sealed under the master key {', '.join(missing)}, "
            f"and this process was given {', '.join(sorted(box.names))}"
        )


def forget_keys(tx: Tx, box: SecretBox) -> list[str]:
    """Note that only the sealing key is in use any more, and give the names of the others."""
    others = [name for name in keys_in_use(tx) if name != box.name]
    tx.run("delete from master_key where name = any (%(others)s)", others=others)
    return others


def unsealed_by(tx: Tx, box: SecretBox) -> int:
    """Count a tenant's boxes that another key than the sealing one sealed."""
    found = (tx.first(_count(table, column), {"head": box.head}) for table, _, column in SEALED)
    return sum(row["n"] for row in found if row)


def reseal(tx: Tx, box: SecretBox, limit: int, now: datetime) -> int:
    """Seal boxes of a tenant again, under the sealing key, and give how many. Raises SecretUnreadable."""
    take_turns(tx)
    done = 0
    for table, key, column in SEALED:
        for row in tx.composed_rows(_select(table, key, column), {"head": box.head, "limit": limit - done}):
            sealed = seal(tx, box, box.open(tx.tenant, row["box"]), now)
            tx.composed(_update(table, key, column), {"key": row["key"], "box": sealed})
            done += 1
    return done


OTHER: Final = SQL("tenant = %(tenant)s and substring({column} from 1 for 9) <> %(head)s")


def _count(table: LiteralString, column: LiteralString) -> Composed:
    other = OTHER.format(column=Identifier(column))
    return SQL("select count(*) as n from {table} where {other}").format(table=Identifier(table), other=other)


def _select(table: LiteralString, key: LiteralString, column: LiteralString) -> Composed:
    other = OTHER.format(column=Identifier(column))
    return SQL(
        "select {key} as key, {column} as box from {table} where {other} order by {key} limit %(limit)s for update"
    ).format(key=Identifier(key), column=Identifier(column), table=Identifier(table), other=other)


def _update(table: LiteralString, key: LiteralString, column: LiteralString) -> Composed:
    return SQL("update {table} set {column} = %(box)s where tenant = %(tenant)s and {key} = %(key)s").format(
        table=Identifier(table), column=Identifier(column), key=Identifier(key)
    )


def tenant_secret(tx: Tx, box: SecretBox, name: str) -> str | None:
    """Give a secret of the tenant, None before it is first needed."""
    row = tx.one("select box from tenant_secret where tenant = %(tenant)s and name = %(name)s", name=name)
    return box.open(tx.tenant, row["box"]) if row else None


def made_tenant_secret(tx: Tx, box: SecretBox, name: str, now: datetime) -> str:
    """Give a secret of the tenant, made when it is first needed. Of several that make it at once one wins."""
    held = tenant_secret(tx, box, name)
    if held is not None:
        return held
    tx.run(
        """
        insert into tenant_secret (tenant, name, box) values (%(tenant)s, %(name)s, %(box)s)
        on conflict (tenant, name) do nothing
        """,
        name=name,
        box=seal(tx, box, box.fresh(), now),
    )
    made = tenant_secret(tx, box, name)
    assert made is not None, "a secret that was just made"
    return made
