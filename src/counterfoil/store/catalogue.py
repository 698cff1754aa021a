"""What a tenant sells and what it holds purchases to: versions that only grow, of which the last one holds."""

from datetime import datetime

from counterfoil.core.catalogue import Catalogue, Pack, PurchasePolicy
from counterfoil.store.codec import decode, to_json
from counterfoil.store.database import Row, Tx


def read(tx: Tx) -> Catalogue:
    """Give the last version of every pack, and the policy."""
    return Catalogue(tuple(packs(tx)), policy(tx))


def packs(tx: Tx) -> list[Pack]:
    """Give the last version of every pack, by code."""
    rows = tx.rows(
        """
        select distinct on (code) terms from pack_version
        where tenant = %(tenant)s
        order by code, version desc
        """
    )
    return [_pack(row) for row in rows]


def versions(tx: Tx, code: str) -> list[Pack]:
    """Give every version of a pack, the newest first."""
    sql = "select terms from pack_version where tenant = %(tenant)s and code = %(code)s order by version desc"
    return [_pack(row) for row in tx.rows(sql, code=code)]


def _pack(row: Row) -> Pack:
    pack = decode(row["terms"])
    assert isinstance(pack, Pack)
    return pack


def put_pack(tx: Tx, pack: Pack, now: datetime) -> None:
    """Add a version of a pack."""
    tx.run(
        """
        insert into pack_version (tenant, code, version, unit, quantity, terms, created_at)
        values (%(tenant)s, %(code)s, %(version)s, %(unit)s, %(quantity)s, %(terms)s, %(now)s)
        """,
        code=pack.code,
        version=pack.version,
        unit=pack.unit,
        quantity=pack.quantity,
        terms=to_json(pack),
        now=now,
    )


def policy(tx: Tx) -> PurchasePolicy:
    """Give the policy that holds: the last one, or what holds before any was declared."""
    row = tx.one("select terms from purchase_policy where tenant = %(tenant)s order by version desc limit 1")
    found = decode(row["terms"]) if row else PurchasePolicy()
    assert isinstance(found, PurchasePolicy)
    return found


def put_policy(tx: Tx, wanted: PurchasePolicy, now: datetime) -> None:
    """Add a version of the policy."""
    tx.run(
        """
        insert into purchase_policy (tenant, version, terms, created_at)
        values (%(tenant)s, %(version)s, %(terms)s, %(now)s)
        """,
        version=wanted.version,
        terms=to_json(wanted),
        now=now,
    )
