"""The journal's templates for debts: paid from the customer's own balance, given up, and owed again."""

from datetime import datetime

from counterfoil.core.books import Invoice, Leg
from counterfoil.core.ids import CustomerId
from counterfoil.core.journal import BAD_DEBT, Entry, Posting, customer_balance, receivable


def own_balance_leg_settled(leg: Leg, customer: CustomerId, now: datetime) -> Entry:
    """Money that was kept for the customer pays what it owes."""
    posting = Posting(customer_balance(customer), receivable(customer), leg.currency, leg.received_minor)
    return Entry(f"leg:{leg.id}:settled", leg.id, now, (posting,))


def own_balance_leg_returned(leg: Leg, customer: CustomerId, now: datetime) -> Entry:
    """The way back of `own_balance_leg_settled`: it is kept for the customer again."""
    posting = Posting(receivable(customer), customer_balance(customer), leg.currency, leg.received_minor)
    return Entry(f"leg:{leg.id}:returned", leg.id, now, (posting,))


def written_off(invoice: Invoice, now: datetime) -> Entry:
    """What an invoice still owes is expected of nobody any more: it is a loss."""
    posting = Posting(BAD_DEBT, receivable(invoice.customer), invoice.currency, invoice.due_minor)
    return Entry(f"invoice:{invoice.id}:written_off", invoice.id, now, (posting,))


def recovered(leg: Leg, invoice: Invoice, minor: int, now: datetime) -> Entry:
    """A part of what was written off is paid after all: so much was no loss, and the leg pays it."""
    posting = Posting(receivable(invoice.customer), BAD_DEBT, invoice.currency, minor)
    return Entry(f"leg:{leg.id}:recovered:{invoice.id}", invoice.id, now, (posting,))


def reinstated(invoice: Invoice, now: datetime) -> Entry:
    """What was written off of an invoice is owed again, so that the invoice can be taken back."""
    posting = Posting(receivable(invoice.customer), BAD_DEBT, invoice.currency, invoice.due_minor)
    return Entry(f"invoice:{invoice.id}:reinstated", invoice.id, now, (posting,))
