"""What the outcome of our own call means. A reply is news like any other; an unknown one is never a failure."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import refunding
from counterfoil.core.books import Books, Case, Leg, leg_by_ref, with_changes
from counterfoil.core.checkouts import decide_session
from counterfoil.core.checks import decide_marked
from counterfoil.core.customers import decide_method_fact
from counterfoil.core.effects import Act, Change, Decision, Effect, Observe, Park, Reason, Skip, Why
from counterfoil.core.facts import (
    CustomerFact,
    Done,
    Fact,
    IntentFact,
    MarkedFact,
    MethodFact,
    MissingFact,
    Outcome,
    ProviderInvoiceFact,
    RefundFact,
    Refusal,
    Refused,
    SessionFact,
    SetupFact,
    Unfinished,
    Unknown,
)
from counterfoil.core.given_up import decide_create_refused, gone
from counterfoil.core.ids import CaseId, NewId
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.ordered import SalesOrder
from counterfoil.core.orders import (
    STORED_ERROR,
    AddInvoiceLine,
    AttachMethod,
    CancelIntent,
    CancelSetup,
    ConfirmIntent,
    CreateCheckout,
    CreateCustomer,
    CreateIntent,
    CreateInvoice,
    CreateRefund,
    CreateSetup,
    DeleteDraft,
    ExpireCheckout,
    FinalizeInvoice,
    OnInvoice,
    Order,
    PayInvoice,
    SetDefaultMethod,
    UpdateCustomer,
    VoidInvoice,
    handle_of,
)
from counterfoil.core.provider_invoices import decide_provider_invoice
from counterfoil.core.settlement import decide_intent, refuse_leg
from counterfoil.core.setups import decide_setup, decide_setup_refused

RULE: Final = "read-reply@1"
LOOK_AGAIN: Final = timedelta(seconds=5)
OTHER_VALUES: Final = "idempotency_error"
"""The provider's code for a key that it has seen with other values: an earlier try arrived, before a name changed."""
GONE: Final = "resource_missing"
"""The provider's code for an object that it does not have."""


def decide_reply(
    books: Books, order: Order, outcome: Outcome, now: datetime, new_id: NewId, *, stale: bool = False
) -> Decision:
    """Say what became of an order. The order itself moves with the same decision as what it was about.

    `stale` says that a newer look at the same object was applied before: the order closes, the object's state in the
    reply is old news.
    """
    if not order.open and isinstance(outcome, Unfinished | Unknown):
        return Skip(_why(order, Reason.ALREADY_KNOWN, "What the order was for has been seen to happen already."))
    match outcome:
        case Done(fact):
            closed = _closed(order, OrderStatus.DONE, None)
            if stale:
                return _superseded(order, closed, now)
            return _with_order(_done(books, closed, fact, now, new_id), order, closed)
        case Refused(refusal) if refusal.code == OTHER_VALUES and isinstance(order.instruction, CreateCustomer):
            return _unknown(order, STORED_ERROR, now)
        case Refused(refusal, fact):
            closed = _closed(order, OrderStatus.REFUSED, refusal.decline_code or refusal.code)
            if stale and fact:
                return _superseded(order, closed, now)
            return _with_order(_refused(books, closed, refusal, fact, now, new_id), order, closed)
        case Unfinished(why):
            requeued = replace(order, status=OrderStatus.QUEUED, why=why)
            sentence = f"The provider did not take the order yet ({why}); it is sent again with the same key."
            return Act(_why(order, Reason.OUTCOME_UNKNOWN, sentence), (Change(order, requeued),))
        case Unknown(why):
            return _unknown(order, why, now)


def _superseded(order: Order, closed: Order, now: datetime) -> Decision:
    sentence = "The provider answered, but a newer look at the same object was applied before; only the order closes."
    why = _why(order, Reason.SUPERSEDED, sentence)
    if closed == order:
        return Skip(why)
    effects: tuple[Effect, ...] = (Change(order, closed),)
    if isinstance(order.instruction, OnInvoice):
        # That look was taken while this step was under way, so it could not say what comes next.
        effects += (Observe(order.account, "invoice", order.instruction.ref, now, "a step of it was answered"),)
    return Act(why, effects)


