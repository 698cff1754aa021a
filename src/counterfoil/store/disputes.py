"""Contested payments as rows."""

from collections.abc import Iterable
from typing import Final, LiteralString

from counterfoil.core.contested import Dispute
from counterfoil.core.lifecycle import DisputeStatus
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import EVERYTHING, Filter, Page
from counterfoil.store.subjects import from_row


def of_payments(tx: Tx, payments: Iterable[str]) -> tuple[Dispute, ...]:
    """Give the disputes of payments, in the order of their ids."""
    rows = tx.rows(
        "select * from dispute where tenant = %(tenant)s and payment = any (%(payments)s) order by id",
        payments=list(payments),
    )
    return tuple(from_row(Dispute, row) for row in rows)


def page(tx: Tx, page: Page, wanted: Filter) -> list[Row]:
    """Give disputes with what each holds, the newest first; `parent` is a payment or an invoice that they are of."""
    return tx.rows(PAGE, after=page.after, limit=page.limit, ids=None, **wanted.values)


def by_id(tx: Tx, identity: str) -> Row | None:
    """Give a dispute with what it holds."""
    return tx.one(PAGE, after=None, limit=1, ids=[identity], **EVERYTHING.values)


def pending_of(tx: Tx, customer: str) -> list[Row]:
    """Give the disputes of a customer that have no end yet, with what each holds."""
    wanted = Filter(customer=customer, statuses=(DisputeStatus.OPEN,))
    return page(tx, Page(limit=RESTRICTING_MAX), wanted)


RESTRICTING_MAX: Final = 20
"""How many open disputes of one customer are told as restrictions."""
PAGE: Final[LiteralString] = """
    select d.*, array(
        select a.invoice from allocation a where a.tenant = d.tenant and a.leg = d.leg order by a.invoice
    ) as invoices, coalesce((
        select jsonb_agg(jsonb_build_object('wallet', h.wallet, 'grant', h.grant_lot, 'quantity', h.quantity,
            'unit', u.code, 'scale', u.scale) order by h.id)
        from hold h
        join wallet w on w.tenant = h.tenant and w.id = h.wallet
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        where h.tenant = d.tenant and h.dispute = d.id and h.status = 'open'
    ), '[]') as held
    from dispute d
    where d.tenant = %(tenant)s
        and (%(after)s::text is null or d.id < %(after)s)
        and (%(ids)s::text[] is null or d.id = any (%(ids)s))
        and (%(customer)s::text is null or d.customer = %(customer)s)
        and (%(statuses)s::text[] is null or d.status = any (%(statuses)s))
        and (%(parent)s::text is null or d.payment = %(parent)s or exists (
            select from allocation a where a.tenant = d.tenant and a.leg = d.leg and a.invoice = %(parent)s
        ))
    order by d.id desc
    limit %(limit)s + 1
"""
