"""How a refund goes: started, paid, refused, come back, or found at the provider; each step moves its leg with it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import credits, giving_back, going_back, journal, wallets
from counterfoil.core.books import Books, Leg, LegKind, payment_of
from counterfoil.core.clawback import REFUND
from counterfoil.core.effects import Act, Change, Decision, Instruct, Notify, Post, Reason, Why
from counterfoil.core.facts import RefundFact
from counterfoil.core.giving_back import Back, kept_in
from counterfoil.core.ids import GrantId, LegId, NewId, OrderId, ProviderRef, PurchaseId, RefundId, WalletId
from counterfoil.core.journal import Account
from counterfoil.core.legs import ending_again
from counterfoil.core.lifecycle import HoldStatus, LegStatus, OrderStatus, RefundStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import quantity_for
from counterfoil.core.orders import CreateRefund, Order
from counterfoil.core.promises import Grant, GrantSource, Wallet
from counterfoil.core.recognition import catch_up_all
from counterfoil.core.refunded import Destination, GivenBack, MadeBy, Refund

RULE: Final = "refund@1"
ENDED: Final = {"failed": RefundStatus.FAILED, "canceled": RefundStatus.CANCELED}
"""The provider's words for a refund that did not go."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is to go back of one leg. Without a leg, of the only one there is; without an amount, all that is left."""

    leg: LegId | None = None
    minor: int | None = None
    destination: Destination = Destination.SOURCE
    wallet: WalletId | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Why it was asked for, and the purchase whose lines it is of: None is all that the leg paid."""

    reason: str | None = None
    only: PurchaseId | None = None


def left_of(leg: Leg) -> int:
    """Give what can still be refunded of a leg, in minor units."""
    return leg.received_minor - leg.refunded_minor if leg.status is LegStatus.SETTLED else 0


# --- started ---


def start(steps: Steps, leg: Leg, part: Part, asked: Asked, identity: RefundId, first: RefundId) -> Refund:
    """Put one refund on the books; what needs the provider is ordered, everything else has happened with it."""
    minor = part.minor or 0
    given = giving_back.of_leg(steps, leg, minor, _back(steps.books, leg, identity, "price"), asked.only)
    refund = replace(
        _row(steps, leg, minor, identity),
        destination=part.destination,
        reason=asked.reason,
        given=given,
        together=first,
    )
    _count(steps, leg.id, minor)
    if leg.kind is LegKind.PROVIDER and part.destination is Destination.SOURCE:
        steps.add(Change(None, refund), _order(steps, leg, refund), told(refund, "processing"))
        return refund
    return _settle_here(steps, leg, part, replace(refund, status=RefundStatus.SUCCEEDED, succeeded_at=steps.now))


def _row(steps: Steps, leg: Leg, minor: int, identity: RefundId) -> Refund:
    payment = payment_of(steps.books, leg.payment)
    assert payment is not None, "a leg without its payment"
    return Refund(
        id=identity,
        customer=payment.customer,
        account=payment.account,
        destination=Destination.SOURCE,
        made_by=MadeBy.US,
        status=RefundStatus.PROCESSING,
        amount_minor=minor,
        currency=leg.currency,
        created_at=steps.now,
        given=GivenBack(),
        payment=payment.id,
        leg=leg.id,
    )


def _back(books: Books, leg: Leg, refund: RefundId, word: str) -> Back:
    return Back(f"refund:{refund}:{word}", refund, REFUND, kept_in(books, leg))


def _count(steps: Steps, leg: LegId, minor: int) -> None:
    held = _leg(steps.books, leg)
    steps.add(Change(held, replace(held, refunded_minor=held.refunded_minor + minor)))


def _leg(books: Books, leg: LegId | None) -> Leg:
    return next(each for each in books.legs if each.id == leg)


def _order(steps: Steps, leg: Leg, refund: Refund) -> Instruct:
    assert leg.provider_ref is not None, "a settled leg of the provider's without its id"
    instruction = CreateRefund(refund.id, leg.id, leg.provider_ref, refund.money, refund.reason)
    identity = OrderId(steps.new_id("order"))
    return Instruct(
        Order(identity, refund.account, refund.customer, refund.id, instruction, OrderStatus.QUEUED, steps.now)
    )


def _settle_here(steps: Steps, leg: Leg, part: Part, refund: Refund) -> Refund:
    """Let money go back that nobody outside has to be asked for: it is there with this decision."""
    if part.destination is Destination.WALLET:
        refund = _to_wallet(steps, leg, part, refund)
    steps.add(Change(None, refund))
    if leg.kind is LegKind.CREDIT and part.destination is Destination.SOURCE:
        _to_lots(steps, leg, refund)
    else:
        steps.add(Post(going_back.refund_paid(refund, _source(steps.books, leg, part), steps.now)))
    steps.add(told(refund, "succeeded"), *purchases_told(steps.books, refund))
    return refund


def _source(books: Books, leg: Leg, part: Part) -> Account:
    """Give the account that a refund is paid out of. A new lot is bought with money that went out and came back."""
    is_kept = part.destination is Destination.BALANCE or leg.kind is LegKind.BALANCE
    if is_kept and part.destination in (Destination.BALANCE, Destination.SOURCE):
        return journal.customer_balance(books.customer.id)
    return journal.EXTERNAL


def _to_wallet(steps: Steps, leg: Leg, part: Part, refund: Refund) -> Refund:
    wallet = pegged(steps.books, leg, part)
    assert wallet is not None, "a wallet that was there a moment ago"
    quantity = quantity_for(refund.amount_minor, wallet.unit)
    lot = Grant(
        id=GrantId(steps.new_id("grant")),
        wallet=wallet.id,
        source=GrantSource.REFUND,
        amount=quantity,
        remaining=quantity,
        cost_minor=refund.amount_minor,
        cost_currency=refund.currency,
        effective_at=steps.now,
        created_at=steps.now,
    )
    issued, _ = wallets.issue(steps.books, lot, wallet, steps.now)
    steps.add(*issued)
    return replace(refund, wallet=wallet.id, grant=lot.id)


def _to_lots(steps: Steps, leg: Leg, refund: Refund) -> None:
    """Let credits return to the lots that they were drawn from, the last drawn first."""
    wallet = next(each for each in steps.books.wallets if each.id == leg.wallet)
    shares = _shares(steps.books, leg, refund.amount_minor)
    steps.add(Post(going_back.credits_returned(refund, shares, wallet.unit, steps.now)))
    for each in shares:
        back = replace(
            each.lot,
            remaining=each.lot.remaining + each.quantity,
            released_minor=each.lot.released_minor - each.released_minor,
        )
        counted = replace(each.hold, returned_minor=each.hold.returned_minor + each.minor)
        steps.add(Change(each.hold, counted), Change(each.lot, back))
    touched = {str(each.lot.id) for each in shares}
    # A share gives back exactly what it took; what that rounds to now, of all use of the lot, is posted by itself.
    _, rounded = catch_up_all(steps.books, touched, steps.now)
    steps.add(*rounded)
    lots = [each for each in steps.books.grants if each.id in touched]
    steps.add(*ending_again(steps.books, lots, steps.now))
    steps.add(*credits.settle_debt(steps.books, wallet.id, steps.now))


def _shares(books: Books, leg: Leg, minor: int) -> list[going_back.Share]:
    holds = [each for each in books.holds if each.leg == leg.id and each.status is HoldStatus.SETTLED]
    found = []
    for hold in sorted(holds, key=lambda each: each.id, reverse=True):
        part = min(minor, hold.minor - hold.returned_minor)
        minor -= part
        if part:
            found.append(going_back.Share(hold, next(each for each in books.grants if each.id == hold.grant), part))
    assert minor == 0, "a credit leg that was settled by less than it says"
    return found


# --- how it went ---


def succeed(steps: Steps, refund: Refund, ref: ProviderRef) -> None:
    """The provider paid it."""
    after = replace(refund, status=RefundStatus.SUCCEEDED, provider_ref=ref, succeeded_at=steps.now)
    steps.add(Change(refund, after), Post(going_back.refund_paid(after, journal.clearing(after.account), steps.now)))
    steps.add(told(after, "succeeded"), *purchases_told(steps.books, after))


def end(steps: Steps, refund: Refund, status: RefundStatus, code: str, text: str = "") -> None:
    """It did not go, or came back: what it had given back is as it was, and can be refunded again."""
    leg = _leg(steps.books, refund.leg)
    if refund.status is RefundStatus.SUCCEEDED:
        steps.add(Post(going_back.refund_returned(refund, journal.clearing(refund.account), steps.now)))
    ended = replace(refund, status=status, ended_at=steps.now, failure_code=code, failure_text=text or None)
    steps.add(Change(refund, ended))
    giving_back.undo(steps, refund.given, refund.currency, _back(steps.books, leg, refund.id, "undone"))
    _count(steps, leg.id, -refund.amount_minor)
    steps.add(told(ended, "failed" if status is RefundStatus.FAILED else "canceled"))


def follow(steps: Steps, refund: Refund, fact: RefundFact) -> str | None:
    """Move a refund to where the provider's object is, and say so; None when that is no news."""
    if refund.provider_ref is None:
        linked = replace(refund, provider_ref=fact.ref)
        steps.add(Change(refund, linked))
        refund = linked
    if fact.status == "succeeded" and refund.status is RefundStatus.PROCESSING:
        succeed(steps, refund, fact.ref)
        return f"{refund.money} were refunded ({fact.ref})."
    if fact.status in ENDED and refund.counts:
        came_back = refund.status is RefundStatus.SUCCEEDED
        end(steps, refund, RefundStatus.FAILED if came_back else ENDED[fact.status], fact.failure or fact.status)
        word = "came back" if came_back else "did not go"
        return f"Refund {fact.ref} of {refund.money} {word} ({fact.failure or fact.status}); it can be made again."
    return None


