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
        with page as (
            select r.inbox, i.received_at, i.status
            from raw_body r
            join inbox i on i.tenant = r.tenant and i.id = r.inbox
            where r.tenant = %(tenant)s and r.inbox > %(after)s
            order by r.inbox
            limit %(limit)s
        ), dropped as (
            delete from raw_body using page
            where raw_body.tenant = %(tenant)s and raw_body.inbox = page.inbox
                and page.received_at < %(before)s and page.status = 'decided'
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
        with page as (
            select c.inbox, i.received_at, c.final_body is not null as is_final
            from command c
            join inbox i on i.tenant = c.tenant and i.id = c.inbox
            where c.tenant = %(tenant)s and c.inbox > %(after)s
            order by c.inbox
            limit %(limit)s
        ), expired as (
            select inbox from page where received_at < %(before)s and is_final
        ), freed as (
            update inbox set identity = 'expired:' || inbox.id
            from expired
            where inbox.tenant = %(tenant)s and inbox.id = expired.inbox
        ), dropped as (
            delete from command using expired
            where command.tenant = %(tenant)s and command.inbox = expired.inbox
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
        delete from raw_body using (
            select r.inbox
            from customer c
            join raw_body r on r.tenant = c.tenant and r.customer_ref = c.provider_ref
            join inbox i on i.tenant = r.tenant and i.id = r.inbox and i.account = c.account
            where c.tenant = %(tenant)s and c.erased_at is not null
            union all
            select r.inbox
            from customer c
            join decision_about a on a.tenant = c.tenant and a.subject = c.id
            join decision d on d.tenant = a.tenant and d.id = a.decision and d.decided_at >= c.erased_at
            join raw_body r on r.tenant = d.tenant and r.inbox = d.inbox
            where c.tenant = %(tenant)s and c.erased_at is not null
            limit %(limit)s
        ) as late
        where raw_body.tenant = %(tenant)s and raw_body.inbox = late.inbox
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
