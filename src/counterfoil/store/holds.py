"""Holds of spends in and out of the database. Their wallets' locks guard them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from counterfoil.core.holding import SpendHold
from counterfoil.store.codec import document
from counterfoil.store.database import Row, Statement, Tx
from counterfoil.store.pages import Page


def wallets_of(tx: Tx, ids: Iterable[str]) -> dict[str, str]:
    """Give the wallets of holds, by the holds' ids."""
    rows = tx.rows(
        "select id, wallet from spend_hold where tenant = %(tenant)s and id = any (%(ids)s::text[])", ids=list(ids)
    )
    return {row["id"]: row["wallet"] for row in rows}


def by_id(tx: Tx, ids: Iterable[str]) -> dict[str, SpendHold]:
    """Give holds by their ids."""
    rows = tx.rows(
        """
        select h.*, u.scale from spend_hold h
        join service_unit u on u.tenant = h.tenant and u.code = h.unit
        where h.tenant = %(tenant)s and h.id = any (%(ids)s::text[])
        """,
        ids=list(ids),
    )
    return {row["id"]: _hold(row) for row in rows}


def over(tx: Tx, wallets: Iterable[str], now: datetime) -> list[SpendHold]:
    """Give the holds of these wallets whose time is up and that nothing has ended yet."""
    rows = tx.rows(
        """
        select h.*, u.scale from spend_hold h
        join service_unit u on u.tenant = h.tenant and u.code = h.unit
        where h.tenant = %(tenant)s and h.wallet = any (%(wallets)s::text[]) and h.status = 'open'
            and h.expires_at <= %(now)s
        """,
        wallets=list(wallets),
        now=now,
    )
    return [_hold(row) for row in rows]


def wallets_with_over(tx: Tx, now: datetime, limit: int) -> list[str]:
    """Give wallets that have a hold whose time is up, those of the oldest first."""
    rows = tx.rows(
        """
        select distinct wallet from (
            select wallet from spend_hold
            where tenant = %(tenant)s and status = 'open' and expires_at <= %(now)s
            order by expires_at
            limit %(limit)s
        ) as first
        """,
        now=now,
        limit=limit,
    )
    return [row["wallet"] for row in rows]


def of_wallet(tx: Tx, wallet: str, page: Page) -> list[SpendHold]:
    """Give holds of a wallet, the newest first."""
    rows = tx.rows(
        """
        select h.*, u.scale from spend_hold h
        join service_unit u on u.tenant = h.tenant and u.code = h.unit
        where h.tenant = %(tenant)s and h.wallet = %(wallet)s
            and (%(after)s::text is null or (h.created_at, h.id) < (
                select created_at, id from spend_hold where tenant = %(tenant)s and id = %(after)s
            ))
        order by h.created_at desc, h.id desc
        limit %(limit)s + 1
        """,
        wallet=wallet,
        after=page.after,
        limit=page.limit,
    )
    return [_hold(row) for row in rows]


PUT: Final[LiteralString] = """
    insert into spend_hold (tenant, id, key, request_hash, wallet, unit, amount, lots, shares, feature, pools, rule,
        status, settled, spend, flush, expires_at, created_at, ended_at)
    select %(tenant)s, id, key, request_hash, wallet, unit, amount, lots, shares, feature, pools, rule,
        status, settled, spend, flush, expires_at, created_at, ended_at
    from jsonb_to_recordset(%(rows)s::jsonb) as made (id text, key text, request_hash uuid, wallet text, unit text,
        amount bigint, lots text[], shares bigint[], feature text, pools text, rule text, status text, settled bigint,
        spend text, flush text, expires_at timestamptz, created_at timestamptz, ended_at timestamptz)
"""
END: Final[LiteralString] = """
    with ended as (
        update spend_hold set status = ended.status, settled = ended.settled, spend = ended.spend,
            ended_at = ended.ended_at
        from jsonb_to_recordset(%(rows)s::jsonb) as ended (id text, status text, settled bigint, spend text,
            ended_at timestamptz)
        where spend_hold.tenant = %(tenant)s and spend_hold.id = ended.id and spend_hold.status = 'open'
        returning 1
    )
    select 1 / (count(*) = %(number)s)::int from ended
"""


def put(holds: Sequence[SpendHold]) -> Statement:
    """Insert holds. Raises UniqueViolation when a key was used before."""
    return PUT, {"rows": document([_row(each) for each in holds])}


def end(holds: Sequence[SpendHold]) -> Statement:
    """Write how open holds ended. One that is not open is a bug: then nothing is committed."""
    return END, {"rows": document([_row(each) for each in holds]), "number": len(holds)}


def _row(hold: SpendHold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "key": hold.key,
        "request_hash": hold.request_hash,
        "wallet": hold.wallet,
        "unit": hold.unit,
        "amount": hold.amount,
        "lots": [lot for lot, _ in hold.reserved],
        "shares": [share for _, share in hold.reserved],
        "feature": hold.feature,
        "pools": " ".join(hold.pools) or None,
        "rule": hold.rule,
        "status": hold.status,
        "settled": hold.settled,
        "spend": hold.spend,
        "flush": hold.flush,
        "expires_at": hold.expires_at.isoformat(),
        "created_at": hold.created_at.isoformat(),
        "ended_at": hold.ended_at.isoformat() if hold.ended_at else None,
    }


def _hold(row: Row) -> SpendHold:
    return SpendHold(
        id=row["id"],
        key=row["key"],
        request_hash=row["request_hash"].hex,
        wallet=row["wallet"],
        unit=row["unit"],
        scale=row["scale"],
        amount=row["amount"],
        reserved=list(zip(row["lots"], row["shares"], strict=True)),
        feature=row["feature"],
        pools=tuple(row["pools"].split()) if row["pools"] else (),
        rule=row["rule"],
        status=row["status"],
        settled=row["settled"],
        spend=row["spend"],
        flush=row["flush"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        replayed=True,
    )
