"""What is looked at again, however old it is: found by what stands in the books, the oldest trouble first."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.store.database import Row, Tx
from counterfoil.store.sweeps import LOOK_EVERY_MAX, SELDOM

PAGE = 500
"""How many rows one question gives at most; whoever asks goes on after the last of them."""


def open_legs(tx: Tx, account: str, after: tuple[datetime, str] | None) -> list[Row]:
    """Give the provider legs that may still capture and have a handle, the oldest first."""
    at, last = after or (None, None)
    return tx.rows(
        """
        select id, coalesce(provider_ref, session_ref) as provider_ref, created_at from leg
        where tenant = %(tenant)s and account = %(account)s and kind = 'provider'
            and status in ('processing', 'requires_action') and coalesce(provider_ref, session_ref) is not null
            and (%(at)s::timestamptz is null or (created_at, id) > (%(at)s, %(last)s))
        order by created_at, id
        limit %(most)s
        """,
        account=account,
        at=at,
        last=last,
        most=PAGE,
    )


def nameless_legs(tx: Tx, account: str, before: datetime) -> list[Row]:
    """Give the provider legs that are under way since before an instant, without a handle and without an order that
    would bring one: nobody will ever hear of them. The oldest first."""
    return tx.rows(
        """
        select l.id, l.created_at, p.customer, c.provider_ref as customer_ref
        from leg l
        join payment p on p.tenant = l.tenant and p.id = l.payment
        join customer c on c.tenant = p.tenant and c.id = p.customer
        where l.tenant = %(tenant)s and l.account = %(account)s and l.kind = 'provider'
            and l.status in ('processing', 'requires_action')
            and coalesce(l.provider_ref, l.session_ref) is null
            and l.created_at <= %(before)s
            and not exists (
                select from provider_order o
                where o.tenant = l.tenant and o.subject = l.id and o.status in ('queued', 'sent', 'unknown')
            )
        order by l.created_at, l.id
        limit %(most)s
        """,
        account=account,
        before=before,
        most=PAGE,
    )


def open_invoices_there(tx: Tx, account: str) -> list[Row]:
    """Give our invoices that mirror one of the provider's which is not over there, the oldest first."""
    return tx.rows(
        """
        select id, customer, provider_ref, created_at from invoice
        where tenant = %(tenant)s and account = %(account)s and collector = 'provider'
            and status in ('draft', 'open') and provider_ref is not null
        order by created_at, id
        limit %(most)s
        """,
        account=account,
        most=PAGE * 20,
    )


def open_refunds(tx: Tx, account: str, now: datetime | None = None) -> list[Row]:
    """Give the refunds that are on their way at the provider, the oldest first: id, created_at, the payment's handle.

    With `now` only those that are due to be looked at again, as with payments: the older, the more rarely.
    """
    return tx.rows(
        """
        select r.id, r.created_at, l.provider_ref from refund r
        join leg l on l.tenant = r.tenant and l.id = r.leg and l.provider_ref is not null
        left join provider_object o
            on o.tenant = r.tenant and o.account = r.account and o.ref = l.provider_ref || ':back'
        where r.tenant = %(tenant)s and r.account = %(account)s and r.status = 'processing'
            and (%(now)s::timestamptz is null or o.applied_at is null
                or o.applied_at + least((%(now)s - r.created_at) / %(seldom)s, %(every_max)s) <= %(now)s)
        order by r.created_at, r.id
        limit %(most)s
        """,
        account=account,
        now=now,
        seldom=SELDOM,
        every_max=LOOK_EVERY_MAX,
        most=PAGE * 2,
    )


def invoices_under_way(tx: Tx, account: str, after: str) -> list[Row]:
    """Give the invoices that say they are under way, with the statuses of the legs that are to pay them."""
    return tx.rows(
        """
        select i.id, i.customer, i.status, i.payment_status, i.created_at, array(
            select distinct l.status from allocation a
            join leg l on l.tenant = a.tenant and l.id = a.leg
            where a.tenant = i.tenant and a.invoice = i.id
        ) as legs
        from invoice i
        where i.tenant = %(tenant)s and i.account = %(account)s and i.id > %(after)s
            and i.payment_status in ('processing', 'requires_action')
        order by i.id
        limit %(most)s
        """,
        account=account,
        after=after,
        most=PAGE,
    )


def payments_under_way(tx: Tx, account: str, after: str) -> list[Row]:
    """Give the payments that say they are under way, with the statuses of their legs and what is settled of them."""
    return tx.rows(
        """
        select p.id, p.customer, p.status, p.amount_minor, p.created_at,
            array(select distinct l.status from leg l where l.tenant = p.tenant and l.payment = p.id) as legs,
            (
                select coalesce(sum(l.amount_minor), 0)::bigint from leg l
                where l.tenant = p.tenant and l.payment = p.id and l.status = 'settled'
            ) as settled_minor
        from payment p
        where p.tenant = %(tenant)s and p.account = %(account)s and p.id > %(after)s
            and p.status in ('processing', 'requires_action')
        order by p.id
        limit %(most)s
        """,
        account=account,
        after=after,
        most=PAGE,
    )


def known(tx: Tx, account: str, refs: Iterable[str]) -> dict[str, Row]:
    """Give what the newest applied look at these objects of the provider saw: status and fact, by their names."""
    rows = tx.rows(
        """
        select ref, status, fact from provider_object
        where tenant = %(tenant)s and account = %(account)s and ref = any (%(refs)s) and applied > 0
        """,
        account=account,
        refs=list(refs),
    )
    return {row["ref"]: row for row in rows}


def late(tx: Tx, before: datetime) -> Row:
    """Count the provider legs that have been under way since before an instant, and say since when the oldest is."""
    row = tx.one(
        """
        select count(*) filter (where created_at <= %(before)s)::int as late, count(*)::int as open,
            min(created_at) as oldest_at
        from leg
        where tenant = %(tenant)s and kind = 'provider' and status = 'processing'
        """,
        before=before,
    )
    assert row is not None
    return row
