"""News about what is not ours, is not there, or is not read by any rule yet. Seen, stored, and never guessed at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import journal
from counterfoil.core.books import Case
from counterfoil.core.effects import Act, Change, Decision, Defer, Effect, Observe, Park, Post, Reason, Skip, Why
from counterfoil.core.facts import (
    INVOICE_MARK,
    LEG_MARK,
    IntentFact,
    IntentStatus,
    Notice,
    ProviderInvoiceFact,
)
from counterfoil.core.ids import AccountId, CaseId, CustomerId, NewId, ProviderRef
from counterfoil.core.provider_invoices import inputs_of as invoice_inputs
from counterfoil.core.settlement import inputs_of


@dataclass(frozen=True, slots=True)
class Held:
    """What of a stranger's money is on the books already: the money itself in suspense, and the provider's fee.

    `checkouts` are hosted checkouts that were claimed and have no payment yet: this may be the payment of one of them.
    """

    money: bool = False
    fee: bool = False
    checkouts: tuple[ProviderRef, ...] = ()
    customer: CustomerId | None = None
    """Our customer, where the provider names one that we know."""


def decide_stranger(
    account: AccountId, fact: IntentFact, held: Held, occurred_at: datetime, now: datetime, new_id: NewId
) -> Decision:
    """Say what a payment means that belongs to no leg of ours: money is kept apart with a case, the rest is no news.

    A young one that carries our mark gets another look: the
    provider's news can outrun our own commit.
    """
    if LEG_MARK in fact.metadata and now - occurred_at < COMMIT_LAG_MAX:
        sentence = f"Payment {fact.ref} carries our mark but is not on our books yet; it is looked at again."
        return Defer(_stranger_why(Reason.TOO_YOUNG, sentence, fact), now + RETRY_AFTER)
    if fact.pays_provider_invoice:
        sentence = f"Payment {fact.ref} pays an invoice of the provider's own; it is no purchase of ours."
        return Skip(_stranger_why(Reason.PROVIDER_INVOICE, sentence, fact))
    if fact.status is not IntentStatus.SUCCEEDED or fact.received.minor == 0:
        return Skip(_stranger_why(Reason.NOT_OURS, f"Payment {fact.ref} is not one of ours and moved no money.", fact))
    fee = fee_of(account, fact, held, now)
    if held.money and fee:
        sentence = f"The provider's fee for {fact.ref} became known; its money is in suspense."
        return Act(_stranger_why(Reason.FEE_BOOKED, sentence, fact), fee)
    if held.money:
        sentence = f"The money of {fact.ref} is in suspense already; a person has been asked."
        return Skip(_stranger_why(Reason.ALREADY_KNOWN, sentence, fact))
    if held.checkouts:
        return _whose_checkout(account, fact, held.checkouts, now)
    sentence = (
        f"{fact.received} came by {fact.ref}, which no invoice of ours asked for. Claim it, or leave it in suspense."
    )
    case = Case(CaseId(new_id("case")), Reason.MONEY_UNEXPLAINED, fact.ref, sentence, now, customer=held.customer)
    money = Post(journal.money_unexplained(account, fact.ref, fact.received, now))
    effects = (money, *fee, Change(None, case))
    return Park(_stranger_why(Reason.MONEY_UNEXPLAINED, sentence, fact), effects)


def _whose_checkout(
    account: AccountId, fact: IntentFact, checkouts: tuple[ProviderRef, ...], now: datetime
) -> Decision:
    """Look at the claimed checkouts before anything is said: a payment does not name the checkout it is of."""
    sentence = f"{fact.received} came by {fact.ref}. A claimed checkout may be what it pays; those are looked at first."
    looks = tuple(Observe(account, "checkout.session", ref, now, "is it paid") for ref in checkouts)
    again = Observe(account, "payment_intent", fact.ref, now + RETRY_AFTER, "claimed checkouts were looked at")
    return Act(_stranger_why(Reason.CHECKOUTS_LOOKED_AT, sentence, fact), (*looks, again))


def fee_of(account: AccountId, fact: IntentFact, held: Held, now: datetime) -> tuple[Effect, ...]:
    """Book what the provider kept of a payment that is not ours, once."""
    fee = fact.charge_fee
    if fee is None or fee.fee.minor == 0 or held.fee:
        return ()
    return (Post(journal.provider_fee(account, fee, fact.ref, now)),)


COMMIT_LAG_MAX: Final = timedelta(seconds=60)
RETRY_AFTER: Final = timedelta(seconds=5)


def _stranger_why(reason: Reason, sentence: str, fact: IntentFact) -> Why:
    return Why("unknown-money@1", reason, sentence, (fact.ref,), inputs_of(fact))


# --- invoices of the provider's own ---


def look_at_invoice(account: AccountId, fact: IntentFact, invoice_ref: ProviderRef, now: datetime) -> Decision:
    """A payment of an invoice says less than the invoice itself: that is looked at, and decides."""
    sentence = f"Payment {fact.ref} pays invoice {invoice_ref} of the provider; the invoice is looked at."
    look = Observe(account, "invoice", invoice_ref, now, "a payment of it was heard of")
    return Act(Why(INVOICES, Reason.PROVIDER_INVOICE, sentence, (fact.ref, invoice_ref)), (look,))


def decide_strange_invoice(fact: ProviderInvoiceFact, occurred_at: datetime, now: datetime, new_id: NewId) -> Decision:
    """Say what an invoice means that mirrors none of ours. A mark on it proves nothing: anybody can write one."""
    if INVOICE_MARK not in fact.metadata:
        return _no_invoice(fact, f"Invoice {fact.ref} is the provider's own and bills nothing of ours.")
    if now - occurred_at < COMMIT_LAG_MAX:
        sentence = f"Invoice {fact.ref} carries our mark but is not on our books yet; it is looked at again."
        return Defer(Why(INVOICES, Reason.TOO_YOUNG, sentence, (fact.ref,), invoice_inputs(fact)), now + RETRY_AFTER)
    if fact.status != "paid":
        return _no_invoice(fact, f"Invoice {fact.ref} carries a mark of ours and is none that we asked for.")
    sentence = f"Invoice {fact.ref} is paid and carries a mark of ours, and we never asked for it. Nothing was given."
    case = Case(CaseId(new_id("case")), Reason.MONEY_UNEXPLAINED, fact.ref, sentence, now)
    why = Why(INVOICES, Reason.MONEY_UNEXPLAINED, sentence, (fact.ref,), invoice_inputs(fact))
    return Park(why, (Change(None, case),))


def _no_invoice(fact: ProviderInvoiceFact, sentence: str) -> Skip:
    return Skip(Why(INVOICES, Reason.NOT_OURS, sentence, (fact.ref,), invoice_inputs(fact)))


NEWS: Final = "read-news@1"
INVOICES: Final = "read-provider-invoice@1"
MONEY_KINDS: Final = frozenset({"payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"})
"""Events that say money moved: when their object can't be found, a person is asked."""
UNREAD: Final = frozenset({"refund", "dispute"})
"""Objects whose news concerns money but which no rule books yet."""
LOOKS_MAX: Final = 5
"""How often an object of ours that can't be found is looked for again: the provider's reads may lag."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a notice said, where its object can't say more."""

    kind: str
    subject_kind: str
    ref: ProviderRef
    ours: tuple[str, ...] = ()
    """The subjects of ours that the object belongs to."""
    looks: int = 0
    customer: CustomerId | None = None
    """Whose it is, where that is known."""


