"""Finds whose news it is, reads those books under lock, and asks the rules of core."""

from dataclasses import dataclass
from datetime import datetime

from counterfoil.core import (
    alerts,
    buying,
    checkouts,
    checks,
    customers,
    dunning,
    gathering,
    given_up,
    invoicing,
    launch,
    mapping,
    money_back,
    provider_balances,
    provider_invoices,
    settlement,
    setups,
    strangers,
    wallets,
    watching,
)
from counterfoil.core.books import Books
from counterfoil.core.disputes import Terms
from counterfoil.core.effects import Decision, Reason, Skip, Why
from counterfoil.core.facts import (
    INVOICE_MARK,
    LEG_MARK,
    ORDER_MARK,
    BalanceFact,
    ChangedFact,
    CustomerFact,
    Fact,
    IntentFact,
    MarkedFact,
    MethodFact,
    MissingFact,
    MoneyBackFact,
    Notice,
    PayoutFact,
    ProviderInvoiceFact,
    RefundFact,
    SessionFact,
    SetupFact,
    Source,
    UnreadableFact,
)
from counterfoil.core.ids import (
    AccountId,
    CustomerId,
    GrantId,
    InvoiceId,
    LegId,
    NewId,
    PaymentId,
    ProviderRef,
    PurchaseId,
    WalletId,
    noun_of,
)
from counterfoil.core.journal import provider_balance
from counterfoil.core.papers import PaperKind
from counterfoil.core.strangers import Held, Hint
from counterfoil.engine import topping_up
from counterfoil.engine.apply import LOOKED_AT
from counterfoil.engine.load import Scope, load_books
from counterfoil.store import (
    catalogue,
    dunning_policies,
    journal,
    mappings,
    mirrors,
    numbers,
    refunds,
    sales_orders,
    subjects,
)
from counterfoil.store.checkouts import claimed_checkouts
from counterfoil.store.database import Row, Tx

FETCHED = frozenset(
    {"payment_intent", "checkout.session", "setup_intent", "customer", "payment_method", "invoice", "customer_balance"}
    | {"marked"}
)
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
            return _customer(tx, row, fact, moment)
        case MethodFact():
            return _method(tx, row, fact, moment)
        case SessionFact() | SetupFact():
            return _page(tx, row, fact, moment)
        case ProviderInvoiceFact():
            return _invoice(tx, row, fact, moment)
        case BalanceFact():
            return _balance(tx, row, fact, moment)
        case MoneyBackFact():
            return _money_back(tx, row, fact, moment)
        case MissingFact():
            return _missing(tx, row, fact, moment)
        case MarkedFact():
            return _marked(tx, row, fact, moment)
        case ChangedFact() | PayoutFact() | RefundFact():
            raise AssertionError("it is looked at before it is decided, or with what it is part of")
        case UnreadableFact() | None:
            return _unseen(tx, row, fact, moment)


def _page(tx: Tx, row: Row, fact: SessionFact | SetupFact, moment: Moment) -> Ruling:
    if isinstance(fact, SessionFact):
        return _session(tx, row, fact, moment)
    return _ordered(tx, row, fact, moment) or Ruling(_not_our_setup(fact))


def _session(tx: Tx, row: Row, fact: SessionFact, moment: Moment) -> Ruling:
    """Read a hosted page without a payment: for the leg it collects for, or the order it sets up."""
    account, marked = row["account"], fact.metadata.get(LEG_MARK)
    leg = subjects.leg_of_ref(tx, account, [fact.ref])
    if leg is None and marked:
        leg = subjects.leg_of_mark(tx, account, marked)
    if leg:
        books = load_books(tx, leg["customer"], Scope(payments=(leg["payment"],), refs=(fact.ref,)))
        assert books is not None, "a leg whose customer is gone"
        return Ruling(checkouts.decide_session(books, fact, moment.now, moment.new_id), leg["customer"])
    return _ordered(tx, row, fact, moment) or Ruling(_no_payment_yet(fact))


def _ordered(tx: Tx, row: Row, fact: SessionFact | SetupFact, moment: Moment) -> Ruling | None:
    """Read news of a setup for the order that waits for it, None when none does."""
    account, mark = row["account"], fact.metadata.get(ORDER_MARK)
    refs = [fact.ref, *([fact.session_ref] if isinstance(fact, SetupFact) and fact.session_ref else [])]
    found = sales_orders.of_ref(tx, account, refs) or (sales_orders.of_mark(tx, account, mark) if mark else None)
    if found is None:
        return None
    books = load_books(tx, found["customer"], Scope(sales_orders=(found["id"],)))
    assert books is not None, "an order whose customer is gone"
    held = next(each for each in books.sales_orders if each.id == found["id"])
    return Ruling(setups.decide_setup(books, held, fact, moment.now, moment.new_id), found["customer"])


