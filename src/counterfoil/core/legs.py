"""The mechanics of a payment's legs: what changes when one settles, is given back, or makes way for the next.

These are the steps that launch, settlement and cancellation share; which of them happens is decided there.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from counterfoil.core import credits, journal, owing, purchases, starting
from counterfoil.core.books import (
    Books,
    Confirmation,
    Grant,
    Hold,
    Invoice,
    Leg,
    LegKind,
    Payment,
    Wallet,
    allocations_of,
    invoice_of,
    legs_of,
    payment_of,
    with_changes,
)
from counterfoil.core.effects import Change, Effect, Instruct, Notify, Post, Timer, changes_of
from counterfoil.core.ids import InvoiceId, NewId, OrderId, PaymentId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, OrderStatus, PaymentStatus
from counterfoil.core.money import Money
from counterfoil.core.orders import CancelIntent, CreateCheckout, CreateIntent, ExpireCheckout, Instruction, Order
from counterfoil.core.recognition import catch_up_all
from counterfoil.core.status import IN_FLIGHT, invoice_payment_status, legs_for, payment_status, reserved_minor
from counterfoil.core.terms import ClaimStatus


def apply_to_invoices(books: Books, leg: Leg, received: int, now: datetime) -> list[tuple[Invoice, Invoice]]:
    """Spread what was received over the leg's invoices in order, never more than each still owes."""
    pairs, left = [], received
    for each in allocations_of(books, leg.id):
        invoice = invoice_of(books, each.invoice)
        part = min(left, each.minor, invoice.due_minor) if invoice else 0
        if invoice and part > 0:
            pairs.append((invoice, pay_invoice(invoice, part, _means(books, invoice, leg), now)))
            left -= part
    return pairs


def pay_invoice(invoice: Invoice, minor: int, means: str, now: datetime) -> Invoice:
    """Count a settled part of an invoice. Status, amounts, date and means change together, or not at all."""
    paid_minor = invoice.paid_minor + minor
    assert paid_minor <= invoice.total_minor, "an invoice is never paid beyond its total"
    if paid_minor < invoice.total_minor:
        return replace(invoice, paid_minor=paid_minor, void_asked_at=None)
    return replace(
        invoice,
        paid_minor=paid_minor,
        void_asked_at=None,
        status=InvoiceStatus.PAID,
        payment_status=PaymentStatus.SUCCEEDED,
        paid_at=now,
        paid_with=means,
    )


def counted(leg: Leg, paid: Iterable[tuple[Invoice, Invoice]], now: datetime) -> tuple[Effect, ...]:
    """Count what a leg pays of its invoices. What had been written off of them is no loss after all."""
    effects: tuple[Effect, ...] = ()
    for before, after in paid:
        if before.status is InvoiceStatus.UNCOLLECTIBLE:
            effects += (Post(owing.recovered(leg, before, after.paid_minor - before.paid_minor, now)),)
        effects += (Change(before, after),)
    return effects


def settle_credits(
    books: Books, payment: PaymentId, now: datetime, new_id: NewId, *, releasing: bool = False
) -> tuple[Effect, ...]:
    """Use what a payment has reserved, credits and balance, then restate the payment and tell of what got paid.

    With `releasing`, a reserved leg that its invoice no longer owes is given back instead.
    """
    effects: tuple[Effect, ...] = ()
    for leg in [each for each in legs_of(books, payment) if each.status is LegStatus.RESERVED]:
        pays = still_owed(books, leg) or not releasing
        step = _use(books, leg, now) if pays else _give_back(books, leg, now)
        effects += step
        books = with_changes(books, changes_of(step))
    restated = restate(books, payment, now, new_id)
    books = with_changes(books, changes_of(restated))
    return (*effects, *restated, *_told(books, payment))


def still_owed(books: Books, leg: Leg) -> bool:
    """Say whether every invoice of a leg still owes what the leg is to pay of it."""
    pairs = ((invoice_of(books, each.invoice), each.minor) for each in allocations_of(books, leg.id))
    return all(invoice is not None and invoice.due_minor >= minor for invoice, minor in pairs)


