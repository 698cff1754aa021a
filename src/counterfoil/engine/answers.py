"""Answers of commands whose subject takes its time: the first final one is fixed when the subject comes to rest."""

from counterfoil.core.books import Books, payment_of
from counterfoil.core.ids import PaymentId
from counterfoil.engine.apply import Applied
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.views import AT_REST, http_status, payment_view
from counterfoil.store import inbox
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer


def fix_answers(tx: Tx, applied: Applied) -> None:
    """Fix the final answer of the commands that wait for the payments which this decision brought to rest."""
    for payment in applied.payments:
        if payment.status in AT_REST:
            books = load_books(tx, payment.customer, Scope(payments=(payment.id,)))
            assert books is not None
            inbox.finish_commands(tx, payment.id, payment_answer(books, payment.id))


def payment_answer(books: Books, payment: str) -> Answer:
    """Answer with a payment as it stands."""
    held = payment_of(books, PaymentId(payment))
    assert held is not None
    return Answer(http_status(held), inbox.plain(payment_view(books, held)))
