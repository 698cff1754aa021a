"""What went back of a payment at Stripe: its refunds and its disputes, each with what it did to our money there."""

from datetime import UTC, datetime
from typing import Final

from counterfoil.core.facts import (
    DisputeFact,
    DisputeMoveFact,
    Fact,
    MoneyBackFact,
    RefundFact,
    UnreadableFact,
    money_back_ref,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money, MoneyError
from counterfoil.providers.stripe.calls import Caller, path_of
from counterfoil.providers.stripe.fields import Doc, Unreadable, child, ref, rows, text, whole
from counterfoil.providers.stripe.lists import listed
from counterfoil.providers.stripe.notice import OCCURRED_MAX

MONEY_BACK: Final = "money_back"
REASON_MAX: Final = 100


def fetch_money_back(caller: Caller, intent_ref: ProviderRef) -> Fact:
    """Give all refunds and disputes of a payment, oldest first. Raises ProviderUnavailable."""
    named = {"payment_intent": intent_ref}
    refunds = list(listed(caller, path_of("refunds"), named))
    disputes = list(listed(caller, path_of("disputes"), named))
    own = money_back_ref(intent_ref)
    try:
        given = tuple(_refund(each) for each in refunds[::-1])
        contested = tuple(_dispute(each) for each in disputes[::-1])
    except (Unreadable, MoneyError) as error:
        return UnreadableFact(own, str(error)[:200])
    return MoneyBackFact(own, intent_ref, given, contested)


def _refund(doc: Doc) -> RefundFact:
    money = _money(doc)
    return RefundFact(_required(doc), text(doc, "status") or "", money.minor, money.currency)


def _dispute(doc: Doc) -> DisputeFact:
    money = _money(doc)
    moves = tuple(_move(each) for each in rows(doc, "balance_transactions"))
    return DisputeFact(
        _required(doc),
        text(doc, "status") or "",
        money.minor,
        money.currency,
        moves,
        reason=(text(doc, "reason") or "")[:REASON_MAX],
        due_at=_instant(child(doc, "evidence_details"), "due_by"),
    )


def _move(doc: Doc) -> DisputeMoveFact:
    money = _money(doc)
    return DisputeMoveFact(_required(doc), money.minor, whole(doc, "fee"), money.currency)


def _instant(doc: Doc, name: str) -> datetime | None:
    """Give an instant where there is one. An odd one says nothing."""
    value = doc.get(name)
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 <= value <= OCCURRED_MAX else None


def _money(doc: Doc) -> Money:
    code = text(doc, "currency")
    if code is None or not code.isascii():
        raise Unreadable("currency is missing")
    return Money(whole(doc, "amount"), code.upper())


def _required(doc: Doc) -> ProviderRef:
    found = ref(doc, "id")
    if found is None:
        raise Unreadable("id is missing")
    return found