def _use(books: Books, leg: Leg, now: datetime) -> tuple[Effect, ...]:
    if leg.kind is LegKind.CREDIT:
        return _settle_credit_leg(books, leg, now)
    settled = replace(leg, status=LegStatus.SETTLED, received_minor=leg.amount_minor, settled_at=now)
    entry = owing.own_balance_leg_settled(settled, books.customer.id, now)
    paid = apply_to_invoices(books, leg, leg.amount_minor, now)
    return (Post(entry), Change(leg, settled), *counted(settled, paid, now))


def _settle_credit_leg(books: Books, leg: Leg, now: datetime) -> tuple[Effect, ...]:
    wallet = _wallet(books, leg)
    books, recognised = catch_up_all(books, {each.grant for each in credits.open_holds(books, leg)}, now)
    holds, grants, drawn = credits.settle(books, leg)
    settled = replace(leg, status=LegStatus.SETTLED, received_minor=leg.amount_minor, settled_at=now)
    entry = journal.credit_leg_settled(settled, wallet.unit, books.customer.id, drawn, now)
    paid = apply_to_invoices(books, leg, leg.amount_minor, now)
    return (
        *recognised,
        Post(entry),
        Change(leg, settled),
        *_updates(books, holds, grants),
        *counted(settled, paid, now),
    )


def release_credits(books: Books, payment: PaymentId, now: datetime, after: int = 0) -> tuple[Effect, ...]:
    """Give back what a payment has reserved, credits and balance: all of it, or what was made after a position."""
    own = legs_of(books, payment)
    reserved = [leg for leg in own if leg.status is LegStatus.RESERVED and leg.position > after]
    effects: tuple[Effect, ...] = ()
    for leg in reserved:
        step = _give_back(books, leg, now)
        effects += step
        books = with_changes(books, changes_of(step))
    return effects


def release_unowed(books: Books, payment: PaymentId, now: datetime) -> tuple[Effect, ...]:
    """Give back what a payment has reserved of invoices that owe less than that by now."""
    effects: tuple[Effect, ...] = ()
    for leg in legs_of(books, payment):
        if leg.status is LegStatus.RESERVED and not still_owed(books, leg):
            step = _give_back(books, leg, now)
            effects += step
            books = with_changes(books, changes_of(step))
    return effects


def _give_back(books: Books, leg: Leg, now: datetime) -> tuple[Effect, ...]:
    released = Change(leg, replace(leg, status=LegStatus.RELEASED))
    if leg.kind is not LegKind.CREDIT:
        return (released,)
    holds, grants = credits.release(books, leg)
    changes = (released, *_updates(books, holds, grants))
    return (*changes, *ending_again(books, grants, now))


def ending_again(books: Books, grants: Iterable[Grant], now: datetime) -> tuple[Effect, ...]:
    """Wake the lots that have ended and got a share back: it ends too."""
    return tuple(
        Timer("end-grant", each.id, books.customer.id, now) for each in grants if each.free and each.over_at(now)
    )


def _updates(books: Books, holds: Iterable[Hold], grants: Iterable[Grant]) -> tuple[Effect, ...]:
    before_hold = {each.id: each for each in books.holds}
    before_grant = {each.id: each for each in books.grants}
    return (
        *(Change(before_hold[each.id], each) for each in holds),
        *(Change(before_grant[each.id], each) for each in grants),
    )


