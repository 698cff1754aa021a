"""Refunds: money that goes back of what a leg brought, by explicit choice, never more than came.

A refund is on the books before anybody is asked: its row, what it gives back, and the order for the provider commit
together, so that what can still be refunded is smaller from that moment on. The provider's own object then says how it
went, whoever made it: one that was made at the provider is adopted, one that is refused or comes back is undone.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import giving_back, going_back, journal
from counterfoil.core.books import Books, Invoice, Leg, LegKind, Payment, invoice_of, legs_of, payment_of, purchase_of
from counterfoil.core.bought import Collector, Purchase, Settlement
from counterfoil.core.clawback import REFUND
from counterfoil.core.effects import Act, Change, Decision, Post, Reason, Refuse, Why
from counterfoil.core.ids import NewId, PaymentId, PurchaseId, RefundId
from counterfoil.core.journal import Posting
from counterfoil.core.lifecycle import InvoiceStatus, RefundStatus, WalletStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import Money
from counterfoil.core.refunded import Destination, GivenBack, MadeBy, Refund
from counterfoil.core.refunding import RULE, Asked, Part, left_of, pegged, purchases_told, start, told
from counterfoil.core.tax import slice_of

# --- asked for ---


def decide_refund(
    books: Books, payment: PaymentId, parts: tuple[Part, ...], asked: Asked, now: datetime, new_id: NewId
) -> Decision:
    """Give money of a payment back: each part of its own leg, to where it is said to go."""
    held = payment_of(books, payment)
    if held is None:
        return Refuse(Why(RULE, Reason.NOT_FOUND, f"There is no payment {payment}."), "payment")
    chosen = _chosen(books, held, parts)
    if isinstance(chosen, Refuse):
        return chosen
    for leg, part in chosen:
        refusal = _refusal(books, leg, part)
        if refusal:
            return refusal
    steps = Steps(books, now, new_id)
    first = RefundId(new_id("refund"))
    made = [
        start(steps, leg, part, asked, first if n == 0 else RefundId(new_id("refund")), first)
        for n, (leg, part) in enumerate(chosen)
    ]
    told = ", ".join(f"{each.money} {WAYS[each.status]}" for each in made)
    about = (payment, books.customer.id, *(each.id for each in made))
    return Act(Why(RULE, Reason.REFUND_STARTED, f"Of the payment, {told}.", about), tuple(steps.effects))


WAYS: Final = {RefundStatus.PROCESSING: "go back through the provider", RefundStatus.SUCCEEDED: "went back"}


def _chosen(books: Books, payment: Payment, parts: tuple[Part, ...]) -> list[tuple[Leg, Part]] | Refuse:
    """Find the leg of each part. Which leg gives back is never guessed when there are several."""
    refundable = [each for each in legs_of(books, payment.id) if left_of(each)]
    if not refundable:
        sentence = "Nothing of this payment can be refunded: nothing came, or all of it went back."
        return _refused(Reason.NOTHING_TO_REFUND, sentence, payment.id)
    found: list[tuple[Leg, Part]] = []
    for part in parts or (Part(),):
        legs = [each for each in refundable if part.leg in (None, each.id)]
        if not legs:
            sentence = f"Nothing can be refunded of {part.leg}: it is no part of this payment that has money left."
            return _refused(Reason.NOTHING_TO_REFUND, sentence, payment.id, "leg")
        if len(legs) > 1:
            names = ", ".join(f"{each.id} ({each.kind}, {Money(left_of(each), each.currency)} left)" for each in legs)
            sentence = f"Several parts paid; say how much of which goes back: {names}."
            return _refused(Reason.SPLIT_NOT_CHOSEN, sentence, payment.id, "parts")
        found.append((legs[0], replace(part, minor=left_of(legs[0]) if part.minor is None else part.minor)))
    if len({leg.id for leg, _ in found}) < len(found):
        return _refused(Reason.INVALID_REQUEST, "A leg is named twice; say it once.", payment.id, "parts")
    return found


def _refusal(books: Books, leg: Leg, part: Part) -> Refuse | None:
    left, minor = left_of(leg), part.minor or 0
    if minor <= 0:
        return _refused(Reason.INVALID_REQUEST, "A refund is of more than nothing.", leg.id, "amount")
    if minor > left:
        sentence = f"At most {Money(left, leg.currency)} can still be refunded of {leg.id}."
        return _refused(Reason.REFUND_TOO_LARGE, sentence, leg.id, "amount")
    match part.destination:
        case Destination.SOURCE:
            return _source_refusal(books, leg)
        case Destination.WALLET:
            return _wallet_refusal(books, leg, part)
        case _:
            return None


def _source_refusal(books: Books, leg: Leg) -> Refuse | None:
    """Say why money can't go back to where it came from, and where it can go instead."""
    if leg.kind is LegKind.CREDIT:
        wallet = next(each for each in books.wallets if each.id == leg.wallet)
        if wallet.status is not WalletStatus.ACTIVE:
            sentence = f"The wallet is {wallet.status}: choose balance or manual as the destination, or reactivate it."
            return _refused(Reason.WALLET_NOT_ACTIVE, sentence, leg.id, "destination")
        if any(invoice.status is not InvoiceStatus.PAID for invoice in _paid_by(books, leg)):
            sentence = "Its invoice is still open: void it, and the credits return in full."
            return _refused(Reason.DESTINATION_NOT_POSSIBLE, sentence, leg.id, "destination")
    if leg.kind is LegKind.BALANCE and _is_theirs(books, leg):
        sentence = "The provider's own balance paid it: choose balance, wallet or manual as the destination."
        return _refused(Reason.DESTINATION_NOT_POSSIBLE, sentence, leg.id, "destination")
    return None


