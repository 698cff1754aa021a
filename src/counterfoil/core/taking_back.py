"""What a lost dispute takes back of what was bought: credits in proportion, fees and taxes with them, and once.

What a refund took before is not taken again: both count on the purchase what was paid back of it, so that together they
make the whole and never more.
"""

from dataclasses import replace

from counterfoil.core import clawback, going_back, journal
from counterfoil.core.bought import Purchase
from counterfoil.core.clawback import Cause
from counterfoil.core.effects import Change, Post
from counterfoil.core.ids import PurchaseId
from counterfoil.core.mirrors import Steps


def take_back(steps: Steps, purchase: PurchaseId, minor: int, cause: Cause, key: str) -> None:
    """Take credits back in proportion to `minor` of what was paid, and say where the rest of it comes from.

    That is fees, taxes, or a loss. All of it goes to `cause.to`.
    """
    before = _purchase(steps, purchase)
    refunded = min(before.refunded_minor + minor, before.gross_minor)
    back = refunded - before.refunded_minor
    net = _claw(steps, before, refunded, cause)
    clawed = _purchase(steps, purchase)
    if refunded != before.refunded_minor:
        steps.add(Change(clawed, replace(clawed, refunded_minor=refunded)))
    rest = (
        (_share_of(before.fee_minor, before, refunded), journal.FEE_REVENUE),
        (_share_of(before.tax_minor, before, refunded), journal.TAX),
    )
    lost = back - net - sum(part for part, _ in rest) + (minor - back)
    parts = [*rest, (lost, journal.DISPUTE_LOSSES)]
    subject = before.grant or purchase
    entry = going_back.price_given_back(key, subject, parts, cause.to, before.currency, steps.now)
    if entry.postings:
        steps.add(Post(entry))


def _purchase(steps: Steps, purchase: PurchaseId) -> Purchase:
    return next(each for each in steps.books.purchases if each.id == purchase)


def _claw(steps: Steps, before: Purchase, refunded: int, cause: Cause) -> int:
    """Take back of the lot what is due, and give how much of the goods' price that gives back."""
    lot = next((each for each in steps.books.grants if each.id == before.grant), None)
    if lot is None:
        return 0
    net = _share_of(before.net_minor - before.discount_minor, before, refunded)
    quantity = clawback.quantity_due(lot.amount, before.gross_minor, refunded, before.clawed)
    _, effects = clawback.clawed(steps.books, lot, quantity, net, cause, steps.now)
    steps.add(*effects)
    if quantity:
        steps.add(Change(before, replace(before, clawed=before.clawed + quantity)))
    return net


def _share_of(minor: int, before: Purchase, refunded: int) -> int:
    earlier = clawback.net_due(minor, before.gross_minor, before.refunded_minor, 0)
    return clawback.net_due(minor, before.gross_minor, refunded, earlier)