def _not_our_setup(fact: SetupFact) -> Skip:
    sentence = f"Setup {fact.ref} is {fact.status} and belongs to no order of ours; it moves no money."
    return Skip(Why(setups.RULE, Reason.NOT_OURS, sentence, (fact.ref,)))


def _no_payment_yet(fact: SessionFact) -> Skip:
    sentence = f"Checkout {fact.ref} is {fact.status} and has no payment yet; nothing is owed through it."
    return Skip(Why(settlement.RULE, Reason.SESSION_WITHOUT_PAYMENT, sentence, (fact.ref,)))


def _unseen(tx: Tx, row: Row, fact: UnreadableFact | None, moment: Moment) -> Ruling:
    hint, customer = _hint(tx, row)
    if fact:
        return Ruling(strangers.decide_unreadable(hint, fact.why, moment.now, moment.new_id), customer)
    return Ruling(strangers.decide_without_fact(hint, moment.now, moment.new_id), customer)


def _missing(tx: Tx, row: Row, fact: MissingFact, moment: Moment) -> Ruling:
    if row["subject_kind"] == "invoice":
        return _missing_invoice(tx, row, fact, moment)
    hint, customer = _hint(tx, row)
    return Ruling(strangers.decide_missing(hint, moment.now, moment.new_id), customer)


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
    paid = mirrors.of_ref(tx, account, fact.invoice_ref) if fact.invoice_ref else None
    if paid and fact.invoice_ref:
        return Ruling(
            strangers.look_at_invoice(AccountId(account), fact, fact.invoice_ref, moment.now), paid["customer"]
        )
    if leg is None:
        held = _held(tx, row, fact)
        named = _claimed_by_metadata(tx, AccountId(account), fact, held, moment)
        if named:
            return named
        occurred_at = row["occurred_at"]
        decision = strangers.decide_stranger(AccountId(account), fact, held, occurred_at, moment.now, moment.new_id)
        return Ruling(decision, held.customer)
    books = books_for_intent(tx, leg["customer"], leg["payment"], fact)
    return Ruling(settlement.decide_intent(books, fact, moment.now, moment.new_id), leg["customer"])


def _claimed_by_metadata(tx: Tx, account: AccountId, fact: IntentFact, held: Held, moment: Moment) -> Ruling | None:
    """Read what the metadata of a foreign payment name, where the tenant has declared how. None when nothing."""
    if not fact.metadata or not mapping.claims(fact):
        return None
    reading = mapping.read(mappings.current(tx), fact.metadata)
    if reading is None:
        return None
    invoices = reading.invoices if isinstance(reading, mapping.Named) else ()
    owners = {subjects.customer_of(tx, "invoice", each) for each in invoices}
    owner = owners.pop() if len(owners) == 1 else None
    fees = (str(fact.charge_fee.ref),) if fact.charge_fee else ()
    books = load_books(tx, owner, Scope(invoices=invoices, refs=(fact.ref,), fees=fees)) if owner else None
    decision = mapping.decide_claim(books, account, fact, reading, held, moment.now, moment.new_id)
    return Ruling(decision, owner or held.customer)


def _held(tx: Tx, row: Row, fact: IntentFact) -> Held:
    money = any(minor > 0 for _, minor in journal.suspense_of(tx, [fact.ref]))
    fee = bool(fact.charge_fee and journal.booked(tx, [f"fee:{fact.charge_fee.ref}"]))
    # A look of our own is the second one, after the checkouts were looked at.
    ours = row["kind"].endswith(LOOKED_AT)
    claimed = () if ours else claimed_checkouts(tx, row["account"], fact.received, fact.customer_ref)
    customer = subjects.customer_of_ref(tx, row["account"], fact.customer_ref) if fact.customer_ref else None
    return Held(money, fee, claimed, CustomerId(customer) if customer else None)