def _paid_by(books: Books, leg: Leg) -> list[Invoice]:
    found = (invoice_of(books, each.invoice) for each in books.allocations if each.leg == leg.id)
    return [each for each in found if each]


def _is_theirs(books: Books, leg: Leg) -> bool:
    return any(each.collector is Collector.PROVIDER for each in _paid_by(books, leg))


def _wallet_refusal(books: Books, leg: Leg, part: Part) -> Refuse | None:
    if pegged(books, leg, part) is not None:
        return None
    sentence = f"This customer has no active wallet that is pegged to {leg.currency}: choose balance or manual."
    return _refused(Reason.DESTINATION_NOT_POSSIBLE, sentence, leg.id, "destination")


def _refused(reason: Reason, sentence: str, about: str, param: str | None = None) -> Refuse:
    return Refuse(Why(RULE, reason, sentence, (about,)), param)


# --- purchases ---


def decide_refund_purchase(
    books: Books, purchase: PurchaseId, part: Part, reason: str | None, now: datetime, new_id: NewId
) -> Decision:
    """Give money of a purchase back, and take its share of the credits: through the payment that paid for it, or, of
    one that somebody else collected, as that somebody says."""
    held = purchase_of(books, purchase)
    if held is None:
        return Refuse(Why(RULE, Reason.NOT_FOUND, f"There is no purchase {purchase}."), "purchase")
    if held.settled_at is None or held.settlement is Settlement.PROMOTIONAL:
        return _refused(Reason.NOTHING_TO_REFUND, "Nothing was paid for this purchase.", purchase)
    left = left_of_purchase(books, held)
    minor = left if part.minor is None else part.minor
    if not 0 < minor <= left:
        sentence = (
            f"At most {Money(left, held.currency)} can still be refunded of this purchase, and more than nothing."
        )
        return _refused(Reason.REFUND_TOO_LARGE, sentence, purchase, "amount")
    if held.settlement is Settlement.EXTERNAL:
        return _by_hand(books, held, replace(part, minor=minor), reason, now, new_id)
    legs = {each.leg for each in books.allocations if each.invoice == held.invoice}
    payment = next((each.payment for each in books.legs if each.id in legs and left_of(each)), None)
    if payment is None:
        return _refused(Reason.NOTHING_TO_REFUND, "Nothing of what paid for it can be refunded.", purchase)
    asked = Asked(reason, None if left == minor == _rest(books, held) else purchase)
    return decide_refund(books, payment, (replace(part, minor=minor),), asked, now, new_id)


def _rest(books: Books, purchase: Purchase) -> int:
    """Give what is left of the whole invoice of a purchase."""
    invoice = invoice_of(books, purchase.invoice) if purchase.invoice else None
    return sum(each.net_minor + each.tax_minor for each in giving_back.billed(books, invoice)) if invoice else 0


def left_of_purchase(books: Books, purchase: Purchase) -> int:
    """Give what can still be refunded of a purchase, in minor units."""
    invoice = invoice_of(books, purchase.invoice) if purchase.invoice else None
    if invoice is None:
        return purchase.paid_minor - purchase.refunded_minor
    own = {each.id for each in books.lines if each.purchase == purchase.id}
    lines = (each for each in giving_back.billed(books, invoice) if each.line in own)
    return sum(each.net_minor + each.tax_minor for each in lines)


def _by_hand(
    books: Books, purchase: Purchase, part: Part, reason: str | None, now: datetime, new_id: NewId
) -> Decision:
    """Record what was given back of a purchase that somebody else collected: they gave it back."""
    if part.destination not in (Destination.SOURCE, Destination.MANUAL):
        sentence = "Somebody else collected it, and gives it back: choose manual as the destination."
        return _refused(Reason.DESTINATION_NOT_POSSIBLE, sentence, purchase.id, "destination")
    steps, minor = Steps(books, now, new_id), part.minor or 0
    before = purchase.refunded_minor
    price = purchase.net_minor - purchase.discount_minor
    tax, fee, net = slice_of((purchase.tax_minor, purchase.fee_minor, price), before, before + minor)
    lots = giving_back.of_purchase(steps, purchase.id, minor, net, REFUND)
    refund = Refund(
        id=RefundId(new_id("refund")),
        customer=purchase.customer,
        account=purchase.account,
        destination=Destination.MANUAL,
        made_by=MadeBy.US,
        status=RefundStatus.SUCCEEDED,
        amount_minor=minor,
        currency=purchase.currency,
        created_at=now,
        given=GivenBack(lots=tuple(lots)),
        purchase=purchase.id,
        reason=reason,
        succeeded_at=now,
    )
    parts = ((journal.TAX, tax), (journal.FEE_REVENUE, fee), (journal.DEFERRED, 0 if lots else net))
    postings = tuple(Posting(account, journal.REFUND_DUE, purchase.currency, each) for account, each in parts if each)
    if postings:
        steps.add(Post(journal.Entry(f"refund:{refund.id}:price", refund.id, now, postings)))
    steps.add(Change(None, refund), Post(going_back.refund_paid(refund, journal.EXTERNAL, now)))
    steps.add(told(refund, "succeeded"), *purchases_told(steps.books, refund))
    why = Why(RULE, Reason.REFUND_STARTED, f"{refund.money} of the purchase went back.", (purchase.id, refund.id))
    return Act(why, tuple(steps.effects))
