"""Purchases and the lines that wait to be billed, as rules read them. Their customer's lock guards them."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.bought import PendingLine, Purchase
from counterfoil.store.database import Tx
from counterfoil.store.subjects import from_row


def purchases(tx: Tx, ids: Iterable[str]) -> tuple[Purchase, ...]:
    """Give purchases."""
    rows = tx.rows("select * from purchase where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids))
    return tuple(from_row(Purchase, row) for row in rows)


def pending_lines(tx: Tx, customers: Iterable[str], ids: Iterable[str] = ()) -> tuple[PendingLine, ...]:
    """Give the lines of customers that wait to be billed, and those that are named whatever they are."""
    rows = tx.rows(
        """
        select * from pending_line
        where tenant = %(tenant)s and (customer = any (%(customers)s) and status = 'waiting' or id = any (%(ids)s))
        order by id
        """,
        customers=list(customers),
        ids=list(ids),
    )
    return tuple(from_row(PendingLine, row) for row in rows)


def of_external(tx: Tx, external_id: str) -> Purchase | None:
    """Find a purchase by the caller's own id."""
    row = tx.one(
        "select * from purchase where tenant = %(tenant)s and external_id = %(external_id)s", external_id=external_id
    )
    return from_row(Purchase, row) if row else None


def bought_since(tx: Tx, customer: str, currency: str, since: datetime) -> int:
    """Sum what a customer has bought by invoice since an instant: the rows are the reservation.

    What failed or was given up counts no more; what was taken back or refunded still does.
    """
    row = tx.one(
        """
        select coalesce(sum(net_minor + fee_minor + tax_minor), 0)::bigint as minor from purchase
        where tenant = %(tenant)s and customer = %(customer)s and currency = %(currency)s and settlement = 'invoice'
            and created_at > %(since)s and status not in ('failed', 'canceled')
        """,
        customer=customer,
        currency=currency,
        since=since,
    )
    return int(row["minor"]) if row else 0