def _marked(tx: Tx, row: Row, fact: MarkedFact, moment: Moment) -> Ruling:
    """Look a leg up by its own id, which is what was looked for."""
    leg = fact.ref.rpartition(":")[2]
    payment, customer = subjects.payment_of_leg(tx, leg), subjects.customer_of(tx, "leg", leg)
    assert payment, "a mark of a leg that is not on the books"
    assert customer, "a leg whose customer is gone"
    refs = (leg, *(str(each.ref) for each in fact.found))
    fees = tuple(str(each.charge_fee.ref) for each in fact.found if each.charge_fee)
    books = load_books(tx, customer, Scope(payments=(payment,), refs=refs, fees=fees))
    assert books is not None
    return Ruling(checks.decide_marked(books, LegId(leg), fact, moment.now, moment.new_id), customer)


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


# --- invoices of the provider's own, and its customers' balances ---


def _invoice(tx: Tx, row: Row, fact: ProviderInvoiceFact, moment: Moment) -> Ruling:
    account, mark = row["account"], fact.metadata.get(INVOICE_MARK)
    found = mirrors.of_ref(tx, account, fact.ref) or (mirrors.of_mark(tx, account, mark) if mark else None)
    if found is None:
        decision = strangers.decide_strange_invoice(fact, row["occurred_at"], moment.now, moment.new_id)
        return Ruling(decision, _owner(tx, account, fact.customer_ref))
    books = books_for_invoice(tx, found["customer"], found["id"], fact)
    decision = provider_invoices.decide_provider_invoice(books, fact, moment.now, moment.new_id)
    return Ruling(decision, found["customer"])


def _missing_invoice(tx: Tx, row: Row, fact: MissingFact, moment: Moment) -> Ruling:
    """Read a draft that was dropped as what it is; any other invoice that is not there is a question."""
    found = mirrors.of_ref(tx, row["account"], fact.ref)
    books = books_for_invoice(tx, found["customer"], found["id"], fact) if found else None
    dropped = given_up.gone(books, fact.ref) if books else None
    if found and books and dropped:
        decision = provider_invoices.decide_provider_invoice(books, dropped, moment.now, moment.new_id)
        return Ruling(decision, found["customer"])
    hint, customer = _hint(tx, row)
    return Ruling(strangers.decide_missing(hint, moment.now, moment.new_id), customer)


def books_for_invoice(tx: Tx, customer: str, invoice: str, fact: Fact | None) -> Books:
    """Read the books that news of a provider's invoice may touch."""
    intents = [each.intent for each in fact.payments if each.intent] if isinstance(fact, ProviderInvoiceFact) else []
    fees = tuple(str(each.charge_fee.ref) for each in intents if each.charge_fee)
    purchase = mirrors.purchase_of(tx, invoice)
    refs = (*(str(each.ref) for each in intents), *((purchase,) if purchase else ()))
    books = load_books(tx, customer, Scope(invoices=(invoice,), refs=refs, fees=fees))
    assert books is not None, "an invoice whose customer is gone"
    return books


def _owner(tx: Tx, account: str, ref: ProviderRef | None) -> str | None:
    return subjects.customer_of_ref(tx, account, ref) if ref else None


def _balance(tx: Tx, row: Row, fact: BalanceFact, moment: Moment) -> Ruling:
    owner = _owner(tx, row["account"], fact.customer_ref)
    books = load_books(tx, owner, Scope()) if owner else None
    if books is None:
        return Ruling(_unknown_customer(fact.customer_ref))
    keys = journal.booked(tx, [f"balance:{each.ref}" for each in fact.moves])
    booked = {key.partition(":")[2] for key in keys}
    named = [each.invoice_ref for each in fact.moves if each.invoice_ref]
    foreign = {ProviderRef(each) for each in mirrors.unbooked(tx, row["account"], named)}
    return Ruling(provider_balances.decide_balance(books, fact, booked, foreign, moment.now), owner)


def _money_back(tx: Tx, row: Row, fact: MoneyBackFact, moment: Moment) -> Ruling:
    """What went back of a payment of ours is booked; anybody else's is no news."""
    leg = subjects.leg_of_ref(tx, row["account"], [fact.intent_ref])
    purchase = mirrors.bought_by(tx, leg["payment"]) if leg else None
    if leg is None:
        hint, customer = _hint(tx, row)
        return Ruling(strangers.decide_without_fact(hint, moment.now, moment.new_id), customer)
    bought = PurchaseId(purchase) if purchase else None
    named = (bought,) if bought else ()
    refs = (*(str(each.ref) for each in fact.refunds), *refunds.of_leg(tx, leg["id"]))
    scope = Scope(payments=(leg["payment"],), purchases=named, contested=True, refunds=True, refs=refs)
    books = load_books(tx, leg["customer"], scope)
    assert books is not None, "a leg whose customer is gone"
    terms = Terms(frozenset(journal.booked(tx, money_back.keys_of(fact))), catalogue.policy(tx).blocks_disputed)
    decision = money_back.decide_money_back(books, LegId(leg["id"]), bought, fact, terms, moment.now, moment.new_id)
    return Ruling(decision, leg["customer"])


