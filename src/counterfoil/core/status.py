"""The status of a collection: a function of all its legs and what is left, never of the newest leg alone.

One definition for payments and for invoices. `latest leg` is a view for people, not a rule.
"""

from counterfoil.core.books import Books, Invoice, Leg, LegKind, Payment, allocations_of, legs_of
from counterfoil.core.ids import InvoiceId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus

IN_FLIGHT = frozenset({LegStatus.WAITING, LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION})
"""A leg whose money may still move at the provider."""


def status_of_payment(statuses: frozenset[LegStatus], settled_minor: int, amount_minor: int) -> PaymentStatus:
    """Say where a payment stands, from the statuses of its legs and what the settled ones were to collect.

    One that the provider paid and that has nothing open has succeeded, even when its reserved credits went back before:
    what is still owed is the invoice's matter, and money that came is never shown as canceled.
    """
    moving = IN_FLIGHT | {LegStatus.RESERVED, LegStatus.RETURNED}
    is_over = LegStatus.SETTLED in statuses and not statuses & moving
    return _status(statuses, covered=is_over or settled_minor >= amount_minor)


def status_of_invoice(statuses: frozenset[LegStatus], status: InvoiceStatus) -> PaymentStatus:
    """Say how far the collection of an invoice is. What is not owed, and a canceled try, leave it pending."""
    if status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
        return PaymentStatus.PENDING
    collected = _status(statuses, covered=status is InvoiceStatus.PAID)
    return PaymentStatus.PENDING if collected is PaymentStatus.CANCELED else collected


def _status(statuses: frozenset[LegStatus], covered: bool) -> PaymentStatus:
    if covered:
        return PaymentStatus.SUCCEEDED
    if LegStatus.REQUIRES_ACTION in statuses:
        return PaymentStatus.REQUIRES_ACTION
    if statuses & {LegStatus.PROCESSING, LegStatus.WAITING}:
        return PaymentStatus.PROCESSING
    if LegStatus.REFUSED in statuses:
        return PaymentStatus.FAILED
    if LegStatus.RETURNED in statuses:
        return PaymentStatus.FAILED
    if statuses & {LegStatus.CANCELED, LegStatus.RELEASED}:
        return PaymentStatus.CANCELED
    return PaymentStatus.PENDING


def standing(leg: Leg) -> LegStatus:
    """Say what a leg's status counts for.

    What the customer's bank takes back of the provider's money is owed again, as after a refusal. Credits or a balance
    that were given back have only ended.
    """
    gave_back = leg.status is LegStatus.RETURNED and leg.kind is not LegKind.PROVIDER
    return LegStatus.RELEASED if gave_back else leg.status


def payment_status(books: Books, payment: Payment) -> PaymentStatus:
    """Say where a payment stands, from its legs alone."""
    legs = legs_of(books, payment.id)
    settled = sum(leg.amount_minor for leg in legs if leg.status is LegStatus.SETTLED)
    return status_of_payment(frozenset(standing(leg) for leg in legs), settled, payment.amount_minor)


def invoice_payment_status(books: Books, invoice: Invoice) -> PaymentStatus:
    """Say how far the collection of an invoice is, from the legs that are to pay it."""
    return status_of_invoice(frozenset(standing(leg) for leg in legs_for(books, invoice.id)), invoice.status)


def legs_for(books: Books, invoice: InvoiceId) -> tuple[Leg, ...]:
    """Give the legs that are to pay an invoice."""
    ids = {each.leg for each in books.allocations if each.invoice == invoice}
    return tuple(leg for leg in books.legs if leg.id in ids)


def open_provider_legs(books: Books, invoice: InvoiceId) -> tuple[Leg, ...]:
    """Give the provider legs of an invoice that may still capture. There is at most one."""
    return tuple(leg for leg in legs_for(books, invoice) if leg.kind is LegKind.PROVIDER and leg.status in IN_FLIGHT)


def others_collect(books: Books, leg: Leg) -> bool:
    """Say whether another leg is collecting one of this leg's invoices: there is never more than one."""
    invoices = {each.invoice for each in allocations_of(books, leg.id)}
    others = (other for invoice in invoices for other in open_provider_legs(books, invoice) if other.id != leg.id)
    return any(other.status is not LegStatus.WAITING for other in others)


def reserved_minor(books: Books, invoice: InvoiceId) -> int:
    """Give how much of an invoice reserved credits will pay once its provider leg settles."""
    reserved = (leg for leg in legs_for(books, invoice) if leg.status is LegStatus.RESERVED)
    return sum(each.minor for leg in reserved for each in allocations_of(books, leg.id) if each.invoice == invoice)
