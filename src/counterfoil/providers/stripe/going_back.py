"""What went back of a payment at Stripe: its refunds and its disputes, each with what it did to our money there."""

from datetime import UTC, datetime
from typing import Final

from counterfoil.core.facts import (
    REFUND_MARK,
    DisputeFact,
    DisputeMoveFact,
    Fact,
    MoneyBackFact,
    UnreadableFact,
    money_back_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import MoneyError
from counterfoil.providers.stripe.calls import Caller, path_of
from counterfoil.providers.stripe.fields import Doc, Unreadable, child, labels, rows, text, whole
from counterfoil.providers.stripe.lists import listed
from counterfoil.providers.stripe.notice import OCCURRED_MAX
from counterfoil.providers.stripe.refunds import id_of, money_of, refund_of

MONEY_BACK: Final = "money_back"
REASON_MAX: Final = 100


def fetch_money_back(caller: Caller, intent_ref: ProviderRef) -> Fact:
    """Give all refunds and disputes of a payment, oldest first. Raises ProviderUnavailable."""
    named = {"payment_intent": intent_ref}
    refunds = list(listed(caller, path_of("refunds"), named))
    disputes = list(listed(caller, path_of("disputes"), named))
    own = money_back_ref(intent_ref)
    try:
        given = tuple(refund_of(each) for each in refunds[::-1])
        contested = tuple(_dispute(each) for each in disputes[::-1])
    except (Unreadable, MoneyError) as error:
        return UnreadableFact(own, str(error)[:200])
    return MoneyBackFact(own, intent_ref, given, contested)


def find_refund(caller: Caller, intent_ref: ProviderRef, mark: str) -> Fact | None:
    """Find our refund among all of a payment's, by our mark. Raises ProviderUnavailable."""
    for each in listed(caller, path_of("refunds"), {"payment_intent": intent_ref}):
        if labels(each).get(REFUND_MARK) == mark:
            return refund_of(each)
    return None


def _dispute(doc: Doc) -> DisputeFact:
    money = money_of(doc)
    moves = tuple(_move(each) for each in rows(doc, "balance_transactions"))
    return DisputeFact(
        id_of(doc),
        text(doc, "status") or "",
        money.minor,
        money.currency,
        moves,
        reason=(text(doc, "reason") or "")[:REASON_MAX],
        due_at=_instant(child(doc, "evidence_details"), "due_by"),
    )


def _move(doc: Doc) -> DisputeMoveFact:
    money = money_of(doc)
    return DisputeMoveFact(id_of(doc), money.minor, whole(doc, "fee"), money.currency)


def _instant(doc: Doc, name: str) -> datetime | None:
    """Give an instant where there is one. An odd one says nothing."""
    value = doc.get(name)
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 <= value <= OCCURRED_MAX else None
