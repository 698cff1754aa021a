"""Money that goes back: refunds of purchases, wherever they were made, and disputes of any payment.

Each refund is booked once, by its own id; disputes follow the rules of their own beside it. What a refund or a lost
dispute takes back of the credits is in proportion, and the parts make the whole, so that the two of them together never
take anything back twice.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import clawback, disputes, going_back, taking_back
from counterfoil.core.books import Books, Case
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import Act, Change, Decision, Defer, Notify, Park, Post, Reason, Skip, Why
from counterfoil.core.facts import MoneyBackFact, RefundFact
from counterfoil.core.ids import CaseId, LegId, NewId, PurchaseId
from counterfoil.core.lifecycle import LegStatus, PurchaseStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import Money

RULE: Final = "give-money-back@2"
LOOK_AGAIN: Final = timedelta(seconds=15)


def keys_of(fact: MoneyBackFact) -> tuple[str, ...]:
    """Give the keys of the entries that what went back may have made already."""
    refunds = (key for each in fact.refunds for key in (f"refund:{each.ref}", f"refund:{each.ref}:failed"))
    return (*refunds, *disputes.keys_of(fact.disputes))


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
    about = (purchase or leg, fact.intent_ref)
    early = held and held.status in (PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED)
    if early or paid.status not in (LegStatus.SETTLED, LegStatus.RETURNED):
        sentence = f"Money of {fact.intent_ref} goes back before it was settled here; it is looked at again."
        return Defer(Why(RULE, Reason.TOO_YOUNG, sentence, about), now + LOOK_AGAIN)
    steps = Steps(books, now, new_id)
    scene = _Scene(steps, held, terms) if held else None
    for refund in fact.refunds if scene else ():
        assert scene
        scene.refund(refund)
    contested = disputes.follow(steps, paid, fact.disputes, terms)
    if not steps.effects:
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, "What went back of it is booked already.", about))
    told = (*(scene.told if scene else ()), *contested.sentences)
    inputs: dict[str, str | int | bool | None] = {"refunds": len(fact.refunds), "disputes": len(fact.disputes)}
    why = Why(RULE, Reason.MONEY_WENT_BACK, " ".join(told), about, inputs)
    asks = contested.asks or (scene is not None and scene.asks)
    return Park(why, tuple(steps.effects)) if asks else Act(why, tuple(steps.effects))


class _Scene:
    """One look at what was refunded of a purchase, and what is gathered of it."""

    def __init__(self, steps: Steps, purchase: Purchase, terms: disputes.Terms) -> None:
        self.steps = steps
        self.purchase, self.booked = purchase.id, terms.booked
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
            taking_back.take_back(self.steps, self.purchase, refund.minor, clawback.REFUND, f"{key}:price")
            self.steps.add(
                Post(going_back.refund_paid(key, account, self.subject, money, now)), self._notify(key, money)
            )
            self.told.append(f"{money} were refunded ({refund.ref}).")
        if refund.status in ("failed", "canceled") and key in self.booked and f"{key}:failed" not in self.booked:
            self.steps.add(Post(going_back.refund_returned(key, account, self.subject, money, now)))
            self._ask(f"Refund {refund.ref} of {money} came back. It is owed to the customer: pay it another way.")

    def _ask(self, sentence: str) -> None:
        self.asks = True
        self.told.append(sentence)
        subject, question = self.purchase, Reason.REFUND_CAME_BACK
        case = Case(CaseId(self.steps.new_id("case")), question, subject, sentence, self.steps.now)
        self.steps.add(Change(None, replace(case, customer=self.bought.customer)))

    def _notify(self, key: str, money: Money) -> Notify:
        data: dict[str, str | int] = {"amount_minor": money.minor, "currency": money.currency}
        return Notify(f"purchase.refunded:{key}", "purchase.refunded", self.bought.customer, self.purchase, data)
