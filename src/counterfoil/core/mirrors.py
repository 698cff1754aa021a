"""The mechanics of an invoice of the provider's on our books: opened, paid in legs, taken back.

The provider numbers it, applies the customer's balance at the provider to it, and collects the rest. What it did is
read from its own invoice and booked here; which step comes next is decided elsewhere.
"""

from dataclasses import replace
from datetime import datetime

from counterfoil.core import journal, legs
from counterfoil.core.books import (
    Allocation,
    Books,
    Invoice,
    Leg,
    LegKind,
    Line,
    Payment,
    invoice_of,
    leg_by_ref,
    payments_for,
    with_changes,
)
from counterfoil.core.effects import Allocate, Change, Effect, Notify, Observe, Post, changes_of
from counterfoil.core.facts import IntentFact, IntentStatus, InvoicePaymentFact, ProviderInvoiceFact, balance_ref
from counterfoil.core.ids import InvoiceId, LegId, MethodId, NewId, PaymentId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus, may_move
from counterfoil.core.status import IN_FLIGHT, legs_for


class Steps:
    """Effects gathered so far, and the books as they leave them."""

    def __init__(self, books: Books, now: datetime, new_id: NewId) -> None:
        self.books, self.now, self.new_id = books, now, new_id
        self.effects: list[Effect] = []

    def add(self, *effects: Effect) -> None:
        """Gather effects."""
        self.effects.extend(effects)
        self.books = with_changes(self.books, changes_of(effects))
        new = tuple(effect.allocation for effect in effects if isinstance(effect, Allocate))
        self.books = replace(self.books, allocations=(*self.books.allocations, *new))

    def invoice(self, invoice: InvoiceId) -> Invoice:
        """Give an invoice as the effects leave it."""
        held = invoice_of(self.books, invoice)
        assert held is not None, "an invoice that the books do not have"
        return held


def open_mirror(steps: Steps, invoice: InvoiceId, fact: ProviderInvoiceFact) -> None:
    """Book the debt as the provider finalized it, and what its own balance paid of it. Once; later it is there."""
    held = steps.invoice(invoice)
    if held.status is not InvoiceStatus.DRAFT:
        return
    opened = replace(
        held,
        status=InvoiceStatus.OPEN,
        number=fact.number or fact.ref,
        finalized_at=steps.now,
        total_minor=fact.total_minor,
        discount_minor=fact.discount_minor,
    )
    steps.add(
        Change(held, opened), *_posted(journal.invoice_finalized(opened, lines_of(steps.books, invoice), steps.now))
    )
    steps.add(told(opened, "finalized"))
    if fact.starting_balance or fact.ending_balance:
        look_at_balance(steps)
    if fact.total_minor:
        _apply_balance(steps, opened, fact.applied_minor)


def _apply_balance(steps: Steps, invoice: Invoice, applied_minor: int) -> None:
    """Book what the provider took of the customer's balance. What the customer owed before is collected beside it."""
    if applied_minor <= 0:
        return
    leg = replace(_leg(steps, invoice, LegKind.BALANCE, applied_minor), status=LegStatus.SETTLED, settled_at=steps.now)
    leg = replace(leg, received_minor=applied_minor)
    steps.add(Change(None, leg), Allocate(Allocation(leg.id, invoice.id, applied_minor)))
    steps.add(Post(journal.balance_leg_settled(leg, invoice.customer, steps.now)))
    _count(steps, leg, applied_minor)


def expect_payment(steps: Steps, invoice: InvoiceId, fact: ProviderInvoiceFact, method: MethodId | None) -> Leg | None:
    """Give the leg of what the provider is to collect, made when it is first seen. None when it expects nothing."""
    expected = next((each for each in fact.payments if each.status == "open" and each.intent), None)
    if expected is None or expected.intent is None:
        return None
    return _leg_of(steps, invoice, expected.intent, fact.remaining_minor, method)


def _leg_of(steps: Steps, invoice: InvoiceId, intent: IntentFact, minor: int, method: MethodId | None) -> Leg | None:
    known = leg_by_ref(steps.books, intent.ref)
    if known or not minor:
        return known
    held = steps.invoice(invoice)
    leg = replace(
        _leg(steps, held, LegKind.PROVIDER, minor),
        account=held.account,
        method=method,
        provider_ref=intent.ref,
    )
    steps.add(Change(None, leg), Allocate(Allocation(leg.id, invoice, min(minor, held.due_minor) or minor)))
    return leg


