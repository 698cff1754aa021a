"""Attempts of an auto top-up: how one begins, where it stands, and how it is given up.

An attempt is a purchase, its invoice and a payment, written in one commit before the provider hears of it. All that it
does at the provider is keyed by these rows, so it is done once whatever crashes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, assert_never

from counterfoil.core import agreed, invoicing, launch, purchases, watching
from counterfoil.core.agreed import AutoTopup, Price
from counterfoil.core.books import (
    Books,
    Invoice,
    Leg,
    Line,
    LineKind,
    Wallet,
    invoice_of,
    payments_for,
    purchase_of,
    with_changes,
)
from counterfoil.core.bought import Collector, Purchase, Settlement
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Notify,
    Reason,
    Skip,
    Timer,
    Why,
    changes_of,
    effects_of,
)
from counterfoil.core.ids import InvoiceId, LineId, NewId, PurchaseId
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import AutoTopupStatus, InvoiceStatus, LegStatus, PaymentStatus, PurchaseStatus
from counterfoil.core.money import plain
from counterfoil.core.status import legs_for
from counterfoil.core.watching import WATCH_TIMER

ACTION_WAITS: Final = timedelta(hours=23)
"""How long a customer has to confirm an attempt that the bank asks about."""
ASKS_CUSTOMER: Final = frozenset({"authentication_required"})
"""Refusals that the customer can lift: the bank wants to see them, and they were not there."""
LOOK: Final = "auto-topup@1"


class Look:
    """What was decided so far, and the books as it leaves them."""

    def __init__(self, books: Books, policy: AutoTopup, now: datetime, new_id: NewId) -> None:
        self.books, self.now, self.new_id = books, now, new_id
        self.id = policy.id
        self.effects: list[Effect] = []
        self.said: tuple[Reason, str] = (Reason.AUTO_TOPUP_WAITS, "The auto top-up has nothing to do now.")

    @property
    def policy(self) -> AutoTopup:
        """The policy as it stands by now."""
        return next(each for each in self.books.topups if each.id == self.id)

    @property
    def all(self) -> tuple[Effect, ...]:
        """Everything that was decided."""
        return tuple(self.effects)

    def extend(self, effects: tuple[Effect, ...]) -> None:
        """Take effects in."""
        self.effects.extend(effects)
        self.books = with_changes(self.books, changes_of(effects))

    def put(self, after: AutoTopup) -> None:
        """Change the policy, and what its wallet watches for."""
        self.extend((Change(self.policy, after),))
        self.extend(watch(watching.wallet_of(self.books, after), after))

    def move(self, after: AutoTopup, word: str, **data: str) -> None:
        """Change the policy's status and tell of it."""
        self.put(after)
        self.extend((told(after, word, f":{after.moves}", data),))

    def say(self, reason: Reason, sentence: str) -> None:
        """Say what it came to."""
        self.said = reason, sentence

    def answer(self, reason: Reason | None = None, sentence: str = "") -> Decision:
        """Give the decision: everything that was gathered, or no effect."""
        if reason:
            self.say(reason, sentence)
        policy, (reason, sentence) = self.policy, self.said
        about = (policy.id, policy.wallet, policy.customer, *((policy.attempt,) if policy.attempt else ()))
        wallet = watching.wallet_of(self.books, policy)
        inputs = {
            "spendable": watching.spendable(self.books, wallet, self.now),
            "coming": watching.coming(self.books, wallet.id),
            "failures": policy.failures,
        }
        why = Why(LOOK, reason, sentence, about, inputs)
        return Act(why, self.all) if self.effects else Skip(why)


# --- where an attempt stands ---


class Stand(Enum):
    """Where an attempt stands."""

    UNDER_WAY = auto()
    ASKS_CUSTOMER = auto()
    ASKS_PERSON = auto()
    PAID = auto()
    REFUSED = auto()
    EXPIRED = auto()
    GIVEN_UP = auto()


