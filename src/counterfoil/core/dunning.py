"""After a refusal: who is told what, and when it is tried again. For invoices of our own; the provider has its own way.

Nothing here remembers anything: how often it was tried is how many legs were refused, and a timer that wakes twice,
late or for something that is over finds that in the books. A try that needs the customer is never made without them.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import launch
from counterfoil.core.books import (
    Books,
    Confirmation,
    Invoice,
    Leg,
    LegKind,
    Method,
    Payment,
    allocations_of,
    default_method,
    invoice_of,
    legs_of,
    payment_of,
)
from counterfoil.core.bought import Collector
from counterfoil.core.declines import DeclineClass, class_of, may_repeat
from counterfoil.core.dunning_terms import DunningPolicy, LastStep
from counterfoil.core.effects import Act, Decision, Effect, Notify, Reason, Refuse, Skip, Timer, Why
from counterfoil.core.facts import ActionKind
from counterfoil.core.ids import InvoiceId, NewId, PaymentId
from counterfoil.core.invoicing import decide_write_off
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus
from counterfoil.core.money import Money

RULE: Final = "dun@1"
TELL_TIMER: Final = "tell-customer"
"""Wakes at once, when a leg was refused or waits for the customer."""
RETRY_TIMER: Final = "retry-payment"
"""Wakes when the schedule tries again."""
LAST_DAYS: Final = timedelta(days=3)
"""How long the customer has after the last refused try, before the last step is taken."""
PAUSED_FOR: Final = timedelta(hours=6)
"""How long a try waits that a person keeps back, before it is looked at again."""
OWING: Final = frozenset({InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE})


def wake(payment: Payment, leg: Leg, now: datetime) -> tuple[Effect, ...]:
    """Have the customer told of what became of a leg. Whoever confirms it in a browser knows already."""
    is_there = payment.confirmation is not Confirmation.SERVER and leg.action is not ActionKind.VERIFY_BANK
    if is_there or leg.status not in (LegStatus.REFUSED, LegStatus.REQUIRES_ACTION):
        return ()
    return (Timer(TELL_TIMER, payment.id, payment.customer, now, f"{leg.id}:{leg.status}"),)


# --- telling ---


def decide_tell(books: Books, payment: PaymentId, policy: DunningPolicy, now: datetime) -> Decision:
    """Tell the customer that a payment was refused, or waits for them: once per leg, and never once it is paid."""
    held = payment_of(books, payment)
    over = _over(books, held)
    if held is None or over:
        return Skip(Why(RULE, Reason.TIMER_OBSOLETE, over or f"There is no payment {payment}.", (payment,)))
    leg = _newest(books, held)
    match leg.status if leg else None:
        case LegStatus.REQUIRES_ACTION if leg:
            return _ask(books, held, leg)
        case LegStatus.REFUSED if leg:
            return _tell_refusal(books, held, leg, policy, now)
        case _:
            return Skip(
                Why(RULE, Reason.TIMER_OBSOLETE, "The payment has moved on; there is nothing to tell.", (payment,))
            )


def _over(books: Books, payment: Payment | None) -> str | None:
    """Say why nobody is dunned for a payment, None when somebody is."""
    if payment is None:
        return None
    owing = _owing(books, payment)
    if not owing:
        return "Nothing is owed any more, so nobody is told of what failed before."
    sold = {each.purchase for each in books.lines if each.invoice in {one.id for one in owing}}
    if any(each.auto_topup for each in books.purchases if each.id in sold):
        return "It buys credits again by itself; its auto top-up tries and tells on its own schedule."
    if any(each.collector is Collector.PROVIDER for each in owing):
        return "The provider collects this invoice and tries it again itself."
    return None


def _ask(books: Books, payment: Payment, leg: Leg) -> Decision:
    is_bank = leg.action is ActionKind.VERIFY_BANK
    word = "verify_bank" if is_bank else "confirm"
    asked = "verify the bank account" if is_bank else "confirm the payment"
    told = Notify(
        f"payment.{word}:{leg.id}", f"payment.{word}", payment.customer, payment.id, _data(books, payment, leg)
    )
    sentence = f"The customer is asked to {asked}; nothing is tried without them."
    return Act(Why(RULE, Reason.CUSTOMER_ASKED, sentence, (payment.id, leg.id)), (told,))


def _tell_refusal(books: Books, payment: Payment, leg: Leg, policy: DunningPolicy, now: datetime) -> Decision:
    found = class_of(leg.refusal_code)
    again_at = policy.next_try(_tries(books, payment), _first_at(books, payment), now)
    data: dict[str, str | int] = {
        **_data(books, payment, leg),
        "code": leg.refusal_code or "",
        "class": found,
        "next": _next(books, leg, found, again_at),
    }
    if again_at:
        data |= {"retry_at": again_at.isoformat()}
    wakes_at = again_at or now + LAST_DAYS
    effects = (Timer(RETRY_TIMER, payment.id, payment.customer, wakes_at, str(leg.id)),)
    told = Notify(f"payment.failed:{leg.id}", "payment.failed", payment.customer, payment.id, data)
    tail = f"it is tried again at {again_at:%Y-%m-%d %H:%M} UTC" if again_at else "it is not tried again by itself"
    sentence = (
        f"The customer is told that {Money(leg.amount_minor, leg.currency)} was refused ({leg.refusal_code}); {tail}."
    )
    why = Why(RULE, Reason.CUSTOMER_ASKED, sentence, (payment.id, leg.id), {"class": found, "policy": policy.version})
    return Act(why, (told, *effects))


def _next(books: Books, leg: Leg, found: DeclineClass, again_at: datetime | None) -> str:
    """Say what follows, in the word that the letter's texts are keyed by."""
    if again_at is None:
        return "last"
    if may_repeat(found) or _other_method(books, leg):
        return "retry"
    return "customer" if found is DeclineClass.AUTHENTICATE else "retry_elsewhere"


