"""Reads the books that a rule may look at, under the locks of the one order: customer, wallets, invoices, payments."""

from collections.abc import Iterable
from dataclasses import dataclass

from counterfoil.core.books import Books
from counterfoil.core.ids import ProviderRef
from counterfoil.store import decisions, journal, subjects
from counterfoil.store.database import Tx


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a customer's books is wanted: invoices and payments by id (and whatever they are tied to), and the
    provider's objects that the news is about."""

    invoices: tuple[str, ...] = ()
    payments: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    fees: tuple[str, ...] = ()


def load_books(tx: Tx, customer: str, scope: Scope) -> Books | None:
    """Lock a customer and read its books. None when there is no such customer."""
    held = subjects.lock_customer(tx, customer)
    if held is None:
        return None
    invoice_ids, payment_ids = _tied_together(tx, scope)
    wallets = subjects.wallets(tx, customer)
    invoices = tuple(each for each in subjects.invoices(tx, invoice_ids) if each.customer == customer)
    payments = tuple(each for each in subjects.payments(tx, payment_ids) if each.customer == customer)
    legs = subjects.legs(tx, [each.id for each in payments])
    leg_ids = [str(each.id) for each in legs]
    return Books(
        customer=held,
        methods=subjects.methods(tx, customer),
        wallets=wallets,
        grants=subjects.grants(tx, [each.id for each in wallets], leg_ids),
        holds=subjects.holds(tx, leg_ids),
        invoices=invoices,
        lines=subjects.lines(tx, [each.id for each in invoices]),
        payments=payments,
        legs=legs,
        allocations=subjects.allocations(tx, leg_ids),
        orders=subjects.orders(tx, leg_ids),
        suspense=tuple((ProviderRef(ref), minor) for ref, minor in journal.suspense_of(tx, scope.refs)),
        questions=frozenset(decisions.questions_about(tx, scope.refs)),
        charged=_charged(tx, scope.fees),
    )


def _tied_together(tx: Tx, scope: Scope) -> tuple[set[str], set[str]]:
    """Follow invoices to their payments and payments to their invoices until nothing is added."""
    invoices, payments = set(scope.invoices), set(scope.payments)
    while True:
        more_payments = payments.union(subjects.related_payments(tx, invoices)) if invoices else payments
        more_invoices = invoices.union(subjects.related_invoices(tx, more_payments)) if more_payments else invoices
        if (more_invoices, more_payments) == (invoices, payments):
            return invoices, payments
        invoices, payments = more_invoices, more_payments


def _charged(tx: Tx, fees: Iterable[str]) -> frozenset[ProviderRef]:
    booked = journal.booked(tx, [f"fee:{ref}" for ref in fees])
    return frozenset(ProviderRef(key.partition(":")[2]) for key in booked)
