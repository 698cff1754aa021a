"""Drops what is kept for a while only: raw bodies, and the keys and answers of commands.

Everything goes page by page in the order of ids, which is the order in which rows were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from counterfoil.store.database import Row, Tx


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one page: how much was dropped, and its last id, None when the pages end here."""

    dropped: int
    last: str | None


def drop_bodies(tx: Tx, after: str, before: datetime, limit: int) -> Page:
    """Drop the raw bodies of one page that came before a time, unless their news is undecided or waits for a person."""
    rows = tx.rows(
        """
        with oldest as materialized (
            select inbox from raw_body
            where tenant = %(tenant)s and inbox > %(after)s
            order by inbox
            limit %(limit)s
        )
        select oldest.inbox, i.received_at, i.status = 'decided' as is_over
        from oldest
        cross join lateral (
            select received_at, status from inbox where tenant = %(tenant)s and id = oldest.inbox offset 0
        ) as i
        order by oldest.inbox
        """,
        after=after,
        limit=limit,
    )
    return _page(rows, before, limit, _drop_bodies(tx, _expired(rows, before)))


def drop_keys(tx: Tx, after: str, before: datetime, limit: int) -> Page:
    """Drop the keys and answers of the commands of one page that came before a time, once their answer is final.

    News and decision stay, under an identity that no key can have.
    """
    rows = tx.rows(
        """
        with oldest as materialized (
            select inbox, final_body is not null as is_over from command
            where tenant = %(tenant)s and inbox > %(after)s
            order by inbox
            limit %(limit)s
        )
        select oldest.inbox, i.received_at, oldest.is_over
        from oldest
        cross join lateral (
            select received_at from inbox where tenant = %(tenant)s and id = oldest.inbox offset 0
        ) as i
        order by oldest.inbox
        """,
        after=after,
        limit=limit,
    )
    ids = _expired(rows, before)
    if ids:
        tx.run(
            """
            update inbox set identity = 'expired:' || id
            where tenant = %(tenant)s and id = any (%(ids)s)
            """,
            ids=ids,
        )
        tx.run("delete from command where tenant = %(tenant)s and inbox = any (%(ids)s)", ids=ids)
    return _page(rows, before, limit, len(ids))


def _expired(rows: Sequence[Row], before: datetime) -> list[str]:
    return [row["inbox"] for row in rows if row["is_over"] and row["received_at"] < before]


def _drop_bodies(tx: Tx, ids: list[str]) -> int:
    if not ids:
        return 0
    return tx.run("delete from raw_body where tenant = %(tenant)s and inbox = any (%(ids)s)", ids=ids)


def _page(rows: Sequence[Row], before: datetime, limit: int, dropped: int) -> Page:
    """What came later than a row that is too young is younger still, so that the pages end there."""
    is_last = len(rows) < limit or any(row["received_at"] >= before for row in rows)
    return Page(dropped, None if is_last else rows[-1]["inbox"])


def drop_bodies_of_erased(tx: Tx, limit: int) -> int:
    """Drop bodies that came in about erased customers, however young, while their erasure was under way or in news
    that named them only later."""
    rows = tx.rows(
        """
        with erased as materialized (
            select id, account, provider_ref, erased_at from customer
            where tenant = %(tenant)s and erased_at is not null
        ), named as materialized (
            select body.inbox, erased.account
            from erased
            cross join lateral (
                select inbox from raw_body
                where tenant = %(tenant)s and customer_ref = erased.provider_ref
                offset 0
            ) as body
        ), concerned as materialized (
            select since.inbox
            from erased
            cross join lateral (
                select inbox from decision
                where tenant = %(tenant)s and customer = erased.id and decided_at >= erased.erased_at
                offset 0
            ) as since
        )
        select inbox from named
        where account = (select i.account from inbox i where i.tenant = %(tenant)s and i.id = named.inbox)
        union
        select inbox from concerned
        where (select 1 from raw_body r where r.tenant = %(tenant)s and r.inbox = concerned.inbox) = 1
        limit %(limit)s
        """,
        limit=limit,
    )
    return _drop_bodies(tx, [row["inbox"] for row in rows])


def drop_sent(tx: Tx, before: datetime, limit: int) -> int:
    """Drop one page of what was sent to host applications, and of what they answered, before a time.

    What is still to be sent is kept; one that is asked for again later is written anew.
    """
    rows = tx.rows(
        """
        delete from delivery_body
        where tenant = %(tenant)s and delivery in (
            select b.delivery from delivery_body b
            join delivery d on d.tenant = b.tenant and d.id = b.delivery
            where b.tenant = %(tenant)s and d.status <> 'pending' and d.created_at < %(before)s
            order by b.delivery
            limit %(limit)s
        )
        returning delivery
        """,
        before=before,
        limit=limit,
    )
    tx.run(
        """
        update delivery_try set reply = null
        where tenant = %(tenant)s and delivery = any (%(ids)s) and reply is not null
        """,
        ids=[row["delivery"] for row in rows],
    )
    return len(rows)


def note(tx: Tx, ran_at: datetime, bodies: int, keys: int) -> None:
    """Add what a run dropped to what was dropped before."""
    tx.run(
        """
        insert into upkeep (tenant, ran_at, bodies_dropped, keys_dropped)
        values (%(tenant)s, %(ran_at)s, %(bodies)s, %(keys)s)
        on conflict (tenant) do update set
            ran_at = excluded.ran_at,
            bodies_dropped = upkeep.bodies_dropped + excluded.bodies_dropped,
            keys_dropped = upkeep.keys_dropped + excluded.keys_dropped
        """,
        ran_at=ran_at,
        bodies=bodies,
        keys=keys,
    )
