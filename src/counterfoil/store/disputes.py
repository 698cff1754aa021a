"""Contested payments as rows."""

from collections.abc import Iterable

from counterfoil.core.contested import Dispute
from counterfoil.store.database import Tx
from counterfoil.store.subjects import from_row


def of_payments(tx: Tx, payments: Iterable[str]) -> tuple[Dispute, ...]:
    """Give the disputes of payments, in the order of their ids."""
    rows = tx.rows(
        "select * from dispute where tenant = %(tenant)s and payment = any (%(payments)s) order by id",
        payments=list(payments),
    )
    return tuple(from_row(Dispute, row) for row in rows)
