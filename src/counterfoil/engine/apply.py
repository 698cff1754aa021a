"""Writes a decision: its effects, the decision itself and the state of its news, in the caller's one transaction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from counterfoil.core.books import Case, Grant, Payment, Subject, Wallet
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import (
    Allocate,
    Change,
    Decision,
    Defer,
    Effect,
    Instruct,
    Notify,
    Observe,
    Park,
    Post,
    Timer,
    changes_of,
    effects_of,
    outcome_of,
)
from counterfoil.core.facts import Source
from counterfoil.core.ids import NewId
from counterfoil.core.lifecycle import CaseStatus, InboxStatus, OrderStatus, PaymentStatus
from counterfoil.core.orders import Order
from counterfoil.core.refunded import Refund
from counterfoil.core.watching import WATCH_TIMER
from counterfoil.engine import mail, papers
from counterfoil.engine.telling import tell
from counterfoil.engine.trace import describe
from counterfoil.store import auto_topups, cases, decisions, inbox, journal, subjects, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.decisions import Told
from counterfoil.store.inbox import News


@dataclass(frozen=True, slots=True)
class Applied:
    """A decision that was written. `id` is None while it waits; `payments` and so on: those that it changed."""

    id: str | None
    decision: Decision
    payments: tuple[Payment, ...]
    purchases: tuple[Purchase, ...] = ()
    refunds: tuple[Refund, ...] = ()


def apply(tx: Tx, news_id: str, decision: Decision, customer: str | None, now: datetime, new_id: NewId) -> Applied:
    """Write everything a decision says. All of it commits with the caller's transaction, or none of it."""
    if isinstance(decision, Defer):
        inbox.mark(tx, news_id, InboxStatus.WAITING, waiting_for=decision.why.reason, customer=customer)
        return Applied(None, decision, ())
    effects = effects_of(decision)
    identity = new_id("decision")
    for effect in effects:
        apply_effect(tx, effect, identity, now, new_id)
    tell(tx, [Told(new_id("event"), each, identity) for each in effects if isinstance(each, Notify)], now, new_id)
    wake_low(tx, {identity: effects}, now, new_id)
    papers.issue_invoices(tx, effects, now, new_id)
    mail.write(tx, [(identity, effects)], now, new_id)
    journal.post(tx, [each.entry for each in effects if isinstance(each, Post)], identity, now)
    decisions.put(tx, stored_form(identity, news_id, decision, customer, now))
    status = InboxStatus.PARKED if isinstance(decision, Park) else InboxStatus.DECIDED
    inbox.mark(tx, news_id, status, customer=customer)
    payments = {each.id: each for each in changes_of(effects) if isinstance(each, Payment)}
    purchases = {each.id: each for each in changes_of(effects) if isinstance(each, Purchase)}
    refunds = {each.id: each for each in changes_of(effects) if isinstance(each, Refund)}
    changed = (tuple(payments.values()), tuple(purchases.values()), tuple(refunds.values()))
    return Applied(identity, decision, *changed)


def apply_effect(tx: Tx, effect: Effect, decision: str, now: datetime, new_id: NewId) -> None:
    """Write one effect. Postings and events are written apart: one statement per entry, and for all events."""
    match effect:
        case Post() | Notify():
            pass
        case Change(before, after):
            subjects.save(tx, before, after)
            follow_change(tx, after, now)
        case Allocate(allocation):
            subjects.allocate(tx, allocation)
        case Instruct(order):
            subjects.save(tx, None, order)
            work.enqueue(tx, work.Queue.ORDER, order.id, now)
        case Observe():
            _observe(tx, effect, decision, now, new_id)
        case Timer():
            _set_timer(tx, effect, now, new_id)
        case _:
            assert_never(effect)


def follow_change(tx: Tx, after: Subject, now: datetime) -> None:
    """Do what a subject's new state asks for: an order that was queued (again) is due, an answered question is over."""
    if isinstance(after, Order) and after.status is OrderStatus.QUEUED:
        work.enqueue(tx, work.Queue.ORDER, after.id, now)
    if isinstance(after, Payment) and after.status is PaymentStatus.SUCCEEDED:
        work.enqueue(tx, work.Queue.RECEIPT, after.id, now)
    if isinstance(after, Case) and after.status is CaseStatus.RESOLVED:
        cases.release_news(tx, after.id)


