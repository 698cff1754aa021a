"""Refunds and credit notes, as rules and pages read them. Their customer's lock guards them."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.ids import LegId
from counterfoil.core.refunded import CreditNote, Refund
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import EVERYTHING, Filter, Page
from counterfoil.store.subjects import from_row
from counterfoil.store.sweeps import LOOK_EVERY_MAX, LOOKS_MAX, SELDOM


def of(tx: Tx, legs: Iterable[str], purchases: Iterable[str] = ()) -> tuple[Refund, ...]:
    """Give the refunds of these legs and purchases, whatever became of them."""
    rows = tx.rows(
        """
        select * from refund
        where tenant = %(tenant)s and (leg = any (%(legs)s) or purchase = any (%(purchases)s))
        order by id
        """,
        legs=list(legs),
        purchases=list(purchases),
    )
    return tuple(from_row(Refund, row) for row in rows)


def of_leg(tx: Tx, leg: str) -> list[str]:
    """Give the ids of the refunds of a leg."""
    return [row["id"] for row in tx.rows("select id from refund where tenant = %(tenant)s and leg = %(leg)s", leg=leg)]


def paid_by(tx: Tx, legs: Iterable[str]) -> tuple[tuple[LegId, int], ...]:
    """Give what of the money of legs paid invoices; the rest of it was kept for their customers."""
    rows = tx.rows(
        """
        select l.id, coalesce(sum(p.amount), 0)::bigint as minor from leg l
        left join posting p on p.tenant = l.tenant and p.entry = 'leg:' || l.id || ':settled'
            and p.credit like 'receivable:%%'
        where l.tenant = %(tenant)s and l.id = any (%(legs)s)
        group by l.id
        order by l.id
        """,
        legs=list(legs),
    )
    return tuple((LegId(row["id"]), row["minor"]) for row in rows)


def by_id(tx: Tx, ids: Iterable[str]) -> tuple[Refund, ...]:
    """Give refunds."""
    rows = tx.rows("select * from refund where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids))
    return tuple(from_row(Refund, row) for row in rows)


def together(tx: Tx, first: str) -> tuple[Refund, ...]:
    """Give the refunds that one command asked for, by the first of them."""
    rows = tx.rows(
        """
        select r.* from refund f
        join refund r on r.tenant = f.tenant and r.together = f.together and r.customer = f.customer
        where f.tenant = %(tenant)s and f.id = %(first)s
        order by r.id
        """,
        first=first,
    )
    return tuple(from_row(Refund, row) for row in rows)


def page(tx: Tx, wanted_page: Page, wanted: Filter = EVERYTHING) -> list[Refund]:
    """Give refunds, the newest first; `parent` is a payment, a leg or a purchase."""
    rows = tx.rows(
        """
        select * from refund
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(statuses)s::text[] is null or status = any (%(statuses)s))
            and (%(parent)s::text is null or %(parent)s in (payment, leg, purchase))
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
            and (%(before)s::timestamptz is null or created_at < %(before)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=wanted_page.after,
        limit=wanted_page.limit,
        **wanted.values,
    )
    return [from_row(Refund, row) for row in rows]


def open_there(tx: Tx, account: str, now: datetime) -> list[Row]:
    """Give the payments at the provider of which a refund is under way and due to be looked at again, however old.

    The longest unseen come first; the older a refund is, the more rarely it changes.
    """
    return tx.rows(
        """
        select l.provider_ref, min(r.created_at) as since from refund r
        join leg l on l.tenant = r.tenant and l.id = r.leg
        left join provider_object o
            on o.tenant = l.tenant and o.account = l.account and o.ref = l.provider_ref || ':back'
        where r.tenant = %(tenant)s and r.account = %(account)s and r.status = 'processing'
            and l.provider_ref is not null
            and (o.applied_at is null
                or o.applied_at + least((%(now)s - r.created_at) / %(seldom)s, %(every_max)s) <= %(now)s)
        group by l.provider_ref, o.applied_at
        order by o.applied_at nulls first, since, l.provider_ref
        limit %(most)s
        """,
        account=account,
        now=now,
        seldom=SELDOM,
        every_max=LOOK_EVERY_MAX,
        most=LOOKS_MAX,
    )


def notes_of(tx: Tx, invoices: Iterable[str]) -> tuple[CreditNote, ...]:
    """Give the credit notes of these invoices, the oldest first."""
    rows = tx.rows(
        "select * from credit_note where tenant = %(tenant)s and invoice = any (%(ids)s) order by id",
        ids=list(invoices),
    )
    return tuple(from_row(CreditNote, row) for row in rows)


def note_page(tx: Tx, wanted_page: Page, wanted: Filter = EVERYTHING) -> list[CreditNote]:
    """Give credit notes, the newest first; `parent` is an invoice."""
    rows = tx.rows(
        """
        select * from credit_note
        where tenant = %(tenant)s
            and (%(after)s::text is null or id < %(after)s)
            and (%(customer)s::text is null or customer = %(customer)s)
            and (%(parent)s::text is null or invoice = %(parent)s)
        order by id desc
        limit %(limit)s + 1
        """,
        after=wanted_page.after,
        limit=wanted_page.limit,
        **wanted.values,
    )
    return [from_row(CreditNote, row) for row in rows]


def note(tx: Tx, identity: str) -> CreditNote | None:
    """Give a credit note."""
    row = tx.one("select * from credit_note where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(CreditNote, row) if row else None