def adopt(steps: Steps, leg: Leg, fact: RefundFact) -> str:
    """Take a refund onto the books that was made at the provider: once, by its own id."""
    identity = RefundId(steps.new_id("refund"))
    row = replace(_row(steps, leg, fact.minor, identity), made_by=MadeBy.PROVIDER, provider_ref=fact.ref)
    if fact.status in ENDED:
        code = fact.failure or fact.status
        steps.add(Change(None, replace(row, status=ENDED[fact.status], ended_at=steps.now, failure_code=code)))
        return f"A refund of {row.money} was tried at the provider and did not go ({fact.ref})."
    given = giving_back.of_leg(steps, leg, fact.minor, _back(steps.books, leg, identity, "price"))
    row = replace(row, given=given)
    _count(steps, leg.id, fact.minor)
    steps.add(Change(None, row))
    if fact.status != "succeeded":
        steps.add(told(row, "processing"))
        return f"A refund of {row.money} is under way at the provider ({fact.ref})."
    succeed(steps, row, fact.ref)
    return f"{row.money} were refunded at the provider ({fact.ref})."


def known(books: Books, leg: Leg, fact: RefundFact) -> Refund | None:
    """Find the refund that a provider's object is: by its id, else by our mark while its id is missing."""
    own = [each for each in books.refunds if each.leg == leg.id]
    by_ref = next((each for each in own if each.provider_ref == fact.ref), None)
    return by_ref or next((each for each in own if each.id == fact.mark and each.provider_ref is None), None)


