"""Answers of commands whose subject takes its time: the first final one is fixed when the subject comes to rest."""

from counterfoil.core.books import Books, Payment, payment_of, payments_for, purchase_of
from counterfoil.core.bought import Purchase
from counterfoil.core.ids import PaymentId, PurchaseId
from counterfoil.engine.apply import Applied
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.refund_views import group_answer, group_view
from counterfoil.engine.views import (
    AT_REST,
    PURCHASE_AT_REST,
    http_status,
    payment_view,
    purchase_status,
    purchase_view,
)
from counterfoil.store import inbox, refunds
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer


def fix_answers(tx: Tx, applied: Applied) -> None:
    """Fix the final answer of the commands that wait for what this decision brought to rest."""
    for payment in applied.payments:
        if payment.status in AT_REST:
            books = load_books(tx, payment.customer, Scope(payments=(payment.id,)))
            assert books is not None
            inbox.finish_commands(tx, payment.id, payment_answer(books, payment.id))
    for purchase in applied.purchases:
        if purchase.status in PURCHASE_AT_REST:
            books = load_books(tx, purchase.customer, Scope(purchases=(purchase.id,)))
            assert books is not None
            inbox.finish_commands(tx, purchase.id, purchase_answer(books, purchase.id))
    _fix_refunds(tx, applied)


def _fix_refunds(tx: Tx, applied: Applied) -> None:
    """Fix the answers of commands all of whose refunds have come to rest."""
    for first in dict.fromkeys(each.together for each in applied.refunds if each.together):
        group = refunds.together(tx, first)
        status = group_answer(group)
        if status != 202:
            inbox.finish_commands(tx, first, Answer(status, inbox.plain(group_view(group))))


def rests(subject: Payment | Purchase) -> bool:
    """Say whether nothing more happens to a payment or a purchase unless somebody acts."""
    return subject.status in (AT_REST if isinstance(subject, Payment) else PURCHASE_AT_REST)


def answer_of(books: Books, subject: Payment | Purchase) -> Answer:
    """Answer with a payment or a purchase as it stands."""
    if isinstance(subject, Payment):
        return payment_answer(books, subject.id)
    return purchase_answer(books, subject.id)


def payment_answer(books: Books, payment: str) -> Answer:
    """Answer with a payment as it stands."""
    held = payment_of(books, PaymentId(payment))
    assert held is not None
    return Answer(http_status(held), inbox.plain(payment_view(books, held)))


def purchase_answer(books: Books, purchase: str) -> Answer:
    """Answer with a purchase as it stands, and with the payment that collects it."""
    held = purchase_of(books, PurchaseId(purchase))
    assert held is not None
    unit = next(each.unit for each in books.wallets if each.id == held.wallet)
    view = purchase_view(held, unit)
    if held.invoice:
        payments = payments_for(books, held.invoice)
        view |= {"payment": payment_view(books, payments[-1]) if payments else None}
    return Answer(purchase_status(held), inbox.plain(view))
