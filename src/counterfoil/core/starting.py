"""An order starts once: when everything that it bills is paid, or when the way to pay that it waits for is set up."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core.books import Books, Invoice
from counterfoil.core.effects import Change, Effect, Notify
from counterfoil.core.ids import SalesOrderId
from counterfoil.core.lifecycle import InvoiceStatus, PaymentStatus, SalesOrderStatus
from counterfoil.core.ordered import SalesOrder, StartedBy

OVER: Final = frozenset({SalesOrderStatus.STARTED, SalesOrderStatus.CANCELED})
"""Where nothing more is waited for."""


def follow(books: Books, now: datetime) -> tuple[Effect, ...]:
    """Move orders to where their invoices stand. `books` are as the news leaves them, with every invoice of an order.

    What pays the invoices does not matter: credits, the provider, or money from elsewhere.
    """
    return tuple(effect for each in books.sales_orders for effect in _follow(each, invoices_of(books, each.id), now))


def invoices_of(books: Books, order: SalesOrderId) -> tuple[Invoice, ...]:
    """Give what an order bills, without what was taken back."""
    own = (each for each in books.invoices if each.sales_order == order)
    return tuple(each for each in own if each.status is not InvoiceStatus.VOID)


def _follow(held: SalesOrder, invoices: tuple[Invoice, ...], now: datetime) -> tuple[Effect, ...]:
    if held.status is SalesOrderStatus.STARTED or not invoices:
        return ()
    if all(each.status is InvoiceStatus.PAID for each in invoices):
        # Also when it was given up before: the customer has paid for all of it.
        return started(held, replace(held, action_url=None), StartedBy.PAYMENT, now)
    if held.status is SalesOrderStatus.CANCELED:
        return ()
    is_moving = any(each.payment_status is PaymentStatus.PROCESSING for each in invoices)
    status = SalesOrderStatus.PROCESSING if is_moving else SalesOrderStatus.OPEN
    return (Change(held, replace(held, status=status)),) if status is not held.status else ()


def started(held: SalesOrder, after: SalesOrder, by: StartedBy, now: datetime) -> tuple[Effect, ...]:
    """Start an order, and tell so: whoever delivers hears of it exactly once."""
    begun = replace(after, status=SalesOrderStatus.STARTED, started_at=now, started_by=by)
    data: dict[str, str | int] = {"started_by": by, "total_minor": held.total_minor, "currency": held.currency}
    told = Notify(f"order.started:{held.id}", "order.started", held.customer, held.id, data)
    return (Change(held, begun), told)
