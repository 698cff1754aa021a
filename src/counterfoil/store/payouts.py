"""Payouts, and every movement of our money at the provider, as rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString

from counterfoil.core.facts import MovementFact
from counterfoil.core.paid_out import Payout
from counterfoil.store.database import Row, Tx
from counterfoil.store.subjects import from_row


def held(tx: Tx, account: str, ref: str) -> Payout | None:
    """Give a payout by the provider's id, and hold it until the transaction ends."""
    row = tx.one(
        """
        select * from payout where tenant = %(tenant)s and account = %(account)s and provider_ref = %(ref)s
        for no key update
        """,
        account=account,
        ref=ref,
    )
    return from_row(Payout, row) if row else None


def by_id(tx: Tx, payout: str) -> Payout | None:
    """Give a payout, without locking it."""
    row = tx.one("select * from payout where tenant = %(tenant)s and id = %(id)s", id=payout)
    return from_row(Payout, row) if row else None


def put_items(tx: Tx, account: str, ref: str, items: Iterable[str]) -> None:
    """Keep which balance transactions a payout paid out."""
    tx.run(
        """
        insert into payout_item (tenant, payout, ref)
        select p.tenant, p.id, item from payout p, unnest(%(items)s::text[]) as item
        where p.tenant = %(tenant)s and p.account = %(account)s and p.provider_ref = %(ref)s
        on conflict do nothing
        """,
        account=account,
        ref=ref,
        items=list(items),
    )


# --- balance transactions ---


def newest(tx: Tx, account: str) -> tuple[str | None, datetime]:
    """Give the newest movement that was read of an account, None before the first one, and when it was connected."""
    row = tx.one(
        """
        select a.created_at, (
            select ref from balance_transaction t
            where t.tenant = a.tenant and t.account = a.id order by t.position desc limit 1
        ) as ref
        from provider_account a where a.tenant = %(tenant)s and a.id = %(account)s
        """,
        account=account,
    )
    assert row is not None, "an account that is swept is there"
    return row["ref"], row["created_at"]


def put_all(tx: Tx, account: str, facts: Sequence[MovementFact], now: datetime) -> set[str]:
    """Keep movements as they were read, oldest first, and give the refs of those that were not there."""
    rows = tx.rows(PUT, account=account, now=now, **_columns(facts))
    return {row["ref"] for row in rows}


def _columns(facts: Sequence[MovementFact]) -> dict[str, list[object]]:
    return {
        "refs": [each.ref for each in facts],
        "kinds": [each.kind for each in facts],
        "sources": [each.source for each in facts],
        "intents": [each.intent_ref for each in facts],
        "amounts": [each.amount_minor for each in facts],
        "fees": [each.fee_minor for each in facts],
        "nets": [each.net_minor for each in facts],
        "currencies": [each.currency for each in facts],
        "presented": [each.presented and each.presented.minor for each in facts],
        "presented_in": [each.presented and each.presented.currency for each in facts],
        "occurred": [each.occurred_at for each in facts],
        "available": [each.available_at for each in facts],
    }


PUT: Final[LiteralString] = """
    insert into balance_transaction (tenant, account, ref, kind, source, intent, amount_minor, fee_minor, net_minor,
        currency, presented_minor, presented_currency, occurred_at, available_at, seen_at)
    select %(tenant)s, %(account)s, each.*, %(now)s
    from unnest(%(refs)s::text[], %(kinds)s::text[], %(sources)s::text[], %(intents)s::text[], %(amounts)s::bigint[],
        %(fees)s::bigint[], %(nets)s::bigint[], %(currencies)s::text[], %(presented)s::bigint[],
        %(presented_in)s::text[], %(occurred)s::timestamptz[], %(available)s::timestamptz[]) as each
    on conflict do nothing
    returning ref
"""


def movement(tx: Tx, account: str, ref: str) -> Row | None:
    """Give one movement as it was read."""
    return tx.one(
        "select * from balance_transaction where tenant = %(tenant)s and account = %(account)s and ref = %(ref)s",
        account=account,
        ref=ref,
    )