def wake_low(tx: Tx, made: Mapping[str, Iterable[Effect]], now: datetime, new_id: NewId) -> None:
    """Wake the auto top-ups of wallets that these decisions left with less than they watch for."""
    lowered = {wallet: cause for cause, effects in made.items() for wallet in _lowered(effects)}
    if lowered:
        wake(tx, auto_topups.low(tx, lowered, now), max(lowered.values()), now, new_id)


def _lowered(effects: Iterable[Effect]) -> Iterator[str]:
    """Give the wallets of which less can be spent than before, or that may be spent from again."""
    for effect in effects:
        match effect:
            case Change(Grant() as before, Grant() as after) if after.free < before.free:
                yield after.wallet
            case Change(Wallet() as before, Wallet() as after) if after.debt > before.debt:
                yield after.id
            case Change(Wallet() as before, Wallet() as after) if after.moves > before.moves:
                yield after.id


def wake(tx: Tx, topups: Iterable[Row], cause: str, now: datetime, new_id: NewId) -> None:
    """Have auto top-ups looked at, each once per cause."""
    for each in topups:
        news = News(
            id=new_id("inbox"),
            source=Source.TIMER,
            kind=WATCH_TIMER,
            identity=f"low:{each['id']}:{cause}",
            occurred_at=now,
            received_at=now,
            subject_kind=WATCH_TIMER,
            subject_ref=each["id"],
            customer=each["customer"],
        )
        enqueue_news(tx, news, now)


LOOKED_AT: Final = ".looked_at"
"""How the kind of a look of our own ends, after the kind of the object."""


def _observe(tx: Tx, effect: Observe, cause: str, now: datetime, new_id: NewId) -> None:
    news = News(
        id=new_id("inbox"),
        source=Source.POLL,
        kind=f"{effect.kind}{LOOKED_AT}",
        identity=f"poll:{effect.account}:{effect.ref}:{cause}",
        occurred_at=now,
        received_at=now,
        account=effect.account,
        subject_kind=effect.kind,
        subject_ref=effect.ref,
    )
    enqueue_news(tx, news, effect.due_at)


def _set_timer(tx: Tx, effect: Timer, now: datetime, new_id: NewId) -> None:
    news = News(
        id=new_id("inbox"),
        source=Source.TIMER,
        kind=effect.kind,
        identity=f"timer:{effect.kind}:{effect.subject}:{effect.due_at.isoformat()}{effect.nth and f':{effect.nth}'}",
        occurred_at=effect.due_at,
        received_at=now,
        subject_kind=effect.kind,
        subject_ref=effect.subject,
        customer=effect.customer,
    )
    enqueue_news(tx, news, effect.due_at)


def enqueue_news(tx: Tx, news: News, due_at: datetime) -> tuple[str, bool]:
    """Put news into the inbox and make it due, unless it is there already."""
    identity, new = inbox.put(tx, news)
    if new:
        work.enqueue(tx, work.Queue.INBOX, identity, due_at)
    return identity, new


def stored_form(
    identity: str, news_id: str, decision: Decision, customer: str | None, now: datetime
) -> decisions.StoredDecision:
    """Give a decision as it is stored: with its effects in words, and every subject that it is about."""
    effects = effects_of(decision)
    about = {*decision.why.about, *(each for effect in effects for each in subjects_of(effect))}
    if customer:
        about.add(customer)
    return decisions.StoredDecision(
        id=identity,
        inbox=news_id,
        outcome=outcome_of(decision),
        why=decision.why,
        customer=customer,
        about=tuple(sorted(about)),
        effects=[described for effect in effects for described in describe(effect)],
        decided_at=now,
    )


def subjects_of(effect: Effect) -> tuple[str, ...]:
    """Give the ids of the subjects that an effect touches."""
    match effect:
        case Post(entry):
            return (entry.subject,)
        case Change(_, after):
            return (after.id,)
        case Allocate(allocation):
            return (allocation.leg, allocation.invoice)
        case Instruct(order):
            return (order.id, order.subject)
        case Notify():
            return (effect.subject,)
        case Observe():
            return (effect.ref,)
        case Timer():
            return (effect.subject,)
        case _:
            assert_never(effect)
