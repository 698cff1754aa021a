"""Checks that never give up: what carries our mark at the provider, and whether what is stored is what our legs say.

A payment fails here only on proof: the provider has a complete list of the customer's payments, and ours is not in it.
Of two objects that carry one mark none is charged anew; a person is told.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import legs
from counterfoil.core.books import Books, Case, Invoice, Leg, Payment, leg_by_id, with_changes
from counterfoil.core.effects import (
    Change,
    Decision,
    Defer,
    Effect,
    Instruct,
    Observe,
    Park,
    Reason,
    Skip,
    Why,
    changes_of,
    effects_of,
)
from counterfoil.core.facts import IntentFact, IntentStatus, MarkedFact
from counterfoil.core.ids import CaseId, LegId, NewId, OrderId
from counterfoil.core.lifecycle import OrderStatus, PaymentStatus
from counterfoil.core.orders import CancelIntent, Order
from counterfoil.core.settlement import CANCELABLE, decide_intent, refuse_leg
from counterfoil.core.status import invoice_payment_status, payment_status

RULE: Final = "check-payment@1"
RECHECK_TIMER: Final = "recheck"
NEVER_MADE: Final = "never_made"
"""Why a leg is refused that the provider never heard of."""
SURE_AFTER: Final = timedelta(minutes=10)
"""How young a leg may be for an empty list to prove nothing: lists may lag behind what was made."""
LATE_AFTER: Final = timedelta(days=3)
"""From when on a payment that is under way is late. It is only counted: nothing ages out."""


# --- what carries the mark of a leg ---


def decide_marked(books: Books, leg_id: LegId, fact: MarkedFact, now: datetime, new_id: NewId) -> Decision:
    """Say what it means that these payments, and no others of the customer, carry the mark of a leg of ours."""
    leg = leg_by_id(books, leg_id)
    assert leg is not None, "a mark of a leg that is not on the books"
    if len(fact.found) > 1:
        return _several(books, leg, fact, now, new_id)
    if leg.provider_ref or leg.status not in legs.COLLECTING:
        return Skip(_why(leg, Reason.ALREADY_KNOWN, "It is known which payment at the provider this is.", fact))
    if fact.found:
        return decide_intent(books, fact.found[0], now, new_id)
    if any(each.open for each in books.orders if each.subject == leg.id):
        sentence = "The provider has no such payment yet; the order for it is still open, and is sent under its key."
        return Skip(_why(leg, Reason.OUTCOME_UNKNOWN, sentence, fact))
    if now < leg.created_at + SURE_AFTER:
        sentence = "The provider has no such payment, but its lists may lag; it is looked for again."
        return Defer(_why(leg, Reason.TOO_YOUNG, sentence, fact), leg.created_at + SURE_AFTER)
    sentence = "The provider has no payment for it, so nothing was charged."
    return refuse_leg(books, leg, NEVER_MADE, sentence, now, new_id)


def _several(books: Books, leg: Leg, fact: MarkedFact, now: datetime, new_id: NewId) -> Decision:
    """Keep to the one that is furthest, give up what can be given up of the others, and ask. Nothing is charged."""
    kept = next((each for each in fact.found if each.ref == leg.provider_ref), _furthest(fact))
    others = tuple(each for each in fact.found if each.ref != kept.ref)
    names = ", ".join(each.ref for each in fact.found)
    sentence = f"{names} all carry the mark of one payment of ours. {kept.ref} counts; nothing is charged anew."
    if (Reason.SEVERAL_FOUND, leg.id) in books.questions:
        return Skip(_why(leg, Reason.ALREADY_KNOWN, sentence, fact))
    decision = None if leg.provider_ref else decide_intent(books, kept, now, new_id)
    case = Case(CaseId(new_id("case")), Reason.SEVERAL_FOUND, leg.id, sentence, now, customer=books.customer.id)
    effects = effects_of(decision) if decision else ()
    effects += tuple(each for other in others for each in _let_go(books, leg, other, now, new_id))
    return Park(_why(leg, Reason.SEVERAL_FOUND, sentence, fact), (*effects, Change(None, case)))


def _furthest(fact: MarkedFact) -> IntentFact:
    """Give the payment that is nearest to money, the oldest of equals."""
    return min(fact.found, key=lambda each: NEARNESS.index(each.status) if each.status in NEARNESS else len(NEARNESS))


NEARNESS: Final = (
    *(IntentStatus.SUCCEEDED, IntentStatus.PROCESSING, IntentStatus.NEEDS_ACTION, IntentStatus.NEEDS_CAPTURE),
    *(IntentStatus.NEEDS_CONFIRMATION, IntentStatus.NEEDS_METHOD),
)


def _let_go(books: Books, leg: Leg, other: IntentFact, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Cancel a payment that is not to be; one that has money, or may, is looked at as anybody's would be."""
    assert leg.account is not None
    if other.status not in CANCELABLE:
        return (Observe(leg.account, "payment_intent", other.ref, now, "a second payment carries the same mark"),)
    cancel = CancelIntent(leg.id, other.ref)
    # The order is about the other payment: the leg itself is not being given up.
    order = Order(OrderId(new_id("order")), leg.account, books.customer.id, other.ref, cancel, OrderStatus.QUEUED, now)
    return (Instruct(order),)