def stand(books: Books, purchase: Purchase, now: datetime) -> Stand:
    """Say where an attempt stands, from its purchase and the payment of its invoice."""
    match purchase.status:
        case PurchaseStatus.SETTLED | PurchaseStatus.VOIDED:
            return Stand.PAID
        case PurchaseStatus.HELD:
            return Stand.ASKS_PERSON
        case PurchaseStatus.CANCELED:
            return Stand.GIVEN_UP
        case PurchaseStatus.SCHEDULED | PurchaseStatus.AUTHORIZED:
            return Stand.UNDER_WAY
        case PurchaseStatus.PENDING | PurchaseStatus.FAILED:
            return _collection(invoice_of(books, _invoice(purchase)), purchase, now)
        case _:
            assert_never(purchase.status)


def _collection(invoice: Invoice | None, purchase: Purchase, now: datetime) -> Stand:
    assert invoice is not None, "an attempt without its invoice"
    in_time = now < purchase.created_at + ACTION_WAITS
    match invoice.payment_status:
        case PaymentStatus.REQUIRES_ACTION:
            return Stand.ASKS_CUSTOMER if in_time else Stand.EXPIRED
        case PaymentStatus.FAILED:
            return Stand.ASKS_CUSTOMER if in_time and purchase.failure_code in ASKS_CUSTOMER else Stand.REFUSED
        case PaymentStatus.PROCESSING | PaymentStatus.SUCCEEDED:
            return Stand.UNDER_WAY
        case PaymentStatus.PENDING | PaymentStatus.CANCELED:
            return Stand.GIVEN_UP
        case _:
            assert_never(invoice.payment_status)


def asking_leg(books: Books, purchase: Purchase) -> Leg | None:
    asking = (LegStatus.REQUIRES_ACTION, LegStatus.REFUSED)
    found = [each for each in legs_for(books, _invoice(purchase)) if each.status in asking]
    return max(found, key=lambda leg: (leg.created_at, leg.position, leg.id), default=None)


# --- how it ends ---


def drop(look: Look, purchase: Purchase) -> None:
    """Void the invoice of an attempt that failed: another attempt is another purchase, at the price of its day."""
    invoice = invoice_of(look.books, _invoice(purchase))
    if invoice and invoice.status is InvoiceStatus.OPEN:
        decision = invoicing.decide_void(look.books, invoice.id, look.now, look.new_id)
        assert isinstance(decision, Act), decision.why.sentence
        # It is this look that the end of the purchase would wake.
        look.extend(tuple(each for each in decision.effects if not isinstance(each, Timer) or each.subject != look.id))


def switched_off(policy: AutoTopup) -> AutoTopup:
    """Give a policy as it is once it may buy nothing more."""
    return replace(policy, status=AutoTopupStatus.OFF, retry_at=None, due_at=None, moves=policy.moves + 1)


