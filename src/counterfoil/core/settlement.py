"""What news about a payment at the provider means to our books.

One ladder for every way the news can come, webhook, reply, poll or claim: identity first (whose payment is it), then
history (what is known already), then money. The provider's current object decides, never the event that pointed at it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import dunning, invoicing, journal, legs, watching
from counterfoil.core.books import (
    Books,
    Case,
    Confirmation,
    Invoice,
    Leg,
    LegKind,
    Payment,
    allocations_of,
    leg_by_ref,
    legs_of,
    with_changes,
)
from counterfoil.core.cases import answered_by_claim
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Defer,
    Effect,
    Instruct,
    Notify,
    Park,
    Post,
    Reason,
    Skip,
    Timer,
    Why,
    changes_of,
    effects_of,
)
from counterfoil.core.facts import LEG_MARK, ActionKind, IntentFact, IntentStatus
from counterfoil.core.ids import CaseId, NewId, ProviderRef
from counterfoil.core.journal import Received
from counterfoil.core.lifecycle import LegStatus, OrderStatus, may_move
from counterfoil.core.money import Money
from counterfoil.core.orders import CancelIntent, ConfirmIntent, ExpireCheckout, confirmed_by
from counterfoil.core.status import others_collect
from counterfoil.core.surplus import oddity
from counterfoil.core.terms import ClaimStatus

RULE: Final = "settle-intent@1"


def decide_intent(books: Books, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """Say what the provider's payment, as it stands now, means to the leg that it belongs to."""
    leg = leg_for(books, fact)
    if leg is None:
        return _skip(fact, Reason.NOT_OURS, "This payment belongs to none of the customer's invoices.")
    if leg.status in (LegStatus.SETTLED, LegStatus.RETURNED):
        # Before the comparison: what was settled is booked, and must not be booked to suspense as well.
        return _after_settlement(books, leg, fact, now)
    if leg.claim and fact.customer_ref and books.customer.provider_ref is None and now < leg.created_at + NAMED_WITHIN:
        sentence = f"Payment {fact.ref} was claimed, and our customer has no id at the provider yet to compare it with."
        return Defer(_why(Reason.TOO_YOUNG, sentence, leg, fact), now + LOOK_AGAIN)
    mismatch = _identity_mismatch(books, leg, fact)
    if mismatch:
        differs = _claim_dropped if leg.claim else _parked
        return differs(books, leg, fact, mismatch, now, new_id)
    linking = _linking(books, leg, fact)
    books = with_changes(books, changes_of(linking))
    leg = next(each for each in books.legs if each.id == leg.id)
    proven = _proven_orders(books, leg, fact)
    decision = _making_way(_decide_status(books, leg, fact, now, new_id), books, leg, fact, now, new_id)
    return _with_first(decision, (*linking, *proven), leg, fact)


def leg_for(books: Books, fact: IntentFact) -> Leg | None:
    """Find the leg a payment belongs to: by the handle we stored, else by our own mark while the handle is missing.

    The mark alone never routes money: it is believed only for a leg of ours that still waits for its handle.
    """
    refs = [ref for ref in (fact.ref, fact.session_ref) if ref]
    known = next((leg for leg in (leg_by_ref(books, ref) for ref in refs) if leg), None)
    if known:
        return known
    marked = fact.metadata.get(LEG_MARK)
    return next((leg for leg in books.legs if leg.id == marked and _awaits_handle(leg)), None)


def _awaits_handle(leg: Leg) -> bool:
    return leg.kind is LegKind.PROVIDER and leg.provider_ref is None and leg.claim is None


NAMED_WITHIN: Final = timedelta(minutes=10)
"""How long a claim waits for our customer's own id at the provider, which is being made."""
LOOK_AGAIN: Final = timedelta(seconds=15)


# --- identity ---