def _closed(order: Order, status: OrderStatus, why: str | None) -> Order:
    """Close an order. One that a fact has closed before stays as it is, whatever a late reply says."""
    return replace(order, status=status, why=why) if order.open else order


def _with_order(decision: Decision, before: Order, closed: Order) -> Decision:
    """Let the order close in the decision, first of all."""
    if closed == before:
        return decision
    change = Change(before, closed)
    if isinstance(decision, Act | Park):
        rest = tuple(each for each in decision.effects if not _is_about(each, before))
        return replace(decision, effects=(change, *rest))
    return Act(decision.why, (change,))


def _is_about(effect: Effect, order: Order) -> bool:
    return isinstance(effect, Change) and isinstance(effect.after, Order) and effect.after.id == order.id


def _unknown(order: Order, why: str, now: datetime) -> Decision:
    """No usable reply: nothing is concluded. A handle is looked at again; without one the order itself comes back."""
    unknown = replace(order, status=OrderStatus.UNKNOWN, why=why)
    effects: tuple[Effect, ...] = (Change(order, unknown),)
    handle = handle_of(order.instruction)
    if handle:
        effects += (Observe(order.account, *handle, now + LOOK_AGAIN, "the reply to our call was lost"),)
    sentence = (
        "The provider's reply was lost. It may have had its effect, so nothing is concluded until we have looked."
    )
    return Act(_why(order, Reason.OUTCOME_UNKNOWN, sentence), effects)


# --- done ---


