"""Money of a purchase that goes back: refunds, wherever they were made, and disputes.

Each refund is booked once, by its own id, and each step of a dispute by the provider's own balance transaction. What a
refund or a lost dispute takes back of the credits is in proportion, and the parts make the whole, so that the two of
them together never take anything back twice.
"""

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import clawback, going_back, journal
from counterfoil.core.books import Books, Case
from counterfoil.core.bought import Purchase
from counterfoil.core.clawback import Cause
from counterfoil.core.effects import Act, Change, Decision, Defer, Notify, Park, Post, Reason, Skip, Why
from counterfoil.core.facts import DisputeFact, MoneyBackFact, RefundFact
from counterfoil.core.ids import CaseId, NewId, PurchaseId
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import Money

RULE: Final = "give-money-back@1"
LOOK_AGAIN: Final = timedelta(seconds=15)
LOST: Final = Cause(journal.REFUND_DUE, journal.DISPUTE_LOSSES)
"""What a lost dispute takes back is owed to the customer, as with a refund, and paid out of what was contested."""


def keys_of(fact: MoneyBackFact) -> tuple[str, ...]:
    """Give the keys of the entries that what went back may have made already."""
    refunds = (key for each in fact.refunds for key in (f"refund:{each.ref}", f"refund:{each.ref}:failed"))
    moves = (f"dispute:{move.ref}" for each in fact.disputes for move in each.moves)
    return (*refunds, *moves, *(f"dispute:{each.ref}:lost" for each in fact.disputes))


def decide_money_back(
    books: Books, purchase: PurchaseId, fact: MoneyBackFact, booked: Set[str], now: datetime, new_id: NewId
) -> Decision:
    """Say what went back of a purchase's money since it was last looked at. `booked` are the keys that are there."""
    held = next(each for each in books.purchases if each.id == purchase)
    about = (purchase, fact.intent_ref)
    if held.status in (PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED):
        sentence = f"Money of {fact.intent_ref} goes back before it was settled here; it is looked at again."
        return Defer(Why(RULE, Reason.TOO_YOUNG, sentence, about), now + LOOK_AGAIN)
    scene = _Scene(books, held, booked, now, new_id)
    for refund in fact.refunds:
        scene.refund(refund)
    for dispute in fact.disputes:
        scene.dispute(dispute)
    if not scene.steps.effects:
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, "What went back of it is booked already.", about))
    inputs: dict[str, str | int | bool | None] = {"refunded_minor": scene.bought.refunded_minor}
    why = Why(RULE, Reason.MONEY_WENT_BACK, " ".join(scene.told), about, inputs)
    effects = tuple(scene.steps.effects)
    return Park(why, effects) if scene.asks else Act(why, effects)


class _Scene:
    """One look at what went back, and what is gathered of it."""

    def __init__(self, books: Books, purchase: Purchase, booked: Set[str], now: datetime, new_id: NewId) -> None:
        self.steps = Steps(books, now, new_id)
        self.purchase, self.booked = purchase.id, booked
        self.told: list[str] = []
        self.asks = False

    @property
    def bought(self) -> Purchase:
        """The purchase as the steps leave it."""
        return next(each for each in self.steps.books.purchases if each.id == self.purchase)

    @property
    def subject(self) -> str:
        """What the entries are about: the lot that was paid for."""
        return self.bought.grant or self.purchase

    def refund(self, refund: RefundFact) -> None:
        """Book a refund that was paid, once; one that comes back after that is owed to the customer again."""
        key, now = f"refund:{refund.ref}", self.steps.now
        money = Money(refund.minor, refund.currency)
        account = self.bought.account
        if refund.status == "succeeded" and key not in self.booked:
            self._take_back(refund.minor, clawback.REFUND, f"{key}:price")
            self.steps.add(
                Post(going_back.refund_paid(key, account, self.subject, money, now)), self._notify(key, money)
            )
            self.told.append(f"{money} were refunded ({refund.ref}).")
        if refund.status in ("failed", "canceled") and key in self.booked and f"{key}:failed" not in self.booked:
            self.steps.add(Post(going_back.refund_returned(key, account, self.subject, money, now)))
            self._ask(f"Refund {refund.ref} of {money} came back. It is owed to the customer: pay it another way.")

    def dispute(self, dispute: DisputeFact) -> None:
        """Book each movement of a dispute, and, once it is lost, take the credits back as a refund would."""
        for move in dispute.moves:
            if f"dispute:{move.ref}" not in self.booked:
                self.steps.add(Post(going_back.dispute_moved(move, self.bought.account, self.subject, self.steps.now)))
                word = "withdrew" if move.minor < 0 else "gave back"
                self.told.append(f"The provider {word} {Money(abs(move.minor), move.currency)} for {dispute.ref}.")
        lost = f"dispute:{dispute.ref}:lost"
        if dispute.status == "lost" and lost not in self.booked:
            self._take_back(dispute.minor, LOST, f"dispute:{dispute.ref}:price")
            money = Money(dispute.minor, dispute.currency)
            self.steps.add(Post(going_back.dispute_lost(lost, self.subject, money, self.steps.now)))
            self.told.append(f"Dispute {dispute.ref} is lost.")

    def _take_back(self, minor: int, cause: Cause, key: str) -> None:
        """Take credits back in proportion, and say where the rest of the money comes from: fees, taxes, or a loss."""
        before = self.bought
        refunded = min(before.refunded_minor + minor, before.gross_minor)
        back = refunded - before.refunded_minor
        net = self._claw(before, refunded, cause)
        after = replace(self.bought, refunded_minor=refunded)
        self.steps.add(Change(self.bought, after))
        rest = (
            (self._share_of(before.fee_minor, before, refunded), journal.FEE_REVENUE),
            (self._share_of(before.tax_minor, before, refunded), journal.TAX),
        )
        parts = [*rest, (back - net - sum(part for part, _ in rest) + (minor - back), journal.DISPUTE_LOSSES)]
        entry = going_back.price_given_back(key, self.subject, parts, cause.to, before.currency, self.steps.now)
        if entry.postings:
            self.steps.add(Post(entry))

    def _claw(self, before: Purchase, refunded: int, cause: Cause) -> int:
        """Take back of the lot what is due, and give how much of the goods' price that gives back."""
        lot = next((each for each in self.steps.books.grants if each.id == before.grant), None)
        paid_net = before.net_minor - before.discount_minor
        net = self._share_of(paid_net, before, refunded)
        if lot is None:
            return 0
        quantity = clawback.quantity_due(lot.amount, before.gross_minor, refunded, before.clawed)
        _, effects = clawback.clawed(self.steps.books, lot, quantity, net, cause, self.steps.now)
        self.steps.add(*effects)
        self.steps.add(Change(self.bought, replace(self.bought, clawed=before.clawed + quantity)))
        return net

    def _share_of(self, minor: int, before: Purchase, refunded: int) -> int:
        earlier = clawback.net_due(minor, before.gross_minor, before.refunded_minor, 0)
        return clawback.net_due(minor, before.gross_minor, refunded, earlier)

    def _ask(self, sentence: str) -> None:
        self.asks = True
        self.told.append(sentence)
        subject, question = self.purchase, Reason.REFUND_CAME_BACK
        case = Case(CaseId(self.steps.new_id("case")), question, subject, sentence, self.steps.now)
        self.steps.add(Change(None, replace(case, customer=self.bought.customer)))

    def _notify(self, key: str, money: Money) -> Notify:
        data: dict[str, str | int] = {"amount_minor": money.minor, "currency": money.currency}
        return Notify(f"purchase.refunded:{key}", "purchase.refunded", self.bought.customer, self.purchase, data)