# --- what our own legs say ---


def decide_recheck(books: Books, subject: str, now: datetime, new_id: NewId) -> Decision:
    """Compute from the legs where payments and invoices stand that say they are under way, and correct what differs.

    That should never be: whoever wrote it was not one of our rules. So it is reported as well.
    """
    effects: tuple[Effect, ...] = ()
    wrong: list[str] = []
    for payment in books.payments:
        step = _restated(books, payment, now, new_id)
        books, effects = with_changes(books, changes_of(step)), (*effects, *step)
    for invoice in books.invoices:
        step = _restated_invoice(books, invoice)
        books, effects = with_changes(books, changes_of(step)), (*effects, *step)
    wrong = [f"{each.id} is {_standing(each)}" for each in changes_of(effects) if isinstance(each, Payment | Invoice)]
    if not wrong:
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, "It stands where its legs say that it stands.", (subject,)))
    sentence = f"Its status was not what its legs say. By them, {', '.join(wrong)}; it was corrected."
    case = Case(CaseId(new_id("case")), Reason.STATUS_RECOMPUTED, subject, sentence, now, customer=books.customer.id)
    return Park(Why(RULE, Reason.STATUS_RECOMPUTED, sentence, (subject,)), (*effects, Change(None, case)))


def _restated(books: Books, payment: Payment, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    if payment_status(books, payment) is PaymentStatus.PENDING and payment.status in UNDER_WAY:
        # Nothing of it was ever begun, and a payment never goes back to its beginning.
        return (Change(payment, replace(payment, status=PaymentStatus.CANCELED)),)
    if payment.status not in UNDER_WAY:
        return ()
    return legs.restate(books, payment.id, now, new_id)


def _restated_invoice(books: Books, invoice: Invoice) -> tuple[Effect, ...]:
    status = invoice_payment_status(books, invoice)
    return (Change(invoice, replace(invoice, payment_status=status)),) if status != invoice.payment_status else ()


UNDER_WAY: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION})


def _standing(subject: Payment | Invoice) -> str:
    return str(subject.status if isinstance(subject, Payment) else subject.payment_status).replace("_", " ")


def _why(leg: Leg, reason: Reason, sentence: str, fact: MarkedFact) -> Why:
    refs = tuple(each.ref for each in fact.found)
    inputs: dict[str, str | int | bool | None] = {"found": len(refs), "leg_status": leg.status}
    return Why(RULE, reason, sentence, (leg.id, leg.payment, *refs), inputs)
