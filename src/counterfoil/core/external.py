"""Payments that somebody else took, recorded by hand: a bank transfer, cash, a cheque.

The money is there, so it is recorded whatever the invoice says by now: what is owed is paid by it, the rest is kept for
the customer, and a person is told whenever the two differ. Each is recorded once for ever, by its reference.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from counterfoil.core import journal, legs
from counterfoil.core.books import (
    Allocation,
    Books,
    Case,
    Invoice,
    Leg,
    LegKind,
    Payment,
    invoice_of,
    legs_of,
    payments_for,
    with_changes,
)
from counterfoil.core.bought import Collector
from counterfoil.core.effects import Act, Allocate, Change, Decision, Effect, Post, Reason, Refuse, Why, changes_of
from counterfoil.core.ids import CaseId, InvoiceId, LegId, NewId, PaymentId
from counterfoil.core.journal import Received
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import Money
from counterfoil.core.status import IN_FLIGHT
from counterfoil.core.surplus import oddity

RULE: Final = "record-external-payment@1"
Inputs: TypeAlias = dict[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class ExternalPayment:
    """Money as it was recorded. `reference` names it where it was taken; `means` says in words how it came.

    `received_at` is when it came, not when it was recorded.
    """

    invoice: InvoiceId
    amount: Money
    reference: str
    means: str
    received_at: datetime


def decide_external(
    books: Books, wanted: ExternalPayment, earlier: PaymentId | None, now: datetime, new_id: NewId
) -> Decision:
    """Record money that somebody else took. `earlier` is the payment that has this reference already."""
    refusal = _refusal(books, wanted, earlier, now)
    if refusal:
        return refusal
    invoice = invoice_of(books, wanted.invoice)
    assert invoice is not None, "refused before"
    payment, leg, allocation = _recorded(invoice, wanted, now, new_id)
    before = with_changes(books, (payment, leg))
    before = replace(before, allocations=(*before.allocations, allocation))
    paid = legs.apply_to_invoices(before, leg, leg.received_minor, now)
    owed = sum(after.paid_minor - earlier.paid_minor for earlier, after in paid)
    received = Received(journal.EXTERNAL, owed, leg.received_minor - owed)
    entry = journal.provider_leg_settled(leg, invoice.customer, received, wanted.received_at)
    effects: tuple[Effect, ...] = (Change(None, payment), Change(None, leg), Allocate(allocation), Post(entry))
    effects += legs.counted(leg, paid, now)
    effects += _make_room(with_changes(before, changes_of(effects)), invoice.id, payment.id, now, new_id)
    effects += legs.settle_credits(with_changes(before, changes_of(effects)), payment.id, now, new_id)
    odd = oddity(before, leg, leg.received_minor, owed) or _partial(invoice, wanted)
    return _decided(invoice, payment, wanted, effects, odd, now, new_id)


# --- the guard: identity, then history, then money ---


def _refusal(books: Books, wanted: ExternalPayment, earlier: PaymentId | None, now: datetime) -> Refuse | None:
    invoice = invoice_of(books, wanted.invoice)
    if invoice is None:
        return _no(Reason.NOT_FOUND, f"There is no invoice {wanted.invoice}.", None)
    if invoice.collector is not Collector.OURS:
        text = "The provider collects this invoice itself; record the payment there."
        return _no(Reason.COLLECTED_BY_PROVIDER, text, None, invoice.id)
    if invoice.status is InvoiceStatus.DRAFT:
        text = "The invoice is a draft and owes nothing yet; finalize it first."
        return _no(Reason.INVOICE_NOT_OPEN, text, None, invoice.id)
    if earlier:
        text = f"The reference {wanted.reference!r} was recorded before, as payment {earlier}."
        return _no(Reason.REFERENCE_TAKEN, text, "reference", invoice.id, earlier)
    if wanted.received_at > now:
        return _no(Reason.INVALID_REQUEST, "Money can't have been received in the future.", "received_at", invoice.id)
    if wanted.amount.currency != invoice.currency:
        text = f"The invoice is in {invoice.currency}; record what came in {invoice.currency}."
        return _no(Reason.CURRENCIES_DIFFER, text, "amount", invoice.id)
    return None


def _no(reason: Reason, sentence: str, param: str | None, *about: str) -> Refuse:
    return Refuse(Why(RULE, reason, sentence, about), param)


# --- what is recorded ---


def _recorded(
    invoice: Invoice, wanted: ExternalPayment, now: datetime, new_id: NewId
) -> tuple[Payment, Leg, Allocation]:
    minor, currency = wanted.amount.minor, wanted.amount.currency
    payment = Payment(
        id=PaymentId(new_id("payment")),
        customer=invoice.customer,
        account=invoice.account,
        status=PaymentStatus.SUCCEEDED,
        amount_minor=minor,
        currency=currency,
        created_at=now,
        settled_at=wanted.received_at,
    )
    leg = Leg(
        id=LegId(new_id("leg")),
        payment=payment.id,
        kind=LegKind.EXTERNAL,
        status=LegStatus.SETTLED,
        amount_minor=minor,
        currency=currency,
        created_at=now,
        position=1,
        received_minor=minor,
        settled_at=wanted.received_at,
        means=wanted.means,
        reference=wanted.reference,
    )
    # What was meant for an invoice that owes nothing is still about that invoice.
    return payment, leg, Allocation(leg.id, invoice.id, min(minor, invoice.due_minor) or minor)


def _make_room(books: Books, invoice: InvoiceId, own: PaymentId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Give up what wants more than is still owed: collectors at the provider, reserved credits and balance."""
    effects: tuple[Effect, ...] = ()
    for payment in payments_for(books, invoice):
        if payment.id != own:
            step = _want_less(books, payment.id, now, new_id)
            effects += step
            books = with_changes(books, changes_of(step))
    return effects


