"""The status of a collection: a function of all its legs and what is left, never of the newest leg alone.

One definition for payments and for invoices. `latest leg` is a view for people, not a rule.
"""

from collections.abc import Iterable

from counterfoil.core.books import Books, Invoice, Leg, LegKind, Payment, allocations_of, legs_of
from counterfoil.core.ids import InvoiceId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus

IN_FLIGHT = frozenset({LegStatus.WAITING, LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION})
"""A leg whose money may still move at the provider."""


def status_from_legs(legs: Iterable[Leg], covered: bool) -> PaymentStatus:
    """Say where a collection stands. `covered` says whether settled legs pay all of it."""
    if covered:
        return PaymentStatus.SUCCEEDED
    statuses = {leg.status for leg in legs}
    if LegStatus.REQUIRES_ACTION in statuses:
        return PaymentStatus.REQUIRES_ACTION
    if statuses & {LegStatus.PROCESSING, LegStatus.WAITING}:
        return PaymentStatus.PROCESSING
    if LegStatus.REFUSED in statuses:
        return PaymentStatus.FAILED
    if statuses & {LegStatus.CANCELED, LegStatus.RELEASED, LegStatus.RETURNED}:
        return PaymentStatus.CANCELED
    return PaymentStatus.PENDING


def payment_status(books: Books, payment: Payment) -> PaymentStatus:
    """Say where a payment stands, from its legs alone."""
    legs = legs_of(books, payment.id)
    settled = sum(leg.amount_minor for leg in legs if leg.status is LegStatus.SETTLED)
    return status_from_legs(legs, covered=settled >= payment.amount_minor)


def invoice_payment_status(books: Books, invoice: Invoice) -> PaymentStatus:
    """Say how far the collection of an invoice is. A canceled try leaves it pending."""
    if invoice.status is InvoiceStatus.PAID:
        return PaymentStatus.SUCCEEDED
    status = status_from_legs(legs_for(books, invoice.id), covered=False)
    return PaymentStatus.PENDING if status is PaymentStatus.CANCELED else status


def legs_for(books: Books, invoice: InvoiceId) -> tuple[Leg, ...]:
    """Give the legs that are to pay an invoice."""
    ids = {each.leg for each in books.allocations if each.invoice == invoice}
    return tuple(leg for leg in books.legs if leg.id in ids)


def open_provider_legs(books: Books, invoice: InvoiceId) -> tuple[Leg, ...]:
    """Give the provider legs of an invoice that may still capture. There is at most one."""
    return tuple(leg for leg in legs_for(books, invoice) if leg.kind is LegKind.PROVIDER and leg.status in IN_FLIGHT)


def reserved_minor(books: Books, invoice: InvoiceId) -> int:
    """Give how much of an invoice reserved credits will pay once its provider leg settles."""
    reserved = (leg for leg in legs_for(books, invoice) if leg.status is LegStatus.RESERVED)
    return sum(each.minor for leg in reserved for each in allocations_of(books, leg.id) if each.invoice == invoice)
