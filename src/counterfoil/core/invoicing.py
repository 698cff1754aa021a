"""Invoices of our own: drafted, finalized, voided. Their payment is another rule's matter (`launch`)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import credits, journal, legs, owing, purchases
from counterfoil.core.books import (
    Allocation,
    Books,
    Invoice,
    Leg,
    LegKind,
    Line,
    LineKind,
    Payment,
    allocations_of,
    invoice_of,
    legs_of,
    payment_of,
    payments_for,
    with_changes,
)
from counterfoil.core.bought import Collector
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Notify,
    Post,
    Reason,
    Refuse,
    Skip,
    Timer,
    Why,
    changes_of,
)
from counterfoil.core.ids import InvoiceId, LineId, NewId, PaymentId, PurchaseId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import MINOR_MAX, Money
from counterfoil.core.recognition import catch_up_all
from counterfoil.core.status import IN_FLIGHT, open_provider_legs
from counterfoil.core.tax import Tax
from counterfoil.core.tax import total as total_tax

DRAFT: Final = "draft-invoice@1"
UPDATE: Final = "update-invoice@1"
FINALIZE: Final = "finalize-invoice@1"
VOID: Final = "void-invoice@2"
WRITE_OFF: Final = "write-off-invoice@1"
CANCEL: Final = "cancel-payment@1"
RELEASE: Final = "release-credits@1"


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line as it was asked for, in minor units of the invoice's currency."""

    kind: LineKind
    description: str
    net_minor: int
    tax_minor: int = 0
    purchase: PurchaseId | None = None
    taxes: tuple[Tax, ...] = ()


def decide_draft(books: Books, wanted: Invoice, lines: tuple[NewLine, ...], new_id: NewId) -> Decision:
    """Write a draft down. It owes nothing until it is finalized."""
    why = _lines_fault(wanted, lines)
    if why:
        return Refuse(Why(DRAFT, Reason.INVALID_REQUEST, why, (books.customer.id,)), "lines")
    total = sum(each.net_minor + each.tax_minor for each in lines)
    invoice = replace(wanted, total_minor=total)
    made = tuple(
        Line(
            id=LineId(new_id("line")),
            invoice=invoice.id,
            position=position,
            kind=each.kind,
            description=each.description,
            net_minor=each.net_minor,
            tax_minor=each.tax_minor,
            purchase=each.purchase,
            taxes=each.taxes,
        )
        for position, each in enumerate(lines)
    )
    effects = (Change(None, invoice), *(Change(None, line) for line in made))
    sentence = f"A draft over {Money(total, invoice.currency)} was written."
    return Act(Why(DRAFT, Reason.INVOICE_DRAFTED, sentence, (invoice.id, books.customer.id)), effects)


def _lines_fault(invoice: Invoice, lines: tuple[NewLine, ...]) -> str | None:
    if any(each.net_minor < 0 or each.tax_minor < 0 for each in lines):
        return "A line can't be negative; reduce a debt by a credit note."
    if any(each.net_minor + each.tax_minor == 0 for each in lines):
        return "A line of zero bills nothing; leave it out."
    if any(each.taxes and total_tax(each.taxes) != each.tax_minor for each in lines):
        return "The taxes of a line must add up to its tax."
    if any(each.kind is LineKind.CREDIT_PURCHASE and each.purchase is None for each in lines):
        return "Credits are billed by buying them: POST /v1/purchases."
    if sum(each.net_minor + each.tax_minor for each in lines) > MINOR_MAX:
        return "The lines add up to more than the books can hold."
    return None if invoice.due_at is None or invoice.due_at >= invoice.created_at else "The due date is in the past."


def decide_update(books: Books, invoice: InvoiceId, description: str) -> Decision:
    """Change what the caller wrote about an invoice. Money can be changed on a draft only, and not here."""
    held = invoice_of(books, invoice)
    if held is None:
        return _not_found(UPDATE, invoice)
    if held.description == description:
        return Skip(Why(UPDATE, Reason.ALREADY_KNOWN, "The description was this already.", (invoice,)))
    change = Change(held, replace(held, description=description))
    return Act(Why(UPDATE, Reason.INVOICE_UPDATED, "The description was changed.", (invoice,)), (change,))