def _identity_mismatch(books: Books, leg: Leg, fact: IntentFact) -> tuple[Reason, str] | None:
    """Compare what the provider holds with what we asked for, before any of it is believed."""
    if fact.amount.currency != leg.currency:
        return Reason.CURRENCY_MISMATCH, f"It is in {fact.amount.currency}, the invoice in {leg.currency}."
    ours, theirs = books.customer.provider_ref, fact.customer_ref
    # Our own order names our customer, so a payment that we made may tell us its id; a claim may not.
    if theirs and ours != theirs and (ours or leg.claim):
        not_ours = f"not to {ours}" if ours else "and ours has no id there"
        return Reason.CUSTOMER_MISMATCH, f"It belongs to the provider's customer {theirs}, {not_ours}."
    # A payment that the host application made for one invoice may be for any amount: what it collects is what counts.
    # For several, nobody has said whose the difference is.
    is_for_several = len(allocations_of(books, leg.id)) > 1
    if (leg.claim is None or is_for_several) and fact.amount.minor != leg.amount_minor:
        asked = Money(leg.amount_minor, leg.currency)
        return Reason.AMOUNT_MISMATCH, f"It is for {fact.amount}, but we asked for {asked}."
    return None


def _parked(
    books: Books, leg: Leg, fact: IntentFact, mismatch: tuple[Reason, str], now: datetime, new_id: NewId
) -> Decision:
    """Ask a person; money that came all the same is booked to suspense, never to the invoice."""
    reason, detail = mismatch
    sentence = f"Payment {fact.ref} does not fit what we asked for. {detail} Nothing was settled by it."
    asked = _ask_once(books, reason, fact.ref, sentence, now, new_id)
    return Park(_why(reason, sentence, leg, fact), (*asked, *_kept_apart(books, leg, fact, now)))


def _claim_dropped(
    books: Books, leg: Leg, fact: IntentFact, mismatch: tuple[Reason, str], now: datetime, new_id: NewId
) -> Decision:
    """Let go of a payment that was claimed and is somebody else's: it is neither settled by nor canceled.

    The leg ends and forgets the handle, so that the right invoice can claim it; a person is told.
    """
    reason, detail = mismatch
    sentence = f"Payment {fact.ref} was claimed and does not fit. {detail} The claim is dropped; it stays as it is."
    asked = _ask_once(books, reason, fact.ref, sentence, now, new_id)
    status = leg.status if leg.status is LegStatus.CANCELED else LegStatus.REFUSED
    dropped = replace(
        leg, status=status, provider_ref=None, refusal_code=reason, refusal_text=sentence, action_url=None, action=None
    )
    effects = (*asked, *_kept_apart(books, leg, fact, now), *_failed(books, leg, dropped, now, new_id))
    return Park(_why(reason, sentence, leg, fact), effects)


def _kept_apart(books: Books, leg: Leg, fact: IntentFact, now: datetime) -> tuple[Effect, ...]:
    """Book money that came and does not fit to suspense, and what the provider kept of it."""
    if fact.received.minor <= 0 or leg.account is None:
        return ()
    fee = _fee(books, leg, fact, now)
    if _in_suspense(books, fact.ref):
        return fee
    return (Post(journal.money_unexplained(leg.account, fact.ref, fact.received, now)), *fee)


# --- history ---


def _after_settlement(books: Books, leg: Leg, fact: IntentFact, now: datetime) -> Decision:
    """Settled is final here: late or repeated news may only bring the fee that was not known before."""
    proven = _proven_orders(books, leg, fact)
    fee = _fee(books, leg, fact, now)
    if fee:
        sentence = f"The provider's fee for {fact.ref} became known: {fact.charge_fee and fact.charge_fee.fee}."
        return Act(_why(Reason.FEE_BOOKED, sentence, leg, fact), (*proven, *fee))
    sentence = f"Payment {fact.ref} was settled before; this news says nothing new."
    why = _why(Reason.ALREADY_SETTLED, sentence, leg, fact)
    return Act(why, proven) if proven else Skip(why)


def _linking(books: Books, leg: Leg, fact: IntentFact) -> tuple[Effect, ...]:
    """Store the payment's handle when this is the first time we see it."""
    linked = replace(leg, provider_ref=fact.ref, claim=leg.claim and ClaimStatus.CHECKED)
    return (Change(leg, linked),) if linked != leg else ()


