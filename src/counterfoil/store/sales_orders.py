"""Orders as rows, and what of the provider's they wait for."""

from collections.abc import Iterable
from typing import Final

from counterfoil.core.ordered import SalesOrder
from counterfoil.store.database import Row, Tx
from counterfoil.store.subjects import from_row


def by_id(tx: Tx, ids: Iterable[str]) -> tuple[SalesOrder, ...]:
    """Give orders. Their customer's lock guards them."""
    rows = tx.rows(
        "select * from sales_order where tenant = %(tenant)s and id = any (%(ids)s) order by id", ids=list(ids)
    )
    return tuple(from_row(SalesOrder, row) for row in rows)


def invoices_of(tx: Tx, ids: Iterable[str]) -> list[str]:
    """Give the ids of the invoices that orders sell."""
    rows = tx.rows(
        "select id from invoice where tenant = %(tenant)s and sales_order = any (%(ids)s) order by id", ids=list(ids)
    )
    return [row["id"] for row in rows]


def of_external(tx: Tx, external_id: str) -> SalesOrder | None:
    """Find an order by the caller's own id."""
    row = tx.one(
        "select * from sales_order where tenant = %(tenant)s and external_id = %(external_id)s",
        external_id=external_id,
    )
    return from_row(SalesOrder, row) if row else None


def of_ref(tx: Tx, account: str, refs: Iterable[str]) -> Row | None:
    """Find the order that waits for a setup, by the setup or by its hosted page: its id and customer."""
    return tx.one(
        """
        select id, customer from sales_order
        where tenant = %(tenant)s and account = %(account)s
            and (setup_ref = any (%(refs)s) or session_ref = any (%(refs)s))
        limit 1
        """,
        account=account,
        refs=list(refs),
    )


def of_mark(tx: Tx, account: str, order: str) -> Row | None:
    """Find an order by the id that its setup carries as a mark, while it still waits for its handle."""
    return tx.one(
        """
        select id, customer from sales_order
        where tenant = %(tenant)s and account = %(account)s and id = %(order)s and collect = 'setup'
            and setup_ref is null
        """,
        account=account,
        order=order,
    )


def open_there(tx: Tx, account: str) -> list[Row]:
    """Give the setups that orders still wait for, to be looked at again however old they are."""
    return tx.rows(
        """
        select o.id, coalesce(o.session_ref, o.setup_ref) as provider_ref from sales_order o
        where o.tenant = %(tenant)s and o.account = %(account)s and o.status in ('open', 'processing')
            and o.collect = 'setup' and coalesce(o.session_ref, o.setup_ref) is not null
        order by o.created_at, o.id
        limit %(most)s
        """,
        account=account,
        most=LOOKS_MAX,
    )


LOOKS_MAX: Final = 200
"""So many in one sweep."""