def decide_finalize(books: Books, invoice: InvoiceId, number: str, now: datetime) -> Decision:
    """Make a draft a debt: it gets its number, is booked, and, when it says so, will be collected on its due date."""
    held = invoice_of(books, invoice)
    if held is None:
        return _not_found(FINALIZE, invoice)
    if held.status is not InvoiceStatus.DRAFT:
        return Refuse(Why(FINALIZE, Reason.INVOICE_NOT_DRAFT, f"The invoice is {held.status} already.", (invoice,)))
    lines = _lines(books, invoice)
    if not lines:
        return Refuse(
            Why(FINALIZE, Reason.INVOICE_EMPTY, "The invoice has no lines; add what it bills.", (invoice,)), "lines"
        )
    opened = replace(held, status=InvoiceStatus.OPEN, number=number, finalized_at=now)
    effects: tuple[Effect, ...] = (
        Change(held, opened),
        Post(journal.invoice_finalized(opened, lines, now)),
        _told(opened, "finalized"),
    )
    if opened.collect_at_due and opened.due_at:
        effects += (Timer("collect", invoice, opened.customer, max(now, opened.due_at)),)
    sentence = f"Invoice {number} over {Money(opened.total_minor, opened.currency)} is open."
    return Act(Why(FINALIZE, Reason.INVOICE_FINALIZED, sentence, (invoice, opened.customer)), effects)


def decide_void(books: Books, invoice: InvoiceId, now: datetime, new_id: NewId) -> Decision:
    """Take an invoice back: its booking is reversed, and credits and balance return in full.

    While money may still move, the collector is given up first; the invoice is void as soon as that has ended.
    """
    held = invoice_of(books, invoice)
    if held is None:
        return _not_found(VOID, invoice)
    if held.status is InvoiceStatus.VOID:
        return Skip(Why(VOID, Reason.ALREADY_KNOWN, "The invoice is void already.", (invoice,)))
    refusal = _void_refusal(books, held)
    if refusal:
        return refusal
    ended = _payments_ended(books, invoice, now, new_id)
    if open_provider_legs(with_changes(books, changes_of(ended)), invoice):
        return _void_asked(books, held, ended, now)
    sentence = f"Invoice {held.number or invoice} is void; nothing is owed for it any more."
    why = Why(VOID, Reason.INVOICE_VOIDED, sentence, (invoice, held.customer))
    return Act(why, _taken_back(books, held, now, new_id))