def give_up(books: Books, policy: AutoTopup, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Have the attempt's payment canceled. What ends it is news of the provider's, which wakes the policy again."""
    purchase = purchase_of(books, policy.attempt) if policy.attempt else None
    if purchase is None or purchase.invoice is None:
        return ()
    open_ones = [each for each in payments_for(books, purchase.invoice) if each.status not in ENDED]
    return tuple(
        effect
        for payment in open_ones
        for effect in effects_of(invoicing.decide_cancel(books, payment.id, now, new_id))
    )


ENDED: Final = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED})


# --- how it begins ---


def begin(look: Look, price: Price, steps: int, number: str) -> None:
    """Write the attempt down: a purchase, its invoice and the payment, before anybody is asked for money."""
    attempt = _attempt(look, price, steps)
    purchase = attempt.purchase
    look.extend((Change(None, purchase), Change(None, attempt.invoice)))
    look.extend(tuple(Change(None, each) for each in attempt.lines))
    opened = invoicing.decide_finalize(look.books, attempt.invoice.id, number, look.now)
    assert isinstance(opened, Act), opened.why.sentence
    look.extend(opened.effects)
    look.extend((purchases.told(purchase, "initiated"),))
    look.put(replace(look.policy, attempt=purchase.id, retry_at=None))
    method = watching.method_of(look.books, look.policy)
    wanted = Launch((attempt.invoice.id,), method.id if method else None, use_credits=False)
    launched = launch.decide_launch(look.books, wanted, look.now, look.new_id)
    assert isinstance(launched, Act), launched.why.sentence
    look.extend(launched.effects)
    wallet = watching.wallet_of(look.books, look.policy)
    bought = f"{plain(purchase.quantity, wallet.unit.scale)} {wallet.unit.code}"
    sentence = f"{bought} are bought for {purchase.gross}; the provider is asked."
    look.say(Reason.AUTO_TOPUP_STARTED, sentence)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A purchase, and what bills it."""

    purchase: Purchase
    invoice: Invoice
    lines: tuple[Line, ...]


def _attempt(look: Look, price: Price, steps: int) -> _Attempt:
    policy, now, new_id = look.policy, look.now, look.new_id
    customer = look.books.customer
    invoice = InvoiceId(new_id("invoice"))
    method = watching.method_of(look.books, policy)
    purchase = Purchase(
        id=PurchaseId(new_id("purchase")),
        customer=customer.id,
        account=customer.account,
        wallet=policy.wallet,
        settlement=Settlement.INVOICE,
        status=PurchaseStatus.PENDING,
        quantity=steps * price.quantity,
        currency=policy.currency,
        net_minor=steps * price.net_minor,
        fee_minor=steps * price.fee_minor,
        created_at=now,
        collector=Collector.OURS,
        pack=price.pack,
        pack_version=price.pack_version,
        expires_after_s=price.expires_after_s,
        priority=price.priority,
        features=price.features,
        invoice=invoice,
        line=LineId(new_id("line")),
        method=method.id if method else None,
        description="Auto top-up",
        auto_topup=policy.id,
    )
    draft = Invoice(
        id=invoice,
        customer=customer.id,
        account=customer.account,
        currency=policy.currency,
        status=InvoiceStatus.DRAFT,
        payment_status=PaymentStatus.PENDING,
        created_at=now,
        total_minor=purchase.gross_minor,
        description=purchase.description,
    )
    return _Attempt(purchase, draft, _lines(purchase, new_id))


def _lines(purchase: Purchase, new_id: NewId) -> tuple[Line, ...]:
    assert purchase.line is not None
    invoice, text = _invoice(purchase), purchase.description
    sold = LineKind.CREDIT_PURCHASE
    own = Line(purchase.line, invoice, 0, sold, text, purchase.net_minor, 0, purchase.id)
    if purchase.fee_minor == 0:
        return (own,)
    return own, Line(LineId(new_id("line")), invoice, 1, LineKind.FEE, "Fee", purchase.fee_minor, 0, purchase.id)


# --- shared ---


def spent(purchases: Iterable[Purchase], policy: AutoTopup, now: datetime) -> int:
    """Give what the attempts of this calendar month (UTC) cost or may cost yet, fee and tax included."""
    begun = agreed.month_of(now)
    own = (each for each in purchases if each.auto_topup == policy.id and each.created_at >= begun)
    return sum(each.gross_minor for each in own if each.status in watching.COUNTED)


def watch(wallet: Wallet, policy: AutoTopup) -> tuple[Effect, ...]:
    """Let the wallet watch for what its policy wants to be told of."""
    if wallet.watch_below == policy.watches:
        return ()
    return (Change(wallet, replace(wallet, watch_below=policy.watches)),)


def interval(policy: AutoTopup) -> tuple[Effect, ...]:
    return (Timer(WATCH_TIMER, policy.id, policy.customer, policy.due_at),) if policy.due_at else ()


def told(policy: AutoTopup, word: str, nth: str, data: Mapping[str, str | int]) -> Notify:
    key = f"auto_topup.{word}:{policy.id}{nth}"
    return Notify(key, f"auto_topup.{word}", policy.customer, policy.id, {"wallet": policy.wallet, **data})


def _invoice(purchase: Purchase) -> InvoiceId:
    assert purchase.invoice is not None, "an attempt without its invoice"
    return purchase.invoice
