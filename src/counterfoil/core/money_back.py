"""Money of a payment that goes back: refunds, wherever they were made, and disputes.

Each refund is booked once, by its own id; disputes follow the rules of their own beside it. What a refund or a lost
dispute takes back of the credits is in proportion, and the parts make the whole, so that the two of them together never
take anything back twice.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import disputes
from counterfoil.core.books import Books, Case, Leg
from counterfoil.core.effects import Act, Change, Decision, Defer, Park, Reason, Skip, Why
from counterfoil.core.facts import MoneyBackFact, RefundFact
from counterfoil.core.ids import CaseId, LegId, NewId, PurchaseId
from counterfoil.core.lifecycle import LegStatus, OrderStatus, PurchaseStatus, RefundStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.refunded import Refund
from counterfoil.core.refunding import ENDED, adopt, displaced, end, follow, known, left_of

RULE: Final = "give-money-back@2"
LOOK_AGAIN: Final = timedelta(seconds=15)


def keys_of(fact: MoneyBackFact) -> tuple[str, ...]:
    """Give the keys of the entries that what went back may have made already."""
    return disputes.keys_of(fact.disputes)


def decide_money_back(
    books: Books,
    leg: LegId,
    purchase: PurchaseId | None,
    fact: MoneyBackFact,
    terms: disputes.Terms,
    now: datetime,
    new_id: NewId,
) -> Decision:
    """Say what went back of a leg's money since it was last looked at. `purchase` is what it bought, if only one."""
    paid = next(each for each in books.legs if each.id == leg)
    held = next((each for each in books.purchases if each.id == purchase), None)
    about = (leg, paid.payment, *((purchase,) if purchase else ()), fact.intent_ref)
    early = held and held.status in (PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED)
    if early or paid.status not in (LegStatus.SETTLED, LegStatus.RETURNED):
        sentence = f"Money of {fact.intent_ref} goes back before it was settled here; it is looked at again."
        return Defer(Why(RULE, Reason.TOO_YOUNG, sentence, about), now + LOOK_AGAIN)
    steps = Steps(books, now, new_id)
    scene = _Scene(steps, leg)
    for refund in sorted(fact.refunds, key=lambda each: known(books, paid, each) is None):
        scene.refund(refund)
    if scene.waits:
        sentence = f"A refund of {fact.intent_ref} by us is on its way; what others refunded is looked at after it."
        return Defer(Why(RULE, Reason.TOO_YOUNG, sentence, about), now + LOOK_AGAIN)
    contested = disputes.follow(steps, scene.leg, fact.disputes, terms)
    if not steps.effects:
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, "What went back of it is booked already.", about))
    told = " ".join((*scene.told, *contested.sentences)) or "The provider's ids of what goes back are stored."
    inputs: dict[str, str | int | bool | None] = {"refunds": len(fact.refunds), "disputes": len(fact.disputes)}
    why = Why(RULE, Reason.MONEY_WENT_BACK, told, about, inputs)
    effects = tuple(steps.effects)
    return Park(why, effects) if contested.asks or scene.asks else Act(why, effects)


class _Scene:
    """One look at what was refunded of a leg, and what is gathered of it."""

    def __init__(self, steps: Steps, leg: LegId) -> None:
        self.steps, self._leg = steps, leg
        self.told: list[str] = []
        self.asks = False
        self.waits = False

    @property
    def leg(self) -> Leg:
        """The leg as the steps leave it."""
        return next(each for each in self.steps.books.legs if each.id == self._leg)

    def refund(self, fact: RefundFact) -> None:
        """Follow a refund of ours; one that was made at the provider is taken onto the books."""
        refund = known(self.steps.books, self.leg, fact)
        if refund:
            came_back = refund.status is RefundStatus.SUCCEEDED
            self._close(refund)
            said = follow(self.steps, refund, fact)
            self.told += [said] if said else []
            if said and came_back:
                self._ask(Reason.REFUND_CAME_BACK, refund.id, said)
        elif fact.status in ENDED or self._has_room(fact):
            self.told.append(adopt(self.steps, self.leg, fact))

    def _close(self, refund: Refund) -> None:
        """End the order of a refund whose object is there, so that it is not sent again."""
        for each in self.steps.books.orders:
            if each.subject == refund.id and each.open:
                self.steps.add(Change(each, replace(each, status=OrderStatus.DONE, why=None)))

    def _has_room(self, fact: RefundFact) -> bool:
        """Say whether so much can still go back. What went at the provider goes before ours that did not leave yet."""
        for refund, order in displaced(self.steps.books, self.leg):
            if fact.minor <= left_of(self.leg):
                return True
            if order.status is not OrderStatus.QUEUED or order.sent_at:
                self.waits = True
                return False
            self.steps.add(Change(order, replace(order, status=OrderStatus.CANCELED, why="displaced")))
            end(self.steps, refund, RefundStatus.CANCELED, "displaced", "The money was refunded at the provider.")
        if fact.minor <= left_of(self.leg):
            return True
        sentence = f"Refund {fact.ref} is of more than came and is not booked. Look at it at the provider."
        self._ask(Reason.AMOUNT_MISMATCH, fact.ref, sentence)
        return False

    def _ask(self, question: Reason, subject: str, sentence: str) -> None:
        if (question, subject) in self.steps.books.questions:
            return
        self.asks = True
        self.told.append(sentence)
        case = Case(CaseId(self.steps.new_id("case")), question, subject, sentence, self.steps.now)
        self.steps.add(Change(None, replace(case, customer=self.steps.books.customer.id)))
