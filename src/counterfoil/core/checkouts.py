"""What a hosted checkout that has no payment means to the leg that it collects for: open, expired, or odd."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import legs
from counterfoil.core.books import Books, Case, Leg, leg_by_ref, with_changes
from counterfoil.core.effects import Act, Change, Decision, Effect, Park, Reason, Skip, Why
from counterfoil.core.facts import LEG_MARK, ActionKind, SessionFact
from counterfoil.core.ids import CaseId, NewId
from counterfoil.core.lifecycle import LegStatus, OrderStatus, may_move
from counterfoil.core.money import Money
from counterfoil.core.orders import confirmed_by

RULE: Final = "read-checkout@1"


def session_leg(books: Books, fact: SessionFact) -> Leg | None:
    """Find the leg a hosted page collects for: by the handle we stored, else by our mark while there is no handle."""
    known = leg_by_ref(books, fact.ref)
    if known:
        return known
    marked = (leg for leg in books.legs if leg.id == fact.metadata.get(LEG_MARK))
    return next((leg for leg in marked if (leg.session_ref or leg.provider_ref or leg.claim) is None), None)


def decide_session(books: Books, fact: SessionFact, now: datetime, new_id: NewId) -> Decision:
    """Say what a hosted page without a payment means. One that has a payment is read as that payment."""
    leg = session_leg(books, fact)
    if leg is None:
        return Skip(_why(Reason.NOT_OURS, f"Checkout {fact.ref} belongs to none of the customer's invoices.", fact))
    if leg.status in (LegStatus.SETTLED, LegStatus.RETURNED):
        return _known(leg, fact, f"What checkout {fact.ref} was for is settled; it says nothing new.")
    odd = _oddity(books, leg, fact)
    if odd:
        return _asked(books, leg, fact, odd, now, new_id)
    first = _linking(leg, fact)
    books = with_changes(books, (first.after,) if first else ())
    leg = next(each for each in books.legs if each.id == leg.id)
    decision = _decide_status(books, leg, fact, now, new_id)
    effects = (*((first,) if first else ()), *_proven(books, leg, fact))
    if isinstance(decision, Act):
        return replace(decision, effects=(*effects, *decision.effects))
    return Act(decision.why, effects) if effects else decision


def _decide_status(books: Books, leg: Leg, fact: SessionFact, now: datetime, new_id: NewId) -> Act | Skip:
    if fact.status == "expired":
        return _expired(books, leg, fact, now, new_id)
    if fact.status != "open" or leg.claim:
        sentence = f"Checkout {fact.ref} is {fact.status} and has no payment yet; nothing is owed through it."
        return Skip(_why(Reason.SESSION_WITHOUT_PAYMENT, sentence, fact, leg))
    if leg.status is LegStatus.CANCELED or not legs.still_owed(books, leg):
        return _unwanted(books, leg, fact, now, new_id)
    after = replace(leg, status=LegStatus.REQUIRES_ACTION, action=ActionKind.PAY, action_url=fact.url)
    if after == leg or not may_move("leg", leg.status, after.status):
        return _known(leg, fact, f"Checkout {fact.ref} is open, as we knew.")
    restated = legs.restate(with_changes(books, (after,)), leg.payment, now, new_id)
    sentence = f"Checkout {fact.ref} is open; the customer can pay on its page."
    return Act(_why(Reason.CHECKOUT_OPEN, sentence, fact, leg), (Change(leg, after), *restated))


def _expired(books: Books, leg: Leg, fact: SessionFact, now: datetime, new_id: NewId) -> Act | Skip:
    """Nobody paid in time, or we closed it: the invoice is open again, and what waited may begin."""
    if leg.status is LegStatus.CANCELED:
        return _known(leg, fact, f"Checkout {fact.ref} has expired, as we knew.")
    after = replace(leg, status=LegStatus.CANCELED, action=None, action_url=None)
    if not may_move("leg", leg.status, after.status):
        return _known(leg, fact, f"Checkout {fact.ref} has expired; this part of the payment is {leg.status}.")
    ended = legs.after_cancel(with_changes(books, (after,)), leg.payment, now, new_id)
    sentence = f"Checkout {fact.ref} has expired and was not paid; what it was for can be collected again."
    return Act(_why(Reason.CHECKOUT_EXPIRED, sentence, fact, leg), (Change(leg, after), *ended))


def _unwanted(books: Books, leg: Leg, fact: SessionFact, now: datetime, new_id: NewId) -> Act | Skip:
    """Close a page that nobody wants any more before it can collect."""
    if legs.is_being_canceled(books, leg):
        return _known(leg, fact, f"Checkout {fact.ref} is being closed at the provider.")
    close = legs.cancel_there(books, leg, now, new_id)
    sentence = f"Checkout {fact.ref} is no longer wanted, so it is closed at the provider before it can collect."
    return Act(_why(Reason.INTENT_CANCELED, sentence, fact, leg), (close,))


def _oddity(books: Books, leg: Leg, fact: SessionFact) -> tuple[Reason, str] | None:
    """Compare what the provider holds with what we asked for. A claimed page may be for any amount."""
    ours = books.customer.provider_ref
    if fact.customer_ref and ours and fact.customer_ref != ours:
        return Reason.CUSTOMER_MISMATCH, f"It belongs to the provider's customer {fact.customer_ref}, not to {ours}."
    asked = Money(leg.amount_minor, leg.currency)
    if leg.claim or fact.amount is None or fact.amount == asked:
        return None
    return Reason.AMOUNT_MISMATCH, f"It is for {fact.amount}, but we asked for {asked}."


def _asked(
    books: Books, leg: Leg, fact: SessionFact, odd: tuple[Reason, str], now: datetime, new_id: NewId
) -> Decision:
    reason, detail = odd
    sentence = f"Checkout {fact.ref} does not fit what we asked for. {detail}"
    case = Case(CaseId(new_id("case")), reason, fact.ref, sentence, now, customer=books.customer.id)
    asked = () if (reason, fact.ref) in books.questions else (Change(None, case),)
    return Park(_why(reason, sentence, fact, leg), asked)


def _linking(leg: Leg, fact: SessionFact) -> Change | None:
    """Store the page's handle when it is seen before our own reply is."""
    if leg.claim or leg.session_ref:
        return None
    return Change(leg, replace(leg, session_ref=fact.ref))


def _proven(books: Books, leg: Leg, fact: SessionFact) -> tuple[Effect, ...]:
    """Close the orders of this leg that the page proves, so that none of them is sent again."""
    orders = [each for each in books.orders if each.subject == leg.id and confirmed_by(each, fact)]
    return tuple(Change(each, replace(each, status=OrderStatus.DONE, why=None)) for each in orders)


def _known(leg: Leg, fact: SessionFact, sentence: str) -> Skip:
    return Skip(_why(Reason.ALREADY_KNOWN, sentence, fact, leg))


def _why(reason: Reason, sentence: str, fact: SessionFact, leg: Leg | None = None) -> Why:
    about = (leg.id, leg.payment, fact.ref) if leg else (fact.ref,)
    return Why(RULE, reason, sentence, about, {"checkout": fact.ref, "status": fact.status})
