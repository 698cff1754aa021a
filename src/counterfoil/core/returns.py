"""A bank debit comes back after it had succeeded: what it paid is owed again.

The provider tells of it as a dispute that is lost from the start, because nobody can answer it. It is no loss: the
debt is open again, credits that paid beside it stay applied, and a retry asks for what is missing only.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import legs
from counterfoil.core.books import Books, Case, Invoice, Leg, allocations_of, invoice_of, with_changes
from counterfoil.core.effects import Change, Effect, Notify, Post, Reason, changes_of
from counterfoil.core.ids import CaseId, NewId
from counterfoil.core.journal import BAD_DEBT, DISPUTED, Account, Entry, Posting, customer_balance, receivable
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import Money
from counterfoil.core.status import legs_for

DEBITS: Final = frozenset({"us_bank_account", "sepa_debit", "bacs_debit", "acss_debit", "au_becs_debit"})
"""Methods whose money the payer's bank may take back for days or weeks, without asking the provider."""


def is_debt_again(books: Books, leg: Leg, minor: int) -> bool:
    """Say whether money that was taken back is a debt again: all of a bank debit that paid invoices.

    What bought credits is taken back with them instead, and is nobody's debt.
    """
    paid = {each.invoice for each in allocations_of(books, leg.id)}
    sells = any(each.purchase for each in books.lines if each.invoice in paid)
    return leg.status is LegStatus.SETTLED and _is_debit(books, leg) and minor == leg.received_minor and not sells


def _is_debit(books: Books, leg: Leg) -> bool:
    method = next((each for each in books.methods if each.id == leg.method), None)
    return (method.kind if method else (leg.means or "").partition(" ")[0].replace("-", "_")) in DEBITS


def reopen(books: Books, leg: Leg, key: str, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Open what a returned debit had paid, and tell a person. `key` names the entry; the money has left clearing."""
    shares = list(_shares(books, leg))
    returned = replace(leg, status=LegStatus.RETURNED)
    effects: tuple[Effect, ...] = (Post(_entry(books, leg, shares, key, now)), Change(leg, returned))
    effects += tuple(Change(invoice, _owing(invoice, minor)) for invoice, minor in shares)
    books = with_changes(books, changes_of(effects))
    effects += legs.restate(books, leg.payment, now, new_id)
    names = ", ".join(invoice.number or invoice.id for invoice, _ in shares) or "nothing that is still paid by it"
    sentence = f"The bank took {Money(leg.received_minor, leg.currency)} back that had paid {names}: it is owed again."
    case = Case(CaseId(new_id("case")), Reason.DEBIT_RETURNED, leg.payment, sentence, now, customer=books.customer.id)
    data: dict[str, str | int] = {"leg": leg.id, "amount_minor": leg.received_minor, "currency": leg.currency}
    told = Notify(f"payment.returned:{leg.id}", "payment.returned", books.customer.id, leg.payment, data)
    return (*effects, Change(None, case), told)


def _shares(books: Books, leg: Leg) -> Iterator[tuple[Invoice, int]]:
    """Give how much of each invoice a leg had paid: what nothing else has paid, up to what it was to pay."""
    left = leg.received_minor
    for each in allocations_of(books, leg.id):
        invoice = invoice_of(books, each.invoice)
        if invoice is None or invoice.status is InvoiceStatus.VOID:
            continue
        minor = min(left, each.minor, max(0, invoice.paid_minor - _by_others(books, invoice, leg)))
        if minor:
            yield invoice, minor
        left -= minor


def _by_others(books: Books, invoice: Invoice, leg: Leg) -> int:
    others = [each for each in legs_for(books, invoice.id) if each.id != leg.id and each.status is LegStatus.SETTLED]
    return sum(each.minor for other in others for each in allocations_of(books, other.id) if each.invoice == invoice.id)


def _owing(invoice: Invoice, minor: int) -> Invoice:
    left = replace(invoice, paid_minor=invoice.paid_minor - minor)
    if invoice.status is not InvoiceStatus.PAID:
        return left
    return replace(left, status=InvoiceStatus.OPEN, payment_status=PaymentStatus.FAILED, paid_at=None, paid_with=None)


def _entry(books: Books, leg: Leg, shares: list[tuple[Invoice, int]], key: str, now: datetime) -> Entry:
    customer = books.customer.id
    parts: dict[Account, int] = {}
    for invoice, minor in shares:
        owed = BAD_DEBT if invoice.status is InvoiceStatus.UNCOLLECTIBLE else receivable(customer)
        parts[owed] = parts.get(owed, 0) + minor
    kept = leg.received_minor - sum(parts.values())
    if kept:
        parts[customer_balance(customer)] = kept
    postings = tuple(Posting(account, DISPUTED, leg.currency, minor) for account, minor in parts.items())
    return Entry(key, leg.id, now, postings)