def _done(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    match order.instruction:
        case CreateCustomer():
            return _customer_made(books, order, fact)
        case UpdateCustomer():
            return Skip(_why(order, Reason.CUSTOMER_TOLD, "The provider's copy of name and e-mail is as ours."))
        case AttachMethod():
            return _method_saved(books, order, fact, now, new_id)
        case CreateIntent() if isinstance(fact, MarkedFact):
            return decide_marked(with_changes(books, (order,)), order.instruction.leg, fact, now, new_id)
        case CreateIntent():
            return _intent_made(books, order, fact, now, new_id)
        case ConfirmIntent() | CancelIntent() | CreateRefund():
            return _money_asked(books, order, fact, now, new_id)
        case CreateCheckout():
            return _page_made(books, order, fact, now, new_id)
        case CreateSetup():
            return _setup_made(books, order, fact, now, new_id)
        case ExpireCheckout() | CancelSetup():
            return _looked_at(order, now)
        case SetDefaultMethod():
            return Skip(_why(order, Reason.METHOD_SAVED, "The provider charges this method unless another is named."))
        case CreateInvoice() | AddInvoiceLine() | FinalizeInvoice() | PayInvoice() | VoidInvoice() | DeleteDraft():
            return _invoice_stepped(books, order, fact, None, now, new_id)


def _money_asked(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    """The provider was asked to collect, to give up, or to give back: its object says how far that is."""
    match fact:
        case IntentFact():
            return decide_intent(books, fact, now, new_id)
        case RefundFact() if isinstance(order.instruction, CreateRefund):
            return refunding.decide_made(books, order, fact, now, new_id)
        case _:
            return _odd_reply(books, order, now, new_id)


def _invoice_stepped(
    books: Books, order: Order, fact: Fact | None, refusal: Refusal | None, now: datetime, new_id: NewId
) -> Decision:
    """A step of a provider's invoice was taken or refused: what the invoice is now says what it means."""
    books = with_changes(books, (order,))
    if isinstance(order.instruction, CreateInvoice) and refusal:
        return decide_create_refused(books, order.instruction.invoice, refusal, now, new_id)
    seen = gone(books, fact.ref) if isinstance(fact, MissingFact) else fact
    if isinstance(seen, ProviderInvoiceFact):
        return decide_provider_invoice(books, seen, now, new_id, refusal)
    return _odd_reply(books, order, now, new_id)


def _customer_made(books: Books, order: Order, fact: Fact) -> Decision:
    customer = books.customer
    if not isinstance(fact, CustomerFact) or customer.provider_ref == fact.ref:
        return Skip(_why(order, Reason.ALREADY_KNOWN, "The customer was linked to the provider's before."))
    if customer.provider_ref:
        sentence = (
            f"The customer is {customer.provider_ref} at the provider; {fact.ref} was made besides and is not used."
        )
        return Skip(_why(order, Reason.CUSTOMER_MISMATCH, sentence))
    linked = replace(customer, provider_ref=fact.ref)
    sentence = f"The customer exists at the provider as {fact.ref}."
    return Act(_why(order, Reason.CUSTOMER_LINKED, sentence), (Change(customer, linked),))


def _method_saved(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    assert isinstance(order.instruction, AttachMethod)
    if not isinstance(fact, MethodFact):
        return _odd_reply(books, order, now, new_id)
    return decide_method_fact(
        books, fact, now, new_id, make_default=order.instruction.make_default, wanted=order.subject
    )


def _intent_made(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    """Step one of two: store the handle. A leg has one handle for ever; a second object is a question."""
    leg = _leg(books, order)
    if not isinstance(fact, IntentFact) or (leg.provider_ref and leg.provider_ref != fact.ref):
        return _odd_reply(books, order, now, new_id)
    linked = replace(leg, provider_ref=fact.ref)
    decision = decide_intent(_with_leg(books, linked), fact, now, new_id)
    if leg.provider_ref:
        return decision
    return _linked_first(decision, leg, linked, fact)


def _page_made(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    """Store the hosted page before anybody is sent to it. A leg has one page for ever; a second one is a question."""
    leg = _leg(books, order)
    page = fact.session_ref if isinstance(fact, IntentFact) else getattr(fact, "ref", None)
    if not isinstance(fact, IntentFact | SessionFact) or (leg.session_ref and leg.session_ref != page):
        return _odd_reply(books, order, now, new_id)
    linked = replace(leg, session_ref=page)
    books = with_changes(books, (linked,))
    if isinstance(fact, IntentFact):
        decision = decide_intent(books, fact, now, new_id)
    else:
        decision = decide_session(books, fact, now, new_id)
    if leg.session_ref:
        return decision
    return _linked_first(decision, leg, linked, fact)


def _setup_made(books: Books, order: Order, fact: Fact, now: datetime, new_id: NewId) -> Decision:
    if isinstance(fact, SetupFact | SessionFact):
        return decide_setup(books, _sales_order(books, order), fact, now, new_id)
    return _odd_reply(books, order, now, new_id)


def _looked_at(order: Order, now: datetime) -> Decision:
    """The provider was asked to close something. What it is now decides, closed or not: it may have been paid."""
    handle = handle_of(order.instruction)
    assert handle is not None, "an order to close nothing"
    sentence = f"The provider answered the order to close {handle[1]}; what it is now is looked at."
    look = Observe(order.account, *handle, now, "it was to be closed")
    return Act(_why(order, Reason.HANDLE_STORED, sentence), (look,))


def _sales_order(books: Books, order: Order) -> SalesOrder:
    return next(each for each in books.sales_orders if each.id == order.subject)


def _linked_first(decision: Decision, leg: Leg, linked: Leg, fact: IntentFact | SessionFact) -> Decision:
    """Let the handle be stored before whatever the payment's state brings."""
    if isinstance(decision, Act | Park):
        return replace(decision, effects=(Change(leg, linked), *decision.effects))
    sentence = f"The provider made {fact.ref} for this leg; its id is stored."
    why = replace(decision.why, reason=Reason.HANDLE_STORED, sentence=sentence)
    return Act(why, (Change(leg, linked),))


def _with_leg(books: Books, leg: Leg) -> Books:
    return replace(books, legs=tuple(leg if each.id == leg.id else each for each in books.legs))


def _odd_reply(books: Books, order: Order, now: datetime, new_id: NewId) -> Decision:
    """The provider answered with something that can't belong to the order."""
    sentence = "The provider's reply does not belong to the order it answers. Nothing was concluded from it."
    case = Case(CaseId(new_id("case")), Reason.OBJECT_UNREADABLE, order.id, sentence, now, customer=books.customer.id)
    return Park(_why(order, Reason.OBJECT_UNREADABLE, sentence), (Change(None, case),))


# --- refused ---


def _refused(books: Books, order: Order, refusal: Refusal, fact: Fact | None, now: datetime, new_id: NewId) -> Decision:
    """A definite no. When the provider sent the object along, its state decides: it may have been paid all the same."""
    code = refusal.decline_code or refusal.code
    match order.instruction:
        case CreateSetup():
            return decide_setup_refused(books, _sales_order(books, order), code, now)
        case ExpireCheckout() | CancelSetup():
            return _looked_at(order, now)
        case CreateIntent() | CreateCheckout():
            return refuse_leg(books, _leg(books, order), code, refusal.message, now, new_id)
        case ConfirmIntent(ref=ref) | CancelIntent(ref=ref):
            if isinstance(fact, IntentFact) and leg_by_ref(books, fact.ref):
                return decide_intent(books, fact, now, new_id)
            if isinstance(order.instruction, ConfirmIntent):
                return refuse_leg(books, _leg(books, order), code, refusal.message, now, new_id)
            sentence = f"The provider would not cancel {ref} ({code}); its state is looked at again."
            look = Observe(order.account, "payment_intent", ref, now + LOOK_AGAIN, "the cancel was refused")
            return Act(_why(order, Reason.ORDER_REFUSED, sentence), (look,))
        case AttachMethod():
            return Skip(_why(order, Reason.METHOD_REFUSED, f"The provider refused the payment method ({code})."))
        case CreateCustomer():
            sentence = f"The provider refused to make the customer ({code})."
            return _customer_refused(books, order, books.customer.id, sentence, now, new_id)
        case UpdateCustomer():
            return _copy_refused(books, order, code, now, new_id)
        case SetDefaultMethod():
            sentence = f"The provider would not make the method the default ({code}); it is named with each payment."
            return Skip(_why(order, Reason.METHOD_REFUSED, sentence))
        case CreateInvoice() | AddInvoiceLine() | FinalizeInvoice() | PayInvoice() | VoidInvoice() | DeleteDraft():
            return _invoice_stepped(books, order, fact, refusal, now, new_id)
        case CreateRefund():
            return refunding.decide_refused(books, order, code, refusal.message, now, new_id)


def _copy_refused(books: Books, order: Order, code: str, now: datetime, new_id: NewId) -> Decision:
    if code == GONE:
        sentence = "The customer is not at the provider any more, so there is no copy to be changed."
        return Skip(_why(order, Reason.ORDER_REFUSED, sentence))
    sentence = f"The provider refused to change its copy of the customer's name and e-mail ({code})."
    return _customer_refused(books, order, order.id, sentence, now, new_id)


def _customer_refused(
    books: Books, order: Order, subject: str, sentence: str, now: datetime, new_id: NewId
) -> Decision:
    case = Case(CaseId(new_id("case")), Reason.ORDER_REFUSED, subject, sentence, now, customer=books.customer.id)
    return Park(_why(order, Reason.ORDER_REFUSED, sentence), (Change(None, case),))


def _leg(books: Books, order: Order) -> Leg:
    return next(leg for leg in books.legs if leg.id == order.subject)


def _why(order: Order, reason: Reason, sentence: str) -> Why:
    verb = type(order.instruction).__name__
    return Why(
        RULE, reason, sentence, (order.id, order.subject), {"order": order.id, "verb": verb, "try": order.try_no}
    )