def _data(books: Books, payment: Payment, leg: Leg) -> dict[str, str | int]:
    return {
        "invoice": _owing(books, payment)[0].id,
        "payment": payment.id,
        "leg": leg.id,
        "amount_minor": leg.amount_minor,
        "currency": leg.currency,
    }


# --- trying again ---


def decide_retry(books: Books, payment: PaymentId, policy: DunningPolicy, now: datetime, new_id: NewId) -> Decision:
    """Try a refused payment again, as its schedule says.

    Nobody is charged for what is paid, and no card that said no for good or that wants to see its owner.
    """
    held = payment_of(books, payment)
    over = _over(books, held)
    leg = _newest(books, held) if held else None
    if held is None or over or leg is None or leg.status is not LegStatus.REFUSED:
        sentence = over or "The payment has moved on since; it is not tried again."
        return Skip(Why(RULE, Reason.TIMER_OBSOLETE, sentence, (payment,)))
    if books.customer.paused:
        later = Timer(RETRY_TIMER, payment, held.customer, now + PAUSED_FOR, f"{leg.id}:paused")
        sentence = "A person paused this customer; the payment is not tried again before they go on."
        return Act(Why(RULE, Reason.CUSTOMER_PAUSED, sentence, (payment,)), (later,))
    if _tries(books, held) >= len(policy.hours):
        return _last_step(books, held, leg, policy, now, new_id)
    if not may_repeat(class_of(leg.refusal_code)) and not _other_method(books, leg):
        return _skip_slot(books, held, leg, policy, now, new_id)
    begun = launch.decide_launch(books, Launch(_invoices(books, held)), now, new_id)
    if isinstance(begun, Refuse):
        return Skip(replace(begun.why, about=(*begun.why.about, payment)))
    return begun


def _skip_slot(
    books: Books, payment: Payment, leg: Leg, policy: DunningPolicy, now: datetime, new_id: NewId
) -> Decision:
    """There is still nothing that may be charged: wait for the next slot, or take the last step."""
    again_at = policy.next_try(_tries(books, payment), _first_at(books, payment), now)
    if again_at:
        later = Timer(RETRY_TIMER, payment.id, payment.customer, again_at, str(leg.id))
        sentence = f"No other payment method was saved since; it is looked at again at {again_at:%Y-%m-%d %H:%M} UTC."
        return Act(Why(RULE, Reason.NO_PAYMENT_METHOD, sentence, (payment.id,)), (later,))
    return _last_step(books, payment, leg, policy, now, new_id)


def _last_step(
    books: Books, payment: Payment, leg: Leg, policy: DunningPolicy, now: datetime, new_id: NewId
) -> Decision:
    """The schedule is over: the invoice stays open, for the customer or a person, or its debt is given up."""
    invoice = _owing(books, payment)[0]
    if policy.then is LastStep.UNCOLLECTIBLE and invoice.status is InvoiceStatus.OPEN:
        return decide_write_off(books, invoice.id, now, new_id)
    sentence = f"The schedule is over and {invoice.due} is still owed; the invoice stays open."
    return Skip(Why(RULE, Reason.SCHEDULE_OVER, sentence, (payment.id, invoice.id, leg.id)))


# --- shared ---


def _owing(books: Books, payment: Payment) -> tuple[Invoice, ...]:
    found = (invoice_of(books, each) for each in _invoices(books, payment))
    return tuple(each for each in found if each and each.status in OWING and each.due_minor > 0)


def _invoices(books: Books, payment: Payment) -> tuple[InvoiceId, ...]:
    """Give what a payment collects, each invoice once, in the order of its legs."""
    ids = (each.invoice for leg in legs_of(books, payment.id) for each in allocations_of(books, leg.id))
    return tuple(dict.fromkeys(ids))


def _collectors(books: Books, payment: Payment) -> tuple[Leg, ...]:
    return tuple(each for each in legs_of(books, payment.id) if each.kind is LegKind.PROVIDER)


def _newest(books: Books, payment: Payment) -> Leg | None:
    """Give the leg that the provider collects now, or did last."""
    return next(iter(reversed(_collectors(books, payment))), None)


def _tries(books: Books, payment: Payment) -> int:
    """Count the tries of a payment: one leg each, however often its refusal was told."""
    return len(_collectors(books, payment))


def _first_at(books: Books, payment: Payment) -> datetime:
    return min(each.created_at for each in _collectors(books, payment))


def _other_method(books: Books, leg: Leg) -> Method | None:
    """Give the method that would be charged now, where it is another one than that which was refused."""
    chosen = default_method(books)
    return chosen if chosen and chosen.id != leg.method else None