def displaced(books: Books, leg: Leg) -> list[tuple[Refund, Order]]:
    """Give our refunds of a leg that the provider has no object of yet, each with its open order."""
    waiting = [each for each in books.refunds if each.leg == leg.id and each.counts and each.provider_ref is None]
    orders = {each.subject: each for each in books.orders if each.open}
    return [(each, orders[each.id]) for each in waiting if each.id in orders]


# --- replies ---


def decide_made(books: Books, order: Order, fact: RefundFact, now: datetime, new_id: NewId) -> Decision:
    """The provider took the order: its object says how far it is."""
    refund = _ordered(books, order)
    steps = Steps(books, now, new_id)
    said = follow(steps, refund, fact) or f"The provider has the refund of {refund.money} under way ({fact.ref})."
    about = (refund.id, *((refund.payment,) if refund.payment else ()))
    return Act(Why(RULE, Reason.MONEY_WENT_BACK, said, about), tuple(steps.effects))


def decide_refused(books: Books, order: Order, code: str, text: str, now: datetime, new_id: NewId) -> Decision:
    """The provider refused, which is definite: what the refund had reserved is free again."""
    refund = _ordered(books, order)
    steps = Steps(books, now, new_id)
    if refund.status is RefundStatus.PROCESSING:
        end(steps, refund, RefundStatus.FAILED, code, text)
    sentence = (
        f"The provider refused to give {refund.money} back ({code}). Nothing moved: refund it to a wallet or the "
        "customer's balance, or pay it by hand and record it."
    )
    about = (refund.id, *((refund.payment,) if refund.payment else ()))
    return Act(Why(RULE, Reason.REFUND_REFUSED, sentence, about), tuple(steps.effects))


def _ordered(books: Books, order: Order) -> Refund:
    return next(each for each in books.refunds if each.id == order.subject)


def pegged(books: Books, leg: Leg, part: Part) -> Wallet | None:
    """Find the wallet that a part of a refund goes to, when that is one of credits pegged to its money."""
    usable = credits.paying_wallets(books, leg.currency)
    return next((each for each in usable if part.wallet in (None, each.id)), None)


# --- told ---


def told(refund: Refund, word: str) -> Notify:
    """Tell the outside what became of a refund: `refund.<word>`, once."""
    data: dict[str, str | int] = {
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "destination": refund.destination,
    }
    data |= {"payment": refund.payment} if refund.payment else {}
    data |= {"reason": refund.failure_code} if refund.failure_code else {}
    return Notify(f"refund.{word}:{refund.id}", f"refund.{word}", refund.customer, refund.id, data)


def purchases_told(books: Books, refund: Refund) -> list[Notify]:
    """Tell of each purchase that money of it went back."""
    purchases = dict.fromkeys(
        [*([refund.purchase] if refund.purchase else []), *(each.purchase for each in refund.given.lots)]
    )
    data: dict[str, str | int] = {"amount_minor": refund.amount_minor, "currency": refund.currency}
    return [
        Notify(f"purchase.refunded:{each}:{refund.id}", "purchase.refunded", books.customer.id, each, data)
        for each in purchases
    ]
