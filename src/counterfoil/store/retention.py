"""Drops what is kept for a while only: raw bodies, and the keys and answers of commands.

Everything goes page by page in the order of ids, which is the order in which rows were made.
"""

from collections.abc import Iterable
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
    row = tx.one(
        """
        with oldest as materialized (
            select inbox from raw_body
            where tenant = %(tenant)s and inbox > %(after)s
            order by inbox
            limit %(limit)s
        ), page as (
            select oldest.inbox, i.received_at, i.status
            from oldest
            cross join lateral (
                select received_at, status from inbox where tenant = %(tenant)s and id = oldest.inbox offset 0
            ) as i
        ), dropped as (
            delete from raw_body
            where tenant = %(tenant)s
                and inbox = any (array(select inbox from page where received_at < %(before)s and status = 'decided'))
            returning 1
        )
        select count(*) as seen, max(inbox) as last, bool_or(received_at >= %(before)s) as is_through,
            (select count(*) from dropped) as dropped
        from page
        """,
        after=after,
        before=before,
        limit=limit,
    )
    return _page(row, limit)


def drop_keys(tx: Tx, after: str, before: datetime, limit: int) -> Page:
    """Drop the keys and answers of the commands of one page that came before a time, once their answer is final.

    News and decision stay, under an identity that no key can have.
    """
    row = tx.one(
        """
        with oldest as materialized (
            select inbox, final_body is not null as is_final from command
            where tenant = %(tenant)s and inbox > %(after)s
            order by inbox
            limit %(limit)s
        ), page as (
            select oldest.inbox, i.received_at, oldest.is_final
            from oldest
            cross join lateral (
                select received_at from inbox where tenant = %(tenant)s and id = oldest.inbox offset 0
            ) as i
        ), expired as materialized (
            select array(select inbox from page where received_at < %(before)s and is_final) as ids
        ), freed as (
            update inbox set identity = 'expired:' || id
            where tenant = %(tenant)s and id = any ((select ids from expired)::text[])
        ), dropped as (
            delete from command
            where tenant = %(tenant)s and inbox = any ((select ids from expired)::text[])
            returning 1
        )
        select count(*) as seen, max(inbox) as last, bool_or(received_at >= %(before)s) as is_through,
            (select count(*) from dropped) as dropped
        from page
        """,
        after=after,
        before=before,
        limit=limit,
    )
    return _page(row, limit)


def _page(row: Row | None, limit: int) -> Page:
    """What came later than a row that is too young is younger still, so that the pages end there."""
    assert row is not None
    is_last = row["seen"] < limit or row["is_through"]
    return Page(row["dropped"], None if is_last else row["last"])


def drop_bodies_of_erased(tx: Tx, limit: int) -> int:
    """Drop bodies that came in about erased customers, however young, while their erasure was under way or in news
    that named them only later."""
    return tx.run(
        """
        with erased as materialized (
            select id, account, provider_ref, erased_at from customer
            where tenant = %(tenant)s and erased_at is not null
        ), late as materialized (
            select named.inbox
            from erased
            cross join lateral (
                select r.inbox, (select account from inbox where tenant = %(tenant)s and id = r.inbox) as account
                from raw_body r
                where r.tenant = %(tenant)s and r.customer_ref = erased.provider_ref
                offset 0
            ) as named
            where named.account = erased.account
            union all
            select decided.inbox
            from erased
            cross join lateral (
                select d.inbox
                from decision_about a
                join decision d on d.tenant = %(tenant)s and d.id = a.decision
                where a.tenant = %(tenant)s and a.subject = erased.id and d.decided_at >= erased.erased_at
                    and exists (select from raw_body r where r.tenant = %(tenant)s and r.inbox = d.inbox)
                offset 0
            ) as decided
            limit %(limit)s
        )
        delete from raw_body where tenant = %(tenant)s and inbox = any (array(select inbox from late))
        """,
        limit=limit,
    )


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


def schedule(tx: Tx, tenants: Iterable[str], due_at: datetime) -> None:
    """Make the upkeep of these tenants due, unless it is scheduled already."""
    tx.run(
        """
        insert into work (queue, tenant, id, due_at)
        select 'upkeep', tenant, tenant, %(due_at)s from unnest(%(tenants)s::text[]) as given (tenant)
        on conflict (queue, tenant, id) do nothing
        """,
        tenants=sorted(tenants),
        due_at=due_at,
    )