def _want_less(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    effects: tuple[Effect, ...] = ()
    for leg in legs_of(books, payment):
        may_collect = leg.kind is LegKind.PROVIDER and leg.status in IN_FLIGHT | {LegStatus.REFUSED}
        if may_collect and not legs.still_owed(books, leg):
            effects += legs.give_up(books, leg, now, new_id)
    books = with_changes(books, changes_of(effects))
    if any(leg.status in IN_FLIGHT for leg in legs_of(books, payment)):
        return (*effects, *legs.restate(books, payment, now, new_id))
    if legs.covered_by_credits(books, payment):
        return (*effects, *legs.settle_credits(books, payment, now, new_id, releasing=True))
    released = legs.release_unowed(books, payment, now)
    restated = legs.restate(with_changes(books, changes_of(released)), payment, now, new_id)
    return (*effects, *released, *restated)


# --- what a person is told ---


def _partial(invoice: Invoice, wanted: ExternalPayment) -> tuple[Reason, str] | None:
    if wanted.amount.minor >= invoice.due_minor:
        return None
    rest = Money(invoice.due_minor - wanted.amount.minor, invoice.currency)
    return Reason.UNDERPAID, f"{wanted.amount} came for {invoice.number}; {rest} of it are still due."


def _decided(
    invoice: Invoice,
    payment: Payment,
    wanted: ExternalPayment,
    effects: tuple[Effect, ...],
    odd: tuple[Reason, str] | None,
    now: datetime,
    new_id: NewId,
) -> Decision:
    minor, means = wanted.amount.minor, wanted.means
    inputs: Inputs = {"amount_minor": minor, "due_minor": invoice.due_minor, "means": means}
    about = (payment.id, invoice.id, invoice.customer)
    if odd is None:
        sentence = f"{wanted.amount} came for {invoice.number} by {wanted.means}, outside the provider."
        return Act(Why(RULE, Reason.PAID_ELSEWHERE, sentence, about, inputs), effects)
    reason, sentence = odd
    case = Case(CaseId(new_id("case")), reason, payment.id, sentence, now, customer=invoice.customer)
    return Act(Why(RULE, reason, sentence, about, inputs), (*effects, Change(None, case)))
