"""Finds whose news it is, reads those books under lock, and asks the rules of core."""

from dataclasses import dataclass
from datetime import datetime

from counterfoil.core import customers, invoicing, launch, settlement, strangers, wallets
from counterfoil.core.books import Books
from counterfoil.core.effects import Decision, Reason, Skip, Why
from counterfoil.core.facts import (
    LEG_MARK,
    CustomerFact,
    Fact,
    IntentFact,
    MethodFact,
    MissingFact,
    Notice,
    SessionFact,
    Source,
    UnreadableFact,
)
from counterfoil.core.ids import AccountId, CustomerId, GrantId, InvoiceId, NewId, PaymentId, ProviderRef
from counterfoil.core.strangers import Held, Hint
from counterfoil.engine.apply import LOOKED_AT
from counterfoil.engine.load import Scope, load_books
from counterfoil.store import journal, subjects
from counterfoil.store.database import Row, Tx

FETCHED = frozenset({"payment_intent", "checkout.session", "customer", "payment_method"})
"""Kinds of provider objects whose current state is fetched before deciding. News of other kinds needs no look."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision and the customer whose books it is about, None when it is nobody's."""

    decision: Decision
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of a decision and the source of new ids: all that a rule gets besides values."""

    now: datetime
    new_id: NewId


def decide_news(tx: Tx, row: Row, fact: Fact | None, moment: Moment) -> Ruling:
    """Decide one inbox row. `fact` is what the fetch saw, None when the row's kind is not fetched."""
    if row["source"] == Source.TIMER:
        return _timer(tx, row, moment)
    match fact:
        case IntentFact():
            return _intent(tx, row, fact, moment)
        case CustomerFact():
            return _customer(tx, row, fact)
        case MethodFact():
            return _method(tx, row, fact, moment)
        case SessionFact():
            sentence = f"Checkout {fact.ref} is {fact.status} and has no payment yet; nothing is owed through it."
            return Ruling(Skip(Why(settlement.RULE, Reason.SESSION_WITHOUT_PAYMENT, sentence, (fact.ref,))))
        case MissingFact():
            hint, customer = _hint(tx, row)
            return Ruling(strangers.decide_missing(hint, moment.now, moment.new_id), customer)
        case UnreadableFact(why=why):
            hint, customer = _hint(tx, row)
            return Ruling(strangers.decide_unreadable(hint, why, moment.now, moment.new_id), customer)
        case None:
            hint, customer = _hint(tx, row)
            return Ruling(strangers.decide_without_fact(hint, moment.now, moment.new_id), customer)


def _hint(tx: Tx, row: Row) -> tuple[Hint, str | None]:
    leg = subjects.leg_of_ref(tx, row["account"], [row["subject_ref"]]) if row["account"] else None
    ours = (leg["id"], leg["payment"]) if leg else ()
    ref = ProviderRef(row["subject_ref"] or row["id"])
    customer = leg["customer"] if leg else _named(tx, row)
    hint = Hint(row["kind"], row["subject_kind"] or "", ref, ours, looks=row["attempts"], customer=customer)
    return hint, customer


def _named(tx: Tx, row: Row) -> CustomerId | None:
    """Find our customer by the provider's that a notice names."""
    named = row["detail"].customer_ref if isinstance(row["detail"], Notice) else None
    found = subjects.customer_of_ref(tx, row["account"], named) if named else None
    return CustomerId(found) if found else None


# --- payments ---


def _intent(tx: Tx, row: Row, fact: IntentFact, moment: Moment) -> Ruling:
    account = row["account"]
    refs = [ref for ref in (fact.ref, fact.session_ref) if ref]
    leg = subjects.leg_of_ref(tx, account, refs)
    marked = fact.metadata.get(LEG_MARK)
    if leg is None and marked:
        leg = subjects.leg_of_mark(tx, account, marked)
    if leg is None:
        held = _held(tx, row, fact)
        occurred_at = row["occurred_at"]
        decision = strangers.decide_stranger(AccountId(account), fact, held, occurred_at, moment.now, moment.new_id)
        return Ruling(decision, held.customer)
    books = books_for_intent(tx, leg["customer"], leg["payment"], fact)
    return Ruling(settlement.decide_intent(books, fact, moment.now, moment.new_id), leg["customer"])


