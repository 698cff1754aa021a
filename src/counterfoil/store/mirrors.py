"""Our invoices that mirror invoices of the provider's, found by the provider's ids."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.store.database import Row, Tx
from counterfoil.store.sweeps import LOOK_EVERY_MAX, LOOKS_MAX, SELDOM


def of_ref(tx: Tx, account: str, ref: str) -> Row | None:
    """Find the invoice that mirrors one of the provider's: its id and customer."""
    return tx.one(
        """
        select id, customer from invoice
        where tenant = %(tenant)s and account = %(account)s and provider_ref = %(ref)s
        """,
        account=account,
        ref=ref,
    )


def of_mark(tx: Tx, account: str, mark: str) -> Row | None:
    """Find the invoice that a mark names, if the provider was asked to make it and its id there is not known yet."""
    return tx.one(
        """
        select id, customer from invoice
        where tenant = %(tenant)s and account = %(account)s and id = %(mark)s
            and collector = 'provider' and provider_ref is null
        """,
        account=account,
        mark=mark,
    )


def purchase_of(tx: Tx, invoice: str) -> str | None:
    """Give the purchase that an invoice bills."""
    row = tx.one(
        "select id from purchase where tenant = %(tenant)s and invoice = %(id)s order by id limit 1", id=invoice
    )
    return str(row["id"]) if row else None


def bought_by(tx: Tx, payment: str) -> str | None:
    """Give the purchase that a payment paid for, if it paid for that alone."""
    rows = tx.rows(
        """
        select distinct l.purchase from leg
        join allocation a on a.tenant = leg.tenant and a.leg = leg.id
        join invoice_line l on l.tenant = a.tenant and l.invoice = a.invoice
        where leg.tenant = %(tenant)s and leg.payment = %(payment)s
        """,
        payment=payment,
    )
    return str(rows[0]["purchase"]) if len(rows) == 1 and rows[0]["purchase"] else None


def unbooked(tx: Tx, account: str, refs: Iterable[str]) -> set[str]:
    """Give those of the provider's invoices whose movements of a balance are not booked by an invoice of ours.

    An invoice that mirrors one books them itself, or is still to; one that is held never will.
    """
    wanted = sorted(set(refs))
    mirrored = tx.rows(
        """
        select i.provider_ref from invoice i
        left join purchase p on p.tenant = i.tenant and p.invoice = i.id
        where i.tenant = %(tenant)s and i.account = %(account)s and i.provider_ref = any (%(refs)s)
            and not (i.finalized_at is null and p.status = 'held')
        """,
        account=account,
        refs=wanted,
    )
    return set(wanted) - {str(row["provider_ref"]) for row in mirrored}


def open_there(tx: Tx, account: str, now: datetime) -> list[Row]:
    """Give the provider's invoices that are not over and are due to be looked at again, the longest unseen first."""
    return tx.rows(
        """
        select invoice.id, invoice.provider_ref from invoice
        left join provider_object o
            on o.tenant = invoice.tenant and o.account = invoice.account and o.ref = invoice.provider_ref
        where invoice.tenant = %(tenant)s and invoice.account = %(account)s and invoice.collector = 'provider'
            and invoice.status in ('draft', 'open') and invoice.provider_ref is not null
            and (o.applied_at is null
                or o.applied_at + least((%(now)s - invoice.created_at) / %(seldom)s, %(every_max)s) <= %(now)s)
        order by o.applied_at nulls first, invoice.created_at, invoice.id
        limit %(most)s
        """,
        account=account,
        now=now,
        seldom=SELDOM,
        every_max=LOOK_EVERY_MAX,
        most=LOOKS_MAX,
    )
