"""The flow of an order: take it, call the provider under its key, record the outcome as news and decide it.

    Take ─→ [Ask] ─→ Send ─→ Record
                       └─→ Look ─→ Record (a replay's reply may be old, and a provider's invoice decides itself what a
                                           step made of it: the object is looked at instead)

Orders leave only after the commit that made them, and only through the gates: an account in `observe` mode and a paused
tenant, account or customer keep them queued.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from counterfoil.core.books import Books
from counterfoil.core.facts import (
    Done,
    Fact,
    IntentFact,
    MissingFact,
    Outcome,
    ProviderInvoiceFact,
    Refused,
    Source,
    Unfinished,
    Unknown,
)
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.orders import (
    CancelIntent,
    CancelSetup,
    ConfirmIntent,
    CreateCustomer,
    CreateIntent,
    CreateInvoice,
    CreateRefund,
    DeleteDraft,
    ExpireCheckout,
    OnInvoice,
    Order,
    PayInvoice,
    SetDefaultMethod,
    UpdateCustomer,
    confirmed_by,
    handle_of,
    is_sure,
    must_ask_first,
    next_try,
)
from counterfoil.core.replies import decide_reply
from counterfoil.engine.answers import fix_answers
from counterfoil.engine.apply import apply
from counterfoil.engine.decide import Moment, books_for_intent, books_for_invoice
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.notices import backoff, report, status_of
from counterfoil.engine.phases import Phase
from counterfoil.providers.port import ProviderUnavailable, Refs
from counterfoil.store import accounts, inbox, outbox, subjects, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import News, Observation
from counterfoil.store.work import Claim

GATE_PAUSE = timedelta(seconds=5)
"""How long a gated order waits before the gates are asked again."""
NOT_READY_PAUSE = timedelta(milliseconds=250)
"""How long an order waits at first for its customer to be made at the provider."""
NOT_READY_DOUBLINGS = 5
"""How often that pause doubles: up to 8 s, while the provider is slow or away."""


@dataclass(frozen=True, slots=True)
class Take:
    """Pass the gates, resolve what the order's ids are called at the provider, and mark it sent before it is."""

    claim: Claim
    name = "take"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._take(tx, house))

    def _take(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        order = subjects.order_by_id(tx, self.claim.id, lock=True)
        if order is None or not order.open:
            work.finish(tx, self.claim)
            return None
        refs = _refs(tx, order)
        if refs is None or _gated(tx, house, order):
            pause = GATE_PAUSE if refs else NOT_READY_PAUSE * 2 ** min(self.claim.attempts - 1, NOT_READY_DOUBLINGS)
            work.postpone(tx, self.claim, house.clock.now() + pause)
            return None
        now = house.clock.now()
        if must_ask_first(order, now):
            return Ask(self.claim, order, refs, _number(tx, order))
        fresh = order.sent_at is None or order.status is OrderStatus.QUEUED
        if isinstance(order.instruction, UpdateCustomer) and order.sent_at:
            # Name and e-mail may have changed since, and the provider takes no other values under the same key.
            sent, replayed = replace(next_try(order), sent_at=now), False
        else:
            sent_at, replayed = now if fresh else order.sent_at, not fresh
            sent = replace(order, status=OrderStatus.SENT, sent_at=sent_at, why=None)
        subjects.save(tx, order, sent)
        return Send(self.claim, sent, refs, _number(tx, sent), replayed)


def _number(tx: Tx, order: Order) -> int:
    """Take the number of the look that the reply will be, 0 when it is not read as one: what was to be closed is."""
    if isinstance(order.instruction, ExpireCheckout | CancelSetup):
        return 0
    handle = handle_of(order.instruction)
    return inbox.number_observation(tx, order.account, *handle) if handle else 0


def _gated(tx: Tx, house: House, order: Order) -> bool:
    """Say whether a person or a mode keeps this order back."""
    tenant, account = accounts.tenant(tx), accounts.account(tx, house.box, order.account)
    customer = subjects.customer(tx, order.customer)
    if tenant is None or account is None or customer is None:
        raise AssertionError("an order without its account or customer")
    return tenant.paused or account.paused or account.mode != "live" or customer.paused


def _refs(tx: Tx, order: Order) -> Refs | None:
    """Resolve our ids to the provider's. None while the customer or the method is not there yet."""
    customer = subjects.customer(tx, order.customer)
    person = accounts.person(tx, order.customer)
    assert customer is not None, "an order without its customer"
    refs = Refs(
        customer_ref=customer.provider_ref,
        email=person["email"] if person else None,
        name=person["name"] if person else None,
    )
    match order.instruction:
        case CreateCustomer():
            return refs
        case UpdateCustomer() if outbox.has_open_before(tx, order):
            return None  # of two that are under way at once, the older values could arrive last
        case CreateIntent(method=method) if method:
            refs = replace(refs, method_ref=subjects.method_ref(tx, method))
        case ConfirmIntent(method=method) | PayInvoice(method=method) | SetDefaultMethod(method=method):
            refs = replace(refs, method_ref=subjects.method_ref(tx, method))
        case _:
            pass
    is_named = isinstance(order.instruction, CancelIntent | ExpireCheckout | CancelSetup | CreateRefund)
    return refs if refs.customer_ref or is_named else None


@dataclass(frozen=True, slots=True)
class Ask:
    """Look whether an order whose reply can't be had any more took effect, before it may be tried afresh."""

    claim: Claim
    order: Order
    refs: Refs
    number: int
    name = "ask"

    def run(self, house: House) -> Phase | None:
        """One provider call."""
        try:
            fact = self._evidence(house)
        except ProviderUnavailable as error:
            return Postpone(self.claim, str(error))
        if fact is not None:
            return Record(self.claim, self.order, Done(fact), self.number)
        if not is_sure(self.order, house.clock.now()):
            # A list may lag behind what was made, and the call itself may still be on its way.
            return Postpone(self.claim, "nothing was found yet")
        return TryAgain(self.claim, self.order)

    def _evidence(self, house: House) -> Fact | None:
        provider = house.provider(self.claim.tenant, self.order.account)
        handle = handle_of(self.order.instruction)
        if handle:
            fact = provider.fetch(*handle)
            return fact if confirmed_by(self.order, fact) else None
        return provider.find(self.order, self.refs)


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Give the order a fresh key: there is evidence that the try before had no effect."""

    claim: Claim
    order: Order
    name = "try_again"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._renew(tx, house))

    def _renew(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        order = subjects.order_by_id(tx, self.order.id, lock=True)
        refs = _refs(tx, order) if order else None
        if order is None or refs is None or not order.open or order.try_no != self.order.try_no:
            work.postpone(tx, self.claim, house.clock.now())
            return None
        renewed = replace(next_try(order), sent_at=house.clock.now())
        subjects.save(tx, order, renewed)
        return Send(self.claim, renewed, refs, _number(tx, renewed), replayed=False)


@dataclass(frozen=True, slots=True)
class Send:
    """Call the provider."""

    claim: Claim
    order: Order
    refs: Refs
    number: int
    replayed: bool
    name = "send"

    def run(self, house: House) -> Phase | None:
        """One provider call."""
        outcome = house.provider(self.claim.tenant, self.order.account).execute(self.order, self.refs)
        if self.replayed and isinstance(outcome, Unfinished):
            # "Busy" after a lost reply says nothing about what the lost one did.
            return Record(self.claim, self.order, Unknown(outcome.why), self.number)
        must_look = self.replayed or isinstance(self.order.instruction, OnInvoice)
        if must_look and self.number and isinstance(outcome, Done | Refused):
            return Look(self.claim, self.order, outcome)
        return Record(self.claim, self.order, outcome, self.number)


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the object itself: a replayed reply is the first one's, and may be older than what we know.

    After every step of a provider's invoice, too: what it is now decides, never what the step was to make of it.
    """

    claim: Claim
    order: Order
    outcome: Done | Refused
    name = "look"

    def run(self, house: House) -> Phase | None:
        """One transaction for the number, then one provider call."""
        handle = handle_of(self.order.instruction)
        assert handle is not None, "a look at nothing"
        number = house.transact(self.claim.tenant, lambda tx: inbox.number_observation(tx, self.order.account, *handle))
        try:
            fact = house.provider(self.claim.tenant, self.order.account).fetch(*handle)
        except ProviderUnavailable:
            return Record(self.claim, self.order, Unknown("no_reply"), 0)
        if not isinstance(fact, IntentFact | ProviderInvoiceFact) and not self._is_gone(fact):
            return Record(self.claim, self.order, Unknown("no_reply"), 0)
        return Record(self.claim, self.order, replace(self.outcome, fact=fact), number)

    def _is_gone(self, fact: Fact) -> bool:
        """Say whether an invoice is surely missing: it was to be dropped, or a step was refused because it was."""
        is_over = isinstance(self.order.instruction, DeleteDraft) or isinstance(self.outcome, Refused)
        return isinstance(self.order.instruction, OnInvoice) and is_over and isinstance(fact, MissingFact)


@dataclass(frozen=True, slots=True)
class Postpone:
    """Give the order back until later."""

    claim: Claim
    why: str
    name = "postpone"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._postpone(tx, house))
        return None

    def _postpone(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        work.postpone(tx, self.claim, house.clock.now() + backoff(house, self.claim.attempts))


@dataclass(frozen=True, slots=True)
class Record:
    """Store the outcome as news and decide it: the order moves with what it was about, in one transaction."""

    claim: Claim
    order: Order
    outcome: Outcome
    number: int
    name = "record"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        # Made before it, so that doing it again finds its own row, and no other attempt does.
        identity = house.new_id("inbox")
        house.transact(self.claim.tenant, lambda tx: self._record(tx, house, identity))
        return None

    def _record(self, tx: Tx, house: House, identity: str) -> None:
        work.fence(tx, self.claim)
        moment = Moment(house.clock.now(), house.new_id)
        row = self._news(tx, identity, moment)
        if row["status"] in ("decided", "parked"):
            self._leave_queue(tx, house)
            return
        # The object's row is locked before the customer's, as a decision about news does it.
        stale = self._stale(tx)
        books = self._books(tx)
        assert books is not None, "an order without its customer"
        order = subjects.order_by_id(tx, self.order.id, lock=True)
        assert order is not None
        decision = decide_reply(books, order, self.outcome, moment.now, moment.new_id, stale=stale)
        applied = apply(tx, row["id"], decision, self.order.customer, moment.now, house.new_id)
        if not stale:
            self._remember(tx, moment)
        fix_answers(tx, applied)
        self._leave_queue(tx, house)
        report(row, applied)

    def _news(self, tx: Tx, identity: str, moment: Moment) -> Row:
        verb = type(self.order.instruction).__name__
        news = News(
            id=identity,
            source=Source.REPLY,
            kind=f"{verb}.{type(self.outcome).__name__.lower()}",
            identity=f"reply:{self.order.id}:{identity}",
            occurred_at=moment.now,
            received_at=moment.now,
            account=self.order.account,
            subject_kind="order",
            subject_ref=self.order.id,
            customer=self.order.customer,
            detail=self.outcome,
        )
        stored, _ = inbox.put(tx, news)
        row = inbox.get(tx, stored, lock=True)
        assert row is not None
        return row

    def _books(self, tx: Tx) -> Books | None:
        fact = getattr(self.outcome, "fact", None)
        if isinstance(self.order.instruction, CreateInvoice | OnInvoice):
            return books_for_invoice(tx, self.order.customer, self.order.subject, fact)
        if self.order.subject.startswith("order_"):
            return load_books(tx, self.order.customer, Scope(sales_orders=(self.order.subject,)))
        if isinstance(self.order.instruction, CreateRefund):
            payment = subjects.payment_of_leg(tx, self.order.instruction.leg)
            return load_books(tx, self.order.customer, Scope(payments=(str(payment),), refunds=True))
        payment = subjects.payment_of_leg(tx, self.order.subject)
        if payment is None:
            return load_books(tx, self.order.customer, Scope())
        return books_for_intent(tx, self.order.customer, payment, fact)

    def _stale(self, tx: Tx) -> bool:
        """Say whether a newer look at the object was applied while this call was under way."""
        fact = getattr(self.outcome, "fact", None)
        return bool(self.number and fact and self.number <= inbox.applied_observation(tx, self.order.account, fact.ref))

    def _remember(self, tx: Tx, moment: Moment) -> None:
        fact = getattr(self.outcome, "fact", None)
        handle = handle_of(self.order.instruction)
        if fact is not None and handle and self.number:
            seen = Observation(self.order.account, handle[0], fact.ref, self.number, *status_of(fact))
            inbox.apply_observation(tx, seen, moment.now)

    def _leave_queue(self, tx: Tx, house: House) -> None:
        order = subjects.order_by_id(tx, self.order.id)
        if order is None or not order.open:
            work.finish(tx, self.claim)
            return
        pause = backoff(house, self.claim.attempts)
        asked = timedelta(seconds=getattr(self.outcome, "after_s", 0))
        work.postpone(tx, self.claim, house.clock.now() + max(pause, asked))