def voided_at_last(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Take the invoices back that were to be void and only waited for this payment's end at the provider."""
    effects: tuple[Effect, ...] = ()
    for held in books.invoices:
        paying = payment in {each.id for each in payments_for(books, held.id)}
        if held.void_asked_at and paying and not open_provider_legs(books, held.id):
            step = _taken_back(books, held, now, new_id)
            effects += step
            books = with_changes(books, changes_of(step))
    return effects


def _void_asked(books: Books, held: Invoice, ended: tuple[Effect, ...], now: datetime) -> Decision:
    """Have the collectors end first. Who comes again meanwhile changes nothing."""
    about = (held.id, held.customer)
    if held.void_asked_at:
        sentence = "The invoice is being taken back; its payment is being given up at the provider."
        return Skip(Why(VOID, Reason.ALREADY_KNOWN, sentence, about))
    current = invoice_of(with_changes(books, changes_of(ended)), held.id) or held
    sentence = f"Invoice {held.number} will be void as soon as the provider has given its open payment up."
    asked = Change(current, replace(current, void_asked_at=now))
    return Act(Why(VOID, Reason.VOID_ASKED, sentence, about), (*ended, asked))


def _taken_back(books: Books, held: Invoice, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Make an invoice void that nothing collects any more."""
    invoice, effects = held.id, _collection_ended(books, held, now, new_id)
    books = with_changes(books, changes_of(effects))
    current = invoice_of(books, invoice) or held
    if held.status is InvoiceStatus.UNCOLLECTIBLE:
        effects += (Post(owing.reinstated(current, now)),)
    void = replace(
        current,
        status=InvoiceStatus.VOID,
        voided_at=now,
        void_asked_at=None,
        paid_minor=0,
        payment_status=PaymentStatus.PENDING,
    )
    effects += (Change(current, void),)
    effects += purchases.follow(with_changes(books, (void,)), (invoice,), now, new_id)
    if held.status is not InvoiceStatus.DRAFT:
        effects += (Post(journal.invoice_voided(void, _lines(books, invoice), now)), _told(void, "voided"))
    return effects


def _void_refusal(books: Books, held: Invoice) -> Refuse | None:
    if held.status is InvoiceStatus.PAID:
        sentence = "The invoice is paid; refund it instead of voiding it."
        return Refuse(Why(VOID, Reason.INVOICE_NOT_OPEN, sentence, (held.id,)))
    if held.collector is not Collector.OURS:
        sentence = "The provider collects this invoice itself; void it there."
        return Refuse(Why(VOID, Reason.COLLECTED_BY_PROVIDER, sentence, (held.id,)))
    if any(_legs(books, held, kind, LegStatus.SETTLED) for kind in (LegKind.PROVIDER, LegKind.EXTERNAL)):
        sentence = "A part of this invoice was paid; refund that first."
        return Refuse(Why(VOID, Reason.INVOICE_HAS_MONEY, sentence, (held.id,)))
    return None


def _collection_ended(books: Books, held: Invoice, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Give up what was to pay the invoice: what was reserved or used goes back, what may collect is canceled."""
    effects: tuple[Effect, ...] = ()
    for leg in _legs(books, held, LegKind.CREDIT, LegStatus.SETTLED):
        step = _return_credits(books, leg, now)
        effects += step
        books = with_changes(books, changes_of(step))
    for leg in _legs(books, held, LegKind.BALANCE, LegStatus.SETTLED):
        returned = replace(leg, status=LegStatus.RETURNED)
        effects += (Post(owing.own_balance_leg_returned(returned, held.customer, now)), Change(leg, returned))
        books = with_changes(books, (returned,))
    return (*effects, *_payments_ended(books, held.id, now, new_id))


def _payments_ended(books: Books, invoice: InvoiceId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    effects: tuple[Effect, ...] = ()
    for payment in payments_for(books, invoice):
        step = _end_payment(books, payment, now, new_id)
        effects += step
        books = with_changes(books, changes_of(step))
    return effects


def _return_credits(books: Books, leg: Leg, now: datetime) -> tuple[Effect, ...]:
    grants, drawn = credits.put_back(books, leg)
    before = {each.id: each for each in books.grants}
    wallet = next(each for each in books.wallets if each.id == leg.wallet)
    returned = replace(leg, status=LegStatus.RETURNED)
    # A leg gives back exactly what it took; what that rounds to now, of all use of the lot, is posted by itself.
    _, rounded = catch_up_all(with_changes(books, grants), {each.id for each in grants}, now)
    return (
        Post(journal.credit_leg_returned(returned, wallet.unit, books.customer.id, drawn, now)),
        Change(leg, returned),
        *(Change(before[each.id], each) for each in grants),
        *rounded,
        *legs.ending_again(books, grants, now),
    )


def decide_write_off(books: Books, invoice: InvoiceId, now: datetime, new_id: NewId) -> Decision:
    """Give a debt up: what is still owed is a loss. Money that comes for it after all is welcome, and no loss then."""
    held = invoice_of(books, invoice)
    if held is None:
        return _not_found(WRITE_OFF, invoice)
    if held.status is InvoiceStatus.UNCOLLECTIBLE:
        return Skip(Why(WRITE_OFF, Reason.ALREADY_KNOWN, "The invoice is written off already.", (invoice,)))
    refusal = _write_off_refusal(books, held)
    if refusal:
        return refusal
    effects = _payments_ended(books, invoice, now, new_id)
    books = with_changes(books, changes_of(effects))
    current = invoice_of(books, invoice) or held
    lost = replace(current, status=InvoiceStatus.UNCOLLECTIBLE)
    effects += (Post(owing.written_off(current, now)), Change(current, lost), _told(lost, "written_off"))
    effects += purchases.follow(with_changes(books, (lost,)), (invoice,), now, new_id)
    sentence = f"{current.due} of invoice {held.number} are written off; nobody is asked for them any more."
    return Act(Why(WRITE_OFF, Reason.INVOICE_WRITTEN_OFF, sentence, (invoice, held.customer)), effects)


def _write_off_refusal(books: Books, held: Invoice) -> Refuse | None:
    if held.collector is not Collector.OURS:
        sentence = "The provider collects this invoice itself; mark it there."
        return Refuse(Why(WRITE_OFF, Reason.COLLECTED_BY_PROVIDER, sentence, (held.id,)))
    if held.status is not InvoiceStatus.OPEN:
        sentence = f"The invoice is {held.status}; only an open one is written off."
        return Refuse(Why(WRITE_OFF, Reason.INVOICE_NOT_OPEN, sentence, (held.id,)))
    busy = open_provider_legs(books, held.id)
    if busy:
        sentence = f"Payment {busy[0].payment} may still collect this invoice; cancel it first."
        return Refuse(Why(WRITE_OFF, Reason.PAYMENT_IN_PROGRESS, sentence, (held.id, busy[0].payment)))
    return None


def decide_cancel(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> Decision:
    """Give a payment up. What the provider may still capture is canceled there first; its answer ends the payment."""
    held = payment_of(books, payment)
    if held is None:
        return Refuse(Why(CANCEL, Reason.NOT_FOUND, f"There is no payment {payment}."))
    if held.status is PaymentStatus.CANCELED:
        return Skip(Why(CANCEL, Reason.ALREADY_KNOWN, "The payment is canceled already.", (payment,)))
    if held.status is PaymentStatus.SUCCEEDED:
        sentence = "The payment has succeeded; refund it instead of canceling it."
        return Refuse(Why(CANCEL, Reason.PAYMENT_NOT_OPEN, sentence, (payment,)))
    effects = _end_payment(books, held, now, new_id)
    if not effects:
        sentence = "The provider has been asked to cancel this payment already."
        return Skip(Why(CANCEL, Reason.ALREADY_KNOWN, sentence, (payment,)))
    sentence = "The payment is given up; the provider is asked to cancel what it could still collect."
    return Act(Why(CANCEL, Reason.PAYMENT_CANCELED, sentence, (payment, held.customer)), effects)


def _end_payment(books: Books, payment: Payment, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Cancel provider legs (there first, when they have a handle) and release the credits that no leg left needs."""
    effects: tuple[Effect, ...] = ()
    for leg in legs_of(books, payment.id):
        if leg.kind is LegKind.PROVIDER and leg.status in IN_FLIGHT | {LegStatus.REFUSED}:
            effects += legs.give_up(books, leg, now, new_id)
    left = with_changes(books, changes_of(effects))
    # Credits that were to replace a try which is still being canceled go back at once; those beside it pay with it.
    open_ones = [leg.position for leg in legs_of(left, payment.id) if leg.status in IN_FLIGHT]
    effects += legs.release_credits(left, payment.id, now, after=max(open_ones, default=0))
    return (*effects, *legs.restate(with_changes(books, changes_of(effects)), payment.id, now, new_id))


def decide_release(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> Decision:
    """Give credits back that stayed reserved after a refusal, once their time is up and nothing was retried."""
    held = payment_of(books, payment)
    if held is None or held.status is not PaymentStatus.FAILED:
        sentence = "The payment moved on since; its credits stay where they are."
        return Skip(Why(RELEASE, Reason.TIMER_OBSOLETE, sentence, (payment,)))
    effects = legs.release_credits(books, payment, now)
    if not effects:
        return Skip(Why(RELEASE, Reason.TIMER_OBSOLETE, "No credits are reserved any more.", (payment,)))
    effects += legs.restate(with_changes(books, changes_of(effects)), payment, now, new_id)
    sentence = "The payment was refused and not retried in time; its reserved credits went back to their lots."
    return Act(Why(RELEASE, Reason.PAYMENT_CANCELED, sentence, (payment, held.customer)), effects)


def _legs(books: Books, held: Invoice, kind: LegKind, status: LegStatus) -> list[Leg]:
    ids = {each.leg for each in _allocations(books, held)}
    return [leg for leg in books.legs if leg.id in ids and leg.kind is kind and leg.status is status]


def _allocations(books: Books, held: Invoice) -> tuple[Allocation, ...]:
    return tuple(each for leg in books.legs for each in allocations_of(books, leg.id) if each.invoice == held.id)


def _lines(books: Books, invoice: InvoiceId) -> tuple[Line, ...]:
    return tuple(sorted((each for each in books.lines if each.invoice == invoice), key=lambda line: line.position))


def _told(invoice: Invoice, word: str) -> Notify:
    data: dict[str, str | int] = {"total_minor": invoice.total_minor, "currency": invoice.currency}
    return Notify(f"invoice.{word}:{invoice.id}", f"invoice.{word}", invoice.customer, invoice.id, data)


def _not_found(rule: str, invoice: InvoiceId) -> Refuse:
    return Refuse(Why(rule, Reason.NOT_FOUND, f"There is no invoice {invoice}."))
