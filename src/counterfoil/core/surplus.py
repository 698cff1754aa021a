"""Money that is not what was owed: more, less, twice, or for what is void. It is never ignored: a person is told."""

from counterfoil.core.books import Books, Invoice, Leg, allocations_of, invoice_of
from counterfoil.core.effects import Reason
from counterfoil.core.lifecycle import InvoiceStatus
from counterfoil.core.money import Money
from counterfoil.core.terms import Surplus


def oddity(books: Books, leg: Leg, received: int, owed: int) -> tuple[Reason, str] | None:
    """Say what a person should look at: money that nobody owed, or less than was expected.

    `books` are as they were when the money came; `owed` is how much of it pays the leg's invoices.
    """
    if any(each.void_asked_at for each in _invoices(books, leg)):
        text = f"{Money(received, leg.currency)} arrived while the invoice was being taken back, so it is not void."
        return Reason.PAID_WHEN_VOID, f"{text} Refund the payment, if nothing is to be owed."
    if owed == 0:
        return _nothing_owed(books, leg, Money(received, leg.currency))
    if received > owed:
        kept, money = Money(received - owed, leg.currency), Money(received, leg.currency)
        return Reason.OVERPAID, f"{money} arrived, {kept} more than was owed; {_kept(books.policy.overpayment)}"
    if received < leg.amount_minor:
        money, expected = Money(received, leg.currency), Money(leg.amount_minor, leg.currency)
        return Reason.UNDERPAID, f"{money} arrived where {expected} was expected; the invoice stays open for the rest."
    return None


def _nothing_owed(books: Books, leg: Leg, money: Money) -> tuple[Reason, str]:
    if any(each.status is InvoiceStatus.VOID for each in _invoices(books, leg)):
        return Reason.PAID_WHEN_VOID, f"{money} arrived for what is void; {_kept(books.policy.overpayment)}"
    is_kept = books.policy.double_payment is Surplus.BALANCE
    becomes = "the customer's balance" if is_kept else "kept to be refunded"
    return Reason.DUPLICATE_PAYMENT, f"{money} arrived for what was paid already; it is {becomes}."


def _invoices(books: Books, leg: Leg) -> list[Invoice]:
    found = (invoice_of(books, each.invoice) for each in allocations_of(books, leg.id))
    return [each for each in found if each]


def _kept(policy: Surplus) -> str:
    if policy is Surplus.BALANCE:
        return "the surplus is the customer's balance."
    return "the surplus is kept to be refunded."