def decide_without_fact(hint: Hint, now: datetime, new_id: NewId) -> Decision:
    """Say what a notice means whose object is not fetched."""
    if hint.subject_kind in UNREAD and hint.ours:
        sentence = f"{hint.kind} concerns {hint.ref}, a payment of ours. It is not booked by itself yet: look at it."
        return _asked(hint, Reason.NOT_HANDLED_YET, sentence, now, new_id)
    if hint.subject_kind in UNREAD:
        return Skip(
            _news_why(hint, Reason.NOT_OURS, f"{hint.kind} concerns {hint.ref}, which is not a payment of ours.")
        )
    return Skip(_news_why(hint, Reason.KIND_WITHOUT_EFFECT, f"{hint.kind} changes nothing in our books."))


def decide_missing(hint: Hint, now: datetime, new_id: NewId) -> Decision:
    """Say what it means that the provider knows no such object: never that a payment failed."""
    if hint.ours and hint.looks < LOOKS_MAX:
        sentence = f"The provider does not know {hint.ref} (yet); it is looked for again."
        return Defer(_news_why(hint, Reason.OBJECT_MISSING, sentence), now + RETRY_AFTER * (2**hint.looks))
    if hint.ours or hint.kind in MONEY_KINDS:
        sentence = f"{hint.kind} is about {hint.ref}, which the provider does not know. Nothing was booked."
        return _asked(hint, Reason.OBJECT_MISSING, sentence, now, new_id)
    return Skip(
        _news_why(hint, Reason.OBJECT_MISSING, f"{hint.ref} is not at the provider (any more), and is not ours.")
    )


def decide_unreadable(hint: Hint, why: str, now: datetime, new_id: NewId) -> Decision:
    """Ask a person about an object that can't be read as anything we book."""
    return _asked(hint, Reason.OBJECT_UNREADABLE, f"{hint.ref} can't be read: {why}. Nothing was booked.", now, new_id)


def misrouted(notice: Notice, livemode: bool, connected_account: str | None) -> Reason | None:
    """Say whether signed news came to the wrong door: another mode's, or another account's."""
    if notice.livemode is not livemode:
        return Reason.WRONG_MODE
    return Reason.UNKNOWN_ACCOUNT if notice.connected_account != connected_account else None


def decide_quarantined(hint: Hint, reason: Reason, now: datetime, new_id: NewId) -> Decision:
    """Keep news apart that came to the wrong door. It is never looked into, and it changes nothing."""
    whose = "the other mode" if reason is Reason.WRONG_MODE else "an account that this endpoint does not serve"
    return _asked(hint, reason, f"{hint.kind} came from {whose}. It was kept apart and changed nothing.", now, new_id)


def decide_gave_up(hint: Hint, error: str, now: datetime, new_id: NewId) -> Decision:
    """Stop trying after the bound: a person is asked, and nothing is lost."""
    return _asked(
        hint, Reason.GAVE_UP, f"{hint.kind} could not be decided: {error}. It is kept for a person.", now, new_id
    )


def _asked(hint: Hint, reason: Reason, sentence: str, now: datetime, new_id: NewId) -> Park:
    case = Case(CaseId(new_id("case")), reason, hint.ref, sentence, now, customer=hint.customer)
    return Park(_news_why(hint, reason, sentence), (Change(None, case),))


def _news_why(hint: Hint, reason: Reason, sentence: str) -> Why:
    return Why(
        NEWS, reason, sentence, (hint.ref, *hint.ours), {"kind": hint.kind, "ref": hint.ref, "looks": hint.looks}
    )
