"""Orders about one subject, as a rule looks at them before it makes another."""

from counterfoil.core.orders import Order
from counterfoil.store.database import Row, Tx
from counterfoil.store.subjects import order_from


def orders_about(tx: Tx, customer: str) -> tuple[Order, ...]:
    """Give the orders about a customer itself, oldest first, and hold them: none leaves before the transaction ends."""
    rows = tx.rows(
        "select * from provider_order where tenant = %(tenant)s and subject = %(id)s order by id for no key update",
        id=customer,
    )
    return tuple(order_from(row) for row in rows)


def has_open_before(tx: Tx, order: Order) -> bool:
    """Say whether an older order about the same subject has not come to its end."""
    row: Row | None = tx.one(
        """
        select 1 as found from provider_order
        where tenant = %(tenant)s and subject = %(subject)s and id < %(id)s and status in ('queued', 'sent', 'unknown')
        limit 1
        """,
        subject=order.subject,
        id=order.id,
    )
    return row is not None