def follow_payment(steps: Steps, leg: Leg, fact: ProviderInvoiceFact) -> None:
    """Follow what the provider is collecting while its money is on the way."""
    intent = next((each.intent for each in fact.payments if each.intent and each.intent.ref == leg.provider_ref), None)
    if intent is None:
        return
    waits = intent.status is IntentStatus.NEEDS_ACTION
    to = LegStatus.REQUIRES_ACTION if waits else LegStatus.PROCESSING
    refusal = intent.refusal if intent.status is IntentStatus.NEEDS_METHOD else None
    after = replace(
        leg,
        status=to if may_move("leg", leg.status, to) else leg.status,
        action_url=fact.url if waits else None,
        action=intent.action if waits else None,
        refusal_code=(refusal.decline_code or refusal.code) if refusal else leg.refusal_code,
        refusal_text=refusal.message if refusal else leg.refusal_text,
    )
    if after != leg:
        steps.add(Change(leg, after))


def settle_payments(steps: Steps, invoice: InvoiceId, fact: ProviderInvoiceFact) -> None:
    """Book every payment that paid a part of an invoice, once: its charge belongs to one leg for ever."""
    for each in fact.payments:
        if each.status == "paid" and each.intent and each.minor:
            leg = _leg_of(steps, invoice, each.intent, each.minor, None)
            if leg and leg.status is not LegStatus.SETTLED:
                _settle(steps, invoice, leg, each, each.intent)
            _book_fee(steps, leg, each.intent)


def _settle(steps: Steps, invoice: InvoiceId, leg: Leg, payment: InvoicePaymentFact, intent: IntentFact) -> None:
    """The provider has the money: it pays the invoice; what the invoice did not owe is on the provider's balance."""
    due = steps.invoice(invoice).due_minor
    settled = replace(
        leg,
        status=LegStatus.SETTLED,
        received_minor=intent.received.minor,
        charge_ref=intent.charge_ref,
        means=intent.means,
        settled_at=steps.now,
        action_url=None,
        action=None,
    )
    owed = min(payment.minor, due)
    received = journal.Received(journal.clearing(steps.invoice(invoice).account), owed, intent.received.minor - owed)
    steps.add(Change(leg, settled))
    steps.add(Post(journal.provider_invoice_collected(settled, steps.books.customer.id, received, steps.now)))
    _count(steps, settled, owed)


def _book_fee(steps: Steps, leg: Leg | None, intent: IntentFact) -> None:
    fee = intent.charge_fee
    if leg is None or leg.account is None or fee is None or fee.fee.minor <= 0 or fee.ref in steps.books.charged:
        return
    steps.add(Post(journal.provider_fee(leg.account, fee, leg.id, steps.now)))
    steps.books = replace(steps.books, charged=steps.books.charged | {fee.ref})


def settle_rest(steps: Steps, invoice: InvoiceId) -> int:
    """Book what was paid outside the provider: all that a paid invoice still owes. Gives how much."""
    held = steps.invoice(invoice)
    rest = held.due_minor
    if rest:
        leg = replace(_leg(steps, held, LegKind.EXTERNAL, rest), status=LegStatus.SETTLED, settled_at=steps.now)
        leg = replace(leg, received_minor=rest)
        steps.add(Change(None, leg), Allocate(Allocation(leg.id, invoice, rest)))
        steps.add(Post(journal.external_leg_settled(leg, held.customer, steps.now)))
        _count(steps, leg, rest)
    return rest


def close_paid(steps: Steps, invoice: InvoiceId) -> None:
    """End what nobody collects any more of a paid invoice, and tell that it is paid."""
    held = steps.invoice(invoice)
    if held.status is not InvoiceStatus.PAID:
        # Coupons took off all of it: nothing is owed and nothing was paid, so no leg says that it is over.
        paid = replace(
            held,
            status=InvoiceStatus.PAID,
            payment_status=PaymentStatus.SUCCEEDED,
            paid_at=steps.now,
            paid_with="discount",
        )
        steps.add(Change(held, paid), told(paid, "paid"))
    _stop_collecting(steps, invoice)
    for payment in payments_for(steps.books, invoice):
        steps.add(*legs.settle_credits(steps.books, payment.id, steps.now, steps.new_id))