def _held(tx: Tx, row: Row, fact: IntentFact) -> Held:
    money = any(minor > 0 for _, minor in journal.suspense_of(tx, [fact.ref]))
    fee = bool(fact.charge_fee and journal.booked(tx, [f"fee:{fact.charge_fee.ref}"]))
    # A look of our own is the second one, after the checkouts were looked at.
    ours = row["kind"].endswith(LOOKED_AT)
    checkouts = () if ours else subjects.claimed_checkouts(tx, row["account"], fact.received, fact.customer_ref)
    customer = subjects.customer_of_ref(tx, row["account"], fact.customer_ref) if fact.customer_ref else None
    return Held(money, fee, checkouts, CustomerId(customer) if customer else None)


def books_for_intent(tx: Tx, customer: str, payment: str, fact: Fact | None) -> Books:
    """Read the books that a payment's news may touch."""
    books = load_books(tx, customer, scope_of_intent(payment, fact))
    assert books is not None, "a leg whose customer is gone"
    return books


def scope_of_intent(payment: str, fact: Fact | None) -> Scope:
    """Say what of a customer's books a payment's news may touch."""
    refs = tuple(str(ref) for ref in (fact.ref,) if ref) if fact else ()
    fees = (str(fact.charge_fee.ref),) if isinstance(fact, IntentFact) and fact.charge_fee else ()
    return Scope(payments=(payment,), refs=refs, fees=fees)


# --- customers and methods ---


def _customer(tx: Tx, row: Row, fact: CustomerFact) -> Ruling:
    held = subjects.customer_of_ref(tx, row["account"], fact.ref)
    books = load_books(tx, held, Scope()) if held else None
    if books is None:
        return Ruling(_unknown_customer(fact.ref))
    return Ruling(customers.decide_customer_fact(books, fact), held)


def _method(tx: Tx, row: Row, fact: MethodFact, moment: Moment) -> Ruling:
    owner = subjects.customer_of_method(tx, row["account"], fact.ref)
    if owner is None and fact.customer_ref:
        owner = subjects.customer_of_ref(tx, row["account"], fact.customer_ref)
    books = load_books(tx, owner, Scope()) if owner else None
    if books is None:
        return Ruling(_unknown_customer(fact.ref))
    wanted = subjects.method_asked_for(tx, books.customer.id, fact.ref)
    return Ruling(customers.decide_method_fact(books, fact, moment.now, moment.new_id, wanted=wanted), owner)


def _unknown_customer(ref: ProviderRef) -> Skip:
    sentence = f"{ref} belongs to no customer on our books; it is kept on record."
    return Skip(Why(customers.PROVIDER_CUSTOMER, Reason.UNKNOWN_CUSTOMER, sentence, (ref,)))


# --- timers ---


def _timer(tx: Tx, row: Row, moment: Moment) -> Ruling:
    customer, subject = row["customer"], row["subject_ref"]
    match row["kind"]:
        case "collect":
            books = load_books(tx, customer, Scope(invoices=(subject,)))
            assert books is not None
            return Ruling(launch.decide_due(books, InvoiceId(subject), moment.now, moment.new_id), customer)
        case "release-credits":
            books = load_books(tx, customer, Scope(payments=(subject,)))
            assert books is not None
            return Ruling(invoicing.decide_release(books, PaymentId(subject), moment.now, moment.new_id), customer)
        case wallets.END_TIMER:
            books = load_books(tx, customer, Scope(grants=(subject,)))
            assert books is not None
            return Ruling(wallets.decide_end_lot(books, GrantId(subject), moment.now), customer)
        case wallets.BEGIN_TIMER:
            books = load_books(tx, customer, Scope(grants=(subject,)))
            assert books is not None
            return Ruling(wallets.decide_begin_lot(books, GrantId(subject), moment.now), customer)
        case kind:
            raise AssertionError(f"no rule wakes for {kind}")
