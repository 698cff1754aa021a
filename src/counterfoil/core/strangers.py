"""Money at the provider that belongs to no leg of ours."""

from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import journal
from counterfoil.core.books import Case
from counterfoil.core.effects import Change, Decision, Defer, Park, Post, Reason, Skip, Why
from counterfoil.core.facts import LEG_MARK, IntentFact, IntentStatus
from counterfoil.core.ids import AccountId, CaseId, NewId
from counterfoil.core.settlement import inputs_of


def decide_stranger(
    account: AccountId, fact: IntentFact, known: bool, occurred_at: datetime, now: datetime, new_id: NewId
) -> Decision:
    """Say what a payment means that belongs to no leg of ours: money is kept apart with a case, the rest is no news.

    `known` says that its money already lies in suspense. A young one that carries our mark gets another look: the
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
    if known:
        sentence = f"The money of {fact.ref} is in suspense already; a person has been asked."
        return Skip(_stranger_why(Reason.ALREADY_KNOWN, sentence, fact))
    sentence = (
        f"{fact.received} came by {fact.ref}, which no invoice of ours asked for. Claim it, or leave it in suspense."
    )
    case = Case(CaseId(new_id("case")), Reason.MONEY_UNEXPLAINED, fact.ref, sentence, now)
    effects = (Post(journal.money_unexplained(account, fact.ref, fact.received, now)), Change(None, case))
    return Park(_stranger_why(Reason.MONEY_UNEXPLAINED, sentence, fact), effects)


COMMIT_LAG_MAX: Final = timedelta(seconds=60)
RETRY_AFTER: Final = timedelta(seconds=5)


def _stranger_why(reason: Reason, sentence: str, fact: IntentFact) -> Why:
    return Why("unknown-money@1", reason, sentence, (fact.ref,), inputs_of(fact))