def take_back(steps: Steps, invoice: InvoiceId) -> None:
    """The provider took its invoice back: nothing is owed, and what it took of the balance has returned there."""
    held = steps.invoice(invoice)
    if held.status is InvoiceStatus.VOID:
        return
    for leg in legs_for(steps.books, invoice):
        if leg.kind is LegKind.BALANCE and leg.status is LegStatus.SETTLED:
            returned = replace(leg, status=LegStatus.RETURNED)
            steps.add(Change(leg, returned), Post(journal.balance_leg_returned(returned, held.customer, steps.now)))
    _stop_collecting(steps, invoice)
    void = replace(
        held, status=InvoiceStatus.VOID, voided_at=steps.now, paid_minor=0, payment_status=PaymentStatus.PENDING
    )
    steps.add(Change(held, void))
    if held.status is not InvoiceStatus.DRAFT:
        entry = journal.invoice_voided(void, lines_of(steps.books, invoice), steps.now)
        steps.add(*_posted(entry), told(void, "voided"))
        look_at_balance(steps)
    restate(steps, invoice)


def _stop_collecting(steps: Steps, invoice: InvoiceId) -> None:
    for leg in legs_for(steps.books, invoice):
        if leg.kind is LegKind.PROVIDER and leg.status in IN_FLIGHT:
            steps.add(Change(leg, replace(leg, status=LegStatus.CANCELED, action_url=None, action=None)))


def restate(steps: Steps, invoice: InvoiceId) -> None:
    """Say where the payments of an invoice stand, from their legs."""
    for payment in payments_for(steps.books, invoice):
        steps.add(*legs.restate(steps.books, payment.id, steps.now, steps.new_id))


def look_at_balance(steps: Steps) -> None:
    """Have the customer's balance at the provider looked at: it was moved."""
    customer = steps.books.customer
    if customer.provider_ref:
        ref = balance_ref(customer.provider_ref)
        steps.add(Observe(customer.account, "customer_balance", ref, steps.now, "the provider moved it"))


def lines_of(books: Books, invoice: InvoiceId) -> tuple[Line, ...]:
    """Give the lines of an invoice, in their order."""
    return tuple(sorted((each for each in books.lines if each.invoice == invoice), key=lambda line: line.position))


def told(invoice: Invoice, word: str) -> Notify:
    """Tell the outside of a step of an invoice."""
    data: dict[str, str | int] = {"total_minor": invoice.total_minor, "currency": invoice.currency}
    return Notify(f"invoice.{word}:{invoice.id}", f"invoice.{word}", invoice.customer, invoice.id, data)


def _leg(steps: Steps, invoice: Invoice, kind: LegKind, minor: int) -> Leg:
    """Make the next leg of the payment of an invoice; the caller completes it."""
    payment = _payment(steps, invoice)
    position = 1 + max((each.position for each in steps.books.legs if each.payment == payment.id), default=0)
    identity = LegId(steps.new_id("leg"))
    return Leg(identity, payment.id, kind, LegStatus.PROCESSING, minor, invoice.currency, steps.now, position=position)


def _payment(steps: Steps, invoice: Invoice) -> Payment:
    """Give the payment of an invoice of the provider's: there is one, made with its first leg."""
    found = payments_for(steps.books, invoice.id)
    if found:
        return found[0]
    payment = Payment(
        id=PaymentId(steps.new_id("payment")),
        customer=invoice.customer,
        account=invoice.account,
        status=PaymentStatus.PENDING,
        amount_minor=invoice.total_minor,
        currency=invoice.currency,
        created_at=steps.now,
    )
    steps.add(Change(None, payment))
    return payment


def _count(steps: Steps, leg: Leg, minor: int) -> None:
    pairs = legs.apply_to_invoices(steps.books, leg, minor, steps.now)
    steps.add(*(Change(before, after) for before, after in pairs))


def _posted(entry: journal.Entry) -> tuple[Effect, ...]:
    """Post an entry, unless nothing moves: an entry is never empty."""
    return (Post(entry),) if entry.postings else ()