# --- customers and methods ---


def _customer(tx: Tx, row: Row, fact: CustomerFact, moment: Moment) -> Ruling:
    held = subjects.customer_of_ref(tx, row["account"], fact.ref)
    books = load_books(tx, held, Scope()) if held else None
    if books is None:
        return Ruling(_unknown_customer(fact.ref))
    unit = fact.currency or books.customer.currency
    credit = -journal.balance(tx, str(provider_balance(books.customer.id)), unit) if unit else 0
    looked = row["kind"].endswith(LOOKED_AT)
    return Ruling(customers.decide_customer_fact(books, fact, moment.now, credit, looked=looked), held)


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
            books = load_books(tx, customer, Scope(invoices=(subject,), balances=True))
            assert books is not None
            return Ruling(launch.decide_due(books, InvoiceId(subject), moment.now, moment.new_id), customer)
        case "release-credits":
            books = load_books(tx, customer, Scope(payments=(subject,)))
            assert books is not None
            return Ruling(invoicing.decide_release(books, PaymentId(subject), moment.now, moment.new_id), customer)
        case dunning.TELL_TIMER | dunning.RETRY_TIMER:
            return Ruling(_dun(tx, row, moment), customer)
        case provider_invoices.ABANDON_TIMER:
            books = load_books(tx, customer, Scope(purchases=(subject,)))
            assert books is not None
            decision = given_up.decide_give_up(books, PurchaseId(subject), moment.now, moment.new_id)
            return Ruling(decision, customer)
        case wallets.END_TIMER:
            books = load_books(tx, customer, Scope(grants=(subject,)))
            assert books is not None
            return Ruling(wallets.decide_end_lot(books, GrantId(subject), moment.now, row["occurred_at"]), customer)
        case alerts.ALERT_TIMER:
            books = load_books(tx, customer, Scope())
            assert books is not None
            return Ruling(alerts.decide_alert(books, WalletId(subject), moment.now), customer)
        case wallets.BEGIN_TIMER:
            books = load_books(tx, customer, Scope(grants=(subject,)))
            assert books is not None
            return Ruling(wallets.decide_begin_lot(books, GrantId(subject), moment.now), customer)
        case buying.GIVE_UP_TIMER:
            books = load_books(tx, customer, Scope(purchases=(subject,)))
            assert books is not None
            return Ruling(buying.decide_give_up(books, PurchaseId(subject), moment.now, moment.new_id), customer)
        case gathering.GATHER_TIMER:
            books = load_books(tx, customer, Scope(pending=True))
            assert books is not None
            due = gathering.due_lines(books, moment.now)
            taken = tuple(numbers.take(tx, PaperKind.INVOICE) for _ in due)
            return Ruling(gathering.decide_gather(books, taken, moment.now, moment.new_id), customer)
        case checks.RECHECK_TIMER:
            noun = noun_of(subject)
            scope = Scope(invoices=(subject,)) if noun == "invoice" else Scope(payments=(subject,))
            books = load_books(tx, customer, scope)
            assert books is not None
            return Ruling(checks.decide_recheck(books, subject, moment.now, moment.new_id), customer)
        case watching.WATCH_TIMER:
            look = topping_up.decide_look(tx, customer, subject, moment.now, moment.new_id)
            return Ruling(look, customer)
        case kind:
            raise AssertionError(f"no rule wakes for {kind}")


def _dun(tx: Tx, row: Row, moment: Moment) -> Decision:
    """Tell of a refusal or try again, by the schedule that holds now."""
    books = load_books(tx, row["customer"], Scope(payments=(row["subject_ref"],)))
    assert books is not None
    payment, policy = PaymentId(row["subject_ref"]), dunning_policies.policy(tx)
    if row["kind"] == dunning.TELL_TIMER:
        return dunning.decide_tell(books, payment, policy, moment.now)
    return dunning.decide_retry(books, payment, policy, moment.now, moment.new_id)
