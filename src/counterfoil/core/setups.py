"""What news about a setup at the provider means to the order that waits for it: a way to pay, and no payment."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import starting
from counterfoil.core.books import Books, Case
from counterfoil.core.effects import Act, Change, Decision, Effect, Notify, Observe, Park, Reason, Skip, Why
from counterfoil.core.facts import SessionFact, SetupFact
from counterfoil.core.ids import CaseId, NewId
from counterfoil.core.lifecycle import SalesOrderStatus
from counterfoil.core.ordered import SalesOrder, StartedBy

RULE: Final = "follow-setup@1"


def decide_setup(
    books: Books, held: SalesOrder, fact: SetupFact | SessionFact, now: datetime, new_id: NewId
) -> Decision:
    """Say what a setup, as it stands now, means to its order. Identity, then history; there is no money."""
    ours = books.customer.provider_ref
    if fact.customer_ref and ours and fact.customer_ref != ours:
        return _not_ours(books, held, fact, now, new_id)
    if held.status is SalesOrderStatus.STARTED:
        sentence = f"The order was started before; {fact.ref} says nothing new."
        return Skip(_why(Reason.ALREADY_KNOWN, sentence, held, fact))
    if isinstance(fact, SetupFact) and fact.status == "succeeded":
        return _succeeded(books, held, fact, now)
    after = _followed(held, fact, now)
    if after == held:
        sentence = f"{fact.ref} is {fact.status}, as we knew."
        return Skip(_why(Reason.ALREADY_KNOWN, sentence, held, fact))
    sentence = f"The order waits for {fact.ref}, which is {fact.status}."
    effects = (Change(held, after), *_told_of_action(held, after, fact))
    return Act(_why(Reason.SETUP_FOLLOWED, sentence, held, fact), effects)


def _succeeded(books: Books, held: SalesOrder, fact: SetupFact, now: datetime) -> Decision:
    """The customer has saved a way to pay: the order starts, and no payment is recorded."""
    method = next((each.id for each in books.methods if each.provider_ref == fact.method_ref), None)
    after = replace(_linked(held, fact), method=method, action_url=None, refusal_code=None)
    effects: tuple[Effect, ...] = starting.started(held, after, StartedBy.SETUP, now)
    if fact.method_ref:
        effects += (Observe(held.account, "payment_method", fact.method_ref, now, "it was set up for an order"),)
    sentence = f"{fact.ref} has saved a way to pay; the order starts by it, and nothing was collected."
    return Act(_why(Reason.SETUP_SUCCEEDED, sentence, held, fact), effects)


def _followed(held: SalesOrder, fact: SetupFact | SessionFact, now: datetime) -> SalesOrder:
    """Give the order as the setup leaves it while the setup has not succeeded."""
    after = _linked(held, fact)
    if held.status is SalesOrderStatus.CANCELED:
        return after
    if _is_over(fact):
        return replace(after, status=SalesOrderStatus.CANCELED, canceled_at=now, action_url=None)
    if isinstance(fact, SessionFact):
        return replace(after, status=SalesOrderStatus.OPEN, action_url=fact.url)
    refusal = (fact.refusal.decline_code or fact.refusal.code) if fact.refusal else None
    status = SalesOrderStatus.PROCESSING if fact.status == "processing" else SalesOrderStatus.OPEN
    url = fact.action_url or (held.action_url if held.session_ref and fact.session_status is None else None)
    return replace(after, status=status, action_url=url, refusal_code=refusal)


def _is_over(fact: SetupFact | SessionFact) -> bool:
    if isinstance(fact, SessionFact):
        return fact.status == "expired"
    return fact.status == "canceled" or fact.session_status == "expired"


def _linked(held: SalesOrder, fact: SetupFact | SessionFact) -> SalesOrder:
    """Store the handles of what is set up."""
    if isinstance(fact, SessionFact):
        return replace(held, session_ref=fact.ref)
    return replace(held, setup_ref=fact.ref, session_ref=fact.session_ref or held.session_ref)


def _told_of_action(held: SalesOrder, after: SalesOrder, fact: SetupFact | SessionFact) -> tuple[Effect, ...]:
    action = fact.action if isinstance(fact, SetupFact) else None
    if action is None or after.status is not SalesOrderStatus.OPEN:
        return ()
    kind = "order.requires_action"
    return (Notify(f"{kind}:{held.id}:{action}", kind, held.customer, held.id, {"action": action}),)


def _not_ours(books: Books, held: SalesOrder, fact: SetupFact | SessionFact, now: datetime, new_id: NewId) -> Decision:
    sentence = f"{fact.ref} belongs to the provider's customer {fact.customer_ref}, not to the order's."
    case = Case(CaseId(new_id("case")), Reason.CUSTOMER_MISMATCH, fact.ref, sentence, now, customer=books.customer.id)
    return Park(_why(Reason.CUSTOMER_MISMATCH, sentence, held, fact), (Change(None, case),))


def decide_setup_refused(books: Books, held: SalesOrder, code: str, now: datetime) -> Decision:
    """The provider would not make the setup at all: the order is over before it began."""
    sentence = f"The provider refused to set a way to pay up ({code}); the order is canceled."
    why = Why(RULE, Reason.ORDER_REFUSED, sentence, (held.id, books.customer.id), {"refusal": code})
    if held.status in starting.OVER:
        return Skip(why)
    gone = replace(held, status=SalesOrderStatus.CANCELED, canceled_at=now, refusal_code=code, action_url=None)
    return Act(why, (Change(held, gone),))


def _why(reason: Reason, sentence: str, held: SalesOrder, fact: SetupFact | SessionFact) -> Why:
    return Why(RULE, reason, sentence, (held.id, fact.ref), {"setup": fact.ref, "status": fact.status})