def _proven_orders(books: Books, leg: Leg, fact: IntentFact) -> tuple[Effect, ...]:
    """Close the orders of this leg that the fact proves, so that none of them is sent again."""
    orders = [each for each in books.orders if each.subject == leg.id and confirmed_by(each, fact)]
    return tuple(Change(each, replace(each, status=OrderStatus.DONE, why=None)) for each in orders)


def _with_first(decision: Decision, first: tuple[Effect, ...], leg: Leg, fact: IntentFact) -> Decision:
    """Put what identity and history brought before the effects of the status."""
    if not first:
        return decision
    if isinstance(decision, Act):
        return replace(decision, effects=(*first, *decision.effects))
    if isinstance(decision, Park):
        return replace(decision, effects=(*first, *decision.effects))
    sentence = f"Payment {fact.ref} is the provider's object for this leg; its id is stored."
    return Act(_why(Reason.HANDLE_STORED, sentence, leg, fact), first)


def _making_way(decision: Decision, books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """Give a payment up that another try or credits wait for, as soon as it can be: it may have come to life again."""
    others = [each for each in legs_of(books, leg.payment) if each.id != leg.id]
    is_waited_for = any(each.status is LegStatus.WAITING for each in others)
    is_replaced = is_waited_for or legs.covered_by_credits(books, leg.payment)
    if is_replaced and _is_over(fact) and leg.status is not LegStatus.CANCELED:
        return _cancel(books, leg, fact, now, new_id)
    if not is_replaced or fact.status not in CANCELABLE or legs.is_being_canceled(books, leg) or _cancels(decision):
        return decision
    cancel = legs.cancel_there(books, replace(leg, provider_ref=fact.ref), now, new_id)
    if isinstance(decision, Act | Park):
        return replace(decision, effects=(*decision.effects, cancel))
    sentence = f"What replaces {fact.ref} waits for its end; it is canceled at the provider."
    return Act(_why(Reason.INTENT_CANCELED, sentence, leg, fact), (cancel,))


def _cancels(decision: Decision) -> bool:
    orders = (each.order for each in effects_of(decision) if isinstance(each, Instruct))
    return any(isinstance(each.instruction, CancelIntent | ExpireCheckout) for each in orders)


def _is_over(fact: IntentFact) -> bool:
    """Say whether a payment failed on a hosted page that is closed: nobody can confirm it any more."""
    return fact.session_status in ("complete", "expired") and fact.status is IntentStatus.NEEDS_METHOD


CANCELABLE: Final = frozenset(
    {IntentStatus.NEEDS_METHOD, IntentStatus.NEEDS_CONFIRMATION, IntentStatus.NEEDS_ACTION, IntentStatus.NEEDS_CAPTURE}
)


# --- money ---


def _decide_status(books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    match fact.status:
        case IntentStatus.SUCCEEDED if fact.received.minor <= 0:
            nothing = (Reason.AMOUNT_MISMATCH, "The provider says that it succeeded and that nothing was collected.")
            return _parked(books, leg, fact, nothing, now, new_id)
        case IntentStatus.SUCCEEDED:
            return _settle(books, leg, fact, now, new_id)
        case status if leg.status is LegStatus.CANCELED and _is_over(fact):
            return _skip(fact, Reason.ALREADY_KNOWN, f"Payment {fact.ref} can't collect any more, as we knew.", leg)
        case status if leg.status is LegStatus.CANCELED and status in CANCELABLE:
            return _give_up(books, legs.the_payment(books, leg), leg, fact, now, new_id)
        case IntentStatus.PROCESSING:
            return _move(books, leg, fact, LegStatus.PROCESSING, now, new_id)
        case IntentStatus.NEEDS_ACTION:
            return _move(books, leg, fact, LegStatus.REQUIRES_ACTION, now, new_id)
        case IntentStatus.NEEDS_METHOD if fact.refusal:
            return _refuse(books, leg, fact, now, new_id)
        case IntentStatus.NEEDS_METHOD | IntentStatus.NEEDS_CONFIRMATION:
            return _advance(books, leg, fact, now, new_id)
        case IntentStatus.CANCELED:
            return _cancel(books, leg, fact, now, new_id)
        case IntentStatus.NEEDS_CAPTURE:
            sentence = f"Payment {fact.ref} is authorized only; capture or cancel it at the provider."
            asked = _ask_once(books, Reason.NOT_HANDLED_YET, fact.ref, sentence, now, new_id)
            return Park(_why(Reason.NOT_HANDLED_YET, sentence, leg, fact), asked)
        case _:
            return _skip(fact, Reason.NOT_READY, f"Payment {fact.ref} is in a state that tells us nothing new.", leg)


UNDER_WAY: Final = {
    LegStatus.PROCESSING: (Reason.INTENT_PROCESSING, "is being processed"),
    LegStatus.REQUIRES_ACTION: (Reason.INTENT_NEEDS_ACTION, "waits for the customer to confirm it"),
}


def _advance(books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """Take the second of the two steps: the object exists and has an id, so it may now be confirmed."""
    payment = legs.the_payment(books, leg)
    is_moot = payment.confirmation is not Confirmation.HOST and not legs.still_owed(books, leg)
    if leg.status is LegStatus.CANCELED or is_moot or _is_withdrawn(books, payment, leg, now):
        return _give_up(books, payment, leg, fact, now, new_id)
    if payment.confirmation is not Confirmation.SERVER:
        return _move(books, leg, fact, LegStatus.REQUIRES_ACTION, now, new_id)
    if leg.method is None or leg.status is not LegStatus.PROCESSING or _ordered(books, leg, ConfirmIntent):
        return _skip(fact, Reason.NOT_READY, f"Payment {fact.ref} is made but not confirmed yet.", leg)
    confirm = legs.order(payment, leg.id, ConfirmIntent(leg.id, fact.ref, leg.method), now, new_id)
    sentence = f"Payment {fact.ref} exists at the provider; it is confirmed now."
    return Act(_why(Reason.HANDLE_STORED, sentence, leg, fact), (confirm,))


def _is_withdrawn(books: Books, payment: Payment, leg: Leg, now: datetime) -> bool:
    """Say whether an auto top-up stopped wanting this charge before it was made. What a customer confirms is wanted."""
    return payment.confirmation is Confirmation.SERVER and watching.withdrawn(books, leg, now) is not None


def _give_up(books: Books, payment: Payment, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """Nobody wants this payment any more and nothing was collected by it yet: it is canceled rather than confirmed."""
    if legs.is_being_canceled(books, leg):
        return _skip(fact, Reason.ALREADY_KNOWN, f"Payment {fact.ref} is being canceled at the provider.", leg)
    cancel = legs.cancel_there(books, replace(leg, provider_ref=fact.ref), now, new_id)
    sentence = f"Payment {fact.ref} is no longer wanted, so it is canceled at the provider before it can collect."
    return Act(_why(Reason.INTENT_CANCELED, sentence, leg, fact), (cancel,))


def _move(books: Books, leg: Leg, fact: IntentFact, to: LegStatus, now: datetime, new_id: NewId) -> Decision:
    """Follow the provider while the money is still on its way. Never back from paid, and never twice."""
    reason, words = UNDER_WAY[to]
    after = replace(leg, status=to, action=_action(leg, fact, to), action_url=_action_url(leg, fact, to))
    if leg == after or not may_move("leg", leg.status, to):
        return _skip(fact, Reason.ALREADY_KNOWN, f"Payment {fact.ref} {words}, as we knew.", leg)
    if others_collect(books, leg):
        sentence = (
            f"Payment {fact.ref} {words}, but another one collects its invoice now; only its success would count."
        )
        return _skip(fact, Reason.NOT_READY, sentence, leg)
    effects: tuple[Effect, ...] = (Change(leg, after),)
    effects += legs.restate(with_changes(books, (after,)), leg.payment, now, new_id)
    effects += _told_of_action(books, after)
    effects += dunning.wake(legs.the_payment(books, leg), after, now)
    return Act(_why(reason, f"Payment {fact.ref} {words}.", leg, fact), effects)


def _action(leg: Leg, fact: IntentFact, to: LegStatus) -> ActionKind | None:
    """Say what the customer has to do. On a hosted page the page says it, until there is something to do elsewhere."""
    if to is not LegStatus.REQUIRES_ACTION:
        return None
    return fact.action or (ActionKind.PAY if leg.session_ref else None)


def _action_url(leg: Leg, fact: IntentFact, to: LegStatus) -> str | None:
    if to is not LegStatus.REQUIRES_ACTION:
        return None
    is_open = leg.session_ref is not None and fact.session_status in (None, "open")
    return fact.action_url or (leg.action_url if is_open else None)


def _told_of_action(books: Books, leg: Leg) -> tuple[Effect, ...]:
    """Tell once that the customer has something to do, for each kind of it."""
    if leg.status is not LegStatus.REQUIRES_ACTION or leg.action is None:
        return ()
    kind = "payment.requires_action"
    data: dict[str, str | int] = {"leg": leg.id, "action": leg.action}
    return (Notify(f"{kind}:{leg.id}:{leg.action}", kind, books.customer.id, leg.payment, data),)


def _refuse(books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    assert fact.refusal is not None
    if leg.status is LegStatus.PROCESSING and legs.covered_by_credits(books, leg.payment):
        sentence = f"Payment {fact.ref} was refused, as we knew; credits replace it once it is canceled."
        return _skip(fact, Reason.ALREADY_KNOWN, sentence, leg)
    code = fact.refusal.decline_code or fact.refusal.code
    return refuse_leg(books, leg, code, fact.refusal.message, now, new_id, fact)


def refuse_leg(
    books: Books, leg: Leg, code: str, message: str, now: datetime, new_id: NewId, fact: IntentFact | None = None
) -> Decision:
    """Book a definite refusal: the leg failed, reserved credits stay for a retry, nothing was charged."""
    after = replace(
        leg, status=LegStatus.REFUSED, refusal_code=code, refusal_text=message, action_url=None, action=None
    )
    if leg == after:
        return Skip(_why(Reason.ALREADY_KNOWN, f"The refusal ({code}) is on record already.", leg, fact))
    if not may_move("leg", leg.status, LegStatus.REFUSED):
        sentence = f"This part of the payment is {leg.status}; a late refusal ({code}) changes nothing."
        return Skip(_why(Reason.ALREADY_KNOWN, sentence, leg, fact))
    effects = _failed(books, leg, after, now, new_id)
    kept = " Credits stay reserved for a retry." if any(isinstance(each, Timer) for each in effects) else ""
    effects += dunning.wake(legs.the_payment(books, leg), after, now)
    sentence = f"The provider refused {Money(leg.amount_minor, leg.currency)} ({code}). Nothing was charged.{kept}"
    return Act(_why(Reason.INTENT_REFUSED, sentence, leg, fact), effects)


def _failed(books: Books, leg: Leg, after: Leg, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Let a leg end without money. Credits that were to pay beside it stay reserved for a retry, for a time."""
    effects = (Change(leg, after), *legs.restate(with_changes(books, (after,)), leg.payment, now, new_id))
    if any(each.status is LegStatus.RESERVED for each in legs_of(books, leg.payment)):
        effects += (Timer("release-credits", leg.payment, books.customer.id, now + books.policy.credits_kept_for),)
    return (*effects, *invoicing.voided_at_last(with_changes(books, changes_of(effects)), leg.payment, now, new_id))


def _cancel(books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """The provider gave the payment up: a leg that waited for that may begin, else its credits go back."""
    if leg.status is LegStatus.CANCELED:
        return _skip(fact, Reason.ALREADY_KNOWN, f"Payment {fact.ref} is canceled, as we knew.", leg)
    after = replace(leg, status=LegStatus.CANCELED, action_url=None, action=None)
    books = with_changes(books, (after,))
    effects: tuple[Effect, ...] = (Change(leg, after),)
    effects += legs.after_cancel(books, leg.payment, now, new_id)
    effects += invoicing.voided_at_last(with_changes(books, changes_of(effects)), leg.payment, now, new_id)
    return Act(_why(Reason.INTENT_CANCELED, f"Payment {fact.ref} is canceled at the provider.", leg, fact), effects)


def _settle(books: Books, leg: Leg, fact: IntentFact, now: datetime, new_id: NewId) -> Decision:
    """The provider has the money: pay the invoices it was for, keep what is left over for the customer, ask if odd."""
    assert leg.account is not None
    late = leg.status in (LegStatus.REFUSED, LegStatus.CANCELED)
    received = fact.received.minor
    paid = legs.apply_to_invoices(books, replace(leg, means=fact.means), received, now)
    owed = sum(after.paid_minor - before.paid_minor for before, after in paid)
    waiting = _in_suspense(books, fact.ref)
    source = journal.suspense(fact.ref) if waiting else journal.clearing(leg.account)
    settled = replace(
        leg,
        status=LegStatus.SETTLED,
        received_minor=received,
        charge_ref=fact.charge_ref,
        means=fact.means,
        provider_ref=fact.ref,
        settled_at=now,
        action_url=None,
        action=None,
    )
    entry = journal.provider_leg_settled(settled, books.customer.id, Received(source, owed, received - owed), now)
    effects: tuple[Effect, ...] = (
        Post(entry),
        Change(leg, settled),
        *_fee(books, leg, fact, now),
        *legs.counted(settled, paid, now),
        *(answered_by_claim(books.cases, fact.ref, now) if waiting else ()),
    )
    effects += legs.stop_siblings(books, leg, now, new_id)
    effects += legs.settle_credits(with_changes(books, changes_of(effects)), leg.payment, now, new_id, releasing=True)
    odd = oddity(books, leg, received, owed)
    if odd:
        effects += _ask_once(books, odd[0], fact.ref, odd[1], now, new_id)
    reason = odd[0] if odd else Reason.LATE_SUCCESS if late else Reason.INTENT_SETTLED
    sentence = odd[1] if odd else _settled_sentence(fact, paid)
    return Act(_why(reason, sentence, leg, fact), effects)


def _settled_sentence(fact: IntentFact, paid: list[tuple[Invoice, Invoice]]) -> str:
    names = ", ".join(after.number or after.id for _, after in paid)
    return f"The provider collected {fact.received} for {names}."


def _fee(books: Books, leg: Leg, fact: IntentFact, now: datetime) -> tuple[Effect, ...]:
    """Book what the provider kept, once per balance transaction."""
    fee = fact.charge_fee
    if fee is None or fee.fee.minor <= 0 or fee.ref in books.charged or leg.account is None:
        return ()
    return (Post(journal.provider_fee(leg.account, fee, leg.id, now)),)


# --- shared ---


def _ordered(books: Books, leg: Leg, kind: type) -> bool:
    return any(each.subject == leg.id and isinstance(each.instruction, kind) for each in books.orders)


def _in_suspense(books: Books, ref: ProviderRef) -> bool:
    return any(held == ref and minor > 0 for held, minor in books.suspense)


def _ask_once(
    books: Books, question: Reason, subject: str, detail: str, now: datetime, new_id: NewId
) -> tuple[Effect, ...]:
    """Ask a person, unless the same was asked about the same before."""
    if (question, subject) in books.questions:
        return ()
    return (Change(None, Case(CaseId(new_id("case")), question, subject, detail, now, customer=books.customer.id)),)


def _why(reason: Reason, sentence: str, leg: Leg, fact: IntentFact | None) -> Why:
    about = (leg.id, leg.payment) if fact is None else (leg.id, leg.payment, fact.ref)
    return Why(RULE, reason, sentence, about, inputs_of(fact) if fact else {"leg_status": leg.status})


def _skip(fact: IntentFact, reason: Reason, sentence: str, leg: Leg | None = None) -> Skip:
    about = (leg.id, leg.payment, fact.ref) if leg else (fact.ref,)
    return Skip(Why(RULE, reason, sentence, about, inputs_of(fact)))


def inputs_of(fact: IntentFact) -> dict[str, str | int | bool | None]:
    """Give what a decision about a payment was made from, to be stored with it."""
    return {
        "intent": fact.ref,
        "status": fact.status,
        "amount_minor": fact.amount.minor,
        "received_minor": fact.received.minor,
        "currency": fact.amount.currency,
        "charge": fact.charge_ref,
        "refusal": (fact.refusal.decline_code or fact.refusal.code) if fact.refusal else None,
    }