def restate(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Recompute where a payment, its invoices and what they sell stand, from all legs; give only what changed."""
    held = payment_of(books, payment)
    assert held is not None, "a leg without its payment"
    status = payment_status(books, held)
    settled_at = held.settled_at or (max(_settled_times(books, payment)) if status is PaymentStatus.SUCCEEDED else None)
    after = replace(held, status=status, settled_at=settled_at)
    effects: tuple[Effect, ...] = (Change(held, after),) if after != held else ()
    for invoice in _invoices_of(books, payment):
        restated = replace(invoice, payment_status=invoice_payment_status(books, invoice))
        effects += (Change(invoice, restated),) if restated != invoice else ()
    if books.sales_orders:
        effects += starting.follow(with_changes(books, changes_of(effects)), now)
    if not books.purchases:
        return effects
    invoices = tuple(each.id for each in _invoices_of(books, payment))
    return (*effects, *purchases.follow(with_changes(books, changes_of(effects)), invoices, now, new_id))


def _settled_times(books: Books, payment: PaymentId) -> list[datetime]:
    return [leg.settled_at for leg in legs_of(books, payment) if leg.settled_at]


def _told(books: Books, payment: PaymentId) -> tuple[Effect, ...]:
    """Tell the outside what got paid; the keys make sure that each thing is told once for ever."""
    told: list[Effect] = []
    for invoice in _invoices_of(books, payment):
        if invoice.status is InvoiceStatus.PAID:
            data: dict[str, str | int] = {"total_minor": invoice.total_minor, "currency": invoice.currency}
            told.append(Notify(f"invoice.paid:{invoice.id}", "invoice.paid", books.customer.id, invoice.id, data))
    held = payment_of(books, payment)
    if held and held.status is PaymentStatus.SUCCEEDED:
        received = sum(leg.received_minor for leg in legs_of(books, payment) if leg.status is LegStatus.SETTLED)
        paid: dict[str, str | int] = {"amount_minor": received, "currency": held.currency}
        told.append(Notify(f"payment.succeeded:{held.id}", "payment.succeeded", books.customer.id, held.id, paid))
    return tuple(told)


def _invoices_of(books: Books, payment: PaymentId) -> tuple[Invoice, ...]:
    ids: dict[InvoiceId, None] = {}
    for leg in legs_of(books, payment):
        ids.update({each.invoice: None for each in allocations_of(books, leg.id)})
    return tuple(invoice for invoice in books.invoices if invoice.id in ids)


def after_cancel(books: Books, payment: PaymentId, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Go on after a collector ended: start what waited for it, a leg or credits, or give reserved credits back."""
    own = legs_of(books, payment)
    waiting = next((leg for leg in own if leg.status is LegStatus.WAITING), None)
    if waiting and not any(leg.status in COLLECTING and leg.provider_ref for leg in own):
        begun = replace(waiting, status=LegStatus.PROCESSING)
        books = with_changes(books, (begun,))
        create = create_intent(books, the_payment(books, begun), begun, now, new_id)
        return (Change(waiting, begun), create, *restate(books, payment, now, new_id))
    if any(leg.status in IN_FLIGHT for leg in legs_of(books, payment)):
        return restate(books, payment, now, new_id)
    if covered_by_credits(books, payment):
        return settle_credits(books, payment, now, new_id)
    effects = release_credits(books, payment, now)
    return (*effects, *restate(with_changes(books, changes_of(effects)), payment, now, new_id))


def covered_by_credits(books: Books, payment: PaymentId) -> bool:
    """Say whether reserved credits are to pay all that a payment's invoices owe: they wait for a collector's end."""
    owing = [each for each in _invoices_of(books, payment) if each.due_minor]
    return bool(owing) and all(reserved_minor(books, each.id) >= each.due_minor for each in owing)


COLLECTING = IN_FLIGHT - {LegStatus.WAITING} | {LegStatus.REFUSED}
"""A leg whose object at the provider, when it has one, can still take money."""


def is_being_canceled(books: Books, leg: Leg) -> bool:
    """Say whether the provider has been asked already to give a leg's object up."""
    return any(
        each.open and each.subject == leg.id and isinstance(each.instruction, CancelIntent | ExpireCheckout)
        for each in books.orders
    )


def stop_siblings(books: Books, leg: Leg, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Give up the other provider legs of a payment that one leg has paid: no two may capture."""
    effects: tuple[Effect, ...] = ()
    for other in legs_of(books, leg.payment):
        if other.id != leg.id and other.kind is LegKind.PROVIDER and other.status in IN_FLIGHT:
            effects += give_up(books, other, now, new_id)
    return effects


def give_up(books: Books, leg: Leg, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Give a provider leg up: its object is canceled there first, once; without one the leg just ends.

    An object that was claimed and that nobody has looked at yet may be somebody else's: it is let go, not canceled.
    """
    if (leg.provider_ref or leg.session_ref) is None or leg.claim is ClaimStatus.UNCHECKED:
        return (Change(leg, replace(leg, status=LegStatus.CANCELED, provider_ref=None)),)
    if is_being_canceled(books, leg):
        return ()
    return (cancel_there(books, leg, now, new_id),)


def cancel_there(books: Books, leg: Leg, now: datetime, new_id: NewId) -> Instruct:
    """Order the end of what collects a leg at the provider: its hosted page, or else its payment."""
    assert leg.session_ref or leg.provider_ref, "a leg without a handle has nothing to be canceled"
    if leg.session_ref:
        return order(the_payment(books, leg), leg.id, ExpireCheckout(leg.id, leg.session_ref), now, new_id)
    assert leg.provider_ref
    return order(the_payment(books, leg), leg.id, CancelIntent(leg.id, leg.provider_ref), now, new_id)


def create_intent(books: Books, payment: Payment, leg: Leg, now: datetime, new_id: NewId) -> Instruct:
    """Order what collects a provider leg: an unconfirmed payment, or a hosted page on which the customer pays."""
    invoices = [invoice_of(books, each.invoice) for each in allocations_of(books, leg.id)]
    text = ", ".join(each.number or each.id for each in invoices if each)
    money = Money(leg.amount_minor, leg.currency)
    if payment.confirmation is Confirmation.HOSTED:
        assert payment.return_url, "a hosted page without a way back"
        page = CreateCheckout(leg.id, payment.customer, money, text, payment.return_url)
        return order(payment, leg.id, page, now, new_id)
    return order(payment, leg.id, CreateIntent(leg.id, payment.customer, money, leg.method, text), now, new_id)


def order(payment: Payment, subject: str, instruction: Instruction, now: datetime, new_id: NewId) -> Instruct:
    """Queue an instruction of a payment."""
    identity = OrderId(new_id("order"))
    queued = Order(identity, payment.account, payment.customer, subject, instruction, OrderStatus.QUEUED, now)
    return Instruct(queued)


def the_payment(books: Books, leg: Leg) -> Payment:
    """Give the payment that a leg is a part of."""
    payment = payment_of(books, leg.payment)
    assert payment is not None, "a leg without its payment"
    return payment


def _wallet(books: Books, leg: Leg) -> Wallet:
    return next(wallet for wallet in books.wallets if wallet.id == leg.wallet)


def _means(books: Books, invoice: Invoice, leg: Leg) -> str:
    """Say what paid an invoice, once this leg has: every settled leg's means, in the order they were made."""
    others = [each for each in legs_for(books, invoice.id) if each.status is LegStatus.SETTLED and each.id != leg.id]
    paying = [*others, leg]
    ordered = sorted(paying, key=lambda each: (each.created_at, each.position, each.id))
    return " and ".join(dict.fromkeys(means_of(books, each) for each in ordered))


def means_of(books: Books, leg: Leg) -> str:
    """Say in words what pays a leg: credits, what the provider says was charged, else the method it was asked for."""
    if leg.kind is LegKind.CREDIT:
        return "credits"
    if leg.kind is LegKind.BALANCE:
        return "balance"
    if leg.means:
        return leg.means
    if leg.kind is LegKind.EXTERNAL:
        return "outside the provider"
    method = next((each for each in books.methods if each.id == leg.method), None)
    return f"{method.brand or method.kind} {method.last4 or ''}".strip() if method else "provider"
